"""The state of one stream of tiles while an operator runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..accelerator import Memory
from .asking import Ask, Port
from .machine import Core
from .plan import Stream
from .resources import Counter, Path

__all__ = ["Flow", "Wait"]


class Wait(NamedTuple):
    """What a process waits for, until when if that is known, and its turn among those that go on at once."""

    what: str = ""
    until: float = 0.0
    turn: int = 0


class Flow:
    """One stream's state. Indices and moments are attributes, as `stepping` moves them on while processes wait.

    ``fetching`` and ``leaving`` are the next tiles to come and to leave, ``using`` the compute's; where no tile
    ``fetches`` or ``leaves``, they mean nothing. ``ready`` counts tiles that have come, ``gone`` those that have left.
    """

    def __init__(self, core: Core, stream: Stream, parent: Memory, child: Memory, buses: Sequence[Port]) -> None:
        self.stream, self.child, self.buses = stream, child, buses
        self.count, self.first_step = stream.count, stream.first_step.item
        self.source, self.sink = core.port(parent, "read"), core.port(child, "write")
        self.back_source, self.back_sink = core.port(child, "read"), core.port(parent, "write")
        self.leaves = stream.role == "output"
        self.fetches = not self.leaves or bool(stream.filled.any())
        self.fetching = 0 if self.leaves else 1
        self.leaving = self.using = 0
        self.fetch_left = self.leave_left = 0  # bursts of the tiles on their way
        self.ready = Counter(core.clock, f"{stream.role} tiles in {child.name}")
        self.gone = Counter(core.clock, f"{stream.role} tiles out of {child.name}")
        self.ready.value = self.fetching
        self.outer: Flow | None = None  # the same tensor's stream into the parent
        self.inner: Flow | None = None  # and out of the child
        self.blame = self.source.name
        self.fetch_path: Path = {}
        self.leave_path: Path = {}
        self.fetch_state = self.leave_state = Wait()

    def tile_at(self, step: int) -> int:
        """The number of the tile in use during a step."""
        return int(self.stream.first_step.searchsorted(step, side="right")) - 1

    def coming(self, tile: int) -> tuple[Ask, ...]:
        """What a tile asks of the ports and buses on its way down."""
        stream = self.stream
        source: Ask = self.source, stream.down_parent.item(tile), stream.served.item(tile), ""
        sink: Ask = self.sink, stream.down_child.item(tile), stream.filled.item(tile), ""
        if not self.buses:
            return source, sink
        passed = ((one, bus.down.item(tile), bus.rate) for one, bus in zip(self.buses, stream.buses, strict=True))
        return (source, sink, *((one, bits / rate, bits, "") for one, bits, rate in passed))

    def going(self, tile: int) -> tuple[Ask, ...]:
        """What a tile asks of them on its way up."""
        stream = self.stream
        source: Ask = self.back_source, stream.up_child.item(tile), stream.drained.item(tile), ""
        sink: Ask = self.back_sink, stream.up_parent.item(tile), stream.collected.item(tile), ""
        if not self.buses:
            return source, sink
        passed = ((one, bus.up.item(tile), bus.rate) for one, bus in zip(self.buses, stream.buses, strict=True))
        return (source, sink, *((one, bits / rate, bits, "") for one, bits, rate in passed))

    def returns(self, tile: int) -> bool:
        """Whether a tile of outputs brings partial sums back."""
        return bool(self.stream.filled[tile] > 0.0)
