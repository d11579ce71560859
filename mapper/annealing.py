"""The compiled part of the local mapper: grown starts, simulated annealing of the best, and a last polish."""

from __future__ import annotations

import math

import numpy as np

from ..accel.kernel import evaluate_one
from ..accel.kernel_nest import (
    I64,
    Evaluate,
    ProblemArrays,
    Table,
    Vector,
    Workspace,
    compiled,
    entry,
    inlined,
    workspace,
)

__all__ = ["anneal"]

ENERGY, LATENCY, EDP = 0, 1, 2
ROUNDS = ((1.0, 0.3), (0.34, 0.2))  # share of the starts kept and first temperature of each round
PREPARE, FINISH = 100, 1000  # evaluations that polishing a start and a result may take
COLD = 0.02  # last temperature, on the logarithm of the objective


@compiled
def _copy(source: Table, target: Table) -> None:
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@compiled
def _score(
    evaluate: Evaluate, pr: ProblemArrays, factors: Table, order: Table, bypass: Table, ws: Workspace, objective: int
) -> float:
    """The objective to minimise; infinite where the mapping does not fit. Ties are broken by the other quantity."""
    energy, cycles, _ = evaluate(pr, factors, order, bypass, ws)
    if not energy < math.inf:
        return math.inf
    if objective == ENERGY:
        return energy * (1.0 + 1e-9 * math.log(cycles))
    if objective == LATENCY:
        return cycles * (1.0 + 1e-6 * math.log1p(energy * 1e12))
    return energy * cycles


@compiled
def _inner(factors: Table, dim: int, but: int) -> int:
    """Product of the factors of a dimension inside the outermost memory, slot ``but`` left out."""
    inner = 1
    for s in range(1, factors.shape[0]):
        if s != but:
            inner *= factors[s, dim]
    return inner


@compiled
def _cover(pr: ProblemArrays, factors: Table, dim: int) -> None:
    """Set the outermost memory's factor to the least that covers the dimension."""
    inner = _inner(factors, dim, 0)
    factors[0, dim] = (pr.bounds[dim] + inner - 1) // inner


@compiled
def _room(factors: Table, slot: int, dim: int, extent: int) -> int:
    """How large the factor of ``dim`` may be on an axis, given the other dimensions there."""
    used = 1
    for d in range(factors.shape[1]):
        if d != dim:
            used *= factors[slot, d]
    return max(1, extent // used)


@compiled
def _fill_axis(pr: ProblemArrays, allowed: Table, extents: Vector, factors: Table, slot: int, skip: float) -> None:
    """Spread dimensions along an axis in random priority, as many as it holds; ``skip``: chance to leave one out."""
    dims = factors.shape[1]
    turn, stride = np.random.randint(dims), 1 + np.random.randint(dims)
    for k in range(2 * dims):  # every dimension, some of them twice
        dim = (turn + k * stride) % dims if k < dims else k - dims
        if k >= dims and skip > 0.0:
            break
        if not allowed[slot, dim] or np.random.random() < skip:
            continue
        inner = _inner(factors, dim, slot)
        left = (pr.bounds[dim] + inner - 1) // inner
        value = min(left, _room(factors, slot, dim, extents[slot]))
        trips = (left + value - 1) // value
        factors[slot, dim] = (left + trips - 1) // trips  # the same trips with fuller tiles
    for dim in range(dims):
        _cover(pr, factors, dim)


@compiled
def _hold(pr: ProblemArrays, order: Table, slot: int, role: int) -> None:
    """Make a tensor stationary at a memory: dimensions it lacks innermost, otherwise in the present order."""
    dims = order.shape[1]
    for _ in range(dims):
        for k in range(dims - 1):
            if not pr.relevant[role, order[slot, k]] and pr.relevant[role, order[slot, k + 1]]:
                order[slot, k], order[slot, k + 1] = order[slot, k + 1], order[slot, k]


@compiled
def _shift(pr: ProblemArrays, extents: Vector, factors: Table, dim: int, source: int, to: int, prime: int) -> bool:
    """Move a factor of one dimension between slots; False, with nothing changed, where an axis has no room for it."""
    if source == to or factors[source, dim] < 2 or (to == 0 and source == 0):
        return False
    if extents[to] and factors[to, dim] * prime > _room(factors, to, dim, extents[to]):
        return False
    factors[source, dim] = (factors[source, dim] + prime - 1) // prime
    if to > 0:
        factors[to, dim] *= prime
    _cover(pr, factors, dim)
    return True


@entry
def _polish(
    evaluate: Evaluate,
    pr: ProblemArrays,
    allowed: Table,
    extents: Vector,
    may_bypass: Table,
    factors: Table,
    order: Table,
    bypass: Table,
    ws: Workspace,
    objective: int,
    best: float,
    budget: int,
) -> tuple[float, int]:
    """Take every single factor, stationary tensor or bypass that helps until none does or the budget is spent."""
    slots, dims = factors.shape
    spent, quiet = 0, 0
    before, sequence = factors.copy(), np.empty(dims, np.int64)
    while quiet < dims + slots and spent < budget:
        for dim in range(dims):
            quiet += 1
            for source in range(slots):
                for to in range(slots):
                    if to and not allowed[to, dim]:
                        continue
                    for prime in (2, 3, 5, 7, factors[source, dim]):
                        whole = prime == factors[source, dim]
                        if prime > factors[source, dim] or (factors[source, dim] % prime and prime > 2):
                            continue
                        for s in range(slots):
                            before[s, dim] = factors[s, dim]
                        if not _shift(pr, extents, factors, dim, source, to, prime):
                            continue
                        score = _score(evaluate, pr, factors, order, bypass, ws, objective)
                        spent += 1
                        if score < best:
                            best, quiet = score, 0
                        else:
                            for s in range(slots):
                                factors[s, dim] = before[s, dim]
                        if whole:
                            break
        for slot in range(slots):
            quiet += 1
            if extents[slot]:
                continue
            for role in range(3):
                for k in range(dims):
                    sequence[k] = order[slot, k]
                _hold(pr, order, slot, role)
                score = _score(evaluate, pr, factors, order, bypass, ws, objective)
                spent += 1
                if score < best:
                    best, quiet = score, 0
                else:
                    for k in range(dims):
                        order[slot, k] = sequence[k]
        for place in range(bypass.shape[0]):
            for role in range(3):
                if may_bypass[place, role]:
                    bypass[place, role] = 1 - bypass[place, role]
                    score = _score(evaluate, pr, factors, order, bypass, ws, objective)
                    spent += 1
                    if score < best:
                        best, quiet = score, 0
                    else:
                        bypass[place, role] = 1 - bypass[place, role]
    return best, spent


@compiled
def _prime_of(number: int) -> int:
    """A random prime factor, or 2 where the number is a prime above 7 (a partial tile)."""
    left, found, chosen = number, 0, 2
    for prime in (2, 3, 5, 7):
        if left % prime == 0:
            found += 1
            if np.random.randint(found) == 0:
                chosen = prime
    return chosen


@compiled
def _reset(pr: ProblemArrays, extents: Vector, factors: Table, slot: int, dim: int) -> bool:
    """Set one factor anew, the outermost memory making up for it."""
    inner = _inner(factors, dim, slot)
    left = (pr.bounds[dim] + inner - 1) // inner
    trips = np.random.randint(left) + 1
    if np.random.random() < 0.3:
        trips = 1
    value = (left + trips - 1) // trips
    if extents[slot]:
        value = min(value, _room(factors, slot, dim, extents[slot]))
    if value == factors[slot, dim]:
        return False
    factors[slot, dim] = value
    _cover(pr, factors, dim)
    return True


@inlined
def _exchange(
    pr: ProblemArrays, allowed: Table, extents: Vector, factors: Table, slot: int, other: int, dim: int, back: int
) -> bool:
    """Move a factor of ``dim`` from ``slot`` to ``other`` and one of ``back`` the other way, for full memories."""
    if (
        dim == back
        or factors[slot, dim] < 2
        or factors[other, back] < 2
        or not (allowed[other, dim] and allowed[slot, back])
    ):
        return False
    out, into = factors[slot, dim], factors[other, back]
    if np.random.random() < 0.5:
        out = _prime_of(out)
    if np.random.random() < 0.7:
        into = _prime_of(into)
    if _shift(pr, extents, factors, dim, slot, other, out):
        _shift(pr, extents, factors, back, other, slot, into)
        return True
    return _shift(pr, extents, factors, back, other, slot, into) and _shift(pr, extents, factors, dim, slot, other, out)


@inlined
def _change(
    pr: ProblemArrays, allowed: Table, extents: Vector, may_bypass: Table, factors: Table, order: Table, bypass: Table
) -> bool:
    """One random change of a factor, an axis, a loop order or a bypass; False where nothing changed."""
    slots, dims = factors.shape
    kind, slot, dim = np.random.random(), np.random.randint(slots), np.random.randint(dims)
    if kind < 0.2:
        return _exchange(pr, allowed, extents, factors, slot, np.random.randint(slots), dim, np.random.randint(dims))
    if kind < 0.45:
        source = np.random.randint(slots)
        if not allowed[slot, dim] or factors[source, dim] < 2:
            return False
        return _shift(pr, extents, factors, dim, source, slot, _prime_of(factors[source, dim]))
    if kind < 0.65:
        return slot > 0 and allowed[slot, dim] and _reset(pr, extents, factors, slot, dim)
    if kind < 0.7:
        if extents[slot]:
            for k in range(dims):
                factors[slot, k] = 1
            _fill_axis(pr, allowed, extents, factors, slot, 0.3)
        return bool(extents[slot] > 0)
    if kind < 0.95:
        if extents[slot] or factors[slot, dim] < 2:
            return False
        if kind < 0.82:
            _hold(pr, order, slot, np.random.randint(3))
        else:
            other = np.random.randint(dims)
            order[slot, dim], order[slot, other] = order[slot, other], order[slot, dim]
        return True
    place, role = np.random.randint(bypass.shape[0]), np.random.randint(3)
    if may_bypass[place, role]:
        bypass[place, role] = 1 - bypass[place, role]
    return bool(may_bypass[place, role] > 0)


@entry
def _walk(
    evaluate: Evaluate,
    pr: ProblemArrays,
    allowed: Table,
    extents: Vector,
    may_bypass: Table,
    best_f: Table,
    best_o: Table,
    best_b: Table,
    ws: Workspace,
    objective: int,
    best: float,
    steps: int,
    hot: float,
    cold: float,
) -> float:
    """Anneal from a mapping, which becomes the best found; returns its score.

    The temperature, on the logarithm of the objective, falls geometrically.
    """
    now_f, now_o, now_b, now = best_f.copy(), best_o.copy(), best_b.copy(), best
    factors, order, bypass = now_f.copy(), now_o.copy(), now_b.copy()
    temperature = hot
    cooling = (cold / temperature) ** (1.0 / max(1, steps))
    for step in range(steps):
        temperature *= cooling
        if step % 300 == 299 and now > best * (1.0 + 4.0 * temperature):
            _copy(best_f, now_f)
            _copy(best_o, now_o)
            _copy(best_b, now_b)
            now = best
        _copy(now_f, factors)
        _copy(now_o, order)
        _copy(now_b, bypass)
        wanted = 1 + np.random.randint(3)
        for _ in range(20):  # most draws change nothing; a proposal is worth its evaluation only if something did
            wanted -= _change(pr, allowed, extents, may_bypass, factors, order, bypass)
            if wanted <= 0:
                break
        score = _score(evaluate, pr, factors, order, bypass, ws, objective)
        if score <= now or (score < math.inf and np.random.random() < math.exp(math.log(now / score) / temperature)):
            _copy(factors, now_f)
            _copy(order, now_o)
            _copy(bypass, now_b)
            now = score
            if score < best:
                _copy(factors, best_f)
                _copy(order, best_o)
                _copy(bypass, best_b)
                best = score
    return best


@entry
def _begin(
    evaluate: Evaluate,
    pr: ProblemArrays,
    allowed: Table,
    extents: Vector,
    factors: Table,
    order: Table,
    bypass: Table,
    ws: Workspace,
    objective: int,
    seed: int,
    skip: float,
) -> float:
    """A random start: full axes unless ``skip`` is 1, a random tensor stationary at each memory; returns its score."""
    np.random.seed(seed)
    slots, dims = factors.shape
    for slot in range(slots):
        for k in range(dims):
            order[slot, k] = k
        for k in range(dims - 1, 0, -1):
            other = np.random.randint(k + 1)
            order[slot, k], order[slot, other] = order[slot, other], order[slot, k]
        _hold(pr, order, slot, np.random.randint(3))
    for slot in range(slots - 1, 0, -1):
        if extents[slot] and skip < 1.0:
            _fill_axis(pr, allowed, extents, factors, slot, skip)
    for dim in range(dims):
        _cover(pr, factors, dim)
    return _score(evaluate, pr, factors, order, bypass, ws, objective)


def anneal(
    pr: ProblemArrays, allowed: I64, extents: I64, may_bypass: I64, seed: int, starts: int, steps: int, objective: int
) -> tuple[float, I64, I64, I64, int]:
    """Best (score, factors [S, D], order [S, D], bypass [P, 3]) found and the number of evaluations.

    ``starts`` spatial assignments and loop orders are polished; the best are annealed for ``steps`` proposals and
    polished again. The first start has every loop in the outermost memory and every bypass: where that fits, so does
    the result.
    """
    ws, evaluations = workspace(), 0
    pool: list[tuple[float, tuple[I64, I64, I64]]] = []
    for start in range(max(1, starts)):
        factors, order = np.ones(allowed.shape, np.int64), np.zeros(allowed.shape, np.int64)
        point = (factors, order, np.zeros(may_bypass.shape, np.int64) if start else may_bypass.copy())
        skip = 0.2 * (start % 3) if start else 1.0
        score = _begin(evaluate_one, pr, allowed, extents, *point, ws, objective, seed * 1009 + start, skip)
        score, spent = _polish(evaluate_one, pr, allowed, extents, may_bypass, *point, ws, objective, score, PREPARE)
        evaluations += spent + 1
        pool.append((score, point))
    for keep, hot in ROUNDS:
        pool = sorted(pool, key=lambda one: one[0])[: max(1, int(len(pool) * keep))]
        share = steps // (len(ROUNDS) * len(pool))
        for at, (score, point) in enumerate(pool):
            score = _walk(
                evaluate_one, pr, allowed, extents, may_bypass, *point, ws, objective, score, share, hot, COLD
            )
            evaluations += share
            pool[at] = (score, point)
    score, point = min(pool, key=lambda one: one[0])
    score, spent = _polish(evaluate_one, pr, allowed, extents, may_bypass, *point, ws, objective, score, FINISH)
    return (score, *point, evaluations + spent)
