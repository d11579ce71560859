"""The resources of an accelerator: a core's own, and those that several cores share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from ...models.op import ROLES
from ..accelerator import Accelerator, Array, Memory
from .arbitration import Policy
from .asking import Ask, Pending, Port, served_by
from .channels import Channels
from .dram import DramCycles
from .recorder import Log
from .resources import Clock, Path, Resource

__all__ = ["CHUNK_BITS", "Core", "Way"]

Way = Literal["read", "write"]
CHUNK_BITS = 8 * 4096  # that clients take turns after: AXI bursts end at borders of 4 KiB (Arm IHI 0022, A3.4.1)


class Core:
    """One copy of everything below the outermost memories, which ``shared`` holds by name for all cores.

    ``prefix`` comes before the names of the core's own tracks. Among the shared memories' clients this is number
    ``client``; where ``arbitration`` goes by priority, a smaller ``priority`` goes first (absent: the client's number).
    All cores of a machine have the same arbitration.
    """

    def __init__(
        self,
        clock: Clock,
        log: Log,
        accelerator: Accelerator,
        shared: dict[str, Port],
        prefix: str = "",
        *,
        client: int = 0,
        arbitration: Policy = "fifo",
    ) -> None:
        self.clock, self.log, self.accelerator = clock, log, accelerator
        self.prefix, self._own, self._shared = prefix, dict[str, Port](), shared
        self.client, self.priority, self.arbitration = client, float(client), arbitration
        self._outer = {accelerator.keeper(role).name for role in ROLES}
        self._counted, self._resources = (0, 0), tuple[Resource, ...]()
        self.compute = self._resource(accelerator.compute.name)
        self.vector = self._resource(accelerator.vector.name if accelerator.vector else "vector")

    # ---- resources -------------------------------------------------------------------------------------------------

    def port(self, memory: Memory, way: Way) -> Port:
        """The port of a memory; one serves both ways where the spec says so, and where a DRAM's timing is stated."""
        shared = memory.name in self._outer
        one = memory.shared_port or memory.timing is not None
        name = memory.name if one else f"{memory.name} {way}"
        pool, full = (self._shared, name) if shared else (self._own, self.prefix + name)
        if full not in pool:
            port: Port = Resource(self.clock, self.log, full)
            if memory.timing is not None:
                timing = DramCycles.of(memory.timing, self.accelerator.clock_hz)
                port = Channels(self.clock, self.log, full, timing)
            if shared and self.arbitration != "fifo":
                port.arbitrate(self.arbitration, self._chunk(memory, way))
            pool[full] = port
        return pool[full]

    def _chunk(self, memory: Memory, way: Way) -> float:
        """Cycles that a client is served before another's turn."""
        reads = way == "read" or memory.shared_port
        bandwidth = memory.read_bandwidth_bits_per_s if reads else memory.write_bandwidth_bits_per_s
        return CHUNK_BITS / bandwidth * self.accelerator.clock_hz if math.isfinite(bandwidth) else math.inf

    def bus(self, array: Array) -> Resource:
        """The network of an array."""
        return self._resource(array.name)

    @property
    def host(self) -> Resource:
        """The processor beside the accelerator, with its driver."""
        return self._resource("host processor", shared=True)

    @property
    def link(self) -> Resource:
        """What a network's inputs and outputs come and go over."""
        return self._resource("host link", shared=True)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All that has been used so far, each channel of a DRAM for itself."""
        count = len(self._own), len(self._shared)
        if self._counted != count:
            self._counted = count
            self._resources = served_by((*self._own.values(), *self._shared.values()))
        return self._resources

    def _resource(self, name: str, *, shared: bool = False) -> Resource:
        pool, full = (self._shared, name) if shared else (self._own, self.prefix + name)
        found = pool.get(full)
        if not isinstance(found, Resource):
            found = pool[full] = Resource(self.clock, self.log, full)
        return found

    # ---- asking ----------------------------------------------------------------------------------------------------

    def ask(
        self, asks: Iterable[Ask], path: Path, labels: tuple[str, str, str], *, alone: bool
    ) -> tuple[float, Path, Pending | None]:
        """Ask several ports at once: the moment the last is done, the path to it, and what of it is not known yet.

        ``labels`` are the (name, kind, op) of the slices. Who is ``alone`` knows all ends, whatever the arbitration.
        """
        end, last, pending = self.clock.now, path, None
        name, kind, op = labels
        for port, cycles, bits, stream in asks:
            if port.arbiter is not None and (not alone or port.contested):
                pending = pending or Pending(self.clock, path)
                self._request(pending, port, cycles, bits, stream, labels)
            else:
                done = port.serve(cycles, path, name, kind, op, bits, stream)
                if done > end:
                    end, last = done, port.path
        if pending:
            pending.known(end, last)
        return end, last, pending

    def _request(
        self, pending: Pending, port: Port, cycles: float, bits: float, stream: str, labels: tuple[str, str, str]
    ) -> None:
        if isinstance(port, Channels):
            events = port.requests(self.client, self.priority, cycles, labels, bits, stream)
            pending.events.extend((event, port.place) for event in events)
        elif port.arbiter is not None and cycles > 0.0:
            event = port.request(port.arbiter, self.client, self.priority, cycles, labels, bits)
            pending.events.append((event, port.place))
        else:
            port.bits += bits
