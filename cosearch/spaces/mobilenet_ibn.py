"""MobileNetV2's blocks with full or depthwise convolutions, kernels, expansions and widths to choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from ...models.network import Network
from ...models.zoo.blocks import make_divisible
from ...models.zoo.mobilenet import MOBILENET_V2_BLOCKS, IbnBlock, ibn_network
from .network_space import network_values, values_key
from .space import Choice, Space, Value

__all__ = ["MobilenetIbn"]

# Blocks of one output width form a stage; the first one of it has the stride.
_STAGES: tuple[tuple[int, tuple[IbnBlock, ...]], ...] = tuple(
    (channels, tuple(blocks)) for channels, blocks in groupby(MOBILENET_V2_BLOCKS, key=lambda block: block.out_channels)
)


def _distinct(channels: int, widths: tuple[float, ...]) -> tuple[float, ...]:
    """The widths that give different channels; of those that round alike the one nearest to 1 stays."""
    kept: dict[int, float] = {}
    for width in sorted(widths, key=lambda width: abs(width - 1.0)):
        kept.setdefault(make_divisible(channels * width), width)
    return tuple(sorted(kept.values()))


@dataclass(frozen=True)
class MobilenetIbn:
    """MobileNetV2's 17 inverted bottlenecks in 7 stages, with the choices of hardware-aware searches.

    Per block: ``net.b01.kernel`` … , ``net.b02.expansion`` … (the first block's expansion stays 1) and ``net.b01.op``:
    ``ibn`` (1×1 expansion, depthwise) or ``fused`` (one full convolution instead of both, Gupta & Akin, 2020). Per
    stage ``net.s1.width`` multiplies MobileNetV2's channels, which are then rounded to multiples of 8 (a width that
    rounds like another is not offered). ``net.resolution`` is the side of the input image.
    After Zhou et al., "Towards the Co-design of Neural Networks and Accelerators", MLSys 2022.
    """

    name: str = "mobilenet_ibn"
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (3, 6)
    operators: tuple[str, ...] = ("ibn", "fused")
    widths: tuple[float, ...] = (0.75, 1.0, 1.25)
    resolutions: tuple[int, ...] = (160, 192, 224, 256)

    @cached_property
    def space(self) -> Space:
        """The choices in the order of the network: resolution, then stage by stage its width and its blocks."""
        choices = [Choice("net.resolution", self.resolutions)]
        number = 0
        for stage, (channels, originals) in enumerate(_STAGES, start=1):
            choices.append(Choice(f"net.s{stage}.width", _distinct(channels, self.widths)))
            for _ in originals:
                number += 1
                choices.append(Choice(f"net.b{number:02d}.kernel", self.kernels))
                if number > 1:
                    choices.append(Choice(f"net.b{number:02d}.expansion", self.expansions))
                choices.append(Choice(f"net.b{number:02d}.op", self.operators))
        return Space(tuple(choices))

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""
        own = self.space.validate(network_values(values))
        blocks: list[IbnBlock] = []
        for stage, (channels, originals) in enumerate(_STAGES, start=1):
            width = float(own[f"net.s{stage}.width"])
            for original in originals:
                label = f"net.b{len(blocks) + 1:02d}"
                blocks.append(IbnBlock(
                    kernel=int(own[f"{label}.kernel"]), expansion=int(own.get(f"{label}.expansion", 1)),
                    out_channels=make_divisible(channels * width), stride=original.stride,
                    fused=own[f"{label}.op"] == "fused",
                ))
        return ibn_network(
            self.name, blocks, resolution=int(own["net.resolution"]),
            source="after Sandler et al., CVPR 2018, and Zhou et al., MLSys 2022",
        )

    def baseline(self) -> dict[str, Value]:
        """MobileNetV2 at width 1.0 and 224×224."""
        published: dict[str, Value] = {"kernel": 3, "expansion": 6, "op": "ibn", "width": 1.0, "resolution": 224}
        return self.space.validate({name: published[name.rpartition(".")[2]] for name in self.space.names})

    def key(self, values: Mapping[str, Value]) -> str:
        """The choices themselves."""
        return values_key(values)
