"""Training without a backward pass through the network: every layer has a loss of its own.

A block is a contraction with stored weights and the operators that it alone feeds, one behind the other (norm,
activation, pool). Its loss reads what the block leaves; nothing goes back beyond the block.

* Mono-Forward (Gong et al., 2025, arXiv:2501.09238): a matrix M projects the block's output, flattened, onto the
  classes, cross-entropy stands on that; M and the block's weights are trained. Multiply-accumulates: forward, the
  weights' gradients, and three products with M (forward, its gradient, the block's); the classifier at the end is
  its own M.
* Forward-Forward (Hinton, 2022, arXiv:2212.13345): a positive and a negative pass; each block's loss is a logistic
  function of the sum of its squared outputs, which go on normalised. Multiply-accumulates: two passes forward and the
  weights' gradients of both.
* CaFo (Zhao et al., 2023, arXiv:2303.09728), with random blocks: predictors as M above, blocks that are not trained.
  Multiply-accumulates: forward, and two products for each predictor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...errors import BadInput
from ..network import Layer
from ..op import Op, VectorOp, linear
from .gradients import bias_gradient, input_gradient, weight_gradient
from .graph import Graph, in_training, value_words
from .precision import Precision
from .vectors import backward_vector, derivative_of, loss_gradient, loss_of

__all__ = ["LOCAL_METHODS", "NEGATIVE", "LocalTraining", "local_training"]

LOCAL_METHODS = ("mono_forward", "forward_forward", "cafo")

NEGATIVE = ".negative"  # behind the names of the second pass
# Square, running sum, and the factor that normalises; backward: 2 a times the logistic's slope.
_GOODNESS, _GOODNESS_GRADIENT = 3, 2


@dataclass(frozen=True)
class LocalTraining:
    """The layers of a step in an order in which they can run, those of the forward passes among them by name."""

    layers: tuple[Layer, ...]
    forward: frozenset[str]
    projections: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


def local_training(graph: Graph, method: str, precision: Precision) -> LocalTraining:
    """The operators of one of `LOCAL_METHODS`.

    Raises `BadInput` where the network does not end in a classifier, whose rows and columns give the batch and the
    classes.
    """
    return _Local(graph, method, precision).run()


class _Local:
    def __init__(self, graph: Graph, method: str, precision: Precision) -> None:
        self.graph, self.method, self.precision = graph, method, precision
        self.blocks = self._blocks()
        self.classifier = next(iter(reversed(self.blocks)))
        self.batch, self.classes = (1, 1) if method == "forward_forward" else self._sizes()
        self.layers: list[Layer] = []
        self.forward: set[str] = set()
        self.projections: list[tuple[str, int]] = []

    def _blocks(self) -> dict[str, tuple[Layer, ...]]:
        """By contraction with stored weights, itself and the vector operators behind it."""
        found = {}
        for layer in self.graph.layers:
            if isinstance(layer.op, Op) and layer.op.tensor("weight").is_parameter:
                chain = [layer]
                while (behind := self._only_reader(chain[-1])) is not None:
                    chain.append(behind)
                found[layer.op.name] = tuple(chain)
        return found

    def _only_reader(self, layer: Layer) -> Layer | None:
        readers = self.graph.readers[layer.op.name]
        alone = len(readers) == 1 and isinstance(readers[0].op, VectorOp) and set(readers[0].inputs) == {layer.op.name}
        return readers[0] if alone and readers[0] is not self.graph.loss else None

    def _sizes(self) -> tuple[int, int]:
        op = self.blocks[self.classifier][0].op
        ends = tuple(self.graph.loss.inputs)
        if not isinstance(op, Op) or ends != (self.blocks[self.classifier][-1].op.name,):
            what = f"{self.graph.network.name} ends in {', '.join(ends)}, which is no classifier behind a contraction"
            raise BadInput(f"{what}; local losses need one; use method='backprop'")
        # Output channels are what the weight and the output share.
        channels = op.tensor("weight").dims & op.tensor("output").dims
        classes = 1
        for dim in channels:
            classes *= op.bounds[dim]
        return op.words("output") // classes, classes

    def run(self) -> LocalTraining:
        passes = ("", NEGATIVE) if self.method == "forward_forward" else ("",)
        ends = {chain[-1].op.name: name for name, chain in self.blocks.items()}
        for suffix in passes:
            for layer in self.graph.layers:
                op = replace(in_training(layer.op), name=layer.op.name + suffix)
                self._forward(op, tuple(source + suffix for source in layer.inputs))
                if layer.op.name in ends:
                    self._learn(self.blocks[ends[layer.op.name]], suffix)
        trained = {layer.op.name for chain in self.blocks.values() for layer in chain}
        left = sum(layer.op.params for layer in self.graph.layers if layer.op.name not in trained)
        left += max(0, self.graph.network.extra_params)
        notes = (f"{left:,} stored words have no loss of their own and stay as they are",) if left else ()
        return LocalTraining(tuple(self.layers), frozenset(self.forward), tuple(self.projections), notes)

    def _forward(self, op: Op | VectorOp, inputs: tuple[str, ...]) -> str:
        self.forward.add(op.name)
        return self._add(op, inputs)

    def _add(self, op: Op | VectorOp, inputs: Iterable[str]) -> str:
        self.layers.append(Layer(op, tuple(dict.fromkeys(inputs))))
        return op.name

    def _learn(self, chain: tuple[Layer, ...], suffix: str) -> None:
        """The loss behind a block and what it trains."""
        name, end = chain[0].op.name, chain[-1].op
        if self.method == "forward_forward":
            self._descend(chain, suffix, self._goodness(end, suffix))
        elif name == self.classifier:
            self._descend(chain, suffix, self._loss(end.name, end.name, value_words(end)))
        else:
            self._project(chain, name, end)

    def _goodness(self, end: Op | VectorOp, suffix: str) -> str:
        words, bits = value_words(end), self.precision.compute_bits
        source, name = end.name + suffix, f"{end.name}.goodness{suffix}"
        self._forward(VectorOp(name, "goodness", _GOODNESS * words, words, words, bits), (source,))
        gradient = VectorOp(f"{name}.dx", "goodness_gradient", _GOODNESS_GRADIENT * words, words, words, bits)
        return self._add(gradient, (source, name))

    def _loss(self, name: str, source: str, words: int) -> str:
        bits = self.precision.compute_bits
        loss = self._forward(loss_of(f"{name}.loss", words, bits), (source,))
        return self._add(loss_gradient(loss, words, bits), (source,))

    def _project(self, chain: tuple[Layer, ...], name: str, end: Op | VectorOp) -> None:
        """M, its loss and its gradient; the block's own weights in Mono-Forward."""
        features = -(-value_words(end) // self.batch)
        bits = self.precision.compute_bits
        projection = linear(f"{name}.local", n=self.batch, k=self.classes, c=features, bits=bits, bias=False)
        self.projections.append((projection.name, projection.params))
        self._forward(projection, (end.name,))
        gradient = self._loss(projection.name, projection.name, self.batch * self.classes)
        self._add(weight_gradient(projection, self.precision), (end.name, gradient))
        if self.method == "mono_forward":
            self._descend(chain, "", self._add(input_gradient(projection, self.precision), (gradient,)))

    def _descend(self, chain: tuple[Layer, ...], suffix: str, gradient: str) -> None:
        """From the gradient of the block's output to those of its stored words, and no further."""
        for layer in reversed(chain[1:]):
            op = replace(layer.op, name=layer.op.name + suffix)
            made = backward_vector(op, self.precision.compute_bits) if isinstance(op, VectorOp) else None
            if made is not None and isinstance(op, VectorOp):
                before = tuple(source + suffix for source in layer.inputs)
                kept = {"none": (), "input": before, "output": (op.name,), "index": (op.name,)}
                gradient = self._add(made, (gradient, *kept[derivative_of(op).keeps]))
        head = replace(chain[0].op, name=chain[0].op.name + suffix)
        if isinstance(head, Op):
            sources = tuple(source + suffix for source in chain[0].inputs)
            self._add(weight_gradient(head, self.precision), (*sources, gradient))
            if head.bias:
                self._add(bias_gradient(head, self.precision), (gradient,))
