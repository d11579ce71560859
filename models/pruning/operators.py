"""What each operator does to the labels of channels: unite, pass on, or keep them where they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..torch_program import operator_name
from .coupling import Labels
from .flow import Call, Handler, Result, Value

__all__ = ["HANDLERS", "STORED"]

# ---- contractions


def _channels_in(call: Call, x: Value, axis: int) -> Labels:
    """The labels of an operand's channels on the axis that the operator contracts; otherwise all of it stays."""
    if x.labels is not None and x.axis == axis % len(x.shape):
        return x.labels
    call.walker.keep(x)
    return np.zeros(x.shape[axis], dtype=np.int64)


def _bias(call: Call, labels: Labels) -> None:
    bias = call.value("bias")
    if bias is not None:
        call.coupling.unite(call.walker.stored_axis(bias, 0), labels)


def _convolution(call: Call, *, transposed: bool = False) -> Result:
    """Groups of one input channel come and go with it; of larger ones, each loses the same positions."""
    x, weight = call.operand(), call.value("weight")
    if weight is None or weight.stored is None:
        return call.unknown()
    groups, rank = int(call.arguments["groups"]), len(weight.shape)
    axis = len(x.shape) - rank + 1
    inside = _channels_in(call, x, axis)
    rows, columns = (call.walker.stored_axis(weight, at) for at in (0, 1))
    made, read = (columns, rows) if transposed else (rows, columns)
    if groups == 1:
        call.coupling.unite(read, inside)
    elif transposed:
        call.walker.makers[weight.stored, 0] = _layer(call, weight.stored)
        return _grouped_transposed(call, axis, groups, inside, rows, columns)
    elif weight.shape[1] == 1:
        call.coupling.unite(rows, np.repeat(inside, len(rows) // groups))
    else:
        call.coupling.unite(np.tile(columns, groups), inside)
        call.coupling.unite(np.tile(rows[: len(rows) // groups], groups), rows)
    _bias(call, made)
    call.walker.makers[weight.stored, 1 if transposed else 0] = _layer(call, weight.stored)
    return call.along(axis, made)


def _grouped_transposed(call: Call, axis: int, groups: int, inside: Labels, rows: Labels, columns: Labels) -> Result:
    """Depthwise with one output a channel goes with its channel; other groups stay as they are."""
    call.coupling.unite(rows, inside)
    if len(rows) == groups and len(columns) == 1:
        _bias(call, rows)
        return call.along(axis, rows)
    call.coupling.keep(rows)
    return call.plain()


def _transposed(call: Call) -> Result:
    return _convolution(call, transposed=True)


def _linear(call: Call) -> Result:
    x, weight = call.operand(), call.value("weight")
    if weight is None or weight.stored is None or len(weight.shape) != 2:
        return call.unknown()
    call.coupling.unite(call.walker.stored_axis(weight, 1), _channels_in(call, x, -1))
    rows = call.walker.stored_axis(weight, 0)
    _bias(call, rows)
    call.walker.makers[weight.stored, 0] = _layer(call, weight.stored)
    return call.along(len(call.shape) - 1, rows)


def _embedding(call: Call) -> Result:
    weight = call.value("weight")
    if weight is None or weight.stored is None:
        return call.unknown()
    call.coupling.keep(call.walker.stored_axis(weight, 0))
    return call.along(len(call.shape) - 1, call.walker.stored_axis(weight, 1))


def _layer(call: Call, stored: str) -> str:
    """A layer's name as `from_torch` gives it."""
    return stored.removesuffix("weight").rstrip("._") or operator_name(call.node)


# ---- operators channel by channel


def _same(call: Call) -> Result:
    return replace(call.operand(), stored=None)


def _norm(call: Call) -> Result:
    """Batch norm: each channel by itself, with what is stored for it."""
    x = call.operand()
    labels = _channels_in(call, x, 1)
    for name in ("weight", "bias", "running_mean", "running_var"):
        value = call.value(name)
        if value is not None:
            call.coupling.unite(call.walker.stored_axis(value, 0), labels)
    result = Value(x.shape, x.axis if x.axis == 1 else None, labels if x.axis == 1 else None)
    return (result, Value(()), Value(())) if isinstance(call.node.meta.get("val"), tuple | list) else result


def _prelu(call: Call) -> Result:
    x, weight = call.operand(), call.value("weight")
    if weight is not None and math.prod(weight.shape) > 1:
        call.coupling.unite(call.walker.stored_axis(weight, 0), _channels_in(call, x, 1))
    return replace(x, stored=None)


def _elementwise(call: Call) -> Result:
    """Operands position by position; one that is a single word wide where the other has channels stays that wide."""
    result = Value(call.shape)
    for value in sorted(call.walker.reads(call.node), key=lambda value: value.labels is None):
        result = _joined(call, result, value)
    return result


def _joined(call: Call, one: Value, other: Value) -> Value:
    """``one``, which has the result's axes, with an operand aligned to it from behind."""
    lead = len(one.shape) - len(other.shape)
    labels, axis = other.labels, None if other.axis is None else other.axis + lead
    if one.axis is None and labels is not None and axis is not None:
        if other.shape[axis - lead] == one.shape[axis]:
            return Value(one.shape, axis, labels)
        call.coupling.keep(labels)
        return one
    if one.labels is None or one.axis is None:
        call.walker.keep_stored(other)
        return one
    at = one.axis - lead
    if at < 0 or other.shape[at] == 1:  # the same for all channels
        call.walker.keep(other)
        return one
    if other.stored is not None:
        call.coupling.unite(one.labels, call.walker.stored_axis(other, at))
    elif axis == one.axis and labels is not None:
        call.coupling.unite(one.labels, labels)
    else:
        call.coupling.keep(one.labels)
        call.walker.keep(other)
    return one


def _resized(call: Call) -> Result:
    """Windows, interpolation and padding: channels stay what they are if only other axes change their size."""
    x = call.operand()
    val: Any = call.node.meta.get("val")
    shapes = [tuple(int(n) for n in part.shape) for part in (val if isinstance(val, tuple | list) else [val])]
    results = []
    for shape in shapes:
        if x.axis is not None and (len(shape) != len(x.shape) or shape[x.axis] != x.shape[x.axis]):
            call.walker.keep(x)
            x = replace(x, axis=None, labels=None)
        results.append(Value(shape, x.axis, x.labels))
    return tuple(results) if isinstance(val, tuple | list) else results[0]


def _reduced(call: Call) -> Result:
    """Sums and means over other axes than the channels'."""
    x = call.operand()
    axes = call.dims("dim", len(x.shape)) or list(range(len(x.shape)))
    if x.axis is None or x.axis in axes:
        call.walker.keep(x)
        return call.plain()
    left = sum(1 for axis in axes if axis < x.axis) if not call.arguments.get("keepdim") else 0
    return Value(call.shape, x.axis - left, x.labels)


def _softmax(call: Call) -> Result:
    x = call.operand()
    if x.axis is not None and x.axis in call.dims("dim", len(x.shape)):
        call.walker.keep(x)
    return replace(x, stored=None)


# ---- operators that move words


def _permuted(call: Call) -> Result:
    """Whatever permutes axes is tried on a tensor of the same rank whose axes' sizes are their numbers."""
    import torch

    x = call.operand()
    if x.axis is None:
        return call.plain()
    probe = torch.empty(tuple(range(1, len(x.shape) + 1)), device="meta")
    arguments = [probe if one is call.node.args[0] else one for one in call.node.args]
    target: Any = call.node.target
    order = tuple(target(*arguments, **call.node.kwargs).shape)
    return Value(call.shape, order.index(x.axis + 1), x.labels)


def _reshaped(call: Call) -> Result:
    """Axes may be merged; channels that would lie along two axes stay, since code states such sizes."""
    x, shape = call.operand(), call.shape
    if x.axis is None or x.labels is None:
        return call.plain()
    before, behind = math.prod(x.shape[: x.axis]), math.prod(x.shape[x.axis + 1 :])
    for axis in range(len(shape)):
        outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        if before % outer == 0 and behind % inner == 0:
            labels = np.tile(np.repeat(x.labels, behind // inner), before // outer)
            if len(labels) == shape[axis]:
                return Value(shape, axis, labels)
    return call.unknown()


def _expanded(call: Call) -> Result:
    x, shape = call.operand(), call.shape
    lead = len(shape) - len(x.shape)
    if x.axis is None or shape[x.axis + lead] != x.shape[x.axis]:
        return call.unknown()
    return Value(shape, x.axis + lead, x.labels)


def _concatenated(call: Call) -> Result:
    """Along the channels, labels stand one behind the other; along another axis, parts share their channels."""
    parts = [found for node in call.arguments["tensors"] if isinstance(found := call.walker.values[node.name], Value)]
    parts = [part for part in parts if part.shape != (0,)]
    axis = call.dims("dim", len(call.shape))[0]
    held = {part.axis for part in parts if part.axis is not None}
    if len(held) != 1:
        return call.unknown()
    [where] = held
    labels = [_part_labels(call, part, where) for part in parts]
    if where == axis:
        return call.along(axis, np.concatenate(labels))
    for other in labels[1:]:
        call.coupling.unite(labels[0], other)
    return call.along(where, labels[0])


def _part_labels(call: Call, part: Value, axis: int) -> Labels:
    if part.labels is not None:
        return part.labels
    return call.walker.stored_axis(part, axis)


def _cut(call: Call) -> Result:
    """Cut along another axis than the channels'; along theirs, they stay, since code states where it cuts."""
    x = call.operand()
    if x.axis is None or x.axis in (call.dims("dim", len(x.shape)) or [0]):
        return call.unknown()
    val: Any = call.node.meta.get("val")
    if isinstance(val, tuple | list):
        return tuple(Value(tuple(int(n) for n in part.shape), x.axis, x.labels) for part in val)
    return Value(call.shape, x.axis, x.labels)


def _halved(call: Call) -> Result:
    """Equal parts along the channels (a chunk looks like a split by size) lose the same positions each."""
    x = call.operand()
    axis = call.dims("dim", len(x.shape))[0]
    val: Any = call.node.meta.get("val")
    count = len(val) if isinstance(val, tuple | list) else 2
    if x.axis is None or x.labels is None or x.axis != axis:
        return _cut(call)
    if x.labels.size % count:
        return call.unknown()
    parts = np.split(x.labels, count)
    for part in parts[1:]:
        call.coupling.unite(parts[0], part)
    results = [Value((*x.shape[:axis], len(part), *x.shape[axis + 1 :]), axis, part) for part in parts]
    return tuple(results) if isinstance(val, tuple | list) else results[0]


def _picked(call: Call) -> Result:
    """One axis less: by a fixed index."""
    x = call.operand()
    [gone] = call.dims("dim", len(x.shape)) or [0]
    if x.axis is None or x.axis == gone:
        return call.unknown()
    return Value(call.shape, x.axis - (gone < x.axis), x.labels)


def _item(call: Call) -> Result:
    """One of several results."""
    source, index = call.node.args[0], call.node.args[1]
    value = call.walker.values.get(getattr(source, "name", ""), ())
    return value[index] if isinstance(value, tuple) and isinstance(index, int) and value else call.unknown()


def _shuffled(call: Call) -> Result:
    """Channels dealt out over groups: groups lose the same positions each, so that the deal stays even."""
    x, groups = call.operand(), int(call.arguments["groups"])
    if x.axis is None or x.labels is None:
        return call.plain()
    dealt = x.labels.reshape(groups, -1)
    for group in dealt[1:]:
        call.coupling.unite(dealt[0], group)
    return Value(call.shape, x.axis, dealt.T.ravel())


def _names(text: str) -> list[str]:
    return text.split()


STORED = (_convolution, _transposed, _linear, _embedding, _norm, _prelu, _elementwise, _concatenated)
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_names("conv1d conv2d"), _convolution),
    **dict.fromkeys(_names("conv_transpose1d conv_transpose2d"), _transposed),
    "linear": _linear,
    "embedding": _embedding,
    **dict.fromkeys(_names("batch_norm _native_batch_norm_legit_no_training native_batch_norm"), _norm),
    "prelu": _prelu,
    **dict.fromkeys(
        _names("""
        relu relu6 leaky_relu elu gelu silu sigmoid tanh hardsigmoid hardswish hardtanh mish softplus selu celu
        logsigmoid softsign hardshrink softshrink neg abs exp log sqrt rsqrt square sin cos erf clamp clamp_min
        clamp_max dropout feature_dropout alpha_dropout native_dropout alias clone contiguous detach detach_ to
        _to_copy type_as lift_fresh_copy
        """),
        _same,
    ),
    **dict.fromkeys(_names("add sub mul div maximum minimum pow rsub"), _elementwise),
    **dict.fromkeys(
        _names("""
        max_pool1d max_pool2d max_pool2d_with_indices avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d
        adaptive_max_pool1d adaptive_max_pool2d upsample_nearest1d upsample_nearest2d _upsample_nearest_exact1d
        _upsample_nearest_exact2d upsample_linear1d upsample_bilinear2d upsample_bicubic2d pad constant_pad_nd
        reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
        """),
        _resized,
    ),
    **dict.fromkeys(_names("mean sum amax amin"), _reduced),
    **dict.fromkeys(_names("softmax _softmax log_softmax _log_softmax"), _softmax),
    **dict.fromkeys(_names("permute transpose t mT numpy_T movedim swapaxes"), _permuted),
    **dict.fromkeys(_names("view _unsafe_view reshape view_as flatten unflatten squeeze unsqueeze"), _reshaped),
    **dict.fromkeys(_names("expand expand_as"), _expanded),
    **dict.fromkeys(_names("cat concat concatenate"), _concatenated),
    **dict.fromkeys(_names("slice narrow split_with_sizes tensor_split"), _cut),
    **dict.fromkeys(_names("chunk split glu"), _halved),
    "select": _picked,
    "getitem": _item,
    **dict.fromkeys(_names("channel_shuffle native_channel_shuffle"), _shuffled),
}
