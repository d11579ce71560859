"""How a search stands while it runs: the front so far, its hypervolume, the best of each objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .pareto import hypervolume
from .spec import Budget
from .trial import Trial

__all__ = ["Scoreboard", "Standing", "Watch"]


@dataclass(frozen=True)
class Standing:
    """After a trial: ``done`` of ``total`` trials, ``accuracies`` networks paid for, of which ``most`` may be.

    ``front`` (designs, objectives) holds the objectives of the feasible trials that none dominates, ``best`` the least
    of each objective. ``reference`` is the hypervolume's corner, None before the first feasible trial.
    """

    done: int
    total: int
    accuracies: int
    most: int | None
    front: NDArray[np.float64]
    best: Mapping[str, float]
    reference: tuple[float, ...] | None

    @cached_property
    def hypervolume(self) -> float:
        """The share of the box from zero to the reference that the front dominates; found out when asked for."""
        if self.reference is None:
            return 0.0
        return hypervolume(self.front, self.reference) / float(np.prod(self.reference))


Watch = Callable[[Standing], None]


class Scoreboard:
    """Keeps the front of the trials it is shown, in any order.

    The hypervolume's reference is twice the baseline, as in the report; twice the first feasible trial shown where the
    study has no baseline or an objective of it is not above 0.
    """

    def __init__(self, objectives: Sequence[str], baseline: Mapping[str, float], budget: Budget) -> None:
        self._objectives = tuple(objectives)
        self._budget = budget
        self._done = 0
        self._front = np.empty((0, len(self._objectives)))
        self._best: dict[str, float] = {}
        values = [baseline.get(name, 0.0) for name in self._objectives]
        self._reference: tuple[float, ...] | None = tuple(2.0 * v for v in values) if min(values) > 0 else None

    def show(self, trial: Trial, accuracies: int) -> Standing:
        """Take one more trial in; the standing after it. ``accuracies``: how many networks are paid for by now."""
        self._done += 1
        if trial.result.status == "ok":
            self._add(np.array([trial.result.metrics[name] for name in self._objectives]))
        return Standing(
            self._done, self._budget.trials, accuracies, self._budget.accuracy_evaluations, self._front,
            dict(self._best), self._reference,
        )  # fmt: skip

    def _add(self, point: NDArray[np.float64]) -> None:
        for name, value in zip(self._objectives, point, strict=True):
            self._best[name] = min(float(value), self._best.get(name, np.inf))
        if self._reference is None:
            self._reference = tuple(2.0 * float(value) or 1.0 for value in point)
        if not np.any(np.all(self._front <= point, axis=1)):
            self._front = np.vstack([self._front[~np.all(point <= self._front, axis=1)], point])
