"""A quick mapper without a proof: tiles grown greedily from several spatial assignments, then simulated annealing."""

from __future__ import annotations

import math
import time
from typing import ClassVar

from ..accel.accelerator import Accelerator
from ..accel.analytic import evaluate
from ..accel.mapping import LevelMapping, Loop, Mapping
from ..errors import ImpossibleResult
from ..models.op import Op
from .base import UNLIMITED, Certificate, Limits, MappingResult
from .bounds import roofline
from .mapspace import Mapspace
from .objective import Objective

__all__ = ["LocalMapper"]


class LocalMapper:
    """Greedy tiles, then simulated annealing of tilings, orders, spatial assignments and bypasses."""

    name: ClassVar[str] = "local"
    version: ClassVar[int] = 2

    def __init__(self, starts: int = 24, steps: int = 12_000) -> None:
        self.starts, self.steps = starts, steps

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        from .annealing import anneal

        begin = time.perf_counter()
        op, accelerator = space.op, space.accelerator
        if not space.problem.dims:
            mapping, evaluated = everything_outside(op, accelerator), 1
        else:
            evaluate(op, accelerator, everything_outside(op, accelerator))  # the one that fits if any does
            score, factors, order, bypass, evaluated = anneal(
                space.problem.arrays,
                space.allowed,
                space.extents,
                space.may_bypass,
                seed,
                self.starts,
                self.steps,
                ("energy", "latency", "edp").index(objective.name),
            )
            if not math.isfinite(score):
                raise ImpossibleResult(f"{op.name} on '{accelerator.name}': the search lost the mapping it began with")
            mapping = space.to_mapping(factors, order, bypass)
        cost = evaluate(op, accelerator, mapping)
        bound = roofline(op, accelerator, objective)
        seconds = time.perf_counter() - begin
        found = objective.value(cost.energy_j, cost.latency_s)
        return MappingResult(mapping, cost, Certificate(found, bound, evaluated, 0, seconds))


def everything_outside(op: Op, accelerator: Accelerator) -> Mapping:
    """All loops at the outermost memory: every inner tile is a single word, and absent where the spec allows."""
    places = [level for level in accelerator.levels if level in (*accelerator.memories, *accelerator.arrays)]
    loops = tuple(Loop(dim, bound) for dim, bound in op.dims if bound > 1)
    return Mapping(
        tuple(
            LevelMapping(level.name, () if i else loops, getattr(level, "may_bypass", frozenset()))
            for i, level in enumerate(places)
        )
    )
