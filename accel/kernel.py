"""The analytic model compiled: the same counts as `traffic`, the same cost as `analytic`, on plain arrays.

`problem.Problem` turns an operator and an accelerator into the arrays read here. A mapping is two small matrices:
``factors[slot, dim]`` and, for memories, the loop order ``order[slot, ·]`` (dimensions outer to inner), plus the
tensors each place skips. A slot is a memory or one axis of an array. Names follow `nest` and `traffic`, which explain
the method; equality with them is tested.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

__all__ = ["MAX_DIMS", "ProblemArrays", "evaluate_many", "evaluate_one", "workspace"]

MAX_DIMS = 10
MAX_LOOPS = 128
MAX_MOVES = 64
MAX_LEAVES = 65536
INPUT, OUTPUT = 0, 2
WHOLE = -1  # a base with nothing cut off


class ProblemArrays(NamedTuple):
    """One (operator, accelerator) pair as arrays; ``P`` places, ``S`` slots, ``D`` dimensions with a bound above 1."""

    bounds: I64  # [D]
    slot_place: I64  # [S]
    slot_spatial: I64  # [S] 1 on an array axis
    is_memory: I64  # [P]
    room_bits: F64  # [P] what one tile may take
    keeps: I64  # [P, 3]
    whole_bits: F64  # [P, 3] width of a word; of an output, once finished
    partial_bits: F64  # [P, 3] of an unfinished output
    read_bw: F64  # [P] bits per cycle and instance
    write_bw: F64  # [P]
    shared_port: I64  # [P]
    double_buffered: I64  # [P]
    read_energy: F64  # [P] J/bit
    write_energy: F64  # [P]
    multicast: I64  # [P, 3]
    reduces: I64  # [P]
    hop_energy: F64  # [P, 3] J/word
    ranks: I64  # [3, R, 4]: dimension, scale, dimension or -1, scale; rows of -1 pad
    relevant: I64  # [3, D]
    output_words: float
    macs: float
    compute_energy: float  # J for all multiply-accumulates
    leakage_per_cycle: float  # J
    pipeline: float


class Workspace(NamedTuple):
    """Scratch memory of one thread."""

    loops: I64  # [MAX_LOOPS, 5]
    span: I64  # [P + 1, D]
    reach: I64  # [D]
    bases: I64  # [D, MAX_MOVES, 2]
    n_bases: I64  # [D]
    moves: I64  # [D, MAX_MOVES, 4]
    n_moves: I64  # [D]
    split: I64  # [MAX_MOVES, 2]
    leaves: F64  # [MAX_LEAVES, 3] new, kept, old
    hashes: NDArray[np.uint64]  # [MAX_LEAVES]
    counts: F64  # [P, 3, 6] reads, fills, updates, drains, partial updates, partial drains
    hops: F64  # [P, 3]
    edge: F64  # [P, 2] bits read, written before the first and after the last step
    first: F64  # scratch of stages [P + 2]
    bw: F64  # [P, 2]
    whole: I64  # [D] 1 where the loops cover the dimension exactly
    copies: I64  # [D] instances at the child that differ in the dimension
    run: I64  # [D] how far the temporal loops inside the present one reach
    times: F64  # [D] states of a whole dimension outside the present loop
    classes: F64  # [8, R] distinct instances of a rank of two dimensions, per variant of sharing


@njit(cache=True)
def workspace(places: int, dims: int) -> Workspace:
    """Scratch arrays for ``evaluate_one``."""
    return Workspace(
        np.zeros((MAX_LOOPS, 5), np.int64),
        np.ones((places + 1, dims), np.int64),
        np.zeros(dims, np.int64),
        np.zeros((dims, MAX_MOVES, 2), np.int64),
        np.zeros(dims, np.int64),
        np.zeros((dims, MAX_MOVES, 4), np.int64),
        np.zeros(dims, np.int64),
        np.zeros((MAX_MOVES, 2), np.int64),
        np.zeros((MAX_LEAVES, 3), np.float64),
        np.zeros(MAX_LEAVES, np.uint64),
        np.zeros((places, 3, 6), np.float64),
        np.zeros((places, 3), np.float64),
        np.zeros((places, 2), np.float64),
        np.zeros(places + 2, np.float64),
        np.zeros((places, 2), np.float64),
        np.zeros(dims, np.int64),
        np.zeros(dims, np.int64),
        np.zeros(dims, np.int64),
        np.zeros(dims, np.float64),
        np.zeros((8, 8), np.float64),
    )


# columns of Workspace.loops
PLACE, DIM, BOUND, SPATIAL, STEP = 0, 1, 2, 3, 4
READS, FILLS, UPDATES, DRAINS, PARTIAL_UPDATES, PARTIAL_DRAINS = 0, 1, 2, 3, 4, 5


@njit(cache=True)
def _flatten(pr: ProblemArrays, factors: I64, order: I64, ws: Workspace) -> int:
    """Fill ``ws.loops`` and ``ws.span``; returns the number of loops with a bound above 1."""
    n = 0
    dims = pr.bounds.shape[0]
    for slot in range(pr.slot_place.shape[0]):
        for k in range(dims):
            dim = k if pr.slot_spatial[slot] else order[slot, k]
            bound = factors[slot, dim]
            if bound > 1:
                ws.loops[n, PLACE], ws.loops[n, DIM] = pr.slot_place[slot], dim
                ws.loops[n, BOUND], ws.loops[n, SPATIAL] = bound, pr.slot_spatial[slot]
                n += 1
    places = pr.is_memory.shape[0]
    for dim in range(dims):
        ws.span[places, dim] = 1
    at = n - 1
    for place in range(places - 1, -1, -1):
        for dim in range(dims):
            ws.span[place, dim] = ws.span[place + 1, dim]
        while at >= 0 and ws.loops[at, PLACE] == place:
            dim = ws.loops[at, DIM]
            ws.loops[at, STEP] = ws.span[place, dim]
            ws.span[place, dim] *= ws.loops[at, BOUND]
            at -= 1
    for dim in range(dims):
        ws.whole[dim] = ws.span[0, dim] <= pr.bounds[dim]
    return n


@njit(cache=True)
def _start_bases(pr: ProblemArrays, ws: Workspace) -> None:
    for dim in range(pr.bounds.shape[0]):
        ws.n_bases[dim] = 1
        ws.bases[dim, 0, 0] = 1
        ws.bases[dim, 0, 1] = WHOLE if ws.span[0, dim] <= pr.bounds[dim] else 0


@njit(cache=True)
def _split_bases(pr: ProblemArrays, ws: Workspace, n_loops: int, index: int) -> bool:
    """Advance the bases of a temporal loop's dimension past that loop; False where the scratch is too small."""
    dim, loop_bound, step = ws.loops[index, DIM], ws.loops[index, BOUND], ws.loops[index, STEP]
    bound = pr.bounds[dim]
    if ws.n_bases[dim] == 1 and ws.bases[dim, 0, 1] == WHOLE:
        ws.bases[dim, 0, 0] *= loop_bound
        return True
    wide = step
    for i in range(n_loops):
        if ws.loops[i, SPATIAL] and ws.loops[i, DIM] == dim and ws.loops[i, STEP] > step:
            wide += (ws.loops[i, BOUND] - 1) * ws.loops[i, STEP]
    n, whole_count = 0, 0
    for b in range(ws.n_bases[dim]):
        count, base = ws.bases[dim, b, 0], ws.bases[dim, b, 1]
        if base == WHOLE:
            whole_count += count * loop_bound
            continue
        trips = min(loop_bound, (bound - base + step - 1) // step)
        whole = 0
        if bound - base >= wide:
            whole = min(trips, (bound - base - wide) // step + 1)
        whole_count += count * whole
        for k in range(whole, trips):
            if n >= MAX_MOVES - 1:
                return False
            ws.split[n, 0], ws.split[n, 1] = count, base + k * step
            n += 1
    total = 0
    if whole_count:
        ws.bases[dim, 0, 0], ws.bases[dim, 0, 1] = whole_count, WHOLE
        total = 1
    for i in range(n):
        ws.bases[dim, total, 0], ws.bases[dim, total, 1] = ws.split[i, 0], ws.split[i, 1]
        total += 1
    ws.n_bases[dim] = total
    return True


@njit(cache=True)
def _add_move(ws: Workspace, dim: int, count: int, shift: int, old_left: int, new_left: int) -> bool:
    if count <= 0:
        return True
    moves, n = ws.moves, ws.n_moves[dim]
    for i in range(n):
        if moves[dim, i, 1] == shift and moves[dim, i, 2] == old_left and moves[dim, i, 3] == new_left:
            moves[dim, i, 0] += count
            return True
    if n >= MAX_MOVES:
        return False
    moves[dim, n, 0], moves[dim, n, 1], moves[dim, n, 2], moves[dim, n, 3] = count, shift, old_left, new_left
    ws.n_moves[dim] = n + 1
    return True


@njit(cache=True)
def _last_offset(ws: Workspace, dim: int, begin: int, end: int, left: int) -> int:
    """Offset of the last iteration of the temporal loops over ``dim`` in [begin, end) that starts inside ``left``."""
    offset = 0
    for i in range(begin, end):
        if ws.loops[i, DIM] == dim and not ws.loops[i, SPATIAL]:
            step = ws.loops[i, STEP]
            offset += min(ws.loops[i, BOUND] - 1, (left - 1 - offset) // step) * step
    return offset


@njit(cache=True)
def _find_moves(pr: ProblemArrays, ws: Workspace, dim: int, above: int, index: int) -> bool:
    """Moves of ``dim`` when temporal loop ``index`` (of the first ``above`` loops) advances; bases are those outside it."""
    ws.n_moves[dim] = 0
    bound, reach = pr.bounds[dim], ws.reach[dim]
    same = ws.loops[index, DIM] == dim
    loop_bound, step = ws.loops[index, BOUND], ws.loops[index, STEP]
    run = 0
    for i in range(index + 1, above):
        if ws.loops[i, DIM] == dim and not ws.loops[i, SPATIAL]:
            run += (ws.loops[i, BOUND] - 1) * ws.loops[i, STEP]
    fits = True
    for b in range(ws.n_bases[dim]):
        count, base = ws.bases[dim, b, 0], ws.bases[dim, b, 1]
        if base == WHOLE:
            if same:
                fits &= _add_move(ws, dim, count * (loop_bound - 1), run - step, reach, reach)
            else:
                fits &= _add_move(ws, dim, count, run, reach, reach)
        elif not same:
            last = _last_offset(ws, dim, index + 1, above, bound - base)
            fits &= _add_move(ws, dim, count, last, min(reach, bound - base - last), min(reach, bound - base))
        else:
            jumps = min(loop_bound, (bound - base + step - 1) // step) - 1
            whole = 0  # jumps after which neither tile is cut
            latest = bound - reach - base - max(run, step)
            if latest >= 0:
                whole = min(jumps, latest // step + 1)
            fits &= _add_move(ws, dim, count * whole, run - step, reach, reach)
            for k in range(whole, jumps):
                old, new = base + k * step + run, base + (k + 1) * step
                fits &= _add_move(ws, dim, count, run - step, min(reach, bound - old), min(reach, bound - new))
    return fits


@njit(cache=True)
def _single(ws: Workspace, dim: int, n_loops: int, child: int) -> tuple[float, float, float]:
    """Sums of new, kept and old positions over a rank of one dimension."""
    size, reach, copies = ws.span[child, dim], ws.reach[dim], ws.copies[dim]
    new = kept = old = 0.0
    for m in range(ws.n_moves[dim]):
        count, shift = ws.moves[dim, m, 0], ws.moves[dim, m, 1]
        old_left, new_left = ws.moves[dim, m, 2], ws.moves[dim, m, 3]
        if old_left == reach and new_left == reach:
            times = float(count * copies)
            new += times * size
            old += times * size
            kept += times * max(0, size - abs(shift))
            continue
        for c in range(copies):
            offset = _offset(ws, dim, n_loops, child, c) if copies > 1 else 0
            old_size = max(0, min(old_left - offset, size))
            new_size = max(0, min(new_left - offset, size))
            new += float(count) * new_size
            old += float(count) * old_size
            kept += float(count) * max(0, min(shift + old_size, new_size) - max(shift, 0))
    return new, kept, old


@njit(cache=True)
def _offset(ws: Workspace, dim: int, n_loops: int, child: int, number: int) -> int:
    """Offset along ``dim`` of instance ``number`` among those that differ in it."""
    offset = 0
    for i in range(n_loops - 1, -1, -1):
        if ws.loops[i, SPATIAL] and ws.loops[i, DIM] == dim and ws.loops[i, PLACE] < child:
            offset += (number % ws.loops[i, BOUND]) * ws.loops[i, STEP]
            number //= ws.loops[i, BOUND]
    return offset


@njit(cache=True)
def _size_pair(na: int, nb: int, a: int, b: int) -> int:
    """Distinct values of a·x + b·y over na × nb points."""
    if na <= 0 or nb <= 0:
        return 0
    g = math.gcd(a, b)
    return na * nb - max(0, na - b // g) * max(0, nb - a // g)


@njit(cache=True)
def _dense(na: int, nb: int, a: int, b: int) -> bool:
    """Whether the values, in units of the common divisor, are an unbroken interval (a, b already divided)."""
    if na == 1 and nb == 1:
        return True
    if na == 1:
        return b == 1
    if nb == 1:
        return a == 1
    return _size_pair(na, nb, a, b) == (na - 1) * a + (nb - 1) * b + 1


@njit(cache=True)
def _overlap_pair(
    xa: int, na: int, ya: int, ma: int, xb: int, nb: int, yb: int, mb: int, a: int, b: int
) -> int:
    """Common values of {a·x + b·y} over [xa, xa+na) × [ya, ya+ma) and over [xb, xb+nb) × [yb, yb+mb)."""
    if na <= 0 or ma <= 0 or nb <= 0 or mb <= 0:
        return 0
    g = math.gcd(a, b)
    a, b = a // g, b // g
    low_a, low_b = a * xa + b * ya, a * xb + b * yb
    high_a, high_b = low_a + (na - 1) * a + (ma - 1) * b, low_b + (nb - 1) * a + (mb - 1) * b
    if high_a < low_b or high_b < low_a:
        return 0
    if _dense(na, ma, a, b) and _dense(nb, mb, a, b):
        return min(high_a, high_b) - max(low_a, low_b) + 1
    if low_a == low_b and na == nb and ma == mb:
        return _size_pair(na, ma, a, b)
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


@njit(cache=True)
def _mix(value: int, seed: int) -> np.uint64:
    """A 64-bit hash of an integer."""
    x = np.uint64(value) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def _key(x: int, na: int, y: int, nb: int, a: int, b: int, seed: int) -> np.uint64:
    """Hash of a set of values; equal sets hash alike."""
    if na <= 0 or nb <= 0:
        return _mix(seed, 17)
    g = math.gcd(a, b)
    low = a * x + b * y
    if _dense(na, nb, a // g, b // g):
        return _mix(low, seed) + _mix(_size_pair(na, nb, a, b), seed + 1)
    return _mix(low, seed) + _mix(na, seed + 2) + _mix(nb, seed + 3)


@njit(cache=True)
def _fold(ws: Workspace, n_loops: int, child: int, dim_a: int, dim_b: int, sharing: int, leaves: int) -> int:
    """Merge leaves array by array from the innermost; nodes of a sharing array with equal hashes count once."""
    i = n_loops - 1
    n = leaves
    while i >= 0:
        if not (ws.loops[i, SPATIAL] and ws.loops[i, PLACE] < child and (ws.loops[i, DIM] == dim_a or ws.loops[i, DIM] == dim_b)):
            i -= 1
            continue
        place, width = ws.loops[i, PLACE], 1
        while i >= 0 and ws.loops[i, PLACE] == place:
            if ws.loops[i, SPATIAL] and (ws.loops[i, DIM] == dim_a or ws.loops[i, DIM] == dim_b):
                width *= ws.loops[i, BOUND]
            i -= 1
        shares = (sharing >> place) & 1
        for group in range(n // width):
            new = kept = old = 0.0
            mixed = np.uint64(0)
            for k in range(group * width, (group + 1) * width):
                repeated = False
                if shares:
                    for earlier in range(group * width, k):
                        if ws.hashes[earlier] == ws.hashes[k]:
                            repeated = True
                            break
                if not repeated:
                    new, kept, old = new + ws.leaves[k, 0], kept + ws.leaves[k, 1], old + ws.leaves[k, 2]
                    mixed += ws.hashes[k]
            ws.leaves[group, 0], ws.leaves[group, 1], ws.leaves[group, 2] = new, kept, old
            ws.hashes[group] = mixed
        n //= width
    return n


@njit(cache=True)
def _classes(ws: Workspace, rank: I64, n_loops: int, child: int, sharing: int) -> float:
    """Instances of a two-dimensional rank, those counted once that sharing arrays serve with the same positions."""
    dim_a, a, dim_b, b = rank[0], rank[1], rank[2], rank[3]
    leaves = ws.copies[dim_a] * ws.copies[dim_b]
    if sharing == 0 or leaves == 1:
        return float(leaves)
    if leaves > MAX_LEAVES:
        return -1.0
    for leaf in range(leaves):
        at_a, at_b = _offsets(ws, n_loops, child, dim_a, dim_b, leaf)
        ws.hashes[leaf] = _mix(a * at_a + b * at_b, 5)
        ws.leaves[leaf, 0] = 1.0
    n = _fold(ws, n_loops, child, dim_a, dim_b, sharing, leaves)
    total = 0.0
    for leaf in range(n):
        total += ws.leaves[leaf, 0]
    return total


@njit(cache=True)
def _pair(
    ws: Workspace, rank: I64, n_loops: int, child: int, sharing: int, classes: float
) -> tuple[float, float, float]:
    """Sums of new, kept and old positions over a rank of two dimensions."""
    dim_a, a, dim_b, b = rank[0], rank[1], rank[2], rank[3]
    size_a, size_b = ws.span[child, dim_a], ws.span[child, dim_b]
    size = _size_pair(size_a, size_b, a, b)
    leaves = ws.copies[dim_a] * ws.copies[dim_b]
    if classes < 0.0 or leaves > MAX_LEAVES:
        return -1.0, -1.0, -1.0
    new = kept = old = 0.0
    for m in range(ws.n_moves[dim_a]):
        for k in range(ws.n_moves[dim_b]):
            count = float(ws.moves[dim_a, m, 0]) * float(ws.moves[dim_b, k, 0])
            shift_a, shift_b = ws.moves[dim_a, m, 1], ws.moves[dim_b, k, 1]
            old_a, new_a = ws.moves[dim_a, m, 2], ws.moves[dim_a, m, 3]
            old_b, new_b = ws.moves[dim_b, k, 2], ws.moves[dim_b, k, 3]
            if min(old_a, new_a) == ws.reach[dim_a] and min(old_b, new_b) == ws.reach[dim_b]:
                new += count * classes * size
                old += count * classes * size
                kept += count * classes * _overlap_pair(0, size_a, 0, size_b, shift_a, size_a, shift_b, size_b, a, b)
                continue
            for leaf in range(leaves):
                at_a = at_b = 0
                if leaves > 1:
                    at_a, at_b = _offsets(ws, n_loops, child, dim_a, dim_b, leaf)
                new_na, new_nb = max(0, min(new_a - at_a, size_a)), max(0, min(new_b - at_b, size_b))
                old_na, old_nb = max(0, min(old_a - at_a, size_a)), max(0, min(old_b - at_b, size_b))
                ws.leaves[leaf, 0] = _size_pair(new_na, new_nb, a, b)
                ws.leaves[leaf, 2] = _size_pair(old_na, old_nb, a, b)
                ws.leaves[leaf, 1] = _overlap_pair(
                    at_a, new_na, at_b, new_nb, at_a + shift_a, old_na, at_b + shift_b, old_nb, a, b
                )
                if sharing:
                    after = _key(at_a, new_na, at_b, new_nb, a, b, 11) >> np.uint64(1)
                    before = _key(at_a + shift_a, old_na, at_b + shift_b, old_nb, a, b, 23) >> np.uint64(1)
                    ws.hashes[leaf] = _mix(np.int64(after), 3) + _mix(np.int64(before), 7)
            n = _fold(ws, n_loops, child, dim_a, dim_b, sharing, leaves) if sharing else leaves
            for leaf in range(n):
                new += count * ws.leaves[leaf, 0]
                kept += count * ws.leaves[leaf, 1]
                old += count * ws.leaves[leaf, 2]
    return new, kept, old


@njit(cache=True)
def _offsets(ws: Workspace, n_loops: int, child: int, dim_a: int, dim_b: int, leaf: int) -> tuple[int, int]:
    """Offsets along both dimensions of instance ``leaf``, arrays varying from the innermost."""
    at_a = at_b = 0
    for i in range(n_loops - 1, -1, -1):
        if ws.loops[i, SPATIAL] and ws.loops[i, PLACE] < child:
            if ws.loops[i, DIM] == dim_a:
                at_a += (leaf % ws.loops[i, BOUND]) * ws.loops[i, STEP]
                leaf //= ws.loops[i, BOUND]
            elif ws.loops[i, DIM] == dim_b:
                at_b += (leaf % ws.loops[i, BOUND]) * ws.loops[i, STEP]
                leaf //= ws.loops[i, BOUND]
    return at_a, at_b


@njit(cache=True)
def _product(
    pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, child: int, sharing: int, variant: int
) -> tuple[float, float, float]:
    """Sums of new, kept and old words of a tensor over the present moves, for one instance per idle copy."""
    new = kept = old = 1.0
    for dim in range(pr.bounds.shape[0]):
        if not pr.relevant[role, dim]:
            times = 0.0
            for m in range(ws.n_moves[dim]):
                times += ws.moves[dim, m, 0]
            new, kept, old = new * times, kept * times, old * times
    for r in range(pr.ranks.shape[1]):
        rank = pr.ranks[role, r]
        if rank[0] < 0:
            break
        if rank[2] < 0:
            n, k, o = _single(ws, rank[0], n_loops, child)
        else:
            n, k, o = _pair(ws, rank, n_loops, child, sharing, ws.classes[variant, r])
        new, kept, old = new * n, kept * k, old * o
    return new, kept, old


@njit(cache=True)
def _diagonal(pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, place: int) -> bool:
    """Whether the array at ``place`` spreads both dimensions of some rank, so that sharing shows there."""
    for r in range(pr.ranks.shape[1]):
        rank = pr.ranks[role, r]
        if rank[0] < 0:
            break
        if rank[2] < 0:
            continue
        a = b = False
        for i in range(n_loops):
            if ws.loops[i, SPATIAL] and ws.loops[i, PLACE] == place:
                a |= ws.loops[i, DIM] == rank[0]
                b |= ws.loops[i, DIM] == rank[2]
        if a and b:
            return True
    return False


@njit(cache=True)
def _idle_bound(pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, place: int) -> float:
    """Instances of the array at ``place`` that differ only in dimensions the tensor lacks."""
    copies = 1.0
    for i in range(n_loops):
        if ws.loops[i, SPATIAL] and ws.loops[i, PLACE] == place and not pr.relevant[role, ws.loops[i, DIM]]:
            copies *= ws.loops[i, BOUND]
    return copies


@njit(cache=True)
def _idle_above(pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, child: int) -> float:
    copies = 1.0
    for i in range(n_loops):
        if ws.loops[i, SPATIAL] and ws.loops[i, PLACE] < child and not pr.relevant[role, ws.loops[i, DIM]]:
            copies *= ws.loops[i, BOUND]
    return copies


@njit(cache=True)
def _working(pr: ProblemArrays, ws: Workspace, n_loops: int, place: int) -> float:
    """Instances at ``place`` that sum up one output word and have work at all."""
    copies = 1.0
    for dim in range(pr.bounds.shape[0]):
        if pr.relevant[OUTPUT, dim]:
            continue
        number = 1
        for i in range(n_loops):
            if ws.loops[i, SPATIAL] and ws.loops[i, DIM] == dim and ws.loops[i, PLACE] < place:
                number *= ws.loops[i, BOUND]
        working = 0
        for k in range(number):
            working += _offset(ws, dim, n_loops, place, k) < pr.bounds[dim]
        copies *= working
    return copies


@njit(cache=True)
def _words(pr: ProblemArrays, role: int, extents: I64) -> float:
    """Distinct words of a tile."""
    total = 1.0
    for r in range(pr.ranks.shape[1]):
        rank = pr.ranks[role, r]
        if rank[0] < 0:
            break
        if rank[2] < 0:
            total *= extents[rank[0]]
        else:
            total *= _size_pair(extents[rank[0]], extents[rank[2]], rank[1], rank[3])
    return total


@njit(cache=True)
def _fits(pr: ProblemArrays, bypass: I64, ws: Workspace, n_loops: int) -> bool:
    """Whether every memory holds its tiles."""
    dims = pr.bounds.shape[0]
    extents = np.empty(dims, np.int64)
    for place in range(pr.is_memory.shape[0]):
        if not pr.is_memory[place] or math.isinf(pr.room_bits[place]):
            continue
        for dim in range(dims):
            extents[dim] = min(ws.span[place, dim], pr.bounds[dim])
        partial = False
        for i in range(n_loops):
            if not ws.loops[i, SPATIAL] and ws.loops[i, PLACE] <= place and not pr.relevant[OUTPUT, ws.loops[i, DIM]]:
                partial = True
        need = 0.0
        for role in range(3):
            if pr.keeps[place, role] and not bypass[place, role]:
                width = pr.partial_bits[place, role] if role == OUTPUT and partial else pr.whole_bits[place, role]
                need += _words(pr, role, extents) * width
        if need > pr.room_bits[place]:
            return False
    return True


@njit(cache=True)
def _time(words_a: float, bits_a: float, bw_a: float, words_b: float, bits_b: float, bw_b: float) -> float:
    return max(words_a * bits_a / bw_a, words_b * bits_b / bw_b)


@njit(cache=True)
def _sharing_after(pr: ProblemArrays, role: int, parent: int, child: int, upto: int, up: bool) -> int:
    """Bit set of the sharing arrays strictly between parent and child, from the innermost outwards, inside ``upto``."""
    mask = 0
    for place in range(child - 1, parent, -1):
        if place <= upto:
            break
        if not pr.is_memory[place]:
            shares = pr.reduces[place] if up else pr.multicast[place, role]
            if shares:
                mask |= 1 << place
    return mask


@njit(cache=True)
def _boundary(
    pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, parent: int, child: int
) -> tuple[bool, float, float, float]:
    """Count one tensor's way from parent to child; returns (counted, first cycles, last cycles, halting cycles)."""
    dims = pr.bounds.shape[0]
    above = 0
    last_relevant = -1
    for dim in range(dims):
        ws.reach[dim] = ws.span[child, dim]
        ws.copies[dim] = 1
        ws.run[dim] = 0
        ws.times[dim] = 1.0
    while above < n_loops and ws.loops[above, PLACE] < child:
        dim, far = ws.loops[above, DIM], (ws.loops[above, BOUND] - 1) * ws.loops[above, STEP]
        if ws.loops[above, SPATIAL]:
            ws.reach[dim] += far
            ws.copies[dim] *= ws.loops[above, BOUND]
        else:
            ws.run[dim] += far
            if pr.relevant[role, dim]:
                last_relevant = above
        above += 1
    # variants of sharing that differ in diagonals: the plain one and one per diagonal array on the way
    masks = np.zeros(8, np.int64)
    variants = 1
    for place in range(child - 1, parent, -1):
        if not pr.is_memory[place] and pr.multicast[place, role] and role != OUTPUT:
            if variants < 8 and _diagonal(pr, ws, role, n_loops, place):
                masks[variants] = masks[variants - 1] | (1 << place)
                variants += 1
    for v in range(variants):
        for r in range(pr.ranks.shape[1]):
            if pr.ranks[role, r, 0] >= 0 and pr.ranks[role, r, 2] >= 0:
                ws.classes[v, r] = _classes(ws, pr.ranks[role, r], n_loops, child, masks[v])
    enter, leave = np.zeros(8), np.zeros(8)
    first_in = np.zeros(8)
    last_out = 0.0
    # the first tile
    for dim in range(dims):
        ws.n_moves[dim] = 0
        _add_move(ws, dim, 1, 0, 0, min(ws.reach[dim], pr.bounds[dim]))
    for v in range(variants):
        new, _, _ = _product(pr, ws, role, n_loops, child, masks[v], v)
        if new < 0.0:
            return False, 0.0, 0.0, 0.0
        enter[v] += new
        first_in[v] = new
    # every step that changes the tile
    _start_bases(pr, ws)
    for index in range(last_relevant + 1):
        if ws.loops[index, SPATIAL]:
            continue
        stepping, bound, step = ws.loops[index, DIM], ws.loops[index, BOUND], ws.loops[index, STEP]
        ws.run[stepping] -= (bound - 1) * step
        for dim in range(dims):
            if not ws.whole[dim]:
                if not _find_moves(pr, ws, dim, above, index):
                    return False, 0.0, 0.0, 0.0
                continue
            same = dim == stepping
            ws.n_moves[dim] = 1
            ws.moves[dim, 0, 0] = int(ws.times[dim]) * (bound - 1 if same else 1)
            ws.moves[dim, 0, 1] = ws.run[dim] - (step if same else 0)
            ws.moves[dim, 0, 2] = ws.moves[dim, 0, 3] = ws.reach[dim]
        for v in range(variants):
            new, kept, old = _product(pr, ws, role, n_loops, child, masks[v], v)
            enter[v] += new - kept
            leave[v] += old - kept
        if ws.whole[stepping]:
            ws.times[stepping] *= bound
        elif not _split_bases(pr, ws, n_loops, index):
            return False, 0.0, 0.0, 0.0
    if role == OUTPUT:
        for dim in range(dims):
            ws.n_moves[dim] = 0
            at = pr.bounds[dim] - _last_offset(ws, dim, 0, above, pr.bounds[dim])
            _add_move(ws, dim, 1, 0, min(ws.reach[dim], at), 0)
        _, _, last_out = _product(pr, ws, role, n_loops, child, 0, 0)
        leave[0] += last_out
    # stages: after each array from the innermost outwards
    idle = _idle_above(pr, ws, role, n_loops, child)
    copies, v = idle, 0
    whole = pr.output_words
    words = enter[0] * copies - (whole * copies if role == OUTPUT else 0.0)
    filled, first_filled = words, first_in[0] * copies
    for place in range(child - 1, parent, -1):
        if pr.is_memory[place]:
            continue
        ws.hops[place, role] += words
        if pr.multicast[place, role]:
            copies /= _idle_bound(pr, ws, role, n_loops, place)
            while v + 1 < variants and (masks[v + 1] >> place) & 1:
                v += 1
        words = enter[v] * copies - (whole * copies if role == OUTPUT else 0.0)
    served, first_served = words, first_in[v] * copies
    ws.counts[child, role, FILLS] += filled
    ws.counts[parent, role, READS] += served
    bits_child, bits_parent = pr.partial_bits[child, role], pr.partial_bits[parent, role]
    coming = leaving = 0.0
    drained = collected = 0.0
    if role == OUTPUT:
        copies, reduced = idle, idle
        drained = leave[0] * copies
        for place in range(child - 1, parent, -1):
            if pr.is_memory[place]:
                continue
            ws.hops[place, role] += leave[0] * copies
            reduced /= _idle_bound(pr, ws, role, n_loops, place)
            if pr.reduces[place]:
                copies /= _idle_bound(pr, ws, role, n_loops, place)
        collected = leave[0] * copies
        ws.counts[child, role, DRAINS] += drained
        ws.counts[child, role, PARTIAL_DRAINS] += drained - (0.0 if idle > 1.0 else whole)
        ws.counts[parent, role, UPDATES] += collected
        ws.counts[parent, role, PARTIAL_UPDATES] += collected - whole
        ws.counts[parent, role, READS] += collected - leave[0] * reduced
        leaving = _time(last_out * idle, bits_child, ws.bw[child, 0], last_out * copies, bits_parent, ws.bw[parent, 1])
        ws.edge[child, 0] += last_out * idle * bits_child
        ws.edge[parent, 1] += last_out * copies * bits_parent
    else:
        coming = _time(first_served, bits_parent, ws.bw[parent, 0], first_filled, bits_child, ws.bw[child, 1])
        ws.edge[parent, 0] += first_served * bits_parent
        ws.edge[child, 1] += first_filled * bits_child
    halts = 0.0
    if not pr.double_buffered[child]:
        halts += _time(served, bits_parent, ws.bw[parent, 0], filled, bits_child, ws.bw[child, 1]) - coming
        halts += _time(drained, bits_child, ws.bw[child, 0], collected, bits_parent, ws.bw[parent, 1]) - leaving
    return True, coming, leaving, halts


@njit(cache=True)
def _active(pr: ProblemArrays, ws: Workspace, dim: int, n_loops: int, sharing: int) -> float:
    """Pairs of time and unshared instance at which ``dim`` has work left; bases are those of all temporal loops."""
    copies = 1
    for i in range(n_loops):
        if ws.loops[i, SPATIAL] and ws.loops[i, DIM] == dim and not (sharing >> ws.loops[i, PLACE]) & 1:
            copies *= ws.loops[i, BOUND]
    total = 0.0
    for b in range(ws.n_bases[dim]):
        count, base = ws.bases[dim, b, 0], ws.bases[dim, b, 1]
        if base == WHOLE:
            total += float(count) * copies
            continue
        here = 0
        for c in range(copies):
            offset, number = 0, c
            for i in range(n_loops - 1, -1, -1):
                if ws.loops[i, SPATIAL] and ws.loops[i, DIM] == dim and not (sharing >> ws.loops[i, PLACE]) & 1:
                    offset += (number % ws.loops[i, BOUND]) * ws.loops[i, STEP]
                    number //= ws.loops[i, BOUND]
            here += base + offset < pr.bounds[dim]
        total += float(count) * here
    return total


@njit(cache=True)
def _asked_pair(pr: ProblemArrays, ws: Workspace, rank: I64, n_loops: int, sharing: int) -> float:
    """Words of a two-dimensional rank asked for by the multipliers, one per sharing class and step."""
    dim_a, a, dim_b, b = rank[0], rank[1], rank[2], rank[3]
    end = pr.is_memory.shape[0]
    leaves, shared = 1, False
    for i in range(n_loops):
        if ws.loops[i, SPATIAL] and (ws.loops[i, DIM] == dim_a or ws.loops[i, DIM] == dim_b):
            leaves *= ws.loops[i, BOUND]
            shared |= (sharing >> ws.loops[i, PLACE]) & 1 == 1
    if leaves == 1 or not shared:
        return float(pr.bounds[dim_a]) * float(pr.bounds[dim_b])
    if leaves > MAX_LEAVES:
        return -1.0
    total = 0.0
    for m in range(ws.n_bases[dim_a]):
        for k in range(ws.n_bases[dim_b]):
            base_a, base_b = ws.bases[dim_a, m, 1], ws.bases[dim_b, k, 1]
            for leaf in range(leaves):
                at_a, at_b = _offsets(ws, n_loops, end, dim_a, dim_b, leaf)
                here = (base_a == WHOLE or base_a + at_a < pr.bounds[dim_a]) and (
                    base_b == WHOLE or base_b + at_b < pr.bounds[dim_b]
                )
                ws.leaves[leaf, 0] = 1.0 if here else 0.0
                ws.leaves[leaf, 1] = ws.leaves[leaf, 2] = 0.0
                ws.hashes[leaf] = _mix(a * at_a + b * at_b, 5) if here else _mix(1, 41)
            n = _fold(ws, n_loops, end, dim_a, dim_b, sharing, leaves)
            count = float(ws.bases[dim_a, m, 0]) * float(ws.bases[dim_b, k, 0])
            for leaf in range(n):
                total += count * ws.leaves[leaf, 0]
    return total


@njit(cache=True)
def _asked(pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, sharing: int) -> float:
    total = 1.0
    for dim in range(pr.bounds.shape[0]):
        if not pr.relevant[role, dim]:
            total *= _active(pr, ws, dim, n_loops, sharing)
    for r in range(pr.ranks.shape[1]):
        rank = pr.ranks[role, r]
        if rank[0] < 0:
            break
        if rank[2] < 0:
            total *= pr.bounds[rank[0]]
        else:
            total *= _asked_pair(pr, ws, rank, n_loops, sharing)
    return total


@njit(cache=True)
def _compute(pr: ProblemArrays, ws: Workspace, role: int, n_loops: int, keeper: int) -> bool:
    """Count the words between the innermost keeper and the multipliers."""
    places = pr.is_memory.shape[0]
    sharing = 0
    words = _asked(pr, ws, role, n_loops, 0)
    for place in range(places - 1, keeper, -1):
        if pr.is_memory[place]:
            continue
        ws.hops[place, role] += words
        shares = pr.reduces[place] if role == OUTPUT else pr.multicast[place, role]
        if shares:
            sharing |= 1 << place
            words = _asked(pr, ws, role, n_loops, sharing)
    if words < 0.0:
        return False
    if role == OUTPUT:
        ws.counts[keeper, role, UPDATES] += words
        ws.counts[keeper, role, PARTIAL_UPDATES] += words - pr.output_words
        ws.counts[keeper, role, READS] += words - pr.output_words * _working(pr, ws, n_loops, keeper)
    else:
        ws.counts[keeper, role, READS] += words
    return True


@njit(cache=True)
def evaluate_one(
    pr: ProblemArrays, factors: I64, order: I64, bypass: I64, ws: Workspace
) -> tuple[float, float, float]:
    """(energy in J, cycles, steps) of one mapping; energy is infinite where a tile does not fit its memory.

    ``factors`` [S, D], ``order`` [S, D], ``bypass`` [P, 3]. NaN: beyond the scratch sizes, ask the reference model.
    """
    n_loops = _flatten(pr, factors, order, ws)
    if not _fits(pr, bypass, ws, n_loops):
        return math.inf, math.inf, 0.0
    places = pr.is_memory.shape[0]
    ws.counts[:] = 0.0
    ws.hops[:] = 0.0
    ws.edge[:] = 0.0
    for place in range(places):
        used = 1.0
        for i in range(n_loops):
            if ws.loops[i, SPATIAL] and ws.loops[i, PLACE] < place:
                used *= ws.loops[i, BOUND]
        ws.bw[place, 0] = pr.read_bw[place] * used
        ws.bw[place, 1] = (pr.read_bw[place] if pr.shared_port[place] else pr.write_bw[place]) * used
    first = last = halts = 0.0
    for role in range(3):
        parent = -1
        for place in range(places):
            if not (pr.is_memory[place] and pr.keeps[place, role]) or bypass[place, role]:
                continue
            if parent >= 0:
                counted, coming, leaving, halt = _boundary(pr, ws, role, n_loops, parent, place)
                if not counted:
                    return math.nan, math.nan, 0.0
                first, last, halts = first + coming, last + leaving, halts + halt
            parent = place
        ws.first[role] = parent
    _start_bases(pr, ws)
    for i in range(n_loops):
        if not ws.loops[i, SPATIAL] and not _split_bases(pr, ws, n_loops, i):
            return math.nan, math.nan, 0.0
    steps = 1.0
    for dim in range(pr.bounds.shape[0]):
        times = 0.0
        for b in range(ws.n_bases[dim]):
            times += ws.bases[dim, b, 0]
        steps *= times
    for role in range(3):
        if not _compute(pr, ws, role, n_loops, int(ws.first[role])):
            return math.nan, math.nan, 0.0
    longest = steps + halts
    energy = pr.compute_energy
    for place in range(places):
        if not pr.is_memory[place]:
            for role in range(3):
                energy += ws.hops[place, role] * pr.hop_energy[place, role]
            continue
        read = written = 0.0
        for role in range(3):
            whole, partial = pr.whole_bits[place, role], pr.partial_bits[place, role]
            c = ws.counts[place, role]
            read += (c[READS] + c[PARTIAL_DRAINS]) * partial + (c[DRAINS] - c[PARTIAL_DRAINS]) * whole
            written += (c[FILLS] + c[PARTIAL_UPDATES]) * partial + (c[UPDATES] - c[PARTIAL_UPDATES]) * whole
        energy += read * pr.read_energy[place] + written * pr.write_energy[place]
        reading = max(0.0, read - ws.edge[place, 0]) / ws.bw[place, 0]
        writing = max(0.0, written - ws.edge[place, 1]) / ws.bw[place, 1]
        longest = max(longest, reading + writing if pr.shared_port[place] else max(reading, writing))
    cycles = first + longest + last + pr.pipeline
    return energy + pr.leakage_per_cycle * cycles, cycles, steps


@njit(cache=True, parallel=True)
def evaluate_many(pr: ProblemArrays, factors: I64, order: I64, bypass: I64, chunks: int) -> F64:
    """`evaluate_one` over a batch: ``factors`` [B, S, D], ``order`` [B, S, D], ``bypass`` [B, P, 3] → [B, 3]."""
    batch = factors.shape[0]
    result = np.empty((batch, 3), np.float64)
    for chunk in prange(chunks):
        ws = workspace(pr.is_memory.shape[0], pr.bounds.shape[0])
        for i in range(chunk * batch // chunks, (chunk + 1) * batch // chunks):
            energy, cycles, steps = evaluate_one(pr, factors[i], order[i], bypass[i], ws)
            result[i, 0], result[i, 1], result[i, 2] = energy, cycles, steps
    return result
