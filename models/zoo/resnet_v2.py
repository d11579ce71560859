"""ResNet-50 V2 and ResNet-152 V2: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.

arXiv:1603.05027. Batch norm and ReLU stand before the convolutions. The one at a block's entry reads a sum that the
shortcut reads too, so that it folds into nothing and is a pass of its own.
"""

from __future__ import annotations

from ..builder import NetworkBuilder
from ..network import Network

__all__ = ["resnet50_v2", "resnet152_v2"]


def resnet50_v2(
    *, resolution: int = 224, classes: int = 1000, stride_last: bool = True, batch: int = 1, bits: int = 8
) -> Network:
    """ResNet-50 V2; ``stride_last`` halves the image at a stage's end (TensorFlow), else at the next one's start."""
    return _resnet_v2("resnet50_v2", (3, 4, 6, 3), resolution, classes, stride_last, batch, bits)


def resnet152_v2(
    *, resolution: int = 224, classes: int = 1000, stride_last: bool = True, batch: int = 1, bits: int = 8
) -> Network:
    """ResNet-152 V2; ``stride_last`` as in ResNet-50 V2."""
    return _resnet_v2("resnet152_v2", (3, 8, 36, 3), resolution, classes, stride_last, batch, bits)


def _resnet_v2(
    name: str, depths: tuple[int, ...], resolution: int, classes: int, stride_last: bool, batch: int, bits: int
) -> Network:
    where = "end of a stage, as in tensorflow/models" if stride_last else "start of a stage"
    builder = NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source=f"He et al., ECCV 2016, arXiv:1603.05027; stride at the {where}",
    )
    builder.conv("stem", 64, 7, stride=2, padding=3)
    builder.max_pool("stem.pool", 3, stride=2, padding=1)
    last = len(depths) - 1
    for stage, depth in enumerate(depths):
        for index in range(depth):
            strided = (stage < last and index == depth - 1) if stride_last else (stage > 0 and index == 0)
            _block(builder, f"stage{stage + 1}.{index}", 64 << stage, 2 if strided else 1)
    builder.batch_norm("norm", activation="relu")
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()


def _block(builder: NetworkBuilder, name: str, channels: int, stride: int) -> None:
    """1×1, 3×3 with the stride, 1×1; the shortcut is the input, every second pixel of it, or a 1×1 convolution."""
    start, out = builder.here, 4 * channels
    builder.batch_norm(f"{name}.norm", activation="relu")
    normed = builder.here
    builder.conv(f"{name}.conv1", channels, 1, activation="relu")
    builder.conv(f"{name}.conv2", channels, 3, stride=stride, activation="relu")
    builder.conv(f"{name}.conv3", out, 1)
    main = builder.here
    if start.channels != out:
        builder.resume(normed)
        builder.conv(f"{name}.shortcut", out, 1, stride=stride)
    elif stride > 1:
        builder.resume(start)
        builder.max_pool(f"{name}.shortcut", 1, stride=stride)
    else:
        builder.resume(start)
    shortcut = builder.here
    builder.resume(main)
    builder.add(f"{name}.add", shortcut)
