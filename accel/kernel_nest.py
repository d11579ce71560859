"""The compiled nest: a problem and a mapping as plain arrays, and counting along one dimension.

Along one dimension the loops are digits of a mixed-radix number: every loop's step is a multiple of all that runs
inside it. Positions that the loops reach are therefore ordered like their digits, and how many of them lie inside the
dimension follows digit by digit (`cover`), partial tiles included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numba import from_dtype, njit, types
from numpy.typing import NDArray

from .batch import MAX_DIMS, MAX_PLACES, MAX_SLOTS, MAX_WINDOW
from .compiled import compiling

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])
Table = NDArray[np.int64]  # [rows, columns]
Stack = NDArray[np.int64]  # [tables, rows, columns]
Vector = NDArray[np.int64]
Flat = NDArray[np.float64]
Results = NDArray[np.float64]  # [rows, columns]
Cube = NDArray[np.float64]  # [tables, rows, columns]

__all__ = ["ProblemArrays", "Workspace", "cover", "last_offset", "name_record", "size_pair", "workspace"]

MAX_LOOPS = MAX_DIMS * MAX_SLOTS
MAX_MOVES = 64
MAX_LEAVES = 65536
INPUT, WEIGHT, OUTPUT = 0, 1, 2

# columns of ProblemArrays.ints; those ending in 0 are followed by the other two tensors'
MEMORY, SHARED_PORT, DOUBLE_BUFFERED, REDUCES, KEEPS0, MULTICAST0, STATIONARY, REFETCH, LOCKSTEP, INT_COLUMNS = (
    0, 1, 2, 3, 4, 7, 10, 11, 12, 13,
)  # fmt: skip
RESIDENT = 2  # in place of 1 where the whole tensor has its room in the memory that keeps it
# columns of ProblemArrays.reals
ROOM, READ_BW, WRITE_BW, READ_J, WRITE_J, WHOLE0, PARTIAL0, HOP0, USED0, WAIT = 0, 1, 2, 3, 4, 5, 8, 11, 14, 17
PASSING0, KEPT0, REAL_COLUMNS = 18, 21, 24
# entries of ProblemArrays.scalars
OUTPUT_WORDS, COMPUTE_J, LEAKAGE_J, PIPELINE, LEAST_TIME, TOGETHER, SCANNED, SCALARS = 0, 1, 2, 3, 4, 5, 6, 7
# values of ProblemArrays.relevant: the dimension is a rank of its own, or shares one with another
APART, SINGLE, WINDOW = 0, 1, 2
# columns of Workspace.loops: BEFORE and AFTER count the states of the loop's dimension, INNER links its next loop
PLACE, DIM, BOUND, SPATIAL, STEP, INNER, BEFORE, AFTER, LOOP_COLUMNS = 0, 1, 2, 3, 4, 5, 6, 7, 8
# columns of Workspace.dims: first loop, nothing cut off; then for one memory: instances, states outside the present
# loop, distance run inside it and the smallest step there (0: none)
HEAD, WHOLE, COPIES, STATES, RUN, INNERMOST, DIM_COLUMNS = 0, 1, 2, 3, 4, 5, 6
# columns of Workspace.flow, one tensor above one place: instances that differ in its dimensions and in the others,
# states of the temporal loops over its dimensions and over the others, the latter down to the last of the former
SPREAD, IDLE, STATES_OWN, STATES_APART, STATES_TO_LAST, FLOW_COLUMNS = 0, 1, 2, 3, 4, 5
# columns of Workspace.counts
READS, FILLS, UPDATES, DRAINS, PARTIAL_UPDATES, PARTIAL_DRAINS, COUNT_COLUMNS = 0, 1, 2, 3, 4, 5, 6
# columns of Workspace.places: bits read and written before the first and after the last step, bandwidths, hops, cycles
# of tiles' latencies, bits that gated multipliers neither read nor write, and bits that skipped steps do not
EDGE_READ, EDGE_WRITTEN, BW_READ, BW_WRITE, HOPS0, WAITS, UNREAD, UNWRITTEN, PLACE_COLUMNS = 0, 1, 2, 3, 4, 7, 8, 9, 12
UNASKED, UNGIVEN = 10, 11


class ProblemArrays(Protocol):
    """One (operator, accelerator) pair; ``P`` places, ``S`` slots, ``D`` dimensions with a bound above 1.

    A record of ``PROBLEM``: its arrays are as long as the maxima say, the numbers in use come first.
    """

    n_dims: int
    n_slots: int
    n_places: int
    n_ranks: int
    bounds: Any  # [D]
    slots: Any  # [S, 2] place, 1 on an array's axis
    ints: Any  # [P, INT_COLUMNS]
    reals: Any  # [P, REAL_COLUMNS] bits, bits per cycle and instance, J/bit, bits per word, J per word and hop, share
    # of the multipliers' words that are used, cycles of a tile (memory) or a pass (array), share of the multipliers'
    # words that pass at all, bits of room per finished word
    waits: int  # 1 where any level has such cycles
    ranks: Any  # [3, R, 4] dimension, scale, dimension or -1, scale, without common divisor; rows of -1 pad
    windows: Any  # [3] ranks of two dimensions, which come first
    regular: Any  # [3] 1 where no dimension is in two ranks
    singles: Any  # [3] product of the bounds in ranks of one dimension
    asked: Any  # [3] product of the bounds of all ranks and all dimensions outside them
    relevant: Any  # [3, D] APART, SINGLE or WINDOW
    summed: Any  # [D] -1 where the dimension's loops may add to one output word more than once, else 0
    scalars: Any  # [SCALARS] words, J, J per cycle, cycles, cycles per step: at least, for all, for looking at words
    window: int  # steps of a window left to chance; 0: instances do not wait for each other
    chances: Any  # [window] logarithm of the chance that an instance takes at most so many of them


class Workspace(Protocol):
    """Scratch memory of one thread: a record of ``WORKSPACE``."""

    loops: Any  # [MAX_LOOPS, LOOP_COLUMNS] outermost first, bounds of 1 left out
    above: Any  # [P + 1] loops outside each place
    span: Any  # [P, D] product of the bounds at each memory and inside it
    inside: Any  # [S + 1, D] the same for each slot
    dims: Any  # [D, DIM_COLUMNS]
    tiles: Any  # [P, 3] words of the tile of each tensor that a memory keeps, cut at the bounds
    flow: Any  # [P + 2, 3, FLOW_COLUMNS]
    last: Any  # [P + 2, 3] innermost temporal loop outside each place over a dimension of the tensor; -1: none
    cut: Any  # [3] 1 where a dimension of the tensor is partly cut off or in two ranks
    cut_apart: Any  # [3] 1 where another dimension is cut off
    counts: Any  # [P, 3, COUNT_COLUMNS]
    places: Any  # [P, PLACE_COLUMNS]
    moves: Any  # [4, MAX_MOVES, 4] moves of two dimensions, their bases, bases being split
    leaves: Any  # [MAX_LEAVES, 2] words new and kept
    hashes: Any  # [MAX_LEAVES]


# Records reach compiled code as one pointer each: arrays of their own would be counted as references at every call.
PROBLEM = np.dtype(
    [
        ("n_dims", "i8"),
        ("n_slots", "i8"),
        ("n_places", "i8"),
        ("n_ranks", "i8"),
        ("waits", "i8"),
        ("bounds", "i8", (MAX_DIMS,)),
        ("slots", "i8", (MAX_SLOTS, 2)),
        ("ints", "i8", (MAX_PLACES, INT_COLUMNS)),
        ("reals", "f8", (MAX_PLACES, REAL_COLUMNS)),
        ("ranks", "i8", (3, MAX_DIMS + 1, 4)),
        ("windows", "i8", (3,)),
        ("regular", "i8", (3,)),
        ("singles", "f8", (3,)),
        ("asked", "f8", (3,)),
        ("relevant", "i8", (3, MAX_DIMS)),
        ("summed", "i8", (MAX_DIMS,)),
        ("scalars", "f8", (SCALARS,)),
        ("window", "i8"),
        ("chances", "f8", (MAX_WINDOW,)),
    ]
)
WORKSPACE = np.dtype(
    [
        ("loops", "i8", (MAX_LOOPS, LOOP_COLUMNS)),
        ("above", "i8", (MAX_PLACES + 1,)),
        ("span", "i8", (MAX_PLACES, MAX_DIMS)),
        ("inside", "i8", (MAX_SLOTS + 1, MAX_DIMS)),
        ("dims", "i8", (MAX_DIMS, DIM_COLUMNS)),
        ("tiles", "f8", (MAX_PLACES, 3)),
        ("flow", "f8", (MAX_PLACES + 2, 3, FLOW_COLUMNS)),
        ("last", "i8", (MAX_PLACES + 2, 3)),
        ("cut", "i8", (3,)),
        ("cut_apart", "i8", (3,)),
        ("counts", "f8", (MAX_PLACES, 3, COUNT_COLUMNS)),
        ("places", "f8", (MAX_PLACES, PLACE_COLUMNS)),
        ("moves", "i8", (4, MAX_MOVES, 4)),
        ("leaves", "f8", (MAX_LEAVES, 2)),
        ("hashes", "u8", (MAX_LEAVES,)),
    ]
)

_types: Any = types  # whose stubs leave `Tuple` without types


_TABLE = types.Array(types.int64, 2, "C")
_TYPES: dict[str, Any] = {
    "int": types.int64,
    "float": types.float64,
    "bool": types.boolean,
    "np.uint64": types.uint64,
    "None": types.void,
    "Vector": types.Array(types.int64, 1, "C"),
    "Table": _TABLE,
    "Stack": types.Array(types.int64, 3, "C"),
    "Flat": types.Array(types.float64, 1, "C"),
    "Results": types.Array(types.float64, 2, "C"),
    "Cube": types.Array(types.float64, 3, "C"),
    "ProblemArrays": from_dtype(PROBLEM),
    "Workspace": from_dtype(WORKSPACE),
    "tuple[int, int]": _types.Tuple([types.int64, types.int64]),
    "tuple[float, int]": _types.Tuple([types.float64, types.int64]),
    "tuple[float, float]": _types.Tuple([types.float64, types.float64]),
    "tuple[float, float, float]": _types.Tuple([types.float64, types.float64, types.float64]),
}
_EVALUATE = [_TYPES["ProblemArrays"], _TABLE, _TABLE, _TABLE, _TYPES["Workspace"]]
_TYPES["Evaluate"] = types.FunctionType(_TYPES["tuple[float, float, float]"](*_EVALUATE))
# `evaluate_one` as an argument: a call through a pointer, so that its callers compile without compiling it again
Evaluate = Callable[[ProblemArrays, Table, Table, Table, Workspace], tuple[float, float, float]]


def name_record(annotation: str, record: np.dtype[Any]) -> None:
    """Let the annotations of compiled functions elsewhere name a record type of their own."""
    _TYPES[annotation] = from_dtype(record)


def _signature(function: F) -> Any:
    annotations = dict(function.__annotations__)
    result = _TYPES[annotations.pop("return")]
    return result(*(_TYPES[annotation] for annotation in annotations.values()))


def compiled(function: F) -> F:
    """Compile for exactly the annotated types, to be called by compiled code only.

    Without the types every constant argument would make a version of its own; without the door for Python's calls
    compilation takes a fraction of the time.
    """
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    with compiling(function.__code__.co_filename) as kept:
        return cast(F, njit(_signature(function), cache=kept, nogil=True, error_model="numpy", **options)(function))


def inlined(function: F) -> F:
    """For a part with a single caller: compiled with it, not once more on its own."""
    return cast(F, njit(inline="always", nogil=True, error_model="numpy")(function))


def entry(function: F) -> F:
    """Compile a function that Python calls."""
    with compiling(function.__code__.co_filename) as kept:
        return cast(F, njit(_signature(function), cache=kept, nogil=True, error_model="numpy")(function))


def workspace() -> Workspace:
    """Scratch memory for ``evaluate_one``."""
    return cast(Workspace, np.zeros(1, WORKSPACE)[0])


@compiled
def size_pair(na: int, nb: int, a: int, b: int) -> int:
    """Distinct values of a·x + b·y over na × nb points; a and b have no common divisor."""
    if na <= 0 or nb <= 0:
        return 0
    return na * nb - max(0, na - b) * max(0, nb - a)


@compiled
def cover(ws: Workspace, head: int, left: int, before: int, child: int, shared: int, leaf: int) -> int:
    """Positions below ``left`` in the tiles of ``leaf`` positions that a dimension's loops reach.

    ``head`` is its first loop. Of the temporal loops those before index ``before`` run, of the spatial ones those
    outside place ``child`` that are not in the bit set ``shared``; the others stay at zero.
    """
    loops = ws.loops
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
                return int(total)
        i = loops[i, INNER]
    return total + min(left, leaf)


@compiled
def last_offset(ws: Workspace, head: int, begin: int, end: int, spatial: int, left: int) -> int:
    """Offset of the last iteration that starts below ``left`` of a dimension's loops with index in [begin, end)."""
    offset, i, loops = 0, head, ws.loops
    while i >= 0 and i < end:
        if i >= begin and loops[i, SPATIAL] == spatial:
            step = loops[i, STEP]
            offset += min(loops[i, BOUND] - 1, (left - 1 - offset) // step) * step
        i = loops[i, INNER]
    return offset
