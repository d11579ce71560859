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
from .kernel_instance import PORTS, Instance, prepare
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
from .kernel_terms import DONE, LIVE, MARKS, OPEN, drop_ports, finish, first_tiles, loop, most_cycles, settled_edge

__all__ = ["bound_below", "floor_of", "objective_of", "search"]

# columns of a label's integers
NEXT, BEFORE, AT, KEY, MOVE, PHASE, MARK = 0, 1, 2, 3, 4, 5, 6
LABEL_COLUMNS = MARK + MARKS
PLACED = 64  # in a label's phase: from here on, bits of the dimensions whose fixed loops are placed
SUMMED = 1 << 60  # in a key: sums went on in this memory's own loops
SEALED = -1  # a move: the memory's loops are placed
# entries of the state
BEST, EVALUATED, LABELS, WORK, MAY_EVALUATE, LEAST, PRUNED, STATE = 0, 1, 2, 3, 4, 5, 6, 7
# how a search goes: to the proof; along promising labels only; for a bound, comparing labels by what they cost at least
PROVING, QUICK, BOUNDING = 0, 1, 2
MUCH = 2e7  # comparisons of labels after which a search is given up
SAME = 1.0 - 1e-12
CAPPED = 2.0  # the first entry of the goal: energy, within as many seconds as the third says


@compiled
def objective_of(goal: Flat, energy: float, cycles: float) -> float:
    """The objective; ``goal``: form, weight or exponent of energy and of latency, seconds a cycle."""
    seconds = cycles * goal[3]
    if goal[0] == CAPPED:
        return energy if seconds <= goal[2] else math.inf
    if goal[0]:
        return float(goal[1] * energy + goal[2] * seconds)
    value = 1.0
    if goal[1]:
        value *= energy if goal[1] == 1.0 else energy ** goal[1]
    if goal[2]:
        value *= seconds if goal[2] == 1.0 else seconds ** goal[2]
    return float(value)


@compiled
def _value(it: Instance, goal: Flat, costs: Results, at: int, pay: Cube, m: int, point: int) -> float:
    """The least objective that a label can end with; its costs are row ``at``, what is to be paid ``pay[m, point]``."""
    cycles = 0.0
    for port in range(it.n_ports):
        cycles = max(cycles, costs[at, 1 + port] + pay[m, point, 1 + port])
    cycles += it.pipeline
    return objective_of(goal, costs[at, 0] + pay[m, point, 0] + it.leakage * cycles, cycles)


@compiled
def _no_worse(costs: Results, one: int, other: int, alike: bool, width: int, more: Results, point: int) -> bool:
    """Whether label ``one`` costs no more than ``other``, in every respect that may yet matter.

    Where the same is left open of both (``alike``), its lower ends are compared; otherwise the one's upper with the
    other's lower. ``more`` [points, ports] is what each port may still get: a port that even so stays behind another is
    no matter.
    """
    side = 0 if alike else width
    if costs[one, side] * SAME > costs[other, 0]:
        return False
    longest = 0.0
    for k in range(1, width):
        longest = max(longest, costs[other, k])
    for k in range(1, width):
        if costs[one, side + k] * SAME > max(costs[other, k], longest - more[point, k - 1]):
            return False
    return True


@compiled
def _beats(labels: Table, costs: Results, one: int, other: int, width: int, more: Results, point: int) -> bool:
    """Whether label ``one`` makes ``other`` superfluous.

    How the search goes is the last entry of the costs.
    """
    way = costs[costs.shape[0] - 1, 2 * width]
    if way == QUICK:
        return bool(costs[one, 2 * width] <= costs[other, 2 * width])
    if way == BOUNDING:
        return _no_worse(costs, one, other, True, width, more, point)
    for k in range(1, MARKS):  # windows that move differently may yet save differently
        if labels[one, MARK + k] != labels[other, MARK + k]:
            return False
    alike = labels[one, MARK] == labels[other, MARK]
    return _no_worse(costs, one, other, alike, width, more, point)


@compiled
def _insert(
    it: Instance,
    taus: Table,
    labels: Table,
    costs: Results,
    heads: Vector,
    new: int,
    width: int,
    more: Results,
    state: Flat,
) -> bool:
    """Put label ``new`` among those at its point, unless one is no worse; drops those it beats."""
    point, last = labels[new, AT], -1
    one = heads[point]
    if one >= 0 and more[point, 0] < 0.0:
        for port in range(width - 1):
            more[point, port] = most_cycles(it, port, taus[point])
    while one >= 0:
        after = labels[one, NEXT]
        state[WORK] += 1.0
        if labels[one, KEY] == labels[new, KEY] and labels[one, PHASE] == labels[new, PHASE]:
            if _beats(labels, costs, one, new, width, more, point):
                return False
            if _beats(labels, costs, new, one, width, more, point):
                if last < 0:
                    heads[point] = after
                else:
                    labels[last, NEXT] = after
                one = after
                continue
        last, one = one, after
    labels[new, NEXT] = heads[point]
    heads[point] = new
    return True


@compiled
def _assign(
    pr: ProblemArrays, it: Instance, slot: int, v: int, many: int, left: Vector, factors: Table, rank: Table, tick: int
) -> None:
    """Give the loop of bound ``many`` over joined dimension ``v`` to its members; the innermost one decides rank."""
    prime = 2
    while many > 1:
        if many % prime:
            prime += 1
            continue
        for dim in range(pr.n_dims):
            if it.joined[dim] == v and left[dim] % prime == 0:
                left[dim] //= prime
                factors[slot, dim] *= prime
                rank[slot, dim] = tick
                break
        many //= prime


@compiled
def _read_back(
    pr: ProblemArrays,
    it: Instance,
    labels: Table,
    taus: Table,
    leaf: int,
    outer: Vector,
    n_outer: int,
    spread_axes: Table,
    factors: Table,
    order: Table,
) -> None:
    """Fill ``factors`` and ``order`` [S, D] with the mapping of a label; ``outer`` [V]: its last loops, inside out."""
    slots, dims = pr.n_slots, pr.n_dims
    left, rank = np.empty(dims, np.int64), np.zeros((slots, dims), np.int64)
    slot_of, s = np.empty(it.n_memories, np.int64), 0
    for m in range(it.n_memories):
        while pr.slots[s, 0] != it.place[m]:
            s += 1
        slot_of[m] = s
    for s in range(slots):
        for dim in range(dims):
            factors[s, dim] = spread_axes[s, dim] if pr.slots[s, 1] else 1
    for dim in range(dims):
        whole = 1
        for s in range(slots):
            if pr.slots[s, 1]:
                whole *= spread_axes[s, dim]
        left[dim] = (pr.bounds[dim] + whole - 1) // whole
    before, now, tick = np.empty(it.n_dims, np.int64), np.empty(it.n_dims, np.int64), 1
    # outermost memory first: what is left of every dimension there
    point = labels[leaf, AT]
    for v in range(it.n_dims):
        now[v] = it.passes[v]
        before[v] = taus[point, v]
    tick = 1_000_000
    for k in range(n_outer - 1, -1, -1):
        tick -= 1
        _assign(pr, it, slot_of[0], outer[k], now[outer[k]] // before[outer[k]], left, factors, rank, tick)
        now[outer[k]] = before[outer[k]]
    for v in range(it.n_dims):
        if now[v] > before[v]:
            _assign(pr, it, slot_of[0], v, now[v] // before[v], left, factors, rank, 2_000_000 + v)
    m, label = 1, leaf
    # then label by label, from the last loop placed to the first
    m = 0
    while label >= 0:
        parent, move = labels[label, BEFORE], labels[label, MOVE]
        if move == SEALED:
            m += 1
            if parent < 0:  # the innermost memory's loops, all at once
                for v in range(it.n_dims):
                    many = taus[labels[label, AT], v]
                    if many > 1:
                        tick -= 1
                        _assign(pr, it, slot_of[m], v, many, left, factors, rank, tick)
        else:
            many = taus[labels[label, AT], move] // taus[labels[parent, AT], move]
            tick -= 1
            _assign(pr, it, slot_of[m], move, many, left, factors, rank, tick)
        label = parent
    for s in range(slots):  # outer to inner: by falling rank
        for k in range(dims):
            order[s, k] = k
        for k in range(1, dims):
            j = k
            while j > 0 and rank[s, order[s, j - 1]] < rank[s, order[s, j]]:
                order[s, j - 1], order[s, j] = order[s, j], order[s, j - 1]
                j -= 1


@compiled
def _try(
    evaluate: Evaluate,
    pr: ProblemArrays,
    it: Instance,
    ws: Workspace,
    goal: Flat,
    labels: Table,
    taus: Table,
    leaf: int,
    outer: Vector,
    n_outer: int,
    axis_factors: Table,
    bypass: Table,
    state: Flat,
    factors: Table,
    order: Table,
    best_factors: Table,
    best_order: Table,
) -> None:
    """Price the mapping of a label by the model and keep it if it is the best."""
    if state[EVALUATED] >= state[MAY_EVALUATE]:
        state[MAY_EVALUATE] = -1.0
        return
    _read_back(pr, it, labels, taus, leaf, outer, n_outer, axis_factors, factors, order)
    energy, cycles, _ = evaluate(pr, factors, order, bypass, ws)
    state[EVALUATED] += 1.0
    if not energy < math.inf:
        return
    value = objective_of(goal, energy, cycles)
    if value < state[BEST] * SAME:
        state[BEST] = value
        for s in range(pr.n_slots):
            for dim in range(pr.n_dims):
                best_factors[s, dim], best_order[s, dim] = factors[s, dim], order[s, dim]


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
        costs[n, 2 * width] = _value(it, goal, costs, n, pay, m - 1, at)
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
    costs[n, 2 * width] = _value(it, goal, costs, n, pay, m, to)
    if costs[n, 2 * width] >= state[BEST] * SAME:
        state[PRUNED] += 1.0
        return n
    labels[n, BEFORE], labels[n, AT], labels[n, KEY], labels[n, MOVE], labels[n, PHASE] = one, to, key, v, phase
    if _insert(it, taus, labels, costs, heads, n, width, more, state):
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
                costs[n, 2 * width] = _value(it, goal, costs, n, pay, m - 1, at)
                if costs[n, 2 * width] < state[BEST] * SAME:
                    labels[n, BEFORE], labels[n, AT] = one, at
                    labels[n, KEY] = labels[one, KEY] - summed + keys
                    labels[n, MOVE], labels[n, PHASE] = SEALED, 0
                    for k in range(MARKS):
                        labels[n, MARK + k] = labels[one, MARK + k]
                    settled_edge(it, m, taus[at], labels[n, MARK:])
                    if _insert(it, taus, labels, costs, heads, n, width, more, state):
                        n += 1
            one = after
    return n


@compiled
def _all_settled(it: Instance, key: int) -> bool:
    """Whether the order of further loops changes nothing; live windows may yet save, so that they are not settled."""
    for b in range(it.n_boundaries):
        if (key >> (4 * b)) & 15 != DONE:
            return False
    return True


@compiled
def _end(
    evaluate: Evaluate,
    pr: ProblemArrays,
    it: Instance,
    ws: Workspace,
    goal: Flat,
    labels: Table,
    costs: Results,
    taus: Table,
    leaf: int,
    pay: Cube,
    spread: Table,
    axis_factors: Table,
    bypass: Table,
    fixed: Table,
    phases: Table,
    state: Flat,
    stack: Cube,
    choice: Vector,
    tau: Vector,
    outer: Vector,
    factors: Table,
    order: Table,
    best_factors: Table,
    best_order: Table,
) -> None:
    """All orders of the outermost memory's loops behind label ``leaf`` that differ in what they settle.

    ``stack`` [V + 1, 2, 1 + ports] costs and ``choice`` [V + 1] the next dimension to try, by depth.
    """
    width, dims, leaves = 1 + it.n_ports, it.n_dims, labels[leaf, AT]
    keys, marks = np.empty(dims + 1, np.int64), np.empty(MARKS, np.int64)
    for v in range(dims):
        tau[v] = taus[leaves, v]
        if fixed[0, v] and fixed[0, v] != it.passes[v] // tau[v]:
            return
    for k in range(width):
        stack[0, 0, k], stack[0, 1, k] = costs[leaf, k], costs[leaf, width + k]
    depth, keys[0], choice[0] = 0, labels[leaf, KEY], 0
    while depth >= 0:
        v = choice[depth]
        if v == 0:  # first visit: is anything left to settle, or to place?
            done, complete = _all_settled(it, keys[depth]), True
            for u in range(dims):
                complete &= tau[u] == it.passes[u]
            if done or complete:
                row = stack[dims + 1]
                for k in range(width):
                    row[0, k], row[1, k] = stack[depth, 0, k], stack[depth, 1, k]
                finish(it, keys[depth], tau, spread, row)
                for k in range(width):
                    costs[labels.shape[0], k] = row[0, k]
                least = _value(it, goal, costs, labels.shape[0], pay, 0, 0)
                if least < state[BEST] * SAME:
                    state[LEAST] = min(state[LEAST], least)
                    _try(
                        evaluate,
                        pr,
                        it,
                        ws,
                        goal,
                        labels,
                        taus,
                        leaf,
                        outer,
                        depth,
                        axis_factors,
                        bypass,
                        state,
                        factors,
                        order,
                        best_factors,
                        best_order,
                    )
                choice[depth] = dims
                v = dims
        lowest = 1 << 30
        for u in range(dims):
            if tau[u] < it.passes[u]:
                lowest = min(lowest, phases[0, u])
        while v < dims and (tau[v] == it.passes[v] or phases[0, v] > lowest):
            v += 1
        if v >= dims:
            depth -= 1
            if depth >= 0:
                tau[outer[depth]] = taus[leaves, outer[depth]]
            continue
        choice[depth] = v + 1
        for k in range(width):
            stack[depth + 1, 0, k], stack[depth + 1, 1, k] = stack[depth, 0, k], stack[depth, 1, k]
        by = it.passes[v] // tau[v]
        keys[depth + 1] = loop(it, 0, keys[depth], v, by, tau, spread, stack[depth + 1], marks)
        for k in range(width):
            costs[labels.shape[0], k] = stack[depth + 1, 0, k]
        if _value(it, goal, costs, labels.shape[0], pay, 0, 0) >= state[BEST] * SAME:
            continue
        outer[depth], tau[v] = v, it.passes[v]
        depth += 1
        choice[depth] = 0


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
    root = _value(it, goal, costs, labels.shape[0], pay, it.n_memories - 1, 0)
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
            _end(
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
