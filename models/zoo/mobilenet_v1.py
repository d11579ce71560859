"""MobileNet v1: Howard et al., "MobileNets", arXiv:1704.04861, Table 1."""

from __future__ import annotations

from ...errors import BadInput
from ..builder import NetworkBuilder
from ..network import Network
from .blocks import make_divisible

__all__ = ["mobilenet_v1", "mobilenet_v1_body"]

# Output channels at width 1 and stride of the thirteen depthwise separable layers.
_LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def mobilenet_v1_body(builder: NetworkBuilder, width: float = 1.0) -> None:
    """Stem and the thirteen layers ``layer1`` to ``layer13``, each a depthwise 3×3 and a 1×1 convolution.

    Raises `BadInput` for a width not above 0.
    """
    if not width > 0:
        raise BadInput(f"{builder.name}: width is {width}; it must be above 0")
    builder.conv("stem", make_divisible(32 * width), 3, stride=2, activation="relu6")
    for index, (channels, stride) in enumerate(_LAYERS, start=1):
        builder.depthwise(f"layer{index}.depthwise", 3, stride=stride, activation="relu6")
        builder.conv(f"layer{index}", make_divisible(channels * width), 1, activation="relu6")


def mobilenet_v1(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8
) -> Network:
    """MobileNet v1 at any width multiplier and resolution."""
    builder = NetworkBuilder(
        "mobilenet_v1", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Howard et al., arXiv:1704.04861, Table 1",
    )
    mobilenet_v1_body(builder, width)
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()
