"""One spatial assignment as numbers: what each word costs that passes a boundary, and what is paid in any case.

With the arrays' factors and the bypasses settled, every cost is linear in the words W that enter each memory for each
tensor: energy, and the cycles at every port. ``prepare`` works out the coefficients once. What partial tiles leave open
is held as an interval, [low, high].
"""

from __future__ import annotations

import math

from ...accel.kernel import step_time
from ...accel.kernel_nest import (
    APART,
    COMPUTE_J,
    DOUBLE_BUFFERED,
    HOP0,
    KEEPS0,
    LEAKAGE_J,
    LEAST_TIME,
    LOCKSTEP,
    MEMORY,
    MULTICAST0,
    OUTPUT,
    OUTPUT_WORDS,
    PARTIAL0,
    PASSING0,
    PIPELINE,
    READ_BW,
    READ_J,
    REDUCES,
    SHARED_PORT,
    SINGLE,
    USED0,
    WAIT,
    WHOLE0,
    WINDOW,
    WRITE_BW,
    WRITE_J,
    ProblemArrays,
    Table,
    Vector,
    compiled,
    size_pair,
)
from .kernel_instance import BOUNDARIES, COMPUTE, MEMORIES, PORTS, WINDOWS, Instance, clear_boundary
from .kernel_waits import prepare_waits

__all__ = ["prepare"]


@compiled
def _overlaps(pr: ProblemArrays, role: int, r: int) -> bool:
    """Whether a rank is a window whose tiles can have words in common; with a stride as long as the filter none do."""
    a, b = pr.ranks[role, r, 1], pr.ranks[role, r, 3]
    if pr.ranks[role, r, 2] < 0:
        return False
    bound_a, bound_b = pr.bounds[pr.ranks[role, r, 0]], pr.bounds[pr.ranks[role, r, 2]]
    return bool(a <= (bound_b - 1) * b and b <= (bound_a - 1) * a)


@compiled
def _kind(pr: ProblemArrays, role: int, dim: int) -> int:
    """How a tensor depends on a dimension; windows without overlap are as good as two dimensions of their own."""
    if pr.relevant[role, dim] != WINDOW:
        return int(pr.relevant[role, dim])
    for r in range(pr.n_ranks):
        if pr.ranks[role, r, 0] < 0:
            break
        if (pr.ranks[role, r, 0] == dim or pr.ranks[role, r, 2] == dim) and _overlaps(pr, role, r):
            return WINDOW
    return SINGLE


@compiled
def _dims(pr: ProblemArrays, spread: Table, group: Vector, it: Instance) -> None:
    """Passes in time, and dimensions joined that no cost tells apart: whole, alike for every tensor, unconstrained."""
    count = 0
    for dim in range(pr.n_dims):
        factor, windowed = 1, False
        for place in range(pr.n_places):
            factor *= spread[place, dim]
        passes = (pr.bounds[dim] + factor - 1) // factor
        whole = passes * factor == pr.bounds[dim]
        for role in range(3):
            windowed |= _kind(pr, role, dim) == WINDOW
        at = count
        if whole and not windowed:
            for v in range(count):
                alike = it.perfect[v] == 1 and it.group[v] == group[dim]
                for role in range(3):
                    alike &= it.kind[role, v] == _kind(pr, role, dim)
                if alike:
                    at = v
                    break
        it.joined[dim] = at
        if at == count:
            it.group[at], it.bound[at], it.passes[at], it.perfect[at] = group[dim], pr.bounds[dim], passes, whole
            for role in range(3):
                it.kind[role, at] = _kind(pr, role, dim)
            it.open_at[at] = pr.n_places
            count += 1
        else:
            it.bound[at], it.passes[at] = it.bound[at] * pr.bounds[dim], it.passes[at] * passes
    it.n_dims = count


@compiled
def _ranks(pr: ProblemArrays, it: Instance) -> None:
    """Windows in terms of joined dimensions."""
    for role in range(3):
        count = 0
        for r in range(pr.n_ranks):
            if pr.ranks[role, r, 0] < 0:
                break
            if _overlaps(pr, role, r):
                for k in range(4):
                    it.windows[role, count, k] = pr.ranks[role, r, k]
                it.windows[role, count, 0] = it.joined[pr.ranks[role, r, 0]]
                it.windows[role, count, 2] = it.joined[pr.ranks[role, r, 2]]
                count += 1
        it.n_windows[role] = count


@compiled
def _levels(pr: ProblemArrays, spread: Table, bypass: Table, it: Instance) -> None:
    """Memories, what they keep, and the instances of arrays inside and outside each."""
    count = 0
    for place in range(pr.n_places):
        it.memory[place] = -1
        if not pr.ints[place, MEMORY]:
            continue
        if count == MEMORIES:
            it.failed = 1
            return
        it.memory[place], it.place[count] = count, place
        for role in range(3):
            it.keeps[count, role] = 0 if bypass[place, role] else pr.ints[place, KEEPS0 + role]
        for v in range(it.n_dims):
            it.inside[count, v] = it.outside[count, v] = it.near[count, v] = 1
        memories = 0  # from here inwards to the present one
        for other in range(place - 1, -1, -1):
            memories += pr.ints[other, MEMORY]
            for dim in range(pr.n_dims):
                v = it.joined[dim]
                if spread[other, dim] > 1 and (memories or it.outside[count, v] > 1):
                    it.near[count, v] = 0
                it.outside[count, v] *= spread[other, dim]
        for other in range(place, pr.n_places):
            for dim in range(pr.n_dims):
                it.inside[count, it.joined[dim]] *= spread[other, dim]
        count += 1
    it.n_memories = count


@compiled
def _port(it: Instance, bandwidth: float) -> int:
    """A new port; -1 where the bandwidth is unlimited."""
    if bandwidth == math.inf:
        return -1
    if it.n_ports == PORTS:
        it.failed = 1
        return -1
    it.n_ports += 1
    return int(it.n_ports - 1)


@compiled
def _ports(pr: ProblemArrays, it: Instance) -> None:
    it.n_ports = 1
    for m in range(it.n_memories):
        place = it.place[m]
        it.read_port[m] = _port(it, pr.reals[place, READ_BW])
        it.write_port[m] = it.read_port[m] if pr.ints[place, SHARED_PORT] else _port(it, pr.reals[place, WRITE_BW])
        if pr.reals[place, WAIT] > 0.0 and it.read_port[m] < 0 and it.write_port[m] < 0:
            it.read_port[m] = _port(it, 0.0)  # words take no time, tiles do


@compiled
def _alike(pr: ProblemArrays, spread: Table, role: int, begin: int, end: int) -> float:
    """Instances of the arrays in [begin, end) that differ only in dimensions the tensor lacks."""
    copies = 1.0
    for place in range(begin, end):
        for dim in range(pr.n_dims):
            if pr.relevant[role, dim] == APART:
                copies *= spread[place, dim]
    return copies


@compiled
def _rate(pr: ProblemArrays, spread: Table, place: int, writing: bool) -> float:
    """Bits per cycle of all instances in use of the memory at ``place``."""
    rate = pr.reals[place, WRITE_BW if writing and not pr.ints[place, SHARED_PORT] else READ_BW]
    for other in range(place):
        for dim in range(pr.n_dims):
            rate *= spread[other, dim]
    return float(rate)


@compiled
def _least_share(pr: ProblemArrays, spread: Table, role: int, place: int) -> float:
    """Smallest share of an array's transfers left when neighbours with equal windows share one; 1: none do."""
    share = 1.0
    for r in range(pr.n_ranks):
        if pr.ranks[role, r, 0] < 0:
            break
        if _overlaps(pr, role, r):
            a, b = spread[place, pr.ranks[role, r, 0]], spread[place, pr.ranks[role, r, 2]]
            if a > 1 and b > 1:
                share *= (a + b - 1.0) / (a * b)
    return share


@compiled
def _add_base(it: Instance, at: int, low: float, high: float) -> None:
    if at >= 0:
        it.base[0, at] += low
        it.base[1, at] += high


@compiled
def _down(pr: ProblemArrays, spread: Table, it: Instance, b: int) -> None:
    """Coefficients of an operand's way to the child."""
    role, parent, child = it.role[b], it.place[it.parent[b]], it.place[it.child[b]]
    reals, copies = pr.reals, _alike(pr, spread, role, 0, it.place[it.child[b]])
    bits_child, bits_parent = reals[child, PARTIAL0 + role], reals[parent, PARTIAL0 + role]
    it.fill_j[b] = copies * bits_child * reals[child, WRITE_J]
    to_child = copies * bits_child / _rate(pr, spread, child, True)
    for place in range(child - 1, parent, -1):
        if pr.ints[place, MEMORY]:
            continue
        if it.direct[b] < 0:
            it.fill_j[b] += copies * reals[place, HOP0 + role]
        else:
            it.serve_j[b] += copies * reals[place, HOP0 + role]
        if pr.ints[place, MULTICAST0 + role]:
            copies /= _alike(pr, spread, role, place, place + 1)
            share = _least_share(pr, spread, role, place)
            if share < 1.0:
                it.direct[b] = place if it.direct[b] < 0 else pr.n_places  # the latter: more than one
                it.least_share[b] *= share
    it.serve_j[b] += copies * bits_parent * reals[parent, READ_J]
    from_parent = copies * bits_parent / _rate(pr, spread, parent, False)
    it.first_fill[b], it.first_serve[b] = to_child, from_parent
    write, read = it.write_port[it.child[b]], it.read_port[it.parent[b]]
    if write >= 0:
        it.fill_cycles[b, write], it.edge_fill[b, write] = to_child, to_child
    if read >= 0:
        it.serve_cycles[b, read], it.edge_serve[b, read] = from_parent, from_parent
    if not pr.ints[child, DOUBLE_BUFFERED]:
        it.halt_fill[b], it.halt_serve[b] = to_child, from_parent


@compiled
def _up(pr: ProblemArrays, spread: Table, it: Instance, b: int) -> None:
    """Coefficients of the outputs' way between child and parent, both ways; what no word causes goes to `base`."""
    upper, lower = it.parent[b], it.child[b]
    parent, child, reals, whole = it.place[upper], it.place[lower], pr.reals, pr.scalars[OUTPUT_WORDS]
    idle = _alike(pr, spread, OUTPUT, 0, child)
    sent, collected, reduced, hops = idle, idle, idle, 0.0
    base = 0.0
    for place in range(child - 1, parent, -1):
        if pr.ints[place, MEMORY]:
            continue
        hops += (sent + collected) * reals[place, HOP0 + OUTPUT]
        base -= whole * sent * reals[place, HOP0 + OUTPUT]
        alike = _alike(pr, spread, OUTPUT, place, place + 1)
        reduced /= alike
        if pr.ints[place, MULTICAST0 + OUTPUT]:
            sent /= alike
        if pr.ints[place, REDUCES]:
            collected /= alike
    bits_child, bits_parent = reals[child, PARTIAL0 + OUTPUT], reals[parent, PARTIAL0 + OUTPUT]
    saved_child = 0.0 if idle > 1.0 else bits_child - reals[child, WHOLE0 + OUTPUT]
    above = _alike(pr, spread, OUTPUT, 0, parent)
    saved_parent = 0.0 if above > 1.0 else bits_parent - reals[parent, WHOLE0 + OUTPUT]
    filled, drained = idle * bits_child, idle * bits_child
    read, updated = (sent + collected - reduced) * bits_parent, collected * bits_parent
    it.fill_j[b] = hops + filled * reals[child, WRITE_J] + drained * reals[child, READ_J]
    it.fill_j[b] += read * reals[parent, READ_J] + updated * reals[parent, WRITE_J]
    base -= whole * (filled * reals[child, WRITE_J] + sent * bits_parent * reals[parent, READ_J])
    base -= whole * (saved_child * reals[child, READ_J] + saved_parent * reals[parent, WRITE_J])
    _add_base(it, 0, base, base)
    to_child, from_parent = _rate(pr, spread, child, True), _rate(pr, spread, parent, False)
    from_child, to_parent = _rate(pr, spread, child, False), _rate(pr, spread, parent, True)
    for port, words, less, rate in (
        (it.write_port[lower], filled, filled, to_child),
        (it.read_port[upper], read, sent * bits_parent, from_parent),
        (it.read_port[lower], drained, saved_child, from_child),
        (it.write_port[upper], updated, saved_parent, to_parent),
    ):
        if port >= 0:
            it.fill_cycles[b, port] += words / rate
            _add_base(it, 1 + port, -whole * less / rate, -whole * less / rate)
    it.first_fill[b], it.first_serve[b] = (drained - saved_child) / from_child, (updated - saved_parent) / to_parent
    if it.read_port[lower] >= 0:
        it.edge_fill[b, it.read_port[lower]] = it.first_fill[b]
    if it.write_port[upper] >= 0:
        it.edge_serve[b, it.write_port[upper]] = it.first_serve[b]
    it.saved[b] = whole
    if not pr.ints[child, DOUBLE_BUFFERED]:
        it.halt_fill[b], it.halt_serve[b] = filled / to_child, sent * bits_parent / from_parent
        it.halt_drain[b], it.halt_collect[b] = drained / from_child, updated / to_parent
        it.halt_less[b, 0], it.halt_less[b, 1] = whole * saved_child / from_child, whole * saved_parent / to_parent


@compiled
def _asked(pr: ProblemArrays, spread: Table, it: Instance, role: int, shared: int, low: bool) -> float:
    """Words the multipliers ask for, equals once in arrays of the bit set ``shared``: a bound from below or above."""
    total = 1.0
    for dim in range(pr.n_dims):
        kind, bound = pr.relevant[role, dim], pr.bounds[dim]
        if kind != APART:
            continue
        together = apart = 1
        for place in range(pr.n_places):
            if (shared >> place) & 1:
                together *= spread[place, dim]
            else:
                apart *= spread[place, dim]
        passes = (bound + together * apart - 1) // (together * apart)
        total *= (bound + together - 1) // together if low else min(bound, passes * apart)
    for r in range(pr.n_ranks):
        if pr.ranks[role, r, 0] < 0:
            break
        total *= pr.bounds[pr.ranks[role, r, 0]]
        if pr.ranks[role, r, 2] >= 0:
            total *= pr.bounds[pr.ranks[role, r, 2]]
    if low:
        for place in range(pr.n_places):
            if (shared >> place) & 1:
                total *= _least_share(pr, spread, role, place)
    return total


@compiled
def _leave_open(pr: ProblemArrays, spread: Table, it: Instance, role: int, keeper: int) -> None:
    """Note the dimensions along whose steps the multipliers' words depend: diagonals of windows, instances cut off."""
    for dim in range(pr.n_dims):
        v, open_here = it.joined[dim], False
        if pr.relevant[role, dim] == APART:
            open_here = it.perfect[v] == 0
        for r in range(pr.n_ranks):
            if pr.ranks[role, r, 0] < 0:
                break
            if (pr.ranks[role, r, 0] == dim or pr.ranks[role, r, 2] == dim) and _overlaps(pr, role, r):
                for place in range(it.place[keeper], pr.n_places):
                    open_here |= _least_share(pr, spread, role, place) < 1.0
        for place in range(it.open_at[v] if open_here else 0):
            if spread[place, dim] > 1:
                it.open_at[v] = place
                break


@compiled
def _compute(pr: ProblemArrays, spread: Table, it: Instance, role: int, keeper: int) -> None:
    """What passes between the innermost keeper and the multipliers, whatever the loops in time."""
    shared, place, reals = 0, it.place[keeper], pr.reals
    low, high = _asked(pr, spread, it, role, 0, True), _asked(pr, spread, it, role, 0, False)
    for other in range(pr.n_places - 1, place, -1):
        if pr.ints[other, MEMORY]:
            continue
        hop = reals[other, HOP0 + role] * reals[place, USED0 + role]
        _add_base(it, 0, low * hop, high * hop)
        wide = False
        for dim in range(pr.n_dims):
            wide |= spread[other, dim] > 1
        if wide and pr.ints[other, REDUCES if role == OUTPUT else MULTICAST0 + role]:
            shared |= 1 << other
            low, high = _asked(pr, spread, it, role, shared, True), _asked(pr, spread, it, role, shared, False)
    bits, reading = reals[place, PARTIAL0 + role], _rate(pr, spread, place, False) / reals[place, PASSING0 + role]
    least, most = low, high
    if role == OUTPUT:
        whole, few, many = pr.scalars[OUTPUT_WORDS], 1.0, 1.0
        for dim in range(pr.n_dims):
            if pr.relevant[OUTPUT, dim] == APART:
                above = below = 1
                for other in range(pr.n_places):
                    if other < place:
                        above *= spread[other, dim]
                    else:
                        below *= spread[other, dim]
                span = below * ((pr.bounds[dim] + above * below - 1) // (above * below))
                few, many = few * ((pr.bounds[dim] + span - 1) // span), many * above
        least, most = max(0.0, low - whole * many), max(0.0, high - whole * few)
        finished = whole if _alike(pr, spread, OUTPUT, 0, place) <= 1.0 else 0.0
        narrower = finished * (bits - reals[place, WHOLE0 + OUTPUT])
        write, writing = it.write_port[keeper], _rate(pr, spread, place, True) / reals[place, PASSING0 + role]
        per_bit = reals[place, WRITE_J] * reals[place, USED0 + role]
        _add_base(it, 0, (low * bits - narrower) * per_bit, (high * bits - narrower) * per_bit)
        if write >= 0:
            _add_base(it, 1 + write, (low * bits - narrower) / writing, (high * bits - narrower) / writing)
    if low < high or least < most:
        _leave_open(pr, spread, it, role, keeper)
    per_word = bits * reals[place, READ_J] * reals[place, USED0 + role]
    _add_base(it, 0, least * per_word, most * per_word)
    if it.read_port[keeper] >= 0:
        _add_base(it, 1 + it.read_port[keeper], least * bits / reading, most * bits / reading)


@compiled
def _add_compulsory(it: Instance, b: int) -> None:
    """What the words that enter under any loops cost; only further ones are counted later."""
    words, shared = it.compulsory[b], it.compulsory[b] * it.least_share[b]
    _add_base(it, 0, words * it.fill_j[b] + shared * it.serve_j[b], words * it.fill_j[b] + shared * it.serve_j[b])
    for port in range(it.n_ports):
        cycles = words * it.fill_cycles[b, port] + shared * it.serve_cycles[b, port]
        _add_base(it, 1 + port, cycles, cycles)


@compiled
def _units(pr: ProblemArrays, spread: Table) -> float:
    """Instances of the compute that skip steps on their own."""
    units = 1.0
    for place in range(pr.n_places):
        if not pr.ints[place, MEMORY] and not pr.ints[place, LOCKSTEP]:
            for dim in range(pr.n_dims):
                units *= spread[place, dim]
    return units


@compiled
def prepare(pr: ProblemArrays, spread: Table, group: Vector, bypass: Table, it: Instance) -> None:
    """Fill the record for one spatial assignment.

    ``spread`` [P, D] factors on all axes of each array, ``group`` [D] (dimensions of different groups stay apart),
    ``bypass`` [P, 3].
    """
    it.failed = it.n_boundaries = windows = 0
    _dims(pr, spread, group, it)
    _ranks(pr, it)
    _levels(pr, spread, bypass, it)
    if it.failed:
        return
    _ports(pr, it)
    for at in range(1 + it.n_ports):
        it.base[0, at] = it.base[1, at] = 0.0
    it.steps = 1.0
    for v in range(it.n_dims):
        it.steps *= it.passes[v]
    it.steps *= step_time(pr, _units(pr, spread)) if pr.window else pr.scalars[LEAST_TIME]
    it.pipeline, it.leakage = pr.scalars[PIPELINE], pr.scalars[LEAKAGE_J]
    _add_base(it, 0, pr.scalars[COMPUTE_J], pr.scalars[COMPUTE_J])
    _add_base(it, 1 + COMPUTE, it.steps, it.steps)
    for role in range(3):
        words = 1.0
        for r in range(pr.n_ranks):
            if pr.ranks[role, r, 0] < 0:
                break
            bound, other = pr.bounds[pr.ranks[role, r, 0]], pr.ranks[role, r, 2]
            words *= (
                size_pair(bound, pr.bounds[other], pr.ranks[role, r, 1], pr.ranks[role, r, 3]) if other >= 0 else bound
            )
        parent = -1
        for m in range(it.n_memories):
            if not it.keeps[m, role]:
                continue
            if parent >= 0:
                b = it.n_boundaries
                if b == BOUNDARIES:
                    it.failed = 1
                    return
                it.n_boundaries += 1
                it.role[b], it.parent[b], it.child[b], it.compulsory[b] = role, parent, m, words
                clear_boundary(it, b)
                if it.n_windows[role]:
                    it.window[b] = windows
                    windows += 1
                    it.failed |= windows > WINDOWS
                if role == OUTPUT:
                    _up(pr, spread, it, b)
                else:
                    _down(pr, spread, it, b)
                _add_compulsory(it, b)
            parent = m
        _compute(pr, spread, it, role, parent)
    prepare_waits(pr, it)
