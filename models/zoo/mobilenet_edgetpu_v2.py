"""MobileNetEdgeTPUv2: inverted bottlenecks whose expansion is a full, a grouped or a depthwise convolution.

Layers as published in tensorflow/models, official/projects/edgetpu/vision/modeling/mobilenet_edgetpu_v2_model_blocks.py
(the default topology with the widths and overrides of each size).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UnknownName
from ..builder import NetworkBuilder
from ..network import Network
from .blocks import inverted_bottleneck

__all__ = ["EDGETPU_V2_SIZES", "mobilenet_edgetpu_v2"]


@dataclass(frozen=True)
class Size:
    """What a size changes: stem, output channels of the seven groups, head, channels of a convolution's group."""

    stem: int
    stem_kernel: int
    groups: tuple[int, ...]
    head: int
    group_size: int = 64
    grouped: frozenset[tuple[int, int]] = frozenset()  # further blocks (group, position) with a grouped expansion


EDGETPU_V2_SIZES: dict[str, Size] = {
    "tiny": Size(32, 5, (16, 32, 48, 80, 112, 160, 192), 1280, grouped=frozenset({(2, 0), (2, 2), (3, 0)})),
    "xs": Size(32, 5, (16, 32, 48, 96, 144, 160, 192), 1280),
    "s": Size(64, 5, (24, 48, 64, 128, 160, 192, 256), 1280),
    "m": Size(64, 5, (32, 64, 80, 160, 192, 240, 320), 1344),
    "l": Size(64, 7, (32, 64, 96, 192, 240, 256, 384), 1408, 128),
}

# Per group and block: the kind of expansion, its factor, the stride. The first block keeps only its projection.
_TOPOLOGY: tuple[tuple[tuple[str, int, int], ...], ...] = (
    (("full", 1, 1),),
    (("full", 8, 2), ("grouped", 4, 1)),
    (("full", 8, 2), ("grouped", 4, 1), ("full", 4, 1), ("grouped", 4, 1)),
    (("full", 8, 2), *(("depthwise", 4, 1),) * 3),
    (("depthwise", 8, 1), *(("depthwise", 4, 1),) * 3),
    (("depthwise", 8, 2), *(("depthwise", 4, 1),) * 3),
    (("depthwise", 8, 1),),
)


def mobilenet_edgetpu_v2(
    size: str = "s", *, resolution: int = 224, classes: int = 1001, batch: int = 1, bits: int = 8
) -> Network:
    """MobileNetEdgeTPUv2 of the size tiny, xs, s, m or l; 1001 classes (one is the background).

    Raises `UnknownName` for a size that does not exist.
    """
    if size not in EDGETPU_V2_SIZES:
        raise UnknownName("MobileNetEdgeTPUv2 size", size, tuple(EDGETPU_V2_SIZES))
    own = EDGETPU_V2_SIZES[size]
    builder = NetworkBuilder(
        f"mobilenet_edgetpu_v2_{size}", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="tensorflow/models, official/projects/edgetpu/vision, mobilenet_edgetpu_v2_model_blocks.py",
    )
    builder.conv("stem", own.stem, own.stem_kernel, stride=2, activation="relu")
    for group, blocks in enumerate(_TOPOLOGY):
        for position, (kind, expansion, stride) in enumerate(blocks):
            grouped = kind == "grouped" or (group, position) in own.grouped
            inverted_bottleneck(
                builder, f"group{group}.{position}", kernel=3 if expansion > 1 else 1, expansion=expansion,
                out_channels=own.groups[group], stride=stride, fused=kind != "depthwise", activation="relu",
                group_size=own.group_size if grouped else None,
            )
    builder.conv("head", own.head, 1, activation="relu")
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()
