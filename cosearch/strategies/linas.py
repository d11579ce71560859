"""LINAS: measure a batch, fit predictors, search long on the predictions, measure what that found, repeat."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..predictors.base import F64
from ..predictors.registry import PredictorName
from ..spaces.space import Value
from ..studies.trial import TrialResult
from .base import Batched, StrategyOptions, Task
from .forecast import FEWEST, Forecast
from .greedy_volume import MOST_OBJECTIVES, most_volume
from .inner_nsga2 import crowding, evolve, ranks
from .variations import Unseen, mutated

__all__ = ["Linas"]

_ATTEMPTS = 20
_INNER = 60  # designs at least that are searched at a time on predictions


class LinasOptions(StrategyOptions):
    """``population`` designs are measured at a time; ``generations`` of 60 at least are searched on the predictions.

    ``predictor`` names what each metric is predicted by; linear ones are fooled by the search on their predictions.
    """

    population: int = Field(default=50, ge=4, le=1000)
    generations: int = Field(default=30, ge=1, le=10_000)
    predictor: PredictorName = "gaussian_process"


class Linas(Batched):
    """Lightweight iterative search (Cummings et al., DyNAS-T, arXiv 2205.10358; SimQ-NAS, arXiv 2312.13301).

    Every objective and every limited metric has a predictor of its own (`Forecast`): errors of the network alone, costs
    of the whole design, and where the task tells what it costs at least, in proportion to it. NSGA-II with constrained
    domination searches the predictions; the best it finds that were never measured are measured next. A design that is
    known to break a limit is not, while others are to be had.
    """

    Options: ClassVar[type[StrategyOptions]] = LinasOptions

    def __init__(self, task: Task, options: Any, start: int = FEWEST) -> None:
        super().__init__(task, batch=options.population)
        self._search_options: LinasOptions = options
        self._start = start
        self._rng = np.random.default_rng(task.seed)
        self._forecast = Forecast(task)
        self._unseen = Unseen(task.space)
        self._points: list[Mapping[str, Value]] = []
        self._results: list[TrialResult] = []
        self._over: deque[Mapping[str, Value]] = deque()  # drawn, and known to break a limit
        for values in self._first:
            self._unseen.add(values)

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        self._points += points
        self._results += results

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        found: list[Mapping[str, Value]] = []
        if len(self._points) >= self._start and self._forecast.fit(
            self._points, self._results, self._search_options.predictor
        ):
            for values in self._searched():
                if len(found) < count and not self._forecast.excess(values) and self._unseen.add(values):
                    found.append(values)
        for attempt in range(_ATTEMPTS * count if found else 0):  # a search that has converged is spread out again
            if len(found) >= count:
                break
            near = mutated(self.task.space, found[attempt % len(found)], 1 + attempt // count, self._rng)
            if not self._forecast.excess(near) and self._unseen.add(near):
                found.append(near)
        while len(found) < count:
            fresh = self._drawn()
            if fresh is None:
                break
            found.append(fresh)
        return found

    def _drawn(self) -> Mapping[str, Value] | None:
        """A new design at random, one that is not known to break a limit while there are such; None at the end."""
        for _ in range(_ATTEMPTS):
            fresh = self._unseen.sample(self._rng)
            if fresh is None:
                break
            if not self._forecast.excess(fresh):
                return fresh
            self._over.append(fresh)
        return self._over.popleft() if self._over else None

    def _searched(self) -> list[dict[str, Value]]:
        """What the search on predictions ends with, what is to be measured first."""
        space, size = self.task.space, max(self._search_options.population, _INNER)

        def judge(codes: NDArray[np.int64]) -> tuple[F64, F64]:
            return self._forecast.of([space.decode(code) for code in codes.tolist()])

        codes = [space.encode(self._points[at]) for at in self._best(size // 2)]
        codes += [space.encode(space.sample(self._rng)) for _ in range(size - len(codes))]
        sizes = [len(choice.options) for choice in space.choices]
        last = evolve(sizes, np.array(codes, dtype=np.int64), judge, self._search_options.generations, self._rng)
        return [space.decode(last[at].tolist()) for at in self._first_of(*judge(last))]

    def _best(self, most: int) -> list[int]:
        """Places of the best feasible designs measured."""
        known = [at for at, result in enumerate(self._results) if result.status == "ok"]
        if not known:
            return []
        figures = self._forecast.measured([self._results[at] for at in known])
        rank = ranks(figures, np.zeros(len(known)))
        return [known[at] for at in np.lexsort((-crowding(figures, rank), rank))[:most]]

    def _first_of(self, objectives: F64, violation: F64) -> list[int]:
        """Places of the predicted designs: those that together add most to the front, then the rest as they come."""
        rest = list(range(len(objectives)))
        if not 2 <= len(self.task.objectives) <= MOST_OBJECTIVES:
            return rest
        measured = self._forecast.measured([one for one in self._results if one.status == "ok"])
        front, offered = self._forecast.figures(measured), self._forecast.figures(objectives)
        offered[violation > 0] = np.inf
        base = np.array([self.task.baseline.get(name, 0.0) for name in self.task.objectives])
        reference = 2.0 * base if (base > 0).all() else 1.1 * np.maximum(front.max(axis=0, initial=0.0), 1e-300)
        chosen = most_volume(front, offered, self._search_options.population, reference)
        return chosen + [at for at in rest if at not in set(chosen)]
