"""ResNet-18, ResNet-50 and ResNet-152: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1.

`resnet8` is the small one for 32×32 images of MLPerf Tiny (Banbury et al., NeurIPS Datasets and Benchmarks 2021).

The stride of a bottleneck sits in its 3×3 convolution ("v1.5"), as in torchvision and MLPerf; in the authors' own
release (github.com/KaimingHe/deep-residual-networks) it sits in the first 1×1 convolution and a shortcut comes first.
"""

from __future__ import annotations

from functools import partial

from ..builder import NetworkBuilder
from ..network import Network

__all__ = ["basic_block", "resnet8", "resnet18", "resnet50", "resnet152"]

_SOURCE = "He et al., CVPR 2016, arXiv:1512.03385, Table 1; stride in the 3x3 convolution"
_AUTHORS = "He et al., CVPR 2016, arXiv:1512.03385, Table 1; the authors' release"


def resnet8(*, resolution: int = 32, classes: int = 10, batch: int = 1, bits: int = 8) -> Network:
    """The image classifier of MLPerf Tiny: a 3×3 stem and three basic blocks of 16, 32 and 64 channels."""
    builder = NetworkBuilder(
        "resnet8", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Banbury et al., MLPerf Tiny, 2021 (image classification); mlcommons/tiny, resnet_v1_eembc",
    )  # fmt: skip
    builder.conv("conv1", 16, 3, activation="relu")
    for stage in range(3):
        basic_block(builder, f"layer{stage + 1}", 16 << stage, 2 if stage else 1)
    builder.global_average_pool("avgpool")
    builder.linear("fc", classes)
    return builder.build()


def resnet18(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """ResNet-18: basic blocks."""
    return _resnet("resnet18", (2, 2, 2, 2), False, resolution, classes, batch, bits)


def basic_block(builder: NetworkBuilder, name: str, channels: int, stride: int) -> None:
    """Two 3×3 convolutions beside a shortcut, the block of ResNet-18."""
    _block(builder, name, channels, stride, bottleneck=False)


def resnet50(
    *, resolution: int = 224, classes: int = 1000, authors: bool = False, batch: int = 1, bits: int = 8
) -> Network:
    """ResNet-50: bottleneck blocks; ``authors``: as the authors released it (see above)."""
    return _resnet("resnet50", (3, 4, 6, 3), True, resolution, classes, batch, bits, authors=authors)


def resnet152(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """ResNet-152: bottleneck blocks."""
    return _resnet("resnet152", (3, 8, 36, 3), True, resolution, classes, batch, bits)


def _resnet(
    name: str, depths: tuple[int, ...], bottleneck: bool, resolution: int, classes: int, batch: int, bits: int,
    *, authors: bool = False,
) -> Network:  # fmt: skip
    builder = NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source=_AUTHORS if authors else _SOURCE,
    )  # fmt: skip
    builder.conv("conv1", 64, 7, stride=2, padding=3, activation="relu")
    builder.max_pool("maxpool", 3, stride=2, padding=1)
    for stage, depth in enumerate(depths):
        for index in range(depth):
            block = _authors_block if authors else partial(_block, bottleneck=bottleneck)
            block(builder, f"layer{stage + 1}.{index}", 64 << stage, 2 if stage and not index else 1)
    builder.global_average_pool("avgpool")
    builder.linear("fc", classes)
    return builder.build()


def _authors_block(builder: NetworkBuilder, name: str, channels: int, stride: int) -> None:
    """A bottleneck with its stride in the first convolution; a shortcut's convolution comes before the main branch."""
    start = shortcut = builder.here
    if stride > 1 or start.channels != 4 * channels:
        builder.conv(f"{name}.downsample", 4 * channels, 1, stride=stride)
        shortcut = builder.here
        builder.resume(start)
    builder.conv(f"{name}.conv1", channels, 1, stride=stride, activation="relu")
    builder.conv(f"{name}.conv2", channels, 3, activation="relu")
    builder.conv(f"{name}.conv3", 4 * channels, 1)
    builder.add(f"{name}.add", shortcut, activation="relu")


def _block(builder: NetworkBuilder, name: str, channels: int, stride: int, *, bottleneck: bool) -> None:
    """Main branch, then the shortcut (a 1×1 convolution where the shape changes), then their sum."""
    start = builder.here
    out = 4 * channels if bottleneck else channels
    if bottleneck:
        builder.conv(f"{name}.conv1", channels, 1, activation="relu")
        builder.conv(f"{name}.conv2", channels, 3, stride=stride, activation="relu")
        builder.conv(f"{name}.conv3", out, 1)
    else:
        builder.conv(f"{name}.conv1", channels, 3, stride=stride, activation="relu")
        builder.conv(f"{name}.conv2", out, 3)
    if stride == 1 and start.channels == out:
        builder.add(f"{name}.add", start, activation="relu")
        return
    main = builder.here
    builder.resume(start)
    builder.conv(f"{name}.downsample", out, 1, stride=stride)
    shortcut = builder.here
    builder.resume(main)
    builder.add(f"{name}.add", shortcut, activation="relu")
