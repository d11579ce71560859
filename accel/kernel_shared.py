"""Compiled sliding windows below arrays that send each word once to all instances that need it.

An array that spreads both dimensions of a window holds overlapping tiles, equal ones along its diagonals. Where nothing
is cut off they follow in closed form; otherwise the instances are enumerated, equal transfers told by their hashes.
"""

from __future__ import annotations

import math

import numpy as np

from .kernel_nest import (
    BOUND,
    DIM,
    HEAD,
    MAX_LEAVES,
    PLACE,
    SPATIAL,
    STEP,
    WHOLE,
    ProblemArrays,
    Workspace,
    compiled,
    inlined,
    size_pair,
)
from .kernel_window import NEW, NOWHERE, OLD, SHIFT, dense, find_bases, find_moves, overlap

__all__ = ["asked_window", "classes", "shared_window"]


@compiled
def _leaves(ws: Workspace, dim_a: int, dim_b: int, child: int) -> int:
    """Instances above ``child`` that differ in either dimension."""
    leaves, loops = 1, ws.loops
    for i in range(ws.above[child]):
        if loops[i, SPATIAL] and (loops[i, DIM] == dim_a or loops[i, DIM] == dim_b):
            leaves *= loops[i, BOUND]
    return leaves


@compiled
def _offsets(ws: Workspace, child: int, dim_a: int, dim_b: int, leaf: int) -> tuple[int, int]:
    """Offsets along both dimensions of instance ``leaf``, arrays varying from the innermost."""
    at_a, at_b, loops = 0, 0, ws.loops
    for i in range(ws.above[child] - 1, -1, -1):
        if loops[i, SPATIAL]:
            if loops[i, DIM] == dim_a:
                at_a += (leaf % loops[i, BOUND]) * loops[i, STEP]
                leaf //= loops[i, BOUND]
            elif loops[i, DIM] == dim_b:
                at_b += (leaf % loops[i, BOUND]) * loops[i, STEP]
                leaf //= loops[i, BOUND]
    return at_a, at_b


@compiled
def _mix(value: int, seed: int) -> np.uint64:
    """A 64-bit hash of an integer."""
    x = np.uint64(value) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def _fold(ws: Workspace, child: int, dim_a: int, dim_b: int, shared: int, n: int) -> tuple[float, float]:
    """Sums (new, kept) of ``n`` leaves, merged array by array from the innermost; equals count once in ``shared``."""
    loops, i = ws.loops, ws.above[child] - 1
    while i >= 0:
        place, width = loops[i, PLACE], 1
        while i >= 0 and loops[i, PLACE] == place:
            if loops[i, SPATIAL] and (loops[i, DIM] == dim_a or loops[i, DIM] == dim_b):
                width *= loops[i, BOUND]
            i -= 1
        if width == 1:
            continue
        for group in range(n // width):
            new = kept = 0.0
            mixed = np.uint64(0)
            for k in range(group * width, (group + 1) * width):
                repeated = False
                if (shared >> place) & 1:
                    for earlier in range(group * width, k):
                        if ws.hashes[earlier] == ws.hashes[k]:
                            repeated = True
                            break
                if not repeated:
                    new, kept, mixed = new + ws.leaves[k, 0], kept + ws.leaves[k, 1], mixed + ws.hashes[k]
            ws.leaves[group, 0], ws.leaves[group, 1], ws.hashes[group] = new, kept, mixed
        n //= width
    return ws.leaves[0, 0], ws.leaves[0, 1]


@inlined
def _count_classes(ws: Workspace, dim_a: int, a: int, dim_b: int, b: int, child: int, shared: int) -> float:
    leaves = _leaves(ws, dim_a, dim_b, child)
    if leaves > MAX_LEAVES:
        return math.nan
    for leaf in range(leaves):
        at_a, at_b = _offsets(ws, child, dim_a, dim_b, leaf)
        ws.hashes[leaf] = _mix(a * at_a + b * at_b, 5)
        ws.leaves[leaf, 0] = 1.0
        ws.leaves[leaf, 1] = 0.0
    return _fold(ws, child, dim_a, dim_b, shared, leaves)[0]


@compiled
def classes(pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, shared: int) -> float:
    """Instances of a whole rank above ``child``; those with equal windows count once in arrays of ``shared``."""
    ranks = pr.ranks
    dim_a, a, dim_b, b = ranks[role, r, 0], ranks[role, r, 1], ranks[role, r, 2], ranks[role, r, 3]
    loops, total, i, end = ws.loops, 1.0, 0, ws.above[child]
    while i < end:
        place, bound_a, bound_b, loops_a, loops_b, step_a, step_b = loops[i, PLACE], 1, 1, 0, 0, 1, 1
        while i < end and loops[i, PLACE] == place:
            if loops[i, SPATIAL] and loops[i, DIM] == dim_a:
                bound_a, step_a, loops_a = bound_a * loops[i, BOUND], a * loops[i, STEP], loops_a + 1
            elif loops[i, SPATIAL] and loops[i, DIM] == dim_b:
                bound_b, step_b, loops_b = bound_b * loops[i, BOUND], b * loops[i, STEP], loops_b + 1
            i += 1
        if not ((shared >> place) & 1 and loops_a and loops_b):
            total *= bound_a * bound_b
        elif loops_a == 1 and loops_b == 1:
            divisor = math.gcd(step_a, step_b)
            total *= size_pair(bound_a, bound_b, step_a // divisor, step_b // divisor)
        else:
            return _count_classes(ws, dim_a, a, dim_b, b, child, shared)
    return total


@compiled
def _key(x: int, na: int, y: int, nb: int, a: int, b: int, seed: int) -> int:
    """Hash of a set of values; equal sets hash alike."""
    if na <= 0 or nb <= 0:
        key = _mix(seed, 17)
    elif dense(na, nb, a, b):
        key = _mix(a * x + b * y, seed) + _mix(size_pair(na, nb, a, b), seed + 1)
    else:
        key = _mix(a * x + b * y, seed) + _mix(na, seed + 2) + _mix(nb, seed + 3)
    return int(key >> np.uint64(1))


@inlined
def shared_window(
    pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, index: int, shared: int
) -> tuple[float, float]:
    """Positions (new, kept) of a rank of two dimensions when loop ``index`` advances; ``shared`` sends equals once."""
    dim_a, a, dim_b, b = pr.ranks[role, r, 0], pr.ranks[role, r, 1], pr.ranks[role, r, 2], pr.ranks[role, r, 3]
    n_a, n_b = find_moves(pr, ws, dim_a, child, index, 0), find_moves(pr, ws, dim_b, child, index, 1)
    leaves = _leaves(ws, dim_a, dim_b, child)
    if n_a < 0 or n_b < 0 or leaves > MAX_LEAVES:
        return math.nan, math.nan
    size_a, size_b, moves = ws.span[child, dim_a], ws.span[child, dim_b], ws.moves
    new = kept = 0.0
    for m in range(n_a):
        for k in range(n_b):
            shift_a, old_a, new_a = moves[0, m, SHIFT], moves[0, m, OLD], moves[0, m, NEW]
            shift_b, old_b, new_b = moves[1, k, SHIFT], moves[1, k, OLD], moves[1, k, NEW]
            for leaf in range(leaves):
                at_a, at_b = _offsets(ws, child, dim_a, dim_b, leaf)
                new_na, new_nb = max(0, min(new_a - at_a, size_a)), max(0, min(new_b - at_b, size_b))
                old_na, old_nb = max(0, min(old_a - at_a, size_a)), max(0, min(old_b - at_b, size_b))
                ws.leaves[leaf, 0] = size_pair(new_na, new_nb, a, b)
                ws.leaves[leaf, 1] = overlap(
                    at_a, new_na, at_b, new_nb, at_a + shift_a, old_na, at_b + shift_b, old_nb, a, b
                )
                after = _key(at_a, new_na, at_b, new_nb, a, b, 11)
                before = _key(at_a + shift_a, old_na, at_b + shift_b, old_nb, a, b, 23)
                ws.hashes[leaf] = _mix(after, 3) + _mix(before, 7)
            entering, staying = _fold(ws, child, dim_a, dim_b, shared, leaves)
            count = float(moves[0, m, 0]) * float(moves[1, k, 0])
            new, kept = new + count * entering, kept + count * staying
    return new, kept


@inlined
def asked_window(pr: ProblemArrays, ws: Workspace, role: int, r: int, shared: int) -> float:
    """Words of a rank of two dimensions asked for by the multipliers; arrays in ``shared`` ask for equals once."""
    dim_a, a, dim_b, b = pr.ranks[role, r, 0], pr.ranks[role, r, 1], pr.ranks[role, r, 2], pr.ranks[role, r, 3]
    end, moves = pr.n_places, ws.moves
    leaves = _leaves(ws, dim_a, dim_b, end)
    words = float(pr.bounds[dim_a]) * float(pr.bounds[dim_b])
    if leaves == 1 or shared == 0:
        return words
    if ws.dims[dim_a, WHOLE] and ws.dims[dim_b, WHOLE]:
        return words / leaves * classes(pr, ws, role, r, end, shared)
    n_a = find_bases(ws, ws.dims[dim_a, HEAD], pr.bounds[dim_a], ws.span[0, dim_a], ws.above[end], 0)
    n_b = find_bases(ws, ws.dims[dim_b, HEAD], pr.bounds[dim_b], ws.span[0, dim_b], ws.above[end], 1)
    if n_a < 0 or n_b < 0 or leaves > MAX_LEAVES:
        return math.nan
    total = 0.0
    for m in range(n_a):
        for k in range(n_b):
            base_a, base_b = moves[0, m, 1], moves[1, k, 1]
            for leaf in range(leaves):
                at_a, at_b = _offsets(ws, end, dim_a, dim_b, leaf)
                here = (base_a == NOWHERE or base_a + at_a < pr.bounds[dim_a]) and (
                    base_b == NOWHERE or base_b + at_b < pr.bounds[dim_b]
                )
                ws.leaves[leaf, 0] = 1.0 if here else 0.0
                ws.leaves[leaf, 1] = 0.0
                ws.hashes[leaf] = _mix(a * at_a + b * at_b, 5) if here else _mix(1, 41)
            total += float(moves[0, m, 0]) * float(moves[1, k, 0]) * _fold(ws, end, dim_a, dim_b, shared, leaves)[0]
    return total
