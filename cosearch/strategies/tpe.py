"""Tree-structured Parzen estimators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..spaces.space import Value
from ..studies.trial import TrialResult
from .base import Batched, StrategyOptions, Task
from .variations import Unseen, beside, ordered

__all__ = ["ParzenEstimators"]

Matrix = NDArray[np.float64]


class ParzenOptions(StrategyOptions):
    """``startup``: designs drawn by chance first; ``batch``: designs proposed before results are waited for.

    ``good`` is the share of designs that count as good, and ``most_good`` how many at most; ``candidates`` options are
    drawn for each choice and the most promising taken; ``prior`` is the weight of not having seen anything, in designs.
    """

    startup: int = Field(default=20, ge=1, le=100_000)
    batch: int = Field(default=5, ge=1, le=1000)
    good: float = Field(default=0.1, gt=0.0, lt=1.0)
    most_good: int = Field(default=25, ge=1, le=10_000)
    candidates: int = Field(default=24, ge=1, le=100_000)
    prior: float = Field(default=1.0, gt=0.0, le=1000.0)


class ParzenEstimators(Batched):
    """Tree-structured Parzen estimators: options frequent among the good designs and rare among the others.

    After Bergstra et al. (NeurIPS 2011), one estimator a choice; numbers in rising order are smoothed over their
    neighbours. Good are the designs that keep the limits and are dominated by fewest, then those that break limits
    least (Ozaki et al., JAIR 2022; Watanabe & Hutter, IJCAI 2023). A design met again gives way to a neighbour not
    tried before; the search ends where there is none.
    """

    Options: ClassVar[type[StrategyOptions]] = ParzenOptions

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options.batch)
        self._options = options
        self._rng = np.random.default_rng(task.seed)
        self._unseen = Unseen(task.space)
        self._kernels = [_kernel(len(choice.options), ordered(choice)) for choice in task.space.choices]
        self._codes: list[tuple[int, ...]] = []
        self._results: list[TrialResult] = []
        self._kept: list[int] = []  # places of the feasible designs among all
        self._points = np.empty((64, len(task.objectives)))  # their objectives, and by how many each is dominated
        self._behind = np.zeros(64, dtype=int)
        self._proposed = 0
        for values in self._first:
            self._unseen.add(values)

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        found: list[Mapping[str, Value]] = []
        codes = np.array(self._codes, dtype=int).reshape(len(self._codes), len(self._kernels))
        good = self._good()
        sums = [
            (kernel[codes[good, at]].sum(axis=0), kernel[codes[~good, at]].sum(axis=0))
            for at, kernel in enumerate(self._kernels)
        ]
        for _ in range(count):
            self._proposed += 1
            startup = self._proposed + len(self.task.first) <= self._options.startup or not good.any()
            values = self._unseen.sample(self._rng) if startup else self._promising(sums)
            if values is None:
                break
            found.append(values)
            for at, index in enumerate(self.task.space.encode(values)):  # as if it were bad, until it is known
                sums[at] = (sums[at][0], sums[at][1] + self._kernels[at][index])
        return found

    def _promising(self, sums: Sequence[tuple[Matrix, Matrix]]) -> Mapping[str, Value] | None:
        """The most promising of each choice's candidates, together."""
        code = []
        for good, bad in sums:
            likely = (good + self._options.prior / len(good)) / (good.sum() + self._options.prior)
            other = (bad + self._options.prior / len(bad)) / (bad.sum() + self._options.prior)
            drawn = np.searchsorted(np.cumsum(likely), self._rng.random(self._options.candidates) * likely.sum())
            drawn = np.minimum(drawn, len(likely) - 1)
            code.append(int(drawn[np.argmax((likely / other)[drawn])]))
        values = self.task.space.decode(code)
        return values if self._unseen.add(values) else beside(self.task.space, values, self._unseen, self._rng)

    def _good(self) -> NDArray[np.bool_]:
        """Mask (n,) of the good designs."""
        good = np.zeros(len(self._results), dtype=bool)
        wanted = min(math.ceil(self._options.good * len(good)), self._options.most_good)
        behind = self._behind[: len(self._kept)]
        order = np.lexsort([self._points[: len(behind), 0], behind])
        if 0 < wanted < len(order):  # of equals at the edge, some all along the first objective
            edge = order[behind[order] == behind[order[wanted - 1]]]
            sure = order[behind[order] < behind[order[wanted - 1]]]
            spread = np.linspace(0, len(edge) - 1, wanted - len(sure)).round().astype(int)
            order = np.concatenate([sure, edge[spread]])
        good[[self._kept[at] for at in order]] = True
        broken = [at for at, result in enumerate(self._results) if result.status == "constraint"]
        broken.sort(key=lambda at: self._results[at].violation)
        good[broken[: max(0, wanted - len(order))]] = True
        return good

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        for values, result in zip(points, results, strict=True):
            if result.status == "ok":
                self._keep(np.array([result.metrics[name] for name in self.task.objectives]))
            self._codes.append(self.task.space.encode(values))
            self._results.append(result)

    def _keep(self, point: Matrix) -> None:
        """Count by how many feasible designs each is dominated, the new one included."""
        size = len(self._kept)
        if size == len(self._points):
            self._points = np.vstack([self._points, np.empty((size + 64, len(point)))])
            self._behind = np.concatenate([self._behind, np.zeros(size + 64, dtype=int)])
        known = self._points[:size]
        self._behind[:size] += np.all(point <= known, axis=1) & np.any(point < known, axis=1)
        self._behind[size] = np.sum(np.all(known <= point, axis=1) & np.any(known < point, axis=1))
        self._points[size] = point
        self._kept.append(len(self._results))


def _kernel(options: int, rising: bool) -> Matrix:
    """What one design at option i says of option j, (options, options), rows summing to 1.

    Aitchison & Aitken's kernel (Biometrika 1976) for names, a discretised exponential for numbers.
    """
    apart = np.abs(np.subtract.outer(np.arange(options), np.arange(options)))
    weights = 0.2**apart if rising else np.where(apart == 0, 1.0, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=float)
