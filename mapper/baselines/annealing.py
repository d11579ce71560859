"""Simulated annealing (Kirkpatrick, Gelatt and Vecchi, Science 1983), all of it compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..base import UNLIMITED, Limits, MappingResult
from ..mapspace import Mapspace
from ..objective import Objective
from .common import Search

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AnnealingMapper"]

STARTS = 24
ROUNDS = ((1.0, 0.3), (0.2, 0.3))  # share of the starts kept and first temperature of each round
COLD = 0.005  # last temperature, on the logarithm of the objective
PREPARE, FINISH = 0.2, 0.05  # shares of the budget for polishing the starts and the result
LOG_ROWS = 4096


class AnnealingMapper:
    """Starts with filled arrays, polished; the better ones annealed; the best polished once more."""

    name: ClassVar[str] = "annealing"
    version: ClassVar[int] = 1

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        search = Search(space, objective, limits)
        if not search.over:
            _Run(search).anneal(seed)
        return search.result()


class _Run:
    """The pool of points of one search, and the compiled functions that improve them."""

    def __init__(self, search: Search) -> None:
        from ...accel.kernel import evaluate_one
        from ...accel.kernel_nest import workspace
        from .kernel_moves import rules_of

        self.search = search
        self.budget = search.budget
        arrays = search.space.problem.arrays
        self.common = (evaluate_one, arrays, rules_of(search.space, search.objective, search.enough))
        self.workspace = workspace()
        self.log = np.zeros((LOG_ROWS, 2))
        self.log[0] = search.spent, 1
        self.log[1] = search.history[-1]
        self.pool: list[tuple[float, NDArray[np.int64], NDArray[np.int64]]] = []

    def anneal(self, seed: int) -> None:
        """Spend the budget; the search takes over the best point."""
        first, finish = 0, int(FINISH * self.budget)
        has_loops = bool(self.search.space.problem.dims)
        starts = max(1, min(STARTS, self.budget // 200)) if has_loops else 1
        prepare = int(PREPARE * self.budget / starts)
        while first < starts and not self._over():
            self._start((seed * 1009 + first) % 2**32, 0.2 * (first % 3) if first else 1.0, prepare)
            first += 1
        if not self.pool:  # the time was over before the first start: the search keeps the point it began with
            return
        for at, (keep, hot) in enumerate(ROUNDS if has_loops else ()):
            self.pool = sorted(self.pool, key=lambda one: one[0])[: max(1, int(len(self.pool) * keep))]
            steps = (self.budget - finish - self._spent) // ((len(ROUNDS) - at) * len(self.pool))
            for k in range(len(self.pool)):
                if not self._over():
                    self._walk(k, steps, hot)
        score, loops, bypass = min(self.pool, key=lambda one: one[0])
        self._polish(score, loops, bypass, self.budget)
        history = [(int(count), float(best)) for count, best in self.log[1 : int(self.log[0, 1]) + 1]]
        self.search.adopt((loops[0], loops[1], bypass), self._spent, self.search.history[:-1] + history)

    @property
    def _spent(self) -> int:
        return int(self.log[0, 0])

    def _over(self) -> bool:
        self.search.spent, self.search.best = self._spent, float(self.log[int(self.log[0, 1]), 1])
        return self.search.over

    def _start(self, seed: int, skip: float, effort: int) -> None:
        from .kernel_annealing import begin

        factors, order, bypass = (part.copy() for part in self.search.point)
        loops = np.ascontiguousarray(np.stack([factors, order]))
        if skip < 1.0:
            bypass[:] = 0
        score = begin(*self.common, loops, bypass, self.workspace, self.log, seed, skip)
        self.pool.append((self._polish(score, loops, bypass, min(self.budget, self._spent + effort)), loops, bypass))

    def _polish(self, score: float, loops: NDArray[np.int64], bypass: NDArray[np.int64], budget: int) -> float:
        from .kernel_annealing import polish

        return polish(*self.common, loops, bypass, self.workspace, self.log, score, budget)

    def _walk(self, at: int, steps: int, hot: float) -> None:
        from .kernel_annealing import walk

        score, loops, bypass = self.pool[at]
        score = walk(*self.common, loops, bypass, self.workspace, self.log, score, steps, hot, COLD)
        self.pool[at] = (score, loops, bypass)
