"""Spaces of networks: what a search may choose about a network, and how the choices become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Protocol

from ..errors import UnknownName
from ..models.network import Network
from ..models.zoo.blocks import make_divisible
from ..models.zoo.mobilenet import MOBILENET_V2_BLOCKS, IbnBlock, ibn_network
from .space import Choice, Space, Value

__all__ = ["NETWORK_SPACES", "VIDEO_SPACE", "MobilenetIbn", "NetworkSpace", "VideoLevers", "network_space"]

VIDEO_SPACE = "video_levers"


class NetworkSpace(Protocol):
    """A space whose points are networks."""

    @property
    def name(self) -> str:
        """The name a study refers to."""

    @property
    def space(self) -> Space:
        """The choices; every name starts with ``net.``."""

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""

    def baseline(self) -> dict[str, Value]:
        """The point of the published network that the space varies."""


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
        own = self.space.validate({name: value for name, value in values.items() if name.startswith("net.")})
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


@dataclass(frozen=True)
class VideoLevers:
    """The levers of the video pipeline (`dovetail.cosearch.video`) and how far each is pulled.

    ``net.filter`` is the temporal filter's threshold and ``net.longest`` after how many frames it keeps one in any case
    (1: every frame), ``net.tile`` the pixels to a side of saliency's tiles, ``net.density`` the share of blocks of
    weights that remain. The network is the detector whose weights are pruned.
    """

    name: str = VIDEO_SPACE
    thresholds: tuple[float, ...] = (0.002, 0.003, 0.004, 0.006, 0.01)
    longest: tuple[int, ...] = (1, 4, 8, 16)
    tiles: tuple[int, ...] = (16, 32, 64)
    densities: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0)

    @cached_property
    def space(self) -> Space:
        """The four levers."""
        return Space((
            Choice("net.filter", self.thresholds), Choice("net.longest", self.longest), Choice("net.tile", self.tiles),
            Choice("net.density", self.densities),
        ))  # fmt: skip

    def build(self, values: Mapping[str, Value]) -> Network:
        """The detector for whole frames with that share of its 16×16 blocks."""
        from .video.backbone import block_sparse, detector_resnet18

        own = self.space.validate({name: value for name, value in values.items() if name.startswith("net.")})
        return block_sparse(detector_resnet18(720, 1280), float(own["net.density"]), (("K", 16), ("C", 16)))

    def baseline(self) -> dict[str, Value]:
        """The settings of the shipped pipeline."""
        return self.space.validate({"net.filter": 0.003, "net.longest": 8, "net.tile": 32, "net.density": 0.6})


NETWORK_SPACES: dict[str, NetworkSpace] = {space.name: space for space in (MobilenetIbn(), VideoLevers())}


def network_space(name: str) -> NetworkSpace:
    """The network space a study calls ``name``; `UnknownName` where there is none."""
    if name not in NETWORK_SPACES:
        raise UnknownName("network space", name, tuple(NETWORK_SPACES))
    return NETWORK_SPACES[name]
