"""The readable analytic model: one operator, one accelerator, one mapping, one `Cost`.

Counts come from `traffic`. Latency: every memory moves its words at its bandwidth while the compute steps; the slowest
of them decides, after the first tiles have come in and before the last outputs have left. A memory that is not
double-buffered halts the compute while it is filled or drained. Bandwidth counts per instance, as the mean over the
instances in use. A memory's latency counts for each tile that comes or leaves, the filling and draining of a systolic
array for each pass. Energy: each read, write, delivery and multiply-accumulate at its component's cost, plus leakage.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping as MappingType
from dataclasses import dataclass

from ..errors import ImpossibleResult, Infeasible, check_type
from ..models.op import ROLES, Op, Role
from .accelerator import Accelerator, Array, Memory
from .clock import Clock, memory_bits, output_bits, passes, tiles, widths
from .mapping import Mapping
from .mapping_text import parse_mapping
from .nest import Nest
from .sparsity import access_share, computed_share, stored_bits
from .traffic import Traffic

__all__ = ["Cost", "evaluate", "tile_bits"]


@dataclass(frozen=True)
class Cost:
    """What one operator costs under one mapping.

    ``energy`` maps (component, tensor) to joules and sums to ``energy_j``; tensor is "" for compute and leakage.
    ``bound`` names what decides the latency: "compute", a memory or a systolic array. ``utilization`` is the share of
    the peak multiply-accumulates over all cycles, ``compute_utilization`` over the compute's own steps.
    ``steady_cycles`` are the cycles where neighbouring operators hide the first tiles' coming and the last outputs'
    leaving: those of the compute or of the busiest memory (`dovetail.mapper.execution.back_to_back`).
    """

    cycles: float
    latency_s: float
    energy_j: float
    macs: int
    compute_cycles: int
    utilization: float
    compute_utilization: float
    bound: str
    energy: MappingType[tuple[str, str], float]
    steady_cycles: float = 0.0

    @property
    def edp(self) -> float:
        """Energy-delay product in joule-seconds."""
        return self.energy_j * self.latency_s

    def objective(self, name: str) -> float:
        """Value of the objective "energy" (J), "latency" (s) or "edp" (J·s)."""
        return {"energy": self.energy_j, "latency": self.latency_s, "edp": self.edp}[name]


def evaluate(op: Op, accelerator: Accelerator, mapping: Mapping | str) -> Cost:
    """Analytic cost of ``mapping``, which may be text (`parse_mapping`).

    Raises `BadInput` where the mapping does not fit the operator or the levels, `Infeasible` where a tile does not fit.
    """
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    if isinstance(mapping, str):
        mapping = parse_mapping(mapping, accelerator)
    check_type(mapping, Mapping, "mapping", "make one, write one as text, or take best_mapping(...).mapping")
    check_type(op, Op, "op", "take one of a network's contractions")
    nest = Nest(op, accelerator, mapping)
    check_capacity(nest, accelerator)
    traffic = Traffic(nest)
    cycles, bound = _cycles(traffic, accelerator)
    latency_s = cycles / accelerator.clock_hz
    energy = _energy(traffic, accelerator)
    if accelerator.leakage_w:
        energy["leakage", ""] = accelerator.leakage_w * latency_s
    if accelerator.clock_w:
        energy["clock", ""] = accelerator.clock_w * latency_s
    peak = accelerator.peak_macs_per_cycle
    cost = Cost(
        cycles=cycles,
        latency_s=latency_s,
        energy_j=math.fsum(energy.values()),
        macs=op.macs,
        compute_cycles=traffic.steps,
        utilization=op.macs / (cycles * peak),
        compute_utilization=op.macs / (traffic.steps * peak),
        bound=bound,
        energy=energy,
        steady_cycles=_steady_cycles(traffic, accelerator),
    )
    check_invariants(cost, traffic, accelerator)
    return cost


def tile_bits(nest: Nest, accelerator: Accelerator, place: int) -> float:
    """Bits that the tiles of all tensors kept by the memory at ``place`` occupy in one instance.

    A tensor that is resident there has its room already, at the width of finished words.
    """
    memory = nest.places[place]
    if not isinstance(memory, Memory):
        return 0.0
    tile, op = nest.tile(place), nest.op
    partial = nest.unfinished(place)
    total = 0.0
    for role in ROLES:
        if role in memory.keeps and role not in nest.bypass[place]:
            width = stored_bits(memory, op, role)
            if role == "output":
                width = output_bits(op, accelerator, memory, partial=partial)
            if role in memory.resident:  # the whole tensor has its room; while sums are unfinished it needs more
                total += op.words(role) * (width - stored_bits(memory, op, role))
            else:
                total += op.tensor(role).words(tile) * width
    return total


def check_capacity(nest: Nest, accelerator: Accelerator) -> None:
    """Raise `Infeasible`, naming the memory and the words missing, where the tiles do not fit."""
    for place, memory in enumerate(nest.places):
        if not isinstance(memory, Memory) or math.isinf(memory.size_bits):
            continue
        room = memory.room_bits
        need = tile_bits(nest, accelerator, place)
        if need > room:
            missing = math.ceil((need - room) / nest.op.tensor("output").bits)
            half = ""
            if memory.buffers > 1:
                fold = "double-" if memory.buffers == 2 else f"{memory.buffers}-fold "
                share = "half" if memory.buffers == 2 else f"1/{memory.buffers}"
                half = f" ({share} of it, as it is {fold}buffered)"
            raise Infeasible(
                f"{nest.op.name}: {memory.name} of '{accelerator.name}' holds {room:.0f} bit{half}, the tiles need "
                f"{need:.0f}: {missing} word{'s' if missing > 1 else ''} too many",
                level=memory.name,
                missing_words=missing,
            )


def _gated_bits(traffic: Traffic, accelerator: Accelerator, place: int, role: Role) -> tuple[float, float]:
    """Bits that gated multipliers neither read nor write, of those `memory_bits` counts."""
    memory, count = traffic.nest.places[place], traffic.counts[place, role]
    if place != traffic.keepers(role)[-1] or not isinstance(memory, Memory):
        return 0.0, 0.0
    idle = 1.0 - access_share(traffic.nest.op, accelerator, memory, role)
    whole, partial = widths(traffic.nest, accelerator, place, role)
    finished = count.updates - count.partial_updates
    return idle * count.reads * partial, idle * (count.partial_updates * partial + finished * whole)


def _cycles(traffic: Traffic, accelerator: Accelerator) -> tuple[float, str]:
    """Total cycles and the name of what bounds them."""
    clock, places = Clock(traffic, accelerator), traffic.nest.places
    first = last = 0.0
    once, halts = passes(traffic.nest)
    waits: dict[int, float] = defaultdict(float)
    edge: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for way in traffic.boundaries:
        coming = clock.down(way, way.first_served, way.first_filled)
        leaving = clock.up(way, way.last_drained, way.last_collected, way.last_words)
        child = places[way.child]
        latency = child.latency_cycles if isinstance(child, Memory) else 0.0
        waiting = latency * (tiles(traffic.nest, way) - 1) if latency else 0.0
        first, last = first + coming, last + leaving + latency
        edge[way.parent][0] += way.first_served * clock.bits(way, way.parent)
        edge[way.child][1] += way.first_filled * clock.bits(way, way.child)
        edge[way.child][0] += clock.rising(way.child, way.last_drained, way.last_words)
        edge[way.parent][1] += clock.rising(way.parent, way.last_collected, way.last_words)
        if isinstance(child, Memory) and not child.overlaps:
            halt = clock.down(way, way.served, way.filled) - coming
            halt += clock.up(way, way.drained, way.collected, way.words) - leaving
            halts[way.child] = halts.get(way.child, 0.0) + halt + waiting
        else:
            waits[way.child] += waiting
    longest, bound = traffic.steps + sum(halts.values()), "compute"
    if longest > 2 * traffic.steps:
        bound = places[max(halts, key=lambda place: halts[place])].name
    for place in clock.read:
        steady = clock.total(place, *edge[place]) + waits[place]
        if steady > longest:
            longest, bound = steady, places[place].name
    return first + longest + last + once + accelerator.compute.pipeline_cycles, bound


def _steady_cycles(traffic: Traffic, accelerator: Accelerator) -> float:
    """Cycles of the compute and of what halts it, or of the busiest memory, first tiles and last outputs included."""
    clock = Clock(traffic, accelerator)
    _, halts = passes(traffic.nest)
    stopped, waits = sum(halts.values()), defaultdict[int, float](float)
    for way in traffic.boundaries:
        child = traffic.nest.places[way.child]
        if isinstance(child, Memory):
            waiting = child.latency_cycles * tiles(traffic.nest, way) if child.latency_cycles else 0.0
            if child.overlaps:
                waits[way.child] += waiting
            else:
                moving = clock.up(way, way.drained, way.collected, way.words)
                stopped += clock.down(way, way.served, way.filled) + moving + waiting
    return max(traffic.steps + stopped, *(clock.total(place) + waits[place] for place in clock.read))


def _energy(traffic: Traffic, accelerator: Accelerator) -> dict[tuple[str, str], float]:
    """Joules per (component, tensor)."""
    energy: dict[tuple[str, str], float] = {}
    for place, level in enumerate(traffic.nest.places):
        for role in ROLES:
            if isinstance(level, Memory):
                read, written = memory_bits(traffic, accelerator, place, role)
                unread, unwritten = _gated_bits(traffic, accelerator, place, role)
                read, written = read - unread, written - unwritten
                joules = read * level.read_energy_j_per_bit + written * level.write_energy_j_per_bit
            else:
                joules = _hop_energy(traffic, accelerator, level, place, role)
            if joules:
                energy[level.name, role] = joules
    op, compute = traffic.nest.op, accelerator.compute
    energy[compute.name, ""] = op.macs * compute.energy_j * computed_share(op, accelerator)
    return energy


def _hop_energy(traffic: Traffic, accelerator: Accelerator, array: Array, place: int, role: Role) -> float:
    """Energy of an array's network; partial sums travel at the accumulator's width."""
    width = traffic.nest.op.tensor(role).bits
    if role == "output":
        width = max(width, accelerator.compute.accumulator_bits)
    return traffic.hops[place, role] * width * array.hop_energy_j_per_bit


def check_invariants(cost: Cost, traffic: Traffic, accelerator: Accelerator) -> None:
    """Raise `ImpossibleResult` where a count or a cost cannot be: what the model promises of every result."""
    for (place, role), count in traffic.counts.items():
        if min(vars(count).values()) < 0:
            raise ImpossibleResult(f"negative count of {role} at {traffic.nest.places[place].name}: {count}")
    for way in traffic.boundaries:
        least = 0 if way.role == "output" else traffic.nest.op.words(way.role)
        if not least <= way.served <= way.filled or not way.words <= way.collected <= way.drained:
            raise ImpossibleResult(
                f"words of {way.role} are lost on the way to {traffic.nest.places[way.child].name}: {way}"
            )
    if not all(value >= 0.0 and math.isfinite(value) for value in (cost.cycles, *cost.energy.values())):
        raise ImpossibleResult(f"negative or infinite cost: {cost}")
    if not math.isclose(math.fsum(cost.energy.values()), cost.energy_j, rel_tol=1e-9):
        raise ImpossibleResult(f"the breakdown sums to {math.fsum(cost.energy.values())} J of {cost.energy_j} J")
    _check_times(cost, traffic, accelerator)
    if cost.steady_cycles > cost.cycles * (1.0 + 1e-9):
        raise ImpossibleResult(f"{cost.steady_cycles} cycles without fill and drain, more than {cost.cycles} with them")
    if not 0.0 < cost.utilization <= cost.compute_utilization <= 1.0 or cost.cycles < cost.compute_cycles:
        raise ImpossibleResult(f"above peak: utilization {cost.utilization}, {cost.cycles} cycles")


def _check_times(cost: Cost, traffic: Traffic, accelerator: Accelerator) -> None:
    """Raise `ImpossibleResult` where a memory's words and tiles, or the compute's passes, take longer than all."""
    clock, nest = Clock(traffic, accelerator), traffic.nest
    once, apart = passes(nest)
    steps = traffic.steps + once + sum(apart.values())
    for place in clock.read:
        memory, wait = nest.places[place], 0.0
        for way in traffic.boundaries:
            if way.child == place and isinstance(memory, Memory):
                wait += tiles(nest, way) * memory.latency_cycles
        hidden = isinstance(memory, Memory) and memory.overlaps
        moving, halted = clock.total(place) + (wait if hidden else 0.0), steps + (0.0 if hidden else wait)
        if moving > cost.cycles * (1.0 + 1e-9):
            raise ImpossibleResult(f"{memory.name} moves its words in {moving} cycles, more than {cost.cycles}")
        if halted > cost.cycles * (1.0 + 1e-9):
            raise ImpossibleResult(f"the compute takes {halted} cycles with {memory.name}, more than {cost.cycles}")
