"""`NetworkBuilder`: adds layers one after another while it tracks the shape of the tensor that flows.

The current tensor has ``batch`` samples of ``channels × height × width`` words. Sequences use the same three numbers:
features as channels, tokens as height, a width of 1. Sizes after windows follow PyTorch: ⌊(size + 2·padding −
dilation·(kernel − 1) − 1) / stride⌋ + 1. Batch norm is folded into the convolution before it, which leaves one bias
word per output channel.

What moves words: activation functions are fused into their producer. An element-wise addition of two tensors is a pass
of its own (two operands read, one written), since its second operand has to be fetched in any case and quantised
runtimes execute it as an operator. Pools, softmax and norms are passes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..errors import BadInput, UnknownName
from .network import Layer, Network
from .op import Op, Tensor, VectorOp, batched_matmul, conv2d, linear, transposed_conv2d

__all__ = ["OPERATIONS_PER_WORD", "NetworkBuilder", "Point"]

Pair = int | tuple[int, int]

# Scalar operations per word on a vector lane, a transcendental function counted as one:
OPERATIONS_PER_WORD = {
    "relu": 1,  # one maximum
    "relu6": 2,  # maximum, minimum
    "tanh": 1,
    "sigmoid": 3,  # exponential, add, divide
    "gelu": 9,  # tanh form: x³ (2), scale, add, scale, tanh, add 1, times x, halve
    "softmax": 5,  # running maximum, subtract, exp, running sum, divide
    "layer_norm": 7,  # mean, subtract, square, mean, times 1/σ, scale, shift
    "batch_norm": 2,  # scale, shift, where no convolution stands before it to fold them into
    "add": 1,
    "resize": 7,  # bilinear: four products, three sums
    "gather": 1,  # one copy
}


@dataclass(frozen=True)
class Point:
    """A place in the network to branch from: the layer ("" for the network's input) and its shape per sample.

    ``beside`` are further layers whose channels stand behind those of ``layer`` (a concatenation).
    """

    layer: str
    channels: int
    height: int
    width: int
    beside: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """Words per sample."""
        return self.channels * self.height * self.width

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that hold the tensor."""
        return (self.layer, *self.beside)


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


@lru_cache(maxsize=1024)
def _conv_tensors(stride: tuple[int, int], dilation: tuple[int, int], bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """A convolution's tensors, shared by all layers of this kind: a search builds thousands of networks."""
    return conv2d("", k=1, c=1, p=1, q=1, r=1, s=1, stride=stride, dilation=dilation, bits=bits).tensors


class NetworkBuilder:
    """Builds a `Network` layer by layer; every method that adds one returns its name and moves to its output.

    Raises `BadInput` for a batch, width or size below 1, and where a window does not fit the tensor.
    """

    def __init__(
        self, name: str, *, channels: int, height: int = 1, width: int = 1, batch: int = 1, bits: int = 8,
        source: str = "", notes: Sequence[str] = (),
    ) -> None:
        sizes = {"batch": batch, "bits": bits, "channels": channels, "height": height, "width": width}
        for what, value in sizes.items():
            if value < 1:
                raise BadInput(f"{name}: {what} is {value}; it must be at least 1")
        self.name, self.batch, self.bits = name, batch, bits
        self.source, self.notes = source, tuple(notes)
        self.here = Point("", channels, height, width)
        self._layers: list[Layer] = []
        self._points: dict[str, Point] = {}

    def resume(self, point: Point) -> None:
        """Go on from an earlier point (a second branch)."""
        self.here = point

    def after(self, layer: str) -> Point:
        """The point behind an earlier layer; raises `UnknownName` where there is none of that name."""
        if layer not in self._points:
            raise UnknownName("layer", layer, tuple(self._points))
        return self._points[layer]

    def concat(self, *points: Point) -> None:
        """Go on with the channels of all points, one behind the other; moves nothing (producers write in place).

        Raises `BadInput` where heights or widths differ.
        """
        first = points[0]
        for point in points[1:]:
            if (point.height, point.width) != (first.height, first.width):
                raise BadInput(
                    f"{self.name}: cannot concatenate '{first.layer}' of {first.height}x{first.width} and "
                    f"'{point.layer}' of {point.height}x{point.width} positions"
                )
        names = dict.fromkeys(layer for point in points for layer in point.layers)
        channels = sum(point.channels for point in points)
        self.here = Point(next(iter(names)), channels, first.height, first.width, tuple(names)[1:])

    def build(self, *, extra_params: int = 0) -> Network:
        """The network of all layers added so far."""
        return Network(self.name, tuple(self._layers), self.source, self.notes, extra_params)

    def _append(self, op: Op | VectorOp, channels: int, height: int, width: int, inputs: tuple[str, ...] | None) -> str:
        """Add an operator that reads ``inputs`` (None: the current tensor) and make its output the current tensor."""
        if inputs is None:
            inputs = self.here.layers
        self._layers.append(Layer(op, tuple(name for name in inputs if name)))
        self.here = self._points[op.name] = Point(op.name, channels, height, width)
        return op.name

    def _window(self, name: str, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = 1) -> tuple[int, int]:
        """Output height and width of a sliding window."""
        (r, s), (v, h), (a, b), (dr, ds) = _pair(kernel), _pair(stride), _pair(padding), _pair(dilation)
        if min(r, s, v, h, dr, ds) < 1 or min(a, b) < 0:
            raise BadInput(
                f"{self.name}: {name}: kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1, "
                f"padding {padding} at least 0"
            )
        rows, columns = self.here.height + 2 * a - dr * (r - 1) - 1, self.here.width + 2 * b - ds * (s - 1) - 1
        if rows < 0 or columns < 0:
            raise BadInput(
                f"{self.name}: {name}: a {r}x{s} window does not fit a {self.here.height}x{self.here.width} tensor; "
                "raise the resolution"
            )
        return rows // v + 1, columns // h + 1

    def conv(
        self, name: str, out: int, kernel: Pair, *, stride: Pair = 1, padding: Pair | None = None, groups: int = 1,
        dilation: Pair = 1, bias: bool = True, activation: str = "", kind: str = "conv2d",
    ) -> str:
        """A convolution to ``out`` channels; ``padding=None`` keeps the size at stride 1 (odd kernels)."""
        channels = self.here.channels
        if channels % groups or out % groups:
            raise BadInput(f"{self.name}: {name}: {groups} groups divide neither {channels} nor {out} channels evenly")
        (r, s), (dr, ds) = _pair(kernel), _pair(dilation)
        if padding is None:
            padding = (dr * (r - 1) // 2, ds * (s - 1) // 2)
        p, q = self._window(name, kernel, stride, padding, dilation)
        dims = (("N", self.batch), ("G", groups), ("K", out // groups), ("C", channels // groups),
                ("P", p), ("Q", q), ("R", r), ("S", s))
        tensors = _conv_tensors(_pair(stride), (dr, ds), self.bits)
        self._append(Op(name, dims, tensors, kind, out if bias else 0), out, p, q, None)
        return self.activation(activation) if activation else name

    def depthwise(
        self, name: str, kernel: Pair, *, stride: Pair = 1, padding: Pair | None = None, dilation: Pair = 1,
        bias: bool = True, activation: str = "",
    ) -> str:
        """A depthwise convolution: one filter per channel."""
        channels = self.here.channels
        return self.conv(name, channels, kernel, stride=stride, padding=padding, groups=channels, dilation=dilation,
                         bias=bias, activation=activation, kind="depthwise_conv2d")

    def transposed_conv(self, name: str, out: int, kernel: int, *, stride: int, activation: str = "") -> str:
        """A transposed convolution whose output is ``stride`` times as high and wide as its input (the rest is cut)."""
        here = self.here
        op = transposed_conv2d(name, n=self.batch, k=out, c=here.channels, h=here.height, w=here.width, r=kernel,
                               s=kernel, stride=(stride, stride), bits=self.bits)
        self._append(op, out, stride * here.height, stride * here.width, None)
        return self.activation(activation) if activation else name

    def linear(
        self, name: str, out: int, *, bias: bool = True, activation: str = "", inputs: tuple[str, ...] | None = None
    ) -> str:
        """A fully connected layer over the channels of every position (call `flatten` first to mix positions)."""
        here = self.here
        op = linear(name, n=self.batch * here.height * here.width, k=out, c=here.channels, bits=self.bits, bias=bias)
        self._append(op, out, here.height, here.width, inputs)
        return self.activation(activation) if activation else name

    def matmul(self, name: str, inputs: tuple[str, str], *, g: int, n: int, k: int, c: int) -> str:
        """``g`` products per sample of the n×c first input by the c×k second; leaves n tokens of g·k features."""
        op = batched_matmul(name, g=self.batch * g, n=n, k=k, c=c, bits=self.bits)
        return self._append(op, g * k, n, 1, inputs)

    def vector(
        self, name: str, kind: str, *, operations: int, words_in: int, point: Point, params: int = 0,
        fused: bool = False, inputs: tuple[str, ...] | None = None,
    ) -> str:
        """Any vector operator; counts are per sample, ``point`` gives the shape it leaves."""
        n = self.batch
        op = VectorOp(name, kind, n * operations, n * words_in, n * point.words, self.bits, params, fused)
        return self._append(op, point.channels, point.height, point.width, inputs)

    def elementwise(self, name: str, kind: str, *, fused: bool = False, params: int = 0) -> str:
        """An operator on every word of the current tensor; ``kind`` is a key of `OPERATIONS_PER_WORD`."""
        if kind not in OPERATIONS_PER_WORD:
            raise UnknownName("element-wise operator", kind, tuple(OPERATIONS_PER_WORD))
        words = self.here.words
        return self.vector(name, kind, operations=OPERATIONS_PER_WORD[kind] * words, words_in=words, point=self.here,
                           params=params, fused=fused)

    def activation(self, kind: str) -> str:
        """An activation function fused into the current layer; it is named after it."""
        return self.elementwise(f"{self.here.layer}.{kind}", kind, fused=True)

    def batch_norm(self, name: str, *, activation: str = "") -> str:
        """A scale and a shift per channel that fold into no convolution."""
        self.elementwise(name, "batch_norm", params=2 * self.here.channels)
        return self.activation(activation) if activation else name

    def resize(self, name: str, height: int, width: int) -> str:
        """Bilinear interpolation to another height and width."""
        point = Point(name, self.here.channels, height, width)
        operations = OPERATIONS_PER_WORD["resize"] * point.words
        return self.vector(name, "resize", operations=operations, words_in=self.here.words, point=point)

    def softmax(self, name: str) -> str:
        """A softmax along the last axis."""
        return self.elementwise(name, "softmax")

    def layer_norm(self, name: str) -> str:
        """A layer norm over the channels, with a scale and a shift word per channel."""
        return self.elementwise(name, "layer_norm", params=2 * self.here.channels)

    def add(self, name: str, other: Point, *, activation: str = "") -> str:
        """The current tensor plus that of ``other``, of the same shape."""
        here = self.here
        if here.words != other.words:
            raise BadInput(f"{self.name}: {name}: cannot add tensors of {here.words} and {other.words} words")
        operands = (*here.layers, *other.layers)
        self.vector(name, "add", operations=here.words, words_in=2 * here.words, point=here, inputs=operands)
        return self.activation(activation) if activation else name

    def max_pool(self, name: str, kernel: Pair, *, stride: Pair, padding: Pair = 0) -> str:
        """Maximum over windows: a window of w words takes w − 1 comparisons."""
        return self._pool(name, "max_pool", kernel, stride, padding)

    def average_pool(self, name: str, kernel: Pair, *, stride: Pair, padding: Pair = 0) -> str:
        """Average over windows: a window of w words takes w − 1 additions and a scaling."""
        return self._pool(name, "average_pool", kernel, stride, padding)

    def _pool(self, name: str, kind: str, kernel: Pair, stride: Pair, padding: Pair) -> str:
        r, s = _pair(kernel)
        p, q = self._window(name, kernel, stride, padding)
        point = Point(name, self.here.channels, p, q)
        per_word = max(1, r * s - 1) if kind == "max_pool" else r * s
        return self.vector(name, kind, operations=point.words * per_word, words_in=self.here.words, point=point)

    def adaptive_average_pool(self, name: str, size: int) -> str:
        """Average over size×size nearly equal windows (PyTorch's adaptive pool); adds nothing where the size fits."""
        here = self.here
        if (here.height, here.width) == (size, size):
            return here.layer
        # Output i averages the input positions ⌊i·n/size⌋ to ⌈(i+1)·n/size⌉.
        rows, columns = (
            sum(-(-(i + 1) * n // size) - i * n // size for i in range(size)) for n in (here.height, here.width)
        )
        operations = here.channels * rows * columns
        point = Point(name, here.channels, size, size)
        return self.vector(name, "average_pool", operations=operations, words_in=here.words, point=point)

    def global_average_pool(self, name: str) -> str:
        """One average per channel."""
        words, point = self.here.words, Point(name, self.here.channels, 1, 1)
        return self.vector(name, "average_pool", operations=words, words_in=words, point=point)

    def gather(self, name: str, rows: int, features: int) -> str:
        """Reads ``rows`` rows of an embedding table; only rows move, so the table counts as ``extra_params``."""
        point = Point(name, features, rows, 1)
        return self.vector(name, "gather", operations=point.words, words_in=point.words, point=point)

    def flatten(self) -> None:
        """Make all words of a sample channels; moves nothing."""
        self.here = replace(self.here, channels=self.here.words, height=1, width=1)

    def tokens(self, extra: int = 0) -> None:
        """Read the positions as a sequence of tokens, ``extra`` of them prepended (a class token); moves nothing."""
        here = self.here
        self.here = replace(here, height=here.height * here.width + extra, width=1)

    def keep_tokens(self, count: int) -> None:
        """Go on with ``count`` of the tokens (a class token, the last token); moves nothing."""
        self.here = replace(self.here, height=count, width=1)
