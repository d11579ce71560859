"""A mapping's matrices flattened for the compiled model: whether its tiles fit, its loops, and what runs above a place.

Nothing here walks over iterations. Where no dimension is cut off, the products kept per place and tensor (`flow`)
already are the counts that the model needs.
"""

from __future__ import annotations

import numpy as np

from .kernel_nest import (
    AFTER,
    APART,
    BEFORE,
    BOUND,
    DIM,
    FLOW_COLUMNS,
    HEAD,
    IDLE,
    INNER,
    KEEPS0,
    KEPT0,
    MEMORY,
    OUTPUT,
    OUTPUT_WORDS,
    PARTIAL0,
    PLACE,
    RESIDENT,
    ROOM,
    RUN,
    SPATIAL,
    SPREAD,
    STATES,
    STATES_APART,
    STATES_OWN,
    STATES_TO_LAST,
    STEP,
    WHOLE,
    ProblemArrays,
    Table,
    Workspace,
    compiled,
    cover,
    inlined,
    size_pair,
)

__all__ = ["fits", "flatten"]


@inlined
def measure(pr: ProblemArrays, factors: Table, ws: Workspace) -> int:
    """Fill ``ws.inside`` and ``ws.span``; returns the first place whose output tile holds unfinished sums."""
    dims, slots, partial = pr.n_dims, pr.n_slots, pr.n_places
    inside, span, summed = ws.inside, ws.span, pr.summed
    for dim in range(dims):
        inside[slots, dim] = 1
    for slot in range(slots - 1, -1, -1):
        place, sums = pr.slots[slot, 0], 0
        for dim in range(dims):
            factor = factors[slot, dim]
            inside[slot, dim] = span[place, dim] = inside[slot + 1, dim] * factor
            sums |= (factor - 1) & summed[dim]
        if sums:
            partial = place + pr.slots[slot, 1]  # what an array spreads is shares below it
    return int(partial)


@compiled
def fits(pr: ProblemArrays, factors: Table, bypass: Table, ws: Workspace) -> bool:
    """Whether every memory holds its tiles; fills ``ws.inside``, ``ws.span`` and ``ws.tiles``."""
    partial = measure(pr, factors, ws)
    span, ranks, bounds = ws.span, pr.ranks, pr.bounds
    for place in range(pr.n_places - 1, -1, -1):
        room = pr.reals[place, ROOM]
        if not pr.ints[place, MEMORY] or (place == 0 and room == np.inf):
            continue
        need = 0.0
        for role in range(3):
            if not pr.ints[place, KEEPS0 + role] or bypass[place, role]:
                continue
            words = 1.0
            for r in range(pr.n_ranks):
                dim_a, dim_b = ranks[role, r, 0], ranks[role, r, 2]
                if dim_a < 0:
                    break
                extent = min(span[place, dim_a], bounds[dim_a])
                if dim_b >= 0:
                    other = min(span[place, dim_b], bounds[dim_b])
                    extent = size_pair(extent, other, ranks[role, r, 1], ranks[role, r, 3])
                words *= extent
            ws.tiles[place, role] = words
            unfinished = role == OUTPUT and partial <= place
            width = pr.reals[place, (PARTIAL0 if unfinished else KEPT0) + role]
            if pr.ints[place, KEEPS0 + role] == RESIDENT:
                need += pr.scalars[OUTPUT_WORDS] * (width - pr.reals[place, KEPT0 + role])
            else:
                need += words * width
        if need > room:
            return False
    return True


@inlined
def _start(pr: ProblemArrays, ws: Workspace) -> None:
    """What holds outside all loops."""
    state, flow = ws.dims, ws.flow
    for role in range(3):
        ws.cut[role], ws.cut_apart[role], ws.last[0, role] = 1 - pr.regular[role], 0, -1
        for k in range(FLOW_COLUMNS):
            flow[0, role, k] = 1.0
    for dim in range(pr.n_dims):
        state[dim, HEAD], state[dim, RUN], state[dim, STATES] = -1, -1, 1  # RUN: the last loop so far
        state[dim, WHOLE] = ws.inside[0, dim] <= pr.bounds[dim]
        if not state[dim, WHOLE]:
            for role in range(3):
                if pr.relevant[role, dim] == APART:
                    ws.cut_apart[role] = 1
                else:
                    ws.cut[role] = 1


@inlined
def _enter(ws: Workspace, place: int, n: int) -> None:
    """Begin with what runs above ``place``; its own ``n``-th and further loops count for the next."""
    ws.above[place] = n
    for role in range(3):
        ws.last[place + 1, role] = ws.last[place, role]
        for k in range(FLOW_COLUMNS):
            ws.flow[place + 1, role, k] = ws.flow[place, role, k]


@inlined
def _count_spatial(pr: ProblemArrays, ws: Workspace, place: int, n: int) -> None:
    """Count loop ``n`` of an array among those above ``place``."""
    loops, flow, dim = ws.loops, ws.flow, ws.loops[n, DIM]
    loops[n, BEFORE] = loops[n, AFTER] = ws.dims[dim, STATES]
    bound = float(loops[n, BOUND])
    for role in range(3):
        apart = pr.relevant[role, dim] == APART
        flow[place, role, IDLE] *= bound if apart else 1.0
        flow[place, role, SPREAD] *= 1.0 if apart else bound


@inlined
def _count_temporal(pr: ProblemArrays, ws: Workspace, place: int, n: int) -> None:
    """Count loop ``n`` of a memory among those above ``place``."""
    loops, flow, last, dim = ws.loops, ws.flow, ws.last, ws.loops[n, DIM]
    before = ws.dims[dim, STATES]
    after, bound = before * loops[n, BOUND], float(loops[n, BOUND])
    if not ws.dims[dim, WHOLE]:
        after = cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], n + 1, 0, 0, 1)
        bound = float(after)
        for role in range(3):  # apart, so that no count is rounded
            flow[place, role, STATES_APART] /= float(before) if pr.relevant[role, dim] == APART else 1.0
    for role in range(3):
        apart = pr.relevant[role, dim] == APART
        states = flow[place, role, STATES_APART] * (bound if apart else 1.0)
        flow[place, role, STATES_APART] = states
        flow[place, role, STATES_OWN] *= 1.0 if apart else bound
        flow[place, role, STATES_TO_LAST] = flow[place, role, STATES_TO_LAST] if apart else states
        last[place, role] = last[place, role] if apart else n
    loops[n, BEFORE] = before
    loops[n, AFTER] = ws.dims[dim, STATES] = after


@compiled
def flatten(pr: ProblemArrays, factors: Table, order: Table, ws: Workspace) -> float:
    """Fill ``ws.loops``, ``ws.above``, ``ws.flow`` and the dimensions' columns; returns the compute's steps."""
    loops, state, slots = ws.loops, ws.dims, pr.slots
    n, place, dims = 0, -1, pr.n_dims
    _start(pr, ws)
    for slot in range(pr.n_slots + 1):
        while place < (slots[slot, 0] if slot < pr.n_slots else pr.n_places):
            place += 1
            _enter(ws, place, n)
        if slot == pr.n_slots:
            break
        spatial, begin = slots[slot, 1], n
        for k in range(dims):  # loops of bound 1 are overwritten
            dim = k if spatial else order[slot, k]
            loops[n, DIM], loops[n, BOUND] = dim, factors[slot, dim]
            n += int(factors[slot, dim] > 1)
        for i in range(begin, n):
            dim = loops[i, DIM]
            loops[i, PLACE], loops[i, SPATIAL], loops[i, INNER] = place, spatial, -1
            loops[i, STEP] = ws.inside[slot + 1, dim]
            if state[dim, RUN] < 0:
                state[dim, HEAD] = i
            else:
                loops[state[dim, RUN], INNER] = i
            state[dim, RUN] = i
            if spatial:
                _count_spatial(pr, ws, place + 1, i)
            else:
                _count_temporal(pr, ws, place + 1, i)
    steps = 1.0
    for dim in range(dims):
        steps *= state[dim, STATES]
    return steps
