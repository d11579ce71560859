"""Judges the designs of a video study: levers and engine, by a run of the pipeline over the study's video."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...accel.accelerator import Accelerator
from ...accel.spec import load_accelerator
from ...errors import BadInput, Infeasible
from ...mapper.estimate import estimate
from ..accuracy.source import Answer
from ..spaces.hardware import hardware_values
from ..spaces.space import Value
from ..studies.evaluator import StudyEvaluator, exceeded
from ..studies.showing import gantt_of
from ..studies.spec import StudySpec
from ..studies.trial import Status
from .backbone import block_sparse, detector_resnet18
from .frame_filter import FilterSettings
from .quality import Quality, tracking_quality
from .saliency import SaliencySettings
from .scene import Scene, Video
from .study import ALL, DENSE, Levers, VideoDesign, VideoStudy

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...accel.simulator.gantt import GanttInfo
    from ...mapper.estimate import Estimate
    from ...models.network import Network

__all__ = ["VideoEvaluator"]

_SHARES = (1.0, 0.25, 0.0625)


class VideoEvaluator(StudyEvaluator):
    """What a video study asks of a design: the pipeline's mean latency, energy per frame and loss in tracks' F1.

    The baseline is the dense run on an engine without sparsity; loss is against its tracks with no frame lost, 0 where
    a design's are better. The video follows from the study's seed.
    """

    foreknown = None  # type: ignore[assignment]  # frames that are left out cost less than a network's roofline
    expensive = False
    preparation_macs = 0.0

    def __init__(self, spec: StudySpec, scene: Scene | None = None, *, detector_scenes: int = 16) -> None:
        super().__init__(spec)
        self.scene = scene or Scene(seed=spec.seed, frames=80)
        self.detector_scenes = detector_scenes
        if spec.baseline is not None and spec.baseline.network != _NETWORK:
            raise BadInput(
                f"baseline.network: the video pipeline does not run '{spec.baseline.network}'; write '{_NETWORK}'"
            )

    def __getstate__(self) -> dict[str, Any]:
        kept = ("spec", "scene", "detector_scenes", "baseline", "limits", "reference")
        return {name: value for name, value in self.__dict__.items() if name in kept}

    @cached_property
    def video(self) -> Video:
        """The video all designs see."""
        return Video(self.scene)

    @cached_property
    def reference(self) -> Quality:
        """The tracks' quality of the dense run with no frame lost."""
        return self._study(self.accelerator, None).reference

    @cached_property
    def baseline(self) -> dict[str, float]:
        """The dense run's metrics; empty where the study names no baseline."""
        if self.spec.baseline is None:
            return {}
        chip = load_accelerator(self.spec.baseline.accelerator)
        return {**_known_at_once(chip), **self._run(self._study(chip, None), DENSE)}

    def pipeline(self, values: Mapping[str, Value]) -> VideoStudy:
        """The pipeline of a point; `BadInput` where the point is none of the space."""
        own = self.space.validate(values)
        return self._study(self.accelerator.with_parameters(**hardware_values(own)), own)

    def _study(self, chip: Accelerator, own: Mapping[str, Value] | None) -> VideoStudy:
        levers: dict[str, Any] = {}
        if own is not None:
            levers = {
                "filter": FilterSettings(float(own["net.filter"]), int(own["net.longest"])),
                "saliency": SaliencySettings(int(own["net.tile"])),
                "density": float(own["net.density"]),
            }
        design = VideoDesign(chip, shares=_SHARES, mapper=self.spec.mapper.name, **levers)
        return VideoStudy(self.video, design, self.detector_scenes)

    def recall(self, baseline: Mapping[str, float]) -> None:
        """Nothing: no accuracy is paid for."""

    def network_key(self, values: Mapping[str, Value]) -> str | None:
        """None: what tracking loses depends on the engine's speed too."""
        return None

    def _judge(
        self, values: Mapping[str, Value], accuracy: Answer | None
    ) -> tuple[Status, dict[str, float], str, float]:
        metrics: dict[str, float] = {}
        try:
            study = self.pipeline(values)
            metrics.update(_known_at_once(study.design.accelerator))
            reason, violation = exceeded(metrics, self.limits)
            if not reason:
                metrics.update(self._run(study, ALL))
                reason, violation = exceeded(metrics, self.limits)
        except (Infeasible, BadInput) as error:
            return "infeasible", metrics, " ".join(str(error).split()), 0.0
        return ("constraint" if reason else "ok"), metrics, reason, violation

    def _run(self, study: VideoStudy, levers: Levers) -> dict[str, float]:
        run = study.run(levers)
        loss = tracking_quality(self.video, run.shown).loss_pct(self.reference)["f1"]
        latency_s = float(np.mean(run.latency_s))
        return {
            "latency_s": latency_s, "energy_j": run.energy_per_frame_j, "edp": latency_s * run.energy_per_frame_j,
            "tracking_loss_pct": round(max(0.0, loss), 4), "kept_frames": run.kept_share, "kept_area": run.area,
            "lost_frames": float(run.lost),
        }  # fmt: skip

    def layers(self, values: Mapping[str, Value]) -> DataFrame:
        """A row per operator of a design's network on a whole frame."""
        return self._whole_frame(values)[2].layers()

    def timeline(self, values: Mapping[str, Value]) -> GanttInfo:
        """The simulated run of a design's network on a whole frame."""
        return gantt_of(*self._whole_frame(values))

    def _whole_frame(self, values: Mapping[str, Value]) -> tuple[Network, Accelerator, Estimate]:
        design = self.pipeline(values).design
        network = detector_resnet18(self.scene.height, self.scene.width)
        sparse = block_sparse(network, design.density, design.blocks)
        chip = design.accelerator
        return sparse, chip, estimate(sparse, chip, design.mapper, self.spec.mapper.objective)

    def accuracy_statement(self) -> str:
        """What the loss is measured on."""
        return (
            f"tracking loss: F1 of the tracks of {self.scene.objects} objects in {self.scene.frames} frames of a "
            f"synthetic video, against the dense run's {self.reference.f1:.3f}; a small detector with the same share "
            "of blocks finds the boxes"
        )


_NETWORK = "detector_resnet18"


def _known_at_once(chip: Accelerator) -> dict[str, float]:
    return {"area_mm2": chip.area_mm2, "peak_ops_per_s": chip.peak_ops_per_s}
