"""A resource that several clients share: first come first served, in turns, or by priority.

The server never idles while somebody waits. Work is handed out in chunks, but a chunk only matters while others wait:
whoever is alone is served in one go, and cut at the end of the chunk in which a rival arrives. An uninterrupted piece
of service is thus two events, however long it is.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import simpy

from ...errors import BadInput, UnknownName

__all__ = ["Arbiter", "Policy"]

Policy = Literal["fifo", "round_robin", "priority"]


@dataclass
class _Job:
    """What a client asked for; ``left`` cycles of it remain, ``first`` is when its service began."""

    client: Hashable
    left: float
    priority: float
    number: int
    done: simpy.Event
    told: Callable[[float, float], None] | None = None
    first: float = math.nan


class _Waiting(Protocol):
    """Who waits; a job that is being served is not in here."""

    def add(self, job: _Job) -> None:
        """A new job, behind those of its like."""

    def again(self, job: _Job) -> None:
        """A job whose turn is over and that needs more (or has ended, with none left)."""

    def take(self) -> _Job | None:
        """Whose turn it is."""

    def rivals(self, job: _Job) -> bool:
        """Whether somebody here may have the server before ``job`` has ended."""


class _Line:
    """By priority, the lower number first, and by arrival among equals."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, _Job]] = []

    def add(self, job: _Job) -> None:
        heapq.heappush(self.heap, (job.priority, job.number, job))

    def again(self, job: _Job) -> None:
        if job.left:
            self.add(job)

    def take(self) -> _Job | None:
        return heapq.heappop(self.heap)[2] if self.heap else None

    def rivals(self, job: _Job) -> bool:
        return bool(self.heap) and self.heap[0][0] < job.priority


class _Ring:
    """Clients by turns, each with its own jobs by arrival."""

    def __init__(self) -> None:
        self.turns: deque[Hashable] = deque()
        self.jobs: dict[Hashable, deque[_Job]] = {}
        self.serving: list[Hashable] = []

    def add(self, job: _Job) -> None:
        line = self.jobs.setdefault(job.client, deque())
        if not line and job.client not in self.serving:
            self.turns.append(job.client)
        line.append(job)

    def again(self, job: _Job) -> None:
        self.serving.clear()
        line = self.jobs[job.client]
        if job.left:
            line.appendleft(job)
        if line:
            self.turns.append(job.client)

    def take(self) -> _Job | None:
        if not self.turns:
            return None
        self.serving.append(self.turns.popleft())
        return self.jobs[self.serving[0]].popleft()

    def rivals(self, job: _Job) -> bool:
        return bool(self.turns)


def _unstretched(start: float, cycles: float) -> float:
    return start + cycles


class Arbiter:
    """One server for several clients.

    ``fifo`` serves each request whole, in order of arrival. ``round_robin`` gives clients ``chunk_cycles`` of service
    by turns. ``priority`` serves the lowest number first and, at the end of a chunk, leaves a request for a more urgent
    one. ``stretch(start, cycles)`` says when so much service that begins at ``start`` ends (a DRAM's refresh lies in
    between; absent: at once after those cycles); it must grow with both. ``on_served(client, start, end)`` is told
    every uninterrupted piece of service. ``busy`` are the cycles of service given so far, ``served`` those by client.
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        policy: Policy = "fifo",
        chunk_cycles: float = math.inf,
        name: str = "resource",
        stretch: Callable[[float, float], float] = _unstretched,
        on_served: Callable[[Hashable, float, float], None] | None = None,
    ) -> None:
        if policy not in get_args(Policy):
            raise UnknownName("arbitration policy", policy, get_args(Policy))
        if not chunk_cycles > 0.0:
            raise BadInput(f"{name}: chunks of {chunk_cycles:g} cycles would never end a job; make them positive")
        self.env, self.name = env, name
        self.busy = 0.0
        self.served: dict[Hashable, float] = {}
        self._fifo, self._chunk, self._stretch, self._on_served = policy == "fifo", chunk_cycles, stretch, on_served
        self._waiting: _Waiting = _Ring() if policy == "round_robin" else _Line()
        self._job: _Job | None = None  # being served since _start, for _work cycles
        self._start = self._work = 0.0
        self._jobs = self._timers = 0

    @property
    def idle(self) -> bool:
        """Whether nobody is being served."""
        return self._job is None

    def request(
        self,
        client: Hashable,
        cycles: float,
        priority: float = 0,
        told: Callable[[float, float], None] | None = None,
    ) -> simpy.Event:
        """Ask for so many cycles of service; the event comes at their end, its value is (first start, end).

        ``told(start, end)`` hears of every uninterrupted piece of service that this request gets. Raises `BadInput` for
        a number of cycles that is negative or not finite.
        """
        if not (cycles >= 0.0 and math.isfinite(cycles)):
            raise BadInput(f"{self.name}: '{client}' asks for {cycles:g} cycles; give a finite number, zero or more")
        self._jobs += 1
        job = _Job(client, cycles, 0 if self._fifo else priority, self._jobs, self.env.event(), told)
        self._waiting.add(job)
        if self._job is None:
            self._next()
        elif self._waiting.rivals(self._job):
            self._cut(self._job)
        return job.done

    def _next(self) -> None:
        """Begin with whoever's turn it is: for a chunk if there are rivals, else to the end."""
        job = self._job = self._waiting.take()
        if job is None:
            return
        self._start = self.env.now
        if math.isnan(job.first):
            job.first = self._start
        self._serve(min(self._chunk, job.left) if self._waiting.rivals(job) else job.left)

    def _serve(self, work: float) -> None:
        """Let the present piece end after ``work`` cycles of service; a timer set before no longer counts."""
        self._work = work
        self._timers += 1
        wait = self._stretch(self._start, work) - self.env.now
        self.env.timeout(max(0.0, wait), self._timers).callbacks.append(self._ended)

    def _cut(self, job: _Job) -> None:
        """Let the present piece end with the chunk that is under way."""
        if math.isinf(self._chunk):
            return
        most = max(1, math.ceil((self.env.now - self._start) / self._chunk))  # refreshes only make it fewer
        ends = range(1, most + 1)
        chunks = 1 + bisect_left(ends, self.env.now, key=lambda count: self._stretch(self._start, count * self._chunk))
        if chunks * self._chunk < self._work:
            self._serve(chunks * self._chunk)

    def _ended(self, timer: simpy.Event) -> None:
        job = self._job
        if timer.value != self._timers or job is None:
            return
        job.left = 0.0 if self._work >= job.left else job.left - self._work
        self.busy += self._work
        self.served[job.client] = self.served.get(job.client, 0.0) + self._work
        if self._on_served is not None:
            self._on_served(job.client, self._start, self.env.now)
        if job.told is not None:
            job.told(self._start, self.env.now)
        self._waiting.again(job)
        if not job.left:
            job.done.succeed((job.first, self.env.now))
        self._next()
