"""Runs a study: asks its strategy, evaluates, logs each trial as it ends, and writes what was found."""

from __future__ import annotations

import contextlib
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...errors import BadInput, CannotDo
from ..executors.pool import Executor
from ..life.spent import SearchCost
from ..reports.views import StudyViews
from ..spaces.space import Space, Value
from ..spaces.video_levers import VIDEO_SPACE
from ..strategies.base import Strategy, Task
from ..strategies.registry import strategy_class
from .files import Context
from .load import load_study, study_text
from .log import TrialLog, read_trials, write_atomically
from .spec import StudySpec
from .tables import front_frame, trials_frame
from .trial import Evaluator, Proposal, Trial, TrialResult

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..reports.closing import Closing
    from ..reports.findings import Findings

__all__ = ["Progress", "SearchProblem", "StudyResult", "run_study", "search"]

Progress = Callable[[int, int], None]


class SearchProblem(Evaluator, Protocol):
    """What a study searches: `StudyEvaluator`, or a stand-in for it."""

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
            with Executor(self.problem) as executor:
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

    def search_cost(self, host_power_w: float = 100.0) -> SearchCost:
        """What the search itself spent, for `life_cycle`: each trial's time on a machine of so many watts."""
        seconds = math.fsum(trial.result.wall_s for trial in self.finished)
        return SearchCost(len(self.finished), seconds * host_power_w / (len(self.finished) or 1))


def search(
    study: str | Path, *, out: str | Path | None = None, trials: int | None = None, seed: int | None = None,
    workers: int = 1, resume: bool = False, progress: Progress | None = None,
) -> StudyResult:  # fmt: skip
    """Search networks and hardware together: run a shipped study, or one in a YAML file.

    ``out`` is the folder for trials, front and report (None: memory only); ``resume`` goes on with what is in it.
    ``trials`` and ``seed`` replace the study's. The same seed gives the same trials with any number of ``workers``
    processes. ``progress(done, total)`` is called after each trial. Trial 0 is the baseline network on the default
    hardware where the space holds it, so that the front never loses to it.

    Raises `SpecError` for a wrong study, `BadInput` for a folder that holds other trials, `CannotDo` where a worker
    process dies; finished trials stay in the log.
    """
    spec = load_study(study, trials=trials, seed=seed)
    folder = Path(out) if out is not None else None
    return run_study(spec, _problem(spec), out=folder, workers=workers, resume=resume, progress=progress)


def _problem(spec: StudySpec) -> SearchProblem:
    if spec.network.space == VIDEO_SPACE:
        from ..video.evaluator import VideoEvaluator

        return VideoEvaluator(spec)
    from .evaluator import StudyEvaluator

    return StudyEvaluator(spec)


def run_study(
    spec: StudySpec, problem: SearchProblem, *, out: Path | None = None, workers: int = 1, resume: bool = False,
    progress: Progress | None = None,
) -> StudyResult:  # fmt: skip
    """As `search`, for a study and a problem at hand."""
    with contextlib.ExitStack() as stack:
        logged: list[Trial] = []
        keep: Callable[[Trial], None] = _forget
        if out is None:
            context = _context(spec, problem)
        else:
            log = stack.enter_context(_open_log(out))
            logged = _earlier(log, out, resume)
            context = _claim(out, spec, problem, logged)
            keep = log.append
        task = Task(
            problem.space, tuple(spec.objectives), spec.seed, tuple(problem.first), context.limits, context.baseline
        )
        strategy = strategy_class(spec.strategy.name)(task, spec.strategy.options)
        finished: list[Trial] = []
        with Executor(problem, workers) as executor:
            for trial in _trials(strategy, executor, spec.budget.trials, logged, keep):
                finished.append(trial)
                if progress is not None:
                    progress(len(finished), spec.budget.trials)
            in_order = tuple(sorted(finished, key=lambda trial: trial.number))
            result = StudyResult(spec, context, in_order, out, problem)
            if out is not None:
                _write_results(result, problem, executor, out)
    return result


def _forget(trial: Trial) -> None:
    """Without a folder nothing is kept but the result."""


def _trials(
    strategy: Strategy, executor: Executor, budget: int, logged: Sequence[Trial], keep: Callable[[Trial], None]
) -> Iterator[Trial]:
    """Batch after batch: logged trials are replayed, the others evaluated and kept; all are told in numbers' order."""
    executor.learn(logged)
    known = {trial.number: trial for trial in logged}
    asked = 0
    while asked < budget:
        proposals = strategy.ask(min(strategy.batch, budget - asked))
        if not proposals:
            return
        asked += len(proposals)
        batch: dict[int, Trial] = {}
        for proposal in proposals:
            if proposal.number in known:
                batch[proposal.number] = known[proposal.number]
                if dict(known[proposal.number].values) != dict(proposal.values):
                    raise BadInput(
                        f"trial {proposal.number} of the log is another design than this study proposes; the log was "
                        "made by another version; use another folder"
                    )
        yield from list(batch.values())
        for trial in executor.run([proposal for proposal in proposals if proposal.number not in known]):
            keep(trial)
            batch[trial.number] = trial
            yield trial
        numbers = sorted(batch)
        strategy.tell(numbers, [batch[number].result for number in numbers])


def _context(spec: StudySpec, problem: SearchProblem) -> Context:
    """What the report needs to know; the baseline is evaluated here."""
    labels = {choice: dict(texts) for choice, texts in problem.labels().items()}
    return Context(
        spec.fingerprint(), dict(problem.baseline), dict(problem.limits), problem.accuracy_statement(), labels,
        float(problem.space.size), _versions(),
    )  # fmt: skip


def _versions() -> dict[str, str]:
    import numpy

    from ... import __version__

    return {"dovetail": __version__, "python": platform.python_version(), "numpy": numpy.__version__}


def _open_log(out: Path) -> TrialLog:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return TrialLog(out / "trials.jsonl")
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name another folder") from error


def _earlier(log: TrialLog, out: Path, resume: bool) -> list[Trial]:
    """The trials an earlier run logged, made ready to be continued."""
    logged = read_trials(log.path)
    if logged and not resume:
        raise BadInput(f"{out}: holds {len(logged)} trials already; go on with --resume, or name another folder")
    log.drop_torn_line()
    return logged


def _claim(out: Path, spec: StudySpec, problem: SearchProblem, logged: Sequence[Trial]) -> Context:
    """Write the study and its context, after making sure that what is logged was made by the same."""
    context = _context(spec, problem)
    if logged:
        before = Context.read(out / "context.json")
        if before.fingerprint != context.fingerprint:
            raise BadInput(f"{out}: holds trials of another study or seed; name another folder")
        if (before.baseline, before.limits) != (context.baseline, context.limits):
            raise BadInput(
                f"{out}: the baseline costs something else than when these trials were made (a spec or the model has "
                "changed); name another folder"
            )
    write_atomically(out / "study.yaml", study_text(spec))
    context.write(out / "context.json")
    return context


def _write_results(result: StudyResult, problem: SearchProblem, executor: Executor, out: Path) -> None:
    from ..reports.closing import write_closing
    from ..reports.report import report

    write_closing(_closing(result, problem, executor), problem, out)
    report(out)


def _closing(result: StudyResult, problem: SearchProblem, executor: Executor) -> Closing:
    """What is needed to work out more of the balanced design."""
    from ..reports.closing import Closing

    def judge(points: Sequence[Mapping[str, Value]]) -> list[TrialResult]:
        judged = {trial.number: trial.result for trial in executor.run(list(starmap(Proposal, enumerate(points))))}
        return [judged[number] for number in range(len(points))]

    first = next(iter(problem.first), None)
    return Closing(result.spec, result.baseline, problem.labels(), first, result.finished, judge)
