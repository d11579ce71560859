"""What the simulated processes share: a clock, resources that serve one request at a time, counters to wait for.

A resource is a server in the order of arrival: a request begins when it comes or when the one before ends, and its end
is known at once, so that one event of the simulation is enough for a transfer over several resources. Where rivals take
turns at it (`Resource.arbitrate`), an end is known when it comes. `Path` says which resources a moment had to wait for:
along the critical path to it, cycles by resource; its values sum to the moment.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TypeAlias

import simpy

from .arbitration import Arbiter, Policy
from .recorder import Log, Slice

__all__ = ["Clock", "Counter", "Path", "Resource", "extended", "ticks"]

TICKS_PER_CYCLE = 1 << 24

Path: TypeAlias = Mapping[str, float]


def extended(path: Path, name: str, cycles: float) -> Path:
    """The path with so many more cycles at a resource."""
    return {**path, name: path.get(name, 0.0) + cycles} if cycles else path


def ticks(cycles: float) -> float:
    """Cycles rounded up to whole ticks: sums of them are exact, so that what happens at once is seen as such."""
    return math.ceil(cycles * TICKS_PER_CYCLE) / TICKS_PER_CYCLE


class Clock:
    """Time in cycles: the events' own plus what has been stepped over, see `stepping`."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.skipped, self._turns = env, 0.0, 0

    @property
    def now(self) -> float:
        """Cycles since the start."""
        return self.env.now + self.skipped

    def turn(self) -> int:
        """A larger number at every call: who began to wait earlier goes on first."""
        self._turns += 1
        return self._turns

    def until(self, moment: float) -> simpy.Event:
        """An event at a moment that is not past."""
        return self.env.timeout(max(0.0, moment - self.now))


class Counter:
    """A number that only grows; processes wait until it reaches a value. ``path`` is that of its last growth."""

    def __init__(self, clock: Clock, name: str) -> None:
        self.clock, self.name, self.value = clock, name, 0
        self.path: Path = {}
        self.waiting: list[tuple[int, simpy.Event, object]] = []

    def grow(self, value: int, path: Path) -> None:
        """Let those go on that wait for this value or a smaller one."""
        self.value, self.path = value, path
        if self.waiting:
            due = [event for threshold, event, _ in self.waiting if threshold <= value]
            self.waiting = [one for one in self.waiting if one[0] > value]
            for event in due:
                event.succeed()

    def reach(self, value: int, who: object = None) -> simpy.Event:
        """An event for the moment the counter reaches ``value``, which it has not yet."""
        event = self.clock.env.event()
        self.waiting.append((value, event, who))
        return event

    def shift(self, by: int, path: Path, staying: Collection[object] = ()) -> None:
        """Step over so much growth; those that wait, wait for as much more, but for those ``staying``."""
        self.value, self.path = self.value + by, path
        self.waiting = [(value + by * (who not in staying), event, who) for value, event, who in self.waiting]


class Resource:
    """A server in order of arrival, with its track in the log; paths name it by ``place`` (absent: like the track).

    ``busy`` cycles so far; ``held`` cycles in which it served nobody though someone meant to come and waited for
    something else, by what that was.
    """

    def __init__(self, clock: Clock, log: Log, name: str, place: str = "") -> None:
        self.clock, self.log, self.name, self.place = clock, log, name, place or name
        self.free_at = self.busy = self.bits = 0.0
        self.path: Path = {}
        self.held: dict[str, float] = {}
        self.arbiter: Arbiter | None = None
        self._waiting: dict[str, int] = {}  # who means to come, by what is waited for
        self._seen = 0.0  # up to when `held` is counted

    # ---- in order of arrival ---------------------------------------------------------------------------------------

    def serve(
        self, cycles: float, path: Path, name: str, kind: str, op: str, bits: float = 0.0, stream: str = ""
    ) -> float:
        """Take a request of so many cycles; returns when it ends. ``path`` leads to now; to which stream the bits
        belong makes no difference here.
        """
        self.bits += bits
        now = self.clock.now
        if cycles <= 0.0:
            return now
        if self.free_at > now:
            start, path = self.free_at, self.path
        else:
            self.account()
            start = now
        end = self.end_of(start, ticks(cycles))
        self.log.append(Slice(self.name, start, end, name, kind, op))
        self.busy += end - start
        self.free_at, self.path = end, extended(path, self.place, end - start)
        return end

    def end_of(self, start: float, cycles: float) -> float:
        """When so much service that begins at ``start`` ends."""
        return start + cycles

    # ---- among rivals ----------------------------------------------------------------------------------------------

    def arbitrate(self, policy: Policy, chunk_cycles: float) -> None:
        """From now on clients that `request` are served by this policy, see `Arbiter`."""
        chunk = ticks(chunk_cycles) if math.isfinite(chunk_cycles) else math.inf
        self.arbiter = Arbiter(
            self.clock.env, policy=policy, chunk_cycles=chunk, name=self.name, stretch=self._stretched
        )

    @property
    def contested(self) -> bool:
        """Whether somebody's request is under way whose end is not known."""
        return self.arbiter is not None and not self.arbiter.idle

    def request(
        self, arbiter: Arbiter, client: int, priority: float, cycles: float, labels: tuple[str, str, str], bits: float
    ) -> simpy.Event:
        """Like `serve`, by turns: an event at the end. ``labels`` are the slices' (name, kind, op)."""
        self.bits += bits
        self.account()

        def served(start: float, end: float) -> None:
            begin, over = max(start + self.clock.skipped, self.free_at), end + self.clock.skipped
            self.log.append(Slice(self.name, begin, over, *labels))
            self.busy += over - begin
            self.free_at = self._seen = over

        return arbiter.request(client, ticks(cycles), priority, served)

    def _stretched(self, start: float, cycles: float) -> float:
        """`end_of` in the time of the events; requests whose ends are known come first."""
        skipped = self.clock.skipped
        return self.end_of(max(start + skipped, self.free_at), cycles) - skipped

    # ---- who waits -------------------------------------------------------------------------------------------------

    def account(self) -> None:
        """Bring `held` up to now."""
        now = self.clock.now
        if self._waiting and not self.contested:
            idle = now - max(self._seen, self.free_at)
            if idle > 0.0:
                cause = next(iter(self._waiting))
                self.held[cause] = self.held.get(cause, 0.0) + idle
        self._seen = max(self._seen, now)

    def wait(self, cause: str) -> None:
        """Someone would come but waits for ``cause``."""
        self.account()
        self._waiting[cause] = self._waiting.get(cause, 0) + 1

    def come(self, cause: str) -> None:
        """The wait is over."""
        self.account()
        self._waiting[cause] -= 1
        if not self._waiting[cause]:
            del self._waiting[cause]

    def state(self, now: float) -> tuple[object, ...]:
        """What decides how it goes on, relative to ``now``."""
        return (self.name, max(0.0, self.free_at - now), tuple(self._waiting.items()))

    def totals(self) -> tuple[float, float, dict[str, float]]:
        """(busy, bits, held) so far, for `stepping`."""
        self.account()
        return self.busy, self.bits, dict(self.held)

    def add(self, busy: float, bits: float, held: dict[str, float]) -> None:
        """Let so much more have happened while nobody was being served."""
        self.busy, self.bits = self.busy + busy, self.bits + bits
        for cause, cycles in held.items():
            self.held[cause] = self.held.get(cause, 0.0) + cycles

    def quiet_until(self, since: float) -> float:
        """The moment up to which it serves as it has since then, whatever the hour."""
        return -math.inf if self.contested else math.inf

    def skip(self, before: tuple[float, float, dict[str, float]], times: int, cycles: float, path: Path) -> None:
        """Let what has been added since ``before`` happen ``times`` more times, within so many cycles."""
        busy, bits, held = before
        self.busy += times * (self.busy - busy)
        self.bits += times * (self.bits - bits)
        for cause, total in list(self.held.items()):
            self.held[cause] = total + times * (total - held.get(cause, 0.0))
        if self.busy > busy or self.free_at > self.clock.now:  # else it has rested since, and still does
            self.free_at += cycles
        self._seen += cycles
        self.path = path
