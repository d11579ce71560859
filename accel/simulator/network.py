"""Jobs on cores: each core takes the next job that is ready, and several share the outermost memories.

Which job a core takes next is decided by `dispatch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from ...errors import CannotDo
from ..accelerator import Accelerator, Memory
from .again import Course, Recording, idle
from .arbitration import Policy
from .asking import Ask, Pending, Port, served_by
from .dispatch import Queue
from .execution import Execution, Process
from .jobs import Job, PortWork
from .machine import Core
from .plan import Edge
from .recorder import Log, Slice
from .resources import Clock, Path, Resource

__all__ = ["Finished", "NetworkSimulation", "Progress"]

Progress = Callable[[int, int], None]


@dataclass
class Finished:
    """When a job ran, and what held it up; ``end`` is None while it runs."""

    job: Job
    core: int
    start: float
    path_before: Path
    end: float | None = None
    path: Path | None = None
    steps: int = 0
    walked: int = 0
    stalls: dict[str, float] | None = None


class NetworkSimulation:
    """All jobs of a simulation; `run` them, then read ``done``, ``cores``, ``log`` and the resources."""

    def __init__(
        self,
        accelerator: Accelerator,
        jobs: Sequence[Job],
        *,
        cores: int = 1,
        stepping: bool = True,
        prefetch: bool = False,
        arbitration: Policy = "fifo",
        until: float = float("inf"),
        progress: Progress | None = None,
    ) -> None:
        self.accelerator, self.jobs = accelerator, jobs
        self.stepping, self.prefetch, self.until, self.progress = stepping, prefetch, until, progress
        self.clock = Clock(simpy.Environment())
        self.log: Log = []
        self.shared: dict[str, Port] = {}
        prefixes = [f"core {number}: " if cores > 1 else "" for number in range(cores)]
        self.cores = [
            Core(self.clock, self.log, accelerator, self.shared, prefix, client=number, arbitration=arbitration)
            for number, prefix in enumerate(prefixes)
        ]
        self.memories = {memory.name: memory for memory in accelerator.memories}
        self.done: dict[int, Finished] = {}
        self.running: dict[int, Execution] = {}  # by core
        self.prepared: dict[int, Execution] = {}  # by job
        self.ahead = 0  # transfers for operators that have not begun
        self._queue = Queue(jobs)
        self._busy: set[int] = set()  # cores
        self._finished = 0
        self._courses: dict[int, Course] = {}  # by plan
        self._changed = self.clock.env.event()
        self._path: Path = {}

    # ---- the run ---------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Run until all is done, or ``until``; whether all is done. Raises `CannotDo` at a deadlock."""
        env = self.clock.env
        for number in range(len(self.cores)):
            env.process(self._work(number))
        while env.peek() != float("inf"):
            if env.peek() + self.clock.skipped > self.until:
                return False
            env.step()
        if self._finished < len(self.jobs):
            raise CannotDo(f"deadlock: {'; '.join(self._waits())}")
        return True

    def _waits(self) -> list[str]:
        running = [wait for execution in self.running.values() for wait in execution.waits()]
        waiting = [self.jobs[number].name for number in sorted(self._queue.waiting)]
        return running or [f"no core may take {', '.join(waiting[:5])}; check what they wait for"]

    def _alone(self) -> bool:
        return len(self.running) == 1 and not self.ahead and len(self._busy) == 1

    def _work(self, number: int) -> Process:
        """One core's process."""
        path: Path = {}
        while self._queue.waiting:
            chosen = self._queue.take(number)
            if chosen is None:
                yield self._changed
                path = self._path
                continue
            job = self.jobs[chosen]
            self._busy.add(number)
            entry = self.done[chosen] = Finished(job, number, self.clock.now, path)
            yield from self._job(number, chosen, entry)
            entry.end = self.clock.now
            path = self._path = entry.path or {}
            self._busy.discard(number)
            self._queue.over(chosen)
            self._finished += 1
            if self.progress:
                self.progress(self._finished, len(self.jobs))
            changed, self._changed = self._changed, self.clock.env.event()
            changed.succeed()

    # ---- one job ---------------------------------------------------------------------------------------------------

    def _job(self, number: int, chosen: int, entry: Finished) -> Process:
        job, core, path = entry.job, self.cores[number], entry.path_before
        if job.overhead:
            end = core.host.serve(job.overhead, path, "start", "overhead", job.name)
            path = core.host.path
            yield self.clock.until(end)
        entry.start, entry.path_before, entry.stalls = self.clock.now, path, {}
        for carry in job.carried:
            source = self.done[carry.producer].core
            if source != number:
                for owner, words in ((self.cores[source], carry.out), (core, carry.back)):
                    end, path, pending = self._move(owner, words, path, "carries", job.name)
                    if pending:
                        end, path = yield from pending.wait()
                    yield self.clock.until(end)
        if job.plan is not None:
            yield from self._contraction(number, chosen, entry, path)
        else:
            end, entry.path = yield from self._simple(core, job, entry, path)
            yield self.clock.until(end)

    def _contraction(self, number: int, chosen: int, entry: Finished, path: Path) -> Process:
        core, execution = self.cores[number], self._execution(number, chosen)
        self.running[number] = execution
        entry.stalls, entry.steps = execution.stalls, execution.plan.count
        if self.prefetch:
            self._look_ahead(number, chosen, execution)
        yield from self._run(execution, path)
        del self.running[number]
        self.prepared.pop(chosen, None)
        entry.path, entry.walked = execution.path, execution.walked
        self._hidden(core, entry.job, entry.start)

    def _run(self, execution: Execution, path: Path) -> Process:
        """Run an execution, or play what an equal one did before; see `again`."""
        repeats = self.stepping and len(self.cores) == 1 and not self.prefetch and math.isinf(self.until)
        repeats = repeats and not any(memory.timing for memory in self.accelerator.memories)  # rows stay open, refresh
        if not repeats or not idle(self.resources, self.clock.now):
            yield from execution.run(path)
        elif id(execution.plan) in self._courses:
            self._courses[id(execution.plan)].play(execution, path)
        else:
            recording = Recording(execution, path)
            yield from execution.run(path)
            self._courses[id(execution.plan)] = recording.course()

    def _execution(self, number: int, chosen: int) -> Execution:
        """The execution of a job, which may have been prepared while another ran."""
        job = self.jobs[chosen]
        if chosen in self.prepared:
            return self.prepared[chosen]
        if job.plan is None:
            raise CannotDo(f"{job.name} has no plan")
        execution = Execution(self.cores[number], job.plan, job.name, self._alone, stepping=self.stepping)
        execution.until = self.until
        return execution

    def _look_ahead(self, number: int, chosen: int, running: Execution) -> None:
        """Let the first weights of the contraction that comes next on this core come in as soon as there is room."""
        following = self._queue.contraction(number, self.jobs[chosen].network)
        if following is None or following in self.prepared or running.plan.hidden_ends:
            return
        execution = self.prepared[following] = self._execution(number, following)
        for edge in execution.plan.fills:
            outermost = edge.source == min(one.source for one in execution.plan.fills if one.role == edge.role)
            if edge.role != "weight" or not outermost or not execution.fits_beside(running, edge):
                continue
            room = running.leave_room(edge)
            if room is not None:
                self.clock.env.process(self._ahead(execution, edge, room, running))

    def _ahead(self, execution: Execution, edge: Edge, room: simpy.Event, running: Execution) -> Process:
        """A transfer for an operator that has not begun; nothing is stepped over while it is under way."""
        early = execution.fetch_early(edge, room, lambda: running.path)
        yield next(early)
        self.ahead += 1
        yield from early
        self.ahead -= 1

    def _hidden(self, core: Core, job: Job, start: float) -> None:
        """Fused operators work while their producer does; shown one behind the other before its end."""
        begun, shown = self.clock.now, []
        for name, cycles in reversed(job.fused):
            length = min(cycles, begun - max(start, core.vector.free_at))
            if length > 0.0:
                shown.append(Slice(core.vector.name, begun - length, begun, "fused", "vector", name))
                begun -= length
        self.log.extend(reversed(shown))
        core.vector.busy += self.clock.now - begun
        core.vector.free_at = self.clock.now

    def _simple(
        self, core: Core, job: Job, entry: Finished, path: Path
    ) -> Generator[simpy.Event, Any, tuple[float, Path]]:
        """A vector operator, or work of the host or its link: all it asks for begins at once."""
        start, before = self.clock.now, path
        end, path, pending = self._move(core, job.words, before, job.kind, job.name)
        served = []
        for resource, cycles, kind in (
            (core.vector, job.computing, "vector"),
            (core.host, job.hosted, "host"),
            (core.link, job.linked, "transfer"),
        ):
            if cycles:
                done = resource.serve(cycles, before, job.kind, kind, job.name)
                served.append((resource, done, resource.path))
        if pending:
            end, path = yield from pending.wait()
        for resource, done, reached in served:
            if resource is core.vector and done < end:
                self._stall(core, done, end, path, entry)
            if done > end:
                end, path = done, reached
        if not job.computing and not job.hosted and not job.linked and end > start:
            self._stall(core, start, end, path, entry)
        return end, path

    def _stall(self, core: Core, start: float, end: float, path: Path, entry: Finished) -> None:
        """The vector unit waits for words."""
        before = entry.path_before
        cause = max(path, key=lambda name: path[name] - before.get(name, 0.0), default="words")
        if start >= core.vector.free_at and entry.stalls is not None:
            self.log.append(Slice(core.vector.name, start, end, "waits", "stall", entry.job.name, cause))
            entry.stalls[cause] = entry.stalls.get(cause, 0.0) + end - start
            core.vector.free_at = end

    def _move(
        self, core: Core, words: Sequence[PortWork], path: Path, name: str, op: str
    ) -> tuple[float, Path, Pending | None]:
        """Ask the ports for words, see `Core.ask`."""
        asks: list[Ask] = [
            (core.port(self._memory(work.memory), work.way), work.cycles, work.bits, "") for work in words
        ]
        alone = core.arbitration != "fifo" and self._alone()
        return core.ask(asks, path, (name, "transfer", op), alone=alone)

    def _memory(self, name: str) -> Memory:
        return self.memories[name]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Each resource once: the cores' own, then the shared ones."""
        found = {id(resource): resource for core in self.cores for resource in core.resources}
        shared = {id(resource): resource for resource in served_by(self.shared.values())}
        return (*(one for key, one in found.items() if key not in shared), *shared.values())
