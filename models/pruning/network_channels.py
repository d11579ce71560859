"""Coupled channels of a `Network`, found by walking its layers; and the network with fewer of them.

A network says how many words flow, not how they are laid out. Channels are followed through what keeps them apart
(activations, pools, batch norm, additions, concatenation, flattening); where the counts do not tell what happened, they
stay. Not seen: views that deal channels out anew, which leave no layer, and weights that two layers share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput
from ..network import Layer, Network
from ..op import Op, Tensor, VectorOp
from .coupling import Axis, Coupling, Labels

__all__ = ["NetworkGraph", "network_with", "walk_network"]

OUT, IN = 0, 1  # as the axes of a weight

_PRUNED = ("conv2d", "depthwise_conv2d", "transposed_conv2d", "linear")
# Vector operators that treat each channel by itself.
_CHANNELWISE = frozenset((
    "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "hardsigmoid", "hardswish", "clip", "mish",
    "softplus", "selu", "celu", "neg", "abs", "exp", "sqrt", "square", "batch_norm", "prelu", "max_pool",
    "average_pool", "mean", "sum", "amax", "amin", "resize", "pad",
))  # fmt: skip
_ELEMENTWISE = frozenset(("add", "sub", "mul", "div", "maximum", "minimum"))


@dataclass(frozen=True)
class NetworkGraph:
    """What was found: the coupling, the contractions by axis, and the channels each layer reads and writes."""

    coupling: Coupling
    makers: dict[Axis, str]
    reads: dict[str, Labels]
    writes: dict[str, Labels]


def walk_network(network: Network) -> NetworkGraph:
    """Walk the layers in order; whatever no layer reads is the network's output and stays."""
    walker = _Walker(network)
    for layer in network:
        inside = [walker.writes[name] for name in layer.inputs]
        if isinstance(layer.op, Op):
            walker.contract(layer.op, inside, layer)
        else:
            walker.vector(layer.op, inside, layer)
    read = {name for layer in network for name in layer.inputs}
    for name, labels in walker.writes.items():
        if name not in read:
            walker.coupling.keep(labels)
    return NetworkGraph(walker.coupling, walker.makers, walker.reads, walker.writes)


class _Walker:
    def __init__(self, network: Network) -> None:
        self.coupling = Coupling()
        self.makers: dict[Axis, str] = {}
        self.reads: dict[str, Labels] = {}
        self.writes: dict[str, Labels] = {}
        self._words = {op.name: op.words("output") if isinstance(op, Op) else op.words_out for op in network.ops}

    def stay(self, inside: list[Labels]) -> None:
        for labels in inside:
            self.coupling.keep(labels)

    def contract(self, op: Op, inside: list[Labels], layer: Layer) -> None:
        """A convolution or linear layer over all channels of its inputs, flattened perhaps; other products keep all."""
        made, read = _channels(op, OUT), _channels(op, IN)
        if not made or not read:
            self.stay(inside)
            self.reads[op.name] = self.writes[op.name] = np.zeros(0, dtype=np.int64)
            return
        rows = self.coupling.axis((op.name, OUT), made)
        columns = self.coupling.axis((op.name, IN), read)
        self.makers[op.name, OUT] = op.name
        self.reads[op.name], self.writes[op.name] = columns, rows
        source = _joined(inside)
        together = sum(self._words[name] for name in layer.inputs)
        flat = op.kind == "linear" and len(source) and read % len(source) == 0 and together == op.words("input")
        if flat:
            self.coupling.unite(columns, np.repeat(source, read // len(source)))
        elif len(source) == read:
            self.coupling.unite(columns, source)
        else:
            self.stay([*inside, columns])
        self._groups(op, rows, columns)

    def _groups(self, op: Op, rows: Labels, columns: Labels) -> None:
        """Groups of one input channel come and go with it; of larger ones, each loses the same positions."""
        groups = op.bounds.get("G", 1)
        if groups == 1:
            return
        if op.bounds["C"] == 1:
            self.coupling.unite(rows, np.repeat(columns, len(rows) // groups))
            return
        for labels in (rows, columns):
            dealt = labels.reshape(groups, -1)
            for group in dealt[1:]:
                self.coupling.unite(dealt[0], group)

    def vector(self, op: VectorOp, inside: list[Labels], layer: Layer) -> None:
        """Channel by channel or operand by operand (a stored one fits itself); anything else keeps all it reads."""
        words = [self._words[name] for name in layer.inputs]
        result: Labels | None = None
        whole = op.words_in == sum(words) or op.fused  # a transposed convolution's edge is cut before its activation
        if whole and (op.kind in _CHANNELWISE or (op.kind in _ELEMENTWISE and len(words) == 1)):
            result = _joined(inside)
        elif op.kind in _ELEMENTWISE:
            result = self._elementwise(op, inside, words)
        if result is None or not len(result) or op.words_out % len(result):
            self.stay(inside)
            result = np.zeros(0, dtype=np.int64)
        self.reads[op.name] = self.writes[op.name] = result

    def _elementwise(self, op: VectorOp, inside: list[Labels], words: list[int]) -> Labels | None:
        """The operands' channels, one with one; each operand is one input or several that are concatenated."""
        operands = _operands(inside, words, op.words_out)
        if len(operands) < 2 or op.words_in != sum(words) or len({len(one) for one in operands}) > 1:
            return None
        for other in operands[1:]:
            self.coupling.unite(operands[0], other)
        return operands[0]


def _operands(inside: list[Labels], words: list[int], whole: int) -> list[Labels]:
    """Inputs as operands: each a whole tensor or a word per channel, or as many one after another as make a whole."""
    if not all(len(labels) for labels in inside):
        return []
    alike = len({len(labels) for labels in inside}) == 1
    if alike and max(words) == whole and all(whole % size == 0 for size in words):
        return inside
    found: list[Labels] = []
    parts: list[Labels] = []
    gathered = 0
    for labels, size in zip(inside, words, strict=True):
        parts.append(labels)
        gathered += size
        if gathered == whole:
            found.append(np.concatenate(parts))
            parts, gathered = [], 0
    return [] if parts else found


def _joined(inside: list[Labels]) -> Labels:
    """Channels one behind the other; none where some input has none to follow."""
    if not inside or not all(len(labels) for labels in inside):
        return np.zeros(0, dtype=np.int64)
    return np.concatenate(inside)


def _channels(op: Op, side: int) -> int:
    """Channels that an operator with stored weights makes or reads; 0 where it has no such axis."""
    weight = op.tensor("weight")
    own = "K" if side == OUT else "C"
    if op.kind not in _PRUNED or not weight.is_parameter or own not in weight.dims:
        return 0
    return op.bounds[own] * op.bounds.get("G", 1)


def network_with(network: Network, graph: NetworkGraph, gone: NDArray[np.int64]) -> Network:
    """The network without the channels whose component is among ``gone``."""
    roots = graph.coupling.roots

    def left(labels: Labels) -> int:
        return int(np.count_nonzero(~np.isin(roots[labels], gone)))

    layers = []
    for layer in network:
        read, made = graph.reads[layer.op.name], graph.writes[layer.op.name]
        if isinstance(layer.op, Op):
            op: Op | VectorOp = _smaller(layer.op, left(read), left(made)) if len(made) else layer.op
        else:
            op = _thinner(layer.op, left(made), len(made)) if len(made) else layer.op
        layers.append(Layer(op, layer.inputs))
    return replace(network, layers=tuple(layers))


def _smaller(op: Op, read: int, made: int) -> Op:
    groups = op.bounds.get("G", 1)
    sizes = dict(op.bounds)
    if groups > 1 and op.bounds["C"] == 1:
        sizes["G"] = read
    else:
        sizes["C"] = read // groups
        sizes["K"] = made // groups
    if sizes == op.bounds:
        return op
    first, second, result = (_fitted(tensor, sizes) for tensor in op.tensors)
    bias = made if op.bias == op.bounds["K"] * groups else op.bias
    return replace(op, dims=tuple((dim, sizes[dim]) for dim, _ in op.dims), tensors=(first, second, result), bias=bias)


def _fitted(tensor: Tensor, sizes: dict[str, int]) -> Tensor:
    """A tensor whose pattern of zeros does not fit the smaller bounds keeps its density, zeros at random."""
    if tensor.pattern is None:
        return tensor
    try:
        tensor.pattern.density_for(tensor, sizes)
    except BadInput:
        return replace(tensor, pattern=None)
    return tensor


def _thinner(op: VectorOp, left: int, of: int) -> VectorOp:
    """Counts of a vector operator are proportional to the channels."""
    if left == of:
        return op
    scaled = {field: -(-getattr(op, field) * left // of) for field in ("operations", "words_in", "words_out", "params")}
    return replace(op, **scaled)
