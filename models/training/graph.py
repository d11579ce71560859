"""A network as it is trained: its forward pass, its loss, and which layers a gradient reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...errors import BadInput, UnknownName
from ..network import Layer, Network
from ..op import Op, VectorOp
from .precision import Precision
from .vectors import UNTRAINABLE, loss_of, trained

__all__ = ["AGAIN", "Graph", "in_training", "rides", "trained_graph", "value_words"]

AGAIN = ".again"  # behind the name of a layer that is computed a second time


def rides(layer: Layer) -> bool:
    """Whether the layer is fused with the layer it reads, so that the two leave one tensor."""
    return isinstance(layer.op, VectorOp) and layer.op.fused and bool(layer.inputs)


def value_words(op: Op | VectorOp) -> int:
    """Words of what the operator leaves."""
    return op.words("output") if isinstance(op, Op) else op.words_out


@dataclass(frozen=True)
class Graph:
    """``layers`` as described, in the precision's words; ``loss`` reads all their outputs.

    The stored words of ``frozen`` layers are not trained.
    """

    network: Network
    layers: tuple[Layer, ...]
    loss: Layer
    frozen: frozenset[str] = frozenset()

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        """Layer name to layer; the loss is not among them."""
        return {layer.op.name: layer for layer in self.layers}

    @cached_property
    def order(self) -> dict[str, int]:
        """Layer name to its place in the forward pass."""
        return {layer.op.name: at for at, layer in enumerate(self.layers)}

    @cached_property
    def readers(self) -> dict[str, tuple[Layer, ...]]:
        """By layer, those that read its output."""
        found: dict[str, list[Layer]] = {name: [] for name in self.by_name}
        for layer in (*self.layers, self.loss):
            for name in dict.fromkeys(layer.inputs):
                found[name].append(layer)
        return {name: tuple(layers) for name, layers in found.items()}

    @cached_property
    def needs(self) -> frozenset[str]:
        """Layers whose output needs a gradient: those that stored words reach (a gather's table is counted apart)."""
        needs: set[str] = set()
        for layer in self.layers:
            op = layer.op
            trains = op.params and op.name not in self.frozen
            if trains or self.is_table(op) or needs & set(layer.inputs):
                needs.add(op.name)
        return frozenset(needs)

    def is_table(self, op: Op | VectorOp) -> bool:
        """Whether the operator reads a trained table that the network counts apart."""
        return op.kind == "gather" and self.network.extra_params > 0 and op.name not in self.frozen

    @cached_property
    def forward(self) -> Network:
        """The forward pass of a training step, the loss included."""
        layers = (*(Layer(in_training(layer.op), layer.inputs) for layer in self.layers), self.loss)
        return replace(self.network, layers=layers)


def trained_graph(network: Network, precision: Precision, frozen: Sequence[str] = ()) -> Graph:
    """The network with the precision's words and a loss over all its outputs; ``frozen`` layers are not trained.

    What has no derivative (argmax, the choice of boxes) is left out at the end; the loss stands on what it reads.
    Raises `BadInput` where no layer has stored words to train, or a layer reads something without a derivative,
    `UnknownName` for a frozen layer that does not exist.
    """
    names = tuple(op.name for op in network.ops)
    for name in frozen:
        if name not in names:
            raise UnknownName("layer", name, names)
    dropped = {layer.op.name for layer in network if isinstance(layer.op, VectorOp) and layer.op.kind in UNTRAINABLE}
    kept = [layer for layer in network if layer.op.name not in dropped]
    for layer in kept:
        blocked = [name for name in layer.inputs if name in dropped]
        if blocked:
            what = f"'{layer.op.name}' reads '{blocked[0]}', which has no derivative"
            raise BadInput(f"{network.name}: {what}; train the part of the network before it")
    layers = tuple(Layer(_of_width(layer.op, precision.compute_bits), layer.inputs) for layer in kept)
    loss = _loss(layers, network, precision.compute_bits)
    graph = Graph(network, layers, loss, frozenset(frozen))
    if not graph.needs:
        raise BadInput(f"{network.name}: nothing to train; no layer has stored weights that are not frozen")
    return graph


def _loss(layers: Sequence[Layer], network: Network, bits: int) -> Layer:
    read = {name for layer in layers for name in layer.inputs}
    ends = [layer.op for layer in layers if layer.op.name not in read]
    name, taken = "loss", {layer.op.name for layer in network}
    while name in taken:
        name += "_"
    return Layer(loss_of(name, sum(map(value_words, ends)), bits), tuple(op.name for op in ends))


def in_training(op: Op | VectorOp) -> Op | VectorOp:
    """The operator as the forward pass of a training step runs it."""
    return trained(op) if isinstance(op, VectorOp) else op


def _of_width(op: Op | VectorOp, bits: int) -> Op | VectorOp:
    if isinstance(op, VectorOp):
        return replace(op, bits=bits)
    first, second, result = (replace(tensor, bits=bits) for tensor in op.tensors)
    return replace(op, tensors=(first, second, result))
