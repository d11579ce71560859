"""Large-neighbourhood search, its destroy operators picked by a bandit, as in Balans (Cai, Kadıoğlu and Dilkina, 2024).

A step frees one part of a mapping (a dimension, a memory, the arrays, the loop orders, a tensor's bypasses) and repairs
it with the best of many completions; whether the result replaces the mapping is decided as in simulated annealing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..base import UNLIMITED, Limits, MappingResult
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import random_points, repair
from ..space_size import divisors
from .bandit import Bandit
from .common import Search, picked

if TYPE_CHECKING:
    from .common import I64, Points

    Destroy = Callable[[Mapspace, Points, np.random.Generator], Points]

__all__ = ["NeighbourhoodMapper"]

COMPLETIONS = 32  # costed in one step
FIRST_DRAWS = 0.05  # share of the budget spent on random points to begin with
HOT, COLD = 0.02, 0.001  # temperatures, on the logarithm of the objective
BETTER, ACCEPTED = 0.5, 0.1  # rewards of a step that betters the present mapping or replaces it; the best of all gets 1
PATIENCE = 40  # steps without a new best before the search begins anew elsewhere


class NeighbourhoodMapper:
    """Part after part of a mapping is taken out and put back better; a bandit learns which parts pay."""

    name: ClassVar[str] = "lns"
    version: ClassVar[int] = 1

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        search, rng = Search(space, objective, limits), np.random.default_rng(seed)
        if not search.over:
            search.cost(random_points(space, max(1, int(FIRST_DRAWS * search.budget)), rng))
        operators = _operators(space)
        bandit, idle = Bandit(len(operators), rng), 0
        present, now = search.batch(), search.best
        while not search.over:
            arm, before = bandit.choose(), search.best
            proposals = picked(present, np.zeros(COMPLETIONS, np.int64))
            proposals = operators[arm](space, proposals, rng)
            scores = search.cost(proposals)
            row = int(scores.argmin())
            found = float(scores[row])
            temperature = HOT * (COLD / HOT) ** (search.spent / search.budget)
            accepted = found < now or (
                found < math.inf and rng.random() < math.exp(math.log(now / found) / temperature)
            )
            idle = 0 if search.best < before else idle + 1
            bandit.learn(arm, 1.0 if not idle else BETTER if found < now else ACCEPTED if accepted else 0.0)
            if accepted:
                present, now = picked(proposals, slice(row, row + 1)), found
            elif idle % PATIENCE == PATIENCE - 1 and not search.over:
                present, now = _elsewhere(search, rng)
        return search.result()


def _elsewhere(search: Search, rng: np.random.Generator) -> tuple[Points, float]:
    """The best of some random points, to begin anew from; the best of all where none of them fits."""
    drawn = random_points(search.space, COMPLETIONS, rng)
    scores = search.cost(drawn)
    row = int(scores.argmin())
    if not math.isfinite(scores[row]):
        return search.batch(), search.best
    return picked(drawn, slice(row, row + 1)), float(scores[row])


def _operators(space: Mapspace) -> list[Destroy]:
    """The destroy operators that have something to destroy in this space.

    Each takes a batch of copies of a point, changes one part of them at random and returns points of the space.
    """
    found: list[Destroy] = []
    if space.problem.dims:
        found += [_one_dimension, _two_dimensions, _one_memory, _one_order, _all_orders]
        if len(space.spatial):
            found += [_one_axis, _all_axes]
    if space.may_bypass.any() or not found:
        found.append(_one_tensor)
    return found


@lru_cache(maxsize=4096)
def _splits(number: int, parts: int) -> I64:
    """[n, parts] all ordered ways to write ``number`` as a product."""
    if parts == 1:
        return np.full((1, 1), number, np.int64)
    rows = []
    for first in divisors(number):
        rest = _splits(number // first, parts - 1)
        rows.append(np.column_stack([np.full(len(rest), first, np.int64), rest]))
    return np.concatenate(rows)


def _redraw(space: Mapspace, points: Points, dim: int, rng: np.random.Generator) -> None:
    """Give a dimension new factors in space, within the room that the others leave, and in time."""
    factors, choices = points[0], space.choices[dim]
    if rng.random() < 0.7:
        taken = factors[:, space.spatial].prod(axis=2) // factors[:, space.spatial, dim]  # [B, A]
        fits = (taken[:, None] * choices[None] <= space.extents[space.spatial]).all(axis=2)
        fullness = rng.choice([0.0, 1.0, 4.0]) * np.log(choices.prod(axis=1))
        chosen = np.where(fits, fullness + rng.gumbel(size=fits.shape), -np.inf).argmax(axis=1)
        factors[:, space.spatial, dim] = choices[chosen]
    slots = space.open_slots(dim)
    if len(slots):
        left = space.passes_left(dim, factors[:, space.spatial, dim])
        for number in np.unique(left):
            rows, splits = np.flatnonzero(left == number), _splits(int(number), len(slots))
            some = rng.permutation(len(splits))[: len(rows)]  # no split twice, as long as there are enough
            factors[rows[:, None], slots, dim] = splits[np.resize(some, len(rows))]


def _one_dimension(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    _redraw(space, points, int(rng.integers(len(space.bounds))), rng)
    return points


def _two_dimensions(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    for dim in rng.permutation(len(space.bounds))[:2]:
        _redraw(space, points, int(dim), rng)
    return points


def _one_memory(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    """What a memory and another one loop over together is divided anew between them; its order is free as well."""
    factors, others = points[0], rng.permutation(space.temporal)
    one, other = others[0], others[-1]
    for dim in np.flatnonzero((space.fixed[one] == 0) & (space.fixed[other] == 0) & (one != other)):
        whole = int(factors[0, one, dim] * factors[0, other, dim])
        shares = rng.choice(divisors(whole), len(factors))
        kept = rng.random(len(factors)) < 0.5
        shares[kept] = factors[kept, one, dim]
        factors[:, one, dim], factors[:, other, dim] = shares, whole // shares
    _shuffle(space, points[1], one, rng, share=0.5)
    return repair(space, *points, rng) if space.constraints.imperfect == "all" else points


def _one_axis(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    """One axis of an array is assigned anew."""
    slot = rng.choice(space.spatial)
    points[0][:, slot] = random_points(space, len(points[0]), rng)[0][:, slot]
    return repair(space, *points, rng)


def _all_axes(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    """All arrays are assigned anew."""
    points[0][:, space.spatial] = random_points(space, len(points[0]), rng)[0][:, space.spatial]
    return repair(space, *points, rng)


def _shuffle(space: Mapspace, order: I64, slot: int, rng: np.random.Generator, share: float = 1.0) -> None:
    """Loops of a memory in new orders, those of a random tensor outside the others; ``share``: of the batch."""
    own = [{dim for rank in tensor.ranks for dim, _ in rank.terms} for tensor in space.op.tensors]
    relevant = np.asarray([[dim in dims for dim in space.problem.dims] for dims in own], np.int64)  # [3, D]
    key = rng.random((len(order), len(space.bounds))) - relevant[rng.integers(3, size=len(order))]
    changed = rng.random(len(order)) < share
    order[changed, slot] = np.argsort(key - 2 * space.phases[slot], axis=1)[changed]


def _one_order(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    _shuffle(space, points[1], int(rng.choice(space.temporal)), rng)
    return points


def _all_orders(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    for slot in space.temporal:
        _shuffle(space, points[1], int(slot), rng, share=0.5)
    return points


def _one_tensor(space: Mapspace, points: Points, rng: np.random.Generator) -> Points:
    """Which memories a tensor skips."""
    bypass, role = points[2], rng.integers(3)
    bypass[:, :, role] = rng.integers(0, 2, bypass.shape[:2]) & space.may_bypass[:, role]
    return points
