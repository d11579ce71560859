"""Runs a study: asks its strategy, evaluates, logs each trial as it ends, and writes what was found."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import CannotDo, check_whole
from ..executors.executor import Executor
from ..executors.pool import Pool
from ..executors.workers import Here, Workers
from ..life.search_energy import HOST_POWER_W, TRIAL_S, search_energy
from ..life.spent import SearchCost
from ..reports.views import StudyViews
from ..spaces.space import Space, Value
from ..spaces.video_levers import VIDEO_SPACE
from ..strategies.base import Task
from ..strategies.modes import make_strategy
from .files import Context
from .folder import claim, earlier_trials, finish, folder_of, open_log
from .load import load_study
from .loop import Purse, finished_trials
from .spec import StudySpec
from .standing import Scoreboard, Watch
from .tables import front_frame, trials_frame
from .trial import Dropped, Evaluator, Proposal, Trial, TrialResult

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..reports.closing import Closing
    from ..reports.findings import Findings

__all__ = ["Progress", "SearchProblem", "StudyResult", "run_study", "search"]

MOST_WORKERS = 10_000
Progress = Callable[[int, int], None]


class SearchProblem(Evaluator, Protocol):
    """What a study searches: `StudyEvaluator`, or a stand-in for it.

    It may have ``network_key(values) -> str | None`` (`executors.executor.NetworkKey`): designs of one key share their
    network's accuracy, which is then found once and handed to ``evaluate``. Without it every design finds its own.
    """

    @property
    def space(self) -> Space:
        """The joint space of designs."""

    @property
    def first(self) -> Sequence[Mapping[str, Value]]:
        """Designs to try before any other."""

    @property
    def baseline(self) -> Mapping[str, float]:
        """Metrics of the design all others are compared with; may be empty."""

    @property
    def limits(self) -> Mapping[str, float]:
        """The most each constrained metric may be."""

    def layers(self, values: Mapping[str, Value]) -> DataFrame:
        """A row per operator of one design."""

    def accuracy_statement(self) -> str:
        """How accuracy is known, and how well."""

    def labels(self) -> Mapping[str, Mapping[str, str]]:
        """Texts with units for choices' values, by choice and value."""


@dataclass(frozen=True)
class StudyResult(StudyViews):
    """A finished study; ``out`` is its folder, None where it was kept in memory."""

    spec: StudySpec
    context: Context
    finished: tuple[Trial, ...] = field(repr=False)
    out: Path | None = None
    problem: SearchProblem | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<StudyResult {self.spec.name}: {len(self.finished)} trials, {len(self.front())} on the front>"

    @property
    def baseline(self) -> dict[str, float]:
        """Metrics of the baseline design; empty where the study names none."""
        return dict(self.context.baseline)

    def trials(self) -> DataFrame:
        """Every trial, a row each by number: status, reason, metrics (SI units), choices, ``on_front``, ``wall_s``."""
        return trials_frame(self.finished, self.spec.objectives)

    def front(self) -> DataFrame:
        """The trials no other one dominates, by the first objective."""
        return front_frame(self.trials(), self.spec.objectives)

    def ablation(self) -> DataFrame:
        """The way from the baseline to the balanced design, one change at a time; as ``ablation.csv`` has it.

        Rows by ``kind``: "start", then the "path"; each change "alone" on the baseline, and "undone" at the end. A
        result in memory evaluates the designs on the way now. Raises `CannotDo` where there is no such way.
        """
        from ..reports.analysis.ablation import ablation_frame
        from ..reports.closing import ablation_steps

        kept = self._findings.ablation
        if kept is not None or self.problem is None:
            steps = None
        else:
            with Executor(Here(self.problem), getattr(self.problem, "network_key", None)) as executor:
                executor.learn(self.finished)
                closing = _closing(self, self.problem, executor)
                chosen = closing.chosen()
                steps = ablation_steps(closing, chosen) if chosen is not None else []
        if kept is None and not steps:
            raise CannotDo(f"{self.spec.name}: no way leads from its first design to a better one of its front")
        return kept if kept is not None else ablation_frame(steps or [])

    @cached_property
    def _findings(self) -> Findings:
        from ..reports.findings import Findings

        if self.out is not None and (self.out / "trials.jsonl").is_file():
            return Findings.read(self.out)
        return Findings(self.spec, self.context, self.trials())

    def search_cost(
        self, host_power_w: float = HOST_POWER_W, *, trial_s: float | None = TRIAL_S, training_hardware: str = "a100"
    ) -> SearchCost:
        """What the search itself spent, for `life_cycle`: by counts, so that equal searches cost the same.

        See `search_energy` for what is counted; ``trial_s=None`` takes the measured seconds.
        """
        return search_energy(
            self.finished, self.baseline, host_power_w=host_power_w, trial_s=trial_s,
            preparation_macs=self.context.preparation_macs, training_hardware=training_hardware,
        )  # fmt: skip


def search(
    study: str | Path, *, out: str | Path | None = None, trials: int | None = None, seed: int | None = None,
    workers: int = 1, cluster: str | None = None, resume: bool = False, progress: Progress | None = None,
    watch: Watch | None = None, patches: str | Sequence[str] = (),
) -> StudyResult:  # fmt: skip
    """Search networks and hardware together: run a shipped study, or one in a YAML file.

    ``out`` is the folder for trials, front and report (None: memory only); ``resume`` goes on with what is in it.
    ``trials`` and ``seed`` replace the study's; ``patches`` such as ``pes?x=8`` change it (see `patch_study`). The
    same seed gives the same trials with any number of ``workers`` processes, and on a Dask ``cluster``
    (``tcp://HOST:8786``, or ``local:4`` for one of this machine's processes; its workers read the paths in a study as
    this machine does). After each trial ``progress(done, total)`` is called, and ``watch`` with the `Standing`: the
    front so far, its hypervolume, the best of each objective. Trial 0 is the baseline network on the default hardware
    where the space holds it, so that the front never loses to it.

    Raises `SpecError` for a wrong study, `BadInput` for a folder that holds other trials, `CannotDo` where no worker
    can be had or the disk is full; finished trials stay in the log.
    """
    folder = folder_of(out) if out is not None else None
    spec = load_study(study, trials=trials, seed=seed, patches=patches)
    workers = check_whole(workers, "workers", 1, MOST_WORKERS)
    return run_study(
        spec, _problem(spec), out=folder, workers=workers, cluster=cluster, resume=resume, progress=progress,
        watch=watch,
    )  # fmt: skip


def _problem(spec: StudySpec) -> SearchProblem:
    if spec.network.space == VIDEO_SPACE:
        from ..video.evaluator import VideoEvaluator

        return VideoEvaluator(spec)
    from .evaluator import StudyEvaluator

    return StudyEvaluator(spec)


def run_study(
    spec: StudySpec, problem: SearchProblem, *, out: Path | None = None, workers: int = 1,
    cluster: str | None = None, resume: bool = False, progress: Progress | None = None, watch: Watch | None = None,
) -> StudyResult:  # fmt: skip
    """As `search`, for a study and a problem at hand."""
    if cluster is not None:
        from ..executors.dask_cluster import check_cluster

        check_cluster(cluster)
    with contextlib.ExitStack() as stack:
        logged: list[Trial] = []
        keep: Callable[[Trial], None] = _forget
        if out is not None:
            log = stack.enter_context(open_log(out))
            logged = earlier_trials(log, out, resume, spec.objectives)
            keep = log.append
        if out is not None and logged:
            _recall(problem, out)
        context = _context(spec, problem)
        network_key = getattr(problem, "network_key", None)
        purse = Purse(spec.budget.accuracy_evaluations, network_key)
        task = Task(
            problem.space, tuple(spec.objectives), spec.seed, tuple(problem.first), context.limits, context.baseline,
            sweep=getattr(problem, "sweep", None), statistics=getattr(problem, "statistics", None),
            networks=getattr(problem, "networks", None), judge=problem.evaluate,
            foreknown=getattr(problem, "foreknown", None),
        )  # fmt: skip
        strategy = make_strategy(
            spec.mode.name, spec.strategy.name, task, spec.strategy.options, spec.mode.options
        )
        context = replace(context, preparation_macs=_preparation_macs(problem) + _preparation_macs(strategy))
        if out is not None:
            claim(out, spec, context, logged)
        finished: list[Trial] = []
        board = Scoreboard(spec.objectives, context.baseline, spec.budget)
        with Executor(_workers(problem, workers, cluster), network_key) as executor:
            for trial in finished_trials(strategy, executor, spec.budget, purse, logged, keep):
                finished.append(trial)
                if watch is not None:
                    watch(board.show(trial, purse.spent))
                if progress is not None:
                    progress(len(finished), spec.budget.trials)
            in_order = tuple(sorted(finished, key=lambda trial: trial.number))
            dropped: Dropped = getattr(strategy, "dropped", Dropped())
            context = replace(context, dropped=dropped.networks, least_dropped=dict(dropped.least))
            result = StudyResult(spec, context, in_order, out, problem)
            if out is not None:
                _write_results(result, problem, executor, out)
    return result


def _workers(problem: SearchProblem, workers: int, cluster: str | None) -> Workers:
    if cluster is not None:
        from ..executors.dask_cluster import DaskCluster

        return DaskCluster(problem, cluster)
    return Here(problem) if workers == 1 else Pool(problem, workers)


def _forget(trial: Trial) -> None:
    """Without a folder nothing is kept but the result."""


def _recall(problem: SearchProblem, out: Path) -> None:
    """Tell a problem what the baseline's accuracy was in the run that is continued, where it wants to know."""
    recall = getattr(problem, "recall", None)
    if recall is not None:
        recall(Context.read(out / "context.json").baseline)


def _preparation_macs(one: Any) -> float:
    return float(getattr(one, "preparation_macs", 0.0))


def _context(spec: StudySpec, problem: SearchProblem) -> Context:
    """What the report needs to know; the baseline is evaluated here."""
    labels = {choice: dict(texts) for choice, texts in problem.labels().items()}
    return Context(
        spec.fingerprint(), dict(problem.baseline), dict(problem.limits), problem.accuracy_statement(), labels,
        float(problem.space.size), versions=_versions(),
    )  # fmt: skip


def _versions() -> dict[str, str]:
    import numpy

    return {"dovetail": version("dovetail"), "python": platform.python_version(), "numpy": numpy.__version__}


def _write_results(result: StudyResult, problem: SearchProblem, executor: Executor, out: Path) -> None:
    from ..reports.closing import write_closing
    from ..reports.report import report

    finish(out, len(result.finished), Dropped(result.context.dropped, result.context.least_dropped))
    write_closing(_closing(result, problem, executor), problem, out)
    report(out)


def _closing(result: StudyResult, problem: SearchProblem, executor: Executor) -> Closing:
    """What is needed to work out more of the balanced design."""
    from ..reports.closing import Closing

    numbers = count(1 + max((trial.number for trial in result.finished), default=0))  # later than all that is known

    def judge(points: Sequence[Mapping[str, Value]]) -> list[TrialResult]:
        proposals = list(map(Proposal, numbers, points))
        judged = {trial.number: trial.result for trial in executor.run(proposals)}
        return [judged[proposal.number] for proposal in proposals]

    first = next(iter(problem.first), None)
    expensive = bool(getattr(problem, "expensive", False))
    return Closing(result.spec, result.baseline, problem.labels(), first, result.finished, judge, expensive)
