"""Compiled sums over a whole run: the words that enter the instances of a memory, one tensor at a time.

The sums over steps of `traffic` close further here. Over a run the tiles of a tensor's own dimensions cover each
dimension exactly once, so the words entering are a product, times the states of the other dimensions, less what
stays. In a rank of one dimension a tile either stays or shares nothing with the next; only sliding windows overlap
in part.
"""

from __future__ import annotations

from .kernel_nest import (
    AFTER,
    APART,
    BEFORE,
    BOUND,
    COPIES,
    DIM,
    HEAD,
    INNERMOST,
    OUTPUT,
    REFETCH,
    RUN,
    SINGLE,
    SPATIAL,
    SPREAD,
    STATES,
    STATES_APART,
    STATES_OWN,
    STATES_TO_LAST,
    STEP,
    WHOLE,
    ProblemArrays,
    Workspace,
    compiled,
    cover,
    inlined,
    last_offset,
)
from .kernel_shared import asked_window, classes, shared_window
from .kernel_window import kept_window, states_window

__all__ = [
    "diagonal",
    "edge_tile",
    "sharing_scale",
    "start_states",
    "words_asked",
    "words_entering",
    "words_entering_shared",
]


@compiled
def start_states(pr: ProblemArrays, ws: Workspace, child: int, last: int) -> None:
    """Per dimension: instances above ``child`` and states of the temporal loops up to ``last``, none inside yet."""
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
        return int(bound)
    left = bound - last_offset(ws, head, 0, index, 0, bound)
    if left > state[dim, INNERMOST]:
        return 0  # the loops inside run and come back: everything was replaced
    return cover(ws, head, left, 0, child, 0, ws.span[child, dim])


@inlined
def _all_states(pr: ProblemArrays, ws: Workspace, role: int, child: int, total: float) -> float:
    """Words of all tiles at ``child``, were nothing ever kept, for one instance per idle copy.

    ``total``: states of the dimensions apart in each of which all tiles come.
    """
    ranks = pr.ranks
    if not ws.cut[role]:
        return float(total * ws.flow[child, role, STATES_OWN] * ws.flow[child, role, SPREAD] * ws.tiles[child, role])
    total *= pr.singles[role]
    for r in range(pr.windows[role]):
        bound_a, bound_b = pr.bounds[ranks[role, r, 0]], pr.bounds[ranks[role, r, 2]]
        total *= states_window(pr, ws, role, r, child, bound_a, bound_b)
    return float(total)


@compiled
def words_entering(pr: ProblemArrays, ws: Workspace, role: int, child: int) -> float:
    """Words entering the instances of ``child`` over the whole run, for one instance per idle copy."""
    loops, state, ranks, last = ws.loops, ws.dims, pr.ranks, ws.last[child, role]
    anew = pr.ints[child, REFETCH] != 0 and role != OUTPUT
    states = ws.flow[child, role, STATES_APART if anew else STATES_TO_LAST]
    total = _all_states(pr, ws, role, child, states)
    if anew:
        return total
    if last < 0 or (pr.relevant[role, loops[last, DIM]] == SINGLE and state[loops[last, DIM], WHOLE]):
        return total
    start_states(pr, ws, child, last)
    for index in range(last, -1, -1):
        if loops[index, SPATIAL]:
            continue
        stepping, before, after = loops[index, DIM], loops[index, BEFORE], loops[index, AFTER]
        state[stepping, STATES] = before
        kind = pr.relevant[role, stepping]
        if kind == SINGLE:
            if state[stepping, WHOLE]:
                break  # further out, all of it is replaced whenever a loop advances
            _step_inwards(ws, index)
            continue
        kept = states
        if kind == APART:
            states = states / after  # apart, so that no count is rounded
            kept, states = states * (after - before), states * before
        if not ws.cut[role]:
            kept *= pr.singles[role]
        else:
            for r in range(pr.windows[role], pr.n_ranks):
                if ranks[role, r, 0] < 0:
                    break
                kept *= _staying(pr, ws, ranks[role, r, 0], child, index)
            if kept == 0.0:
                break
        for r in range(pr.windows[role]):
            kept *= kept_window(pr, ws, role, r, child, index)
            if kept == 0.0:
                break
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
def edge_tile(pr: ProblemArrays, ws: Workspace, role: int, child: int, last_tile: bool) -> float:
    """Words of the first or the last tile at ``child``, for one instance per idle copy."""
    if not ws.cut[role]:
        return float(ws.flow[child, role, SPREAD] * ws.tiles[child, role])
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
def _shared_step(
    pr: ProblemArrays, ws: Workspace, role: int, child: int, index: int, shared: int
) -> tuple[float, float]:
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


@inlined
def words_entering_shared(pr: ProblemArrays, ws: Workspace, role: int, child: int, shared: int) -> tuple[float, float]:
    """Words entering over the whole run and at first where arrays in ``shared`` send overlapping, cut windows once."""
    last = ws.last[child, role]
    start_states(pr, ws, child, last)
    first, _ = _shared_step(pr, ws, role, child, -1, shared)
    total = first
    for index in range(last, -1, -1):
        if not ws.loops[index, SPATIAL]:
            ws.dims[ws.loops[index, DIM], STATES] = ws.loops[index, BEFORE]
            new, kept = _shared_step(pr, ws, role, child, index, shared)
            total += new - kept
            _step_inwards(ws, index)
    return total, first


@inlined
def sharing_scale(pr: ProblemArrays, ws: Workspace, role: int, child: int, shared: int) -> float:
    """Share of window transfers left when ``shared`` sends equal ones once; 0: no such share, windows are cut."""
    scale, state = 1.0, ws.dims
    start_states(pr, ws, child, -1)
    for r in range(pr.windows[role]):
        dim_a, dim_b = pr.ranks[role, r, 0], pr.ranks[role, r, 2]
        if state[dim_a, COPIES] == 1 or state[dim_b, COPIES] == 1:
            continue
        if not (state[dim_a, WHOLE] and state[dim_b, WHOLE]):
            return 0.0
        scale *= classes(pr, ws, role, r, child, shared) / float(state[dim_a, COPIES] * state[dim_b, COPIES])
    return scale


@compiled
def diagonal(pr: ProblemArrays, ws: Workspace, role: int, place: int) -> bool:
    """Whether the array at ``place`` spreads both dimensions of some rank, so that neighbours' windows overlap."""
    for r in range(pr.windows[role]):
        a = b = False
        for i in range(ws.above[place], ws.above[place + 1]):
            a |= ws.loops[i, DIM] == pr.ranks[role, r, 0]
            b |= ws.loops[i, DIM] == pr.ranks[role, r, 2]
        if a and b:
            return True
    return False


@compiled
def words_asked(pr: ProblemArrays, ws: Workspace, role: int, shared: int, windows: int) -> float:
    """Words asked for by the multipliers, equals once in arrays of ``shared``, windows in those of ``windows``."""
    total, end = float(pr.singles[role]), pr.n_places
    for dim in range(pr.n_dims):
        if pr.relevant[role, dim] == APART:
            total *= cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], ws.above[end], end, shared, 1)
    for r in range(pr.windows[role]):
        total *= asked_window(pr, ws, role, r, windows)
    return total
