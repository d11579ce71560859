"""Back-propagation through a network: which gradients are computed, and what each of them reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..network import Layer
from ..op import Op, VectorOp
from .gradients import bias_gradient, input_gradient, weight_gradient
from .graph import Graph, value_words
from .precision import Precision
from .vectors import backward_vector, derivative_of, loss_gradient

__all__ = ["backward_layers"]

_RELUS = ("relu", "relu6")


def backward_layers(
    graph: Graph, precision: Precision, gradient_densities: Mapping[str, float] | None = None
) -> tuple[Layer, ...]:
    """The gradient operators from the loss down, each reading gradients and what was kept of the forward pass.

    ``conv1.dx``, ``conv1.dw`` and ``conv1.db`` are the gradients of the layer's input, weights and bias;
    ``conv1.dsum`` adds the gradients that several readers of ``conv1`` send back. A layer with no stored words before
    it has no ``.dx``, a frozen one no ``.dw``. ``gradient_densities``: by layer, the share of its weights that have a
    gradient, where that is not the share of weights that are not zero.
    """
    return tuple(_Backward(graph, precision, gradient_densities or {}).run())


@dataclass
class _Sent:
    """What the readers of a layer have sent back: the operators that computed it, and its words together."""

    sources: list[str]
    words: float = 0.0


class _Backward:
    def __init__(self, graph: Graph, precision: Precision, densities: Mapping[str, float]) -> None:
        self.graph, self.precision, self.densities = graph, precision, densities
        self.sent: dict[str, _Sent] = {}
        self.layers: list[Layer] = []

    def run(self) -> list[Layer]:
        loss = self.graph.loss
        words = sum(value_words(self.graph.by_name[name].op) for name in loss.inputs)
        gradient = loss_gradient(loss.op.name, words, self.precision.compute_bits)
        self._add(gradient, (*loss.inputs,))
        self._send(loss.inputs, (gradient.name,), words)
        for layer in reversed(self.graph.layers):
            if layer.op.name not in self.sent:
                continue
            sources = self._summed(layer.op)
            if isinstance(layer.op, VectorOp):
                self._vector(layer, layer.op, sources)
            elif layer.op.tensor("weight").is_parameter:
                self._stored(layer, layer.op, sources)
            else:
                self._product(layer, layer.op, sources)
        return self.layers

    def _add(self, op: Op | VectorOp, inputs: Iterable[str]) -> str:
        self.layers.append(Layer(op, tuple(dict.fromkeys(inputs))))
        return op.name

    def _wanted(self, names: Iterable[str]) -> bool:
        return any(name in self.graph.needs for name in names)

    def _send(self, names: Iterable[str], sources: tuple[str, ...], words: float) -> None:
        """Hand a gradient of ``words`` to the layers it belongs to, each its part by size."""
        names = tuple(dict.fromkeys(names))
        sizes = {name: value_words(self.graph.by_name[name].op) for name in names}
        share = min(1.0, words / max(1, sum(sizes.values())))
        for name in names:
            if name in self.graph.needs:
                sent = self.sent.setdefault(name, _Sent([]))
                sent.sources += sources
                sent.words += share * sizes[name]

    def _summed(self, op: Op | VectorOp) -> tuple[str, ...]:
        """Where the gradient of ``op``'s output is found; parts that overlap are added first."""
        sent, words = self.sent[op.name], value_words(op)
        sources = tuple(dict.fromkeys(sent.sources))
        surplus = round(sent.words - words)
        if surplus <= 0 or len(sources) < 2:
            return sources
        added = VectorOp(f"{op.name}.dsum", "add", surplus, words + surplus, words, self.precision.compute_bits)
        return (self._add(added, sources),)

    def _density(self, op: Op) -> float:
        """Behind a ReLU alone, the gradient has zeros where the ReLU's output has."""
        readers = self.graph.readers[op.name]
        return op.tensor("output").density if len(readers) == 1 and readers[0].op.kind in _RELUS else 1.0

    def _stored(self, layer: Layer, op: Op, sources: tuple[str, ...]) -> None:
        density = self._density(op)
        if self._wanted(layer.inputs):
            gradient = self._add(input_gradient(op, self.precision, density=density), sources)
            # A sliding window's words are not those of the tensor it slides over: padding, gaps between strides.
            slides = any(len(rank.terms) > 1 for tensor in (op.tensors[0], op.tensors[2]) for rank in tensor.ranks)
            self._send(layer.inputs, (gradient,), math.inf if slides else op.words("input"))
        if op.name in self.graph.frozen:
            return
        made = weight_gradient(op, self.precision, density=density, gradient_density=self.densities.get(op.name))
        slides = any(len(rank.terms) > 1 for rank in op.tensor("output").ranks)
        self._add(made, (*sources, *layer.inputs) if slides else (*layer.inputs, *sources))
        if op.bias:
            self._add(bias_gradient(op, self.precision), sources)

    def _product(self, layer: Layer, op: Op, sources: tuple[str, ...]) -> None:
        """A product of two activations: each operand's gradient goes to the layers that hold that operand."""
        names = tuple(dict.fromkeys(layer.inputs))
        left, right = ((names[0],), (names[1],)) if len(names) == 2 else (names, names)
        density = self._density(op)
        if self._wanted(left):
            made = self._add(input_gradient(op, self.precision, density=density), (*sources, *right))
            self._send(left, (made,), op.words("input"))
        if self._wanted(right):
            made = self._add(weight_gradient(op, self.precision, density=density), (*left, *sources))
            self._send(right, (made,), op.words("weight"))

    def _vector(self, layer: Layer, op: VectorOp, sources: tuple[str, ...]) -> None:
        op = replace(op, params=0) if op.name in self.graph.frozen else op
        gradient = backward_vector(op, self.precision.compute_bits)
        if gradient is not None:
            kept = {"none": (), "input": layer.inputs, "output": (op.name,), "index": (op.name,)}
            sources = (self._add(gradient, (*sources, *kept[derivative_of(op).keeps])),)
        self._send(layer.inputs, sources, op.words_in)
