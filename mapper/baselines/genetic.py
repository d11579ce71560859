"""A genetic search with the operators of GAMMA (Kao and Krishna, ICCAD 2020).

A genome is a point of the mapspace. Children take each dimension's tiling from either parent; then some of their tiles,
loop orders and bypasses mutate, and their parallelism grows (a dimension is spread further over an axis) or ages (it
falls back to time). What an operator leaves outside the space is repaired to a point near by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..base import UNLIMITED, Limits, MappingResult
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import random_points, repair
from .common import Search, joined, picked

if TYPE_CHECKING:
    from .common import F64, I64, Points

__all__ = ["GeneticMapper"]

POPULATION = 200
PRIMES = (2, 2, 3, 5, 7)  # divisors that a mutation moves between two memories
TILE, REORDER, GROW, AGE, BYPASS = 0.5, 0.4, 0.25, 0.1, 0.2  # share of the children that each operator changes


class GeneticMapper:
    """Crossover of tilings per dimension; mutation of tiles, orders, bypasses and parallelism; the fittest survive."""

    name: ClassVar[str] = "genetic"
    version: ClassVar[int] = 1

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        search, rng = Search(space, objective, limits), np.random.default_rng(seed)
        size = max(4, min(POPULATION, search.budget // 10))
        population, fitness = search.batch(), np.asarray([search.best])
        offspring = random_points(space, 4 * size, rng)
        while not search.over:
            scores = search.cost(offspring)
            population = joined(population, picked(offspring, slice(len(scores))))
            fitness = np.concatenate([fitness, scores])
            fittest = np.unique(fitness, return_index=True)[1][:size]  # of equals one, for variety
            population, fitness = picked(population, fittest), fitness[fittest]
            offspring = _children(space, population, fitness, size, rng)
        return search.result()


def _children(space: Mapspace, population: Points, fitness: F64, count: int, rng: np.random.Generator) -> Points:
    """As many children of parents chosen by tournament, ready to be costed."""
    mothers, fathers = (rng.integers(len(fitness), size=(2, count)).min(axis=0) for _ in range(2))  # sorted by fitness
    children = _cross(picked(population, mothers), picked(population, fathers), rng)
    if space.problem.dims:
        _mutate_tiles(space, children[0], rng)
        _change_parallelism(space, children[0], rng)
        _reorder(space, children[1], rng)
    flipped = (rng.random(children[2].shape) < 0.3) & (rng.random(count) < BYPASS)[:, None, None]
    children[2][flipped] ^= 1
    return repair(space, *children, rng)


def _cross(one: Points, other: Points, rng: np.random.Generator) -> Points:
    """Each dimension's factors, each memory's order and each place's bypass from either parent."""
    count, slots, dims = one[0].shape
    columns = rng.random((count, 1, dims)) < 0.5
    rows = rng.random((count, slots, 1)) < 0.5
    places = rng.random((count, one[2].shape[1], 1)) < 0.5
    return (
        np.where(columns, one[0], other[0]),
        np.where(rows, one[1], other[1]),
        np.where(places, one[2], other[2]),
    )


def _some(share: float, count: int, rng: np.random.Generator) -> I64:
    return np.flatnonzero(rng.random(count) < share)


def _mutate_tiles(space: Mapspace, factors: I64, rng: np.random.Generator) -> None:
    """Move a prime of one dimension's loop between two memories."""
    for _ in range(2):
        who = _some(TILE, len(factors), rng)
        dim = rng.integers(factors.shape[2], size=len(who))
        source, to = rng.choice(space.temporal, (2, len(who)))
        prime = rng.choice(PRIMES, len(who))
        divides = factors[who, source, dim] % prime == 0
        who, dim, source, to, prime = (part[divides] for part in (who, dim, source, to, prime))
        factors[who, source, dim] //= prime
        factors[who, to, dim] *= prime


def _change_parallelism(space: Mapspace, factors: I64, rng: np.random.Generator) -> None:
    """Spread a dimension further over an axis, or take it off."""
    slots, dims = np.nonzero((space.fixed == 0) & (space.extents[:, None] > 0))
    if not len(slots):
        return
    for share, ageing in ((GROW, False), (AGE, True)):
        who = _some(share, len(factors), rng)
        place = rng.integers(len(slots), size=len(who))
        slot, dim = slots[place], dims[place]
        most = np.minimum(space.extents[slot], space.bounds[dim])
        grown = np.where(rng.random(len(who)) < 0.5, most, rng.integers(1, most + 1))
        others = factors[who, slot].copy()
        others[np.arange(len(who)), dim] = 1
        crowded = others.prod(axis=1) * grown > space.extents[slot]
        if not ageing:  # what grows takes the axis over where it would not fit beside the others
            factors[who[crowded], slot[crowded]] = np.maximum(space.fixed[slot[crowded]], 1)
        factors[who, slot, dim] = 1 if ageing else grown


def _reorder(space: Mapspace, order: I64, rng: np.random.Generator) -> None:
    """Exchange two loops of one memory."""
    who = _some(REORDER, len(order), rng)
    slot = rng.choice(space.temporal, len(who))
    one, other = rng.integers(order.shape[2], size=(2, len(who)))
    order[who, slot, one], order[who, slot, other] = order[who, slot, other], order[who, slot, one]
