"""Blocks that several families share: inverted bottlenecks and transformer layers."""

from __future__ import annotations

from ...errors import BadInput
from ..builder import NetworkBuilder, Point

__all__ = ["inverted_bottleneck", "make_divisible", "multi_head_attention"]


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round to the nearest multiple of ``divisor``, never more than 10 % down (MobileNet reference implementation)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def inverted_bottleneck(
    builder: NetworkBuilder, name: str, *, kernel: int, expansion: float, out_channels: int, stride: int = 1,
    fused: bool = False, residual: bool = True, hidden: int | None = None, activation: str = "relu6",
    dilation: int = 1, group_size: int | None = None, groups: int = 1,
) -> str:
    """An inverted bottleneck (Sandler et al., CVPR 2018): expand 1×1, depthwise k×k, project 1×1 without activation.

    ``fused`` replaces expansion and depthwise by one full k×k convolution (Gupta & Akin, 2020). An expansion of 1
    leaves out the expanding layer; fused, that is a single k×k convolution with its activation. The input is added
    where ``residual`` is set, the stride is 1 and the channels agree. ``hidden`` overrides the expanded width, which
    otherwise is ``expansion`` × input channels, rounded. ``dilation`` is that of the depthwise convolution.
    ``group_size`` splits the fused convolution into groups of so many output channels, ``groups`` each 1×1 convolution
    into so many groups. Returns the last layer's name.

    Raises `BadInput` where the expanded width is no multiple of ``group_size``.
    """
    start = builder.here
    inner = hidden if hidden is not None else round(start.channels * expansion)
    expands = hidden is not None or expansion != 1
    if fused and expands:
        if group_size is not None and inner % group_size:
            raise BadInput(f"{builder.name}: {name}: {inner} channels are no multiple of the group size {group_size}")
        parts = 1 if group_size is None else inner // group_size
        builder.conv(f"{name}.fused", inner, kernel, stride=stride, groups=parts, activation=activation)
        last = builder.conv(f"{name}.project", out_channels, 1, groups=groups)
    elif fused:
        last = builder.conv(f"{name}.fused", out_channels, kernel, stride=stride, activation=activation)
    else:
        if expands:
            builder.conv(f"{name}.expand", inner, 1, groups=groups, activation=activation)
        builder.depthwise(f"{name}.depthwise", kernel, stride=stride, dilation=dilation, activation=activation)
        last = builder.conv(f"{name}.project", out_channels, 1, groups=groups)
    if residual and stride == 1 and start.channels == out_channels:
        last = builder.add(f"{name}.add", start)
    return last


def multi_head_attention(
    builder: NetworkBuilder, name: str, *, heads: int, context: int | None = None, joint_projection: bool = True,
    head_size: int | None = None,
) -> str:
    """Self-attention (Vaswani et al., 2017): projections, scores, softmax, weighted sum, output projection.

    ``context`` is the number of tokens attended to (default: those of the current tensor); where it is larger, keys and
    values of the earlier tokens are read from a cache as the second operand of the products. ``joint_projection``
    computes queries, keys and values in one layer. Scores of masked positions are computed like the others, as dense
    hardware does. The division by √d is folded into the query projection. ``head_size`` is the features of a head
    (default: those of the current tensor divided among the heads).
    """
    start = builder.here
    features, tokens = start.channels, start.height
    context = tokens if context is None else context
    size = features // heads if head_size is None else head_size
    inner = features if head_size is None else heads * head_size
    if joint_projection:
        query = key = value = builder.linear(f"{name}.qkv", 3 * inner)
    else:
        query, key, value = (_project(builder, f"{name}.{part}", start, inner) for part in ("query", "key", "value"))
    builder.matmul(f"{name}.scores", (query, key), g=heads, n=tokens, k=context, c=size)
    weights = builder.softmax(f"{name}.softmax")
    builder.matmul(f"{name}.context", (weights, value), g=heads, n=tokens, k=size, c=context)
    return builder.linear(f"{name}.output", features)


def _project(builder: NetworkBuilder, name: str, start: Point, features: int) -> str:
    builder.resume(start)
    return builder.linear(name, features)
