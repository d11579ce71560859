"""Requests on a device, event by event: arrivals, one queue, servers that work, wait and sleep.

Processes: a source per kind of arrivals (a client each in a closed loop) and a server per device or core. A free
server takes the next request at once, so the queue is work conserving; among several free ones the one that became
free last takes it, which wakes the fewest. At one instant what ends comes before what arrives. Only a batch that may
still grow waits beside a free server.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from ...errors import BadInput, CannotDo
from .arrivals import Arrivals, ClosedLoop, Merged
from .checks import checked_number, checked_whole
from .demand import Networks
from .power import STATES, PowerMeter, PowerModel, total_energy
from .profiles import Profile
from .queueing import Batching, Discipline, Drop, Policy, RequestQueue
from .recorder import Log, Slice
from .served import NOT_SERVED, REASONS, Served
from .workload import Workload

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    Process = Generator[simpy.Event, Any, None]
    Progress = Callable[[int, int], None]

__all__ = ["serve_requests"]

_MOST_SLICES = 20_000
_MOST_SERVERS = 100_000
_MOST_AT_ONCE = 100_000  # requests of a closed loop in one instant, before it is taken to stand still
_PARTS = 1000  # of a run that is bounded by time alone, for its progress


def serve_requests(
    profiles: Sequence[Profile],
    arrivals: Arrivals,
    *,
    servers: int = 1,
    policy: Policy = "fifo",
    capacity: int | None = None,
    drop: Drop = "drop_new",
    deadline_s: float | None = None,
    power: PowerModel | None = None,
    workload: Workload | Mapping[str, Workload] | None = None,
    batching: Batching | None = None,
    mix: Mapping[str, float] | None = None,
    requests: int | None = None,
    until_s: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Served:
    """Serve requests on ``servers`` equal devices behind one queue (see `Discipline`), from time 0 on.

    Profiles of one name are one network at several batch sizes; a batch runs on the smallest that holds it, or one
    request after the other where there is only one of batch 1. Requests that name no network are shared out as
    ``mix`` says (equally). ``workload`` holds for all networks or by name; ``power`` for each server (None: only the
    work costs energy). The run ends with the last of ``requests`` (or of the trace). With ``until_s`` it lasts
    exactly that long, events at its end left out: what is then unfinished is counted as such, the energy of begun
    work by the share done. ``progress`` is told how many of how many requests are through, or, where only the time
    bounds the run, thousandths of it. Draws depend on ``seed`` alone.

    Raises `BadInput` for anything above that cannot be used, `CannotDo` where a closed loop goes on without time
    passing.
    """
    checked_whole(servers, "servers", maximum=_MOST_SERVERS, remedy="give at least one")
    checked_whole(seed, "seed", minimum=0, remedy="a seed is a whole number from 0 on")
    _check_end(arrivals, requests, until_s)
    discipline = Discipline(policy, capacity, drop)
    batching = batching or Batching(1)
    if capacity is not None and batching.wait_s and capacity < batching.size:
        raise BadInput(
            f"capacity: a queue of {capacity} never holds a batch of {batching.size}; make it at least as large"
        )
    networks = Networks(profiles, workload, batching, mix, deadline_s, seed)
    networks.check(discipline, arrivals)
    floor = _Floor(networks, discipline, batching, power or PowerModel(), servers, requests, until_s, progress)
    floor.open(arrivals)
    floor.env.run(until=until_s)
    return floor.result(seed)


def _check_end(arrivals: Arrivals, requests: int | None, until_s: float | None) -> None:
    if not isinstance(arrivals, Arrivals):
        raise BadInput(f"arrivals: {arrivals!r} is none of the kinds; use parse_arrivals('100/s')")
    if requests is not None:
        checked_whole(requests, "requests", remedy="serve at least one")
    if until_s is not None:
        checked_number(until_s, "until_s", positive=True, remedy="a run lasts longer than 0 s")
    if requests is None and until_s is None and arrivals.requests is None:
        raise BadInput("the requests never end; say how many to serve or until when")


class _Server:
    """One device: waits for a job (requests of one network), wakes up, works, hands them back."""

    def __init__(self, floor: _Floor, number: int) -> None:
        self.floor, self.number, self.track = floor, number, f"server {number}"
        self.meter = PowerMeter(floor.power)
        self.job: list[int] = []
        self.begun_s, self.work_s = math.nan, 0.0
        self._call: simpy.Event | None = None

    def take(self, job: list[int]) -> None:
        """Give a free server its requests."""
        self.job = job
        if self._call is not None:
            self._call.succeed()
            self._call = None

    def run(self, env: simpy.Environment) -> Process:
        """The process."""
        while True:
            if not self.job:
                self._call = env.event()
                yield self._call
            called_s = env.now
            asleep, wake_s = self.meter.call(called_s)
            if wake_s:
                yield env.timeout(wake_s)
                self.floor.write(Slice(self.track, called_s, env.now, f"wake ({asleep})", "wake", ""))
            self.meter.enter("active", env.now)
            self.begun_s, self.work_s = env.now, self.floor.begin(self.job, self.number)
            yield env.timeout(self.work_s)
            self.meter.enter("idle", env.now)
            self.draw(env.now)
            job, self.job, self.begun_s = self.job, [], math.nan
            self.floor.end(self, job)

    def draw(self, now_s: float) -> None:
        """Put the work up to now into the log."""
        network = self.floor.networks.base[self.floor.network[self.job[0]]]
        middle = min(self.begun_s + network.overhead_s, now_s)
        name = f"{network.name} {self.job[0]}" + (f" +{len(self.job) - 1}" if len(self.job) > 1 else "")
        if network.overhead_s:
            self.floor.write(Slice(self.track, self.begun_s, middle, name, "overhead", network.name))
        if now_s > middle:
            self.floor.write(Slice(self.track, middle, now_s, name, "compute", network.name))

    def close(self, end_s: float) -> None:
        """Book what is under way when the run ends."""
        if self.job and not math.isnan(self.begun_s):
            self.draw(end_s)
            for request in self.job:
                self.floor.exit_stage[request] = NOT_SERVED
                self.floor.work_j[request] *= (end_s - self.begun_s) / self.work_s if self.work_s else 1.0
        self.meter.enter("idle", end_s)


class _Floor:
    """The queue, the servers and the record of every request."""

    def __init__(
        self,
        networks: Networks,
        discipline: Discipline,
        batching: Batching,
        power: PowerModel,
        servers: int,
        requests: int | None,
        until_s: float | None,
        progress: Progress | None,
    ) -> None:
        self.env = simpy.Environment()
        self.networks, self.discipline, self.batching, self.power = networks, discipline, batching, power
        self.queue = RequestQueue(len(networks.names), batching)
        self.servers = [_Server(self, number) for number in range(servers)]
        self.free = self.servers[::-1]  # the last one became free last
        self.most, self.until_s, self.progress = requests, until_s, progress
        self.network: list[int] = []
        self.number: list[int] = []  # which of its network's requests it is
        self.arrival: list[float] = []
        self.start: list[float] = []
        self.left: list[float] = []
        self.deadline: list[float] = []
        self.dropped: list[int] = []
        self.server: list[int] = []
        self.exit_stage: list[int] = []
        self.work_j: list[float] = []
        self.come = [0] * len(networks.names)
        self.gone, self.waiting = 0, 0
        self.area_system = self.area_waiting = self.seen_s = 0.0
        self.answers: dict[int, simpy.Event] = {}
        self.log: Log = []
        self.log_complete = True
        self.step = 1

    # ---- processes

    def open(self, arrivals: Arrivals) -> None:
        """Start every process."""
        for server in self.servers:
            self.env.process(server.run(self.env))
        known = arrivals.requests
        total = self.most if known is None else min(known, self.most or known)
        self.total = total
        self.step = max(1, (total or 0) // 100)
        parts = arrivals.parts if isinstance(arrivals, Merged) else (("", arrivals),)
        for stream, (name, part) in enumerate(parts):
            network = self.networks.index[name] if name else None
            if isinstance(part, ClosedLoop):
                for _ in range(part.clients):
                    self.env.process(self._client(part.think_s, network))
                continue
            rng = np.random.default_rng(np.random.SeedSequence(self.networks.seed, spawn_key=(0, stream)))
            self.env.process(self._source(part.times(rng), network))
        if self.progress and total is None:
            self.env.process(self._clock(self.progress))

    def _source(self, times: Iterator[tuple[float, str]], network: int | None) -> Process:
        env, index = self.env, self.networks.index
        for time_s, name in times:
            if self._full():
                return
            if time_s > env.now:
                yield env.timeout(time_s - env.now)
            yield from self._come(index[name] if name else network)

    def _client(self, think_s: float, network: int | None) -> Process:
        last_s, at_once = -1.0, 0
        while not self._full():
            at_once = at_once + 1 if self.env.now == last_s else 0
            last_s = self.env.now
            if at_once > _MOST_AT_ONCE:
                raise CannotDo(
                    f"a client of the closed loop has sent {at_once} requests at {last_s:g} s without time passing: "
                    "each is refused at once or takes no time; give a think time, a longer queue or their number"
                )
            request = yield from self._come(network)
            if request is not None and math.isnan(self.left[request]):
                self.answers[request] = self.env.event()
                yield self.answers[request]
            if think_s and not self._full():
                yield self.env.timeout(think_s)

    def _come(self, network: int | None) -> Generator[simpy.Event, Any, int | None]:
        """A request comes after what ends at the same instant, unless there are enough."""
        if self.env.peek() <= self.env.now:
            yield self.env.timeout(0.0)
        return None if self._full() else self.arrive(network)

    def _clock(self, progress: Progress) -> Process:
        for part in range(_PARTS):
            progress(part, _PARTS)
            yield self.env.timeout((self.until_s or 0.0) / _PARTS)

    def _full(self) -> bool:
        return self.most is not None and len(self.arrival) >= self.most

    # ---- what happens

    def arrive(self, network: int | None) -> int:
        """A request comes; its number."""
        now_s, request = self.env.now, len(self.arrival)
        at = self.networks.of(request) if network is None else network
        deadline_s = now_s + self.networks.deadlines[at]
        self._tick(now_s)
        self.waiting += 1
        self.network.append(at)
        self.number.append(self.come[at])
        self.come[at] += 1
        self.arrival.append(now_s)
        self.start.append(math.nan)
        self.left.append(math.nan)
        self.deadline.append(deadline_s)
        self.dropped.append(0)
        self.server.append(-1)
        self.exit_stage.append(NOT_SERVED)
        self.work_j.append(0.0)
        self.queue.put(request, at, self.discipline.key(self.networks.base[at], deadline_s), now_s)
        if self.free:
            self._assign()
        capacity = self.discipline.capacity
        if capacity is not None and len(self.queue) > capacity:
            victim = self.queue.oldest() if self.discipline.drop == "drop_oldest" else request
            self.queue.remove(victim, self.network[victim])
            self._lose(victim, "full" if victim == request else "displaced")
        if self.batching.wait_s:
            # The queue has the batch ready at arrival + wait, summed as the timeout sums it: neither is early.
            self.env.timeout(self.batching.wait_s).callbacks.append(lambda _: self._assign())
        return request

    def _assign(self) -> None:
        """Give waiting requests to free servers for as long as there are both."""
        now_s, late = self.env.now, self.discipline.drop == "drop_late"
        while self.free and (network := self.queue.next_network(now_s)) is not None:
            job: list[int] = []
            while len(job) < self.batching.size and self.queue.count(network):
                request = self.queue.take(network)
                if late and now_s > self.deadline[request]:
                    self._lose(request, "late")
                else:
                    job.append(request)
            if job:
                self.free.pop().take(job)

    def begin(self, job: list[int], server: int) -> float:
        """The work on a job begins; how long it takes."""
        now_s = self.env.now
        self._tick(now_s)
        self.waiting -= len(job)
        draws = self.networks.runs[self.network[job[0]]][len(job) - 1]
        together = draws.profile.batch > 1
        longest = total = 0.0
        for request in job:
            seconds, joules, stage = draws.of(self.number[request])
            longest, total = max(longest, seconds), total + seconds
            self.start[request], self.server[request], self.exit_stage[request] = now_s, server, stage
            # A run of a whole batch costs what its members, each standing for all, cost in the mean.
            self.work_j[request] = joules / len(job) if together else joules
        return draws.profile.overhead_s + (longest if together else total)

    def end(self, server: _Server, job: list[int]) -> None:
        """A job is done."""
        now_s = self.env.now
        self._tick(now_s)
        for request in job:
            self._leave(request, now_s)
        self.free.append(server)
        self._assign()

    def _lose(self, request: int, reason: str) -> None:
        self._tick(self.env.now)
        self.waiting -= 1
        self.dropped[request] = 1 + REASONS.index(reason)
        self._leave(request, self.env.now)

    def _leave(self, request: int, now_s: float) -> None:
        self.left[request] = now_s
        self.gone += 1
        if request in self.answers:
            self.answers.pop(request).succeed()
        if self.progress and self.total is not None and self.gone % self.step == 0:
            self.progress(self.gone, self.total)

    def _tick(self, now_s: float) -> None:
        """Count the requests present since the last event."""
        gap_s = now_s - self.seen_s
        self.area_system += gap_s * (len(self.arrival) - self.gone)
        self.area_waiting += gap_s * self.waiting
        self.seen_s = now_s

    def write(self, entry: Slice) -> None:
        """A slice for the log, while there is room."""
        if len(self.log) < _MOST_SLICES:
            self.log.append(entry)
        else:
            self.log_complete = False

    # ---- the end

    def result(self, seed: int) -> Served:
        """The record of the whole run."""
        end_s = self.seen_s if self.until_s is None else self.until_s
        self._tick(end_s)
        for server in self.servers:
            server.close(end_s)
        meters = [server.meter for server in self.servers]
        seconds = {state: math.fsum(meter.seconds[state] for meter in meters) for state in STATES}
        wakes = {state: sum(meter.wakes[state] for meter in meters) for state in STATES}
        energy_j, energy = total_energy(self.power, math.fsum(self.work_j), seconds, wakes)
        dropped, left_s = np.array(self.dropped, np.int64), np.array(self.left)
        if self.progress:
            done = (_PARTS, _PARTS) if self.total is None else (self.gone, self.total)
            self.progress(*done)
        return Served(
            networks=self.networks.names,
            stages=tuple(tuple(stage.name for stage in one.stages) for one in self.networks.base),
            servers=len(self.servers),
            policy=self.discipline.policy,
            seed=seed,
            end_s=end_s,
            profile=np.array(self.network, np.int64),
            arrival_s=np.array(self.arrival),
            start_s=np.array(self.start),
            finish_s=np.where(dropped > 0, math.nan, left_s),
            left_s=left_s,
            dropped=dropped,
            deadline_s=np.array(self.deadline),
            server=np.array(self.server, np.int64),
            exit_stage=np.array(self.exit_stage, np.int64),
            work_j=np.array(self.work_j),
            area_in_system=self.area_system,
            area_waiting=self.area_waiting,
            energy_j=energy_j,
            energy=energy,
            seconds=seconds,
            wakes=wakes,
            log=self.log,
            log_complete=self.log_complete,
        )
