"""What the importers share: values that flow through free operators, folding, fusing, and what is left out.

An importer walks its graph in order and tells a `Builder` what every node is; the builder decides what that costs:

* *free* operators (views, casts, dropout, concatenation, which producers write in place) leave no layer;
* everything known before the network runs is *constant* and leaves no layer either;
* batch norm folds into the contraction before it, a constant added per channel becomes that contraction's bias;
* an element-wise operator that reads one layer only, and alone reads it, is *fused* with it;
* what cannot be represented is collected, so that one message lists all of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import ImportFailure
from . import builder
from .network import Layer, Network
from .op import Op, Role, VectorOp

__all__ = ["OPERATIONS_PER_WORD", "Builder", "Shape", "Step", "Value", "known", "words"]

Shape = tuple[int, ...]

# Scalar operations per word, counted as in the zoo (a transcendental function is one); what is not named costs one.
OPERATIONS_PER_WORD = {
    **builder.OPERATIONS_PER_WORD,
    "clip": 2,
    "elu": 3,  # exponential, subtract, select
    "glu": 2,  # sigmoid, multiply
    "group_norm": 7,  # as a layer norm
    "hardsigmoid": 3,  # add, clip
    "hardswish": 4,
    "instance_norm": 7,
    "leaky_relu": 2,
    "log_softmax": 5,
    "mish": 3,  # softplus, tanh, multiply
    "rms_norm": 4,  # square, sum, times 1/σ, scale
    "silu": 2,  # sigmoid, multiply
}


def words(shape: Shape) -> int:
    """Words of a tensor of this shape."""
    return math.prod(shape)


@dataclass(frozen=True)
class Value:
    """A tensor between operators: the layers it comes from, seen through free operators.

    ``sole`` says that nothing else reads its one source. A ``constant`` is known before the network runs; ``roots``
    are the stored tensors it is derived from. ``shape`` is None where the graph does not say. ``key`` is its name.
    """

    shape: Shape | None
    sources: tuple[str, ...] = ()
    sole: bool = False
    constant: bool = False
    roots: frozenset[str] = frozenset()
    key: str = ""


@dataclass(frozen=True)
class Step:
    """One node: its operator's own name, the layer name wanted, its outputs (key, shape) and their words together."""

    kind: str
    label: str
    outputs: tuple[tuple[str, Shape | None], ...]

    @property
    def shape(self) -> Shape:
        """The first output's shape; raises ImportFailure where the graph does not give it."""
        shape = self.outputs[0][1]
        if shape is None:
            raise ImportFailure(
                f"{self.label} ({self.kind}): the shape of its output '{self.outputs[0][0]}' is unknown; "
                "give the graph fixed input shapes and run shape inference before importing it")
        return shape

    @property
    def words(self) -> int:
        """Words of all outputs whose shape is known, the first one's being needed."""
        return words(self.shape) + sum(words(shape) for _, shape in self.outputs[1:] if shape is not None)


@dataclass
class _Refused:
    count: int = 0
    macs: int = 0
    estimated: bool = True


class Builder:
    """Collects layers; ``readers`` counts the nodes (and graph outputs) that read each value."""

    def __init__(self, name: str, bits: int, readers: Mapping[str, int]) -> None:
        self.name, self.bits = name, bits
        self.notes: list[str] = []
        self._readers = readers
        self._values: dict[str, Value] = {}
        self._layers: dict[str, Layer] = {}
        self._stored: dict[str, tuple[int, bool]] = {}  # words, is a parameter
        self._counted: dict[str, int] = {}  # words of each stored tensor that operators have counted
        self._absorbed: set[str] = set()  # stored tensors that folding made disappear
        self._refused: dict[str, _Refused] = {}
        self._operands: dict[str, tuple[Value, Value, str]] = {}  # of contractions: input, weight and its axes
        self._written: dict[str, str] = {}  # by layer, the value it writes

    # -- values

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def define(self, key: str, value: Value) -> None:
        """Name a value; it stays ``sole`` only if one node reads it."""
        self._values[key] = replace(value, sole=value.sole and self._readers.get(key, 0) == 1, key=key)

    def store(self, key: str, shape: Shape, *, parameter: bool) -> None:
        """A tensor stored with the network; a ``parameter`` counts into `Network.params` even if no operator has it."""
        self._stored[key] = (words(shape), parameter)
        self.define(key, Value(shape, constant=True, roots=frozenset((key,))))

    def free(self, step: Step, reads: Sequence[Value]) -> None:
        """The outputs are the operands seen differently (constant, if all of them are)."""
        live = [value for value in reads if not value.constant]
        constant = not live
        sources = _ordered(source for value in live for source in value.sources)
        sole = len(live) == len(step.outputs) == 1 and live[0].sole
        roots = frozenset().union(*(value.roots for value in reads)) if constant else frozenset()
        for key, shape in step.outputs:
            self.define(key, Value(shape, sources, sole, constant, roots))

    def absorb(self, values: Iterable[Value | None]) -> None:
        """These stored tensors leave no words of their own (folded, or only settings)."""
        self._absorbed |= {root for value in values if value is not None for root in value.roots}

    # -- contractions

    def contract(
        self, step: Step, op: Op, left: Value, right: Value, bias: Value | None = None, axes: str = ""
    ) -> None:
        """Add ``op`` that reads ``left`` (its input) and ``right`` (its weight, stored with it if constant).

        ``axes`` names the dimensions along which ``right`` lies, outermost first, where that is known.
        """
        if not right.constant:
            first, second, third = op.tensors
            op = replace(op, tensors=(first, replace(second, is_parameter=False), third))
        elif op.tensor("weight").is_parameter:
            self._count(right, op.words("weight"))
        if bias is not None:
            self._count(bias, op.bias)
        self._operands[op.name] = (left, right, axes)
        self._add(step, op, [left, right])

    # -- everything else

    def vector(
        self, step: Step, kind: str, reads: Sequence[Value], *, operations: int | None = None, fuse: bool = False,
        written: int | None = None,
    ) -> None:
        """A `VectorOp` over ``reads``; constant operands of more than one word are its parameters.

        ``operations`` defaults to the table's operations per output word. ``fuse`` lets it ride on its producer, if it
        reads nothing else (no second tensor, no stored words).
        """
        live = [value for value in reads if not value.constant]
        params, words_in = 0, sum(words(known(value, step)) for value in _distinct(live))
        for value in reads:
            size = words(value.shape) if value.constant and value.shape is not None else 0
            if size > 1 and any(self._stored[root][1] for root in value.roots):
                params += self._count(value, size)
            elif size > 1:
                words_in += size
        out = step.words if written is None else written
        total = OPERATIONS_PER_WORD.get(kind, 1) * out if operations is None else operations
        alone = len(_distinct(live)) == 1 and live[0].sole and len(live[0].sources) == 1
        fused = fuse and alone and params == 0 and words_in == words(known(live[0], step))
        op = VectorOp(self.unique(step.label), kind, total, words_in, out, self.bits, params, fused)
        self._add(step, op, reads)

    def elementwise(self, step: Step, kind: str, reads: Sequence[Value]) -> None:
        """One output word per position; adding a stored word per channel becomes the bias of the contraction before."""
        if kind == "add" and len(reads) == 2 and self._fold_bias(step, reads):
            return
        self.vector(step, kind, reads, fuse=True)

    def normalise(self, step: Step, x: Value, statistics: Sequence[Value | None], channels: int) -> None:
        """Batch norm with stored statistics: folded where it directly follows a contraction, else scale and shift."""
        op = self._only_producer(x)
        self.absorb(statistics)
        if op is not None and _channels(op) == channels:
            self._layers[op.name] = replace(self._layers[op.name], op=replace(op, bias=channels))
            self._written[op.name] = step.outputs[0][0]
            self.free(step, [x])
            return
        out = words(known(x, step))
        label, operations = self.unique(step.label), OPERATIONS_PER_WORD["batch_norm"] * out
        self._add(step, VectorOp(label, "batch_norm", operations, out, out, self.bits, 2 * channels), [x])

    def refuse(self, step: Step, reads: Sequence[Value], macs: int | None = None) -> None:
        """Remember an operator that cannot be represented, with its MACs where shapes tell them, and go on."""
        entry = self._refused.setdefault(step.kind, _Refused())
        entry.count += 1
        entry.macs += macs or 0
        entry.estimated = entry.estimated and macs is not None
        self.free(step, [*reads, Value(None)])  # never constant: its result depends on what is left out

    def finish(self, *, source: str, allow_unsupported: bool) -> Network:
        """The network; raises ImportFailure listing every refused operator unless these may be left out."""
        listing = self._listing()
        if listing and not allow_unsupported:
            raise ImportFailure(
                f"{self.name}: operators that are not supported: {'; '.join(listing)}. Replace them, or leave them out "
                "with allow_unsupported=True (command line: --allow-unsupported)")
        if not self._layers:
            raise ImportFailure(f"{self.name}: no operator in it costs anything; give a network with at least one layer"
                                + (f" (left out: {'; '.join(listing)})" if listing else ""))
        notes = (*self.notes, *(f"left out, not supported: {line}" for line in listing))
        return Network(self.name, tuple(self._layers.values()), source, notes, self._extra_params())

    # -- where the tensors of contractions are found

    def weights(self) -> dict[str, tuple[str, str]]:
        """By contraction, the stored value that is its weight, and that value's axes as given to `contract`."""
        return {name: (right.key, axes) for name, (_, right, axes) in self._operands.items() if right.constant}

    def tensors(self) -> dict[str, dict[Role, str]]:
        """By contraction, the values that are no stored ones: its input, its weight, and its output as written."""
        written = dict(self._written)
        for name, layer in reversed(self._layers.items()):
            if isinstance(layer.op, VectorOp) and layer.op.fused:
                written[layer.inputs[0]] = written[name]
        return {
            name: {"input": left.key, **({} if right.constant else {"weight": right.key}), "output": written[name]}
            for name, (left, right, _) in self._operands.items()
        }

    # -- inside

    def _listing(self) -> list[str]:
        known = sum(layer.op.macs for layer in self._layers.values())
        known += sum(entry.macs for entry in self._refused.values())
        lines = []
        for kind, entry in sorted(self._refused.items(), key=lambda item: (-item[1].macs, item[0])):
            percent = 100 * entry.macs / max(known, 1)
            share = f"{percent:.1f} % of MACs, estimated" if entry.estimated else "unknown MACs"
            lines.append(f"{kind} × {entry.count} ({share})")
        return lines

    def _extra_params(self) -> int:
        """Stored words no operator counts, less those that several operators share and each counts."""
        extra = 0
        for root, (size, parameter) in self._stored.items():
            if root in self._absorbed or not (self._readers.get(root, 0) or root in self._counted):
                continue
            difference = size - self._counted.get(root, 0)
            extra += difference if parameter else min(0, difference)
        return extra

    def _count(self, value: Value, size: int) -> int:
        if len(value.roots) == 1:
            root = next(iter(value.roots))
            size = min(size, self._stored[root][0])  # a broadcast stores no more than its root
            self._counted[root] = self._counted.get(root, 0) + size
        else:
            self._absorbed |= value.roots  # computed from several before the network runs: only the result is stored
        return size

    def _add(self, step: Step, op: Op | VectorOp, reads: Sequence[Value]) -> None:
        sources = _ordered(source for value in reads for source in value.sources)
        self._layers[op.name] = Layer(op, sources)
        self._written[op.name] = step.outputs[0][0]
        for key, shape in step.outputs:
            self.define(key, Value(shape, (op.name,), sole=len(step.outputs) == 1))

    def _only_producer(self, value: Value) -> Op | None:
        """The contraction with stored weights of which ``value`` is the only use, if there is one."""
        if not value.sole or len(value.sources) != 1:
            return None
        op = self._layers[value.sources[0]].op
        return op if isinstance(op, Op) and op.tensor("weight").is_parameter else None

    def _fold_bias(self, step: Step, reads: Sequence[Value]) -> bool:
        live = [value for value in reads if not value.constant]
        stored = [value for value in reads if value.roots]
        if len(live) != 1 or len(stored) != 1 or stored[0].shape is None:
            return False
        op = self._only_producer(live[0])
        if op is None or op.bias or not _per_channel(stored[0].shape, op):
            return False
        self._count(stored[0], _channels(op))
        self._layers[op.name] = replace(self._layers[op.name], op=replace(op, bias=_channels(op)))
        self._written[op.name] = step.outputs[0][0]
        self.free(step, live)
        return True

    def unique(self, label: str) -> str:
        """``label``, or with a number behind it where a layer has this name already."""
        name, count = label, 1
        while name in self._layers:
            count += 1
            name = f"{label}_{count}"
        return name


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _distinct(values: Iterable[Value]) -> list[Value]:
    return list({id(value): value for value in values}.values())


def known(value: Value, step: Step) -> Shape:
    """An operand's shape; raises ImportFailure where the graph does not give it."""
    if value.shape is None:
        raise ImportFailure(f"{step.label} ({step.kind}): the shape of an operand is unknown; "
                            "give the graph fixed input shapes and run shape inference before importing it")
    return value.shape


def _channels(op: Op) -> int:
    return op.bounds.get("G", 1) * op.bounds["K"]


def _per_channel(shape: Shape, op: Op) -> bool:
    """Whether a constant of this shape adds one word to each output channel of ``op``."""
    if words(shape) != _channels(op):
        return False
    if op.kind == "linear":
        return shape[-1] == _channels(op)
    trimmed = list(shape)
    while trimmed and trimmed[-1] == 1:
        trimmed.pop()
    spatial_ones = len(trimmed) < len(shape)
    return op.kind.endswith("conv2d") and spatial_ones and trimmed[-1:] == [_channels(op)]
