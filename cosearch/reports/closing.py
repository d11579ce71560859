"""What is worked out once at the end of a run, of its balanced design: layers, timeline, ablation, transfer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ...accel.simulator.gantt import GanttInfo
from ...errors import BadInput, CannotDo, DovetailError, Infeasible
from ..spaces.space import Value
from ..studies.log import write_atomically
from ..studies.pareto import scaled
from ..studies.spec import StudySpec
from ..studies.tables import front_frame, trials_frame
from ..studies.trial import Trial, TrialResult
from .analysis.ablation import Labels, Step, ablation, ablation_frame, changes_between
from .analysis.timeline import timeline_text
from .choose import chosen_designs

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Closing", "Simulates", "Transfers", "ablation_steps", "write_closing"]

LEAST_ABLATION = 36


@runtime_checkable
class Simulates(Protocol):
    """A problem whose designs can be simulated."""

    def timeline(self, values: Mapping[str, Value]) -> GanttInfo:
        """The simulated run of one design."""


@runtime_checkable
class Transfers(Protocol):
    """A problem whose hardware can run other networks."""

    def transfer(self, values: Mapping[str, Value], networks: Sequence[str]) -> DataFrame:
        """Costs of other ``networks`` on the design's hardware and on the baseline's: columns ``network``,
        ``hardware`` ("chosen" or "baseline"), ``latency_s``, ``energy_j``, ``edp``, ``reason`` ("" where it runs).
        """


@dataclass(frozen=True)
class Closing:
    """What the end of a run has at hand. ``evaluate`` judges designs, as many at once as there are workers.

    ``expensive``: a network's accuracy has to be paid for, so that no other networks are asked about.
    """

    spec: StudySpec
    baseline: Mapping[str, float]
    labels: Labels
    first: Mapping[str, Value] | None
    finished: tuple[Trial, ...]
    evaluate: Callable[[Sequence[Mapping[str, Value]]], Sequence[TrialResult]]
    expensive: bool = False

    def chosen(self) -> Trial | None:
        """The balanced design; None where the front is empty."""
        trials = trials_frame(self.finished, self.spec.objectives)
        chosen = chosen_designs(front_frame(trials, self.spec.objectives), self.spec.objectives, self.baseline)
        return next((trial for trial in self.finished if chosen and trial.number == chosen[0].number), None)


def write_closing(closing: Closing, problem: Any, out: Path) -> None:
    """Write ``layers.csv``, ``timeline.json``, ``ablation.csv`` and ``transfer.csv``; those that cannot be had are not
    there. What an earlier run of the same trials worked out stays (``closing.json`` says of which). Raises `CannotDo`
    where the chosen design cannot be mapped again.
    """
    chosen = closing.chosen()
    key = json.dumps({
        "trial": None if chosen is None else chosen.number, "trials": len(closing.finished),
        "fingerprint": closing.spec.fingerprint(), "report": closing.spec.report.model_dump(mode="json"),
    })  # fmt: skip
    mark = out / "closing.json"
    if mark.is_file() and mark.read_text(encoding="utf-8") == key:
        return
    for name in (mark.name, "layers.csv", "timeline.json", "ablation.csv", "transfer.csv"):
        (out / name).unlink(missing_ok=True)
    if chosen is not None:
        _write(closing, problem, chosen, out)
    write_atomically(mark, key)


def _write(closing: Closing, problem: Any, chosen: Trial, out: Path) -> None:
    try:
        layers = problem.layers(chosen.values)
    except CannotDo as error:
        raise CannotDo(f"trial {chosen.number}: {error}") from error
    layers.insert(0, "trial", chosen.number)
    write_atomically(out / "layers.csv", layers.to_csv(index=False))
    part = closing.spec.report
    if part.timeline and isinstance(problem, Simulates):
        text = _had(lambda: timeline_text(problem.timeline(chosen.values)))
        if text is not None:
            write_atomically(out / "timeline.json", text)
    steps = ablation_steps(closing, chosen)
    if steps:
        write_atomically(out / "ablation.csv", ablation_frame(steps).to_csv(index=False))
    if part.transfer and isinstance(problem, Transfers):
        frame = _had(lambda: problem.transfer(chosen.values, part.transfer))
        if frame is not None:
            write_atomically(out / "transfer.csv", frame.to_csv(index=False))


def _had(work: Callable[[], Any]) -> Any:
    """What ``work`` gives; None where a design that was searched for latency and energy cannot be shown so."""
    try:
        return work()
    except (BadInput, CannotDo, Infeasible):
        return None


def ablation_steps(closing: Closing, chosen: Trial) -> list[Step]:
    """The way from the first design of the study to the chosen one; [] where they are the same or it is not wanted."""
    part = closing.spec.report
    most = part.ablation if part.ablation is not None else max(LEAST_ABLATION, closing.spec.budget.trials // 2)
    if closing.first is None or not most or (closing.expensive and not _first_is_known(closing)):
        return []
    changes = changes_between(closing.first, chosen.values, closing.labels, most, closing.expensive)
    if not changes:
        return []
    try:
        return ablation(closing.first, chosen.values, changes, closing.evaluate, _score(closing))
    except DovetailError:
        return []  # a problem that cannot judge designs off the beaten track has no path to show


def _first_is_known(closing: Closing) -> bool:
    """Whether the accuracy of the first design was asked for; if not, a path from it would cost another one."""
    return any(trial.number == 0 and "error_pct" in trial.result.metrics for trial in closing.finished)


def _score(closing: Closing) -> Callable[[TrialResult], float]:
    """The mean of the objectives, each scaled to 0..1 over the front and the first design."""
    objectives = closing.spec.objectives
    trials = trials_frame(closing.finished, objectives)
    known = front_frame(trials, objectives)[objectives].to_numpy(dtype=float)
    first = trials[(trials["number"] == 0) & (trials["status"] == "ok")][objectives].to_numpy(dtype=float)
    over = np.vstack([known, first])

    def score(result: TrialResult) -> float:
        point = [[result.metrics.get(name, math.nan) for name in objectives]]
        return math.inf if np.isnan(point).any() else float(scaled(point, over).mean())

    return score
