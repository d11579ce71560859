"""The compiled form of ranks of two dimensions: sliding windows and what neighbours share of them.

Where both dimensions are whole every step looks alike, and a rank's words follow in closed form. Where one is cut off,
its few distinct moves (as in `nest`) are enumerated; where an array also sends overlapping windows only once, so are
its instances, equal transfers being recognised by their hashes.
"""

from __future__ import annotations

import math

import numpy as np

from .kernel_nest import (
    AFTER,
    BEFORE,
    BOUND,
    COPIES,
    DIM,
    HEAD,
    INNER,
    MAX_LEAVES,
    MAX_MOVES,
    PLACE,
    RUN,
    SPATIAL,
    STATES,
    STEP,
    WHOLE,
    ProblemArrays,
    Stack,
    Table,
    Workspace,
    compiled,
    cover,
    last_offset,
    size_pair,
)

__all__ = ["asked_window", "classes", "find_moves", "kept_window", "shared_window", "states_window"]

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
    """Bases (count, offset) of a dimension's temporal loops before index ``before``, into list ``k``; list 3 is scratch.

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
    return reach


@compiled
def find_moves(pr: ProblemArrays, ws: Workspace, dim: int, child: int, index: int, k: int) -> int:
    """Moves of ``dim`` at ``child`` when temporal loop ``index`` advances, into list ``k``; -1: the first tile's arrival.

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
def _dense(na: int, nb: int, a: int, b: int) -> bool:
    """Whether the values of a·x + b·y over na × nb points are an unbroken interval."""
    return size_pair(na, nb, a, b) == (na - 1) * a + (nb - 1) * b + 1


@compiled
def _overlap(xa: int, na: int, ya: int, ma: int, xb: int, nb: int, yb: int, mb: int, a: int, b: int) -> int:
    """Common values of {a·x + b·y} over [xa, xa+na) × [ya, ya+ma) and over [xb, xb+nb) × [yb, yb+mb)."""
    if na <= 0 or ma <= 0 or nb <= 0 or mb <= 0:
        return 0
    low_a, low_b = a * xa + b * ya, a * xb + b * yb
    high_a, high_b = low_a + (na - 1) * a + (ma - 1) * b, low_b + (nb - 1) * a + (mb - 1) * b
    if high_a < low_b or high_b < low_a:
        return 0
    if _dense(na, ma, a, b) and _dense(nb, mb, a, b):
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


@compiled
def kept_window(pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, index: int) -> float:
    """Positions of a rank of two dimensions that stay at ``child`` when temporal loop ``index`` advances."""
    dim_a, a, dim_b, b = pr.ranks[role, r, 0], pr.ranks[role, r, 1], pr.ranks[role, r, 2], pr.ranks[role, r, 3]
    state, loops, moves = ws.dims, ws.loops, ws.moves
    if state[dim_a, WHOLE] and state[dim_b, WHOLE]:
        stepping, step, size_a, size_b = loops[index, DIM], loops[index, STEP], ws.span[child, dim_a], ws.span[child, dim_b]
        shift_a = state[dim_a, RUN] - (step if stepping == dim_a else 0)
        shift_b = state[dim_b, RUN] - (step if stepping == dim_b else 0)
        if abs(shift_a * a + shift_b * b) > (size_a - 1) * a + (size_b - 1) * b:
            return 0.0
        states = loops[index, AFTER] - loops[index, BEFORE] if stepping == dim_a or stepping == dim_b else 1
        states *= 1 if stepping == dim_a else state[dim_a, STATES]
        states *= 1 if stepping == dim_b else state[dim_b, STATES]
        common = _overlap(0, size_a, 0, size_b, shift_a, size_a, shift_b, size_b, a, b)
        return float(states) * float(state[dim_a, COPIES] * state[dim_b, COPIES]) * common
    n_a, n_b = find_moves(pr, ws, dim_a, child, index, 0), find_moves(pr, ws, dim_b, child, index, 1)
    if n_a < 0 or n_b < 0:
        return math.nan
    n_a, n_b = _per_instance(ws, dim_a, child, 0, n_a, 2), _per_instance(ws, dim_b, child, 1, n_b, 3)
    kept = 0.0
    for m in range(n_a):
        for k in range(n_b):
            common = _overlap(
                0, moves[2, m, NEW], 0, moves[3, k, NEW],
                moves[2, m, SHIFT], moves[2, m, OLD], moves[3, k, SHIFT], moves[3, k, OLD], a, b,
            )
            kept += float(moves[2, m, 0]) * float(moves[3, k, 0]) * common
    return kept if n_a >= 0 and n_b >= 0 else math.nan


@compiled
def states_window(pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, covered_a: int, covered_b: int) -> float:
    """Positions of a rank of two dimensions over all pairs of tiles, those of each covering so many positions."""
    ranks = pr.ranks
    dim_a, dim_b = ranks[role, r, 0], ranks[role, r, 2]
    a, b = ranks[role, r, 1], ranks[role, r, 3]
    size_a, size_b = ws.span[child, dim_a], ws.span[child, dim_b]
    full_a, rest_a, full_b, rest_b = covered_a // size_a, covered_a % size_a, covered_b // size_b, covered_b % size_b
    total = float(full_a) * float(full_b) * size_pair(size_a, size_b, a, b)
    if rest_a:
        total += float(full_b) * size_pair(rest_a, size_b, a, b)
    if rest_b:
        total += float(full_a) * size_pair(size_a, rest_b, a, b)
    return total + size_pair(rest_a, rest_b, a, b)


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
    """Sums (new, kept) of ``n`` leaves, merged array by array from the innermost; arrays in ``shared`` count equals once."""
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


@compiled
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
    """Instances of a whole rank above ``child``, those counted once that arrays in ``shared`` serve with the same window."""
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
    elif _dense(na, nb, a, b):
        key = _mix(a * x + b * y, seed) + _mix(size_pair(na, nb, a, b), seed + 1)
    else:
        key = _mix(a * x + b * y, seed) + _mix(na, seed + 2) + _mix(nb, seed + 3)
    return np.int64(key >> np.uint64(1))


@compiled
def shared_window(
    pr: ProblemArrays, ws: Workspace, role: int, r: int, child: int, index: int, shared: int
) -> tuple[float, float]:
    """Positions (new, kept) of a rank of two dimensions when loop ``index`` advances; arrays in ``shared`` send equals once."""
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
                ws.leaves[leaf, 1] = _overlap(
                    at_a, new_na, at_b, new_nb, at_a + shift_a, old_na, at_b + shift_b, old_nb, a, b
                )
                after = _key(at_a, new_na, at_b, new_nb, a, b, 11)
                before = _key(at_a + shift_a, old_na, at_b + shift_b, old_nb, a, b, 23)
                ws.hashes[leaf] = _mix(after, 3) + _mix(before, 7)
            entering, staying = _fold(ws, child, dim_a, dim_b, shared, leaves)
            count = float(moves[0, m, 0]) * float(moves[1, k, 0])
            new, kept = new + count * entering, kept + count * staying
    return new, kept


@compiled
def asked_window(pr: ProblemArrays, ws: Workspace, role: int, r: int, shared: int) -> float:
    """Words of a rank of two dimensions asked for by the multipliers; arrays in ``shared`` ask for equals once."""
    dim_a, a, dim_b, b = pr.ranks[role, r, 0], pr.ranks[role, r, 1], pr.ranks[role, r, 2], pr.ranks[role, r, 3]
    loops, end, moves = ws.loops, pr.n_places, ws.moves
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
