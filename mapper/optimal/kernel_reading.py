"""Back from a label to the mapping that it stands for."""

from __future__ import annotations

import numpy as np

from ...accel.kernel_nest import ProblemArrays, Table, Vector, compiled
from .kernel_instance import Instance
from .kernel_labels import AT, BEFORE, MOVE, SEALED

__all__ = ["read_back"]


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
def read_back(
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
