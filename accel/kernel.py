"""The analytic model compiled: the same counts as `traffic`, the same cost as `analytic`, on plain arrays.

`batch.Problem` turns an operator and an accelerator into the arrays read here. A mapping is two small matrices:
``factors[slot, dim]`` and, for memories, the loop order ``order[slot, ·]`` (dimensions outer to inner), plus the
tensors each place skips. A slot is a memory or one axis of an array.

The sums over steps of `traffic` close further here. Over a whole run the tiles of one tensor's own dimensions cover each
dimension exactly once, so the words entering are a product, times the states of the other dimensions, less what stays.
In a rank of one dimension a tile either stays or shares nothing with the next; only sliding windows overlap in part.
"""

from __future__ import annotations

import math

from .kernel_nest import (
    PLACE_COLUMNS,
    AFTER,
    APART,
    BEFORE,
    BOUND,
    BW_READ,
    BW_WRITE,
    COMPUTE_J,
    COPIES,
    COUNT_COLUMNS,
    DIM,
    DOUBLE_BUFFERED,
    DRAINS,
    EDGE_READ,
    EDGE_WRITTEN,
    FILLS,
    HEAD,
    HOP0,
    HOPS0,
    INNERMOST,
    KEEPS0,
    LEAKAGE_J,
    MEMORY,
    MULTICAST0,
    OUTPUT,
    OUTPUT_WORDS,
    PARTIAL0,
    PARTIAL_DRAINS,
    PARTIAL_UPDATES,
    PIPELINE,
    READ_BW,
    READ_J,
    READS,
    REDUCES,
    RUN,
    SHARED_PORT,
    SINGLE,
    SPATIAL,
    STATES,
    STEP,
    UPDATES,
    WHOLE,
    WHOLE0,
    WRITE_BW,
    WRITE_J,
    Evaluate,
    ProblemArrays,
    Results,
    Stack,
    Table,
    Workspace,
    compiled,
    entry,
    cover,
    fits,
    flatten,
    last_offset,
)
from .kernel_window import asked_window, classes, kept_window, shared_window, states_window

__all__ = ["evaluate_many", "evaluate_one"]


@compiled
def _start_states(pr: ProblemArrays, ws: Workspace, child: int, last: int) -> None:
    """Per dimension: instances above ``child`` and states of the temporal loops up to ``last``; nothing runs inside yet."""
    loops, state = ws.loops, ws.dims
    for dim in range(pr.n_dims):
        state[dim, COPIES] = state[dim, STATES] = 1
        state[dim, RUN] = state[dim, INNERMOST] = 0
    for i in range(ws.above[child]):
        if loops[i, SPATIAL]:
            state[loops[i, DIM], COPIES] *= loops[i, BOUND]
        elif i <= last:
            state[loops[i, DIM], STATES] = loops[i, AFTER]


@compiled
def _step_inwards(ws: Workspace, index: int) -> None:
    """Count temporal loop ``index`` among those inside the present one."""
    dim, step = ws.loops[index, DIM], ws.loops[index, STEP]
    ws.dims[dim, RUN] += (ws.loops[index, BOUND] - 1) * step
    if not ws.dims[dim, INNERMOST]:
        ws.dims[dim, INNERMOST] = step


@compiled
def _staying(pr: ProblemArrays, ws: Workspace, dim: int, child: int, index: int) -> int:
    """Positions of a rank of one dimension that stay while another dimension's loop ``index`` advances."""
    state, head, bound = ws.dims, ws.dims[dim, HEAD], pr.bounds[dim]
    if not state[dim, INNERMOST]:
        return bound
    left = bound - last_offset(ws, head, 0, index, 0, bound)
    if left > state[dim, INNERMOST]:
        return 0  # the loops inside run and come back: everything was replaced
    return cover(ws, head, left, 0, child, 0, ws.span[child, dim])


@compiled
def _entering(pr: ProblemArrays, ws: Workspace, role: int, child: int, last: int) -> float:
    """Words entering the instances of ``child`` over the whole run, for one instance per idle copy."""
    loops, state, ranks, relevant = ws.loops, ws.dims, pr.ranks, pr.relevant
    dims, total = pr.n_dims, 1.0
    for dim in range(dims):
        if relevant[role, dim] == APART:
            total *= state[dim, STATES]
    for r in range(pr.n_ranks):
        dim_a, dim_b = ranks[role, r, 0], ranks[role, r, 2]
        if dim_a < 0:
            break
        total *= pr.bounds[dim_a] if dim_b < 0 else states_window(pr, ws, role, r, child, pr.bounds[dim_a], pr.bounds[dim_b])
    for index in range(last, -1, -1):
        if loops[index, SPATIAL]:
            continue
        stepping = loops[index, DIM]
        state[stepping, STATES] = loops[index, BEFORE]
        kind = relevant[role, stepping]
        if kind == SINGLE:
            if state[stepping, WHOLE]:
                break  # further out, all of it is replaced whenever a loop advances
            _step_inwards(ws, index)
            continue
        kept = float(loops[index, AFTER] - loops[index, BEFORE]) if kind == APART else 1.0
        for r in range(pr.n_ranks):
            if ranks[role, r, 0] < 0:
                break
            if ranks[role, r, 2] < 0:
                kept *= _staying(pr, ws, ranks[role, r, 0], child, index)
        if kept == 0.0:
            break
        for dim in range(dims):
            if relevant[role, dim] == APART and dim != stepping:
                kept *= state[dim, STATES]
        for r in range(pr.n_ranks):
            if ranks[role, r, 0] < 0 or kept == 0.0:
                break
            if ranks[role, r, 2] >= 0:
                kept *= kept_window(pr, ws, role, r, child, index)
        total -= kept
        _step_inwards(ws, index)
    return total


@compiled
def _covered(pr: ProblemArrays, ws: Workspace, dim: int, child: int, last_tile: bool) -> int:
    head, left = ws.dims[dim, HEAD], pr.bounds[dim]
    if last_tile:
        left -= last_offset(ws, head, 0, ws.above[child], 0, left)
    return cover(ws, head, left, 0, child, 0, ws.span[child, dim])


@compiled
def _tile(pr: ProblemArrays, ws: Workspace, role: int, child: int, last_tile: bool) -> float:
    """Words of the first or the last tile at ``child``, for one instance per idle copy."""
    total, ranks = 1.0, pr.ranks
    for r in range(pr.n_ranks):
        dim, other = ranks[role, r, 0], ranks[role, r, 2]
        if dim < 0:
            break
        covered = _covered(pr, ws, dim, child, last_tile)
        if other < 0:
            total *= covered
        else:
            total *= states_window(pr, ws, role, r, child, covered, _covered(pr, ws, other, child, last_tile))
    return total


@compiled
def _shared_step(pr: ProblemArrays, ws: Workspace, role: int, child: int, index: int, shared: int) -> tuple[float, float]:
    """Words (new, kept) when temporal loop ``index`` advances (-1: the first tile), one dimension at a time."""
    loops, state, ranks = ws.loops, ws.dims, pr.ranks
    stepping = loops[index, DIM] if index >= 0 else -1
    new = kept = 1.0
    for dim in range(pr.n_dims):
        if pr.relevant[role, dim] == APART and index >= 0:
            states = float(loops[index, AFTER] - loops[index, BEFORE] if dim == stepping else state[dim, STATES])
            new, kept = new * states, kept * states
    for r in range(pr.n_ranks):
        dim = ranks[role, r, 0]
        if dim < 0:
            break
        if ranks[role, r, 2] >= 0:
            entering, staying = shared_window(pr, ws, role, r, child, index, shared)
            new, kept = new * entering, kept * staying
            continue
        bound, head, size = pr.bounds[dim], state[dim, HEAD], ws.span[child, dim]
        covered = cover(ws, head, bound, max(0, index), child, 0, size)
        if dim == stepping:
            covered = cover(ws, head, bound, index + 1, child, 0, size) - covered
        new *= covered
        kept *= 0 if dim == stepping or index < 0 else _staying(pr, ws, dim, child, index)
    return new, kept


@compiled
def _entering_shared(pr: ProblemArrays, ws: Workspace, role: int, child: int, last: int, shared: int) -> tuple[float, float]:
    """Words entering over the whole run and at first where arrays in ``shared`` send overlapping, cut windows once."""
    _start_states(pr, ws, child, last)
    first, _ = _shared_step(pr, ws, role, child, -1, shared)
    total = first
    for index in range(last, -1, -1):
        if not ws.loops[index, SPATIAL]:
            ws.dims[ws.loops[index, DIM], STATES] = ws.loops[index, BEFORE]
            new, kept = _shared_step(pr, ws, role, child, index, shared)
            total += new - kept
            _step_inwards(ws, index)
    return total, first


@compiled
def _scale(pr: ProblemArrays, ws: Workspace, role: int, child: int, shared: int) -> float:
    """Share of window transfers left when arrays in ``shared`` send equal ones once; 0: no such share, windows are cut."""
    scale, state = 1.0, ws.dims
    for r in range(pr.n_ranks):
        dim_a, dim_b = pr.ranks[role, r, 0], pr.ranks[role, r, 2]
        if dim_a < 0:
            break
        if dim_b < 0 or (state[dim_a, COPIES] == 1 or state[dim_b, COPIES] == 1):
            continue
        if not (state[dim_a, WHOLE] and state[dim_b, WHOLE]):
            return 0.0
        scale *= classes(pr, ws, role, r, child, shared) / float(state[dim_a, COPIES] * state[dim_b, COPIES])
    return scale


@compiled
def _diagonal(pr: ProblemArrays, ws: Workspace, role: int, place: int) -> bool:
    """Whether the array at ``place`` spreads both dimensions of some rank, so that neighbours' windows overlap."""
    for r in range(pr.n_ranks):
        if pr.ranks[role, r, 0] < 0:
            break
        if pr.ranks[role, r, 2] >= 0:
            a = b = False
            for i in range(ws.above[place], ws.above[place + 1]):
                a |= ws.loops[i, DIM] == pr.ranks[role, r, 0]
                b |= ws.loops[i, DIM] == pr.ranks[role, r, 2]
            if a and b:
                return True
    return False


@compiled
def _idle(pr: ProblemArrays, ws: Workspace, role: int, start: int, end: int) -> float:
    """Instances of the arrays at places [start, end) that differ only in dimensions the tensor lacks."""
    copies = 1.0
    for i in range(ws.above[start], ws.above[end]):
        if ws.loops[i, SPATIAL] and pr.relevant[role, ws.loops[i, DIM]] == APART:
            copies *= ws.loops[i, BOUND]
    return copies


@compiled
def _time(words_a: float, bits_a: float, bw_a: float, words_b: float, bits_b: float, bw_b: float) -> float:
    return max(words_a * bits_a / bw_a, words_b * bits_b / bw_b)


@compiled
def _last_changing(pr: ProblemArrays, ws: Workspace, role: int, child: int) -> int:
    """The innermost temporal loop outside ``child`` over a dimension of the tensor; -1 where there is none."""
    for i in range(ws.above[child] - 1, -1, -1):
        if not ws.loops[i, SPATIAL] and pr.relevant[role, ws.loops[i, DIM]] != APART:
            return i
    return -1


@compiled
def _down(pr: ProblemArrays, ws: Workspace, role: int, parent: int, child: int) -> tuple[float, float]:
    """Count an operand's way from ``parent`` to ``child``; returns (first, halting) cycles."""
    last, reals, places = _last_changing(pr, ws, role, child), pr.reals, ws.places
    _start_states(pr, ws, child, last)
    copies = _idle(pr, ws, role, 0, child)
    whole, whole_first = _entering(pr, ws, role, child, last), _tile(pr, ws, role, child, False)
    words, first, shared = whole, whole_first, 0
    filled, first_filled = words * copies, first * copies
    for place in range(child - 1, parent, -1):
        if pr.ints[place, MEMORY]:
            continue
        places[place, HOPS0 + role] += words * copies
        if not pr.ints[place, MULTICAST0 + role]:
            continue
        copies /= _idle(pr, ws, role, place, place + 1)
        if _diagonal(pr, ws, role, place):
            shared |= 1 << place
            scale = _scale(pr, ws, role, child, shared)
            words, first = whole * scale, whole_first * scale
            if scale == 0.0:
                words, first = _entering_shared(pr, ws, role, child, last, shared)
    served, first_served = words * copies, first * copies
    ws.counts[child, role, FILLS] += filled
    ws.counts[parent, role, READS] += served
    bits_child, bits_parent = reals[child, PARTIAL0 + role], reals[parent, PARTIAL0 + role]
    bw_parent, bw_child = places[parent, BW_READ], places[child, BW_WRITE]
    coming = _time(first_served, bits_parent, bw_parent, first_filled, bits_child, bw_child)
    places[parent, EDGE_READ] += first_served * bits_parent
    places[child, EDGE_WRITTEN] += first_filled * bits_child
    if pr.ints[child, DOUBLE_BUFFERED]:
        return coming, 0.0
    return coming, _time(served, bits_parent, bw_parent, filled, bits_child, bw_child) - coming


@compiled
def _up(pr: ProblemArrays, ws: Workspace, parent: int, child: int) -> tuple[float, float]:
    """Count the outputs' way between ``parent`` and ``child``, both ways; returns (last, halting) cycles."""
    last, reals, places, counts = _last_changing(pr, ws, OUTPUT, child), pr.reals, ws.places, ws.counts
    _start_states(pr, ws, child, last)
    whole, idle = pr.scalars[OUTPUT_WORDS], _idle(pr, ws, OUTPUT, 0, child)
    leaving = _entering(pr, ws, OUTPUT, child, last)  # what enters or starts at zero leaves again
    entering, last_out = leaving - whole, _tile(pr, ws, OUTPUT, child, True)
    sent, collected, reduced = idle, idle, idle
    for place in range(child - 1, parent, -1):
        if pr.ints[place, MEMORY]:
            continue
        places[place, HOPS0 + OUTPUT] += entering * sent + leaving * collected
        alike = _idle(pr, ws, OUTPUT, place, place + 1)
        reduced /= alike
        if pr.ints[place, MULTICAST0 + OUTPUT]:
            sent /= alike
        if pr.ints[place, REDUCES]:
            collected /= alike
    counts[child, OUTPUT, FILLS] += entering * idle
    counts[parent, OUTPUT, READS] += entering * sent + leaving * (collected - reduced)
    counts[child, OUTPUT, DRAINS] += leaving * idle
    counts[child, OUTPUT, PARTIAL_DRAINS] += leaving * idle - (0.0 if idle > 1.0 else whole)
    counts[parent, OUTPUT, UPDATES] += leaving * collected
    counts[parent, OUTPUT, PARTIAL_UPDATES] += leaving * collected - whole
    bits_child, bits_parent = reals[child, PARTIAL0 + OUTPUT], reals[parent, PARTIAL0 + OUTPUT]
    read, write = places[child, BW_READ], places[parent, BW_WRITE]
    ending = _time(last_out * idle, bits_child, read, last_out * collected, bits_parent, write)
    places[child, EDGE_READ] += last_out * idle * bits_child
    places[parent, EDGE_WRITTEN] += last_out * collected * bits_parent
    if pr.ints[child, DOUBLE_BUFFERED]:
        return ending, 0.0
    halts = _time(entering * sent, bits_parent, places[parent, BW_READ], entering * idle, bits_child, places[child, BW_WRITE])
    return ending, halts + _time(leaving * idle, bits_child, read, leaving * collected, bits_parent, write) - ending


@compiled
def _asked(pr: ProblemArrays, ws: Workspace, role: int, shared: int, windows: int) -> float:
    """Words asked for by the multipliers, equals once in arrays of ``shared``; overlapping ones in those of ``windows``."""
    total, end = 1.0, pr.n_places
    for dim in range(pr.n_dims):
        if pr.relevant[role, dim] == APART:
            total *= cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], ws.above[end], end, shared, 1)
    for r in range(pr.n_ranks):
        if pr.ranks[role, r, 0] < 0:
            break
        total *= pr.bounds[pr.ranks[role, r, 0]] if pr.ranks[role, r, 2] < 0 else asked_window(pr, ws, role, r, windows)
    return total


@compiled
def _compute(pr: ProblemArrays, ws: Workspace, role: int, keeper: int) -> None:
    """Count the words between the innermost keeper and the multipliers."""
    places, counts = pr.n_places, ws.counts
    shared = windows = 0
    words = _asked(pr, ws, role, 0, 0)
    for place in range(places - 1, keeper, -1):
        if pr.ints[place, MEMORY]:
            continue
        ws.places[place, HOPS0 + role] += words
        if pr.ints[place, REDUCES if role == OUTPUT else MULTICAST0 + role] and ws.above[place] < ws.above[place + 1]:
            shared |= 1 << place
            if _diagonal(pr, ws, role, place):
                windows |= 1 << place
            words = _asked(pr, ws, role, shared, windows)
    counts[keeper, role, READS] += words
    if role == OUTPUT:
        working = 1.0  # instances of the keeper that sum up one word and have work at all
        for dim in range(pr.n_dims):
            if pr.relevant[OUTPUT, dim] == APART:
                working *= cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], 0, keeper, 0, 1)
        whole = pr.scalars[OUTPUT_WORDS]
        counts[keeper, role, READS] -= whole * working
        counts[keeper, role, UPDATES] += words
        counts[keeper, role, PARTIAL_UPDATES] += words - whole


@compiled
def _count(pr: ProblemArrays, bypass: Table, ws: Workspace) -> tuple[float, float]:
    """Fill the counts of all tensors; returns the cycles of (first and last tiles, halts)."""
    places = pr.n_places
    for place in range(places):
        for k in range(PLACE_COLUMNS):
            ws.places[place, k] = 0.0
        for role in range(3):
            for k in range(COUNT_COLUMNS):
                ws.counts[place, role, k] = 0.0
    used = 1.0
    for place in range(places):
        write = pr.reals[place, READ_BW if pr.ints[place, SHARED_PORT] else WRITE_BW]
        ws.places[place, BW_READ], ws.places[place, BW_WRITE] = pr.reals[place, READ_BW] * used, write * used
        for i in range(ws.above[place], ws.above[place + 1]):
            if ws.loops[i, SPATIAL]:
                used *= ws.loops[i, BOUND]
    edges = halts = 0.0
    for role in range(3):
        parent = -1
        for place in range(places):
            if not pr.ints[place, KEEPS0 + role] or bypass[place, role]:
                continue
            if parent >= 0:
                edge, halt = _up(pr, ws, parent, place) if role == OUTPUT else _down(pr, ws, role, parent, place)
                edges, halts = edges + edge, halts + halt
            parent = place
        _compute(pr, ws, role, parent)
    return edges, halts


@entry
def evaluate_one(pr: ProblemArrays, factors: Table, order: Table, bypass: Table, ws: Workspace) -> tuple[float, float, float]:
    """(energy in J, cycles, steps) of one mapping; energy is infinite where a tile does not fit its memory.

    ``factors`` [S, D], ``order`` [S, D], ``bypass`` [P, 3]. NaN: beyond the scratch sizes, ask the reference model.
    """
    if not fits(pr, factors, bypass, ws):
        return math.inf, math.inf, 0.0
    n = flatten(pr, factors, order, ws)
    edges, halts = _count(pr, bypass, ws)
    steps = 1.0
    for dim in range(pr.n_dims):
        steps *= cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], n, 0, 0, 1)
    longest, energy = steps + halts, pr.scalars[COMPUTE_J]
    reals, counts, places = pr.reals, ws.counts, ws.places
    for place in range(pr.n_places):
        read = written = 0.0
        for role in range(3):
            whole, partial = reals[place, WHOLE0 + role], reals[place, PARTIAL0 + role]
            finished = counts[place, role, DRAINS] - counts[place, role, PARTIAL_DRAINS]
            read += (counts[place, role, READS] + counts[place, role, PARTIAL_DRAINS]) * partial + finished * whole
            finished = counts[place, role, UPDATES] - counts[place, role, PARTIAL_UPDATES]
            written += (counts[place, role, FILLS] + counts[place, role, PARTIAL_UPDATES]) * partial + finished * whole
            energy += places[place, HOPS0 + role] * reals[place, HOP0 + role]
        energy += read * reals[place, READ_J] + written * reals[place, WRITE_J]
        if pr.ints[place, MEMORY]:
            reading = max(0.0, read - places[place, EDGE_READ]) / places[place, BW_READ]
            writing = max(0.0, written - places[place, EDGE_WRITTEN]) / places[place, BW_WRITE]
            longest = max(longest, reading + writing if pr.ints[place, SHARED_PORT] else max(reading, writing))
    if not energy < math.inf:
        return math.nan, math.nan, 0.0
    cycles = edges + longest + pr.scalars[PIPELINE]
    return energy + pr.scalars[LEAKAGE_J] * cycles, cycles, steps


@entry
def evaluate_many(
    evaluate: Evaluate, pr: ProblemArrays, factors: Stack, order: Stack, bypass: Stack, ws: Workspace, result: Results
) -> None:
    """`evaluate_one` over a batch: ``factors`` [B, S, D], ``order`` [B, S, D], ``bypass`` [B, P, 3], into [B, 3]."""
    for i in range(factors.shape[0]):
        energy, cycles, steps = evaluate(pr, factors[i], order[i], bypass[i], ws)
        result[i, 0], result[i, 1], result[i, 2] = energy, cycles, steps
