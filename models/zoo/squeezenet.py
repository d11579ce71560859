"""SqueezeNet 1.0 and 1.1: Iandola et al., arXiv:1602.07360, Table 1, and the authors' repository (v1.1)."""

from __future__ import annotations

from ..builder import NetworkBuilder
from ..network import Network

__all__ = ["squeezenet1_0", "squeezenet1_1"]

# Squeeze and expand widths of the fire modules; "pool" stands for a 3×3 maximum of stride 2.
_FIRES_1_0 = ((16, 64), (16, 64), (32, 128), "pool", (32, 128), (48, 192), (48, 192), (64, 256), "pool", (64, 256))
_FIRES_1_1 = ((16, 64), (16, 64), "pool", (32, 128), (32, 128), "pool", (48, 192), (48, 192), (64, 256), (64, 256))


def squeezenet1_0(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """SqueezeNet 1.0: a 7×7 stem of 96 channels, pools late."""
    return _squeezenet("squeezenet1_0", 96, 7, _FIRES_1_0, resolution, classes, batch, bits)


def squeezenet1_1(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """SqueezeNet 1.1: a 3×3 stem of 64 channels, pools early; 2.4 times fewer multiply-accumulates."""
    return _squeezenet("squeezenet1_1", 64, 3, _FIRES_1_1, resolution, classes, batch, bits)


def _squeezenet(
    name: str, stem: int, kernel: int, fires: tuple[tuple[int, int] | str, ...], resolution: int, classes: int,
    batch: int, bits: int,
) -> Network:
    builder = NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Iandola et al., arXiv:1602.07360, Table 1, and the authors' repository",
    )
    builder.conv("stem", stem, kernel, stride=2, padding=0, activation="relu")
    _pool(builder, "pool1")
    for index, fire in enumerate(fires, start=2):
        if isinstance(fire, str):
            _pool(builder, f"pool{index}")
        else:
            _fire(builder, f"fire{index}", *fire)
    builder.conv("classifier", classes, 1, activation="relu")
    builder.global_average_pool("pool")
    return builder.build()


def _pool(builder: NetworkBuilder, name: str) -> None:
    """A window that starts inside the tensor counts even where it ends outside."""
    builder.max_pool(name, 3, stride=2, padding=1 - builder.here.height % 2)


def _fire(builder: NetworkBuilder, name: str, squeeze: int, expand: int) -> None:
    """1×1 to few channels, then 1×1 and 3×3 side by side."""
    builder.conv(f"{name}.squeeze", squeeze, 1, activation="relu")
    start = builder.here
    builder.conv(f"{name}.expand1", expand, 1, activation="relu")
    one = builder.here
    builder.resume(start)
    builder.conv(f"{name}.expand3", expand, 3, activation="relu")
    builder.concat(one, builder.here)
