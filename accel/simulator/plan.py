"""An operator under a mapping as the simulator runs it: steps of the compute, and tiles that move between memories.

Tiles move exactly the words that `Traffic` counts. What happens inside a step is the analytic model's: the compute's
iterations, what halts it further inside, and the traffic of memories that no walked tile reaches, in proportion to the
iterations. All times are cycles of ports that serve nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ...errors import ImpossibleResult
from ...models.op import ROLES, Op, Role
from ..accelerator import Accelerator, Memory
from ..capacity import check_capacity
from ..clock import Clock, memory_bits, passes, tiles
from ..mapping import Mapping
from ..nest import Nest
from ..sparsity import stored_bits
from ..traffic import Boundary, Traffic
from .buses import Bus, Buses, bits_of_words
from .lines import line_waste
from .machine import Way
from .moves import Turns
from .steps import Steps, TileChanges, walked_loops
from .workload import Density, slowest_share

__all__ = ["Edge", "PortDemand", "Stream", "TilePlan", "plan_tiles", "with_density"]

Floats = npt.NDArray[np.float64]
MOST_STEPS = 4096
MOST_OUTER_STEPS = 1 << 20


@dataclass(frozen=True)
class Edge:
    """A boundary's first tile coming in, or its last one leaving, besides all steps.

    Bits and cycles at the memory they are read from (``source``) and at the one they are written to (``target``);
    ``buses`` are the (place, bits, bits a cycle) of limited arrays between.
    """

    role: Role
    source: int
    target: int
    source_bits: float
    target_bits: float
    source_cycles: float
    target_cycles: float
    latency: float = 0.0
    buses: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True)
class Stream:
    """The tiles of one tensor between two memories, ``parent`` above ``child`` (places in the nest).

    Tile i is in use from step ``first_step[i]`` on. Bits [tiles]: ``served`` at the parent and ``filled`` at the child
    on the way down (of outputs: partial sums that come back), ``drained`` at the child and ``collected`` at the parent
    on the way up, when tile i leaves. Cycles are those bits at the ports' full rates. Operands' first tiles and
    outputs' last ones are edges, and nothing here. ``after[i]`` is the number of the tile that held the same words
    before (-1: none): tile i comes back once that one has left. ``copies`` tiles fit into the child. ``buses`` are the
    limited arrays between the two.
    """

    role: Role
    parent: int
    child: int
    first_step: npt.NDArray[np.int64]
    served: Floats
    filled: Floats
    drained: Floats
    collected: Floats
    down_parent: Floats
    down_child: Floats
    up_parent: Floats
    up_child: Floats
    after: npt.NDArray[np.int64]
    copies: int
    halts: bool
    latency: float
    buses: tuple[Bus, ...] = ()

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.first_step)


@dataclass(frozen=True)
class PortDemand:
    """What the inside of the steps asks of one port of a memory, or of an array's bus, over the whole run.

    Where no tile is walked to the memory (not ``ported``), the steps' cycles make room for it already.
    """

    place: int
    way: Way
    bits: float
    cycles: float
    ported: bool


@dataclass(frozen=True)
class TilePlan:
    """What `Execution` runs; ``cycles`` [steps] of each step where no port is asked for, halts inside it included.

    ``demands`` are spread over the steps like the ``iterations``. ``constant`` cycles follow the last step: the
    pipeline and a systolic array's first pass. ``steps`` says which loop advances after each step. With
    ``hidden_ends`` first tiles come and last ones leave while the compute works, as on a chip that runs operators back
    to back; what halts the compute halts it all the same. Of each iteration's cycles, ``halted`` are those in which
    the compute rests; the memories that no tile reaches need at least ``inner``.
    """

    op: Op
    accelerator: Accelerator
    nest: Nest
    steps: Steps
    iterations: npt.NDArray[np.int64]
    cycles: Floats
    streams: tuple[Stream, ...]
    demands: tuple[PortDemand, ...]
    fills: tuple[Edge, ...]
    drains: tuple[Edge, ...]
    constant: float
    hidden_ends: bool = False
    halted: float = 0.0
    inner: float = 0.0
    moved: dict[tuple[str, Way], float] = field(default_factory=dict)  # bits

    def tile_bits(self, place: int, role: Role) -> float:
        """Bits of one tile of an operand in the memory at ``place``."""
        memory, tensor = self.nest.places[place], self.op.tensor(role)
        width = stored_bits(memory, self.op, role) if isinstance(memory, Memory) else 0.0
        return tensor.words(self.nest.tile(place)) * width

    @property
    def count(self) -> int:
        """Number of steps."""
        return self.steps.count


def plan_tiles(op: Op, accelerator: Accelerator, mapping: Mapping, *, most_steps: int = MOST_STEPS) -> TilePlan:
    """The plan of one operator. Raises `BadInput` or `Infeasible` where the mapping does not fit."""
    nest = Nest(op, accelerator, mapping)
    check_capacity(nest, accelerator)
    return _Planner(nest, accelerator, most_steps).plan()


def with_density(plan: TilePlan, density: Density, rng: np.random.Generator) -> TilePlan:
    """The plan on an array that skips zeros: each tile lasts as long as the instance with most left to do.

    Instances wait for each other where a tile of any tensor becomes another one, not at each step in between. What
    halts the compute, and words of memories further inside, take the time they took.
    """
    instances = math.prod(loop.bound for loop in plan.nest.spatial_above(len(plan.nest.places)))
    begun = [np.zeros(1, dtype=np.int64), *(stream.first_step for stream in plan.streams)]
    starts = np.unique(np.concatenate(begun))
    tile = np.repeat(np.arange(len(starts)), np.diff(starts, append=plan.count))
    iterations = np.bincount(tile, weights=plan.iterations).astype(np.int64)
    shares = np.ones(len(starts))
    for words in np.unique(iterations):
        same = iterations == words
        shares[same] = slowest_share(rng, density, instances, int(words), int(same.sum()))
    least = plan.iterations * np.maximum(shares[tile] + plan.halted, plan.inner)
    return replace(plan, cycles=np.where(shares[tile] < 1.0, np.minimum(plan.cycles, least), plan.cycles))


class _Planner:
    """Builds a `TilePlan`; ``walked`` are the boundaries whose tiles move between steps."""

    def __init__(self, nest: Nest, accelerator: Accelerator, most_steps: int) -> None:
        self.nest, self.accelerator = nest, accelerator
        self.traffic = Traffic(nest)
        self.clock = Clock(self.traffic, accelerator)
        self.buses = Buses(self.clock)
        loops = walked_loops(nest, most_steps, MOST_OUTER_STEPS)
        self.steps = Steps(nest, loops)
        self.end = len(nest.places)
        self.walked = [
            way
            for way in self.traffic.boundaries
            if way.child < self.end and len(nest.temporal_above(way.child)) <= len(loops)
        ]
        self.ported = {place for way in self.walked for place in (way.parent, way.child)}
        self.ported |= {self.traffic.keepers(role)[0] for role in ROLES}

    def plan(self) -> TilePlan:
        iterations = self.steps.computing()
        if int(iterations.sum()) != self.traffic.steps:
            raise ImpossibleResult(f"{self.nest.op.name}: {iterations.sum()} iterations walked of {self.traffic.steps}")
        streams = tuple(self._stream(way) for way in self.walked)
        fills = tuple(self._first(way) for way in self._in_order(("input", "weight")))
        drains = tuple(self._last(way) for way in reversed(self._in_order(("output",))))
        once, _ = passes(self.nest)
        halted, inner = self._inside()
        stretch = max(self.clock.steps + halted, inner) / self.traffic.steps
        moved: dict[tuple[str, Way], float] = {}
        for place, level in enumerate(self.nest.places):
            if isinstance(level, Memory):
                pairs = [memory_bits(self.traffic, self.accelerator, place, role) for role in ROLES]
                moved[level.name, "read"] = sum(read for read, _ in pairs)
                moved[level.name, "write"] = sum(written for _, written in pairs)
        return TilePlan(
            self.nest.op,
            self.accelerator,
            self.nest,
            self.steps,
            iterations,
            np.multiply(iterations, stretch, dtype=np.float64),
            streams,
            tuple(self._demands(streams, (*fills, *drains))),
            fills,
            drains,
            0.0 if self.accelerator.back_to_back else once + self.accelerator.compute.pipeline_cycles,
            self.accelerator.back_to_back,
            halted / self.traffic.steps,
            inner / self.traffic.steps,
            moved,
        )

    # ---- inside a step ---------------------------------------------------------------------------------------------

    def _inside(self) -> tuple[float, float]:
        """Cycles of all steps: those that halt the compute, and those of the slowest memory that no tile reaches."""
        _, halts = passes(self.nest)
        stopped = sum(halts.values())
        waits: dict[int, float] = {}
        edges: dict[int, list[float]] = {}
        for way in self.traffic.boundaries:
            coming, leaving = self._edge_cycles(way)
            for place, (read, written) in self._edge_bits(way).items():
                edge = edges.setdefault(place, [0.0, 0.0])
                edge[0], edge[1] = edge[0] + read, edge[1] + written
            child = self.nest.places[way.child] if way.child < self.end else None
            if way in self.walked or not isinstance(child, Memory):
                continue
            waiting = child.latency_cycles * (tiles(self.nest, way) - 1) if child.latency_cycles else 0.0
            if child.overlaps:
                waits[way.child] = waits.get(way.child, 0.0) + waiting
            else:
                down = self.clock.down(way, way.served, way.filled) - coming
                stopped += down + self.clock.up(way, way.drained, way.collected, way.words) - leaving + waiting
        longest = 0.0
        for place in self.clock.read:
            if place not in self.ported:
                longest = max(longest, self.clock.total(place, *edges.get(place, (0.0, 0.0))) + waits.get(place, 0.0))
        return stopped, longest

    def _edge_cycles(self, way: Boundary) -> tuple[float, float]:
        if way.child == self.end:
            return 0.0, 0.0
        coming = self.clock.down(way, way.first_served, way.first_filled)
        return coming, self.clock.up(way, way.last_drained, way.last_collected, way.last_words)

    def _edge_bits(self, way: Boundary) -> dict[int, tuple[float, float]]:
        """(bits read, bits written) at each end of a boundary by its first tile and its last."""
        if way.child == self.end:
            return {}
        served = way.first_served * self.clock.bits(way, way.parent)
        filled = way.first_filled * self.clock.bits(way, way.child)
        drained = self.clock.rising(way.child, way.last_drained, way.last_words)
        collected = self.clock.rising(way.parent, way.last_collected, way.last_words)
        return {way.parent: (served, collected), way.child: (drained, filled)}

    def _demands(self, streams: Iterable[Stream], edges: Iterable[Edge]) -> Iterable[PortDemand]:
        """What is left of each memory's words once tiles and edges have been taken off."""
        left: dict[tuple[int, Way], float] = {}
        for place in self.clock.read:
            pairs = [memory_bits(self.traffic, self.accelerator, place, role) for role in ROLES]
            left[place, "read"] = sum(read for read, _ in pairs)
            left[place, "write"] = sum(written for _, written in pairs)
        whole = dict(left)
        for stream in streams:
            left[stream.parent, "read"] -= float(stream.served.sum())
            left[stream.child, "write"] -= float(stream.filled.sum())
            left[stream.child, "read"] -= float(stream.drained.sum())
            left[stream.parent, "write"] -= float(stream.collected.sum())
        for edge in edges:
            left[edge.source, "read"] -= edge.source_bits
            left[edge.target, "write"] -= edge.target_bits
        for (place, way), bits in left.items():
            if bits < -1e-6 * max(1.0, whole[place, way]):
                level = self.nest.places[place].name
                raise ImpossibleResult(f"{self.nest.op.name}: tiles move {-bits:g} bits too many at {level} ({way})")
            if bits > 1e-9 * whole[place, way]:
                rate = self.clock.read if way == "read" else self.clock.write
                yield PortDemand(place, way, bits, bits / rate[place], place in self.ported)
        for place, total in self.buses.totals().items():
            tiled = sum(
                float(bus.down.sum() + bus.up.sum()) for one in streams for bus in one.buses if bus.place == place
            )
            bits = total - tiled - sum(bits for edge in edges for at, bits, _ in edge.buses if at == place)
            if bits < -1e-6 * total:
                level = self.nest.places[place].name
                raise ImpossibleResult(f"{self.nest.op.name}: tiles move {-bits:g} bits too many over {level}")
            if bits > 1e-9 * total:
                yield PortDemand(place, "read", bits, bits / self.buses.rates[place], True)

    # ---- edges -----------------------------------------------------------------------------------------------------

    def _in_order(self, roles: tuple[Role, ...]) -> list[Boundary]:
        """Boundaries between memories from outside to inside."""
        ways = [way for way in self.traffic.boundaries if way.role in roles and way.child < self.end]
        return sorted(ways, key=lambda way: (way.child, ROLES.index(way.role)))

    def _latency(self, place: int) -> float:
        level = self.nest.places[place]
        return level.latency_cycles if isinstance(level, Memory) else 0.0

    def _first(self, way: Boundary) -> Edge:
        served = way.first_served * self.clock.bits(way, way.parent)
        filled = way.first_filled * self.clock.bits(way, way.child)
        waste = line_waste(self.clock, way)
        times = waste * served / self.clock.read[way.parent], filled / self.clock.write[way.child]
        latency = self._latency(way.child)
        return Edge(way.role, way.parent, way.child, served, filled, *times, latency, self.buses.first(way))

    def _last(self, way: Boundary) -> Edge:
        drained = self.clock.rising(way.child, way.last_drained, way.last_words)
        collected = self.clock.rising(way.parent, way.last_collected, way.last_words)
        waste = line_waste(self.clock, way)
        times = drained / self.clock.read[way.child], waste * collected / self.clock.write[way.parent]
        latency = self._latency(way.child)
        return Edge(way.role, way.child, way.parent, drained, collected, *times, latency, self.buses.last(way))

    # ---- tiles -----------------------------------------------------------------------------------------------------

    def _stream(self, way: Boundary) -> Stream:
        changes = self.steps.changes(way.role, way.child)
        down = self.traffic.sharing(way, lambda array: way.role in array.multicast)
        up = self.traffic.sharing(way, lambda array: array.reduces)
        turns = Turns(self.traffic, way, changes)
        filled, served = turns.words(down[0]), turns.words(down[-1])
        if way.role == "output":
            drained, collected = turns.words(up[0]), turns.words(up[-1])
            fills, serves = filled.entering * changes.again, served.entering * changes.again
            self._check(way, (fills, way.filled), (serves, way.served))
            self._check(way, (drained.leaving, way.drained - way.last_drained))
            self._check(way, (collected.leaving, way.collected - way.last_collected))
            up_child = bits_of_words(drained.leaving, self._steady_bits(way, way.child))
            up_parent = bits_of_words(collected.leaving, self._steady_bits(way, way.parent))
        else:
            fills, serves = filled.entering, served.entering
            self._check(way, (fills, way.filled - way.first_filled), (serves, way.served - way.first_served))
            up_child = up_parent = np.zeros(len(fills))
        down_parent: Floats = np.multiply(serves, self.clock.bits(way, way.parent), dtype=np.float64)
        down_child: Floats = np.multiply(fills, self.clock.bits(way, way.child), dtype=np.float64)
        child = self.nest.places[way.child]
        overlaps, waste = isinstance(child, Memory) and child.overlaps, line_waste(self.clock, way)
        return Stream(
            way.role, way.parent, way.child, changes.first_step,
            served=down_parent, filled=down_child, drained=up_child, collected=up_parent,
            down_parent=waste * down_parent / self.clock.read[way.parent],
            down_child=down_child / self.clock.write[way.child],
            up_parent=waste * up_parent / self.clock.write[way.parent],
            up_child=up_child / self.clock.read[way.child],
            after=_same_before(changes),
            copies=child.copies if isinstance(child, Memory) else 1,
            halts=not overlaps, latency=self._latency(way.child),
            buses=self.buses.stream(way, turns, changes.again),
        )  # fmt: skip

    def _steady_bits(self, way: Boundary, place: int) -> float:
        """Bits of all output words that pass ``place`` on their way up, but for the last tile's."""
        words, last = (way.drained, way.last_drained) if place == way.child else (way.collected, way.last_collected)
        whole = self.clock.rising(place, words, way.words)
        return whole - self.clock.rising(place, last, way.last_words)

    def _check(self, way: Boundary, *pairs: tuple[npt.NDArray[np.int64], int]) -> None:
        """Raise `ImpossibleResult` where tiles do not move the words that the model counts."""
        for words, expected in pairs:
            if int(words.sum()) != expected:
                child = self.nest.places[way.child].name
                raise ImpossibleResult(
                    f"{self.nest.op.name}: tiles of {way.role} at {child} move {words.sum()} words, not {expected}"
                )


def _same_before(changes: TileChanges) -> npt.NDArray[np.int64]:
    """[tiles] number of the last tile before that covers the same words, or -1."""
    found = np.full(len(changes.first_step), -1, dtype=np.int64)
    if not changes.again.any():
        return found
    latest: dict[bytes, int] = {}
    columns = np.ascontiguousarray(changes.after.T)
    for number in range(len(found)):
        key = columns[number].tobytes()
        if changes.again[number]:
            found[number] = latest.get(key, -1)
        latest[key] = number
    return found
