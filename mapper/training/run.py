"""`estimate_training`: a network trained by a recipe on data-parallel devices, in seconds and joules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...accel.accelerator import Accelerator
from ...accel.spec import load_accelerator
from ...energy.quantities import to_si
from ...errors import BadInput, UnknownName, check_type
from ...models.network import Network
from ...models.training import TrainingStep, training_step
from ...models.training.precision import precision_named
from ...models.transforms import with_batch
from ..base import Limits
from ..estimate import Estimate, estimate
from ..objective import Objective
from ..registry import mapper_names
from ..roofline import roofline_estimate
from .links import Link, link_of, load_link
from .parallel import BUCKET_BITS, Exchange, exchange_gradients
from .recipes import Recipe, load_recipe, recipe_of
from .result import TrainingEstimate
from .room import check_room, fits, micro_batches_needed
from .schedule import gradients_ready

__all__ = ["QUICK", "ROOFLINE", "estimate_training"]

ROOFLINE = "roofline"
# A step has some hundred different operators. After so many mappings of each, annealing comes within 3 % of what three
# times as many find for ResNet-50 on the shipped accelerators, in a few seconds.
QUICK = Limits(evaluations=10_000)


def estimate_training(
    network: Network,
    accelerator: str | Path | Accelerator = "a100",
    *,
    recipe: str | Path | Recipe | None = None,
    devices: int = 1,
    batch: int | None = None,
    optimizer: str | None = None,
    precision: str | None = None,
    recompute: str | None = None,
    micro_batches: int | None = None,
    mapper: str = "annealing",
    objective: str | Objective = "edp",
    limits: Limits = QUICK,
    overlap: bool = True,
    link: str | Link | None = None,
    bucket: str | None = None,
    cache: Path | bool = True,
    workers: int | None = None,
) -> TrainingEstimate:
    """What it takes to train ``network`` (described for one sample) on ``devices`` accelerators.

    ``recipe``: a shipped name (`recipe_names`), a file or a `Recipe`; None: the one published for the network.
    ``batch`` (over all devices), ``optimizer``, ``precision`` and ``recompute`` take the place of the recipe's. A
    device holds all weights (data-parallel) and runs its share in ``micro_batches``, one after the other; None: in as
    few as fit into its memory.

    ``mapper`` "roofline" costs every contraction at its lower bound (`roofline_estimate`; milliseconds). Any other maps
    each different operator under ``limits`` for ``objective``, and remembers mappings as `estimate` does.

    Gradients are summed over ``link`` (a shipped name, a `Link`, or a bandwidth; None: the accelerator's) in buckets of
    ``bucket`` (25 MiB; "0 B": each layer's alone), hidden behind the backward pass unless ``overlap`` is False.

    Raises `UnknownName` for a recipe, accelerator, mapper or link that does not exist, `BadInput` for fewer devices
    than one, a batch that does not divide and a network for several samples, and `CannotDo` where what a device holds
    is beyond its memory.
    """
    check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    _check_one_sample(network)
    if mapper != ROOFLINE and mapper not in mapper_names():
        raise UnknownName("mapper", mapper, (ROOFLINE, *mapper_names()))
    wanted = Objective.parse(objective)
    changed = {"batch": batch, "optimizer": optimizer, "precision": precision, "recompute": recompute}
    plan = _recipe(network, recipe, {name: value for name, value in changed.items() if value is not None})
    share = _share(plan.batch, devices)
    chip = accelerator if isinstance(accelerator, Accelerator) else load_accelerator(accelerator)
    chip = _at_width(chip, precision_named(plan.precision).compute_bits)
    wire = _link(chip, link, devices)
    bits = BUCKET_BITS if bucket is None else to_si(bucket, "size")
    step = _fitting(network, plan, chip, share, micro_batches)
    if mapper == ROOFLINE:
        costed = roofline_estimate(step.network, chip)
    else:
        costed = estimate(step.network, chip, mapper, wanted, limits=limits, cache=cache, workers=workers)
    exchange = _exchange(step, costed, devices, wire, overlap=overlap, bucket_bits=bits)
    return TrainingEstimate(network, chip, plan, devices, step, costed, exchange, wire, mapper)


def _check_one_sample(network: Network) -> None:
    """Refuse a network that has the batch in it already, as far as its two-dimensional convolutions tell."""
    bounds = [op.bounds for op in network.contractions]
    samples = min((own.get("N", 1) for own in bounds if {"P", "Q", "R", "S"} <= own.keys()), default=1)
    if samples > 1:
        raise BadInput(f"{network.name} is described for {samples} samples; load it with batch=1, the recipe has one")


def _recipe(network: Network, recipe: str | Path | Recipe | None, changed: dict[str, object]) -> Recipe:
    name = recipe if recipe is not None else recipe_of(network)
    if name is None:
        raise BadInput(f"{network.name} has no recipe of its own; name one (dovetail list recipes)")
    return replace(load_recipe(name), **changed)  # type: ignore[arg-type]


def _share(batch: int, devices: int) -> int:
    """Samples of a step on one device."""
    if isinstance(devices, bool) or not isinstance(devices, int) or devices < 1:
        raise BadInput(f"devices is {devices!r}; it must be a whole number of at least 1")
    if batch % devices:
        near = max(devices, batch // devices * devices)
        raise BadInput(
            f"a batch of {batch} does not divide among {devices} devices; give batch={near}, or devices that divide "
            f"{batch}"
        )
    return batch // devices


def _fitting(
    network: Network, recipe: Recipe, chip: Accelerator, share: int, micro_batches: int | None
) -> TrainingStep:
    """The step of one device, in as many micro-batches as told, or as few as fit."""
    if micro_batches is not None:
        if isinstance(micro_batches, bool) or not isinstance(micro_batches, int) or micro_batches < 1:
            raise BadInput(f"micro_batches is {micro_batches!r}; it must be a whole number of at least 1")
        if share % micro_batches:
            raise BadInput(f"{share} samples a device do not divide into {micro_batches} micro-batches; give a divisor")
    parts = micro_batches or 1
    step = _step(with_batch(network, share // parts), recipe, parts)
    if micro_batches is None:
        while parts < share and not fits(step, chip):
            least = max(parts + 1, parts * micro_batches_needed(step, chip))
            parts = next(count for count in range(min(least, share), share + 1) if share % count == 0)
            step = _step(with_batch(network, share // parts), recipe, parts)
    check_room(step, chip, share // parts, recipe)
    return step


def _at_width(chip: Accelerator, bits: int) -> Accelerator:
    """The accelerator with multipliers of this width, where its spec lets them be chosen (a parameter ``operand``)."""
    choices = next((one.choices for one in chip.parameters if one.name == "operand"), ())
    if bits not in choices or chip.compute.operand_bits == bits:
        return chip
    return chip.with_parameters(operand=f"{bits} bit")


def _link(chip: Accelerator, link: str | Link | None, devices: int) -> Link | None:
    if devices == 1:
        return None
    wire = link_of(chip.name, devices) if link is None else load_link(link)
    if wire.most is not None and devices > wire.most:
        raise BadInput(f"{wire.name} reaches {wire.most} devices, not {devices}; give another link, or none")
    return wire


def _step(network: Network, recipe: Recipe, micro_batches: int) -> TrainingStep:
    return training_step(
        network,
        optimizer=recipe.optimizer,
        precision=recipe.precision,
        method=recipe.method,
        recompute=recipe.recompute,
        sparsity=recipe.sparsity,
        batch_norm=recipe.norms(network),
        micro_batches=micro_batches,
    )


def _exchange(
    step: TrainingStep, costed: Estimate, devices: int, link: Link | None, *, overlap: bool, bucket_bits: float
) -> Exchange:
    backward_s, gradients = gradients_ready(step, costed)
    if link is None:
        return Exchange(backward_s=backward_s)
    return exchange_gradients(gradients, backward_s, devices, link, overlap=overlap, bucket_bits=bucket_bits)
