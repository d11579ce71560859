"""Everything that looks at pixels, frame by frame: filter, saliency, detector and tracker, each lever on or off.

The pipeline calls these at the simulated moments at which its stages work, so that what a stage knows (where objects
were last seen, which frame was kept last) is what it would know then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .detector import CELL, Detections, Detector
from .frame_filter import FilterSettings, TemporalFilter
from .grids import cells_of, grown, onto
from .saliency import SaliencySettings, fetched_share, salient_tiles
from .scene import Video
from .tracker import Shown, Tracker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    Mask = NDArray[np.bool_]

__all__ = ["Focus", "Perception"]


@dataclass(frozen=True, eq=False)
class Focus:
    """What of a frame is computed: its kept tiles, [rows, columns], and the share of it that is fetched for them."""

    tiles: Mask
    fetched: float


@dataclass(eq=False)
class Perception:
    """One run over a video. ``filters`` and ``saliency`` None: every frame is kept, all of it is computed.

    ``known`` remembers detections by frame and tiles, and may be shared between runs with the same detector.
    """

    video: Video
    detector: Detector
    filters: FilterSettings | None = None
    saliency: SaliencySettings | None = None
    known: dict[tuple[int, bytes], Detections] = field(default_factory=dict)
    shown: dict[int, Shown] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scene = self.video.scene
        self._filter = TemporalFilter(self.filters or FilterSettings(), keeps_all=self.filters is None)
        self._tracker = Tracker(scene.frames_per_s)
        self._picture = (scene.height, scene.width)
        self._changed: dict[int, F32 | None] = {}

    @property
    def tile(self) -> int:
        """Pixels to a side of the tiles of a `Focus`."""
        return (self.saliency or SaliencySettings()).tile

    def keeps(self, number: int) -> bool:
        """The filter's decision about a frame; frames come in order."""
        if self.filters is None and self.saliency is None:
            return True
        keep, self._changed[number] = self._filter.look(number, self.video.frame(number))
        return keep

    def focus(self, number: int) -> Focus:
        """What of a kept frame to compute, given what the tracker knows by now."""
        if self.saliency is None:
            return Focus(np.ones([cells_of(size, self.tile) for size in self._picture], np.bool_), 1.0)
        expected = self._tracker.expected(number)
        tiles = salient_tiles(self._changed[number], expected, self._picture, self.saliency)
        return Focus(tiles, fetched_share(tiles, self.saliency, self._picture))

    def detect(self, number: int, focus: Focus) -> Detections:
        """The boxes found in a frame's tiles."""
        key = (number, focus.tiles.tobytes())
        if key not in self.known:
            wanted = allowed = None
            if self.saliency is not None:
                grid = (self._picture[0] // CELL, self._picture[1] // CELL)
                wanted = onto(focus.tiles, self.tile, self._picture, grid)
                allowed = grown(wanted, self.saliency.halo // CELL)
            self.known[key] = self.detector.detect(self.video.frame(number), wanted, allowed)
        return self.known[key]

    def lose(self, number: int) -> None:
        """A frame the filter has kept will not be computed."""
        self._filter.lost()
        self._changed.pop(number, None)

    def track(self, number: int, found: Detections | None) -> None:
        """The tracker's word on a frame (None: it was not computed), and on those lost since its last one."""
        for passed in range(max(self.shown, default=-1) + 1, number):
            self.shown[passed] = self._tracker.coast(passed)
        changed = self._changed.pop(number, None)
        if found is None:
            self.shown[number] = self._tracker.coast(number, changed)
        else:
            self.shown[number] = self._tracker.update(number, found)

    def finish(self) -> dict[int, Shown]:
        """What was said of each frame; those lost at the end are added."""
        for passed in range(max(self.shown, default=-1) + 1, len(self.video)):
            self.shown[passed] = self._tracker.coast(passed)
        return self.shown
