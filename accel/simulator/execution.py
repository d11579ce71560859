"""The processes of one operator: a fetch and a write-back for each tensor and memory, and the compute.

First the operands' first tiles come in, one boundary after the other. Then the compute walks its steps while tiles are
fetched as credits allow, written back and, as partial sums, fetched again. Last outputs leave after everything else. So
the model has it, and the simulated time is never below the model's: a resource serves one request at a time, and what
halts the compute does so one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import simpy

from ...errors import CannotDo
from ..accelerator import Array, Memory
from ..capacity import tile_bits
from .asking import Ask, Pending, Port, bursts_of
from .channels import Channels
from .flow import Flow, Wait
from .machine import Core, Way
from .plan import Edge, Stream, TilePlan
from .recorder import Slice
from .resources import Counter, Path, Resource, extended, ticks
from .stepping import Stepper

__all__ = ["Execution", "Process"]

Process = Generator[simpy.Event, Any, None]


class Early:
    """A first tile that comes in ahead of its operator."""

    def __init__(self, done: simpy.Event) -> None:
        self.done = done
        self.path: Path = {}


class Execution:
    """One operator on one core; ``run`` is its process. ``alone`` says whether nothing else may happen meanwhile."""

    def __init__(
        self, core: Core, plan: TilePlan, name: str, alone: Callable[[], bool] | None = None, *, stepping: bool = True
    ) -> None:
        self.core, self.plan, self.name = core, plan, name
        self.clock, self.alone, self.stepping = core.clock, alone, stepping
        self.steps = Counter(core.clock, "steps")
        self.flows = [self._flow(stream) for stream in plan.streams if stream.count > 1]
        for flow in self.flows:
            for other in self.flows:
                if other.stream.role == flow.stream.role and other.stream.child == flow.stream.parent:
                    flow.outer, other.inner = other, flow
        self.demands: list[tuple[Port, float, float, str]] = []  # of an iteration
        self.apart: list[tuple[Resource, float, float]] = []
        for demand in plan.demands:
            port, iterations = self._port(demand.place, demand.way), float(plan.iterations.sum())
            cycles, bits = demand.cycles / iterations, demand.bits / iterations
            if demand.ported or isinstance(port, Channels):
                self.demands.append((port, cycles, bits, f"{name} {demand.way}"))
            else:
                self.apart.append((port, cycles, bits))
        self.path: Path = {}
        self.stalls: dict[str, float] = {}
        self.halted_until = 0.0
        self.halted_path: Path = {}
        self.halting: simpy.Event | None = None  # what halts the compute, while its end is not known
        self.walked = 0
        self.until = float("inf")  # nothing is stepped over beyond it
        self.ends_at = 0.0
        self.ends_path: Path = {}
        self.ends_pending: list[Pending] = []
        self.early: dict[Edge, Early] = {}
        self.begun = core.clock.env.event()
        self.milestone: tuple[int, simpy.Event] | None = None
        self.stepper: Stepper | None = None
        self.doing = "first tiles"

    def waits(self) -> list[str]:
        """Which process of this operator waits for what."""
        found = [f"{self.name}: {self.doing}"] if self.doing else []
        for flow in self.flows:
            stream = flow.stream
            if flow.fetches and flow.fetching < stream.count and flow.fetch_state.what:
                found.append(
                    f"{self.name}: the fetch of {stream.role} tile {flow.fetching} waits for {flow.fetch_state.what}"
                )
            if flow.leaves and flow.leaving < stream.count - 1 and flow.leave_state.what:
                found.append(f"{self.name}: output tile {flow.leaving} waits for {flow.leave_state.what}")
        return found

    def _memory(self, place: int) -> Memory:
        level = self.plan.nest.places[place]
        if not isinstance(level, Memory):
            raise CannotDo(f"{self.name}: {level.name} is no memory")
        return level

    def _port(self, place: int, way: Way) -> Port:
        level = self.plan.nest.places[place]
        if isinstance(level, Array):
            return self.core.bus(level)
        return self.core.port(self._memory(place), way)

    def _flow(self, stream: Stream) -> Flow:
        buses = [self._port(bus.place, "read") for bus in stream.buses]
        return Flow(self.core, stream, self._memory(stream.parent), self._memory(stream.child), buses)

    # ---- the whole -------------------------------------------------------------------------------------------------

    def run(self, path: Path) -> Process:
        """Run the operator from now on; ``path`` leads to now. Sets ``path`` to that of its end."""
        self.path = path
        self.stepper = Stepper(self) if self.alone and self.stepping else None
        for edge in self.plan.fills:
            early = self.early.get(edge)
            if early is not None:
                yield from self._await_early(edge, early)
            else:
                yield from self._edge(edge, "fetch", "first")
        self.begun.succeed()
        env = self.clock.env
        for flow in self.flows:
            flow.fetch_path = flow.leave_path = self.path
            if flow.fetches:
                env.process(self._fetch(flow))
            if flow.leaves:
                env.process(self._leave(flow))
        yield from self._compute()
        self.doing = "outputs"
        for flow in self.flows:
            if flow.stream.role == "output":
                yield from self._await(flow.gone, flow.stream.count - 1, flow)
        if self.plan.constant:
            end = self.core.compute.serve(self.plan.constant, self.path, "pipeline", "compute", self.name)
            self.path = self.core.compute.path
            yield self.clock.until(end)
        for edge in self.plan.drains:
            yield from self._edge(edge, "write_back", "last")
        begun = self.clock.now
        for pending in self.ends_pending:
            end, path = yield from pending.wait()
            if end > self.ends_at:
                self.ends_at, self.ends_path = end, path
        if self.ends_at > begun:
            self._stall(begun, self.ends_at, "first and last tiles on their way")
            yield self.clock.until(self.ends_at)
            self.path = self.ends_path
        self.doing = ""

    def _edge(self, edge: Edge, kind: str, which: str) -> Process:
        """A boundary's first or last tile."""
        begun, name, asks = self.clock.now, f"{which} {edge.role}", self._edge_asks(edge)
        hidden = self.plan.hidden_ends and not self._halts(edge)
        if hidden and edge.latency:
            inner = max(edge.source, edge.target)
            asks = self._with_latency((self._port(inner, "write"), self._port(inner, "read")), asks, edge.latency)
        end, path, pending = self._ask(asks, self.path, name, kind)
        if hidden:
            if pending:
                self.ends_pending.append(pending)
            elif end > self.ends_at:
                self.ends_at, self.ends_path = end, path
            return
        if pending:
            end, path = yield from pending.wait()
        if edge.latency:
            late = asks[1 if kind == "fetch" else 0][0].place
            end, path = end + ticks(edge.latency), extended(path, late, ticks(edge.latency))
        if end > begun:
            blamed = max(asks, key=lambda ask: ask[1])[0].name
            self._stall(begun, end, f"{which} {edge.role} {'from' if kind == 'fetch' else 'to'} {blamed}")
            yield self.clock.until(end)
        self.path = path

    def _halts(self, edge: Edge) -> bool:
        """Whether the memory further inside is filled and drained only while the compute rests."""
        return not self._memory(max(edge.source, edge.target)).overlaps

    def _edge_asks(self, edge: Edge) -> tuple[Ask, ...]:
        source: Ask = self._port(edge.source, "read"), edge.source_cycles, edge.source_bits, ""
        target: Ask = self._port(edge.target, "write"), edge.target_cycles, edge.target_bits, ""
        buses = ((self._port(place, "read"), bits / rate, bits, "") for place, bits, rate in edge.buses)
        return (source, target, *buses)

    def _ask(self, asks: Sequence[Ask], path: Path, name: str, kind: str) -> tuple[float, Path, Pending | None]:
        """Ask several ports at once, see `Core.ask`."""
        if self.core.arbitration != "fifo":
            return self.core.ask(asks, path, (name, kind, self.name), alone=self.alone is not None and self.alone())
        end, last = self.clock.now, path
        for port, cycles, bits, stream in asks:
            done = port.serve(cycles, path, name, kind, self.name, bits, stream)
            if done > end:
                end, last = done, port.path
        return end, last, None

    def _stall(self, start: float, end: float, cause: str) -> None:
        self.stalls[cause] = self.stalls.get(cause, 0.0) + end - start
        compute = self.core.compute
        self.core.log.append(Slice(compute.name, start, end, "waits", "stall", self.name, cause))

    # ---- first tiles ahead of time ---------------------------------------------------------------------------------

    def fits_beside(self, running: Execution, edge: Edge) -> bool:
        """Whether a first tile of weights has room beside another operator's tiles of other tensors."""
        if not self.plan.op.tensor("weight").is_parameter:
            return False
        theirs, place = running.plan, edge.target
        taken = tile_bits(theirs.nest, theirs.accelerator, place) - theirs.tile_bits(place, "weight")
        room = min(self._memory(place).room_bits, running._memory(place).room_bits)
        return taken + self.plan.tile_bits(place, "weight") <= room

    def leave_room(self, edge: Edge) -> simpy.Event | None:
        """The moment from which a following operator's first tile has room beside this one's; None: never.

        The memory must hold several tiles, and the following tile as much room as this operator's own one had, whose
        last but one has then been used.
        """
        child = self._memory(edge.target)
        own = [flow for flow in self.flows if flow.stream.role == edge.role and flow.stream.child == edge.target]
        if child.copies < 2:
            return None
        step = max((int(flow.stream.first_step[-1]) for flow in own), default=0)
        if step <= self.steps.value:
            return self.begun
        if self.milestone is None:
            self.milestone = (step, self.clock.env.event())
        return self.milestone[1] if self.milestone[0] >= step else None

    def fetch_early(self, edge: Edge, room: simpy.Event, path: Callable[[], Path]) -> Process:
        """Bring a first tile in once there is room for it; ``path`` leads to that moment."""
        early = self.early[edge] = Early(self.clock.env.event())
        yield room
        asks = self._edge_asks(edge)
        end, early.path, pending = self._ask(asks, path(), f"first {edge.role}, ahead", "fetch")
        if pending:
            end, early.path = yield from pending.wait()
        yield self.clock.until(end + ticks(edge.latency))
        early.path = extended(early.path, asks[1][0].place, ticks(edge.latency))
        early.done.succeed()

    def _await_early(self, edge: Edge, early: Early) -> Process:
        begun = self.clock.now
        if not early.done.processed:
            yield early.done
        if self.clock.now > begun:
            self._stall(begun, self.clock.now, f"first {edge.role} from {self._port(edge.source, 'read').name}")
            self.path = early.path

    # ---- the compute -----------------------------------------------------------------------------------------------

    def _compute(self) -> Process:
        plan, compute = self.plan, self.core.compute
        self.doing = "compute"
        waited: list[tuple[Pending, str]] = []
        while self.steps.value < plan.count:
            step = self.steps.value
            for flow in self.flows:
                following = flow.using + 1
                if following < flow.count and flow.first_step(following) == step:
                    if flow.stream.role == "output":
                        yield from self._await(flow.gone, following - flow.stream.copies + 1, flow)
                        if flow.returns(following):
                            yield from self._await(flow.ready, following + 1, flow)
                    else:
                        yield from self._await(flow.ready, following + 1, flow)
                    flow.using = following
            iterations = float(plan.iterations.item(step))
            cycles = plan.cycles.item(step)
            end = computed = compute.serve(cycles, self.path, "step", "compute", self.name)
            path, late = compute.path if cycles else self.path, ""
            for resource, share, bits in self.apart:
                resource.bits += bits * iterations
                self._inside(resource, share * iterations, computed)
            for port, share, bits, stream in self.demands:
                own: Ask = port, share * iterations, bits * iterations, stream
                if port.arbiter is None:
                    done = port.serve(own[1], self.path, "words of a step", "transfer", self.name, own[2], stream)
                    reached = port.path
                else:
                    done, reached, pending = self._ask((own,), self.path, "words of a step", "transfer")
                    if pending:
                        waited.append((pending, port.name))
                if done > end:
                    end, path, late = done, reached, port.name
            for pending, blamed in waited:
                done, reached = yield from pending.wait()
                if done > end:
                    end, path, late = done, reached, blamed
            waited.clear()
            if late:
                self._stall(computed, end, f"words of the step from {late}")
            self.walked += 1
            yield self.clock.until(end)
            self.path = path
            self.steps.grow(step + 1, path)
            if self.milestone and step + 1 >= self.milestone[0] and not self.milestone[1].triggered:
                self.milestone[1].succeed()
            if self.stepper and self.alone and self.alone():
                self.stepper.turned(step)

    def _inside(self, port: Resource, cycles: float, end: float) -> None:
        """A memory further inside works during a step, which leaves it the time."""
        start = max(self.clock.now, port.free_at)
        shown = min(start + ticks(cycles), end)
        port.busy += cycles
        if shown > start:
            port.free_at = shown
            self.core.log.append(Slice(port.name, start, shown, "words of a step", "transfer", self.name))

    def _await(self, counter: Counter, value: int, flow: Flow) -> Process:
        """The compute waits for a stream."""
        if counter.value >= value:
            return
        begun = self.clock.now
        self.doing = f"the compute, for {counter.name}"
        yield counter.reach(value)
        self.doing = "compute"
        if self.clock.now > begun:
            towards = "to" if counter is flow.gone else "from"
            self._stall(begun, self.clock.now, f"{flow.stream.role} {towards} {flow.blame}")
            self.path = counter.path

    # ---- tiles -----------------------------------------------------------------------------------------------------

    def _fetch(self, flow: Flow) -> Process:
        """Bring one tile after the other into the child as its room allows."""
        stream = flow.stream
        while flow.fetching < stream.count:
            if stream.role == "output":
                if not flow.returns(flow.fetching):
                    flow.fetching += 1
                    continue
                tile = flow.fetching
                needed = max(tile - stream.copies + 1, int(stream.after[tile]) + 1)
                yield from self._hold_fetch(flow, flow.gone, needed, f"room in {flow.child.name}")
            elif flow.fetching >= stream.copies:
                needed = int(stream.first_step[flow.fetching - stream.copies + 1])
                yield from self._hold_fetch(flow, self.steps, needed, f"room in {flow.child.name}")
            outer = flow.outer
            if outer is not None:
                tile = outer.tile_at(int(stream.first_step[flow.fetching]))
                if stream.role != "output" or outer.returns(tile):
                    yield from self._hold_fetch(flow, outer.ready, tile + 1, f"{stream.role} in {outer.child.name}")
            tile = flow.fetching
            yield from self._move(flow, flow.coming(tile), "fetch")
            flow.fetching += 1
            flow.ready.grow(flow.fetching, flow.fetch_path)

    def _hold_fetch(self, flow: Flow, counter: Counter, value: int, cause: str) -> Process:
        if counter.value < value:
            flow.source.wait(cause)
            flow.fetch_state = Wait(f"{cause} ({counter.name})", 0.0, self.clock.turn())
            yield counter.reach(value, (flow, "fetch"))
            flow.source.come(cause)
            flow.fetch_state = Wait()
            flow.fetch_path = counter.path

    def _leave(self, flow: Flow) -> Process:
        """Take one finished tile after the other up to the parent; the last one leaves after all steps."""
        stream = flow.stream
        while flow.leaving < stream.count - 1:
            over = int(stream.first_step[flow.leaving + 1])
            yield from self._hold_leave(flow, self.steps, over)
            if flow.inner is not None:
                over = int(stream.first_step[flow.leaving + 1])
                yield from self._hold_leave(flow, flow.inner.gone, flow.inner.tile_at(over - 1) + 1)
            tile = flow.leaving
            yield from self._move(flow, flow.going(tile), "write_back")
            flow.leaving += 1
            flow.gone.grow(flow.leaving, flow.leave_path)

    def _hold_leave(self, flow: Flow, counter: Counter, value: int) -> Process:
        if counter.value < value:
            flow.leave_state = Wait(counter.name, 0.0, self.clock.turn())
            yield counter.reach(value, (flow, "leave"))
            flow.leave_state = Wait()
            flow.leave_path = counter.path

    def _move(self, flow: Flow, asks: tuple[Ask, ...], kind: str) -> Process:
        """One tile over its ports, burst by burst so that others have their turns in between."""
        stream = flow.stream
        if stream.latency and not stream.halts:
            asks = self._with_latency((flow.sink, flow.back_source), asks, stream.latency)
        bursts = 1 if stream.halts else bursts_of(asks)
        part = tuple((port, cycles / bursts, bits / bursts, name) for port, cycles, bits, name in asks)
        for left in reversed(range(bursts)):
            if kind == "fetch":
                flow.fetch_left = left
            else:
                flow.leave_left = left
            yield from self._burst(flow, part, kind)

    def _burst(self, flow: Flow, asks: tuple[Ask, ...], kind: str) -> Process:
        """Part of a tile over its ports; where it halts the compute, after all others that do."""
        stream, fetch = flow.stream, kind == "fetch"
        path = flow.fetch_path if fetch else flow.leave_path
        while stream.halts and (self.halting or self.halted_until > self.clock.now):
            self._set_state(flow, fetch, Wait("the transfers before", self.halted_until, self.clock.turn()))
            yield self.halting or self.clock.until(self.halted_until)
            path = self.halted_path
        end, path, pending = self._ask(asks, path, f"{stream.role} tile", kind)
        if pending:
            self._set_state(flow, fetch, Wait("its turn at its ports"))
            if stream.halts:
                self.halting = self.clock.env.event()
            end, path = yield from pending.wait()
        if stream.latency and stream.halts:
            end, path = end + ticks(stream.latency), extended(path, flow.sink.place, ticks(stream.latency))
        if stream.halts:
            self.halted_until, self.halted_path = end, path
            if self.halting:
                self.halting.succeed()
                self.halting = None
        flow.blame = max(asks, key=lambda ask: ask[0].free_at)[0].name
        if fetch:
            flow.fetch_path = path
        else:
            flow.leave_path = path
        if pending or end > self.clock.now:
            self._set_state(flow, fetch, Wait("its ports", end, self.clock.turn()))
            if end > self.clock.now:
                yield self.clock.until(end)
        self._set_state(flow, fetch, Wait())

    @staticmethod
    def _set_state(flow: Flow, fetch: bool, state: Wait) -> None:
        if fetch:
            flow.fetch_state = state
        else:
            flow.leave_state = state

    @staticmethod
    def _with_latency(ports: tuple[Port, Port], asks: tuple[Ask, ...], latency: float) -> tuple[Ask, ...]:
        """A memory with a latency serves nobody else during it, at neither of its ports."""
        both = {id(port): port for port in ports}
        listed = [
            (port, cycles + latency * (both.pop(id(port), None) is not None), bits, stream)
            for port, cycles, bits, stream in asks
        ]
        return (*listed, *((port, latency, 0.0, "") for port in both.values()))
