"""How much to compress each layer of a network for an accelerator: levels for the least distortion within a budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Literal

from ..accel.accelerator import Accelerator
from ..errors import BadInput, CannotDo, check_type
from ..models.allocation import Allocation, allocate
from ..models.network import Network
from ..models.op import Op
from ..models.patterns import Pattern, Uniform
from ..models.pruning.structure import with_weight_zeros
from ..models.pruning.weights import check_density, named
from ..models.quantising import with_layer_bits
from .base import UNLIMITED, Limits
from .estimate import Estimate, estimate
from .objective import Objective
from .registry import DEFAULT_MAPPER
from .simulation import Settings, simulate_estimates

__all__ = ["Compressed", "Level", "choose_levels", "level_costs"]

Level = float | Pattern
How = Literal["density", "bits"]
_ATTEMPTS = 5
_ROUNDING = 1e-9  # of the budget: the same costs added up in another order


@dataclass(frozen=True)
class Compressed:
    """A network with a level for each layer, what that costs on the accelerator, and how much it distorts.

    ``distortion`` and ``expected_cost`` are the sums that the choice was made by, ``cost`` is what the whole network
    costs, both in J or s, ``estimate`` the mapped network.
    """

    network: Network
    levels: Mapping[str, Level]
    distortion: float
    expected_cost: float
    cost: float
    estimate: Estimate


@dataclass(frozen=True)
class _Asked:
    """What all estimates of one question have in common."""

    network: Network
    accelerator: Accelerator
    objective: Objective
    how: How
    simulated: bool
    mapper: str
    limits: Limits
    cache: Path | bool
    workers: int | None

    def at(self, levels: Mapping[str, Level]) -> Estimate:
        """The network with these levels, mapped."""
        return estimate(
            compressed(self.network, levels, self.how), self.accelerator, self.mapper, self.objective,
            limits=self.limits, cache=self.cache, workers=self.workers,
        )  # fmt: skip

    def priced(self, found: Estimate) -> tuple[float, dict[str, float]]:
        """In units of the objective: the whole, and each contraction with the vector operators fused with it."""
        energy_j, latency_s, seconds = found.energy_j, found.latency_s, {}
        if self.simulated:
            timeline = simulate_estimates([found], Settings())
            energy_j, latency_s = timeline.energy_j, timeline.latency_s
            seconds = {run.name: run.cycles / timeline.clock_hz for run in timeline.operators}
        spent: dict[str, list[float]] = {}
        heads: dict[str, str] = {}
        for layer, cost in zip(found.network, found.costs, strict=True):
            fused = not isinstance(layer.op, Op) and layer.op.fused and layer.inputs
            name = heads[layer.op.name] = heads[layer.inputs[0]] if fused else layer.op.name
            taken = seconds.get(layer.op.name, cost.latency_s)
            joules = cost.energy_j + self.accelerator.standing_w * (taken - cost.latency_s)
            spent.setdefault(name, []).append(self.objective.value(joules, taken))
        whole = self.objective.value(energy_j, latency_s)
        return whole, {name: math.fsum(costs) for name, costs in spent.items()}


def compressed(network: Network, levels: Mapping[str, Level], how: How = "density") -> Network:
    """The network whose weights have these densities or patterns of zeros, or ("bits") widths, by layer."""
    if how == "bits":
        return with_layer_bits(network, {layer: {"weight": _width(level)} for layer, level in levels.items()})
    patterns = {at: level if isinstance(level, Pattern) else Uniform(level) for at, level in levels.items()}
    return with_weight_zeros(network, patterns)


def level_costs(
    network: Network,
    accelerator: Accelerator,
    levels: Sequence[Level],
    objective: str | Objective = "energy",
    how: How = "density",
    *,
    layers: Iterable[str] | None = None,
    simulated: bool = False,
    mapper: str = DEFAULT_MAPPER,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
) -> dict[str, tuple[float, ...]]:
    """By layer and level, what a layer costs on ``accelerator`` when its weights are compressed: J, s or their sum.

    A level is a density of the weights or a pattern of their zeros, or ("bits") a width. ``layers`` default to all with
    stored weights. Each level is an estimate of the network with all of ``layers`` at that level, each operator mapped
    anew, so that a dense accelerator shows no gain and one that skips zeros its own; a layer is charged for the vector
    operators fused with it. ``simulated``: times are those of `simulate`, contention included. The other arguments are
    `estimate`'s. Raises `BadInput` for an objective that does not add up over layers ("edp"), an unknown layer and a
    level that makes no sense, `Infeasible` where nothing fits.
    """
    asked = _Asked(network, accelerator, _additive(objective), how, simulated, mapper, limits, cache, workers)
    return _costs(asked, _chosen(network, layers), _checked(levels, how))[0]


def choose_levels(
    network: Network,
    accelerator: Accelerator,
    levels: Sequence[Level],
    distortion: Mapping[str, Sequence[float]],
    budget: float,
    objective: str | Objective = "energy",
    how: How = "density",
    *,
    simulated: bool = False,
    mapper: str = DEFAULT_MAPPER,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
) -> Compressed:
    """The network with the levels, layer by layer, of the least distortion that cost at most ``budget``: J or s a run.

    ``distortion`` gives a number for each layer that may be compressed and each of the ``levels`` (measure it with
    `distortion_curves`); the other layers stay as they are, and what they cost counts into the budget. The choice is
    the optimum over sums of distortions and of `level_costs` (`allocate`). The result is estimated as a whole; where
    that costs more than the sum, since what stays on the chip between layers depends on all of them, the choice is
    made again for so much less. ``simulated``: costs are those of the simulator, never below the model's.

    Raises as `level_costs`, and `CannotDo` where the budget cannot be met.
    """
    asked = _Asked(network, accelerator, _additive(objective), how, simulated, mapper, limits, cache, workers)
    given = _checked(levels, how)
    if isinstance(budget, bool) or not isinstance(budget, Real) or math.isnan(budget):
        raise BadInput(f"budget {budget!r} is no number of joules or seconds; give one, such as 0.7 * dense.energy_j")
    if not distortion:
        raise BadInput(f"{network.name}: no layer may be compressed; give the distortion of at least one")
    costs, others = _costs(asked, _chosen(network, distortion), given)
    beyond = 0.0
    for _ in range(_ATTEMPTS):
        left = budget * (1.0 + _ROUNDING) - others - beyond
        if not left >= 0.0:
            what = f"the layers that stay as they are cost {others:.6g}"
            raise CannotDo(f"{network.name}: {what}, above the budget of {budget:.6g}; raise it or add layers")
        best: Allocation = allocate(distortion, costs, left)
        chosen = {layer: given[number] for layer, number in best.levels.items()}
        found = asked.at(chosen)
        whole = asked.priced(found)[0]
        excess = whole - budget
        if excess <= _ROUNDING * budget:
            network = compressed(network, chosen, how)
            return Compressed(network, chosen, best.distortion, best.cost + others, whole, found)
        beyond += excess
    raise CannotDo(f"{network.name}: no choice found that costs {budget:.6g} as a whole; raise the budget")


def _costs(asked: _Asked, layers: Sequence[str], levels: Sequence[Level]) -> tuple[dict[str, tuple[float, ...]], float]:
    """The costs by layer and level, and the most that everything else costs beside any of the levels."""
    table: dict[str, list[float]] = {layer: [] for layer in layers}
    others = 0.0
    for level in levels:
        found = asked.at(dict.fromkeys(layers, level))
        whole, spent = asked.priced(found)
        for layer in layers:
            table[layer].append(spent[layer])
        others = max(others, whole - math.fsum(spent[layer] for layer in layers))
    return {layer: tuple(costs) for layer, costs in table.items()}, others


def _additive(objective: str | Objective) -> Objective:
    wanted = Objective.parse(objective)
    if wanted.form == "sum" or (wanted.form == "product" and sorted((wanted.energy, wanted.latency)) == [0.0, 1.0]):
        return wanted
    raise BadInput(f"objective '{wanted.name}' does not add up over layers; use energy, latency or a sum of both")


def _chosen(network: Network, layers: Iterable[str] | None) -> list[str]:
    check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    known = [op.name for op in network.contractions if op.tensor("weight").is_parameter]
    if layers is None:
        return known
    chosen = list(layers)
    named(chosen, known, network.name)
    return chosen


def _checked(levels: Sequence[Level], how: How) -> tuple[Level, ...]:
    if how not in ("density", "bits"):
        raise BadInput(f"how '{how}': choose 'density' or 'bits'")
    if not len(levels):
        raise BadInput("no levels to choose from; give densities such as [0.1, 0.2, 0.5, 1.0]")
    for level in levels:
        if how == "bits":
            _width(level)
        elif not isinstance(level, Pattern):
            check_density(level, "levels")
    return tuple(levels)


def _width(level: Level) -> int:
    if isinstance(level, Pattern | bool) or level != int(level) or level < 1:
        raise BadInput(f"levels: {level!r} is no width of words; give whole numbers of bits from 1 on")
    return int(level)
