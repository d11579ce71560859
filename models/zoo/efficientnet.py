"""EfficientNet-EdgeTPU and EfficientNet-lite: EfficientNets without squeeze-and-excite, for integer accelerators.

Tan & Le, "EfficientNet: Rethinking Model Scaling for CNNs", ICML 2019 (arXiv:1905.11946); layers as published in
tensorflow/tpu, models/official/efficientnet, in edgetpu/efficientnet_edgetpu_builder.py and
lite/efficientnet_lite_builder.py.
"""

from __future__ import annotations

import math

from ...errors import UnknownName
from ..network import Network
from .blocks import make_divisible
from .mobilenet import IbnBlock, ibn_network

__all__ = ["EDGETPU_SCALING", "EFFICIENTNET_B0_BLOCKS", "LITE_SCALING", "efficientnet_edgetpu", "efficientnet_lite"]


def _repeat(kernel: int, expansion: float, out: int, repeats: int, stride: int) -> tuple[IbnBlock, ...]:
    return (IbnBlock(kernel, expansion, out, stride), *(IbnBlock(kernel, expansion, out) for _ in range(repeats - 1)))


# Variant -> width, depth, resolution.
EDGETPU_SCALING: dict[str, tuple[float, float, int]] = {
    "s": (1.0, 1.0, 224), "m": (1.0, 1.1, 240), "l": (1.2, 1.4, 300),
}

# Kernel, expansion, output channels, repeats, stride, fused.
_EDGETPU_STAGES = (
    (3, 4, 24, 1, 1, True), (3, 8, 32, 2, 2, True), (3, 8, 48, 4, 2, True), (5, 8, 96, 5, 2, False),
    (5, 8, 144, 4, 1, False), (5, 8, 192, 2, 2, False),
)


def efficientnet_edgetpu(
    variant: str = "s", *, resolution: int | None = None, classes: int = 1001, batch: int = 1, bits: int = 8
) -> Network:
    """EfficientNet-EdgeTPU-S, M or L: fused bottlenecks early, ReLU; 1001 classes (one is the background).

    ``resolution`` overrides the variant's own. Raises `UnknownName` for a variant that does not exist.
    """
    if variant not in EDGETPU_SCALING:
        raise UnknownName("EfficientNet-EdgeTPU variant", variant, tuple(EDGETPU_SCALING))
    width, depth, size = EDGETPU_SCALING[variant]
    blocks: list[IbnBlock] = []
    for index, (kernel, expansion, out, repeats, stride, fused) in enumerate(_EDGETPU_STAGES):
        # The first stage states 24 input channels although the stem has 32, and expands to 4 · 24; it has no skip.
        hidden = 4 * make_divisible(24 * width) if index == 0 else None
        for position in range(math.ceil(repeats * depth)):
            blocks.append(IbnBlock(kernel, expansion, out, 1 if position else stride, fused, index > 0, hidden))
    return ibn_network(
        f"efficientnet_edgetpu_{variant}", blocks, resolution=size if resolution is None else resolution, width=width,
        classes=classes, batch=batch, bits=bits, activation="relu",
        source="tensorflow/tpu, efficientnet/edgetpu/efficientnet_edgetpu_builder.py",
    )


# Variant -> width, depth, resolution.
LITE_SCALING: dict[int, tuple[float, float, int]] = {
    0: (1.0, 1.0, 224), 1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260), 3: (1.2, 1.4, 280), 4: (1.4, 1.8, 300),
}

# Kernel, expansion, output channels, repeats, stride.
_B0_STAGES = (
    (3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2), (5, 6, 112, 3, 1), (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
EFFICIENTNET_B0_BLOCKS: tuple[IbnBlock, ...] = tuple(block for stage in _B0_STAGES for block in _repeat(*stage))


def efficientnet_lite(
    variant: int = 0, *, resolution: int | None = None, classes: int = 1000, batch: int = 1, bits: int = 8
) -> Network:
    """EfficientNet-lite0 to lite4: no squeeze-and-excite, ReLU6; stem, head, first and last stage are not scaled.

    ``resolution`` overrides the variant's own. Raises `UnknownName` for a variant that does not exist.
    """
    if variant not in LITE_SCALING:
        raise UnknownName("EfficientNet-lite variant", str(variant), tuple(map(str, LITE_SCALING)))
    width, depth, size = LITE_SCALING[variant]
    blocks: list[IbnBlock] = []
    for index, (kernel, expansion, out, repeats, stride) in enumerate(_B0_STAGES):
        scaled = repeats if index in (0, len(_B0_STAGES) - 1) else math.ceil(repeats * depth)
        blocks += _repeat(kernel, expansion, out, scaled, stride)
    return ibn_network(
        f"efficientnet_lite{variant}", blocks, resolution=size if resolution is None else resolution, width=width,
        classes=classes, batch=batch, bits=bits, scale_stem=False,
        source="tensorflow/tpu, efficientnet/lite/efficientnet_lite_builder.py",
    )
