"""The compiled form of ranks of two dimensions: what of a sliding window stays when a loop advances.

Where both dimensions are whole every step looks alike, and the words follow in closed form. Where one is cut off, its
few distinct moves (as in `nest`) are enumerated.
"""

from __future__ import annotations

import math

from .kernel_nest import (
    AFTER,
    BEFORE,
    BOUND,
    COPIES,
    DIM,
    HEAD,
    INNER,
    MAX_MOVES,
    PLACE,
    RUN,
    SPATIAL,
    STATES,
    STEP,
    WHOLE,
    ProblemArrays,
    Workspace,
    compiled,
    cover,
    inlined,
    last_offset,
    size_pair,
)

__all__ = ["dense", "find_bases", "find_moves", "kept_window", "overlap", "states_window", "tile_pairs"]

NOWHERE = -1  # a base with nothing cut off
SHIFT, OLD, NEW = 1, 2, 3  # columns of Workspace.moves; the first is a count


@compiled
def _add(ws: Workspace, k: int, n: int, count: int, shift: int, old: int, new: int) -> int:
    """Add a case to list ``k`` of ``n``; returns the new length, -1 where the list is full."""
    moves = ws.moves
    if count <= 0 or n < 0:
        return n
    for i in range(n):
        if moves[k, i, SHIFT] == shift and moves[k, i, OLD] == old and moves[k, i, NEW] == new:
            moves[k, i, 0] += count
            return n
    if n >= MAX_MOVES:
        return -1
    moves[k, n, 0], moves[k, n, SHIFT], moves[k, n, OLD], moves[k, n, NEW] = count, shift, old, new
    return n + 1


@compiled
def find_bases(ws: Workspace, head: int, bound: int, total: int, before: int, k: int) -> int:
    """Bases (count, offset) of a dimension's temporal loops before index ``before``, into list ``k``; 3 is scratch.

    ``total`` is the dimension's whole span. Returns their number, -1 where the list is full.
    """
    n, i, spread, loops, moves = 1, head, 0, ws.loops, ws.moves
    moves[k, 0, 0], moves[k, 0, 1] = 1, NOWHERE if total <= bound else 0
    while i >= 0 and i < before:
        if loops[i, SPATIAL]:
            spread += (loops[i, BOUND] - 1) * loops[i, STEP]
            i = loops[i, INNER]
            continue
        loop_bound, step = loops[i, BOUND], loops[i, STEP]
        wide = spread + step
        found, whole_count = 0, 0
        for one in range(n):
            count, base = moves[k, one, 0], moves[k, one, 1]
            if base == NOWHERE:
                whole_count += count * loop_bound
                continue
            trips = min(loop_bound, (bound - base + step - 1) // step)
            whole = min(trips, (bound - base - wide) // step + 1) if bound - base >= wide else 0
            whole_count += count * whole
            for trip in range(whole, trips):
                if found >= MAX_MOVES - 1:
                    return -1
                moves[3, found, 0], moves[3, found, 1] = count, base + trip * step
                found += 1
        n = 0
        if whole_count:
            moves[k, 0, 0], moves[k, 0, 1] = whole_count, NOWHERE
            n = 1
        for one in range(found):
            moves[k, n, 0], moves[k, n, 1] = moves[3, one, 0], moves[3, one, 1]
            n += 1
        i = loops[i, INNER]
    return n


@compiled
def _reach(ws: Workspace, dim: int, child: int) -> int:
    """Extent from the first instance's tile to the end of the last one's."""
    loops, reach, i = ws.loops, ws.span[child, dim], ws.dims[dim, HEAD]
    while i >= 0 and loops[i, PLACE] < child:
        if loops[i, SPATIAL]:
            reach += (loops[i, BOUND] - 1) * loops[i, STEP]
        i = loops[i, INNER]
    return int(reach)


@compiled
def find_moves(pr: ProblemArrays, ws: Workspace, dim: int, child: int, index: int, k: int) -> int:
    """Moves of ``dim`` at ``child`` when temporal loop ``index`` advances, into list ``k``; -1: the first tile.

    Returns their number, -1 where the list is full.
    """
    loops, moves, bound, reach = ws.loops, ws.moves, pr.bounds[dim], _reach(ws, dim, child)
    if index < 0:
        return _add(ws, k, 0, 1, 0, 0, min(reach, bound))
    same, head, above = loops[index, DIM] == dim, ws.dims[dim, HEAD], ws.above[child]
    loop_bound, step, run = loops[index, BOUND], loops[index, STEP], ws.dims[dim, RUN]
    if ws.dims[dim, WHOLE]:
        if same:
            return _add(ws, k, 0, loops[index, AFTER] - loops[index, BEFORE], run - step, reach, reach)
        return _add(ws, k, 0, ws.dims[dim, STATES], run, reach, reach)
    n, bases = 0, find_bases(ws, head, bound, ws.span[0, dim], index, 2)
    if bases < 0:
        return -1
    for one in range(bases):
        count, base = moves[2, one, 0], moves[2, one, 1]
        if base == NOWHERE:
            n = _add(ws, k, n, count * (loop_bound - 1 if same else 1), run - (step if same else 0), reach, reach)
        elif not same:
            last = last_offset(ws, head, index + 1, above, 0, bound - base)
            n = _add(ws, k, n, count, last, min(reach, bound - base - last), min(reach, bound - base))
        else:
            jumps = min(loop_bound, (bound - base + step - 1) // step) - 1
            latest = bound - reach - base - max(run, step)
            whole = min(jumps, latest // step + 1) if latest >= 0 else 0  # jumps after which neither tile is cut
            n = _add(ws, k, n, count * whole, run - step, reach, reach)
            for jump in range(whole, jumps):
                old, new = base + jump * step + run, base + (jump + 1) * step
                n = _add(ws, k, n, count, run - step, min(reach, bound - old), min(reach, bound - new))
    return n


@compiled
def _per_instance(ws: Workspace, dim: int, child: int, k: int, n: int, into: int) -> int:
    """The ``n`` moves of list ``k`` with the sizes of each instance's tiles instead, where both hold something."""
    moves, size, head, found = ws.moves, ws.span[child, dim], ws.dims[dim, HEAD], 0
    for m in range(n):
        count, shift, old, new = moves[k, m, 0], moves[k, m, SHIFT], moves[k, m, OLD], moves[k, m, NEW]
        left = min(old, new)
        if left <= 0:
            continue
        positions = cover(ws, head, left, 0, child, 0, size)
        found = _add(ws, into, found, count * (positions // size), shift, size, size)
        if positions % size:  # one instance is cut
            at = last_offset(ws, head, 0, ws.above[child], 1, left)
            found = _add(ws, into, found, count, shift, min(size, old - at), min(size, new - at))
    return found


@compiled
def dense(na: int, nb: int, a: int, b: int) -> bool:
    """Whether the values of a·x + b·y over na × nb points are an unbroken interval."""
    return size_pair(na, nb, a, b) == (na - 1) * a + (nb - 1) * b + 1


@compiled
def overlap(xa: int, na: int, ya: int, ma: int, xb: int, nb: int, yb: int, mb: int, a: int, b: int) -> int:
    """Common values of {a·x + b·y} over [xa, xa+na) × [ya, ya+ma) and over [xb, xb+nb) × [yb, yb+mb)."""
    if na <= 0 or ma <= 0 or nb <= 0 or mb <= 0:
        return 0
    low_a, low_b = a * xa + b * ya, a * xb + b * yb
    high_a, high_b = low_a + (na - 1) * a + (ma - 1) * b, low_b + (nb - 1) * a + (mb - 1) * b
    if high_a < low_b or high_b < low_a:
        return 0
    if dense(na, ma, a, b) and dense(nb, mb, a, b):
        return min(high_a, high_b) - max(low_a, low_b) + 1
    if low_a == low_b and na == nb and ma == mb:
        return size_pair(na, ma, a, b)
    common = 0
    for i in range(na):
        for j in range(ma):
            if i + b < na and j - a >= 0:
                continue  # the same value comes again at (i + b, j - a)
            value = a * (xa + i) + b * (ya + j)
            for k in range(mb):
                rest = value - b * (yb + k)
                if rest % a == 0 and xb <= rest // a < xb + nb:
                    common += 1
                    break
    return common


@inlined
def kept_window(pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, index: int) -> float:
    """Positions of a rank of two dimensions that stay at ``child`` when temporal loop ``index`` advances."""
    dim_a, a, dim_b, b = pr.ranks[role, r, 0], pr.ranks[role, r, 1], pr.ranks[role, r, 2], pr.ranks[role, r, 3]
    state, loops, moves = ws.dims, ws.loops, ws.moves
    if state[dim_a, WHOLE] and state[dim_b, WHOLE]:
        stepping, step, size_a, size_b = (
            loops[index, DIM],
            loops[index, STEP],
            ws.span[child, dim_a],
            ws.span[child, dim_b],
        )
        shift_a = state[dim_a, RUN] - (step if stepping == dim_a else 0)
        shift_b = state[dim_b, RUN] - (step if stepping == dim_b else 0)
        shift, extent = abs(shift_a * a + shift_b * b), (size_a - 1) * a + (size_b - 1) * b + 1
        if shift >= extent:
            return 0.0
        common = extent - shift
        if not dense(size_a, size_b, a, b):
            common = overlap(0, size_a, 0, size_b, shift_a, size_a, shift_b, size_b, a, b)
        states = loops[index, AFTER] - loops[index, BEFORE] if stepping in (dim_a, dim_b) else 1
        states *= 1 if stepping == dim_a else state[dim_a, STATES]
        states *= 1 if stepping == dim_b else state[dim_b, STATES]
        return float(float(states) * float(state[dim_a, COPIES] * state[dim_b, COPIES]) * common)
    n_a, n_b = find_moves(pr, ws, dim_a, child, index, 0), find_moves(pr, ws, dim_b, child, index, 1)
    if n_a < 0 or n_b < 0:
        return math.nan
    n_a, n_b = _per_instance(ws, dim_a, child, 0, n_a, 2), _per_instance(ws, dim_b, child, 1, n_b, 3)
    kept = 0.0
    for m in range(n_a):
        for k in range(n_b):
            common = overlap(
                0,
                moves[2, m, NEW],
                0,
                moves[3, k, NEW],
                moves[2, m, SHIFT],
                moves[2, m, OLD],
                moves[3, k, SHIFT],
                moves[3, k, OLD],
                a,
                b,
            )
            kept += float(moves[2, m, 0]) * float(moves[3, k, 0]) * common
    return kept if n_a >= 0 and n_b >= 0 else math.nan


@compiled
def tile_pairs(bound_a: int, size_a: int, bound_b: int, size_b: int, a: int, b: int) -> float:
    """Positions of a window's tiles, summed over all pairs of tiles along its two dimensions."""
    full_a, rest_a, full_b, rest_b = bound_a // size_a, bound_a % size_a, bound_b // size_b, bound_b % size_b
    total = float(full_a) * float(full_b) * size_pair(size_a, size_b, a, b)
    if rest_a:
        total += float(full_b) * size_pair(rest_a, size_b, a, b)
    if rest_b:
        total += float(full_a) * size_pair(size_a, rest_b, a, b)
    return total + size_pair(rest_a, rest_b, a, b)


@compiled
def states_window(
    pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, covered_a: int, covered_b: int
) -> float:
    """Positions of a rank of two dimensions over all pairs of tiles, those of each covering so many positions."""
    ranks = pr.ranks
    dim_a, dim_b = ranks[role, r, 0], ranks[role, r, 2]
    a, b = ranks[role, r, 1], ranks[role, r, 3]
    return tile_pairs(covered_a, ws.span[child, dim_a], covered_b, ws.span[child, dim_b], a, b)
