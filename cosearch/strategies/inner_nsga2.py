"""NSGA-II on answers that cost nothing: many generations over index vectors, all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["crowding", "evolve", "ranks"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Judge = Callable[[I64], tuple[F64, F64]]


def ranks(objectives: F64, violation: F64) -> I64:
    """The front (n,) each point belongs to, 0 the best, of ``objectives`` (n, m) to be minimised.

    A point that breaks limits less goes before one that breaks them more, whatever its objectives (Deb et al. 2002).
    """
    no_worse = np.all(objectives[:, None] <= objectives[None], axis=2)
    better = no_worse & np.any(objectives[:, None] < objectives[None], axis=2)
    less, same = violation[:, None] < violation[None], violation[:, None] == violation[None]
    over = less | (same & better)
    rank = np.full(len(objectives), -1, dtype=np.int64)
    for front in range(len(objectives)):
        open_points = rank < 0
        if not open_points.any():
            break
        dominated = (over & open_points[:, None]).any(axis=0)
        rank[open_points & ~dominated] = front
    return rank


def crowding(objectives: F64, rank: I64) -> F64:
    """How far a point's neighbours on its front are apart, infinite at the ends."""
    distance = np.zeros(len(objectives))
    for front in np.unique(rank):
        rows = np.flatnonzero(rank == front)
        for column in objectives[rows].T:
            order = rows[np.argsort(column, kind="stable")]
            values = np.sort(column)
            span = values[-1] - values[0]
            distance[order[[0, -1]]] = np.inf
            if span > 0 and len(order) > 2:
                distance[order[1:-1]] += (values[2:] - values[:-2]) / span
    return distance


def evolve(sizes: Sequence[int], start: I64, judge: Judge, generations: int, rng: np.random.Generator) -> I64:
    """The last population (n, genes), best first: tournaments of two, uniform crossover, one gene in each redrawn.

    ``sizes`` are the options of each gene, ``start`` (n, genes) the first population; ``judge`` gives the objectives
    (k, m) and the violation (k,) of k index vectors.
    """
    population = start
    objectives, violation = judge(population)
    options = np.array(sizes)
    for _ in range(generations):
        rank = ranks(objectives, violation)
        crowd = crowding(objectives, rank)
        place = np.empty(len(population), dtype=np.int64)
        place[np.lexsort((-crowd, rank))] = np.arange(len(population))
        entrants = rng.integers(len(population), size=(2, len(population), 2))
        first, second = (pair[np.arange(len(pair)), np.argmin(place[pair], axis=1)] for pair in entrants)
        mask = rng.random(population.shape) < 0.5
        children = np.where(mask, population[first], population[second])
        redrawn = rng.random(children.shape) < 1.0 / children.shape[1]
        children = np.where(redrawn, rng.integers(options, size=children.shape), children)
        found, broken = judge(children)
        both, values, excess = (
            np.concatenate(pair) for pair in ((population, children), (objectives, found), (violation, broken))
        )
        _, distinct = np.unique(both, axis=0, return_index=True)
        distinct = np.sort(distinct)
        rank = ranks(values[distinct], excess[distinct])
        best = distinct[np.lexsort((-crowding(values[distinct], rank), rank))][: len(start)]
        population, objectives, violation = both[best], values[best], excess[best]
    return population
