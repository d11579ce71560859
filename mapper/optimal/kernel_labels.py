"""What a label is, when one makes another superfluous, and the objective it is judged by.

A label is a way to have come to a point of the lattice at a memory: its cost so far, as an interval, and which words
are settled (``key``).
"""

from __future__ import annotations

import math

from ...accel.kernel_nest import Cube, Flat, Results, Table, Vector, compiled
from .kernel_instance import Instance
from .kernel_ports import most_cycles
from .kernel_terms import MARKS

__all__ = [
    "AT",
    "BEFORE",
    "BEST",
    "BOUNDING",
    "CAPPED",
    "EVALUATED",
    "KEY",
    "LABELS",
    "LABEL_COLUMNS",
    "LEAST",
    "MARK",
    "MAY_EVALUATE",
    "MOVE",
    "MUCH",
    "NEXT",
    "PHASE",
    "PLACED",
    "PROVING",
    "PRUNED",
    "QUICK",
    "SAME",
    "SEALED",
    "STATE",
    "SUMMED",
    "WORK",
    "insert",
    "objective_of",
    "value_of",
]

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
def value_of(it: Instance, goal: Flat, costs: Results, at: int, pay: Cube, m: int, point: int) -> float:
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
def insert(
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
