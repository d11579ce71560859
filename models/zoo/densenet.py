"""DenseNet-121: Huang et al., "Densely Connected Convolutional Networks", CVPR 2017 (arXiv:1608.06993), Table 1."""

from __future__ import annotations

from ..builder import NetworkBuilder
from ..network import Network

__all__ = ["densenet121"]

_GROWTH = 32
_BLOCKS = (6, 12, 24, 16)


def densenet121(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """DenseNet-121: every layer reads all earlier ones of its block.

    The batch norm before a layer's first convolution belongs to that layer alone while the tensor it reads is shared,
    so that it folds into nothing and stands as a pass of its own.
    """
    builder = NetworkBuilder(
        "densenet121", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Huang et al., CVPR 2017, arXiv:1608.06993, Table 1",
    )
    builder.conv("stem", 64, 7, stride=2, activation="relu")
    builder.max_pool("stem.pool", 3, stride=2, padding=1)
    for block, depth in enumerate(_BLOCKS, start=1):
        for index in range(depth):
            _dense_layer(builder, f"block{block}.{index}")
        builder.batch_norm(f"norm{block}", activation="relu")
        if block < len(_BLOCKS):
            builder.conv(f"transition{block}", builder.here.channels // 2, 1, bias=False)
            builder.average_pool(f"transition{block}.pool", 2, stride=2)
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()


def _dense_layer(builder: NetworkBuilder, name: str) -> None:
    """Batch norm and ReLU, 1×1 to four times the growth, 3×3 to the growth; joined to what was there."""
    start = builder.here
    builder.batch_norm(f"{name}.norm", activation="relu")
    builder.conv(f"{name}.conv1", 4 * _GROWTH, 1, activation="relu")
    builder.conv(f"{name}.conv2", _GROWTH, 3, bias=False)
    builder.concat(start, builder.here)
