"""The spaces around MobileNetV2 and EfficientNet-B0 that hardware-aware searches use.

Zhou et al., "Rethinking Co-design of Neural Architectures and Hardware Accelerators", arXiv:2102.08619, 2021, and
"Towards the Co-design of Neural Networks and Accelerators", MLSys 2022: their spaces S1 to S3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...models.zoo.efficientnet import EFFICIENTNET_B0_BLOCKS
from ...models.zoo.mobilenet import MOBILENET_V2_BLOCKS, IbnBlock
from .bottlenecks import Bottlenecks

__all__ = ["EfficientnetEdge", "MobilenetIbn", "MobilenetS3", "MobilenetV2"]

_SOURCE = "after Sandler et al., CVPR 2018, and Zhou et al., MLSys 2022"


@dataclass(frozen=True)
class MobilenetV2(Bottlenecks):
    """S1: kernels 3, 5, 7 and expansions 3, 6 of MobileNetV2's 17 blocks, 8.5e12 networks."""

    name: str = "mobilenet_v2"
    published: tuple[IbnBlock, ...] = MOBILENET_V2_BLOCKS
    source: str = _SOURCE


@dataclass(frozen=True)
class EfficientnetEdge(Bottlenecks):
    """S2: kernels and expansions of EfficientNet-B0's 16 blocks without squeeze-and-excite, ReLU6 for swish, 1.4e12."""

    name: str = "efficientnet_edge"
    published: tuple[IbnBlock, ...] = EFFICIENTNET_B0_BLOCKS
    source: str = "after Tan & Le, ICML 2019, and Zhou et al., MLSys 2022"


@dataclass(frozen=True)
class MobilenetS3(Bottlenecks):
    """S3: full or depthwise convolutions, kernels 3, 5, expansions, widths by stage, groups of the 1×1 convolutions.

    ``scale="block"`` chooses widths by block as well as the other properties, at the price of shortcuts.
    """

    name: str = "mobilenet_s3"
    published: tuple[IbnBlock, ...] = MOBILENET_V2_BLOCKS
    kernels: tuple[int, ...] = (3, 5)
    operators: tuple[str, ...] = ("ibn", "fused")
    widths: tuple[float, ...] = (0.75, 1.0, 1.25)
    groups: tuple[int, ...] = (1, 2)
    scale: Literal["stage", "block"] = "stage"
    source: str = _SOURCE


@dataclass(frozen=True)
class MobilenetIbn(Bottlenecks):
    """MobileNetV2's 17 blocks with operators, kernels, expansions, widths by stage and the resolution to choose."""

    name: str = "mobilenet_ibn"
    published: tuple[IbnBlock, ...] = MOBILENET_V2_BLOCKS
    operators: tuple[str, ...] = ("ibn", "fused")
    widths: tuple[float, ...] = (0.75, 1.0, 1.25)
    resolutions: tuple[int, ...] = (160, 192, 224, 256)
    source: str = _SOURCE
