"""The temporal filter: frames that differ little from the last one kept are not computed.

Zhang et al., "Data-Model-Hardware Tri-Design for Energy-Efficient Video Intelligence", ASP-DAC 2023 (arXiv:2210.08578)
filter frames in time; the rule here is ours: the mean absolute difference of block means against a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...accel.simulator.checks import checked_number, checked_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

__all__ = ["BLOCK", "FilterSettings", "TemporalFilter", "block_means", "difference"]

BLOCK = 8  # pixels to a side of the blocks whose means are compared: noise falls to an eighth, edges stay sharp enough


@dataclass(frozen=True)
class FilterSettings:
    """A frame is kept where its difference exceeds ``threshold`` (of full scale), and at the latest after ``longest``.

    ``floor`` is the difference of a block's means, in grey levels, below which it counts as noise.
    """

    threshold: float = 0.003
    longest: int = 8
    floor: float = 2.0

    def __post_init__(self) -> None:
        checked_number(self.threshold, "filter: threshold", maximum=1.0, remedy="a share of full scale, 0.003 for one")
        checked_whole(self.longest, "filter: longest", remedy="1 keeps each frame")
        checked_number(self.floor, "filter: floor", remedy="grey levels, at least 0")


def block_means(frame: NDArray[np.uint8]) -> F32:
    """Means of blocks of 8 × 8 pixels, [height/8, width/8]; what is left over at the lower and right edge is cut."""
    height, width = (size // BLOCK * BLOCK for size in frame.shape)
    blocks = frame[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    means: F32 = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def difference(means: F32, reference: F32, floor: float) -> F32:
    """Absolute differences of block means in grey levels, 0 where they are no more than noise."""
    apart = np.abs(means - reference)
    return np.where(apart > floor, apart, np.float32(0.0))


class TemporalFilter:
    """Keeps the block means of the last frame kept, and compares others with them."""

    def __init__(self, settings: FilterSettings, *, keeps_all: bool = False) -> None:
        self.settings = settings
        self.keeps_all = keeps_all
        self._reference: F32 | None = None
        self._kept_at = 0
        self._owed: F32 | None = None  # changes that a lost frame would have shown
        self._last: F32 | None = None  # changes shown to the last frame kept

    def look(self, number: int, frame: NDArray[np.uint8]) -> tuple[bool, F32 | None]:
        """Whether to keep the frame, and how its blocks differ from the last one kept (None: there was none)."""
        means = block_means(frame)
        if self._reference is None:
            self._reference, self._kept_at = means, number
            return True, None
        changed = difference(means, self._reference, self.settings.floor)
        if self._owed is not None:
            changed = np.maximum(changed, self._owed)
        due = self._owed is not None or number - self._kept_at >= self.settings.longest
        keep = self.keeps_all or due or float(changed.mean()) / 255.0 > self.settings.threshold
        if keep:
            self._reference, self._kept_at, self._owed, self._last = means, number, None, changed
        return keep, changed

    def lost(self) -> None:
        """The frame kept last was never computed: the next one is kept, with what would have been new in this one."""
        if self._last is None:
            self._reference = None
        else:
            self._owed = self._last if self._owed is None else np.maximum(self._owed, self._last)
