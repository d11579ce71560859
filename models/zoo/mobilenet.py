"""MobileNetV2, MobileNetEdgeTPU, and any network of inverted bottlenecks.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018 (arXiv:1801.04381), Table 2.
Howard & Gupta, "Introducing the Next Generation of On-Device Vision Models: MobileNetV3 and MobileNetEdgeTPU", Google
AI blog, 2019; layers as published in tensorflow/models, research/slim/nets/mobilenet/mobilenet_v3.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import BadInput
from ..builder import NetworkBuilder
from ..network import Network
from .blocks import inverted_bottleneck, make_divisible

__all__ = [
    "MOBILENET_EDGETPU_BLOCKS", "MOBILENET_V2_BLOCKS", "IbnBlock", "ibn_body", "ibn_network", "mobilenet_edgetpu",
    "mobilenet_v2",
]


@dataclass(frozen=True)
class IbnBlock:
    """One inverted bottleneck; ``out_channels`` at width 1, ``hidden`` overrides expansion × input channels.

    ``groups`` is that of its 1×1 convolutions.
    """

    kernel: int
    expansion: float
    out_channels: int
    stride: int = 1
    fused: bool = False
    residual: bool = True
    hidden: int | None = None
    groups: int = 1


def ibn_network(
    name: str, blocks: Sequence[IbnBlock], *, resolution: int = 224, width: float = 1.0, stem: int = 32,
    head: int = 1280, classes: int = 1000, batch: int = 1, bits: int = 8, activation: str = "relu6",
    scale_stem: bool = True, source: str = "", notes: Sequence[str] = (),
) -> Network:
    """A 3×3 stride-2 stem, the blocks, a 1×1 head, average pooling and a classifier.

    Channels are scaled by ``width`` and rounded to multiples of 8; the head only grows (width above 1), as in
    MobileNetV2. ``scale_stem=False`` leaves stem and head as given. Raises `BadInput` for a batch or resolution below 1
    and a width not above 0.
    """
    if not width > 0:
        raise BadInput(f"{name}: width is {width}; it must be above 0")
    builder = NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits, source=source, notes=notes
    )
    if scale_stem:
        stem, head = make_divisible(stem * width), make_divisible(head * max(1.0, width))
    ibn_body(builder, blocks, width=width, stem=stem, activation=activation)
    builder.conv("head", head, 1, activation=activation)
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()


def ibn_body(
    builder: NetworkBuilder, blocks: Sequence[IbnBlock], *, width: float = 1.0, stem: int | None = None,
    activation: str = "relu6", dilations: Mapping[int, int] | None = None,
) -> None:
    """Stem and blocks alone, for networks that put something else behind them; blocks are named ``block0`` ….

    ``stem`` is the stem's width (default: 32 scaled by ``width``); ``dilations`` spreads the depthwise filters of the
    blocks it names.
    """
    stem = make_divisible(32 * width) if stem is None else stem
    builder.conv("stem", stem, 3, stride=2, padding=1, activation=activation)
    for index, block in enumerate(blocks):
        inverted_bottleneck(
            builder, f"block{index}", kernel=block.kernel, expansion=block.expansion,
            out_channels=make_divisible(block.out_channels * width), stride=block.stride, fused=block.fused,
            residual=block.residual, hidden=block.hidden, activation=activation,
            dilation=(dilations or {}).get(index, 1), groups=block.groups,
        )


def _stage(
    kernel: int, expansion: float, out: int, repeats: int, stride: int, fused: bool = False
) -> tuple[IbnBlock, ...]:
    first = IbnBlock(kernel, expansion, out, stride, fused)
    return (first, *(IbnBlock(kernel, expansion, out, 1, fused) for _ in range(repeats - 1)))


MOBILENET_V2_BLOCKS: tuple[IbnBlock, ...] = (
    *_stage(3, 1, 16, 1, 1),
    *_stage(3, 6, 24, 2, 2),
    *_stage(3, 6, 32, 3, 2),
    *_stage(3, 6, 64, 4, 2),
    *_stage(3, 6, 96, 3, 1),
    *_stage(3, 6, 160, 3, 2),
    *_stage(3, 6, 320, 1, 1),
)


def mobilenet_v2(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8,
) -> Network:
    """MobileNetV2 at any width multiplier and resolution."""
    return ibn_network(
        "mobilenet_v2", MOBILENET_V2_BLOCKS, resolution=resolution, width=width, classes=classes, batch=batch,
        bits=bits,
        source="Sandler et al., CVPR 2018, arXiv:1801.04381, Table 2",
    )


# The first stage of the reference has an expansion of 1, which leaves of its fused block only the 1×1 projection.
MOBILENET_EDGETPU_BLOCKS: tuple[IbnBlock, ...] = (
    IbnBlock(1, 1, 16, fused=True),
    IbnBlock(3, 8, 32, 2, fused=True), *_stage(3, 4, 32, 3, 1, fused=True),
    IbnBlock(3, 8, 48, 2, fused=True), *_stage(3, 4, 48, 3, 1, fused=True),
    IbnBlock(3, 8, 96, 2), *_stage(3, 4, 96, 3, 1),
    IbnBlock(3, 8, 96, residual=False), *_stage(3, 4, 96, 3, 1),
    IbnBlock(5, 8, 160, 2), *_stage(5, 4, 160, 3, 1),
    IbnBlock(3, 8, 192),
)


def mobilenet_edgetpu(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1001, batch: int = 1, bits: int = 8,
) -> Network:
    """MobileNetEdgeTPU: fused bottlenecks early, depthwise ones late, ReLU; 1001 classes (one is the background)."""
    return ibn_network(
        "mobilenet_edgetpu", MOBILENET_EDGETPU_BLOCKS, resolution=resolution, width=width, classes=classes, batch=batch,
        bits=bits, activation="relu",
        source="tensorflow/models, research/slim/nets/mobilenet/mobilenet_v3.py (V3_EDGETPU)",
    )
