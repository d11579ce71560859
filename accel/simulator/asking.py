"""Asking several ports at once: their ends are known at once or, where several cores take turns, when they come."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from typing import Any, TypeAlias

import simpy

from .channels import Channels
from .resources import Clock, Path, Resource, extended

__all__ = ["Ask", "Pending", "Port", "bursts_of", "served_by"]

BURST_CYCLES = 64.0  # for which a port serves a tile before others have their turns; 16 to 256 make little difference

Port: TypeAlias = Resource | Channels

Ask: TypeAlias = tuple[Port, float, float, str]
"""(port, cycles at its full rate, bits, name of the stream that these bits go on with or "")"""


def bursts_of(asks: Iterable[Ask]) -> int:
    """In how many bursts a tile goes over its ports.

    It goes at once over a DRAM with timing, as each request opens rows anew, and where an arbiter gives turns itself.
    """
    longest = 0.0
    for port, cycles, _, _ in asks:
        if isinstance(port, Channels) or port.arbiter is not None:
            return 1
        longest = max(longest, cycles)
    return max(1, math.ceil(longest / BURST_CYCLES))


def served_by(ports: Iterable[Port]) -> tuple[Resource, ...]:
    """The resources behind ports, each channel of a DRAM for itself."""
    apart = [port.channels if isinstance(port, Channels) else (port,) for port in ports]
    return tuple(one for some in apart for one in some)


class Pending:
    """What was asked at some moment and is not served yet; ``end`` is that of what is known, ``path`` leads to it."""

    def __init__(self, clock: Clock, before: Path) -> None:
        self.clock, self.asked, self.before = clock, clock.now, before
        self.events: list[tuple[Any, str]] = []
        self.end, self.path = clock.now, before

    def known(self, end: float, path: Path) -> None:
        """Of what was asked at once, this much is known."""
        self.end, self.path = end, path

    def wait(self) -> Generator[simpy.Event, Any, tuple[float, Path]]:
        """Wait for all; the moment the last is done, which may still be to come, and the path to it.

        Who waits for turns, waits for the resource: it never rests meanwhile.
        """
        for event, place in self.events:
            if not event.processed:
                yield event
            _, ended = event.value
            over = float(ended) + self.clock.skipped
            if over > self.end:
                self.end, self.path = over, extended(self.before, place, over - self.asked)
        return self.end, self.path
