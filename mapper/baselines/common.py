"""What all heuristic mappers share: the best point so far, the improvements on the way, the budget and the result."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...accel.analytic import evaluate
from ...errors import ImpossibleResult
from ..base import Certificate, Limits, MappingResult
from ..bounds import roofline
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import everything_outside, random_points

if TYPE_CHECKING:
    I64 = NDArray[np.int64]
    F64 = NDArray[np.float64]
    Points = tuple[I64, I64, I64]  # factors [B, S, D], order [B, S, D], bypass [B, P, 3]

__all__ = ["EVALUATIONS", "Search", "joined", "picked", "values"]

EVALUATIONS = 20_000  # the budget where the limits state none
FIRST_DRAWS = 500  # random points looked at, twice, where the first point does not fit


def values(objective: Objective, energy_j: F64, latency_s: F64) -> F64:
    """`Objective.value` of arrays; infinite where the energy is."""
    if objective.form == "sum":
        found = objective.energy * energy_j + objective.latency * latency_s
    else:
        found = energy_j**objective.energy * latency_s**objective.latency
    return np.where(np.isfinite(energy_j), found, math.inf)


def picked(points: Points, rows: I64 | slice) -> Points:
    """Some of a batch of points."""
    return points[0][rows], points[1][rows], points[2][rows]


def joined(*batches: Points) -> Points:
    """Batches of points as one."""
    factors, order, bypass = (np.concatenate([batch[part] for batch in batches]) for part in range(3))
    return factors, order, bypass


class Search:
    """One run of a mapper.

    It begins with the point that has every loop in the outermost memory. Raises `Infeasible`, naming the memory and the
    words missing, where neither that point nor any of some random ones fits.
    """

    def __init__(self, space: Mapspace, objective: Objective, limits: Limits) -> None:
        self._begin = time.perf_counter()
        self.space, self.objective, self._seconds = space, objective, limits.seconds
        self.budget = limits.evaluations or EVALUATIONS
        if not space.problem.dims and not space.may_bypass.any():
            self.budget = 1  # there is but one mapping
        self.bound = roofline(space.op, space.accelerator, objective)
        self.enough = self.bound / (1.0 - limits.gap)
        self.spent, self.best = 0, math.inf
        self.history: list[tuple[int, float]] = []
        self.point = everything_outside(space)
        if not math.isfinite(self.cost(self.batch())[0]):
            self._begin_elsewhere()

    def _begin_elsewhere(self) -> None:
        """Find a point that fits although the one with the least tiles does not.

        That happens where constraints keep loops inside, and where a finished sum is narrower than a partial one.
        """
        for bias in (0.9, 0.3):
            self.cost(random_points(self.space, FIRST_DRAWS, np.random.default_rng(0), bias))
            if math.isfinite(self.best):
                return
        space = self.space
        evaluate(space.op, space.accelerator, space.to_mapping(*self.point))
        raise ImpossibleResult(
            f"{space.op.name} on '{space.accelerator.name}': the two forms of the model disagree on what fits"
        )

    def batch(self, copies: int = 1) -> Points:
        """The best point, as a batch."""
        factors, order, bypass = (np.repeat(part[None], copies, axis=0) for part in self.point)
        return factors, order, bypass

    @property
    def over(self) -> bool:
        """Whether the budget or the time is spent, or the best is good enough."""
        return (
            self.spent >= self.budget or self.best <= self.enough or time.perf_counter() - self._begin >= self._seconds
        )

    def cost(self, points: Points) -> F64:
        """The objective [b] of the first points, as many as the budget has left; infinite where one does not fit."""
        factors, order, bypass = (np.ascontiguousarray(part[: self.budget - self.spent]) for part in points)
        result = self.space.problem.evaluate(factors, order, bypass)
        found = values(self.objective, result[:, 0], result[:, 1] / self.space.accelerator.clock_hz)
        best = np.minimum.accumulate(np.append(self.best, found))
        for improved in np.flatnonzero(best[1:] < best[:-1]).tolist():
            self.history.append((self.spent + improved + 1, float(found[improved])))
        self.spent += len(found)
        if best[-1] < self.best:
            row = int(found.argmin())
            self.best, self.point = float(found[row]), (factors[row].copy(), order[row].copy(), bypass[row].copy())
        return found

    def adopt(self, point: Points, spent: int, history: list[tuple[int, float]]) -> None:
        """Take over what a compiled search found with ``spent`` evaluations in all and improvements ``history``."""
        self.point, self.spent, self.history = point, spent, history
        self.best = history[-1][1]

    def result(self) -> MappingResult:
        """The best mapping, costed by the readable model."""
        space = self.space
        mapping = space.to_mapping(*self.point)
        cost = evaluate(space.op, space.accelerator, mapping)
        found = self.objective.value(cost.energy_j, cost.latency_s)
        seconds = time.perf_counter() - self._begin
        certificate = Certificate(found, min(self.bound, found), self.spent, 0, seconds)
        return MappingResult(mapping, cost, certificate, tuple(self.history))
