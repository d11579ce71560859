"""The compiled nest: a problem and a mapping as plain arrays, and counting along one dimension.

Along one dimension the loops are digits of a mixed-radix number: every loop's step is a multiple of all that runs
inside it. Positions that the loops reach are therefore ordered like their digits, and how many of them lie inside the
dimension follows digit by digit (`cover`), partial tiles included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])
Table = NDArray[np.int64]  # [rows, columns]
Stack = NDArray[np.int64]  # [tables, rows, columns]
Vector = NDArray[np.int64]
Results = NDArray[np.float64]  # [rows, columns]

__all__ = ["ProblemArrays", "Workspace", "cover", "fits", "flatten", "last_offset", "size_pair", "workspace"]

MAX_LOOPS = 512
MAX_MOVES = 64
MAX_LEAVES = 65536
INPUT, WEIGHT, OUTPUT = 0, 1, 2

# columns of ProblemArrays.ints; those ending in 0 are followed by the other two tensors'
MEMORY, SHARED_PORT, DOUBLE_BUFFERED, REDUCES, KEEPS0, MULTICAST0, INT_COLUMNS = 0, 1, 2, 3, 4, 7, 10
# columns of ProblemArrays.reals
ROOM, READ_BW, WRITE_BW, READ_J, WRITE_J, WHOLE0, PARTIAL0, HOP0, REAL_COLUMNS = 0, 1, 2, 3, 4, 5, 8, 11, 14
# entries of ProblemArrays.scalars
OUTPUT_WORDS, COMPUTE_J, LEAKAGE_J, PIPELINE, SCALARS = 0, 1, 2, 3, 4
# values of ProblemArrays.relevant: the dimension is a rank of its own, or shares one with another
APART, SINGLE, WINDOW = 0, 1, 2
# columns of Workspace.loops: BEFORE and AFTER count the states of the loop's dimension, INNER links its next loop
PLACE, DIM, BOUND, SPATIAL, STEP, INNER, BEFORE, AFTER, LOOP_COLUMNS = 0, 1, 2, 3, 4, 5, 6, 7, 8
# columns of Workspace.dims: first loop, nothing cut off, extent left while flattening; then for one memory: instances,
# states outside the present loop, distance run inside it and the smallest step there (0: none)
HEAD, WHOLE, LEFT, COPIES, STATES, RUN, INNERMOST, DIM_COLUMNS = 0, 1, 2, 3, 4, 5, 6, 7
# columns of Workspace.counts
READS, FILLS, UPDATES, DRAINS, PARTIAL_UPDATES, PARTIAL_DRAINS, COUNT_COLUMNS = 0, 1, 2, 3, 4, 5, 6
# columns of Workspace.places: bits read and written before the first and after the last step, bandwidths, hops
EDGE_READ, EDGE_WRITTEN, BW_READ, BW_WRITE, HOPS0, PLACE_COLUMNS = 0, 1, 2, 3, 4, 7


class ProblemArrays(NamedTuple):
    """One (operator, accelerator) pair as arrays; ``P`` places, ``S`` slots, ``D`` dimensions with a bound above 1."""

    bounds: I64  # [D]
    slots: I64  # [S, 2] place, 1 on an array's axis
    ints: I64  # [P, INT_COLUMNS]
    reals: F64  # [P, REAL_COLUMNS] bits, bits per cycle and instance, J/bit, bits per word, J per word and hop
    ranks: Stack  # [3, R, 4] dimension, scale, dimension or -1, scale, without common divisor; rows of -1 pad
    relevant: I64  # [3, D] APART, SINGLE or WINDOW
    scalars: F64  # [SCALARS] words, J, J per cycle, cycles


class Workspace(NamedTuple):
    """Scratch memory of one thread."""

    loops: Table  # [MAX_LOOPS, LOOP_COLUMNS] outermost first, bounds of 1 left out
    above: I64  # [P + 1] loops outside each place
    span: I64  # [P + 1, D] product of the bounds at each place and inside it
    dims: I64  # [D, DIM_COLUMNS]
    counts: F64  # [P, 3, COUNT_COLUMNS]
    places: F64  # [P, PLACE_COLUMNS]
    moves: Stack  # [4, MAX_MOVES, 4] moves of two dimensions, their bases, bases being split
    leaves: F64  # [MAX_LEAVES, 2] words new and kept
    hashes: NDArray[np.uint64]  # [MAX_LEAVES]


# `evaluate_one` as an argument: a call through a pointer, so that its callers compile without compiling it again
Evaluate = Callable[[ProblemArrays, Table, Table, Table, Workspace], tuple[float, float, float]]
_INTS = {n: types.Array(types.int64, n, "C") for n in (1, 2, 3)}
_REALS = {n: types.Array(types.float64, n, "C") for n in (1, 2, 3)}
_HASHES = types.Array(types.uint64, 1, "C")
_TYPES: dict[str, Any] = {
    "int": types.int64,
    "float": types.float64,
    "bool": types.boolean,
    "np.uint64": types.uint64,
    "None": types.void,
    "Vector": _INTS[1],
    "Table": _INTS[2],
    "Stack": _INTS[3],
    "Results": _REALS[2],
    "ProblemArrays": types.NamedTuple(
        [_INTS[1], _INTS[2], _INTS[2], _REALS[2], _INTS[3], _INTS[2], _REALS[1]], ProblemArrays
    ),
    "Workspace": types.NamedTuple(
        [_INTS[2], _INTS[1], _INTS[2], _INTS[2], _REALS[3], _REALS[2], _INTS[3], _REALS[2], _HASHES], Workspace
    ),
    "tuple[int, int]": types.Tuple([types.int64] * 2),
    "tuple[float, int]": types.Tuple([types.float64, types.int64]),
    "tuple[float, float]": types.Tuple([types.float64] * 2),
    "tuple[float, float, float]": types.Tuple([types.float64] * 3),
}
_TYPES["Evaluate"] = types.FunctionType(
    _TYPES["tuple[float, float, float]"](*(_TYPES[name] for name in ("ProblemArrays", "Table", "Table", "Table", "Workspace")))
)


def compiled(function: F) -> F:
    """Compile for exactly the annotated types: otherwise every constant argument makes a version of its own."""
    annotations = dict(function.__annotations__)
    result = _TYPES[annotations.pop("return")]
    signature = result(*(_TYPES[annotation] for annotation in annotations.values()))
    return cast(F, njit(signature, cache=True, nogil=True, error_model="numpy")(function))


@compiled
def workspace(places: int, dims: int) -> Workspace:
    """Scratch arrays for ``evaluate_one``."""
    return Workspace(
        np.zeros((MAX_LOOPS, LOOP_COLUMNS), np.int64),
        np.zeros(places + 1, np.int64),
        np.ones((places + 1, dims), np.int64),
        np.zeros((dims, DIM_COLUMNS), np.int64),
        np.zeros((places, 3, COUNT_COLUMNS), np.float64),
        np.zeros((places, PLACE_COLUMNS), np.float64),
        np.zeros((4, MAX_MOVES, 4), np.int64),
        np.empty((MAX_LEAVES, 2), np.float64),
        np.empty(MAX_LEAVES, np.uint64),
    )


@compiled
def size_pair(na: int, nb: int, a: int, b: int) -> int:
    """Distinct values of a·x + b·y over na × nb points; a and b have no common divisor."""
    if na <= 0 or nb <= 0:
        return 0
    return na * nb - max(0, na - b) * max(0, nb - a)


@compiled
def cover(loops: Table, head: int, left: int, before: int, child: int, shared: int, leaf: int) -> int:
    """Positions below ``left`` in the tiles of ``leaf`` positions that a dimension's loops reach.

    ``head`` is its first loop. Of the temporal loops those before index ``before`` run, of the spatial ones those outside
    place ``child`` that are not in the bit set ``shared``; the others stay at zero.
    """
    reach = count = leaf
    i = head
    while i >= 0:
        if (loops[i, PLACE] < child and not (shared >> loops[i, PLACE]) & 1) if loops[i, SPATIAL] else i < before:
            reach += (loops[i, BOUND] - 1) * loops[i, STEP]
            count *= loops[i, BOUND]
        i = loops[i, INNER]
    if reach <= left:
        return count
    total, i = 0, head
    while i >= 0:
        if (loops[i, PLACE] < child and not (shared >> loops[i, PLACE]) & 1) if loops[i, SPATIAL] else i < before:
            bound, step = loops[i, BOUND], loops[i, STEP]
            reach -= (bound - 1) * step
            count //= bound
            whole = min(bound, (left - reach) // step + 1) if left >= reach else 0
            total += whole * count
            left -= whole * step
            if whole == bound or left <= 0:
                return total
        i = loops[i, INNER]
    return total + min(left, leaf)


@compiled
def last_offset(loops: Table, head: int, begin: int, end: int, spatial: int, left: int) -> int:
    """Offset of the last iteration that starts below ``left`` of a dimension's loops with index in [begin, end)."""
    offset, i = 0, head
    while i >= 0 and i < end:
        if i >= begin and loops[i, SPATIAL] == spatial:
            step = loops[i, STEP]
            offset += min(loops[i, BOUND] - 1, (left - 1 - offset) // step) * step
        i = loops[i, INNER]
    return offset


@compiled
def measure(pr: ProblemArrays, factors: Table, ws: Workspace) -> int:
    """Fill ``ws.span``; returns the first place with a temporal loop that leaves outputs unfinished."""
    dims, slots, places = pr.bounds.shape[0], pr.slots.shape[0], pr.ints.shape[0]
    span, slot, partial = ws.span, slots - 1, places
    for place in range(places - 1, -1, -1):
        for dim in range(dims):
            span[place, dim] = span[place + 1, dim]
        while slot >= 0 and pr.slots[slot, 0] == place:
            for dim in range(dims):
                if factors[slot, dim] > 1:
                    span[place, dim] *= factors[slot, dim]
                    if not pr.slots[slot, 1] and not pr.relevant[OUTPUT, dim]:
                        partial = place
            slot -= 1
    return partial


@compiled
def fits(pr: ProblemArrays, factors: Table, bypass: Table, ws: Workspace) -> bool:
    """Whether every memory holds its tiles; fills ``ws.span``."""
    partial = measure(pr, factors, ws)
    span, ranks, bounds = ws.span, pr.ranks, pr.bounds
    for place in range(pr.ints.shape[0] - 1, -1, -1):
        if not pr.ints[place, MEMORY] or pr.reals[place, ROOM] == np.inf:
            continue
        need = 0.0
        for role in range(3):
            if not pr.ints[place, KEEPS0 + role] or bypass[place, role]:
                continue
            unfinished = role == OUTPUT and partial <= place
            words = pr.reals[place, (PARTIAL0 if unfinished else WHOLE0) + role]
            for r in range(ranks.shape[1]):
                dim_a, dim_b = ranks[role, r, 0], ranks[role, r, 2]
                if dim_a < 0:
                    break
                extent = min(span[place, dim_a], bounds[dim_a])
                if dim_b >= 0:
                    other = min(span[place, dim_b], bounds[dim_b])
                    extent = size_pair(extent, other, ranks[role, r, 1], ranks[role, r, 3])
                words *= extent
            need += words
        if need > pr.reals[place, ROOM]:
            return False
    return True


@compiled
def _count_states(loops: Table, head: int, bound: int) -> None:
    """States before and after each temporal loop of a dimension that is partly cut off."""
    i, states = head, 1
    while i >= 0:
        loops[i, BEFORE] = states
        if not loops[i, SPATIAL]:
            states = cover(loops, head, bound, i + 1, 0, 0, 1)
        loops[i, AFTER] = states
        i = loops[i, INNER]


@compiled
def flatten(pr: ProblemArrays, factors: Table, order: Table, ws: Workspace) -> int:
    """Fill ``ws.loops``, ``ws.above`` and the dimensions' columns from ``ws.span``; returns the number of loops."""
    loops, state, span = ws.loops, ws.dims, ws.span
    dims, places = pr.bounds.shape[0], pr.ints.shape[0]
    for dim in range(dims):
        state[dim, HEAD], state[dim, LEFT], state[dim, RUN] = -1, span[0, dim], -1  # RUN: the last loop so far
        state[dim, WHOLE] = span[0, dim] <= pr.bounds[dim]
        state[dim, STATES] = 1
    n, place = 0, 0
    for slot in range(pr.slots.shape[0]):
        spatial = pr.slots[slot, 1]
        while place <= pr.slots[slot, 0]:
            ws.above[place] = n
            place += 1
        for k in range(dims):
            dim = k if spatial else order[slot, k]
            bound = factors[slot, dim]
            if bound < 2:
                continue
            state[dim, LEFT] //= bound
            loops[n, PLACE], loops[n, DIM], loops[n, BOUND] = pr.slots[slot, 0], dim, bound
            loops[n, SPATIAL], loops[n, STEP], loops[n, INNER] = spatial, state[dim, LEFT], -1
            loops[n, BEFORE] = state[dim, STATES]
            if not spatial:
                state[dim, STATES] *= bound
            loops[n, AFTER] = state[dim, STATES]
            if state[dim, RUN] < 0:
                state[dim, HEAD] = n
            else:
                loops[state[dim, RUN], INNER] = n
            state[dim, RUN] = n
            n += 1
    while place <= places:
        ws.above[place] = n
        place += 1
    for dim in range(dims):
        if not state[dim, WHOLE]:
            _count_states(loops, state[dim, HEAD], pr.bounds[dim])
    return n
