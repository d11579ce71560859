"""Tracks of objects from boxes of single frames: constant velocity, matched by overlap, carried over skipped frames.

Tracking by detection as in Bewley et al., "Simple online and realtime tracking", ICIP 2016, with fixed gains instead of
a Kalman filter; only sure detections begin a track, as in Zhang et al., "ByteTrack", ECCV 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import BadInput
from .boxes import overlaps
from .detector import Detections
from .frame_filter import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

__all__ = ["Shown", "Tracker"]

_MATCH = 0.2  # overlap with the expected box from which a detection may be the object
_PLACE, _VELOCITY, _SIZE = 0.7, 0.4, 0.3  # shares of what was not expected that go into the state
_BEGIN = 0.5  # score from which a detection begins a track; others only go on with one
_SHOWN_S, _KEPT_S = 0.3, 2.0  # how long a track is shown, and kept, without a detection
_STILL = 0.02  # share of changed blocks below which what a box shows has not moved


@dataclass(frozen=True)
class Shown:
    """What the tracker says of one frame: numbers of tracks, [tracks], and their boxes, [tracks, 4]."""

    tracks: tuple[int, ...]
    boxes: F64


@dataclass
class _Track:
    number: int
    seen_at: int  # the frame of its last detection
    centre: F64
    size: F64
    velocity: F64 = field(default_factory=lambda: np.zeros(2))
    since: int = 0
    moves: bool = False  # whether its velocity is known
    still: bool = False

    def box(self, frame: int) -> F64:
        """Where it is expected in a frame."""
        ahead = 0.0 if self.still else float(frame - self.since)
        centre = self.centre + self.velocity * ahead
        return np.concatenate([centre - self.size / 2, centre + self.size / 2])

    def seen(self, frame: int, box: F64) -> None:
        """A detection: go most of the way to it."""
        ahead = max(1, frame - self.since)
        centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        expected = self.centre + self.velocity * ahead
        surprise = centre - expected
        # The first detection after the one that began the track is all that is known of its velocity.
        self.velocity = self.velocity + (_VELOCITY if self.moves else 1.0) * surprise / ahead
        self.centre = expected + (_PLACE if self.moves else 1.0) * surprise
        self.moves = True
        self.size = self.size + _SIZE * (size - self.size)
        self.since = self.seen_at = frame


class Tracker:
    """Takes frames in order; those without detections are passed over or coasted."""

    def __init__(self, frames_per_s: float = 20.0) -> None:
        self._tracks: list[_Track] = []
        self._next = 0
        self._frame = self._computed = -1
        self._shown = max(1, round(_SHOWN_S * frames_per_s))
        self._kept = max(1, round(_KEPT_S * frames_per_s))

    def expected(self, frame: int) -> F64:
        """Boxes in which objects are expected in a frame, hidden ones included, [tracks, 4]."""
        return np.array([track.box(frame) for track in self._tracks], np.float64).reshape(-1, 4)

    def coast(self, frame: int, changed: F32 | None = None) -> Shown:
        """A frame that was not computed: tracks move on, but for those whose place has not ``changed``.

        ``changed`` are the differences of block means from the last frame computed.
        """
        self._advance(frame)
        if changed is not None:
            for track in self._tracks:
                track.still = _share_changed(track.box(track.since), changed) < _STILL
        return self._shown_in(frame)

    def update(self, frame: int, found: Detections) -> Shown:
        """A computed frame: matches its detections with the tracks, the most overlapping pair first."""
        self._advance(frame)
        self._computed = frame
        for track in self._tracks:
            track.still = False
        shared = overlaps(self.expected(frame), found.boxes)
        free = set(range(len(found)))
        taken: set[int] = set()
        for pair in np.argsort(-shared, axis=None, kind="stable"):
            at, which = divmod(int(pair), len(found))
            if shared[at, which] < _MATCH:
                break
            if which in free and at not in taken:
                free.remove(which)
                taken.add(at)
                self._tracks[at].seen(frame, found.boxes[which])
        for which in sorted(free):
            if found.scores[which] >= _BEGIN:
                box = found.boxes[which]
                centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
                self._tracks.append(_Track(self._next, frame, centre, size, since=frame))
                self._next += 1
        self._tracks = [track for track in self._tracks if frame - track.seen_at <= self._kept]
        return self._shown_in(frame)

    def _advance(self, frame: int) -> None:
        if frame <= self._frame:
            raise BadInput(f"frame {frame} comes after frame {self._frame}; a tracker takes frames in order")
        self._frame = frame

    def _shown_in(self, frame: int) -> Shown:
        shown = [track for track in self._tracks if self._computed - track.seen_at <= self._shown]
        boxes = np.array([track.box(frame) for track in shown], np.float64).reshape(-1, 4)
        return Shown(tuple(track.number for track in shown), boxes)


def _share_changed(box: F64, changed: F32) -> float:
    """The share of blocks that have changed within a box."""
    top, left, bottom, right = np.clip(box // BLOCK, 0, None).astype(int)
    part = changed[top : bottom + 1, left : right + 1]
    return float((part > 0).mean()) if part.size else 1.0
