"""Metrics as sums of a number per option, over points and over relaxed points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..spaces.space import Space, Value

__all__ = ["AdditiveTables"]

Vector = NDArray[np.float64]


class AdditiveTables:
    """For each metric a table with a number for every option of every choice, fitted by ridge regression.

    A relaxed point has a probability for every option, in one vector (``width``,), choice after choice; a metric's
    expectation over it is then linear. Inactive choices add nothing.
    """

    def __init__(self, space: Space, ridge: float = 1.0) -> None:
        self._space, self._ridge = space, ridge
        self._sizes = np.array([len(choice.options) for choice in space.choices], dtype=int)
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]]).astype(int)
        self._of = np.repeat(np.arange(len(self._sizes)), self._sizes)  # the choice each option belongs to
        self.width = int(self._sizes.sum())
        self._sums: dict[str, tuple[Vector, Vector]] = {}
        self._tables: dict[str, tuple[Vector, float]] = {}
        self._stale: set[str] = set()

    def one_hot(self, values: Mapping[str, Value]) -> Vector:
        """A point as a relaxed point (width,); zeros for inactive choices."""
        row = np.zeros(self.width)
        for at, choice in enumerate(self._space.choices):
            if choice.name in values:
                row[self._starts[at] + choice.index(values[choice.name])] = 1.0
        return row

    def active(self, hot: Vector) -> Vector:
        """1 for the options of active choices of points (n, width), 0 for the others."""
        sums = np.add.reduceat(hot, self._starts, axis=1)
        return np.asarray(sums[:, self._of])

    def add(self, values: Mapping[str, Value], metrics: Mapping[str, float]) -> None:
        """Learn of a design's metrics; `fit` makes them count."""
        row = np.append(self.one_hot(values), 1.0)
        square = np.outer(row, row)
        for name, value in metrics.items():
            if name not in self._sums:
                self._sums[name] = (np.zeros((self.width + 1, self.width + 1)), np.zeros(self.width + 1))
            gram, moment = self._sums[name]
            gram += square
            moment += value * row
            self._stale.add(name)

    def fit(self) -> None:
        """Solve for the tables of all metrics that were added to."""
        damping = self._ridge * np.eye(self.width + 1)
        damping[-1, -1] = 1e-6  # the mean is not shrunk
        for name in sorted(self._stale):
            gram, moment = self._sums[name]
            solved = np.linalg.solve(gram + damping, moment)
            self._tables[name] = (np.asarray(solved[:-1], dtype=np.float64), float(solved[-1]))
        self._stale.clear()

    def table(self, name: str) -> Vector:
        """A metric's number for every option (width,); zeros where nothing is known of it."""
        return self._tables[name][0] if name in self._tables else np.zeros(self.width)

    def expected(self, name: str, chances: Vector) -> float:
        """A metric's expectation over a relaxed point; 0 where nothing is known of it."""
        if name not in self._tables:
            return 0.0
        table, mean = self._tables[name]
        return float(chances @ table) + mean

    def softmax(self, logits: Vector) -> Vector:
        """Probabilities (width,), of each choice's options adding up to 1."""
        highest = np.maximum.reduceat(logits, self._starts)
        powers = np.exp(logits - highest[self._of])
        return np.asarray(powers / np.add.reduceat(powers, self._starts)[self._of])

    def through_softmax(self, slope: Vector, chances: Vector) -> Vector:
        """A gradient with respect to probabilities as one with respect to logits."""
        weighted = chances * slope
        return np.asarray(weighted - chances * np.add.reduceat(weighted, self._starts)[self._of])

    def draw(self, chances: Vector, rng: np.random.Generator) -> dict[str, Value]:
        """A point with each choice drawn by its probabilities."""
        code = []
        for start, size in zip(self._starts, self._sizes, strict=True):
            sums = np.cumsum(chances[start : start + size])
            code.append(min(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")), int(size) - 1))
        return self._space.decode(code)
