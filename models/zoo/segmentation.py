"""DeepLab v3 and U-Net on MobileNetV2.

Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", arXiv:1706.05587, on MobileNetV2 as in
Sandler et al., CVPR 2018, section 6.3 (last map of 320 channels, output stride 16, no atrous pyramid).
Ronneberger et al., "U-Net", MICCAI 2015 (arXiv:1505.04597), on MobileNetV2 as in TensorFlow's tutorial on image
segmentation.
"""

from __future__ import annotations

from dataclasses import replace

from ..builder import NetworkBuilder
from ..network import Network
from .mobilenet import MOBILENET_V2_BLOCKS, ibn_body

__all__ = ["deeplab_v3_mobilenet_v2", "unet_mobilenet_v2"]

_PYRAMID = 256


def deeplab_v3_mobilenet_v2(
    *, width: float = 1.0, resolution: int = 513, classes: int = 21, batch: int = 1, bits: int = 8
) -> Network:
    """DeepLab v3: MobileNetV2 of output stride 16, image pooling beside a 1×1 convolution, bilinear resize, argmax."""
    builder = NetworkBuilder(
        "deeplab_v3_mobilenet_v2", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Chen et al., arXiv:1706.05587; Sandler et al., CVPR 2018, section 6.3",
    )
    # The stage that would halve the image a fifth time keeps its size and spreads its filters instead.
    last = max(index for index, block in enumerate(MOBILENET_V2_BLOCKS) if block.stride == 2)
    blocks = [replace(block, stride=1) if index == last else block for index, block in enumerate(MOBILENET_V2_BLOCKS)]
    ibn_body(builder, blocks, width=width, dilations=dict.fromkeys(range(last + 1, len(blocks)), 2))
    features = builder.here
    builder.global_average_pool("image_pool")
    builder.conv("image_pool.conv", _PYRAMID, 1, activation="relu")
    builder.resize("image_pool.resize", features.height, features.width)
    pooled = builder.here
    builder.resume(features)
    builder.conv("pyramid", _PYRAMID, 1, activation="relu")
    builder.concat(pooled, builder.here)
    builder.conv("projection", _PYRAMID, 1, activation="relu")
    builder.conv("logits", classes, 1)
    builder.resize("resize", resolution, resolution)
    scores = builder.here
    point = replace(scores, channels=1)
    builder.vector("argmax", "argmax", operations=scores.words, words_in=scores.words, point=point)
    return builder.build()


def unet_mobilenet_v2(*, resolution: int = 128, classes: int = 3, batch: int = 1, bits: int = 8) -> Network:
    """U-Net: MobileNetV2 without its head; four transposed convolutions back up, joined by expansions on the way.

    ``resolution`` must be a multiple of 32 for the joined maps to agree (`BadInput`).
    """
    builder = NetworkBuilder(
        "unet_mobilenet_v2", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Ronneberger et al., MICCAI 2015, arXiv:1505.04597; TensorFlow's image segmentation tutorial",
    )
    ibn_body(builder, MOBILENET_V2_BLOCKS)
    skips = [builder.after(f"block{index}.expand.relu6") for index in (13, 6, 3, 1)]
    for index, (skip, channels) in enumerate(zip(skips, (512, 256, 128, 64), strict=True)):
        builder.transposed_conv(f"up{index}", channels, 3, stride=2, activation="relu")
        builder.concat(builder.here, skip)
    builder.transposed_conv("classes", classes, 3, stride=2)
    return builder.build()
