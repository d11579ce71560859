"""What a loop costs: words entering a memory, settled as soon as a loop decides them.

Loops are placed from the innermost outwards. A tensor's tile at a memory stays while loops run that the tensor lacks;
the first loop it does not lack settles how often each word enters: once per pass of the loops it lacks that are still
to come. A sliding window moves on with its loop and fetches only what is new (it "runs"), until another loop settles
it. What later loops may still save of a window's edge is left open, as an interval [low, high]; the rest is exact.

``tau`` [V] are the products of the loops in time placed so far, by joined dimension.
"""

from __future__ import annotations

import numpy as np

from ...accel.kernel_nest import APART, SINGLE, WINDOW, Results, Table, Vector, compiled, size_pair
from ...accel.kernel_window import tile_pairs
from .kernel_instance import COMPUTE, WINDOWS, Instance
from .kernel_waits import add_distinct, add_repeated

__all__ = [
    "DONE",
    "LIVE",
    "MARKS",
    "OPEN",
    "first_tiles",
    "loop",
    "most_halts",
    "passes_left",
    "settle_all",
    "settled_edge",
    "tile_words",
]

# status of a boundary, four bits each in a label's key: settled; nothing moved yet; 2 + 2k: a window running along the
# k-th windowed dimension
DONE, OPEN, RUNS = 0, 1, 2
LIVE = 15  # settled, but loops to come may find a window's edge still there
# Marks tell apart what is left open. Of two labels with the same marks the same amounts are open, whatever comes.
# Entry 0: of all that is settled; 1 + k: of the k-th boundary with windows, while it runs (the loops of its first tile)
# or is live.
MARKS = 1 + WINDOWS


@compiled
def _mixed(value: int, by: int) -> int:
    """A hash of both."""
    x = np.uint64(value) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(by) + np.uint64(0x632BE59BD9B4E019)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int((x ^ (x >> np.uint64(31))) >> np.uint64(1))


@compiled
def _tile_mark(it: Instance, b: int, tau: Vector) -> int:
    """A hash of the child's tile along the dimensions of windows."""
    mark, role = 7 + b, it.role[b]
    for r in range(it.n_windows[role]):
        mark = _mixed(_mixed(mark, tau[it.windows[role, r, 0]]), tau[it.windows[role, r, 2]])
    return mark


@compiled
def passes_left(it: Instance, b: int, tau: Vector) -> float:
    """Passes still to come of the loops that the tensor lacks."""
    total, role = 1.0, it.role[b]
    for v in range(it.n_dims):
        if it.kind[role, v] == APART:
            total *= it.passes[v] // tau[v]
    return total


@compiled
def tile_words(it: Instance, b: int, tau: Vector, skip: int) -> float:
    """Words of all tiles at the child without any overlap in time; window ``skip`` left out."""
    total, role, child = 1.0, it.role[b], it.child[b]
    for v in range(it.n_dims):
        if it.kind[role, v] == SINGLE:
            total *= it.bound[v]
    for r in range(it.n_windows[role]):
        if r != skip:
            u, w = it.windows[role, r, 0], it.windows[role, r, 2]
            size_u, size_w = tau[u] * it.inside[child, u], tau[w] * it.inside[child, w]
            total *= tile_pairs(
                it.bound[u], size_u, it.bound[w], size_w, it.windows[role, r, 1], it.windows[role, r, 3]
            )
    return total


@compiled
def _across(it: Instance, child: int, spread: Table, place: int, dim: int) -> int:
    """Instances of memory ``child`` along a dimension within one instance of what is below the array at ``place``."""
    total = 1
    for other in range(place + 1, it.place[child]):
        total *= spread[other, dim]
    return int(total)


@compiled
def _share(it: Instance, b: int, tau: Vector, spread: Table, between: bool) -> tuple[float, float]:
    """[low, high] share of the words served when an array sends equal windows once."""
    place = it.direct[b]
    if place < 0:
        return 1.0, 1.0
    if place >= spread.shape[0] or between:
        return float(it.least_share[b]), 1.0
    role, child, share, whole = it.role[b], it.child[b], 1.0, True
    for r in range(it.n_windows[role]):
        u, a, w, c = it.windows[role, r, 0], it.windows[role, r, 1], it.windows[role, r, 2], it.windows[role, r, 3]
        many_u, many_w = 1, 1
        step_u, step_w = a * tau[u] * it.inside[child, u], c * tau[w] * it.inside[child, w]
        for dim in range(spread.shape[1]):  # neighbours are as far apart as arrays between them and the child reach
            if it.joined[dim] == u:
                many_u, step_u = spread[place, dim], step_u * _across(it, child, spread, place, dim)
            if it.joined[dim] == w:
                many_w, step_w = spread[place, dim], step_w * _across(it, child, spread, place, dim)
        if many_u < 2 or many_w < 2:
            continue
        x, y = step_u, step_w
        while y:
            x, y = y, x % y
        share *= size_pair(many_u, many_w, step_u // x, step_w // x) / float(many_u * many_w)
        whole &= it.perfect[u] == 1 and it.perfect[w] == 1
    return share, share if whole else 1.0


@compiled
def _halts(it: Instance, b: int, words: float, share: float) -> float:
    coming = words - it.saved[b]
    halts = max(coming * it.halt_fill[b], coming * share * it.halt_serve[b])
    rising = max(words * it.halt_drain[b] - it.halt_less[b, 0], words * it.halt_collect[b] - it.halt_less[b, 1])
    return float(halts + max(0.0, rising))


@compiled
def most_halts(it: Instance, b: int, tau: Vector) -> float:
    """Most cycles by which the words of ``b`` may yet halt the compute, whatever is placed behind ``tau``."""
    return _halts(it, b, passes_left(it, b, tau) * tile_words(it, b, tau, -1), 1.0)


@compiled
def close(it: Instance, b: int, low: float, high: float, share_low: float, share_high: float, out: Results) -> None:
    """Add to ``out`` [2, 1 + ports] what words [low, high] entering the child of ``b`` cost beyond the compulsory."""
    least, shared = it.compulsory[b], it.compulsory[b] * it.least_share[b]
    out[0, 0] += (low - least) * it.fill_j[b] + (low * share_low - shared) * it.serve_j[b]
    out[1, 0] += (high - least) * it.fill_j[b] + (high * share_high - shared) * it.serve_j[b]
    for port in range(it.n_ports):
        fill, serve = it.fill_cycles[b, port], it.serve_cycles[b, port]
        if fill or serve:
            out[0, 1 + port] += (low - least) * fill + (low * share_low - shared) * serve
            out[1, 1 + port] += (high - least) * fill + (high * share_high - shared) * serve
    if it.halt_fill[b] or it.halt_serve[b] or it.halt_drain[b] or it.halt_collect[b]:
        out[0, 1 + COMPUTE] += _halts(it, b, low, share_low)
        out[1, 1 + COMPUTE] += _halts(it, b, high, share_high)


@compiled
def _between(it: Instance, b: int) -> bool:
    """Whether loops in time may stand between the child and the array whose neighbours share windows."""
    for m in range(it.child[b]):
        if it.place[m] > it.direct[b]:
            return True
    return False


@compiled
def _replaced(it: Instance, b: int, tau: Vector, v: int, by: int) -> bool:
    """Whether a loop of bound ``by`` over ``v`` carries a window so far that nothing is left of its first tile."""
    role, child = it.role[b], it.child[b]
    for r in range(it.n_windows[role]):
        u, a, w, c = it.windows[role, r, 0], it.windows[role, r, 1], it.windows[role, r, 2], it.windows[role, r, 3]
        if u != v and w != v:
            continue
        if w == v:
            u, a, w, c = w, c, u, a
        size_u, size_w = tau[u] * it.inside[child, u], tau[w] * it.inside[child, w]
        return bool((by - 1) * size_u * a > (size_u - 1) * a + (size_w - 1) * c)
    return False


@compiled
def _still_there(it: Instance, b: int, tau: Vector, r: int, flip: bool, first: int, replaced: bool) -> float:
    """Most positions of a window that a later loop may find still there, after it ran from a tile of ``first``.

    A loop that brings the window back finds what the first and last tile share; one that carries it on finds the edge,
    but at most every other time; one along the window's other dimension shifts it by a tile of that.
    """
    role, child = it.role[b], it.child[b]
    u, a, w, c = it.windows[role, r, 0], it.windows[role, r, 1], it.windows[role, r, 2], it.windows[role, r, 3]
    if flip:
        u, a, w, c = w, c, u, a
    size, other = first * it.inside[child, u], tau[w] * it.inside[child, w]
    run = (tau[u] - first) * it.inside[child, u]
    reach = (size - 1.0) * a + (other - 1.0) * c + 1.0
    back, on = max(0.0, float(reach - run * a)), max(0.0, float(reach - size * a))
    if not it.perfect[u] or not it.perfect[w]:  # at the end the run is shorter, or none at all
        return float(size_pair(size, other, a, c))
    if back == 0.0 and replaced:
        return 0.0
    ends, other_ends = it.passes[u] == tau[u], it.passes[w] == tau[w]
    if not other_ends:
        if not ends or it.outside[child, w] > 1:  # instances apart: steps of several tiles
            return float(size_pair(size, other, a, c))
        return max(back, float(reach - abs(run * a - other * c)))
    return back if ends else max(back, (back + on) / 2.0)


@compiled
def _settle_window(
    it: Instance, b: int, tau: Vector, status: int, edge: bool, v: int, by: int, first: int
) -> tuple[float, float]:
    """Words [low, high] of a window that ran along a dimension, settled by a loop of bound ``by`` over ``v``.

    ``edge``: later loops may find some of it still there; ``first`` are the loops of its first tile, 0: not known.
    """
    role, child, k = it.role[b], it.child[b], (status - RUNS) // 2
    r = k // 2
    u, a, w, c = it.windows[role, r, 0], it.windows[role, r, 1], it.windows[role, r, 2], it.windows[role, r, 3]
    if k % 2:
        u, a, w, c = w, c, u, a
    size_u, size_w = tau[u] * it.inside[child, u], tau[w] * it.inside[child, w]
    times = passes_left(it, b, tau) * tile_words(it, b, tau, r)
    total = tile_pairs(it.bound[u], size_u, it.bound[w], size_w, a, c)
    high = total if c == 1 else float(it.bound[u]) * float(it.bound[w])
    kept = 0.0
    if edge and first:
        kept = _still_there(it, b, tau, r, k % 2 == 1, first, v != w and _replaced(it, b, tau, v, by))
    elif edge and not (it.perfect[u] and it.perfect[w]):
        kept = float(size_pair(size_u, size_w, a, c))
    elif edge:
        kept = max(0.0, (size_w - 1.0) * c + 1.0 - a)
        if it.passes[w] > tau[w]:
            kept = float(size_pair(max(1, size_u // 2), size_w, a, c))
    runs = float((it.bound[u] + size_u - 1) // size_u) * float((it.bound[w] + size_w - 1) // size_w)
    low = max(0.0, total - runs * kept)
    return max(times * low, float(it.compulsory[b])), max(times * high, float(it.compulsory[b]))


@compiled
def _settle(
    it: Instance, b: int, tau: Vector, status: int, kind: int, v: int, by: int, first: int
) -> tuple[float, float]:
    """Words [low, high] entering the child when a loop of bound ``by`` over ``v``, of that kind, settles them."""
    if status != OPEN:
        return _settle_window(it, b, tau, status, kind != SINGLE, v, by, first)
    words = passes_left(it, b, tau) * tile_words(it, b, tau, -1)
    return words, words


@compiled
def _settle_still(it: Instance, b: int, tau: Vector, v: int) -> tuple[float, float]:
    """Words [low, high] where a window jumps along ``v``, over what neighbours on an array hold."""
    role, child, low = it.role[b], it.child[b], 1.0
    high = passes_left(it, b, tau) * tile_words(it, b, tau, -1)
    for r in range(it.n_windows[role]):
        u, a, w, c = it.windows[role, r, 0], it.windows[role, r, 1], it.windows[role, r, 2], it.windows[role, r, 3]
        if u != v and w != v:
            continue
        if w == v:
            u, a, w, c = w, c, u, a
        size_u, size_w = tau[u] * it.inside[child, u], tau[w] * it.inside[child, w]
        tile = float(size_pair(size_u, size_w, a, c))
        kept = tile if it.passes[w] > tau[w] else min(tile, max(0.0, (size_w - 1.0) * c + 1.0 - (size_u + 1.0) * a))
        low = max(0.0, 1.0 - kept / tile)
    return max(high * low, float(it.compulsory[b])), high


@compiled
def _moves(it: Instance, b: int, m: int, v: int) -> int:
    """Status of a boundary whose window runs along ``v`` in loops at memory ``m``; DONE where it jumps instead."""
    role = it.role[b]
    if it.inside[m, v] != it.inside[it.child[b], v]:
        return DONE
    for r in range(it.n_windows[role]):
        if it.windows[role, r, 0] == v:
            return RUNS + 4 * r
        if it.windows[role, r, 2] == v:
            return RUNS + 4 * r + 2
    return DONE


@compiled
def _mark_settled(
    it: Instance,
    b: int,
    m: int,
    v: int,
    by: int,
    tau: Vector,
    status: int,
    edge: bool,
    shared: bool,
    kind: int,
    marks: Vector,
) -> int:
    """Bring the marks up to date for a boundary that is settled; returns its status."""
    k = it.window[b]
    if k < 0:
        return DONE
    mark = marks[1 + k] if status != OPEN else _tile_mark(it, b, tau)
    marks[1 + k] = 0
    if not edge and not shared:
        return DONE
    mark = _mixed(_mixed(_tile_mark(it, b, tau), mark), status)
    for u in range(it.n_dims):
        mark = _mixed(mark, tau[u])
    mark = _mixed(_mixed(_mixed(mark, m), v), by)
    if edge and kind != SINGLE:
        marks[1 + k] = mark
        return LIVE
    marks[0] = _mixed(marks[0], mark)
    return DONE


@compiled
def loop(
    it: Instance, m: int, key: int, v: int, by: int, tau: Vector, spread: Table, out: Results, marks: Vector
) -> int:
    """Place a loop of bound ``by`` over ``v`` at memory ``m``; adds what it settles to ``out``, returns the new key.

    ``tau`` are the products before it; ``marks`` [MARKS] are brought up to date.
    """
    for b in range(it.n_boundaries):
        status = (key >> (4 * b)) & 15
        if status == DONE:
            continue
        kind, after, k = it.kind[it.role[b], v], DONE, it.window[b]
        if status == LIVE:
            if kind == SINGLE:
                marks[0] = _mixed(marks[0], marks[1 + k])
                marks[1 + k] = 0
                key -= LIVE << (4 * b)
            else:
                marks[1 + k] = _mixed(_mixed(_mixed(marks[1 + k], m), v), by)
            continue
        if kind == APART and status == OPEN:
            continue
        if status == OPEN and it.waits:
            add_repeated(it, b, tau, out)
        if kind == WINDOW and k >= 0:
            after = _moves(it, b, m, v)
            if status != OPEN and after != status:
                after = DONE
        if after == DONE:
            if kind == WINDOW and status == OPEN:
                low, high = _settle_still(it, b, tau, v)
            else:
                low, high = _settle(it, b, tau, status, kind, v, by, marks[1 + k] if k >= 0 else 0)
            share_low, share_high = _share(it, b, tau, spread, _between(it, b))
            close(it, b, low, high, share_low, share_high, out)
            after = _mark_settled(it, b, m, v, by, tau, status, low < high, share_low < share_high, kind, marks)
        elif status == OPEN:
            marks[1 + k] = tau[v]  # the first tile's
        key += (after - status) << (4 * b)
    return key


@compiled
def settled_edge(it: Instance, m: int, tau: Vector, marks: Vector) -> None:
    """Mark what memory ``m`` leaves open.

    Its first and last tiles do where partial ones do not lie side by side, and what multipliers ask for where it
    depends on the steps of an array outside.
    """
    for v in range(it.n_dims):
        if it.open_at[v] < it.place[m] and it.outside[m, v] > it.outside[m - 1, v]:
            marks[0] = _mixed(_mixed(_mixed(marks[0], m), v), tau[v])
        if not it.perfect[v]:
            for inner in range(m, it.n_memories):
                if not it.near[inner, v]:
                    marks[0] = _mixed(_mixed(_mixed(marks[0], m), v), tau[v])
                    break


@compiled
def settle_all(it: Instance, key: int, kind: int, tau: Vector, spread: Table, out: Results) -> None:
    """Settle what is not: for good as by a loop of kind SINGLE, or of APART, at the least that it may come to."""
    for b in range(it.n_boundaries):
        status = (key >> (4 * b)) & 15
        if status != DONE and status != LIVE:
            low, high = _settle(it, b, tau, status, kind, -1, 1, 0)
            share_low, share_high = _share(it, b, tau, spread, _between(it, b))
            close(it, b, low, high, share_low, share_high, out)


@compiled
def _covered(it: Instance, m: int, v: int, tau: Vector, last: bool) -> tuple[int, int]:
    """Positions [low, high] of a dimension in the first or last tiles of all instances of memory ``m``."""
    bound, size = it.bound[v], tau[v] * it.inside[m, v]
    most, passes = min(bound, size * it.outside[m, v]), it.passes[v] // tau[v]
    if it.perfect[v]:
        return most, most
    if it.near[m, v]:
        if last:
            most = min(most, bound - (passes - 1) * size * it.outside[m, v])
        return most, most
    if last:
        left = max(1, bound - (passes - 1) * size * it.outside[m, v])
        return min(left, size), most
    return bound * tau[v] // it.passes[v], most


@compiled
def _first_words(it: Instance, b: int, tau: Vector) -> tuple[float, float]:
    """Words [low, high] of the first (of outputs: the last) tiles at the child."""
    role, child, low, high = it.role[b], it.child[b], 1.0, 1.0
    last = it.saved[b] > 0.0
    for v in range(it.n_dims):
        if it.kind[role, v] == SINGLE:
            few, many = _covered(it, child, v, tau, last)
            low, high = low * few, high * many
    for r in range(it.n_windows[role]):
        u, a, w, c = it.windows[role, r, 0], it.windows[role, r, 1], it.windows[role, r, 2], it.windows[role, r, 3]
        size_u, size_w = tau[u] * it.inside[child, u], tau[w] * it.inside[child, w]
        few_u, many_u = _covered(it, child, u, tau, last)
        few_w, many_w = _covered(it, child, w, tau, last)
        low *= tile_pairs(few_u, size_u, few_w, size_w, a, c)
        high *= tile_pairs(many_u, size_u, many_w, size_w, a, c)
    return low, high


@compiled
def first_tiles(it: Instance, m: int, tau: Vector, spread: Table, halting: bool, out: Results) -> None:
    """Add to ``out`` the first fill and last drain of memory ``m``; ``halting``: it is not double-buffered.

    The edges count once for every port, but not twice for the two ports that move them.
    """
    for b in range(it.n_boundaries):
        if it.child[b] != m:
            continue
        if it.waits:
            add_distinct(it, b, tau, out)
        low, high = _first_words(it, b, tau)
        few, many = _share(it, b, tau, spread, _between(it, b))
        coming_low = low * max(few * it.first_serve[b], it.first_fill[b])
        coming_high = high * max(many * it.first_serve[b], it.first_fill[b])
        if not halting:
            out[0, 1 + COMPUTE] += coming_low
            out[1, 1 + COMPUTE] += coming_high
        for port in range(1, it.n_ports):
            fill, serve = it.edge_fill[b, port], it.edge_serve[b, port]
            out[0, 1 + port] += max(0.0, coming_low - low * (fill + many * serve))
            out[1, 1 + port] += max(0.0, coming_high - high * (fill + few * serve))
