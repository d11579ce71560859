"""The analytic model compiled: the same counts as `traffic`, the same cost as `analytic`, on plain arrays.

`batch.Problem` turns an operator and an accelerator into the arrays read here. A mapping is two small matrices:
``factors[slot, dim]`` and, for memories, the loop order ``order[slot, ·]`` (dimensions outer to inner), plus the
tensors each place skips. A slot is a memory or one axis of an array.
"""

from __future__ import annotations

import math

from .imbalance import CERTAIN, NEVER
from .kernel_flat import fits, flatten
from .kernel_nest import (
    APART,
    BW_READ,
    BW_WRITE,
    COMPUTE_J,
    COUNT_COLUMNS,
    DOUBLE_BUFFERED,
    DRAINS,
    EDGE_READ,
    EDGE_WRITTEN,
    FILLS,
    HEAD,
    HOP0,
    HOPS0,
    IDLE,
    KEEPS0,
    LEAKAGE_J,
    LEAST_TIME,
    LOCKSTEP,
    MEMORY,
    MULTICAST0,
    OUTPUT,
    OUTPUT_WORDS,
    PARTIAL0,
    PARTIAL_DRAINS,
    PARTIAL_UPDATES,
    PASSING0,
    PIPELINE,
    PLACE_COLUMNS,
    READ_BW,
    READ_J,
    READS,
    REDUCES,
    REFETCH,
    SCANNED,
    SHARED_PORT,
    SPREAD,
    TOGETHER,
    UNASKED,
    UNGIVEN,
    UNREAD,
    UNWRITTEN,
    UPDATES,
    USED0,
    WAITS,
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
    cover,
    entry,
    inlined,
)
from .kernel_tiles import tile_times
from .kernel_words import (
    diagonal,
    edge_tile,
    sharing_scale,
    words_asked,
    words_entering,
    words_entering_shared,
)

__all__ = ["evaluate_many", "evaluate_one", "step_time"]


@compiled
def _saved(pr: ProblemArrays, ws: Workspace, place: int) -> float:
    """Bits by which a finished output word is narrower than a partial sum; 0 where the place holds shares of sums."""
    if ws.flow[place, OUTPUT, IDLE] > 1.0:
        return 0.0
    return float(pr.reals[place, PARTIAL0 + OUTPUT] - pr.reals[place, WHOLE0 + OUTPUT])


@compiled
def _time(words_a: float, bits_a: float, bw_a: float, words_b: float, bits_b: float, bw_b: float) -> float:
    return max(words_a * bits_a / bw_a, words_b * bits_b / bw_b)


@inlined
def _down(pr: ProblemArrays, ws: Workspace, role: int, parent: int, child: int) -> tuple[float, float]:
    """Count an operand's way from ``parent`` to ``child``; returns (first, halting) cycles."""
    reals, places, flow = pr.reals, ws.places, ws.flow
    copies = flow[child, role, IDLE]  # instances that hold the same words
    whole, whole_first = words_entering(pr, ws, role, child), edge_tile(pr, ws, role, child, False)
    words, first, shared = whole, whole_first, 0
    filled, first_filled = words * copies, first * copies
    for place in range(child - 1, parent, -1):
        if pr.ints[place, MEMORY]:
            continue
        places[place, HOPS0 + role] = words * copies
        if not pr.ints[place, MULTICAST0 + role]:
            continue
        copies *= flow[place, role, IDLE] / flow[place + 1, role, IDLE]
        if diagonal(pr, ws, role, place):
            shared |= 1 << place
            scale = sharing_scale(pr, ws, role, child, shared)
            words, first = whole * scale, whole_first * scale
            if scale == 0.0:
                words, first = words_entering_shared(pr, ws, role, child, shared)
                if pr.ints[child, REFETCH]:
                    words = math.nan  # which of the cut windows are equal is left to the reference model
    served, first_served = words * copies, first * copies
    ws.counts[child, role, FILLS] = filled
    ws.counts[parent, role, READS] = served
    bits_child, bits_parent = reals[child, PARTIAL0 + role], reals[parent, PARTIAL0 + role]
    bw_parent, bw_child = places[parent, BW_READ], places[child, BW_WRITE]
    coming = _time(first_served, bits_parent, bw_parent, first_filled, bits_child, bw_child)
    places[parent, EDGE_READ] += first_served * bits_parent
    places[child, EDGE_WRITTEN] += first_filled * bits_child
    if pr.ints[child, DOUBLE_BUFFERED]:
        return coming, 0.0
    return coming, _time(served, bits_parent, bw_parent, filled, bits_child, bw_child) - coming


@inlined
def _up(pr: ProblemArrays, ws: Workspace, parent: int, child: int) -> tuple[float, float]:
    """Count the outputs' way between ``parent`` and ``child``, both ways; returns (last, halting) cycles."""
    reals, places, counts, flow = pr.reals, ws.places, ws.counts, ws.flow
    whole, idle = pr.scalars[OUTPUT_WORDS], flow[child, OUTPUT, IDLE]
    finished = whole if flow[parent, OUTPUT, IDLE] <= 1.0 else 0.0
    leaving = words_entering(pr, ws, OUTPUT, child)  # what enters or starts at zero leaves again
    entering, last_out = leaving - whole, edge_tile(pr, ws, OUTPUT, child, True)
    sent, collected, reduced = idle, idle, idle
    for place in range(child - 1, parent, -1):
        if pr.ints[place, MEMORY]:
            continue
        places[place, HOPS0 + OUTPUT] = entering * sent + leaving * collected
        alike = flow[place, OUTPUT, IDLE] / flow[place + 1, OUTPUT, IDLE]
        reduced *= alike
        sent *= alike if pr.ints[place, MULTICAST0 + OUTPUT] else 1.0
        collected *= alike if pr.ints[place, REDUCES] else 1.0
    counts[child, OUTPUT, FILLS] = entering * idle
    counts[parent, OUTPUT, READS] = entering * sent + leaving * (collected - reduced)
    counts[child, OUTPUT, DRAINS] = leaving * idle
    counts[child, OUTPUT, PARTIAL_DRAINS] = leaving * idle - (0.0 if idle > 1.0 else whole)
    counts[parent, OUTPUT, UPDATES] = leaving * collected
    counts[parent, OUTPUT, PARTIAL_UPDATES] = leaving * collected - finished
    bits_child, bits_parent = reals[child, PARTIAL0 + OUTPUT], reals[parent, PARTIAL0 + OUTPUT]
    read, write = places[child, BW_READ], places[parent, BW_WRITE]
    saved_child, saved_parent = _saved(pr, ws, child), _saved(pr, ws, parent)
    sent_last = last_out * (idle * bits_child - saved_child)
    collected_last = last_out * (collected * bits_parent - saved_parent)
    ending = max(sent_last / read, collected_last / write)
    places[child, EDGE_READ] += sent_last
    places[parent, EDGE_WRITTEN] += collected_last
    if pr.ints[child, DOUBLE_BUFFERED]:
        return ending, 0.0
    halts = _time(
        entering * sent, bits_parent, places[parent, BW_READ], entering * idle, bits_child, places[child, BW_WRITE]
    )
    draining = (leaving * idle * bits_child - whole * saved_child) / read
    collecting = (leaving * collected * bits_parent - whole * saved_parent) / write
    return ending, halts + max(draining, collecting) - ending


@inlined
def _working(pr: ProblemArrays, ws: Workspace, keeper: int) -> float:
    """Instances of the keeper that sum up one word and have work at all."""
    working = float(ws.flow[keeper, OUTPUT, IDLE])
    if ws.cut_apart[OUTPUT]:
        working = 1.0
        for dim in range(pr.n_dims):
            if pr.relevant[OUTPUT, dim] == APART:
                working *= cover(ws, ws.dims[dim, HEAD], pr.bounds[dim], 0, keeper, 0, 1)
    return working


@inlined
def _compute(pr: ProblemArrays, ws: Workspace, role: int, keeper: int) -> None:
    """Count the words between the innermost keeper and the multipliers."""
    flow, counts = ws.flow, ws.counts
    shared = windows = 0
    words = float(pr.asked[role])
    for place in range(pr.n_places - 1, keeper, -1):
        if pr.ints[place, MEMORY]:
            continue
        ws.places[place, HOPS0 + role] = words
        if pr.ints[place, REDUCES if role == OUTPUT else MULTICAST0 + role] and ws.above[place] < ws.above[place + 1]:
            shared |= 1 << place
            if diagonal(pr, ws, role, place):
                windows |= 1 << place
            if windows or ws.cut_apart[role]:
                words = words_asked(pr, ws, role, shared, windows)
            else:
                words /= flow[place + 1, role, IDLE] / flow[place, role, IDLE]
    counts[keeper, role, READS] = words
    if role == OUTPUT:
        whole = pr.scalars[OUTPUT_WORDS]
        finished = whole if flow[keeper, OUTPUT, IDLE] <= 1.0 else 0.0
        counts[keeper, OUTPUT, READS] = words - whole * _working(pr, ws, keeper)
        counts[keeper, OUTPUT, UPDATES] = words
        counts[keeper, OUTPUT, PARTIAL_UPDATES] = words - finished
    used, passing = pr.reals[keeper, USED0 + role], pr.reals[keeper, PASSING0 + role]
    bits = pr.reals[keeper, PARTIAL0 + role]
    reading = counts[keeper, role, READS] * bits
    ws.places[keeper, UNREAD] += (1.0 - used) * reading
    ws.places[keeper, UNASKED] += (1.0 - passing) * reading
    if role == OUTPUT:
        narrower = (words - counts[keeper, OUTPUT, PARTIAL_UPDATES]) * (bits - pr.reals[keeper, WHOLE0 + OUTPUT])
        ws.places[keeper, UNWRITTEN] += (1.0 - used) * (words * bits - narrower)
        ws.places[keeper, UNGIVEN] += (1.0 - passing) * (words * bits - narrower)
    if used < 1.0:
        for place in range(keeper + 1, pr.n_places):
            ws.places[place, HOPS0 + role] *= used


@inlined
def _clear(pr: ProblemArrays, ws: Workspace) -> None:
    """Zero the counts and set the bandwidths of all instances in use."""
    for place in range(pr.n_places):
        for k in range(PLACE_COLUMNS):
            ws.places[place, k] = 0.0
        for role in range(3):
            for k in range(COUNT_COLUMNS):
                ws.counts[place, role, k] = 0.0
        used = ws.flow[place, OUTPUT, IDLE] * ws.flow[place, OUTPUT, SPREAD]
        ws.places[place, BW_READ] = pr.reals[place, READ_BW] * used
        ws.places[place, BW_WRITE] = pr.reals[place, READ_BW if pr.ints[place, SHARED_PORT] else WRITE_BW] * used


@inlined
def _count(pr: ProblemArrays, bypass: Table, ws: Workspace) -> tuple[float, float]:
    """Fill the counts of all tensors; returns the cycles of (first and last tiles, halts)."""
    _clear(pr, ws)
    edges = halts = 0.0
    for role in range(3):
        parent = -1
        for place in range(pr.n_places):
            if not pr.ints[place, KEEPS0 + role] or bypass[place, role]:
                continue
            if parent >= 0:
                edge, halt = _up(pr, ws, parent, place) if role == OUTPUT else _down(pr, ws, role, parent, place)
                edges, halts = edges + edge, halts + halt
            parent = place
        _compute(pr, ws, role, parent)
    return edges, halts


@compiled
def step_time(pr: ProblemArrays, units: float) -> float:
    """Cycles per step of instances that skip steps each on its own: `imbalance.slowest`."""
    low, high = 0, pr.window
    while low < high:  # below `low` the chance is as good as none
        middle = (low + high) // 2
        if units * pr.chances[middle] < NEVER:
            low = middle + 1
        else:
            high = middle
    total, k = float(low), low
    while k < pr.window and units * pr.chances[k] < CERTAIN:
        total -= math.expm1(units * pr.chances[k])
        k += 1
    return float(max(pr.scalars[TOGETHER] * total / pr.window, pr.scalars[SCANNED]))


@inlined
def _units(pr: ProblemArrays, ws: Workspace) -> float:
    """Instances of the compute that skip steps on their own."""
    units, before = 1.0, 1.0
    for place in range(pr.n_places):
        used = ws.flow[place + 1, OUTPUT, IDLE] * ws.flow[place + 1, OUTPUT, SPREAD]
        if not pr.ints[place, MEMORY] and not pr.ints[place, LOCKSTEP]:
            units *= used / before
        before = used
    return units


@entry
def evaluate_one(
    pr: ProblemArrays, factors: Table, order: Table, bypass: Table, ws: Workspace
) -> tuple[float, float, float]:
    """(energy in J, cycles, steps) of one mapping; energy is infinite where a tile does not fit its memory.

    ``factors`` [S, D], ``order`` [S, D], ``bypass`` [P, 3]. NaN: beyond the scratch sizes, ask the reference model.
    """
    if not fits(pr, factors, bypass, ws):
        return math.inf, math.inf, 0.0
    steps = flatten(pr, factors, order, ws)
    if pr.window:
        steps *= step_time(pr, _units(pr, ws))
    else:
        steps *= pr.scalars[LEAST_TIME]
    edges, halts = _count(pr, bypass, ws)
    if pr.waits:
        edge, halt = tile_times(pr, bypass, ws)
        edges, halts = edges + edge, halts + halt
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
        energy += (read - places[place, UNREAD]) * reals[place, READ_J]
        energy += (written - places[place, UNWRITTEN]) * reals[place, WRITE_J]
        if pr.ints[place, MEMORY]:
            reading = max(0.0, read - places[place, UNASKED] - places[place, EDGE_READ]) / places[place, BW_READ]
            writing = max(0.0, written - places[place, UNGIVEN] - places[place, EDGE_WRITTEN]) / places[place, BW_WRITE]
            moving = reading + writing if pr.ints[place, SHARED_PORT] else max(reading, writing)
            longest = max(longest, moving + places[place, WAITS])
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
