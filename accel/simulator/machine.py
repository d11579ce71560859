"""The resources of an accelerator: a core's own, and those that several cores share."""

from __future__ import annotations

from typing import Literal

from ...models.op import ROLES
from ..accelerator import Accelerator, Memory
from .recorder import Log
from .resources import Clock, Resource

__all__ = ["Core", "Way"]

Way = Literal["read", "write"]


class Core:
    """One copy of everything below the outermost memories, which ``shared`` holds by name for all cores.

    ``prefix`` comes before the names of the core's own tracks.
    """

    def __init__(
        self, clock: Clock, log: Log, accelerator: Accelerator, shared: dict[str, Resource], prefix: str = ""
    ) -> None:
        self.clock, self.log, self.accelerator = clock, log, accelerator
        self.prefix, self._own, self._shared = prefix, dict[str, Resource](), shared
        self._outer = {accelerator.keeper(role).name for role in ROLES}
        self.compute = self._resource(accelerator.compute.name)
        self.vector = self._resource(accelerator.vector.name if accelerator.vector else "vector")

    def port(self, memory: Memory, way: Way) -> Resource:
        """The port of a memory; one serves both ways where the spec says so."""
        name = memory.name if memory.shared_port else f"{memory.name} {way}"
        return self._resource(name, shared=memory.name in self._outer)

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
        """All that has been used so far."""
        return (*self._own.values(), *self._shared.values())

    def _resource(self, name: str, *, shared: bool = False) -> Resource:
        pool, full = (self._shared, name) if shared else (self._own, self.prefix + name)
        if full not in pool:
            pool[full] = Resource(self.clock, self.log, full)
        return pool[full]
