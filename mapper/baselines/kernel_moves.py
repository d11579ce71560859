"""Compiled moves between points of a mapspace: each leaves a point that the space contains, or says that it did not.

Loops in space are set first, as few instances as give the same number of passes (unless constraints want divisors);
the loops in time of that dimension then follow, the inner ones kept as near as may be.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np

from ...accel.batch import MAX_DIMS, MAX_PLACES, MAX_SLOTS
from ...accel.kernel_nest import ProblemArrays, Stack, Table, compiled, inlined, name_record
from ..mapspace import Mapspace
from ..objective import Objective

__all__ = [
    "RULES",
    "Rules",
    "change",
    "copy",
    "cover",
    "hold",
    "move",
    "respread",
    "rules_of",
    "set_axis",
    "sort_phases",
]

FACTORS, ORDER = 0, 1  # tables of a point's loops
EXACT, PARTIAL_ARRAYS, PARTIAL_ALL = 0, 1, 2


class Rules(Protocol):
    """What the compiled search knows of a mapspace and an objective: a record of ``RULES``."""

    partial: int  # factors that need not divide: none, those in space, all
    weighted: int  # the objective is a weighted sum, not a product of powers
    energy: float
    latency: float
    seconds_per_cycle: float
    enough: float  # a value at which the search may stop
    extents: Any  # [S] instances along an axis, 0 for a memory
    free: Any  # [S, D] 1 where the factor may be chosen
    phases: Any  # [S, D]
    may_bypass: Any  # [P, 3]


RULES = np.dtype(
    [
        ("partial", "i8"),
        ("weighted", "i8"),
        ("energy", "f8"),
        ("latency", "f8"),
        ("seconds_per_cycle", "f8"),
        ("enough", "f8"),
        ("extents", "i8", (MAX_SLOTS,)),
        ("free", "i8", (MAX_SLOTS, MAX_DIMS)),
        ("phases", "i8", (MAX_SLOTS, MAX_DIMS)),
        ("may_bypass", "i8", (MAX_PLACES, 3)),
    ]
)
name_record("Rules", RULES)


def rules_of(space: Mapspace, objective: Objective, enough: float) -> Rules:
    """The rules of a search in ``space``, which may stop at an objective of ``enough``."""
    slots, dims = space.fixed.shape
    record = np.zeros(1, RULES)[0]
    record["partial"] = ("none", "arrays", "all").index(space.constraints.imperfect)
    record["weighted"], record["enough"] = objective.form == "sum", enough
    record["energy"], record["latency"] = objective.energy, objective.latency
    record["seconds_per_cycle"] = 1.0 / space.accelerator.clock_hz
    record["extents"][:slots] = space.extents
    record["free"][:slots, :dims] = space.fixed == 0
    record["phases"][:slots, :dims] = space.phases
    record["may_bypass"][: len(space.may_bypass)] = space.may_bypass
    return cast("Rules", record)


@compiled
def copy(from_loops: Stack, from_bypass: Table, loops: Stack, bypass: Table) -> None:
    """Overwrite one point with another."""
    for s in range(loops.shape[1]):
        for d in range(loops.shape[2]):
            loops[FACTORS, s, d] = from_loops[FACTORS, s, d]
            loops[ORDER, s, d] = from_loops[ORDER, s, d]
    for p in range(bypass.shape[0]):
        for role in range(3):
            bypass[p, role] = from_bypass[p, role]


@compiled
def _shrink(rules: Rules, factors: Table, dim: int, need: int, spatial: bool) -> None:
    """Lower the free factors of a dimension, in space or in time, to the least that still multiply to ``need``."""
    product = 1
    for s in range(factors.shape[0]):
        if (rules.extents[s] > 0) == spatial and (spatial or rules.free[s, dim]):
            product *= factors[s, dim]
    for s in range(factors.shape[0]):
        if (rules.extents[s] > 0) == spatial and rules.free[s, dim]:
            others = product // factors[s, dim]
            factors[s, dim] = max(1, (need + others - 1) // others)
            product = others * factors[s, dim]


@compiled
def _left(pr: ProblemArrays, rules: Rules, factors: Table, dim: int) -> int:
    """Passes that the free loops in time must run through; 0 where the fixed factors do not fit them."""
    spatial = held = 1
    for s in range(factors.shape[0]):
        if rules.extents[s]:
            spatial *= factors[s, dim]
        elif not rules.free[s, dim]:
            held *= factors[s, dim]
    bound = pr.bounds[dim]
    passes = (bound + spatial - 1) // spatial
    if (rules.partial < PARTIAL_ALL and passes % held) or (rules.partial == EXACT and bound % spatial):
        return 0
    return int((passes + held - 1) // held)


@compiled
def cover(pr: ProblemArrays, rules: Rules, factors: Table, dim: int, up: bool) -> bool:
    """Fit the loops in time to the loops in space; False where no factors do.

    Factors that do not divide what is left become the next smaller one that does, or the next larger with ``up``.
    """
    left, outermost = _left(pr, rules, factors, dim), -1
    for s in range(factors.shape[0] - 1, -1, -1):
        if not rules.extents[s] and rules.free[s, dim]:
            outermost = s
    if outermost < 0 or left < 1:
        return left == 1
    need = left
    for s in range(factors.shape[0] - 1, outermost, -1):
        if rules.extents[s] or not rules.free[s, dim]:
            continue
        value = min(factors[s, dim], left)
        if rules.partial == PARTIAL_ALL:
            left = (left + value - 1) // value
        else:
            while left % value:
                value += 1 if up else -1
            left //= value
        factors[s, dim] = value
    factors[outermost, dim] = left
    if rules.partial == PARTIAL_ALL:
        _shrink(rules, factors, dim, need, False)
    return True


@compiled
def _room(rules: Rules, factors: Table, slot: int, dim: int) -> int:
    """How large the factor of ``dim`` may be on an axis, given the other dimensions there."""
    used = 1
    for d in range(factors.shape[1]):
        if d != dim:
            used *= factors[slot, d]
    return int(rules.extents[slot]) // used


@compiled
def set_axis(pr: ProblemArrays, rules: Rules, factors: Table, slot: int, dim: int, wanted: int) -> None:
    """Spread a dimension over ``wanted`` instances of an axis, or as many as have room and work."""
    others = 1
    for s in range(factors.shape[0]):
        if rules.extents[s] and s != slot:
            others *= factors[s, dim]
    bound = pr.bounds[dim]
    value = max(1, min(wanted, _room(rules, factors, slot, dim), (bound + others - 1) // others))
    if rules.partial == EXACT:
        while (bound // others) % value:
            value -= 1
    factors[slot, dim] = value
    if rules.partial != EXACT:
        passes = (bound + others * value - 1) // (others * value)
        _shrink(rules, factors, dim, (bound + passes - 1) // passes, True)


@compiled
def _displace(pr: ProblemArrays, rules: Rules, factors: Table, slot: int, dim: int, wanted: int) -> bool:
    """Give a dimension ``wanted`` instances of an axis; others there make way, and another may take what is left."""
    dims = factors.shape[1]
    turn = np.random.randint(dims)
    for k in range(dims):
        other = (turn + k) % dims
        if other == dim or not rules.free[slot, other] or factors[slot, other] == 1:
            continue
        room = _room(rules, factors, slot, dim)
        if room >= wanted:
            break
        keep = room * factors[slot, other] // wanted
        set_axis(pr, rules, factors, slot, other, max(1, keep))
        if not cover(pr, rules, factors, other, False):
            return False
    set_axis(pr, rules, factors, slot, dim, wanted)
    if not cover(pr, rules, factors, dim, np.random.random() < 0.3):
        return False
    other = np.random.randint(dims)
    if other != dim and rules.free[slot, other] and np.random.random() < 0.5:
        set_axis(pr, rules, factors, slot, other, int(rules.extents[slot]))
        return cover(pr, rules, factors, other, False)
    return True


@compiled
def _spread(pr: ProblemArrays, rules: Rules, factors: Table, dim: int) -> bool:
    """Lay one dimension anew along all axes, for a random number of passes."""
    slots = factors.shape[0]
    for s in range(slots):
        if rules.extents[s] and rules.free[s, dim]:
            factors[s, dim] = 1
    passes = 1 + np.random.randint(pr.bounds[dim])
    if np.random.random() < 0.5:
        passes = 1 + np.random.randint(passes)
    left, turn = (pr.bounds[dim] + passes - 1) // passes, np.random.randint(slots)
    for k in range(slots):
        s = (turn + k) % slots
        if rules.extents[s] and rules.free[s, dim]:
            wanted = left if np.random.random() < 0.5 else 1 + np.random.randint(left)
            set_axis(pr, rules, factors, s, dim, wanted)
            left = (left + factors[s, dim] - 1) // factors[s, dim]
    return cover(pr, rules, factors, dim, False)


@compiled
def respread(pr: ProblemArrays, rules: Rules, factors: Table, slot: int, skip: float) -> bool:
    """Fill an axis with dimensions in random priority, as many as it holds; ``skip``: chance to leave one out."""
    dims = factors.shape[1]
    for dim in range(dims):
        if rules.free[slot, dim]:
            factors[slot, dim] = 1
    turn, stride = np.random.randint(dims), 1 + np.random.randint(dims)
    for k in range(2 * dims):  # every dimension, whether or not the stride comes by
        dim = (turn + k * stride) % dims if k < dims else k - dims
        if rules.free[slot, dim] and np.random.random() >= skip and (k < dims or skip == 0.0):
            set_axis(pr, rules, factors, slot, dim, int(rules.extents[slot]))
    covered = True
    for dim in range(dims):
        covered = cover(pr, rules, factors, dim, False) and covered
    return covered


@compiled
def move(pr: ProblemArrays, rules: Rules, factors: Table, dim: int, source: int, to: int, part: int) -> bool:
    """Move a divisor of one loop in time to another; False, with nothing changed, where that cannot be."""
    if source == to or part < 2 or rules.extents[source] or rules.extents[to]:
        return False
    if not (rules.free[source, dim] and rules.free[to, dim]) or factors[source, dim] % part:
        return False
    factors[source, dim] //= part
    factors[to, dim] *= part
    if rules.partial == PARTIAL_ALL:
        _shrink(rules, factors, dim, _left(pr, rules, factors, dim), False)
    return True


@compiled
def _divisor(number: int) -> int:
    """A random prime factor of ``number``, or all of it."""
    if np.random.random() < 0.25:
        return number
    left, found, chosen, prime = number, 0, number, 2
    while left > 1:
        if prime * prime > left:
            prime = left
        if left % prime == 0:
            found += 1
            if np.random.randint(found) == 0:
                chosen = prime
            while left % prime == 0:
                left //= prime
        prime += 1
    return chosen


@compiled
def _share(number: int) -> int:
    """The product of a random half of the primes of ``number``."""
    left, value, prime = number, 1, 2
    while left > 1:
        if prime * prime > left:
            prime = left
        while left % prime == 0:
            left //= prime
            if np.random.random() < 0.5:
                value *= prime
        prime += 1
    return value


@compiled
def _split(pr: ProblemArrays, rules: Rules, factors: Table, dim: int, slot: int, other: int) -> bool:
    """Divide what two loops in time run through anew between them."""
    if slot == other or rules.extents[slot] or rules.extents[other]:
        return False
    if not (rules.free[slot, dim] and rules.free[other, dim]):
        return False
    whole = factors[slot, dim] * factors[other, dim]
    value = 1 + np.random.randint(whole) if rules.partial == PARTIAL_ALL else _share(whole)
    if value == factors[slot, dim]:
        return False
    factors[slot, dim], factors[other, dim] = value, (whole + value - 1) // value
    if rules.partial == PARTIAL_ALL:
        _shrink(rules, factors, dim, _left(pr, rules, factors, dim), False)
    return True


@compiled
def _exchange(pr: ProblemArrays, rules: Rules, factors: Table, slot: int, other: int, dim: int, back: int) -> bool:
    """Move a part of ``dim`` from ``slot`` to ``other`` and one of ``back`` the other way, for full memories."""
    if dim == back or factors[slot, dim] < 2 or factors[other, back] < 2:
        return False
    out, into = _divisor(factors[slot, dim]), _divisor(factors[other, back])
    if not move(pr, rules, factors, dim, slot, other, out):
        return False
    move(pr, rules, factors, back, other, slot, into)
    return True


@compiled
def hold(pr: ProblemArrays, rules: Rules, order: Table, slot: int, role: int) -> None:
    """Make a tensor stationary at a memory: dimensions it lacks innermost, otherwise in the present order."""
    dims = order.shape[1]
    for _ in range(dims):
        for k in range(dims - 1):
            a, b = order[slot, k], order[slot, k + 1]
            if rules.phases[slot, a] == rules.phases[slot, b] and not pr.relevant[role, a] and pr.relevant[role, b]:
                order[slot, k], order[slot, k + 1] = b, a


@compiled
def sort_phases(rules: Rules, order: Table, slot: int) -> None:
    """Bring the loops of a memory into the order that the phases demand, otherwise as they are."""
    for end in range(order.shape[1] - 1, 0, -1):
        for k in range(end):
            a, b = order[slot, k], order[slot, k + 1]
            if rules.phases[slot, a] < rules.phases[slot, b]:
                order[slot, k], order[slot, k + 1] = b, a


@inlined
def _reorder(pr: ProblemArrays, rules: Rules, factors: Table, order: Table, slot: int) -> bool:
    """Hold another tensor, or exchange two loops of a memory."""
    dims = order.shape[1]
    if rules.extents[slot]:
        return False
    if np.random.random() < 0.5:
        hold(pr, rules, order, slot, np.random.randint(3))
        return True
    k, j = np.random.randint(dims), np.random.randint(dims)
    a, b = order[slot, k], order[slot, j]
    if k == j or rules.phases[slot, a] != rules.phases[slot, b] or (factors[slot, a] < 2 and factors[slot, b] < 2):
        return False
    order[slot, k], order[slot, j] = b, a
    return True


@compiled
def change(pr: ProblemArrays, rules: Rules, loops: Stack, bypass: Table) -> int:
    """One random change of a factor, an axis, a loop order or a bypass: 1 changed, 0 not changed, -1 left the space."""
    factors = loops[FACTORS]
    slots, dims = factors.shape
    kind, slot, dim = np.random.random(), np.random.randint(slots), np.random.randint(dims)
    if rules.extents[slot]:
        if kind < 0.15:
            return 1 if respread(pr, rules, factors, slot, 0.3) else -1
        if not rules.free[slot, dim]:
            return 0
        if kind < 0.4:
            return 1 if _spread(pr, rules, factors, dim) else -1
        extent = min(pr.bounds[dim], rules.extents[slot])
        wanted = 1 + np.random.randint(extent) if kind < 0.8 else extent
        if wanted == factors[slot, dim]:
            return 0
        return 1 if _displace(pr, rules, factors, slot, dim, wanted) else -1
    other = np.random.randint(slots)
    if kind < 0.3:
        return 1 if move(pr, rules, factors, dim, other, slot, _divisor(factors[other, dim])) else 0
    if kind < 0.5:
        return 1 if _split(pr, rules, factors, dim, slot, other) else 0
    if kind < 0.7:
        return 1 if _exchange(pr, rules, factors, slot, other, dim, np.random.randint(dims)) else 0
    if kind < 0.95:
        return 1 if _reorder(pr, rules, factors, loops[ORDER], slot) else 0
    place, role = np.random.randint(bypass.shape[0]), np.random.randint(3)
    if rules.may_bypass[place, role]:
        bypass[place, role] = 1 - bypass[place, role]
    return int(rules.may_bypass[place, role])
