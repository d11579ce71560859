"""The mixed-integer program behind `IntegerProgramMapper`: tiles, loops and costs in terms of prime factors' places."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Array, Memory
from ...accel.analytic import Cost
from ...accel.clock import output_bits
from ...accel.skipping import Savings
from ...accel.sparsity import stored_bits
from ...models.op import ROLES
from ..mapspace import Mapspace
from ..objective import Objective
from ..space_size import prime_factors
from .orders import holding

if TYPE_CHECKING:
    I64 = NDArray[np.int64]
    F64 = NDArray[np.float64]
    Points = tuple[I64, I64, I64]

__all__ = ["Program"]

TANGENTS = np.arange(0.0, 9.0, 0.5)  # where exponentials are touched: once to 5,000 times
SHARES = np.concatenate([np.arange(-6.0, -2.0, 1.0), np.arange(-2.0, 0.3, 0.25)])  # the same for shares of a memory
COARSE = np.arange(0.0, 16.0, 1.0)  # the same for the words of first and last tiles
FULLNESS = 1e-4  # worth of full memories beside the objective
SLACK = 1e-6  # logarithms of whole numbers are not exact
NODES = 200  # of branch and bound per program; a limit in seconds would depend on the machine
GAP = 1e-2


@dataclass(frozen=True)
class _Flow:
    """Words that leave or reach a memory over a boundary: each word of the tensor as often as exp(``row``) says.

    ``joules`` and the bits ``read`` and ``written`` are those of moving every word once more; the first time takes
    less by what is ``saved``: outputs begin as zeros, which nobody reads, and end narrower than partial sums.
    """

    place: int
    joules: float
    read: float
    written: float
    saved_joules: float
    saved_read: float
    saved_written: float
    row: F64
    constant: float


class Program:
    """The program for dimensions split by ``sizes`` and memories of which the tiles may take the share ``room``.

    Variables: how often each prime of each dimension stands in each slot; per memory and tensor, whether the tensor is
    the one held (its own loops stand outside the others) and whether it has no loop of its own there at all; per way
    between two memories and memory above, whether the child's tile outlasts the idle loops there, and the logarithm of
    what they multiply its words by otherwise; what share of a memory each tensor's tile takes; how often each flow
    moves its words; the words of the first (or last) tile that each memory without copies serves; and the cycles
    between these, in terms of the fewest there can be. ``foreseen`` are the energy (J, without leakage) and the cycles
    of the last solution.
    """

    def __init__(self, space: Mapspace, sizes: tuple[int, ...], room: float) -> None:
        self.space, self.room = space, room
        self.places, self.slots = space.problem.places, space.problem.slots
        self.memories = [int(s) for s in space.temporal]
        fixed = np.maximum(space.fixed, 1)
        self.counts: list[tuple[int, int, int, int]] = []  # dimension, prime, how many of it, slot
        for d, size in enumerate(sizes):
            open_slots = [s for s in range(len(self.slots)) if space.fixed[s, d] == 0]
            primes = prime_factors(-(-size // int(fixed[:, d].prod())))
            for prime in sorted(set(primes)) if open_slots else ():
                self.counts.extend((d, prime, primes.count(prime), s) for s in open_slots)
        ways = [(role, *way) for role in range(3) for way in self._ways(role)]
        self.held = len(self.counts)  # first of the binaries [memory, tensor]
        self.without = self.held + 3 * len(self.memories)  # first of the binaries [memory, tensor]
        self.lasts = self.without + 3 * len(self.memories)  # first of (outlasts, logarithm) [way, memory above]
        self.inner = [(role, child, m) for role, _, child in ways for m in self._above(child)[0]]
        self.taken = self.lasts + 2 * len(self.inner)  # first of the shares of memories
        self.often = self.taken + sum(1 for _ in self._rooms())  # first of the times that flows move their words
        self.edges = self.often + sum(2 if child < len(self.places) else 1 for _, _, child in ways)
        self.served = [way for way in ways if way[2] < len(self.places) and self._alone(way[1])]
        self.cycles = self.edges + len(self.served)
        self.width = self.cycles + 1
        self.fixed = np.log(fixed)  # [S, D]
        self.logs = np.zeros((*fixed.shape, self.width))  # [S, D, V] logarithm of a factor, but for the fixed part
        for v, (d, prime, _, s) in enumerate(self.counts):
            self.logs[s, d, v] = math.log(prime)
        relevant = [[dim in tensor.dims for dim in space.problem.dims] for tensor in space.op.tensors]
        self.relevant = np.asarray(relevant, bool)  # [3, D]
        self.most = np.full(self.width, np.inf)
        self.most[: self.taken] = 1.0
        self.most[: self.held] = [many for _, _, many, _ in self.counts]
        for k, (role, _, m) in enumerate(self.inner):
            idle = self.logs[self.memories[m], ~self.relevant[role]].sum(axis=0)
            self.most[self.lasts + 2 * k + 1] = float(idle[: self.held] @ self.most[: self.held])
        self.flows = [flow for way in ways for flow in self._flows(*way)]
        self.foreseen = math.nan, math.nan
        self.fewest = space.op.macs * space.problem.savings.least_time / space.accelerator.peak_macs_per_cycle

    def solve(self, objective: Objective, known: Cost | None, seconds: float) -> Points | None:
        """A batch of one proposal, best to first order around a ``known`` cost; None where HiGHS finds none in time."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows, low, high = zip(*self._constraints(), strict=True)
        whole = (np.arange(self.width) < self.lasts).astype(float)
        options = {"node_limit": NODES, "mip_rel_gap": GAP}
        if math.isfinite(seconds):
            options["time_limit"] = max(seconds, 0.01)
        answer = milp(
            self._goal(objective, known),
            constraints=LinearConstraint(np.stack(rows), np.asarray(low), np.asarray(high)),
            integrality=whole,
            bounds=Bounds(np.zeros(self.width), self.most),
            options=options,
        )
        if answer.x is None:
            return None
        values: F64 = np.asarray(answer.x)
        self.foreseen = self._energy(values[self.often : self.edges]), float(self._cycles() @ values)
        return self._proposal(values)

    def _cycles(self) -> F64:
        """Cycles as a row: first tiles in, the longest of what runs at once, last tiles out."""
        row = self.fewest * self._one(self.cycles)
        for k, (role, parent, _) in enumerate(self.served):
            memory, clock = self.places[parent], self.space.accelerator.clock_hz
            if isinstance(memory, Memory):
                drains = ROLES[role] == "output" and not memory.shared_port
                rate = memory.write_bandwidth_bits_per_s if drains else memory.read_bandwidth_bits_per_s
                row[self.edges + k] = self._bits(parent, role, partial=False) * clock / rate
        return row

    def _energy(self, often: F64) -> float:
        """Joules, but for leakage, when the flows move their words so often."""
        moving = sum(
            flow.joules * float(turns) - flow.saved_joules for flow, turns in zip(self.flows, often, strict=True)
        )
        op, accelerator = self.space.op, self.space.accelerator
        return moving + op.macs * accelerator.compute.energy_j * Savings(op, accelerator).computed

    def _goal(self, objective: Objective, known: Cost | None) -> F64:
        """The objective: joules and cycles, each by what it adds at the known cost (or at the least there can be)."""
        accelerator = self.space.accelerator
        energy_j = self._energy(np.ones(len(self.flows)))
        latency_s = self.fewest / accelerator.clock_hz
        if known is not None:
            energy_j, latency_s = known.energy_j, known.latency_s
        per_j, per_s = objective.energy, objective.latency
        if objective.form == "product":
            per_j, per_s = per_j / max(energy_j, 1e-30), per_s / latency_s
        else:
            value = max(objective.value(energy_j, latency_s), 1e-30)
            per_j, per_s = per_j / value, per_s / value
        goal = np.zeros(self.width)
        goal[self.often : self.edges] = [per_j * flow.joules for flow in self.flows]
        goal += (per_s + per_j * accelerator.standing_w) / accelerator.clock_hz * self._cycles()
        for place, role, _ in self._rooms():
            goal -= FULLNESS * self._tile(place, role)[0]
        return goal

    # ---- rows ------------------------------------------------------------------------------------------------------

    def _constraints(self) -> Iterator[tuple[F64, float, float]]:
        """Rows with their lower and upper bounds."""
        for key in sorted({(d, prime, many) for d, prime, many, _ in self.counts}):
            row = np.asarray([(d, prime, many) == key for d, prime, many, _ in self.counts], float)
            yield np.pad(row, (0, self.width - len(row))), key[2], key[2]
        for s, slot in enumerate(self.slots):
            if slot.axis:
                yield self.logs[s].sum(axis=0), -np.inf, math.log(slot.extent) - self.fixed[s].sum() + SLACK
        takers: dict[int, list[int]] = {}
        for k, (place, role, room) in enumerate(self._rooms()):
            row, constant = self._tile(place, role)
            yield from self._exponential(self.taken + k, row, constant - room, SHARES)
            takers.setdefault(place, []).append(self.taken + k)
        for place, variables in takers.items():
            least = sum(math.exp(self._tile(p, role)[1] - room) for p, role, room in self._rooms() if p == place)
            yield self._one(*variables), -np.inf, max(self.room, least + SLACK)
        yield from self._reuse()
        for f, flow in enumerate(self.flows):
            yield from self._exponential(self.often + f, flow.row, flow.constant, TANGENTS)
        for k, (role, parent, child) in enumerate(self.served):
            yield from self._exponential(self.edges + k, *self._tile(child, role, parent), COARSE)
        yield from self._times()

    def _reuse(self) -> Iterator[tuple[F64, float, float]]:
        """A tile outlasts idle loops of a memory where its tensor is held or has no loop, and none further inside."""
        longest = sum(many * math.log(prime) for _, prime, many in sorted({one[:3] for one in self.counts})) + 1.0
        for m, s in enumerate(self.memories):
            yield self._one(*range(self.held + 3 * m, self.held + 3 * m + 3)), 1.0, 1.0
            for role in range(3):
                own = self.logs[s, self.relevant[role]].sum(axis=0) + longest * self._one(self.without + 3 * m + role)
                yield own, -np.inf, longest
        for k, (role, child, m) in enumerate(self.inner):
            outlasts, idle = self.lasts + 2 * k, self.lasts + 2 * k + 1
            here = self._one(self.held + 3 * m + role, self.without + 3 * m + role)
            yield here - self._one(outlasts), 0.0, np.inf
            for inside in self._above(child)[0][m + 1 :]:
                yield self._one(self.without + 3 * inside + role) - self._one(outlasts), 0.0, np.inf
            row = self._one(idle) + longest * self._one(outlasts)
            yield row - self.logs[self.memories[m], ~self.relevant[role]].sum(axis=0), 0.0, np.inf

    def _one(self, *variables: int) -> F64:
        row = np.zeros(self.width)
        row[list(variables)] = 1.0
        return row

    def _exponential(
        self, variable: int, row: F64, constant: float, tangents: F64
    ) -> Iterator[tuple[F64, float, float]]:
        """Tangents below which exp(row + constant) is not, as far as the row reaches."""
        reach = constant + float(row[row > 0.0] @ self.most[row > 0.0])
        for at in tangents[: 1 + int(np.searchsorted(tangents, reach))]:
            yield math.exp(-at) * self._one(variable) - row, 1.0 + constant - at, np.inf

    def _times(self) -> Iterator[tuple[F64, float, float]]:
        """Cycles are at least the compute's steps and the time of each memory that there is only one of."""
        steps = self.logs[self.memories].sum(axis=(0, 1))
        constant = float(self.fixed[self.memories].sum()) - math.log(self.fewest)
        yield from self._exponential(self.cycles, steps, constant, TANGENTS)
        clock = self.space.accelerator.clock_hz
        for place, memory in enumerate(self.places):
            if not isinstance(memory, Memory) or not self._alone(place):
                continue
            read, written, unread, unwritten = np.zeros(self.width), np.zeros(self.width), 0.0, 0.0
            for f, flow in enumerate(self.flows):
                if flow.place == place:
                    read[self.often + f], written[self.often + f] = flow.read, flow.written
                    unread, unwritten = unread + flow.saved_read, unwritten + flow.saved_written
            rate = memory.read_bandwidth_bits_per_s / clock * self.fewest
            if memory.shared_port:
                yield self._one(self.cycles) - (read + written) / rate, -(unread + unwritten) / rate, np.inf
                continue
            yield self._one(self.cycles) - read / rate, -unread / rate, np.inf
            rate = memory.write_bandwidth_bits_per_s / clock * self.fewest
            yield self._one(self.cycles) - written / rate, -unwritten / rate, np.inf

    # ---- tiles and words -------------------------------------------------------------------------------------------

    def _ways(self, role: int) -> list[tuple[int, int]]:
        """(parent, child) places between which the tensor moves; past the last place comes the compute."""
        name = ROLES[role]
        keepers = [p for p, level in enumerate(self.places) if isinstance(level, Memory) and name in level.keeps]
        return list(itertools.pairwise([*keepers, len(self.places)]))

    def _above(self, child: int) -> tuple[list[int], list[int]]:
        """Memories (by number) whose loops a tile of the child may outlast, and slots whose loops always count."""
        above = [m for m, s in enumerate(self.memories) if self.slots[s].place < child]
        if child < len(self.places):
            return above, []
        return [], [self.memories[m] for m in above]  # the multipliers hold nothing

    def _bits(self, place: int, role: int, *, partial: bool = True) -> float:
        """Width of a word there; for an output, of a partial sum or of a finished one."""
        memory, op = self.places[place], self.space.op
        if not isinstance(memory, Memory):
            return 0.0
        if ROLES[role] == "output":
            return float(output_bits(op, self.space.accelerator, memory, partial=partial))
        return stored_bits(memory, op, ROLES[role])

    def _rooms(self) -> Iterator[tuple[int, int, float]]:
        """(place, tensor, logarithm of the words it has room for) of each memory of limited size."""
        for place, memory in enumerate(self.places):
            if not isinstance(memory, Memory) or math.isinf(memory.size_bits):
                continue
            kept = [role for role, name in enumerate(ROLES) if name in memory.keeps - memory.resident]
            room = memory.room_bits
            for role in kept:
                yield place, role, math.log(max(room, SLACK) / self._bits(place, role))

    def _alone(self, place: int) -> bool:
        """Whether there is one instance of the level, as no array stands outside it."""
        return not any(isinstance(level, Array) for level in self.places[:place])

    def _tile(self, place: int, role: int, parent: int | None = None) -> tuple[F64, float]:
        """Logarithm of a tile's words, as a row and a constant; of all tiles below a ``parent`` together."""
        inside = [
            s
            for s, slot in enumerate(self.slots)
            if slot.place >= place or (parent is not None and slot.axis and slot.place > parent)
        ]
        rows, constants = self.logs[inside][:, self.relevant[role]], self.fixed[inside][:, self.relevant[role]]
        return rows.sum(axis=(0, 1)), float(constants.sum())

    def _flows(self, role: int, parent: int, child: int) -> Iterator[_Flow]:
        """What the parent serves or collects, then what a memory as the child is filled with or drained of."""
        words, output = float(self.space.op.words(ROLES[role])), ROLES[role] == "output"
        arrays = [level for level in self.places[parent:child] if isinstance(level, Array)]
        wide = max(self.space.op.tensors[role].bits, self.space.accelerator.compute.accumulator_bits if output else 0)
        hops = words * wide * sum(array.hop_energy_j_per_bit for array in arrays) * (2 if output else 1)
        for place, shared in ((parent, True), (child, False)):
            memory = self.places[place] if place < len(self.places) else None
            if not isinstance(memory, Memory):
                continue
            bits = words * self._bits(place, role)
            narrower = bits - words * self._bits(place, role, partial=False)
            read, written = (bits, bits) if output else (bits, 0.0) if shared else (0.0, bits)
            first = (0.0, 0.0) if not output else (bits, narrower) if shared else (narrower, bits)
            each = memory.read_energy_j_per_bit, memory.write_energy_j_per_bit
            joules = read * each[0] + written * each[1] + (0.0 if shared and child < len(self.places) else hops)
            saved = first[0] * each[0] + first[1] * each[1]
            yield _Flow(place, joules, read, written, saved, *first, *self._turns(role, parent, child, shared=shared))

    def _turns(self, role: int, parent: int, child: int, *, shared: bool) -> tuple[F64, float]:
        """Logarithm of how often each word moves: once for each turn of an idle loop and each instance not shared."""
        apart = self.logs[:, ~self.relevant[role]].sum(axis=1)  # [S, V]
        row, counted = np.zeros(self.width), self._above(child)[1]
        for k, (one, below, _) in enumerate(self.inner):
            row[self.lasts + 2 * k + 1] = float(one == role and below == child)
        for s, slot in enumerate(self.slots):
            level = self.places[slot.place]
            if isinstance(level, Array) and slot.place < child:
                merges = level.reduces if ROLES[role] == "output" else ROLES[role] in level.multicast
                if slot.place < parent or not (shared and merges):
                    counted.append(s)
        return row + apart[counted].sum(axis=0), float(self.fixed[counted][:, ~self.relevant[role]].sum())

    def _proposal(self, values: F64) -> Points:
        factors = np.maximum(self.space.fixed, 1)
        for v, (d, prime, _, s) in enumerate(self.counts):
            factors[s, d] *= prime ** round(float(values[v]))
        order = np.tile(np.arange(factors.shape[1]), (len(factors), 1))
        for m, s in enumerate(self.memories):
            role = int(values[self.held + 3 * m : self.held + 3 * m + 3].argmax())
            order[s] = holding(self.space, order[s : s + 1], role)[0]
        return factors[None], order[None], np.zeros((1, *self.space.may_bypass.shape), np.int64)
