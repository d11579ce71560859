"""The words that tiles bring in and take along when they change, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..nest import Move
from ..traffic import Boundary, TileWords, Traffic
from .steps import TileChanges

__all__ = ["TileMoves", "tile_moves"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TileMoves:
    """Words [tiles] that come with each tile but the first, and leave with each tile but the last."""

    entering: Ints
    leaving: Ints


def tile_moves(traffic: Traffic, way: Boundary, changes: TileChanges, sharing: frozenset[int]) -> TileMoves:
    """The words of a boundary's tiles as the arrays in ``sharing`` share them (`Traffic.tile_words`)."""
    nest, count = traffic.nest, len(changes.first_step)
    entering, leaving = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    if count == 1:
        return TileMoves(entering, leaving)
    rows = []
    for number, dim in enumerate(changes.dims):
        bound, reach = nest.op.bounds[dim], nest.reach(dim, way.child)
        old, new = changes.before[number, 1:], changes.after[number, 1:]
        rows += [old - new, np.minimum(reach, bound - old), np.minimum(reach, bound - new)]
    kinds, inverse = _unique_columns(np.array(rows))
    refetch = nest.refetches(way.role, way.child)
    found: list[TileWords] = []
    for kind in kinds.T:
        moves = {
            dim: Move(1, *(int(value) for value in kind[3 * number : 3 * number + 3]))
            for number, dim in enumerate(changes.dims)
        }
        cases = {dim: moves.get(dim, Move(1, 0, 0, 0)) for dim in nest.dims}
        found.append(traffic.tile_words(way.role, way.child, cases, sharing))
    kept = np.array([0 if refetch else words.kept for words in found], dtype=np.int64)
    entering[1:] = (np.array([words.new for words in found], dtype=np.int64) - kept)[inverse]
    leaving[:-1] = (np.array([words.old for words in found], dtype=np.int64) - kept)[inverse]
    return TileMoves(entering, leaving)


def _unique_columns(rows: Ints) -> tuple[Ints, Ints]:
    """Distinct columns and, for each column, the number of the distinct one."""
    code = np.zeros(rows.shape[1], dtype=np.int64)
    for row in rows:
        values, inverse = np.unique(row, return_inverse=True)
        _, code = np.unique(code * len(values) + inverse, return_inverse=True)
    _, first = np.unique(code, return_index=True)
    return rows[:, first], code
