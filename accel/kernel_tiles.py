"""The compiled form of what tiles and passes take besides words and steps: how often a tile is another one.

A tensor's tile changes with the loops outside it, down to the innermost one over a dimension of its own. Where such a
dimension is cut off, a last, smaller tile may be all there is to a loop's run: then nothing changes while the loops
around it, over dimensions that the tensor lacks, advance.
"""

from __future__ import annotations

from .kernel_nest import (
    AFTER,
    APART,
    BEFORE,
    DIM,
    DOUBLE_BUFFERED,
    HEAD,
    INNER,
    KEEPS0,
    MEMORY,
    OUTPUT,
    REFETCH,
    SPATIAL,
    STATES_APART,
    STATES_OWN,
    STATES_TO_LAST,
    STATIONARY,
    STEP,
    WAIT,
    WAITS,
    ProblemArrays,
    Table,
    Workspace,
    compiled,
    cover,
    last_offset,
)

__all__ = ["tile_times"]


@compiled
def _distinct(pr: ProblemArrays, ws: Workspace, role: int, place: int) -> float:
    """Tiles of the tensor at ``place``, each counted once."""
    if not ws.cut[role]:
        return float(ws.flow[place, role, STATES_OWN])
    total = 1.0
    for dim in range(pr.n_dims):
        if pr.relevant[role, dim] != APART:
            total *= cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], ws.above[place], 0, 0, 1)
    return total


@compiled
def _unmoved(pr: ProblemArrays, ws: Workspace, dim: int, place: int, index: int) -> int:
    """States of a dimension's loops outside loop ``index`` in which those between it and ``place`` stay at zero."""
    loops, head, bound, step = ws.loops, ws.dims[dim, HEAD], pr.bounds[dim], 0
    i = head
    while i >= 0 and i < ws.above[place]:
        if i > index and not loops[i, SPATIAL]:
            step = loops[i, STEP]
        i = loops[i, INNER]
    if not step:
        return cover(ws, head, bound, index, 0, 0, 1)
    return int(bound - last_offset(ws, head, 0, index, 0, bound) <= step)


@compiled
def _changes(pr: ProblemArrays, ws: Workspace, role: int, place: int) -> float:
    """How often the tensor's tile at ``place`` is replaced over the run, the first one included."""
    if pr.ints[place, REFETCH] and role != OUTPUT:
        return float(ws.flow[place, role, STATES_APART] * _distinct(pr, ws, role, place))
    states, last = ws.flow[place, role, STATES_TO_LAST], ws.last[place, role]
    total = states * _distinct(pr, ws, role, place)
    if last < 0 or not ws.cut[role]:
        return float(total)
    for index in range(last - 1, -1, -1):
        dim, before, after = ws.loops[index, DIM], ws.loops[index, BEFORE], ws.loops[index, AFTER]
        if ws.loops[index, SPATIAL] or pr.relevant[role, dim] != APART:
            continue
        states = states / after  # apart, so that no count is rounded
        same, states = states * (after - before), states * before
        for own in range(pr.n_dims):
            if pr.relevant[role, own] != APART:
                same *= _unmoved(pr, ws, own, place, index)
        total -= same
    return float(total)


@compiled
def tile_times(pr: ProblemArrays, bypass: Table, ws: Workspace) -> tuple[float, float]:
    """Cycles of (first and last tiles' latencies, halts); what double-buffered memories wait goes to ``ws.places``."""
    edges = halts = 0.0
    for place in range(pr.n_places):
        if not pr.ints[place, MEMORY] and pr.reals[place, WAIT] > 0.0:
            halts += pr.reals[place, WAIT] * (_changes(pr, ws, pr.ints[place, STATIONARY], place) - 1.0)
    for role in range(3):
        outermost = True  # into which no tile comes
        for place in range(pr.n_places):
            if not pr.ints[place, KEEPS0 + role] or bypass[place, role]:
                continue
            wait = pr.reals[place, WAIT]
            if outermost or wait == 0.0:
                outermost = False
                continue
            tiles = _changes(pr, ws, role, place)
            if role == OUTPUT:  # each leaves, and comes back unless it is new
                tiles += tiles - _distinct(pr, ws, role, place)
            edges += wait
            if pr.ints[place, DOUBLE_BUFFERED]:
                ws.places[place, WAITS] += wait * (tiles - 1.0)
            else:
                halts += wait * (tiles - 1.0)
    return edges, halts
