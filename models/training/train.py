"""`training_step`: from any network to the operators of one step of its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import BadInput, UnknownName, check_type
from ..network import Layer, Network
from ..op import VectorOp
from ..transforms import with_densities
from .backward import backward_layers
from .graph import Graph, trained_graph
from .local import LOCAL_METHODS, local_training
from .norms import with_batch_norm
from .optimizers import Optimizer, optimizer_named
from .precision import Precision, precision_named
from .recompute import Recompute, recomputed
from .sparsity import SparseSchedule, layer_densities, sparse_schedule
from .step import TrainingStep, part, trained_tensors
from .update import TABLES, accumulation_layers, gradients_by_layer, update_layers
from .zeroth_order import ESTIMATORS, ZerothOrder

__all__ = ["METHODS", "training_step"]

METHODS = ("backprop", *LOCAL_METHODS, *ESTIMATORS)


def training_step(
    network: Network, *, optimizer: str | Optimizer = "sgd", precision: str | Precision = "mixed",
    method: str | ZerothOrder = "backprop", recompute: Recompute = "none",
    sparsity: SparseSchedule | float | None = None, batch_norm: bool = False, frozen: str | Sequence[str] = (),
    micro_batches: int = 1,
) -> TrainingStep:
    """The operators of one step of training ``network`` on its batch, by mini-batch stochastic gradients.

    ``optimizer``: a name of `OPTIMIZERS`, or an `Optimizer`; ``precision``: a name of `PRECISIONS`, or a `Precision`;
    all words take its widths, whatever the network states. ``method``: ``backprop``, a forward-only method
    (``mono_forward``, ``forward_forward``, ``cafo``), or a zeroth-order one (``cge``, ``rge``, a `ZerothOrder`).
    ``recompute``: ``none``, ``all``, ``sqrt`` or the names of layers whose outputs are not held. ``sparsity``: a
    density or a schedule; the step is then the mean one of the training, zeros of the network's own weights being
    replaced. ``batch_norm`` puts a trained batch norm behind every convolution with a bias, in place of the bias.
    ``frozen`` layers are not trained. ``micro_batches`` are run one after the other, their gradients summed.

    Gradients of contractions are contractions over the same box. Raises `UnknownName` for names that do not exist,
    `BadInput` for a network with nothing to train, densities outside (0, 1], no micro-batch, and options that
    ``method`` has no use for.
    """
    check_type(network, Network, "network", "load one with dt.load_network")
    if isinstance(micro_batches, bool) or not isinstance(micro_batches, int) or micro_batches < 1:
        raise BadInput(f"micro_batches is {micro_batches!r}; it must be a whole number of at least 1")
    if not isinstance(method, ZerothOrder) and method not in METHODS:
        raise UnknownName("training method", str(method), METHODS)
    if method != "backprop" and (recompute != "none" or sparsity is not None):
        used = "recompute" if recompute != "none" else "sparsity"
        raise BadInput(f"{used} is for method='backprop'; {method} has no use for it; leave it out")
    rule, words = optimizer_named(optimizer), precision_named(precision)
    described = with_batch_norm(network) if batch_norm else network
    dense_share: dict[str, float] = {}
    if sparsity is not None:
        described, dense_share = _sparse(described, sparse_schedule(sparsity))
    graph = trained_graph(described, words, (frozen,) if isinstance(frozen, str) else tuple(frozen))
    if isinstance(method, ZerothOrder) or method in ESTIMATORS:
        zeroth = method if isinstance(method, ZerothOrder) else ZerothOrder(method)
        run = _forward_alone(graph, zeroth)
    elif method in LOCAL_METHODS:
        run = _local(graph, str(method), words)
    else:
        run = _backprop(graph, words, recompute, dense_share)
    return _step(graph, run, rule, words, micro_batches)


@dataclass(frozen=True)
class _Run:
    """One micro-batch: all layers in order; which of them are forward ones, and which of those run again."""

    method: str
    layers: tuple[Layer, ...]
    forward: frozenset[str]
    again: tuple[Layer, ...] = ()
    projections: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    zeroth: ZerothOrder | None = None


def _backprop(graph: Graph, precision: Precision, recompute: Recompute, densities: dict[str, float]) -> _Run:
    forward = graph.forward.layers
    plan = recomputed(graph, backward_layers(graph, precision, densities), recompute, precision.compute_bits)
    names = frozenset(layer.op.name for layer in (*forward, *plan.again))
    notes = ("layers that share weights are stepped once each",) if graph.network.extra_params < 0 else ()
    return _Run("backprop", (*forward, *plan.backward), names, plan.again, notes=notes)


def _local(graph: Graph, method: str, precision: Precision) -> _Run:
    found = local_training(graph, method, precision)
    return _Run(method, found.layers, found.forward, projections=found.projections, notes=found.notes)


def _forward_alone(graph: Graph, zeroth: ZerothOrder) -> _Run:
    layers = graph.forward.layers
    return _Run(zeroth.estimator, layers, frozenset(layer.op.name for layer in layers), zeroth=zeroth)


def _sparse(network: Network, schedule: SparseSchedule) -> tuple[Network, dict[str, float]]:
    """The network at the schedule's mean density, and the density of each layer's weight gradient."""
    densities = layer_densities(network, schedule.mean_density(), schedule.distribution)
    sparse = with_densities(network, {name: {"weight": density} for name, density in densities.items()})
    return sparse, {name: schedule.gradient_density(density) for name, density in densities.items()}


def _stored(graph: Graph, run: _Run, backward: Sequence[Layer]) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Words that the optimiser steps by layer, and the operators that leave their gradients."""
    all_words = {layer.op.name: layer.op.params for layer in graph.layers
                 if layer.op.params and layer.op.name not in graph.frozen}  # fmt: skip
    all_words |= dict(run.projections)
    tables = [layer.op.name for layer in graph.layers if graph.is_table(layer.op)]
    gradients = gradients_by_layer(all_words, backward, tables)
    stored = all_words if run.zeroth else {name: count for name, count in all_words.items() if name in gradients}
    extra = graph.network.extra_params
    if extra > 0 and run.method not in LOCAL_METHODS:
        name = TABLES
        while name in graph.by_name:
            name += "_"
        stored[name] = extra
        gradients[name] = gradients.pop(TABLES, [])
    return stored, gradients


def _step(graph: Graph, run: _Run, rule: Optimizer, precision: Precision, micro_batches: int) -> TrainingStep:
    network = graph.network
    again = {layer.op.name for layer in run.again}
    forward = [layer for layer in run.layers if layer.op.name in run.forward and layer.op.name not in again]
    backward = [layer for layer in run.layers if layer.op.name not in run.forward]
    stored, gradients = _stored(graph, run, backward)
    summed = accumulation_layers(stored, gradients, precision) if micro_batches > 1 and backward else ()
    if summed:
        gradients = {layer.op.name.removesuffix(".sum"): [layer.op.name] for layer in summed}
    update = (*_perturbed(run.zeroth, stored, precision), *update_layers(stored, gradients, rule, precision))
    tensors = {op.name: trained_tensors(op) for op in network.ops}
    passes = run.zeroth.macs(network) / max(1, network.macs) if run.zeroth else 1.0
    title = f"{network.name}.training"
    updated = part(f"{network.name}.update", update)
    if updated is None:
        raise BadInput(f"{network.name}: nothing to train; no gradient reaches stored weights")
    return TrainingStep(
        title, run.method, (*run.layers, *summed, *update), replace(network, layers=tuple(forward)),
        part(f"{network.name}.backward", (*backward, *summed)), updated,
        part(f"{network.name}.recomputed", run.again), rule, precision,
        network.params + sum(count for _, count in run.projections),
        sum(stored.values()) + min(0, network.extra_params),
        sum(tensors.get(name, 1) for name in stored), micro_batches, passes, run.notes,
    )  # fmt: skip


def _perturbed(zeroth: ZerothOrder | None, stored: dict[str, int], precision: Precision) -> tuple[Layer, ...]:
    """Weights moved along random directions and back, and the gradient's estimate: draw, scale, add, each time."""
    if zeroth is None:
        return ()
    sweeps = (4 if zeroth.central else 3) * zeroth.queries if zeroth.estimator == "rge" else 3
    words = sum(stored.values())
    op = VectorOp("perturbation", "perturbation", 3 * sweeps * words, sweeps * words, sweeps * words,
                  precision.master_bits)  # fmt: skip
    return (Layer(op),)
