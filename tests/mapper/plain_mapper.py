"""A mapper for tests of what surrounds mappers: it takes no time and keeps a record of what it was asked."""

from __future__ import annotations

from typing import ClassVar

import dovetail as dt
from dovetail.accel.accelerator import Memory
from dovetail.errors import ImpossibleResult
from dovetail.mapper.base import UNLIMITED, Limits
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.registry import register_mapper
from dovetail.mapper.threads import mapper_threads


def everything_outside(op: dt.Op, accelerator: dt.Accelerator) -> dt.Mapping:
    """All loops at the outermost memory."""
    memories = {memory.name: memory.may_bypass for memory in accelerator.memories}
    names = [*(level.name for level in accelerator.levels if isinstance(level, Memory) or level in accelerator.arrays)]
    loops = tuple(dt.Loop(dim, bound) for dim, bound in op.dims if bound > 1)
    return dt.Mapping(
        tuple(
            dt.LevelMapping(name, () if i else loops, memories.get(name, frozenset())) for i, name in enumerate(names)
        )
    )


@register_mapper
class PlainMapper:
    """Leaves every loop in the outermost memory. ``asked``: (operator, threads it might use) per call."""

    name: ClassVar[str] = "plain"
    version: ClassVar[int] = 1
    asked: ClassVar[list[tuple[str, int]]] = []
    fails_at: ClassVar[str] = ""
    bound: ClassVar[float] = 0.0  # of the optimum; 1 claims a proof

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> dt.MappingResult:
        """See `Mapper`."""
        self.asked.append((space.op.name, mapper_threads()))
        if space.op.name == self.fails_at:
            raise ImpossibleResult("a defect")
        mapping = everything_outside(space.op, space.accelerator)
        cost = dt.evaluate(space.op, space.accelerator, mapping)
        value = objective.value(cost.energy_j, cost.latency_s)
        return dt.MappingResult(mapping, cost, dt.Certificate(value, self.bound * value, evaluated=1, seconds=0.5))
