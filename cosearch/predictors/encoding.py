"""Points of a space as numbers for a predictor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...errors import BadInput
from ..spaces.space import Space, Value
from .base import F64, Inputs

__all__ = ["Encoding", "Statistics"]

Statistics = Callable[[Mapping[str, Value]], F64]


class Encoding:
    """One-hot codes of a space's choices (an inactive choice has zeros), and statistics where a function gives them."""

    def __init__(self, space: Space, statistics: Statistics | None = None) -> None:
        self.space = space
        self._statistics = statistics
        self._columns = {
            (choice.name, repr(option)): column
            for column, (choice, option) in enumerate(
                (choice, option) for choice in space.choices if len(choice.options) > 1 for option in choice.options
            )
        }

    def inputs(self, points: Sequence[Mapping[str, Value]]) -> Inputs:
        """Points of the space, each with an option of every active choice; names of other spaces are ignored.

        Raises `BadInput` where the statistics of two points differ in number.
        """
        codes = np.zeros((len(points), len(self._columns)))
        for row, values in enumerate(points):
            for name, value in values.items():
                column = self._columns.get((name, repr(value)))
                if column is not None:
                    codes[row, column] = 1.0
        return Inputs(codes, self._known_of(points))

    def _known_of(self, points: Sequence[Mapping[str, Value]]) -> F64:
        if self._statistics is None or not points:
            return np.zeros((len(points), 0))
        rows = [np.asarray(self._statistics(values), dtype=np.float64) for values in points]
        if len({row.shape for row in rows}) > 1:
            raise BadInput("statistics: the function gives different numbers of values for different networks")
        return np.array(rows)
