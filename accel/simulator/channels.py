"""A DRAM's channels as resources: transfers split into bursts, rows that are opened, refresh.

Bursts go to the channels by turns, each transfer's first to the channel behind the last one's. A transfer begins a row
of its own. Words of a stream are split evenly; it goes on in its row unless the channel served somebody else in
between (with rivals: was asked by somebody else; rows that turns within a transfer close are not counted).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import simpy

from .arbitration import Arbiter, Policy
from .dram import DramCycles, bursts, channel_cycles, split, stream_cycles, with_refresh
from .recorder import Log
from .resources import Clock, Path, Resource, ticks

__all__ = ["Channel", "Channels"]


class Channel(Resource):
    """One channel; ``row`` is the stream whose row is open ("" after a transfer)."""

    def __init__(self, clock: Clock, log: Log, name: str, owner: Channels) -> None:
        super().__init__(clock, log, name, owner.name)
        self.owner, self.row = owner, ""

    def end_of(self, start: float, cycles: float) -> float:
        """When so much service that begins at ``start`` ends, refreshes included."""
        return ticks(with_refresh(self.owner.timing, start, cycles))

    def state(self, now: float) -> tuple[object, ...]:
        """What decides how it goes on until the next refresh."""
        return (*super().state(now), self.row, self.owner.turn)

    def quiet_until(self, since: float) -> float:
        """The next refresh; long ago if one came since then, or what is under way reaches into it."""
        timing = self.owner.timing
        quiet = super().quiet_until(since)
        if math.isinf(timing.refresh_interval) or not timing.refresh_time or quiet < since:
            return quiet
        past = math.floor(since / timing.refresh_interval)
        if past and since < past * timing.refresh_interval + timing.refresh_time:
            return -math.inf
        return (past + 1) * timing.refresh_interval


class Channels:
    """A memory with a `DramTiming`: its channels behind the face of one `Resource`; ``turn`` is whose turn is next."""

    def __init__(self, clock: Clock, log: Log, name: str, timing: DramCycles) -> None:
        self.clock, self.name, self.place = clock, name, name
        self.timing = _in_ticks(timing)
        count, self.turn = timing.channels, 0
        names = [name] if count == 1 else [f"{name} channel {number}" for number in range(count)]
        self.channels = tuple(Channel(clock, log, one, self) for one in names)
        self.arbiter: Arbiter | None = None
        self.bits = 0.0
        self.path: Path = {}
        self._known: dict[tuple[float, float, bool, bool], float] = {}

    @property
    def free_at(self) -> float:
        """When the last channel has served what is known."""
        return max(channel.free_at for channel in self.channels)

    @property
    def contested(self) -> bool:
        """Whether somebody's request is under way whose end is not known."""
        return any(channel.contested for channel in self.channels)

    def arbitrate(self, policy: Policy, chunk_cycles: float) -> None:
        """Let every channel serve by this policy; chunks are as many cycles on all channels together."""
        for channel in self.channels:
            channel.arbitrate(policy, chunk_cycles * len(self.channels))
        self.arbiter = self.channels[0].arbiter

    def serve(
        self, cycles: float, path: Path, name: str, kind: str, op: str, bits: float = 0.0, stream: str = ""
    ) -> float:
        """Take a request that takes so many cycles at the full rate; returns when the last channel is done."""
        end, self.path = self.clock.now, path
        for channel, own, share in self._split(cycles, bits, stream):
            done = channel.serve(own, path, name, kind, op, share)
            if done > end:
                end, self.path = done, channel.path
        return end

    def requests(
        self,
        client: int,
        priority: float,
        cycles: float,
        labels: tuple[str, str, str],
        bits: float,
        stream: str = "",
    ) -> Iterator[simpy.Event]:
        """Like `serve`, by turns: an event for each channel."""
        for channel, own, share in self._split(cycles, bits, stream):
            if channel.arbiter is not None and own > 0.0:
                yield channel.request(channel.arbiter, client, priority, own, labels, share)

    def wait(self, cause: str) -> None:
        """Someone would come but waits for ``cause``."""
        for channel in self.channels:
            channel.wait(cause)

    def come(self, cause: str) -> None:
        """The wait is over."""
        for channel in self.channels:
            channel.come(cause)

    # ---- how long --------------------------------------------------------------------------------------------------

    def _split(self, cycles: float, bits: float, stream: str) -> list[tuple[Channel, float, float]]:
        """What each channel does of a request: its cycles and bits. Without bits all serve as long."""
        count = len(self.channels)
        self.bits += bits
        if not bits:
            return [(channel, cycles, 0.0) for channel in self.channels]
        shares = (bits / count,) * count if stream else split(self.timing, bits)
        rate = bits / cycles / count if cycles else math.inf
        parts = []
        for number, share in enumerate(shares):
            if share > 0.0:
                channel = self.channels[(self.turn + number) % count]
                parts.append((channel, self._cycles(share, rate, stream, channel.row), share))
                channel.row = stream
        if not stream and self.timing.burst_bits:
            self.turn = (self.turn + bursts(self.timing, bits)) % count
        return parts

    def _cycles(self, bits: float, rate: float, stream: str, row: str) -> float:
        opened = bool(stream) and row == stream
        key = (bits, rate, bool(stream), opened)
        if key not in self._known:
            needed = stream_cycles if stream else channel_cycles
            self._known[key] = needed(self.timing, bits, rate, opened=opened)
        return self._known[key]


def _in_ticks(timing: DramCycles) -> DramCycles:
    """With refreshes at whole ticks, like all that happens."""
    if math.isinf(timing.refresh_interval):
        return timing
    return replace(timing, refresh_interval=ticks(timing.refresh_interval), refresh_time=ticks(timing.refresh_time))
