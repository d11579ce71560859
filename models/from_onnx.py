"""A `Network` from an ONNX file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import contractions
from .importing import Builder, Shape, Step, Value, known, words
from .network import Network
from .onnx_file import dimensions_of, fix_dimensions, infer_shapes, read_model

if TYPE_CHECKING:
    import onnx

__all__ = ["from_onnx"]


def from_onnx(
    path_or_bytes: str | Path | bytes, *, name: str | None = None, bits: int = 8, allow_unsupported: bool = False,
    batch: int | None = None, dimensions: Mapping[str, int] | None = None,
) -> Network:
    """Import an ONNX model; only shapes are read, never the values of the weights.

    A symbolic first axis of an input becomes ``batch`` (1 if not given), other symbolic axes take their size from
    ``dimensions``. Batch norm is folded, quantisation and views cost nothing, masked attention counts as dense;
    ``bits`` is the width of every word. Layers are named by the nodes.

    Raises ImportFailure if the file is missing, empty, corrupt, of an unknown opset, or leaves a size open, and lists
    all operators that cannot be represented, each with its count and share of MACs; with ``allow_unsupported`` these
    are left out and named in ``Network.notes``.
    """
    model, origin = read_model(path_or_bytes, set(_HANDLERS))
    title = name or (model.graph.name or "onnx" if isinstance(path_or_bytes, bytes) else Path(path_or_bytes).stem)
    fix_dimensions(model, origin, batch, dimensions or {})
    model = infer_shapes(model, origin)
    builder, shapes = _builder(model, title, bits)
    for index, node in enumerate(model.graph.node):
        _visit(_Call(builder, node, index, shapes))
    return builder.finish(source=f"ONNX: {origin}", allow_unsupported=allow_unsupported)


def _builder(model: onnx.ModelProto, title: str, bits: int) -> tuple[Builder, dict[str, Shape | None]]:
    """A builder that knows the inputs and stored tensors, and every shape the graph gives."""
    graph = model.graph
    readers = Counter(name for node in graph.node for name in set(node.input) if name)
    readers.update(output.name for output in graph.output)
    builder = Builder(title, bits, readers)
    shapes = {info.name: dimensions_of(info) for info in (*graph.input, *graph.value_info, *graph.output)}
    for tensor in graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
        _store(builder, tensor.name, tensor)
    for info in graph.input:
        if info.name not in builder:
            builder.define(info.name, Value(shapes[info.name]))
    return builder, shapes


def _store(builder: Builder, key: str, tensor: onnx.TensorProto) -> None:
    """Shapes, axes and other integers are settings, and so are single numbers; the rest are parameters."""
    from onnx import TensorProto

    settings = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.STRING)
    shape = tuple(tensor.dims)
    builder.store(key, shape, parameter=tensor.data_type not in settings and words(shape) > 1)


class _Call:
    """A node with its operands and attributes."""

    def __init__(self, builder: Builder, node: onnx.NodeProto, index: int, shapes: Mapping[str, Shape | None]) -> None:
        from onnx.helper import get_attribute_value

        self.builder, self.node = builder, node
        plain = node.domain in ("", "ai.onnx")
        self.operator = node.op_type if plain else f"{node.domain}.{node.op_type}"
        self.attributes: dict[str, Any] = {item.name: get_attribute_value(item) for item in node.attribute}
        outputs = tuple((name, shapes.get(name)) for name in node.output if name)
        self.step = Step(self.operator, node.name.lstrip("/") or f"{node.op_type}_{index}", outputs)

    def value(self, index: int) -> Value | None:
        """An optional operand."""
        name = self.node.input[index] if index < len(self.node.input) else ""
        return self.builder[name] if name else None

    def operand(self, index: int) -> Value:
        """An operand the operator always has (the file was checked)."""
        return self.builder[self.node.input[index]]

    def reads(self) -> list[Value]:
        """Every operand that is present."""
        return [self.builder[name] for name in self.node.input if name]

    def rank(self, weight: Value) -> int:
        """Spatial axes of a convolution with this weight."""
        return len(known(weight, self.step)) - 2


def _visit(call: _Call) -> None:
    reads, handler = call.reads(), _HANDLERS.get(call.operator)
    if handler is None:
        call.builder.refuse(call.step, reads, _estimate(call))
    elif handler not in (_constant, _free) and all(value.constant for value in reads):
        call.builder.free(call.step, reads)
    else:
        handler(call)


def _estimate(call: _Call) -> int | None:
    """MACs of a contraction that is not supported, from its shapes."""
    if call.operator in ("LSTM", "GRU", "RNN"):
        x, w, r = (call.operand(index).shape for index in range(3))
        return None if x is None or w is None or r is None else words(x[:-1]) * (words(w) + words(r))
    return None


# -- handlers: contractions


def _convolution(x: int = 0, weight: int = 1, bias: int | None = 2) -> Callable[[_Call], None]:
    """A convolution whose operands stand at these places."""

    def handle(call: _Call) -> None:
        data, filters = call.operand(x), call.operand(weight)
        rank, step = call.rank(filters), call.step
        if rank > 2:
            macs = words(step.shape) * words(known(filters, step)[1:])
            call.builder.refuse(replace(step, kind=f"{rank}-D {step.kind}"), call.reads(), macs)
            return
        used = (x, weight, bias)
        call.builder.absorb(call.value(index) for index in range(len(call.node.input)) if index not in used)
        contractions.convolve(
            call.builder, step, data, filters, None if bias is None else call.value(bias), out=step.shape[2:],
            stride=call.attributes.get("strides", [1] * rank), dilation=call.attributes.get("dilations", [1] * rank),
            groups=call.attributes.get("group", 1))

    return handle


def _transposed(call: _Call) -> None:
    data, filters = call.operand(0), call.operand(1)
    rank, step = call.rank(filters), call.step
    dilated = any(size > 1 for size in call.attributes.get("dilations", []))
    if rank > 2 or dilated:
        macs = words(known(data, step)) * words(known(filters, step)[1:])
        kind = f"{rank}-D {step.kind}{' with dilations' if dilated else ''}"
        call.builder.refuse(replace(step, kind=kind), call.reads(), macs)
        return
    contractions.convolve(
        call.builder, step, data, filters, call.value(2), out=(), stride=call.attributes.get("strides", [1] * rank),
        dilation=(1, 1), groups=call.attributes.get("group", 1), transposed=True)


def _gemm(call: _Call) -> None:
    left, right, bias, step = call.operand(0), call.operand(1), call.value(2), call.step
    a, b = known(left, step), known(right, step)
    n, c = reversed(a) if call.attributes.get("transA", 0) else a
    k = b[0] if call.attributes.get("transB", 0) else b[1]
    if bias is None or (bias.constant and right.constant and words(known(bias, step)) == k):
        contractions.multiply(call.builder, step, left, right, g=1, n=n, k=k, c=c, bias=bias)
        return
    key = f"{step.outputs[0][0]}.product"
    contractions.multiply(call.builder, replace(step, outputs=((key, (n, k)),)), left, right, g=1, n=n, k=k, c=c)
    call.builder.elementwise(replace(step, label=f"{step.label}.add"), "add", [call.builder[key], bias])


def _matmul(left: int = 0, right: int = 1) -> Callable[[_Call], None]:
    def handle(call: _Call) -> None:
        call.builder.absorb(call.value(index) for index in range(len(call.node.input)) if index not in (left, right))
        contractions.matmul(call.builder, call.step, call.operand(left), call.operand(right))

    return handle


def _einsum(call: _Call) -> None:
    contractions.einsum(call.builder, call.step, call.attributes["equation"].decode(), call.reads())


# -- handlers: vector operators


def _free(call: _Call) -> None:
    """Only the data flows; shapes, axes, scales and zero points are settings."""
    call.builder.absorb(call.reads()[1:])
    call.builder.free(call.step, [call.operand(0)])


def _joined(call: _Call) -> None:
    call.builder.free(call.step, call.reads())


def _constant(call: _Call) -> None:
    """Known before the network runs: a stored tensor, or the shape of an activation."""
    key, shape = call.step.outputs[0]
    tensor = call.attributes.get("value")
    if call.operator == "Constant" and tensor is not None:
        _store(call.builder, key, tensor)
    else:
        call.builder.define(key, Value(shape, constant=True))


def _pointwise(kind: str) -> Callable[[_Call], None]:
    return lambda call: call.builder.elementwise(call.step, kind, call.reads())


def _first_only(kind: str, *, fuse: bool = False) -> Callable[[_Call], None]:
    """One pass over the first operand; the others are settings."""

    def handle(call: _Call) -> None:
        call.builder.absorb(call.reads()[1:])
        call.builder.vector(call.step, kind, call.reads()[:1], fuse=fuse)

    return handle


def _normalisation(kind: str) -> Callable[[_Call], None]:
    return lambda call: call.builder.vector(call.step, kind, call.reads(), written=words(call.step.shape))


def _batch_norm(call: _Call) -> None:
    x = call.operand(0)
    call.builder.normalise(call.step, x, call.reads()[1:], known(x, call.step)[1])


def _pool(call: _Call) -> None:
    """Each output word looks at a window of w: w − 1 comparisons, or w − 1 additions and a scaling."""
    window, written = math.prod(call.attributes["kernel_shape"]), words(call.step.shape)
    largest = call.operator == "MaxPool"
    operations = (max(1, window - 1) if largest else window) * written
    call.builder.vector(call.step, "max_pool" if largest else "average_pool", call.reads(), operations=operations,
                        written=written)


def _reduction(kind: str) -> Callable[[_Call], None]:
    def handle(call: _Call) -> None:
        x = call.operand(0)
        call.builder.absorb(call.reads()[1:])
        call.builder.vector(call.step, kind, [x], operations=words(known(x, call.step)))

    return handle


def _gather(call: _Call) -> None:
    """Picking one fixed position is a view; otherwise the rows that are picked are read and written."""
    data, indices = call.operand(0), call.operand(1)
    if call.operator == "Gather" and indices.constant and indices.shape is not None and words(indices.shape) == 1:
        call.builder.free(call.step, [data])
        return
    call.builder.vector(call.step, "gather", [Value(call.step.shape, (*data.sources, *indices.sources))])


def _sort(call: _Call) -> None:
    """Comparisons of a selection through a heap: the words read times its depth."""
    x, kept = call.operand(0), call.step.shape[call.attributes.get("axis", -1)]
    depth = max(1, math.ceil(math.log2(max(kept, 2))))
    call.builder.vector(call.step, "sort", [x], operations=words(known(x, call.step)) * depth)


def _names(text: str) -> Sequence[str]:
    return text.split()


_FREE = _names("""
Identity Dropout Cast CastLike Reshape Transpose Flatten Squeeze Unsqueeze Slice Split Expand DepthToSpace
SpaceToDepth QuantizeLinear DequantizeLinear
""")
_POINTWISE = _names("""
Add Sub Mul Div Pow Neg Abs Sign Exp Log Sqrt Reciprocal Sin Cos Erf Floor Ceil Round Mod Max Min Sum Mean Where
Equal Less Greater LessOrEqual GreaterOrEqual And Or Not Xor IsNaN IsInf Relu Elu Gelu Sigmoid HardSigmoid HardSwish
Tanh Softplus Softsign Mish Selu Celu
""")
_REDUCTIONS = _names("""
ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp
ArgMax ArgMin CumSum
""")

_HANDLERS: dict[str, Callable[[_Call], None]] = {
    "Conv": _convolution(), "ConvInteger": _convolution(bias=None), "QLinearConv": _convolution(0, 3, 8),
    "ConvTranspose": _transposed, "Gemm": _gemm, "MatMul": _matmul(), "MatMulInteger": _matmul(),
    "QLinearMatMul": _matmul(0, 3), "Einsum": _einsum, "BatchNormalization": _batch_norm,
    **dict.fromkeys(_FREE, _free), "Concat": _joined,
    **dict.fromkeys(("Constant", "Shape", "Size", "ConstantOfShape", "Range"), _constant),
    **{operator: _pointwise(operator.lower()) for operator in _POINTWISE},
    **dict.fromkeys(("LeakyRelu", "PRelu", "ThresholdedRelu"), _pointwise("leaky_relu")),
    "Clip": _first_only("clip", fuse=True), "Pad": _first_only("pad", fuse=True), "Trilu": _first_only("trilu"),
    "Resize": _first_only("resize"), "Upsample": _first_only("resize"), "Tile": _first_only("copy"),
    "DynamicQuantizeLinear": _first_only("quantize"),
    "Softmax": _normalisation("softmax"), "LogSoftmax": _normalisation("log_softmax"),
    "LayerNormalization": _normalisation("layer_norm"), "GroupNormalization": _normalisation("group_norm"),
    "InstanceNormalization": _normalisation("instance_norm"), "RMSNormalization": _normalisation("rms_norm"),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool), "GlobalAveragePool": _reduction("average_pool"),
    "GlobalMaxPool": _reduction("max_pool"),
    **{operator: _reduction(operator.removeprefix("Reduce").lower()) for operator in _REDUCTIONS},
    **dict.fromkeys(("Gather", "GatherElements", "GatherND"), _gather), "TopK": _sort,
    **dict.fromkeys(("ScatterND", "ScatterElements"), _pointwise("scatter")),
}
