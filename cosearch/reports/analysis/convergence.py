"""How a search got on: hypervolume and the best of each objective so far, by trials and by accuracies asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...spaces.network_space import NETWORK_PREFIX
from ...studies.pareto import hypervolume_history
from ...studies.trial import REFUSED

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Band", "ConvergenceInfo", "accuracy_evaluations", "band", "convergence_info"]

Column = npt.NDArray[np.float64]
STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom."""


@dataclass(frozen=True, eq=False)
class ConvergenceInfo:
    """After each trial (n,): trials done, networks whose accuracy was asked, share of the box dominated, best so far.

    ``best`` has a column per objective in SI units, NaN before the first feasible design. ``hypervolume_pct`` is the
    share in percent of the box between zero and the ``reference`` that the front dominates.
    """

    trials: npt.NDArray[np.int64]
    evaluations: npt.NDArray[np.int64]
    hypervolume_pct: Column
    best: Mapping[str, Column]
    reference: tuple[float, ...]
    baseline: Mapping[str, float] = field(default_factory=dict)

    def reached(self, share: float) -> int:
        """Trials until ``share`` of the final hypervolume; 0 where there is none."""
        if not len(self.trials) or not self.hypervolume_pct[-1] > 0:
            return 0
        return int(self.trials[int(np.argmax(self.hypervolume_pct >= share * self.hypervolume_pct[-1]))])


@dataclass(frozen=True, eq=False)
class Band:
    """The mean of several runs over a common axis, and its 95 % confidence interval (Student's t)."""

    x: Column
    mean: Column
    low: Column
    high: Column
    runs: tuple[Column, ...]


def convergence_info(
    trials: DataFrame, objectives: Sequence[str], reference: Sequence[float], baseline: Mapping[str, float],
    stated: Collection[str] = (),
) -> ConvergenceInfo:  # fmt: skip
    """The history of a study's trials in the order of their numbers; ``stated`` as in `accuracy_evaluations`."""
    points = trials[list(objectives)].to_numpy(dtype=float).copy()
    points[(trials["status"] != "ok").to_numpy()] = np.nan
    box = float(np.prod(np.asarray(reference)))
    share = np.array([100.0 * volume / box for volume in hypervolume_history(points, reference)], dtype=float)
    lowest = np.minimum.accumulate(np.where(np.isnan(points), np.inf, points), axis=0)
    lowest[np.isinf(lowest)] = np.nan
    best = {name: lowest[:, place] for place, name in enumerate(objectives)}
    known = {name: baseline[name] for name in objectives if name in baseline}
    counted = np.arange(1, len(trials) + 1, dtype=np.int64)
    return ConvergenceInfo(counted, accuracy_evaluations(trials, stated), share, best, tuple(reference), known)


def accuracy_evaluations(trials: DataFrame, stated: Collection[str] = ()) -> npt.NDArray[np.int64]:
    """After each trial, how many different networks' accuracy was asked for; a network met again costs nothing.

    A network that has none was asked about too. ``stated`` are the choices whose losses the study states, so that
    nobody is asked about them.
    """
    networks = [name for name in trials.columns if str(name).startswith(NETWORK_PREFIX)]
    names = [name for name in networks if name not in stated]
    answers = [name for name in ("error_pct", *REFUSED) if name in trials.columns]
    if not len(trials) or not answers or not networks:
        return np.zeros(len(trials), dtype=np.int64)
    asked = trials[answers].notna().any(axis=1).to_numpy()
    keys = trials[names].map(str).agg("|".join, axis=1) if names else trials["status"].map(lambda _: "the one")
    fresh = asked & ~keys.where(asked, None).duplicated().to_numpy()
    counts: npt.NDArray[np.int64] = np.cumsum(fresh).astype(np.int64)
    return counts


def band(x: Sequence[npt.NDArray[np.int64]], y: Sequence[Column], points: int = 400) -> Band:
    """Several runs' curves on one axis up to where the shortest ends; each keeps its last value between its steps."""
    end = min((int(run[-1]) for run in x if len(run)), default=0)
    start = max((int(run[0]) for run in x if len(run)), default=0)
    grid = np.unique(np.linspace(start, max(start, end), points).round()).astype(float)
    runs = tuple(
        column[np.maximum(np.searchsorted(run, grid, side="right") - 1, 0)] for run, column in zip(x, y, strict=True)
    )
    stack = np.array(runs)
    mean, half = stack.mean(axis=0), np.zeros(len(grid))
    if len(runs) > 1:
        freedom = len(runs) - 1
        quantile = STUDENT_95[freedom - 1] if freedom <= len(STUDENT_95) else 1.96 + 2.4 / freedom
        half = quantile * stack.std(axis=0, ddof=1) / np.sqrt(len(runs))
    return Band(grid, mean, mean - half, mean + half, runs)
