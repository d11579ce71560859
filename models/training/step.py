"""A training step of a network as networks of operators: forward, backward, update."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ...errors import check_type
from ..network import Layer, Network
from ..op import VectorOp
from .backward import backward_layers
from .graph import trained_graph
from .optimizers import Optimizer, optimizer_named
from .precision import Precision, precision_named
from .update import update_layers

__all__ = ["TrainingStep", "training_step"]


@dataclass(frozen=True)
class TrainingStep:
    """One step on one batch. ``network`` holds all of it, in an order in which it can run."""

    name: str
    layers: tuple[Layer, ...]
    forward: Network
    backward: Network
    update: Network
    optimizer: Optimizer
    precision: Precision
    params: int
    parameter_tensors: int
    recomputed: Network | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def network(self) -> Network:
        """All operators in topological order: ``conv1``, ``conv1.dx``, ``conv1.dw``, ``conv1.db``, ``conv1.step``."""
        return Network(self.name, self.layers, self.forward.source, (*self.forward.notes, *self.notes),
                       self.forward.extra_params)  # fmt: skip

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole step."""
        return self.network.macs

    @property
    def parameter_bytes(self) -> int:
        """Stored words: the master weights and, where the precision has one, the narrower copy."""
        return -(-self.params * self.precision.parameter_bits // 8)

    @property
    def gradient_bytes(self) -> int:
        """Gradients of all stored words."""
        return -(-self.params * self.precision.gradient_bits // 8)

    @property
    def state_bytes(self) -> int:
        """The optimiser's state, its step counters included (four bytes per parameter tensor, as torch keeps them)."""
        words = self.params * self.optimizer.state_words_per_param
        return -(-words * self.precision.state_bits // 8) + 4 * self.optimizer.counters * self.parameter_tensors


def training_step(
    network: Network, *, optimizer: str | Optimizer = "sgd", precision: str | Precision = "mixed"
) -> TrainingStep:
    """The operators of one training step of ``network`` on its batch.

    Raises `UnknownName` for an optimiser or precision that does not exist, `BadInput` for a network with nothing to
    train.
    """
    check_type(network, Network, "network", "load one with dt.load_network")
    rule, words = optimizer_named(optimizer), precision_named(precision)
    graph = trained_graph(network, words)
    backward = backward_layers(graph, words)
    update = update_layers(graph, backward, rule, words)
    name = f"{network.name}.training"
    return TrainingStep(
        name,
        (*graph.forward.layers, *backward, *update),
        graph.forward,
        _part(f"{network.name}.backward", backward),
        _part(f"{network.name}.update", update),
        rule,
        words,
        network.params,
        _tensors(network),
    )


def _part(name: str, layers: Iterable[Layer]) -> Network:
    """These layers alone: what they read of others comes from outside."""
    layers = tuple(layers)
    names = {layer.op.name for layer in layers}
    inside = (Layer(layer.op, tuple(source for source in layer.inputs if source in names)) for layer in layers)
    return Network(name, tuple(inside))


def _tensors(network: Network) -> int:
    """Stored tensors: a weight and perhaps a bias per contraction, a scale and a shift per norm."""
    count = int(network.extra_params > 0)
    for op in network.ops:
        if isinstance(op, VectorOp):
            count += 0 if not op.params else 2 if op.kind.endswith("_norm") and op.kind != "rms_norm" else 1
        else:
            count += int(op.tensor("weight").is_parameter) + int(op.bias > 0)
    return count
