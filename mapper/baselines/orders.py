"""Which tensor each memory holds: orders and bypasses chosen by exact cost for points whose factors are settled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..mapspace import Mapspace
from ..sampling import repair
from .common import Search, joined, picked

if TYPE_CHECKING:
    I64 = NDArray[np.int64]
    F64 = NDArray[np.float64]
    Points = tuple[I64, I64, I64]

__all__ = ["best_of", "costed", "holding", "reordered"]


def costed(search: Search, points: Points) -> F64:
    """The objective of all points; infinite for those that the budget does not reach."""
    found = np.full(len(points[0]), math.inf)
    if search.spent < search.budget:
        reached = search.cost(points)
        found[: len(reached)] = reached
    return found


def holding(space: Mapspace, orders: I64, role: int) -> I64:
    """Orders [b, D] of one memory with the dimensions that the tensor lacks innermost."""
    own = space.op.tensors[role].dims
    apart = np.asarray([dim not in own for dim in space.problem.dims], np.int64)
    return np.take_along_axis(orders, np.argsort(apart[orders], axis=1, kind="stable"), axis=1)


def best_of(points: Points, costs: F64, others: Points, other_costs: F64) -> tuple[Points, F64]:
    """Row by row the cheapest of b points and k · b others, of which row i + j · b belongs to row i."""
    count = len(costs)
    every = joined(points, others)
    table = np.concatenate([costs[None], other_costs.reshape(-1, count)])
    rows = table.argmin(axis=0)
    return picked(every, rows * count + np.arange(count)), table.min(axis=0)


def reordered(search: Search, points: Points, costs: F64, rng: np.random.Generator) -> Points:
    """Memory by memory, the tensor that is best held there, and whether tensors that may skip it do."""
    space = search.space
    for s in (int(one) for one in space.temporal):
        tries = []
        for role in range(3):
            order = points[1].copy()
            order[:, s] = holding(space, order[:, s], role)
            tries.append((points[0], order, points[2]))
        place = space.problem.slots[s].place
        for role in np.flatnonzero(space.may_bypass[place]).tolist():
            bypass = points[2].copy()
            bypass[:, place, role] = 1 - bypass[:, place, role]
            tries.append((points[0], points[1], bypass))
        changed = repair(space, *joined(*tries), rng)
        points, costs = best_of(points, costs, changed, costed(search, changed))
    return points
