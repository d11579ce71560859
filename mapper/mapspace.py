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

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..accel.accelerator import Accelerator, Array, Memory
from ..accel.batch import Problem
from ..accel.mapping import Mapping
from ..errors import BadInput
from ..models.op import ROLES, Op
from .constraints import Constraints, LevelConstraint
from .space_size import fit_together, minimal_tuples

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

    @cached_property
    def choices(self) -> tuple[I64, ...]:
        """For each dimension [n, A] its factors on the A axes (``spatial``): each row fits and leaves time a way."""
        rows = []
        for d, bound in enumerate(self.bounds.tolist()):
            fixed = self.fixed[self.spatial, d]
            demanded = np.maximum(self.fixed[self.spatial], 1).prod(axis=1) // np.maximum(fixed, 1)
            limits = self.extents[self.spatial] // demanded
            perfect = self.constraints.imperfect == "none"
            found = minimal_tuples(bound, limits.tolist(), fixed.tolist(), perfect=perfect)
            rows.append(found[self.passes_left(d, found) > 0])
        return tuple(rows)

    def open_slots(self, dim: int) -> I64:
        """Memories (slot numbers, outermost first) whose factor of dimension number ``dim`` is free."""
        found: I64 = self.temporal[self.fixed[self.temporal, dim] == 0]
        return found

    def passes_left(self, dim: int, axes: I64) -> I64:
        """[n] what the factors of the ``open_slots`` must cover beside factors [n, A] in space; 0: there is no way.

        They multiply to exactly this; where time may leave partial tiles, to at least this, none larger than needed.
        """
        passes = -(-self.bounds[dim] // axes.prod(axis=1))
        demanded = int(np.maximum(self.fixed[self.temporal, dim], 1).prod())
        left = -(-passes // demanded)
        if self.constraints.imperfect != "all":
            left = np.where(passes % demanded == 0, left, 0)
        return np.asarray(left if len(self.open_slots(dim)) else np.where(left == 1, 1, 0), np.int64)

    @cached_property
    def least_axes(self) -> I64:
        """[A, D] the least factors in space that the constraints demand and the axes hold together."""
        found = fit_together(self.choices, self.extents[self.spatial])
        if found is None:
            raise BadInput(f"{self.op.name} on '{self.accelerator.name}': the constraints leave no mapping")
        return found

    def spatial_choices(self, dim: int) -> list[tuple[int, ...]]:
        """The rows of ``choices`` of dimension number ``dim``, in lexicographic order."""
        return self._choices[dim]

    @cached_property
    def _choices(self) -> list[list[tuple[int, ...]]]:
        return [[tuple(row) for row in rows.tolist()] for rows in self.choices]

    @cached_property
    def _known_choices(self) -> list[frozenset[tuple[int, ...]]]:
        return [frozenset(rows) for rows in self._choices]

    def contains(self, factors: I64, order: I64, bypass: I64) -> bool:
        """Whether a point belongs to the space; capacities are not looked at."""
        axes, time = factors[self.spatial], factors[self.temporal]
        if (factors < 1).any() or (axes.prod(axis=1) > self.extents[self.spatial]).any():
            return False
        if ((self.fixed > 0) & (factors != self.fixed)).any() or (bypass > self.may_bypass).any():
            return False
        for d in range(len(self.bounds)):
            if tuple(int(f) for f in axes[:, d]) not in self._known_choices[d]:
                return False
            if not self._covers(d, -(-int(self.bounds[d]) // int(axes[:, d].prod())), time[:, d]):
                return False
        if (np.sort(order[self.temporal], axis=1) != np.arange(len(self.bounds))).any():
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
