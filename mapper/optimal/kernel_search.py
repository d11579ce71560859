"""The search below one spatial assignment: all loops in time, innermost outwards, by dynamic programming over labels.

A label is a way to have come to a point of the lattice at a memory: its cost so far, as an interval, and which words
are settled (``key``). Of two labels with the same point and key the one that costs no less in any respect is dropped;
so is one that, with the least still to be paid, cannot beat the best mapping known. What is left at the end is priced
by the model itself. No mapping of the assignment is better than the result.
"""

from __future__ import annotations

import math

import numpy as np

from ...accel.kernel_nest import (
    DOUBLE_BUFFERED,
    OUTPUT,
    SINGLE,
    Cube,
    Evaluate,
    Flat,
    ProblemArrays,
    Results,
    Table,
    Vector,
    Workspace,
    compiled,
    entry,
)
from .kernel_complete import complete
from .kernel_instance import PORTS, Instance
from .kernel_labels import (
    AT,
    BEFORE,
    BEST,
    BOUNDING,
    KEY,
    LABELS,
    LEAST,
    MARK,
    MAY_EVALUATE,
    MOVE,
    MUCH,
    NEXT,
    PHASE,
    PLACED,
    PRUNED,
    SAME,
    SEALED,
    SUMMED,
    WORK,
    insert,
    objective_of,
    value_of,
)
from .kernel_lattice import (
    AXES,
    AXIS_COLUMNS,
    AXIS_COUNT,
    AXIS_DIM,
    AXIS_PRIME,
    AXIS_STRIDE,
    axes,
    fitting,
    points,
    still_to_pay,
)
from .kernel_ports import drop_ports
from .kernel_prepare import prepare
from .kernel_terms import LIVE, MARKS, OPEN, first_tiles, loop, settled_edge

__all__ = ["bound_below", "floor_of", "search"]


@entry
def bound_below(pr: ProblemArrays, it: Instance, spread: Table, group: Vector, bypass: Table, goal: Flat) -> float:
    """The least objective under a spatial assignment by what is paid in any case: compulsory words, compute steps."""
    prepare(pr, spread, group, bypass, it)
    if it.failed:
        return 0.0
    cycles = 0.0
    for port in range(it.n_ports):
        cycles = max(cycles, it.base[0, 1 + port])
    cycles += it.pipeline
    return objective_of(goal, it.base[0, 0] + it.leakage * cycles, cycles)


@compiled
def _start(
    pr: ProblemArrays,
    it: Instance,
    goal: Flat,
    taus: Table,
    fits: Table,
    pay: Cube,
    spread: Table,
    fixed: Table,
    labels: Table,
    costs: Results,
    heads: Vector,
    state: Flat,
) -> int:
    """Labels for all loops of the innermost memory, sealed; returns how many, -1 for too many."""
    m, width, n = it.n_memories - 1, 1 + it.n_ports, 0
    keys = 0
    for b in range(it.n_boundaries):
        if it.child[b] == m:
            keys += OPEN << (4 * b)
    row = np.zeros((2, 1 + PORTS))
    for at in range(taus.shape[0]):
        heads[at] = -1
        if not fits[m, at]:
            continue
        summed, allowed = False, True
        for v in range(it.n_dims):
            summed |= taus[at, v] > 1 and it.kind[OUTPUT, v] != SINGLE
            allowed &= not fixed[m, v] or taus[at, v] == fixed[m, v]
        if not allowed or (fits[m, at] == 1 and summed):
            continue
        for k in range(width):
            row[0, k], row[1, k] = it.base[0, k], it.base[1, k]
        first_tiles(it, m, taus[at], spread, not pr.ints[it.place[m], DOUBLE_BUFFERED], row)
        if n == labels.shape[0]:
            return -1
        for k in range(width):
            costs[n, k], costs[n, width + k] = row[0, k], row[1, k]
        costs[n, 2 * width] = value_of(it, goal, costs, n, pay, m - 1, at)
        if costs[n, 2 * width] >= state[BEST] * SAME:
            continue
        labels[n, BEFORE], labels[n, AT], labels[n, KEY] = -1, at, keys
        labels[n, MOVE], labels[n, PHASE], labels[n, NEXT] = SEALED, 0, -1
        for k in range(MARKS):
            labels[n, MARK + k] = 0
        settled_edge(it, m, taus[at], labels[n, MARK:])
        heads[at] = n
        n += 1
    return n


@compiled
def _extend(
    it: Instance,
    goal: Flat,
    m: int,
    one: int,
    v: int,
    by: int,
    to: int,
    phase: int,
    taus: Table,
    pay: Cube,
    spread: Table,
    labels: Table,
    costs: Results,
    row: Results,
    heads: Vector,
    more: Results,
    n: int,
    state: Flat,
) -> int:
    """Place a loop of bound ``by`` over ``v`` behind label ``one``; returns the number of labels."""
    width, key = 1 + it.n_ports, labels[one, KEY]
    for k in range(width):
        row[0, k], row[1, k] = costs[one, k], costs[one, width + k]
    summed = key & SUMMED
    for k in range(MARKS):
        labels[n, MARK + k] = labels[one, MARK + k]
    key = loop(it, m, key - summed, v, by, taus[labels[one, AT]], spread, row, labels[n, MARK:]) + summed
    if it.kind[OUTPUT, v] != SINGLE:
        key |= SUMMED
    if costs[labels.shape[0], 2 * width] == BOUNDING:  # the bounds to come must not depend on what is not compared
        for b in range(it.n_boundaries):
            if (key >> (4 * b)) & 15 == LIVE:
                key -= LIVE << (4 * b)
        for k in range(MARKS):
            labels[n, MARK + k] = 0
    for k in range(width):
        costs[n, k], costs[n, width + k] = row[0, k], row[1, k]
    costs[n, 2 * width] = value_of(it, goal, costs, n, pay, m, to)
    if costs[n, 2 * width] >= state[BEST] * SAME:
        state[PRUNED] += 1.0
        return n
    labels[n, BEFORE], labels[n, AT], labels[n, KEY], labels[n, MOVE], labels[n, PHASE] = one, to, key, v, phase
    if insert(it, taus, labels, costs, heads, n, width, more, state):
        return n + 1
    state[PRUNED] += 1.0
    return n


@compiled
def _fixed_loop(found: Table, count: int, at: int, v: int, by: int) -> int:
    """The point behind a loop of bound ``by`` over ``v``; -1 where the passes left do not divide by it."""
    for j in range(count):
        if found[j, AXIS_DIM] == v:
            exponent = (at // found[j, AXIS_STRIDE]) % (found[j, AXIS_COUNT] + 1)
            while by % found[j, AXIS_PRIME] == 0:
                by //= found[j, AXIS_PRIME]
                at += found[j, AXIS_STRIDE]
                exponent += 1
            if exponent > found[j, AXIS_COUNT]:
                return -1
    return at if by == 1 else -1


@compiled
def _walk(
    it: Instance,
    goal: Flat,
    m: int,
    found: Table,
    count: int,
    taus: Table,
    fits: Table,
    pay: Cube,
    spread: Table,
    fixed: Table,
    phases: Table,
    labels: Table,
    costs: Results,
    heads: Vector,
    more: Results,
    n: int,
    state: Flat,
) -> int:
    """All loops at memory ``m``, prime by prime; returns the number of labels, -1 for too many."""
    row = np.zeros((2, 1 + PORTS))
    for at in range(taus.shape[0]):
        one = heads[at]
        while one >= 0:
            phase, placed = labels[one, PHASE] % PLACED, labels[one, PHASE] // PLACED
            for j in range(count):
                v, by, to = found[j, AXIS_DIM], found[j, AXIS_PRIME], at + found[j, AXIS_STRIDE]
                if fixed[m, v]:
                    by, to = fixed[m, v], _fixed_loop(found, count, at, v, fixed[m, v])
                    if by == 1 or to < 0 or (placed >> v) & 1:
                        continue
                elif (at // found[j, AXIS_STRIDE]) % (found[j, AXIS_COUNT] + 1) == found[j, AXIS_COUNT]:
                    continue
                if not fits[m, to] or phases[m, v] < phase:
                    continue
                if n == labels.shape[0] or state[WORK] > MUCH:
                    return -1
                then = phases[m, v] + PLACED * (placed | (1 << v if fixed[m, v] else 0))
                n = _extend(
                    it, goal, m, one, v, by, to, then, taus, pay, spread, labels, costs, row, heads, more, n, state
                )
            one = labels[one, NEXT]
    return n


@compiled
def _seal(
    pr: ProblemArrays,
    it: Instance,
    goal: Flat,
    m: int,
    taus: Table,
    fits: Table,
    pay: Cube,
    spread: Table,
    labels: Table,
    costs: Results,
    heads: Vector,
    more: Results,
    n: int,
    state: Flat,
    fixed: Table,
) -> int:
    """End the loops at memory ``m``: its tiles are known; returns the number of labels, -1 for too many."""
    width, keys = 1 + it.n_ports, 0
    row = np.zeros((2, 1 + PORTS))
    for b in range(it.n_boundaries):
        if it.child[b] == m:
            keys += OPEN << (4 * b)
    halting, demanded = not pr.ints[it.place[m], DOUBLE_BUFFERED], 0
    for v in range(it.n_dims):
        if fixed[m, v] > 1:
            demanded |= 1 << v
    for at in range(taus.shape[0]):
        one = heads[at]
        heads[at] = -1
        if one < 0 or not fits[m, at]:
            continue
        for k in range(width):
            row[0, k] = row[1, k] = 0.0
        first_tiles(it, m, taus[at], spread, halting, row)
        while one >= 0:
            after, summed = labels[one, NEXT], labels[one, KEY] & SUMMED
            if not (summed and fits[m, at] == 1) and labels[one, PHASE] // PLACED == demanded:
                if n == labels.shape[0]:
                    return -1
                for k in range(width):
                    costs[n, k], costs[n, width + k] = costs[one, k] + row[0, k], costs[one, width + k] + row[1, k]
                costs[n, 2 * width] = value_of(it, goal, costs, n, pay, m - 1, at)
                if costs[n, 2 * width] < state[BEST] * SAME:
                    labels[n, BEFORE], labels[n, AT] = one, at
                    labels[n, KEY] = labels[one, KEY] - summed + keys
                    labels[n, MOVE], labels[n, PHASE] = SEALED, 0
                    for k in range(MARKS):
                        labels[n, MARK + k] = labels[one, MARK + k]
                    settled_edge(it, m, taus[at], labels[n, MARK:])
                    if insert(it, taus, labels, costs, heads, n, width, more, state):
                        n += 1
            one = after
    return n


@compiled
def _virtual(it: Instance, pr: ProblemArrays, table: Table, found: Table) -> None:
    """Constraints [M, V] of joined dimensions from those [S, D] of the operator's."""
    s = 0
    for m in range(it.n_memories):
        while pr.slots[s, 0] != it.place[m]:
            s += 1
        for dim in range(pr.n_dims):
            found[m, it.joined[dim]] = table[s, dim]


@entry
def search(
    evaluate: Evaluate,
    pr: ProblemArrays,
    it: Instance,
    ws: Workspace,
    spread: Table,
    axis_factors: Table,
    group: Vector,
    bypass: Table,
    fixed_slots: Table,
    phase_slots: Table,
    goal: Flat,
    most: int,
    way: int,
    labels: Table,
    costs: Results,
    state: Flat,
    best_factors: Table,
    best_order: Table,
) -> float:
    """Search one spatial assignment; returns its lower bound (of what could not be ruled out), see the module.

    ``spread`` [P, D] and ``axis_factors`` [S, D] are the assignment, ``fixed_slots`` and ``phase_slots`` [S, D] the
    constraints in time, ``most`` points of the lattice at most, ``way`` PROVING, QUICK or BOUNDING,
    ``labels`` [L, LABEL_COLUMNS] and ``costs`` [L + 1, 3 + 2 ports] scratch. ``state`` holds the best objective known,
    counts, and how many mappings may be priced; a better mapping goes to ``best_factors`` and ``best_order`` [S, D].
    Unless the bound returned is below the best objective, nothing better is left; -1: beyond the sizes, not searched.
    """
    prepare(pr, spread, group, bypass, it)
    if it.failed:
        return -1.0
    drop_ports(it, np.ones(it.n_dims, np.int64))
    found = np.empty((AXES, AXIS_COLUMNS), np.int64)
    count, size = axes(it, found)
    if size == 0 or size > most:
        return bound_below(pr, it, spread, group, bypass, goal)
    costs[labels.shape[0], 2 * (1 + it.n_ports)] = way
    state[LEAST], state[WORK] = math.inf, 0.0
    taus, heads = np.empty((size, it.n_dims), np.int64), np.empty(size, np.int64)
    points(it, found, count, taus)
    fits = np.zeros((it.n_memories, size), np.int64)
    for m in range(1, it.n_memories):
        fitting(pr, it, m, taus, fits[m])
    pay = np.zeros((it.n_memories, size, 1 + it.n_ports))
    still_to_pay(pr, it, found, count, taus, fits, spread, pay)
    more = np.full((size, it.n_ports), -1.0)
    for k in range(1 + it.n_ports):
        costs[labels.shape[0], k] = it.base[0, k]
    root = value_of(it, goal, costs, labels.shape[0], pay, it.n_memories - 1, 0)
    if root >= state[BEST] * SAME:
        state[PRUNED] += 1.0
        return root
    fixed, phases = np.zeros((it.n_memories, it.n_dims), np.int64), np.zeros((it.n_memories, it.n_dims), np.int64)
    _virtual(it, pr, fixed_slots, fixed)
    _virtual(it, pr, phase_slots, phases)
    n = _start(pr, it, goal, taus, fits, pay, spread, fixed, labels, costs, heads, state)
    for m in range(it.n_memories - 2, 0, -1):
        if n >= 0:
            n = _walk(
                it, goal, m, found, count, taus, fits, pay, spread, fixed, phases, labels, costs, heads, more, n, state
            )
        if n >= 0:
            n = _seal(pr, it, goal, m, taus, fits, pay, spread, labels, costs, heads, more, n, state, fixed)
    state[WORK] += 40.0 * size * it.n_memories + 100.0 * (n if n >= 0 else labels.shape[0])
    if n < 0:
        return root
    state[LABELS] += n
    stack, choice = np.empty((it.n_dims + 2, 2, 1 + PORTS)), np.empty(it.n_dims + 1, np.int64)
    tau, outer = np.empty(it.n_dims, np.int64), np.empty(it.n_dims + 1, np.int64)
    factors, order = np.empty((pr.n_slots, pr.n_dims), np.int64), np.empty((pr.n_slots, pr.n_dims), np.int64)
    for at in range(size):
        leaf = heads[at]
        while leaf >= 0:
            complete(
                evaluate,
                pr,
                it,
                ws,
                goal,
                labels,
                costs,
                taus,
                leaf,
                pay,
                spread,
                axis_factors,
                bypass,
                fixed,
                phases,
                state,
                stack,
                choice,
                tau,
                outer,
                factors,
                order,
                best_factors,
                best_order,
            )
            leaf = labels[leaf, NEXT]
    if state[MAY_EVALUATE] < 0.0:
        return root
    return state[LEAST] if way == BOUNDING else math.inf


@entry
def floor_of(goal: Flat, energy: float, cycles: float) -> float:
    """`objective_of` for callers in Python."""
    return objective_of(goal, energy, cycles)
