"""The mapspace of one operator on one accelerator: which factor may stand where.

A point is a triple of matrices as `Problem` takes them: ``factors`` [S, D], ``order`` [S, D], ``bypass`` [P, 3].

- In space, a factor fits its axis together with the others there. It need not divide its dimension (unless the
  constraints say so), but no factor is larger than the number of passes that are left calls for.
- In time, the factors of a dimension multiply to its passes: its bound over its factors in space, rounded up. Where
  the constraints allow partial tiles in time they multiply to at least that, none larger than needed.
- Loops of one memory stand in any order, within the constraints'.
- A tensor skips the memories that the spec leaves open, or does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..accel.accelerator import Accelerator, Array, Memory
from ..accel.batch import Problem
from ..accel.mapping import Mapping
from ..models.op import ROLES, Op
from .constraints import Constraints, LevelConstraint

if TYPE_CHECKING:
    I64 = NDArray[np.int64]

__all__ = ["Mapspace"]

_FREE = LevelConstraint()


class Mapspace:
    """Tilings, loop orders, spatial assignments and bypasses that the spec and the constraints allow.

    Slot 0 is the outermost memory. Raises `BadInput` for constraints that name unknown levels, axes or dimensions, or
    that contradict one another.
    """

    def __init__(self, op: Op, accelerator: Accelerator, constraints: Constraints | None = None) -> None:
        self.op, self.accelerator = op, accelerator
        self.constraints = constraints or Constraints()
        self.problem = Problem(op, accelerator)
        self.bounds = np.asarray([op.bounds[dim] for dim in self.problem.dims], np.int64)

    def _constraint(self, slot: int) -> LevelConstraint:
        place = self.problem.slots[slot]
        level = self.constraints.levels.get(self.problem.places[place.place].name, _FREE)
        return level.axes.get(place.axis, _FREE) if place.axis else level

    @cached_property
    def allowed(self) -> I64:
        """[S, D] 1 where the dimension may have a loop in the slot."""
        window = {dim for rank in self.op.tensor("output").ranks if len(rank.terms) > 1 for dim, _ in rank.terms}
        found = np.ones((len(self.problem.slots), len(self.problem.dims)), np.int64)
        for s, slot in enumerate(self.problem.slots):
            level, dims = self.problem.places[slot.place], self._constraint(s).dims
            for d, dim in enumerate(self.problem.dims):
                if isinstance(level, Array) and (dim in window or not level.allows(slot.axis, dim)):
                    found[s, d] = 0
                if dims is not None and dim not in dims:
                    found[s, d] = 0
        return found

    @cached_property
    def fixed(self) -> I64:
        """[S, D] the factor that the constraints demand; 0 where it is free."""
        found = np.where(self.allowed == 1, 0, 1).astype(np.int64)
        for s in range(len(self.problem.slots)):
            for dim, factor in self._constraint(s).factors.items():
                if dim in self.problem.dims:
                    found[s, self.problem.dims.index(dim)] = factor
        return found

    @cached_property
    def phases(self) -> I64:
        """[S, D] loops of a memory with a lower number stand inside those with a higher one; equal ones: any order."""
        found = np.zeros((len(self.problem.slots), len(self.problem.dims)), np.int64)
        for s in range(len(self.problem.slots)):
            constraint = self._constraint(s)
            if constraint.stationary:
                own = {dim for rank in self.op.tensor(constraint.stationary).ranks for dim, _ in rank.terms}
                found[s] = [dim in own for dim in self.problem.dims]
            elif constraint.order:
                inner = constraint.order[::-1]
                found[s] = [inner.index(dim) if dim in inner else len(inner) for dim in self.problem.dims]
        return found

    @cached_property
    def extents(self) -> I64:
        """[S] instances along an array's axis; 0 for a memory."""
        return np.asarray([slot.extent for slot in self.problem.slots], np.int64)

    @cached_property
    def may_bypass(self) -> I64:
        """[P, 3] 1 where a tensor may skip a memory."""
        return np.asarray(
            [
                [isinstance(level, Memory) and role in level.may_bypass for role in ROLES]
                for level in self.problem.places
            ],
            np.int64,
        )

    @cached_property
    def spatial(self) -> I64:
        """Slots that are axes of arrays."""
        return np.flatnonzero(self.extents)

    @cached_property
    def temporal(self) -> I64:
        """Slots that are memories, outermost first."""
        return np.flatnonzero(self.extents == 0)

    def spatial_choices(self, dim: int) -> list[tuple[int, ...]]:
        """The factors that dimension number ``dim`` may have on the axes (``self.spatial``), each within its extent."""
        bound, slots = int(self.bounds[dim]), [int(s) for s in self.spatial]
        limits = [min(bound, int(self.extents[s])) if not self.fixed[s, dim] else 0 for s in slots]
        found = []
        for factors in _tuples(limits, [int(self.fixed[s, dim]) for s in slots], bound):
            passes = -(-bound // math.prod(factors))
            if self.constraints.imperfect == "none":
                keep = bound % math.prod(factors) == 0
            else:
                keep = all(
                    not limit or factor == 1 or -(-bound // (math.prod(factors) // factor * (factor - 1))) > passes
                    for factor, limit in zip(factors, limits, strict=True)
                )
            if keep:
                found.append(factors)
        return found

    def contains(self, factors: I64, order: I64, bypass: I64) -> bool:
        """Whether a point belongs to the space; capacities are not looked at."""
        axes, time = factors[self.spatial], factors[self.temporal]
        if (factors < 1).any() or (axes.prod(axis=1) > self.extents[self.spatial]).any():
            return False
        if ((self.fixed > 0) & (factors != self.fixed)).any() or (bypass > self.may_bypass).any():
            return False
        for d in range(len(self.bounds)):
            if tuple(int(f) for f in axes[:, d]) not in self.spatial_choices(d):
                return False
            if not self._covers(d, -(-int(self.bounds[d]) // int(axes[:, d].prod())), time[:, d]):
                return False
        return all(self._ordered(s, factors[s], order[s]) for s in self.temporal)

    def _covers(self, d: int, passes: int, time: I64) -> bool:
        """Whether loops in time run through ``passes`` as the space allows."""
        product = int(time.prod())
        if self.constraints.imperfect != "all":
            return product == passes
        free = [int(f) for s, f in zip(self.temporal, time, strict=True) if not self.fixed[s, d] and f > 1]
        return product >= passes and all(product // f * (f - 1) < passes for f in free)

    def _ordered(self, slot: int, factors: I64, order: I64) -> bool:
        phases = [int(self.phases[slot, d]) for d in order if factors[d] > 1]
        return phases == sorted(phases, reverse=True)

    def to_mapping(self, factors: I64, order: I64, bypass: I64) -> Mapping:
        """The mapping of one point."""
        return self.problem.to_mapping(factors, order, bypass)


def _tuples(limits: list[int], fixed: list[int], bound: int) -> Iterator[tuple[int, ...]]:
    """Tuples of factors within ``limits``, those in ``fixed`` as given, that multiply to less than 2 · ``bound``."""
    if not limits:
        yield ()
        return
    for factor in [fixed[0]] if fixed[0] else range(1, limits[0] + 1):
        if factor >= 2 * bound and not fixed[0]:
            break
        for rest in _tuples(limits[1:], fixed[1:], -(-bound // factor)):
            yield (factor, *rest)
