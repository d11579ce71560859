"""Every point of a small mapspace, written down from its definition: what an optimal mapper is held against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective

__all__ = ["columns", "exhaustive", "points", "tables"]

BATCH = 50_000  # points priced at a time


def _free_factors(most: int, fixed: int) -> Sequence[int]:
    return [fixed] if fixed else range(1, most + 1)


def columns(space: Mapspace, dim: int) -> list[tuple[int, ...]]:
    """All ways [S] to divide one dimension over the slots, in the words of `mapspace`."""
    bound, fixed, mode = int(space.bounds[dim]), space.fixed[:, dim].tolist(), space.constraints.imperfect
    axes, memories = space.spatial.tolist(), space.temporal.tolist()
    found = []
    for across in itertools.product(*(_free_factors(min(bound, int(space.extents[s])), fixed[s]) for s in axes)):
        whole = math.prod(across)
        passes = -(-bound // whole)
        free = [f for s, f in zip(axes, across, strict=True) if f > 1 and not fixed[s]]
        if bound % whole if mode == "none" else any(-(-bound // (whole // f * (f - 1))) == passes for f in free):
            continue
        useful = [t for t in range(1, passes + 1) if mode == "all" or passes % t == 0]
        for time in itertools.product(*([fixed[s]] if fixed[s] else useful for s in memories)):
            runs = math.prod(time)
            free = [f for s, f in zip(memories, time, strict=True) if f > 1 and not fixed[s]]
            if runs < passes if mode == "all" else runs != passes:
                continue
            if mode == "all" and any(runs // f * (f - 1) >= passes for f in free):
                continue
            column = [1] * len(fixed)
            for s, f in zip((*axes, *memories), (*across, *time), strict=True):
                column[s] = f
            found.append(tuple(column))
    return found


def tables(space: Mapspace) -> Iterator[np.ndarray]:
    """All matrices of factors [S, D] whose dimensions fit the axes together."""
    every = [columns(space, d) for d in range(len(space.bounds))]
    room = space.extents[space.spatial]
    for point in itertools.product(*every):
        table = np.asarray(point, np.int64).reshape(len(every), len(space.extents)).T
        if (table[space.spatial].prod(axis=1) <= room).all():
            yield table


def _orders(phases: tuple[int, ...], loops: tuple[int, ...]) -> np.ndarray:
    """[n, D] orders of one memory, outer to inner, that differ in its ``loops`` (dimensions with a bound above 1)."""
    others = [d for d in range(len(phases)) if d not in loops]
    legal = [
        [*order, *others]
        for order in itertools.permutations(loops)
        if [phases[d] for d in order] == sorted((phases[d] for d in order), reverse=True)
    ]
    return np.asarray(legal, np.int64).reshape(len(legal), len(phases))


def points(space: Mapspace) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All points as batches (factors [B, S, D], order [B, S, D], bypass [B, P, 3]), equal orders once."""
    orders = cache(_orders)
    phases = [tuple(row) for row in space.phases.tolist()]
    free = np.argwhere(space.may_bypass)
    skips = np.zeros((1 << len(free), *space.may_bypass.shape), np.int64)
    for index, choice in enumerate(itertools.product((0, 1), repeat=len(free))):
        skips[index][tuple(free.T)] = choice
    for table in tables(space):
        loops = [tuple(np.flatnonzero(row > 1).tolist()) for row in table]
        kinds = [orders(phases[s], loops[s]) for s in space.temporal.tolist()]
        picks = np.indices([*(len(kind) for kind in kinds), len(skips)]).reshape(len(kinds) + 1, -1)
        order = np.tile(np.arange(len(space.bounds)), (picks.shape[1], len(table), 1))
        for k, s in enumerate(space.temporal.tolist()):
            order[:, s] = kinds[k][picks[k]]
        yield np.broadcast_to(table, order.shape), order, skips[picks[-1]]


def exhaustive(space: Mapspace, objective: Objective, most: int = 1 << 62) -> tuple[float, int]:
    """The least objective of all points (infinite where none fits) and how many there are, -1 for above ``most``."""
    best, count, clock = math.inf, 0, space.accelerator.clock_hz
    waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def price() -> float:
        batch = [np.concatenate(parts) for parts in zip(*waiting, strict=True)]
        waiting.clear()
        costs = space.problem.evaluate(*batch)[:, :2]
        costs = np.unique(costs[np.isfinite(costs[:, 0])], axis=0)
        return min((objective.value(float(e), float(c) / clock) for e, c in costs), default=math.inf)

    size = 0
    for batch in points(space):
        waiting.append(batch)
        size += len(batch[0])
        count += len(batch[0])
        if count > most:
            return best, -1
        if size > BATCH:
            best, size = min(best, price()), 0
    return (min(best, price()) if waiting else best), count
