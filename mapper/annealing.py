"""The compiled part of the local mapper: greedy growth of tiles, then simulated annealing over the mapspace."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..accel.kernel import evaluate_one
from ..accel.kernel_nest import ProblemArrays, Workspace, workspace

I64 = NDArray[np.int64]

__all__ = ["anneal"]

ENERGY, LATENCY, EDP = 0, 1, 2


@njit(cache=True)
def _score(
    pr: ProblemArrays, factors: I64, order: I64, bypass: I64, ws: Workspace, objective: int
) -> float:
    """The objective to minimise; infinite where the mapping does not fit. Ties are broken by the other quantity."""
    energy, cycles, _ = evaluate_one(pr, factors, order, bypass, ws)
    if not energy < math.inf:
        return math.inf
    if objective == ENERGY:
        return energy * (1.0 + 1e-9 * math.log(cycles))
    if objective == LATENCY:
        return cycles * (1.0 + 1e-6 * math.log1p(energy * 1e12))
    return energy * cycles


@njit(cache=True)
def _cover(pr: ProblemArrays, factors: I64, dim: int) -> None:
    """Set the outermost memory's factor to the least that covers the dimension."""
    inner = 1
    for s in range(1, factors.shape[0]):
        inner *= factors[s, dim]
    factors[0, dim] = (pr.bounds[dim] + inner - 1) // inner


@njit(cache=True)
def _room(factors: I64, slot: int, dim: int, extent: int) -> int:
    """How large the factor of ``dim`` may be on an axis, given the other dimensions there."""
    used = 1
    for d in range(factors.shape[1]):
        if d != dim:
            used *= factors[slot, d]
    return max(1, extent // used)


@njit(cache=True)
def _prime_of(number: int) -> int:
    """A random prime factor, or 2 where the number is a prime above 7 (a partial tile)."""
    left, found, chosen = number, 0, 2
    prime = 2
    while left > 1 and prime <= 7:
        if left % prime == 0:
            found += 1
            if np.random.randint(found) == 0:
                chosen = prime
            while left % prime == 0:
                left //= prime
        prime += 1
    return chosen


@njit(cache=True)
def _fill_axes(pr: ProblemArrays, allowed: I64, extents: I64, factors: I64) -> None:
    """Spread dimensions over the arrays, each axis as full as a random priority of dimensions allows."""
    slots, dims = factors.shape
    left = pr.bounds.copy()
    for slot in range(slots - 1, -1, -1):
        if not extents[slot]:
            continue
        for dim in np.random.permutation(dims):
            if allowed[slot, dim] and left[dim] > 1:
                value = min(left[dim], _room(factors, slot, dim, extents[slot]))
                trips = (left[dim] + value - 1) // value
                value = (left[dim] + trips - 1) // trips  # the same trips with fuller tiles
                factors[slot, dim] = value
                left[dim] = (left[dim] + value - 1) // value
    for dim in range(dims):
        _cover(pr, factors, dim)


@njit(cache=True)
def _grow(
    pr: ProblemArrays, allowed: I64, extents: I64, factors: I64, order: I64, bypass: I64, ws: Workspace, objective: int
) -> tuple[float, int]:
    """Move factors from the outermost memory inwards, always the step that helps most, until none does."""
    slots, dims = factors.shape
    best, evaluations = _score(pr, factors, order, bypass, ws, objective), 1
    primes = (2, 3, 5, 7)
    while True:
        found, at_slot, at_dim, at_value = best, -1, -1, 0
        for dim in range(dims):
            outer = factors[0, dim]
            if outer == 1:
                continue
            for slot in range(slots - 1, 0, -1):
                if extents[slot]:
                    continue
                here = factors[slot, dim]
                for prime in primes:
                    if prime > outer or (outer % prime and prime > 2):
                        continue
                    factors[slot, dim] = here * prime
                    _cover(pr, factors, dim)
                    score = _score(pr, factors, order, bypass, ws, objective)
                    evaluations += 1
                    if score < found:
                        found, at_slot, at_dim, at_value = score, slot, dim, here * prime
                factors[slot, dim] = here
                factors[0, dim] = outer
        if at_slot < 0:
            return best, evaluations
        factors[at_slot, at_dim] = at_value
        _cover(pr, factors, at_dim)
        best = found


@njit(cache=True)
def _change_factor(pr: ProblemArrays, allowed: I64, extents: I64, factors: I64) -> None:
    """Move a factor of one dimension from one slot to another, or set one anew."""
    slots, dims = factors.shape
    dim = np.random.randint(dims)
    to = np.random.randint(slots)
    if not allowed[to, dim]:
        return
    if np.random.random() < 0.6:
        source = np.random.randint(slots)
        if source == to or factors[source, dim] == 1:
            return
        prime = _prime_of(factors[source, dim])
        factors[source, dim] = (factors[source, dim] + prime - 1) // prime
        factors[to, dim] *= prime
    elif to > 0:
        inner = 1
        for s in range(1, slots):
            if s != to:
                inner *= factors[s, dim]
        left = (pr.bounds[dim] + inner - 1) // inner
        trips = np.random.randint(left) + 1
        factors[to, dim] = (left + trips - 1) // trips
    if extents[to]:
        factors[to, dim] = min(factors[to, dim], _room(factors, to, dim, extents[to]))
    _cover(pr, factors, dim)


@njit(cache=True)
def _change_axis(pr: ProblemArrays, allowed: I64, extents: I64, factors: I64) -> None:
    """Empty one axis of an array and fill it again in another priority."""
    slots, dims = factors.shape
    slot = np.random.randint(slots)
    if not extents[slot]:
        return
    factors[slot, :] = 1
    for dim in np.random.permutation(dims):
        if not allowed[slot, dim] or np.random.random() < 0.3:
            continue
        inner = 1
        for s in range(1, slots):
            inner *= factors[s, dim]
        left = (pr.bounds[dim] + inner - 1) // inner
        value = min(left, _room(factors, slot, dim, extents[slot]))
        trips = (left + value - 1) // value
        factors[slot, dim] = (left + trips - 1) // trips
    for dim in range(dims):
        _cover(pr, factors, dim)


@njit(cache=True)
def _change_order(extents: I64, factors: I64, order: I64) -> None:
    """Take one loop of a memory to another position."""
    slots, dims = factors.shape
    slot = np.random.randint(slots)
    if extents[slot] or dims < 2:
        return
    start, end = np.random.randint(dims), np.random.randint(dims)
    moved = order[slot, start]
    if start < end:
        for k in range(start, end):
            order[slot, k] = order[slot, k + 1]
    else:
        for k in range(start, end, -1):
            order[slot, k] = order[slot, k - 1]
    order[slot, end] = moved


@njit(cache=True)
def _change_bypass(may_bypass: I64, bypass: I64) -> None:
    place, role = np.random.randint(bypass.shape[0]), np.random.randint(3)
    if may_bypass[place, role]:
        bypass[place, role] = 1 - bypass[place, role]


@njit(cache=True)
def anneal(
    pr: ProblemArrays, allowed: I64, extents: I64, may_bypass: I64, seed: int, starts: int, steps: int, objective: int
) -> tuple[float, I64, I64, I64, int]:
    """Best (score, factors [S, D], order [S, D], bypass [P, 3]) found and the number of evaluations.

    The best of ``starts`` random spatial assignments with greedily grown tiles is annealed for ``steps`` proposals, the
    temperature (on the logarithm of the objective) falling geometrically; the result is grown once more.
    """
    np.random.seed(seed)
    slots, dims = allowed.shape
    places = may_bypass.shape[0]
    ws = workspace(places, dims)
    can_bypass = may_bypass.sum() > 0
    factors = np.ones((slots, dims), np.int64)
    order = np.empty((slots, dims), np.int64)
    bypass = np.zeros((places, 3), np.int64)
    best, evaluations = math.inf, 0
    best_f, best_o, best_b = factors.copy(), order.copy(), bypass.copy()
    for start in range(starts):
        factors[:] = 1
        for slot in range(slots):
            order[slot] = np.random.permutation(dims)
        if start > 0:
            _fill_axes(pr, allowed, extents, factors)
        else:
            for dim in range(dims):
                _cover(pr, factors, dim)
        score, spent = _grow(pr, allowed, extents, factors, order, bypass, ws, objective)
        evaluations += spent
        if score < best or start == 0:
            best, best_f, best_o = score, factors.copy(), order.copy()
    now_f, now_o, now_b, now = best_f.copy(), best_o.copy(), best_b.copy(), best
    temperature, last = 0.3, 0.001
    cooling = (last / temperature) ** (1.0 / max(1, steps))
    for step in range(steps):
        temperature *= cooling
        if step % 500 == 499 and now > best * 1.5:
            now_f, now_o, now_b, now = best_f.copy(), best_o.copy(), best_b.copy(), best
        factors, order, bypass = now_f.copy(), now_o.copy(), now_b.copy()
        for _ in range(1 + np.random.randint(2)):
            kind = np.random.random()
            if kind < 0.45:
                _change_factor(pr, allowed, extents, factors)
            elif kind < 0.6:
                _change_axis(pr, allowed, extents, factors)
            elif kind < 0.95 or not can_bypass:
                _change_order(extents, factors, order)
            else:
                _change_bypass(may_bypass, bypass)
        score = _score(pr, factors, order, bypass, ws, objective)
        evaluations += 1
        if score <= now or (score < math.inf and np.random.random() < math.exp(math.log(now / score) / temperature)):
            now_f, now_o, now_b, now = factors, order, bypass, score
            if score < best:
                best, best_f, best_o, best_b = score, factors.copy(), order.copy(), bypass.copy()
    best, spent = _grow(pr, allowed, extents, best_f, best_o, best_b, ws, objective)
    return best, best_f, best_o, best_b, evaluations + spent
