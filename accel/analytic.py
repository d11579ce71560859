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
from dataclasses import dataclass, field

from ..errors import ImpossibleResult, check_type
from ..models.op import ROLES, Op, Role
from .accelerator import Accelerator, Array, Memory
from .capacity import check_capacity, overflows
from .clock import Clock, memory_bits, passes, tiles, widths
from .mapping import Mapping
from .mapping_text import parse_mapping
from .nest import Nest
from .traffic import Traffic

__all__ = ["Cost", "check_invariants", "evaluate"]


@dataclass(frozen=True)
class Cost:
    """What one operator costs under one mapping.

    ``energy`` maps (component, tensor) to joules and sums to ``energy_j``; tensor is "" for compute and leakage.
    ``bound`` names what decides the latency: "compute", a memory or a systolic array. ``effectual_macs`` are those in
    steps that are not skipped; ``utilization`` is their share of the peak over all cycles, ``compute_utilization`` over
    ``compute_cycles``, those of the compute's own steps. ``overflow`` gives for memories that hold compressed tiles the
    chance that these take more than their room.
    ``steady_cycles`` are the cycles where neighbouring operators hide the first tiles' coming and the last outputs'
    leaving: those of the compute or of the busiest memory (`dovetail.mapper.execution.back_to_back`).
    """

    cycles: float
    latency_s: float
    energy_j: float
    macs: int
    compute_cycles: float
    utilization: float
    compute_utilization: float
    bound: str
    energy: MappingType[tuple[str, str], float]
    steady_cycles: float = 0.0
    effectual_macs: float = 0.0
    overflow: MappingType[str, float] = field(default_factory=dict)

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
    clock = Clock(traffic, accelerator)
    cycles, bound = _cycles(clock)
    latency_s = cycles / accelerator.clock_hz
    energy = _energy(clock)
    if accelerator.leakage_w:
        energy["leakage", ""] = accelerator.leakage_w * latency_s
    if accelerator.clock_w:
        energy["clock", ""] = accelerator.clock_w * latency_s
    peak, effectual = accelerator.peak_macs_per_cycle, op.macs * clock.savings.steps
    cost = Cost(
        cycles=cycles,
        latency_s=latency_s,
        energy_j=math.fsum(energy.values()),
        macs=op.macs,
        compute_cycles=clock.steps,
        utilization=_share(effectual, cycles * peak),
        compute_utilization=_share(effectual, clock.steps * peak),
        bound=bound,
        energy=energy,
        steady_cycles=_steady_cycles(clock),
        effectual_macs=effectual,
        overflow=overflows(nest, accelerator),
    )
    check_invariants(cost, clock)
    return cost


def _share(part: float, whole: float) -> float:
    """Their quotient, which is 1 at most but for its rounding."""
    share = part / whole
    return 1.0 if 1.0 < share < 1.0 + 1e-9 else share


def _cycles(clock: Clock) -> tuple[float, str]:
    """Total cycles and the name of what bounds them."""
    traffic, places = clock.traffic, clock.nest.places
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
    longest, bound = clock.steps + sum(halts.values()), "compute"
    if longest > 2 * clock.steps:
        bound = places[max(halts, key=lambda place: halts[place])].name
    for place in clock.read:
        steady = clock.total(place, *edge[place]) + waits[place]
        if steady > longest:
            longest, bound = steady, places[place].name
    return first + longest + last + once + clock.accelerator.compute.pipeline_cycles, bound


def _steady_cycles(clock: Clock) -> float:
    """Cycles of the compute and of what halts it, or of the busiest memory, first tiles and last outputs included."""
    traffic = clock.traffic
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
    return max(clock.steps + stopped, *(clock.total(place) + waits[place] for place in clock.read))


def _energy(clock: Clock) -> dict[tuple[str, str], float]:
    """Joules per (component, tensor)."""
    traffic, accelerator, savings = clock.traffic, clock.accelerator, clock.savings
    energy: dict[tuple[str, str], float] = {}
    for place, level in enumerate(traffic.nest.places):
        for role in ROLES:
            innermost = traffic.nest.places[traffic.keepers(role)[-1]]
            if isinstance(level, Memory):
                read, written = memory_bits(traffic, accelerator, place, role)
                if level is innermost:
                    unread, unwritten = _gated_bits(clock, level, place, role)
                    read, written = read - unread, written - unwritten
                joules = read * level.read_energy_j_per_bit + written * level.write_energy_j_per_bit
            else:
                joules = _hop_energy(traffic, accelerator, level, place, role)
                if isinstance(innermost, Memory) and place > traffic.keepers(role)[-1]:
                    joules *= savings.used(innermost, role)
            if joules:
                energy[level.name, role] = joules
    energy[accelerator.compute.name, ""] = traffic.nest.op.macs * accelerator.compute.energy_j * savings.computed
    return energy


def _gated_bits(clock: Clock, memory: Memory, place: int, role: Role) -> tuple[float, float]:
    """Bits that gated multipliers neither read nor write, of those `memory_bits` counts at the innermost memory."""
    idle = clock.savings.passing(memory, role) - clock.savings.used(memory, role)
    whole, partial = widths(clock.nest, clock.accelerator, place, role)
    count = clock.traffic.counts[place, role]
    finished = count.updates - count.partial_updates
    return idle * count.reads * partial, idle * (count.partial_updates * partial + finished * whole)


def _hop_energy(traffic: Traffic, accelerator: Accelerator, array: Array, place: int, role: Role) -> float:
    """Energy of an array's network; partial sums travel at the accumulator's width."""
    width = traffic.nest.op.tensor(role).bits
    if role == "output":
        width = max(width, accelerator.compute.accumulator_bits)
    return traffic.hops[place, role] * width * array.hop_energy_j_per_bit


def check_invariants(cost: Cost, clock: Clock) -> None:
    """Raise `ImpossibleResult` where a count or a cost cannot be: what the model promises of every result."""
    traffic = clock.traffic
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
    _check_times(cost, clock)
    if cost.steady_cycles > cost.cycles * (1.0 + 1e-9):
        raise ImpossibleResult(f"{cost.steady_cycles} cycles without fill and drain, more than {cost.cycles} with them")
    if not 0.0 < cost.utilization <= cost.compute_utilization <= 1.0 or cost.cycles < cost.compute_cycles:
        raise ImpossibleResult(f"above peak: utilization {cost.utilization}, {cost.cycles} cycles")


def _check_times(cost: Cost, clock: Clock) -> None:
    """Raise `ImpossibleResult` where a memory's words and tiles, or the compute's passes, take longer than all."""
    traffic, nest = clock.traffic, clock.nest
    once, apart = passes(nest)
    steps = clock.steps + once + sum(apart.values())
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
