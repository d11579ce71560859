"""One mapping priced by the search's own terms: what the proof rests on, to be held against the model."""

from __future__ import annotations

import numpy as np

from ...accel.kernel_nest import SINGLE, ProblemArrays, Results, Table, Vector, entry
from .kernel_instance import PORTS, Instance
from .kernel_prepare import prepare
from .kernel_terms import MARKS, OPEN, first_tiles, loop, settle_all

__all__ = ["price"]


@entry
def price(
    pr: ProblemArrays,
    it: Instance,
    spread: Table,
    group: Vector,
    factors: Table,
    order: Table,
    bypass: Table,
    tau: Vector,
    out: Results,
) -> None:
    """Fill ``out`` [2, 2] with low and high bounds of energy (J) and cycles; ``tau`` [V] is scratch."""
    prepare(pr, spread, group, bypass, it)
    rows = np.zeros((2, 1 + PORTS))
    for at in range(1 + it.n_ports):
        rows[0, at], rows[1, at] = it.base[0, at], it.base[1, at]
    for v in range(it.n_dims):
        tau[v] = 1
    key, slot, marks = 0, pr.n_slots - 1, np.zeros(MARKS, np.int64)
    for m in range(it.n_memories - 1, -1, -1):
        while pr.slots[slot, 0] != it.place[m]:
            slot -= 1
        for k in range(pr.n_dims - 1, -1, -1):
            dim = order[slot, k]
            if factors[slot, dim] > 1:
                v = it.joined[dim]
                key = loop(it, m, key, v, factors[slot, dim], tau, spread, rows, marks)
                tau[v] *= factors[slot, dim]
        if m == 0:
            break
        halting = not pr.ints[it.place[m], 2]
        first_tiles(it, m, tau, spread, halting, rows)
        for b in range(it.n_boundaries):
            if it.child[b] == m:
                key += OPEN << (4 * b)
    settle_all(it, key, SINGLE, tau, spread, rows)
    for side in range(2):
        longest = 0.0
        for port in range(it.n_ports):
            longest = max(longest, rows[side, 1 + port])
        out[side, 1] = longest + it.pipeline
        out[side, 0] = rows[side, 0] + it.leakage * out[side, 1]
