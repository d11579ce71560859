"""A `Network` from a torch module, through `torch.export`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BadInput
from . import contractions
from .importing import Builder, Step, Value, words
from .network import Network
from .torch_program import call_arguments, export, operator_name, shape_of, weight_patterns
from .transforms import with_patterns

if TYPE_CHECKING:
    import torch

__all__ = ["described", "from_torch"]

Zeros = Literal["ignore", "count", "measure"]


def from_torch(
    module: torch.nn.Module, example_inputs: Sequence[Any], *, name: str | None = None, bits: int = 8,
    allow_unsupported: bool = False, zeros: Zeros = "ignore",
) -> Network:
    """Import ``module`` as it runs, in evaluation mode, on ``example_inputs`` (their shapes fix every bound).

    Layers are named by the module path. Batch norm is folded (a convolution or linear layer keeps its weights and one
    bias per channel); views, casts, dropout and concatenation cost nothing; masked attention counts as dense. ``bits``
    is the width of every word. The module is left as it was.

    ``zeros`` says what becomes of zeros among stored weights: "ignore" takes all weights as dense, "count" keeps their
    share, "measure" also their places (a `Measured` mask of one bit a word).

    Raises ImportFailure if the module cannot be exported, or lists all operators that cannot be represented, each
    with its count and share of MACs; with ``allow_unsupported`` these are left out and named in ``Network.notes``.
    BadInput for weights that are all zero where zeros are looked at.
    """
    if zeros not in ("ignore", "count", "measure"):
        raise BadInput(f"zeros is '{zeros}'; use 'ignore', 'count' or 'measure'")
    title = name or type(module).__name__
    program = export(module, tuple(example_inputs), title)
    builder = described(program, title, bits)
    network = builder.finish(source=f"torch.export of {type(module).__module__}.{type(module).__qualname__}",
                             allow_unsupported=allow_unsupported)
    return network if zeros == "ignore" else with_patterns(
        network, weight_patterns(program, builder.weights(), network, places=zeros == "measure"))


def described(program: torch.export.ExportedProgram, title: str, bits: int) -> Builder:
    """What every node of the graph costs."""
    builder = Builder(title, bits, {node.name: len(node.users) for node in program.graph.nodes})
    _declare(builder, program)
    for node in program.graph.nodes:
        if node.op == "call_function":
            _visit(_Call(builder, node))
        elif node.op == "get_attr":
            builder.refuse(Step(f"subgraph '{node.target}'", node.name, ((node.name, None),)), [])
    return builder


# -- graph


def _declare(builder: Builder, program: torch.export.ExportedProgram) -> None:
    """Inputs, parameters and buffers, the last two under their placeholders' names."""
    from torch.export.graph_signature import InputKind

    specs = {getattr(spec.arg, "name", ""): spec for spec in program.graph_signature.input_specs}
    unused = []
    for node in program.graph.nodes:
        if node.op != "placeholder":
            continue
        kind, shape = specs[node.name].kind, shape_of(node)
        if kind == InputKind.USER_INPUT or shape is None:
            builder.define(node.name, Value(shape))
            continue
        builder.store(node.name, shape, parameter=kind == InputKind.PARAMETER)
        node.meta["stored_as"] = specs[node.name].target
        if kind == InputKind.PARAMETER and not node.users:
            unused.append(str(specs[node.name].target))
    if unused:
        builder.notes.append(f"parameters the example inputs do not reach are not counted: {', '.join(unused)}")


# -- one call of the graph


class _Call:
    """A node with its arguments under the names of the operator's schema."""

    def __init__(self, builder: Builder, node: torch.fx.Node) -> None:
        self.builder, self.node, self.operator = builder, node, operator_name(node)
        self.arguments = call_arguments(node)

    def value(self, name: str) -> Value | None:
        """The tensor argument of this name, or None where it is absent."""
        node: Any = self.arguments.get(name)
        return self.builder[node.name] if hasattr(node, "name") else None

    def tensor(self, *names: str) -> Value:
        """The first of these tensor arguments that is present; the schema guarantees one."""
        return next(value for value in map(self.value, names) if value is not None)

    def reads(self) -> list[Value]:
        """Every tensor argument, in order, lists included."""
        return [self.builder[node.name] for node in self.node.all_input_nodes]

    def reads_of(self, name: str) -> list[Value]:
        """The tensors of a list argument, repetitions included."""
        return [self.builder[node.name] for node in self.arguments[name]]

    def words_out(self) -> int:
        """Words of the result; of several results, of all."""
        val: Any = self.node.meta.get("val")
        parts: Sequence[Any] = val if isinstance(val, (tuple, list)) else [val]
        return sum(words(tuple(part.shape)) for part in parts if hasattr(part, "shape"))

    def step(self, weight: str | None = None) -> Step:
        """What the builder needs; the layer is named after the stored ``weight``'s place where there is one."""
        return Step(self.operator, self._label(weight), ((self.node.name, shape_of(self.node)),))

    def _label(self, weight: str | None) -> str:
        node: Any = self.arguments.get(weight) if weight else None
        while hasattr(node, "op") and node.op != "placeholder" and len(node.all_input_nodes) == 1:
            node = node.all_input_nodes[0]
        stored = node.meta.get("stored_as") if hasattr(node, "meta") else None
        if stored:
            return str(stored).removesuffix("weight").rstrip("._") or self.operator
        path, kind = next(reversed((self.node.meta.get("nn_module_stack") or {"": ("", "")}).values()))
        leaf = bool(path) and str(kind).startswith("torch.nn.modules.")
        operator = _SHORT.get(self.operator, self.operator.strip("_"))
        return str(path) if leaf and not str(kind).endswith(_CONTAINERS) else f"{path}.{operator}".lstrip(".")


# Modules of torch.nn that hold several operators: a layer inside is named after its operator too.
_CONTAINERS = ("Sequential", "ModuleList", "MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer",
               "TransformerEncoder", "TransformerDecoder", "Transformer")
_SHORT = {"scaled_dot_product_attention": "attention"}


def _visit(call: _Call) -> None:
    reads = call.reads()
    handler = _HANDLERS.get(call.operator)
    if all(value.constant for value in reads):  # weights reshaped, masks and positions made on the way
        call.builder.free(call.step(), reads)
    elif handler is None:
        call.builder.refuse(call.step(), reads, _estimate(call))
    else:
        handler(call)


def _estimate(call: _Call) -> int | None:
    """MACs of a contraction that is not supported, from its shapes."""
    operator = call.operator
    if operator in ("conv3d", "conv_transpose3d", "convolution"):
        filters = call.tensor("weight").shape or ()
        base = call.tensor("input").shape if "transpose" in operator else shape_of(call.node)
        return words(base or ()) * words(filters[1:])
    if operator in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        steps = words((call.tensor("input", "data").shape or ())[:-1])
        weights = [call.builder[node.name].shape or () for node in call.arguments["params"]]
        return steps * sum(words(shape) for shape in weights if len(shape) == 2)
    if operator in ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"):
        rows = words((call.tensor("input").shape or ())[:-1])
        return rows * sum(words(call.tensor(name).shape or ()) for name in ("w_ih", "w_hh"))
    return None


# -- handlers: contractions


def _convolution(call: _Call) -> None:
    contractions.convolve(
        call.builder, call.step("weight"), call.tensor("input"), call.tensor("weight"), call.value("bias"),
        out=(shape_of(call.node) or ())[2 - _shift(call):], stride=call.arguments["stride"],
        dilation=call.arguments["dilation"], groups=call.arguments["groups"])


def _shift(call: _Call) -> int:
    """1 where the batch axis is missing."""
    return len(call.tensor("weight").shape or ()) - len(call.tensor("input").shape or ())


def _transposed(call: _Call) -> None:
    if any(step > 1 for step in call.arguments["dilation"]):
        macs = words(call.tensor("input").shape or ()) * words((call.tensor("weight").shape or ())[1:])
        step = call.step("weight")
        call.builder.refuse(Step(f"{step.kind} with dilation", step.label, step.outputs), call.reads(), macs)
        return
    contractions.convolve(
        call.builder, call.step("weight"), call.tensor("input"), call.tensor("weight"), call.value("bias"), out=(),
        stride=call.arguments["stride"], dilation=(1, 1), groups=call.arguments["groups"], transposed=True)


def _linear(call: _Call) -> None:
    x, weight, bias = call.tensor("input"), call.tensor("weight"), call.value("bias")
    k, c = weight.shape or (0, 0)
    rows = words((x.shape or ())[:-1])
    contractions.multiply(call.builder, call.step("weight"), x, weight, g=1, n=rows, k=k, c=c, bias=bias, axes="GKC")


def _matmul(call: _Call) -> None:
    second = next(name for name in ("mat2", "other", "vec", "tensor") if name in call.arguments)
    left, right = call.tensor("self"), call.tensor(second)
    stored = "self" if left.constant and not right.constant else second
    contractions.matmul(call.builder, call.step(stored), left, right)


def _addmm(call: _Call) -> None:
    """``addmm`` and ``baddbmm``: a stored bias per column belongs to the product, anything else is an addition."""
    names = ("mat1", "mat2") if "mat1" in call.arguments else ("batch1", "batch2")
    left, right, bias = call.tensor(names[0]), call.tensor(names[1]), call.tensor("self")
    step = call.step(names[1])
    if bias.constant and right.constant and bias.shape == (right.shape or ())[-1:]:
        contractions.matmul(call.builder, step, left, right, bias)
        return
    key = f"{call.node.name}.product"
    contractions.matmul(call.builder, Step(step.kind, step.label, ((key, shape_of(call.node)),)), left, right)
    call.builder.elementwise(Step(step.kind, f"{step.label}.add", step.outputs), "add", [call.builder[key], bias])


def _einsum(call: _Call) -> None:
    contractions.einsum(call.builder, call.step(), str(call.arguments["equation"]), call.reads_of("tensors"))


def _attention(call: _Call) -> None:
    contractions.attend(call.builder, call.step(), call.tensor("query"), call.tensor("key"), call.tensor("value"),
                        call.value("attn_mask"))


# -- handlers: vector operators


def _free(call: _Call) -> None:
    call.builder.free(call.step(), call.reads())


def _pointwise(kind: str) -> Callable[[_Call], None]:
    return lambda call: call.builder.elementwise(call.step(), kind, call.reads())


def _batch_norm(call: _Call) -> None:
    x = call.tensor("input")
    shape = x.shape or ()
    statistics = [call.value(name) for name in ("weight", "bias", "running_mean", "running_var")]
    step = call.step()
    step = Step(step.kind, step.label, ((call.node.name, shape),))
    call.builder.normalise(step, x, statistics, shape[1] if len(shape) > 1 else shape[0])


def _normalisation(kind: str) -> Callable[[_Call], None]:
    return lambda call: call.builder.vector(call.step(), kind, call.reads())


def _pool(call: _Call) -> None:
    """Each output word looks at a window of w: w − 1 comparisons, or w − 1 additions and a scaling."""
    kernel = call.arguments["kernel_size"]
    rank = 1 if "1d" in call.operator else 2
    window = math.prod(kernel if len(kernel) == rank else kernel * rank)
    shape = shape_of(call.node) or tuple(call.node.meta["val"][0].shape)  # with indices: the values' shape
    largest = "max" in call.operator
    operations = (max(1, window - 1) if largest else window) * words(shape)
    call.builder.vector(call.step(), "max_pool" if largest else "average_pool", call.reads(), operations=operations,
                        written=words(shape))


def _adaptive_average(call: _Call) -> None:
    """Nothing to do where the size fits already."""
    same = shape_of(call.node) == call.tensor("self").shape
    (_free if same else _reduction("average_pool"))(call)


def _reduction(kind: str) -> Callable[[_Call], None]:
    def handle(call: _Call) -> None:
        read = words(call.tensor("self").shape or ())
        call.builder.vector(call.step(), kind, call.reads(), operations=max(read, call.words_out()),
                            written=call.words_out())
    return handle


def _movement(kind: str) -> Callable[[_Call], None]:
    """One operation per word written."""
    return lambda call: call.builder.vector(call.step("weight"), kind, call.reads(), operations=call.words_out(),
                                            written=call.words_out())


def _gather(call: _Call) -> None:
    """Only the rows that are picked are read; a table counts into the network's parameters, not the operator's."""
    sources = tuple(dict.fromkeys(source for value in call.reads() for source in value.sources))
    call.builder.vector(call.step("weight"), "gather", [Value(shape_of(call.node), sources)])


def _sort(call: _Call) -> None:
    """Comparisons of a selection through a heap or a merge: the words read times the depth."""
    shape = call.tensor("self").shape or (1,)
    kept = call.arguments.get("k", shape[call.arguments.get("dim", -1)])
    depth = max(1, math.ceil(math.log2(max(kept, 2))))
    call.builder.vector(call.step(), "sort", call.reads(), operations=words(shape) * depth, written=call.words_out())


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FREE = _names("""
getitem alias clone contiguous detach detach_ dropout feature_dropout alpha_dropout native_dropout to _to_copy
type_as lift_fresh_copy view _unsafe_view reshape view_as flatten unflatten permute transpose t mT numpy_T movedim
swapaxes expand expand_as slice select narrow unbind split split_with_sizes chunk tensor_split squeeze unsqueeze cat
concat concatenate stack hstack vstack unfold diagonal pixel_shuffle pixel_unshuffle channel_shuffle slice_scatter
select_scatter copy as_strided view_as_complex view_as_real zeros_like ones_like empty_like full_like new_zeros
new_ones new_full new_empty _assert_tensor_metadata lift_fresh native_channel_shuffle
""")
_POINTWISE = _names("""
add sub rsub mul div pow neg abs sign exp log log1p log2 expm1 sqrt rsqrt reciprocal square sin cos erf floor ceil
round trunc remainder fmod maximum minimum where masked_fill tril triu clamp clamp_min clamp_max eq ne lt le gt ge
logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not isnan isinf lerp addcmul addcdiv
floor_divide atan2 floor_
""")
_ACTIVATIONS = _names("""
relu relu6 leaky_relu elu gelu silu sigmoid tanh hardsigmoid hardswish mish softplus selu celu logsigmoid glu
softsign hardshrink softshrink
""")
_PADS = _names("pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d")
_RESIZE = _names("""
upsample_nearest1d upsample_nearest2d _upsample_nearest_exact1d _upsample_nearest_exact2d upsample_linear1d
upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa
""")
_REDUCTIONS = _names("""
mean sum amax amin max min prod argmax argmin any all var std norm linalg_vector_norm logsumexp cumsum cumprod
var_mean std_mean count_nonzero
""")

_HANDLERS: dict[str, Callable[[_Call], None]] = {
    **dict.fromkeys(_FREE, _free),
    **{operator: _pointwise(operator) for operator in (*_POINTWISE, *_ACTIVATIONS)},
    **dict.fromkeys(("conv1d", "conv2d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _transposed),
    "linear": _linear, **dict.fromkeys(("mm", "bmm", "matmul", "mv", "dot"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm"), _addmm), "einsum": _einsum, "scaled_dot_product_attention": _attention,
    "hardtanh": _pointwise("clip"), "prelu": _pointwise("leaky_relu"), "__and__": _pointwise("bitwise_and"),
    "__or__": _pointwise("bitwise_or"),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training", "native_batch_norm"), _batch_norm),
    **{kind: _normalisation(kind) for kind in ("layer_norm", "group_norm", "rms_norm", "instance_norm")},
    **dict.fromkeys(("softmax", "_softmax", "_safe_softmax"), _normalisation("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _normalisation("log_softmax")),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "avg_pool1d", "avg_pool2d"), _pool),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d"), _adaptive_average),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), _reduction("max_pool")),
    **{operator: _reduction(operator) for operator in _REDUCTIONS},
    **dict.fromkeys(("embedding", "index_select", "gather", "index", "take_along_dim"), _gather),
    **dict.fromkeys(("scatter", "scatter_add", "index_put", "index_add", "index_copy"), _movement("scatter")),
    **dict.fromkeys(("roll", "flip", "repeat", "tile", "repeat_interleave", "im2col"), _movement("copy")),
    **dict.fromkeys(_PADS, _pointwise("pad")), **dict.fromkeys(_RESIZE, _movement("resize")),
    **dict.fromkeys(("topk", "sort", "argsort"), _sort),
}
