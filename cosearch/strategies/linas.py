"""LINAS: measure a batch, fit light predictors, search long on the predictions, measure what that found, repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..predictors.base import F64, Predictor
from ..predictors.encoding import Encoding
from ..predictors.registry import PredictorName, make_predictor
from ..spaces.space import Value
from ..studies.trial import TrialResult
from .base import Batched, StrategyOptions, Task
from .inner_nsga2 import evolve
from .variations import Unseen, mutated

__all__ = ["Linas"]

_ERRORS = ("error_pct", "tracking_loss_pct")  # in percent; costs are predicted by their logarithm
_FEWEST = 8  # results that a metric is predicted from
_ATTEMPTS = 20


class LinasOptions(StrategyOptions):
    """``population`` designs are measured at a time; ``generations`` of as many are searched on the predictions.

    ``predictor`` names what each metric is predicted by.
    """

    population: int = Field(default=50, ge=4, le=1000)
    generations: int = Field(default=30, ge=1, le=10_000)
    predictor: PredictorName = "ridge"


class Linas(Batched):
    """Lightweight iterative search (Cummings et al., DyNAS-T, arXiv 2205.10358; SimQ-NAS, arXiv 2312.13301).

    Every objective and every limited metric has a predictor of its own, on the choices and the network's free
    statistics. NSGA-II with constrained domination searches their predictions; the best it finds that were never
    measured are measured next.
    """

    Options: ClassVar[type[StrategyOptions]] = LinasOptions

    def __init__(self, task: Task, options: Any, start: int = _FEWEST) -> None:
        super().__init__(task, batch=options.population)
        self._search_options: LinasOptions = options
        self._start = start
        self._rng = np.random.default_rng(task.seed)
        self._encoding = Encoding(task.space, task.statistics)
        self._unseen = Unseen(task.space)
        self._points: list[Mapping[str, Value]] = []
        self._results: list[TrialResult] = []
        for values in self._first:
            self._unseen.add(values)

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        self._points += points
        self._results += results

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        predictors = self._fitted() if len(self._points) >= self._start else None
        found: list[Mapping[str, Value]] = []
        if predictors is not None:
            for values in self._searched(predictors):
                if len(found) < count and self._unseen.add(values):
                    found.append(values)
        for attempt in range(_ATTEMPTS * count if found else 0):  # a search that has converged is spread out again
            if len(found) >= count:
                break
            near = mutated(self.task.space, found[attempt % len(found)], 1 + attempt // count, self._rng)
            if self._unseen.add(near):
                found.append(near)
        while len(found) < count:
            fresh = self._unseen.sample(self._rng)
            if fresh is None:
                break
            found.append(fresh)
        return found

    def _fitted(self) -> dict[str, Predictor] | None:
        """A predictor for every objective and limit; None while one of the objectives is hardly known."""
        inputs = self._encoding.inputs(self._points)
        fitted: dict[str, Predictor] = {}
        for name in dict.fromkeys((*self.task.objectives, *self.task.limits)):
            rows = np.array([at for at, result in enumerate(self._results) if _usable(name, result)], dtype=np.int64)
            if len(rows) < _FEWEST:
                if name in self.task.objectives:
                    return None
                continue
            labels = np.array([_scaled(name, self._results[row].metrics[name]) for row in rows])
            predictor = make_predictor(self._search_options.predictor, self.task.seed)
            predictor.prepare(inputs)
            predictor.fit(inputs.rows(rows), labels)
            fitted[name] = predictor
        return fitted

    def _searched(self, predictors: Mapping[str, Predictor]) -> list[dict[str, Value]]:
        space, size = self.task.space, self._search_options.population
        limits = {name: _scaled(name, most) for name, most in self.task.limits.items() if name in predictors}

        def judge(codes: NDArray[np.int64]) -> tuple[F64, F64]:
            inputs = self._encoding.inputs([space.decode(code) for code in codes.tolist()])
            said = {name: predictor.predict(inputs)[0] for name, predictor in predictors.items()}
            violation = np.zeros(len(codes))
            for name, most in limits.items():
                violation += np.maximum(said[name] - most, 0.0)
            return np.stack([said[name] for name in self.task.objectives], axis=1), violation

        known = [at for at, result in enumerate(self._results) if result.status == "ok"][-size // 2 :]
        codes = [space.encode(self._points[at]) for at in known]
        codes += [space.encode(space.sample(self._rng)) for _ in range(size - len(codes))]
        sizes = [len(choice.options) for choice in space.choices]
        last = evolve(sizes, np.array(codes, dtype=np.int64), judge, self._search_options.generations, self._rng)
        return [space.decode(code) for code in last.tolist()]


def _usable(name: str, result: TrialResult) -> bool:
    value = result.metrics.get(name)
    return value is not None and bool(np.isfinite(value)) and (name in _ERRORS or value > 0)


def _scaled(name: str, value: float) -> float:
    return value if name in _ERRORS else float(np.log(value))
