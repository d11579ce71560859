"""What carries out evaluations: a queue in, results out. This process itself, worker processes, a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

from ..accuracy.source import Answer
from ..spaces.space import Value
from ..studies.trial import Evaluator, TrialResult

__all__ = ["MOST_DEATHS", "Here", "Workers", "evaluated", "fatal"]

MOST_DEATHS = 3
"""How often a trial may end the worker that evaluates it: an outsider's kill is forgiven, a deadly design is not."""


class Workers(Protocol):
    """Evaluates what is submitted, in any order."""

    def submit(self, number: int, values: Mapping[str, Value], accuracy: Answer | None) -> None:
        """Queue a trial; ``accuracy`` is what is known of its network already. A number is not queued twice."""

    def next(self) -> tuple[int, TrialResult]:
        """A queued trial's number and result, as soon as one ends; called only while some are queued.

        Raises what the evaluation raised, and `CannotDo` where no worker can be had.
        """

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; ``at_once`` leaves what they are at unfinished."""


class Here:
    """Evaluates in this process, one trial after the other."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._queue: deque[tuple[int, Mapping[str, Value], Answer | None]] = deque()

    def submit(self, number: int, values: Mapping[str, Value], accuracy: Answer | None) -> None:
        """Queued until ``next`` asks."""
        self._queue.append((number, values, accuracy))

    def next(self) -> tuple[int, TrialResult]:
        """The oldest of the queue, evaluated now."""
        number, values, accuracy = self._queue.popleft()
        return number, evaluated(self._evaluator, values, accuracy)

    def close(self, *, at_once: bool) -> None:
        """Nothing to let go of."""
        self._queue.clear()


def evaluated(evaluator: Evaluator, values: Mapping[str, Value], accuracy: Answer | None) -> TrialResult:
    """One evaluation. Evaluators that know of no accuracy are never given one, and need not take it."""
    return evaluator.evaluate(values) if accuracy is None else evaluator.evaluate(values, accuracy)


def fatal() -> TrialResult:
    """The result of a trial that ended every worker it was given to."""
    return TrialResult(
        "infeasible", {}, f"its evaluation ended {MOST_DEATHS} workers (out of memory, or a crash in compiled code)"
    )
