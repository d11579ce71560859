"""Everything a report shows, from a study's folder or from a result in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...accel.simulator.gantt import GanttInfo
from ...document import load_document
from ...errors import BadInput
from ..spaces.compose import networks_of
from ..spaces.composed_space import ComposedSpace
from ..studies.files import Context
from ..studies.folder import was_edited
from ..studies.load import check_shape, study_text
from ..studies.log import read_trials
from ..studies.spec import StudySpec
from ..studies.tables import front_frame, trials_frame
from .analysis.convergence import ConvergenceInfo, convergence_info
from .analysis.importance import ImportanceInfo, importance_info
from .analysis.timeline import read_timeline
from .choose import Chosen, chosen_designs
from .figures.front import FrontInfo, front_info

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["EDITED_NOTE", "Findings", "reference_point"]

EDITED_NOTE = "study.yaml was edited after these trials were made: what is read from it may not be how they were made."


@dataclass(frozen=True)
class Findings:
    """A study, its trials, and what was worked out at its end: of the balanced design the ``layers``, the simulated
    ``timeline``, the ``ablation`` from the baseline to it, the ``transfer`` of its hardware to other networks.

    ``seeds`` has a row per seed where the study was repeated. What is not there is None.
    """

    spec: StudySpec
    context: Context
    trials: DataFrame
    folder: Path | None = None
    layers: DataFrame | None = None
    timeline: GanttInfo | None = None
    ablation: DataFrame | None = None
    transfer: DataFrame | None = None
    seeds: DataFrame | None = None

    @staticmethod
    def read(folder: Path) -> Findings:
        """What a study's folder holds; raises `BadInput` where it holds none, `SpecError` where its log is damaged."""
        if not (folder / "study.yaml").is_file():
            raise BadInput(f"{folder}: no study's folder (study.yaml is missing); name the --out folder of a run")
        spec = check_shape(load_document(folder / "study.yaml"))
        context = Context.read(folder / "context.json")
        most = spec.budget.trials if context.trials is None else context.trials
        known = read_trials(folder / "trials.jsonl", spec.objectives)
        logged = [trial for trial in known if trial.number < most]
        return Findings(
            spec, context, trials_frame(logged, spec.objectives), folder, _table(folder / "layers.csv"),
            read_timeline(folder / "timeline.json"), _table(folder / "ablation.csv"), _table(folder / "transfer.csv"),
            _table(folder.parent / "repeats.csv"),
        )  # fmt: skip

    @cached_property
    def study_yaml(self) -> str:
        """The study as it ran."""
        if self.folder is not None and (self.folder / "study.yaml").is_file():
            return (self.folder / "study.yaml").read_text(encoding="utf-8")
        return study_text(self.spec)

    @cached_property
    def note(self) -> str:
        """A sentence on what a reader must know before all else; empty where there is nothing."""
        if self.folder is not None and was_edited(self.folder, self.context):
            return EDITED_NOTE
        return ""

    @cached_property
    def front(self) -> DataFrame:
        """The trials no other dominates."""
        return front_frame(self.trials, self.spec.objectives)

    @cached_property
    def info(self) -> FrontInfo:
        """The feasible designs as points."""
        return front_info(self.trials, self.spec.objectives, self.context.baseline)

    @cached_property
    def chosen(self) -> list[Chosen]:
        """The designs shown in full."""
        return chosen_designs(self.front, self.spec.objectives, self.context.baseline)

    @cached_property
    def reference(self) -> tuple[list[float], str]:
        """The hypervolume's reference point, and where it comes from."""
        return reference_point(self.trials, self.spec.objectives, self.context.baseline)

    @cached_property
    def convergence(self) -> ConvergenceInfo:
        """Hypervolume and best so far, trial by trial."""
        reference = self.reference[0]
        return convergence_info(self.trials, self.spec.objectives, reference, self.context.baseline, self.stated)

    @cached_property
    def stated(self) -> frozenset[str]:
        """The networks' choices whose losses the study states; none where its space can no longer be had."""
        try:
            networks = networks_of(self.spec.network)
        except BadInput:
            return frozenset()
        asked = networks.asked.space if isinstance(networks, ComposedSpace) else networks.space
        return frozenset(networks.space.names) - frozenset(asked.names)

    @cached_property
    def importance(self) -> ImportanceInfo:
        """What each choice explains of each objective."""
        return importance_info(self.trials, self.spec.objectives)

    @cached_property
    def baseline_choices(self) -> Mapping[str, Any]:
        """The baseline's choices where it was the first trial: then it costs what the first trial costs."""
        trials, baseline = self.trials, self.context.baseline
        first = trials[trials["number"] == 0]
        if not len(first) or not baseline:
            return {}
        row = {str(name): value for name, value in first.iloc[0].items()}
        return row if all(row.get(name) == baseline.get(name) for name in self.spec.objectives) else {}

    def row(self, number: int) -> Mapping[str, Any]:
        """A design of the front."""
        row = self.front[self.front["number"] == number].iloc[0]
        return {str(name): value for name, value in row.items()}


def reference_point(
    trials: DataFrame, objectives: Sequence[str], baseline: Mapping[str, float]
) -> tuple[list[float], str]:
    """The worst corner of the box in which a hypervolume is measured, and where it comes from."""
    if all(baseline.get(name, 0.0) > 0 for name in objectives):
        return [2.0 * baseline[name] for name in objectives], "twice the baseline"
    feasible = trials[trials["status"] == "ok"]
    worst = [float(feasible[name].max()) if len(feasible) else 1.0 for name in objectives]
    return [1.1 * value or 1.0 for value in worst], "1.1 times the worst feasible trial, 1 where that is 0"


def _table(path: Path) -> DataFrame | None:
    """A table of the folder; None where it is not there."""
    import pandas as pd

    if not path.is_file():
        return None
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise BadInput(f"{path}: cannot be read as a table; delete it and run the study again with --resume") from error
