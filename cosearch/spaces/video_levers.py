"""The levers of the video pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...errors import BadInput
from ...models.network import Network
from .network_space import network_values, values_key
from .space import Choice, Space, Value

__all__ = ["VIDEO_SPACE", "VideoLevers"]

VIDEO_SPACE = "video_levers"


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

    def __post_init__(self) -> None:
        for what in ("thresholds", "densities"):
            wrong = [one for one in getattr(self, what) if not 0.0 < one <= 1.0]
            if wrong:
                raise BadInput(f"{self.name}: {what}: {wrong[0]!r} among them; give shares above 0 up to 1")

    @cached_property
    def space(self) -> Space:
        """The four levers."""
        return Space((
            Choice("net.filter", self.thresholds), Choice("net.longest", self.longest), Choice("net.tile", self.tiles),
            Choice("net.density", self.densities),
        ))  # fmt: skip

    def build(self, values: Mapping[str, Value]) -> Network:
        """The detector for whole frames with that share of its 16×16 blocks."""
        from ..video.backbone import block_sparse, detector_resnet18

        own = self.space.validate(network_values(values))
        return block_sparse(detector_resnet18(720, 1280), float(own["net.density"]), (("K", 16), ("C", 16)))

    def baseline(self) -> dict[str, Value]:
        """The settings of the shipped pipeline."""
        return self.space.validate({"net.filter": 0.003, "net.longest": 8, "net.tile": 32, "net.density": 0.6})

    def key(self, values: Mapping[str, Value]) -> str:
        """The choices themselves."""
        return values_key(values)
