"""The outermost memory's loops, and what a finished mapping costs by the model itself."""

from __future__ import annotations

import math

import numpy as np

from ...accel.kernel_nest import (
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
)
from .kernel_instance import Instance
from .kernel_labels import AT, BEST, EVALUATED, KEY, LEAST, MARK, MAY_EVALUATE, SAME, objective_of, value_of
from .kernel_reading import read_back
from .kernel_terms import DONE, MARKS, loop, settle_all

__all__ = ["complete", "price"]


@compiled
def price(
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
    read_back(pr, it, labels, taus, leaf, outer, n_outer, axis_factors, factors, order)
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


@compiled
def _all_settled(it: Instance, key: int) -> bool:
    """Whether the order of further loops changes nothing; live windows may yet save, so that they are not settled."""
    for b in range(it.n_boundaries):
        if (key >> (4 * b)) & 15 != DONE:
            return False
    return True


@compiled
def complete(
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
    keys, marks = np.empty(dims + 1, np.int64), np.empty((dims + 1, MARKS), np.int64)
    for k in range(MARKS):
        marks[0, k] = labels[leaf, MARK + k]
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
                settle_all(it, keys[depth], SINGLE, tau, spread, row)
                for k in range(width):
                    costs[labels.shape[0], k] = row[0, k]
                least = value_of(it, goal, costs, labels.shape[0], pay, 0, 0)
                if least < state[BEST] * SAME:
                    state[LEAST] = min(state[LEAST], least)
                    price(
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
        for k in range(MARKS):  # a sibling's are no longer those of this point
            marks[depth + 1, k] = marks[depth, k]
        keys[depth + 1] = loop(it, 0, keys[depth], v, by, tau, spread, stack[depth + 1], marks[depth + 1])
        for k in range(width):
            costs[labels.shape[0], k] = stack[depth + 1, 0, k]
        if value_of(it, goal, costs, labels.shape[0], pay, 0, 0) >= state[BEST] * SAME:
            continue
        outer[depth], tau[v] = v, it.passes[v]
        depth += 1
        choice[depth] = 0
