"""The video study: every combination of the levers through one pipeline, each against the dense run.

Levers: the temporal *filter*, spatial *saliency*, block-sparse *weights*, and the *engine*'s use of zeros. Weights and
engine need each other, so the product of the levers' own gains takes them as one.

After Zhang et al., "Data-Model-Hardware Tri-Design for Energy-Efficient Video Intelligence", ASP-DAC 2023
(arXiv:2210.08578): a model of their method, not of their figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from ...accel.accelerator import Accelerator
from ...accel.simulator.checks import checked_number
from ...accel.simulator.power import PowerModel
from ...accel.spec import load_accelerator
from ...errors import BadInput, check_type
from .backbone import block_sparse, detector_resnet18
from .cost import SHARES, ArrayCost, NetworkOfSize, Work, array_cost, fetch_cost, pass_cost, without_sparsity
from .detector import Detections, fitted_detector
from .frame_filter import BLOCK, FilterSettings
from .perception import Perception
from .pipeline import Costs, Flow, run_pipeline
from .quality import Quality, tracking_quality
from .run import PipelineRun
from .saliency import SaliencySettings
from .scene import Scene, Video

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "ALL",
    "COMBINATIONS",
    "DENSE",
    "SINGLE",
    "Levers",
    "VideoDesign",
    "VideoResult",
    "VideoRow",
    "VideoStudy",
    "video_study",
]

_CHANNELS = 3  # words of 8 bits per pixel that the network takes
_OPERATIONS_PER_BLOCK = 4  # difference, magnitude, against the floor, sum
_GAINS = {
    "latency_s": "latency_gain", "latency_p95_s": "latency_p95_gain", "frames_per_s": "frame_rate_gain",
    "power_w": "power_gain", "energy_j": "energy_gain",
}  # fmt: skip
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Levers:
    """Which levers are on."""

    filter: bool = False
    saliency: bool = False
    weights: bool = False
    engine: bool = False

    @property
    def name(self) -> str:
        """The levers that are on, "dense" where none is."""
        return (
            " + ".join(name for name in ("filter", "saliency", "weights", "engine") if getattr(self, name)) or "dense"
        )


DENSE, ALL = Levers(), Levers(True, True, True, True)  # nothing is left out; everything is
SINGLE = (Levers(filter=True), Levers(saliency=True), Levers(weights=True, engine=True))
COMBINATIONS = tuple(
    Levers(filters, salient, weights, engine)
    for weights, engine, salient, filters in product((False, True), repeat=4)
)  # fmt: skip


@dataclass(frozen=True)
class VideoDesign:
    """What is run: the levers' settings, the accelerator and the network on it.

    ``density`` is the share of blocks of weights that remain, blocks being as large as the engine's own (``block``
    where it states none). ``network`` builds the network for a height and a width. ``tracker`` is what tracking takes
    per frame on a small processor: our choice, 50 µs at 0.2 W. ``camera_w`` is left out of the energy unless given.
    """

    accelerator: Accelerator
    network: NetworkOfSize = detector_resnet18
    filter: FilterSettings = field(default_factory=FilterSettings)
    saliency: SaliencySettings = field(default_factory=SaliencySettings)
    density: float = 0.6
    block: tuple[tuple[str, int], ...] = (("K", 16), ("C", 16))
    flow: Flow = field(default_factory=Flow)
    tracker: Work = field(default_factory=lambda: Work(50e-6, 10e-6))
    camera_w: float = 0.0
    shares: tuple[float, ...] = SHARES
    mapper: str = "optimal"

    def __post_init__(self) -> None:
        check_type(self.accelerator, Accelerator, "accelerator", "load it with load_accelerator")
        checked_number(self.density, "weight density", maximum=1.0, positive=True, remedy="the share of blocks left")

    @property
    def blocks(self) -> tuple[tuple[str, int], ...]:
        """The blocks in which weights are pruned."""
        skipping = self.accelerator.compute.skipping
        own = tuple((dim, size) for dim, size in (skipping.blocks if skipping else {}).items() if dim in ("K", "C"))
        return own or self.block


@dataclass(frozen=True, eq=False)
class VideoRow:
    """One combination of levers: the run at the camera's rate, the run of the recorded video, the tracks' quality."""

    levers: Levers
    live: PipelineRun
    recorded: PipelineRun
    quality: Quality


@dataclass(eq=False)
class VideoStudy:
    """Runs levers over one video; detections and costs are remembered between runs."""

    video: Video
    design: VideoDesign
    detector_scenes: int = 16
    _known: dict[float, dict[tuple[int, bytes], Detections]] = field(default_factory=dict)
    _costs: dict[tuple[bool, bool], ArrayCost] = field(default_factory=dict)

    @property
    def picture(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.video.scene.height, self.video.scene.width

    def array(self, levers: Levers) -> ArrayCost:
        """The network's cost on the array. An engine that makes no use of zeros cannot tell which weights are there."""
        design, key = self.design, (levers.weights and levers.engine, levers.engine)
        if key not in self._costs:
            chip = design.accelerator if levers.engine else without_sparsity(design.accelerator)
            density = design.density if key[0] else 1.0

            def network(height: int, width: int) -> Any:
                return block_sparse(design.network(height, width), density, design.blocks)

            self._costs[key] = array_cost(network, chip, self.picture, design.shares, mapper=design.mapper)
        return self._costs[key]

    def costs(self, levers: Levers) -> Costs:
        """What the stages take with these levers; filter and saliency on a vector unit like the accelerator's."""
        design, chip = self.design, self.design.accelerator
        pixels = self.picture[0] * self.picture[1]
        blocks = pixels / BLOCK**2
        array, tile = self.array(levers), design.saliency.tile
        return Costs(
            filter=pass_cost(
                "frame_filter", chip, operations=pixels + _OPERATIONS_PER_BLOCK * blocks, read=pixels + blocks,
                written=blocks,
            ),
            saliency=pass_cost("saliency", chip, operations=10 * blocks, read=blocks, written=blocks),
            dma=lambda focus: fetch_cost(chip, 8 * _CHANNELS * pixels * focus.fetched),
            array=lambda focus: array.of(focus.tiles, tile),
            tracker=design.tracker,
            power=PowerModel(leakage_w=chip.leakage_w, clock_w=chip.clock_w),
            camera_w=design.camera_w,
        )  # fmt: skip

    def perception(self, levers: Levers) -> Perception:
        """What looks at the pixels with these levers."""
        design = self.design
        density = design.density if levers.weights else 1.0
        return Perception(
            self.video, fitted_detector(density, self.detector_scenes), design.filter if levers.filter else None,
            design.saliency if levers.saliency else None, self._known.setdefault(density, {}),
        )  # fmt: skip

    def run(self, levers: Levers, flow: Flow | None = None) -> PipelineRun:
        """One run; ``flow`` None: the design's."""
        return run_pipeline(self.perception(levers), self.costs(levers), flow or self.design.flow)

    def row(self, levers: Levers) -> VideoRow:
        """Both runs and the quality of what was said at the camera's rate."""
        live = self.run(levers)
        recorded = self.run(levers, Flow(self.design.flow.queue, "wait", recorded=True))
        return VideoRow(levers, live, recorded, tracking_quality(self.video, live.shown))

    @cached_property
    def reference(self) -> Quality:
        """The dense run of the same tracker with every frame computed, none lost."""
        return tracking_quality(self.video, self.run(DENSE, Flow(self.design.flow.queue, "wait", recorded=True)).shown)


@dataclass(frozen=True, eq=False)
class VideoResult:
    """The rows of a study, the dense one among them, and the quality all are compared with."""

    study: VideoStudy
    rows: tuple[VideoRow, ...]

    def row(self, levers: Levers) -> VideoRow:
        """The row of a combination; raises `BadInput` where it was not run."""
        for row in self.rows:
            if row.levers == levers:
                return row
        raise BadInput(f"the study has no run of {levers.name}")

    def gains(self, levers: Levers) -> dict[str, float]:
        """How many times better than dense: latency, 95th percentile, frame rate, power and energy."""
        own, dense = _figures(self.row(levers)), _figures(self.row(DENSE))
        return {
            name: own[name] / dense[name] if name == "frames_per_s" else dense[name] / own[name]
            for name in _GAINS
        }

    def product(self, singles: Iterable[Levers] = SINGLE) -> dict[str, float]:
        """The product of the gains of single levers."""
        found = [self.gains(levers) for levers in singles]
        return {name: math.prod(gains[name] for gains in found) for name in found[0]}

    def table(self) -> DataFrame:
        """A row per combination: kept frames, area, latency, frame rate, power, energy, gains, quality and its loss."""
        import pandas as pd

        records = []
        for row in self.rows:
            record: dict[str, Any] = {"levers": row.levers.name, **_figures(row)}
            record |= {_GAINS[name]: gain for name, gain in self.gains(row.levers).items()}
            quality = row.quality
            record |= {"f1": quality.f1, "iou": quality.iou, "identity_f1": quality.identity_f1}
            record |= {"switches": quality.switches}
            record |= {f"{name}_loss_pct": loss for name, loss in quality.loss_pct(self.study.reference).items()}
            records.append(record)
        return pd.DataFrame(records)


def _figures(row: VideoRow) -> dict[str, float]:
    from numpy import percentile

    live = row.live
    return {
        "kept": live.kept_share,
        "area": live.area,
        "lost": float(live.lost),
        "latency_s": float(live.latency_s.mean()),
        "latency_p95_s": float(percentile(live.latency_s, 95)),
        "computed_latency_s": float(live.computed_latency_s.mean()),
        "frames_per_s": row.recorded.frames_per_s,
        "power_w": live.power_w,
        "energy_j": live.energy_per_frame_j,
    }


def video_study(
    scene: Scene | None = None, accelerator: Accelerator | str = "block_sparse_edge", *,
    combinations: Sequence[Levers] = COMBINATIONS, progress: Progress | None = None, detector_scenes: int = 16,
    **design: Any,
) -> VideoResult:  # fmt: skip
    """Run combinations of levers (the dense one is always among them) over a scene's video.

    ``design`` are the other fields of a `VideoDesign`. Each combination runs twice: at the camera's rate, for latency,
    energy and tracks, and as a recorded video, for the frame rate it could sustain. Takes about two minutes for all 16.
    Raises `BadInput` for settings that make no sense, `Infeasible` where the network does not fit the accelerator.
    """
    chip = load_accelerator(accelerator) if isinstance(accelerator, str) else accelerator
    study = VideoStudy(Video(scene or Scene()), VideoDesign(chip, **design), detector_scenes)
    asked = list(dict.fromkeys([DENSE, *combinations]))
    rows = []
    for levers in asked:
        rows.append(study.row(levers))
        if progress is not None:
            progress(len(rows), len(asked))
    return VideoResult(study, tuple(rows))
