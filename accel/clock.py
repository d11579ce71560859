"""How long the words of a nest take: widths, bits and transfer times at one accelerator, per memory and boundary."""

from __future__ import annotations

import math

from ..models.op import ROLES, Op, Role
from .accelerator import Accelerator, Array, Memory
from .nest import Nest
from .skipping import Savings
from .sparsity import stored_bits
from .traffic import Boundary, Traffic

__all__ = ["Clock", "memory_bits", "output_bits", "passes", "tiles", "units", "widths"]


def output_bits(op: Op, accelerator: Accelerator, memory: Memory, *, partial: bool) -> float:
    """Width of an output word in ``memory``: the accumulator's while it is an unfinished sum, the tensor's after."""
    if not partial:
        return stored_bits(memory, op, "output")
    width = memory.bits("output", max(op.tensor("output").bits, accelerator.compute.accumulator_bits))
    return float(max(width, memory.finished_output_bits or 0.0))


def widths(nest: Nest, accelerator: Accelerator, place: int, role: Role) -> tuple[float, float]:
    """(bits of a finished word, bits of a partial sum) of ``role`` in the memory at ``place``."""
    memory = nest.places[place]
    if not isinstance(memory, Memory):
        return 0.0, 0.0
    if role == "output":
        return (
            output_bits(nest.op, accelerator, memory, partial=False),
            output_bits(nest.op, accelerator, memory, partial=True),
        )
    width = stored_bits(memory, nest.op, role)
    return width, width


def memory_bits(traffic: Traffic, accelerator: Accelerator, place: int, role: Role) -> tuple[float, float]:
    """(bits read, bits written) of ``role`` at the memory at ``place``, over all instances; none in skipped steps."""
    count, memory = traffic.counts[place, role], traffic.nest.places[place]
    whole, partial = widths(traffic.nest, accelerator, place, role)
    reads, updates = count.reads * partial, count.partial_updates * partial
    updates += (count.updates - count.partial_updates) * whole
    if isinstance(memory, Memory) and place == traffic.keepers(role)[-1]:
        share = Savings(traffic.nest.op, accelerator).passing(memory, role)
        reads, updates = reads * share, updates * share
    read = reads + count.partial_drains * partial + (count.drains - count.partial_drains) * whole
    return float(read), float(count.fills * partial + updates)


def units(nest: Nest) -> int:
    """Instances of the compute in use that skip steps on their own; those of an array in lockstep count as one."""
    apart = [isinstance(level, Array) and not level.lockstep for level in nest.places]
    return math.prod(loop.bound for loop in nest.loops if loop.spatial and apart[loop.place])


class Clock:
    """Transfer times in cycles at one accelerator under one nest; bandwidths are per instance in use."""

    def __init__(self, traffic: Traffic, accelerator: Accelerator) -> None:
        self.traffic, self.accelerator, self.nest = traffic, accelerator, traffic.nest
        self.read: dict[int, float] = {}
        self.write: dict[int, float] = {}
        self.savings = Savings(traffic.nest.op, accelerator)
        self.steps = traffic.steps * self.savings.time(units(self.nest))  # cycles of the compute
        for place, memory in enumerate(self.nest.places):
            if isinstance(memory, Memory):
                used = math.prod(loop.bound for loop in self.nest.spatial_above(place))
                self.read[place] = memory.read_bandwidth_bits_per_s / accelerator.clock_hz * used
                write = memory.read_bandwidth_bits_per_s if memory.shared_port else memory.write_bandwidth_bits_per_s
                self.write[place] = write / accelerator.clock_hz * used

    def busy(self, place: int, read: float, written: float) -> float:
        """Cycles the memory at ``place`` needs to read and write so many bits."""
        memory = self.nest.places[place]
        reading, writing = read / self.read[place], written / self.write[place]
        return reading + writing if isinstance(memory, Memory) and memory.shared_port else max(reading, writing)

    def total(self, place: int, read_before: float = 0.0, written_before: float = 0.0) -> float:
        """Cycles the memory at ``place`` needs for all its words but the bits read and written before."""
        moved = [memory_bits(self.traffic, self.accelerator, place, role) for role in ROLES]
        read, written = sum(r for r, _ in moved), sum(w for _, w in moved)
        return self.busy(place, max(0.0, read - read_before), max(0.0, written - written_before))

    def bits(self, way: Boundary, place: int) -> float:
        """Width at ``place`` of the words that ``way`` brings down; output words among them are partial sums."""
        return widths(self.nest, self.accelerator, place, way.role)[1]

    def rising(self, place: int, passed: int, words: int) -> float:
        """Bits of outputs on their way up that pass the memory at ``place``; ``words`` of them are distinct."""
        whole, partial = widths(self.nest, self.accelerator, place, "output")
        finished = self.traffic.finished(place, words)
        return float((passed - finished) * partial + finished * whole)

    def down(self, way: Boundary, served: int, filled: int) -> float:
        """Cycles to bring words to the child: the slower of the parent's reading and the child's writing."""
        reading = served * self.bits(way, way.parent) / self.read[way.parent]
        return max(reading, filled * self.bits(way, way.child) / self.write[way.child])

    def up(self, way: Boundary, drained: int, collected: int, words: int) -> float:
        """Cycles to bring outputs to the parent."""
        reading = self.rising(way.child, drained, words) / self.read[way.child]
        return max(reading, self.rising(way.parent, collected, words) / self.write[way.parent])


def tiles(nest: Nest, way: Boundary) -> int:
    """Tiles that the child takes in or gives back over the run; an output's tile that comes back had left before.

    The first operand's and the last output's among them move before and after all steps.
    """
    changes = nest.tile_changes(way.role, way.child)
    return changes if way.role != "output" else 2 * changes - nest.distinct_tiles("output", way.child)


def passes(nest: Nest) -> tuple[float, dict[int, float]]:
    """Cycles besides the steps that systolic arrays take: once for the run, and by place in further passes."""
    once, apart = 0.0, {}
    for place, array in enumerate(nest.places):
        if isinstance(array, Array) and array.systolic:
            once += array.systolic.overhead_cycles
            if not array.systolic.overlapped:
                further = nest.tile_changes(array.systolic.stationary, place) - 1
                apart[place] = float(further * array.systolic.overhead_cycles)
    return once, apart
