"""The words that tiles bring in and take along when they change, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..nest import Move
from ..traffic import Boundary, Traffic
from .steps import TileChanges

__all__ = ["TileMoves", "Turns"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TileMoves:
    """Words [tiles] that come with each tile but the first, and leave with each tile but the last."""

    entering: Ints
    leaving: Ints


class Turns:
    """The distinct ways in which one tile of a boundary becomes the next, and which of them each change is."""

    def __init__(self, traffic: Traffic, way: Boundary, changes: TileChanges) -> None:
        self.traffic, self.way, nest = traffic, way, traffic.nest
        rows = []
        for number, dim in enumerate(changes.dims):
            bound, reach = nest.op.bounds[dim], nest.reach(dim, way.child)
            old, new = changes.before[number, 1:], changes.after[number, 1:]
            rows += [old - new, np.minimum(reach, bound - old), np.minimum(reach, bound - new)]
        kinds, self.which = _unique_columns(np.array(rows))
        self.cases = [
            dict.fromkeys(nest.dims, Move(1, 0, 0, 0))
            | {
                dim: Move(1, *(int(value) for value in kind[3 * number : 3 * number + 3]))
                for number, dim in enumerate(changes.dims)
            }
            for kind in kinds.T
        ]

    def words(self, sharing: frozenset[int]) -> TileMoves:
        """The words as the arrays in ``sharing`` share them (`Traffic.tile_words`)."""
        entering = np.zeros(len(self.which) + 1, dtype=np.int64)
        leaving = np.zeros_like(entering)
        found = [self.traffic.tile_words(self.way.role, self.way.child, cases, sharing) for cases in self.cases]
        refetch = self.traffic.nest.refetches(self.way.role, self.way.child)
        kept = np.array([0 if refetch else words.kept for words in found], dtype=np.int64)
        if found:
            entering[1:] = (np.array([words.new for words in found], dtype=np.int64) - kept)[self.which]
            leaving[:-1] = (np.array([words.old for words in found], dtype=np.int64) - kept)[self.which]
        return TileMoves(entering, leaving)


def _unique_columns(rows: Ints) -> tuple[Ints, Ints]:
    """Distinct columns and, for each column, the number of the distinct one."""
    code = np.zeros(rows.shape[1], dtype=np.int64)
    for row in rows:
        if len(row) and (row == row[0]).all():
            continue
        values, inverse = np.unique(row, return_inverse=True)
        _, code = np.unique(code * len(values) + inverse, return_inverse=True)
    _, first = np.unique(code, return_index=True)
    return rows[:, first], code
