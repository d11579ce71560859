"""What became of the frames of a video in the pipeline: latencies, losses, load and waiting of each stage, energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ImpossibleResult
from .tracker import Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

__all__ = ["FrameRecord", "PipelineRun", "Slice", "StageRecord"]


@dataclass
class FrameRecord:
    """One frame: when it was read out, whether the filter kept it, which tiles were computed, when it was answered.

    ``area`` is the share of ``tiles``, [rows, columns], None where nothing was computed. Without an answer
    ``answered_s`` is NaN; then it is ``lost``.
    """

    number: int
    captured_s: float
    kept: bool = False
    area: float = 0.0
    tiles: NDArray[np.bool_] | None = field(default=None, repr=False)
    answered_s: float = math.nan
    lost: bool = False


@dataclass
class StageRecord:
    """A stage: seconds at work, seconds it could not hand its frame on, each frame's wait before it, joules."""

    name: str
    busy_s: float = 0.0
    blocked_s: float = 0.0
    energy_j: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    longest_queue: int = 0


@dataclass(frozen=True)
class Slice:
    """A stage at work on a frame."""

    stage: str
    frame: int
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class PipelineRun:
    """A run from time 0 to ``end_s``; ``energy`` in joules by stage, with the array's and the camera's standing powers.

    Raises `ImpossibleResult` where a frame is neither answered nor lost, or answered before it came, and where a stage
    works for longer than the run.
    """

    frames: tuple[FrameRecord, ...]
    stages: tuple[StageRecord, ...]
    slices: tuple[Slice, ...]
    energy: Mapping[str, float]
    end_s: float
    shown: Mapping[int, Shown]
    recorded: bool = False

    def __post_init__(self) -> None:
        for frame in self.frames:
            if frame.lost == math.isfinite(frame.answered_s) or frame.answered_s < frame.captured_s:
                raise ImpossibleResult(f"frame {frame.number} of a video is not answered once, after it came, or lost")
        for stage in self.stages:
            if stage.busy_s + stage.blocked_s > self.end_s * (1 + 1e-9):
                raise ImpossibleResult(f"the {stage.name} works and waits {stage.busy_s} s of {self.end_s} s")
        if min(self.energy.values()) < 0:
            raise ImpossibleResult(f"a part of the energy is negative: {dict(self.energy)}")

    @property
    def latency_s(self) -> F64:
        """From readout to answer, of each answered frame in order; frames that the filter answers are among them."""
        return np.array([frame.answered_s - frame.captured_s for frame in self.frames if not frame.lost])

    @property
    def computed_latency_s(self) -> F64:
        """The same of the frames that were computed."""
        return np.array([frame.answered_s - frame.captured_s for frame in self.frames if frame.kept and not frame.lost])

    @property
    def lost(self) -> int:
        """Frames without an answer of their own."""
        return sum(frame.lost for frame in self.frames)

    @property
    def kept_share(self) -> float:
        """The share of answered frames that were computed."""
        return len(self.computed_latency_s) / max(1, len(self.latency_s))

    @property
    def area(self) -> float:
        """The mean share of tiles computed of a computed frame."""
        areas = [frame.area for frame in self.frames if frame.kept and not frame.lost]
        return float(np.mean(areas)) if areas else 0.0

    @property
    def frames_per_s(self) -> float:
        """Answers a second."""
        return len(self.latency_s) / self.end_s if self.end_s else 0.0

    @property
    def energy_j(self) -> float:
        """All energy of the run."""
        return math.fsum(self.energy.values())

    @property
    def energy_per_frame_j(self) -> float:
        """Energy per answer."""
        return self.energy_j / max(1, len(self.latency_s))

    @property
    def power_w(self) -> float:
        """Mean power."""
        return self.energy_j / self.end_s if self.end_s else 0.0

    def stage_rows(self) -> list[dict[str, Any]]:
        """A record per stage: share of time at work and blocked, mean and largest wait before it, energy."""
        return [
            {
                "stage": stage.name,
                "busy": stage.busy_s / self.end_s if self.end_s else 0.0,
                "blocked": stage.blocked_s / self.end_s if self.end_s else 0.0,
                "mean_wait_s": math.fsum(stage.waits_s) / max(1, len(stage.waits_s)),
                "longest_wait_s": max(stage.waits_s, default=0.0),
                "longest_queue": stage.longest_queue,
                "energy_j": self.energy[stage.name],
            }
            for stage in self.stages
        ]
