"""The mapspace of one operator on one accelerator: which factor may stand where.

A point is a triple of matrices as `Problem` takes them: ``factors`` [S, D], ``order`` [S, D], ``bypass`` [P, 3].

- In space, the factors of all dimensions on an axis multiply to no more than its extent. They need not divide their
  dimension (unless the constraints say so), but none can be lowered without costing the dimension another pass, its
  passes being its bound over its factors in space, rounded up.
- In time, the factors of a dimension over the memories, the outermost one among them, multiply to its passes. Where
  the constraints allow partial tiles in time they multiply to at least that, and none can be lowered.
- A factor that the constraints demand is exempt from being no larger than needed.
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
from ..errors import SpecError
from ..models.op import ROLES, Op
from .constraints import Constraints, LevelConstraint
from .space_size import (
    count_orders,
    count_tilings,
    covering_splits,
    exact_splits,
    fit_together,
    minimal_tuples,
)

if TYPE_CHECKING:
    I64 = NDArray[np.int64]

__all__ = ["Mapspace"]

_FREE = LevelConstraint()
_UNCONSTRAINED = Constraints()


class Mapspace:
    """Tilings, loop orders, spatial assignments and bypasses that the spec and the constraints allow.

    Slot 0 is the outermost memory. Raises `BadInput` for constraints that name unknown levels, axes or dimensions, or
    that contradict one another or leave nothing.
    """

    def __init__(self, op: Op, accelerator: Accelerator, constraints: Constraints | None = None) -> None:
        self.op, self.accelerator = op, accelerator
        self.constraints = constraints or Constraints()
        self.problem = Problem(op, accelerator)
        self.bounds = np.asarray([op.bounds[dim] for dim in self.problem.dims], np.int64)
        if self.constraints != _UNCONSTRAINED:
            self.constraints.check(accelerator, tuple(op.bounds))
        if self.constraints.levels:
            self._check_axes()
            self._check_not_empty()

    @property
    def _name(self) -> str:
        return f"{self.op.name} on '{self.accelerator.name}'"

    def _label(self, slot: int) -> str:
        place = self.problem.slots[slot]
        return self.problem.places[place.place].name + (f".{place.axis}" if place.axis else "")

    def _path(self, slot: int) -> tuple[str, ...]:
        """Where the constraints speak of a slot."""
        place = self.problem.slots[slot]
        below = ("axes", place.axis) if place.axis else ()
        return ("levels", self.problem.places[place.place].name, *below)

    def _check_axes(self) -> None:
        """Raise `SpecError` where an axis is asked for more instances than it has."""
        demanded = np.maximum(self.fixed[self.spatial], 1).prod(axis=1)
        problems = []
        for s, instances in zip(self.spatial.tolist(), demanded.tolist(), strict=True):
            if instances > self.extents[s]:
                shown = " · ".join(
                    f"{dim} {f}" for dim, f in zip(self.problem.dims, self.fixed[s], strict=True) if f > 1
                )
                what = f"{self._name}: {shown} ask {instances} instances of {self.extents[s]}"
                problems.append(self.constraints.problem((*self._path(s), "factors"), what, "lower one of them"))
        if problems:
            raise SpecError(problems)

    def _check_not_empty(self) -> None:
        """Raise `SpecError` naming levels and dimension where the constraints leave no way to cover it."""
        problems = []
        for d, dim in enumerate(self.problem.dims):
            if len(self.choices[d]):
                continue
            demands = [s for s in range(len(self.fixed)) if self.allowed[s, d] and self.fixed[s, d]]
            asked = ", ".join(f"{self.fixed[s, d]} at {self._label(s)}" for s in demands)
            what = f"{self._name}: no loops cover {dim} = {self.bounds[d]}" + (f" beside {asked}" if asked else "")
            path = (*self._path(demands[-1]), "factors", dim) if demands else ("levels",)
            remedy = "use factors that divide it, or 'imperfect: all'"
            if not len(self.open_slots(d)):
                remedy = f"leave {dim} free in a memory"
            problems.append(self.constraints.problem(path, what, remedy))
        if problems:
            raise SpecError(problems)
        _ = self.least_axes  # raises where the arrays cannot hold all the dimensions together

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
        """[S, D] the factor that the constraints demand, cut to what is left of the dimension; 0 where it is free.

        Arrays take theirs before memories, the innermost slot first.
        """
        found = np.where(self.allowed == 1, 0, 1).astype(np.int64)
        left = dict(zip(self.problem.dims, self.bounds.tolist(), strict=True))
        for s in (*self.spatial[::-1].tolist(), *self.temporal[::-1].tolist()):
            for dim, factor in self._constraint(s).factors.items():
                d = self.problem.dims.index(dim) if dim in left else 0
                if dim in left and self.allowed[s, d]:  # not so in space: a window of the output
                    found[s, d] = min(factor, left[dim])
                    left[dim] = -(-left[dim] // int(found[s, d]))
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
            fixed = np.maximum(self.fixed[self.spatial], 1).prod(axis=0)
            least = [int(rows.prod(axis=1).min()) for rows in self.choices]
            tight = [dim for dim, need, asked in zip(self.problem.dims, least, fixed, strict=True) if need > asked]
            what = f"{self._name}: what memories may not loop over of {', '.join(tight)} is more than the arrays hold"
            raise SpecError([self.constraints.problem(("levels",), what, "leave one of them free in a memory")])
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

    @cached_property
    def size(self) -> int:
        """Number of points, exactly: tilings × orders × bypasses.

        Capacities are not looked at. As is usual, an order of a memory is a permutation of all dimensions within the
        constraints, although loops of bound 1 make some of them the same mapping.
        """
        return self.tilings * self.orders * self.bypasses

    @cached_property
    def tilings(self) -> int:
        """Number of ways to choose all factors, in space and, for each assignment to the axes, in time."""
        fixed = np.maximum(self.fixed[self.spatial], 1)
        extra = [rows // fixed[:, d] for d, rows in enumerate(self.choices)]
        ways = [self._splits(d) for d in range(len(self.bounds))]
        return count_tilings(extra, ways, self.extents[self.spatial] // fixed.prod(axis=1))

    def _splits(self, dim: int) -> list[int]:
        """For each row of ``choices``: ways to split what is left over the open memories."""
        parts, left = len(self.open_slots(dim)), self.passes_left(dim, self.choices[dim]).tolist()
        if self.constraints.imperfect != "all":
            return [exact_splits(number, parts) for number in left]
        table = covering_splits(int(self.bounds[dim]), parts) if parts else {}
        return [table[number] if parts else 1 for number in left]

    @cached_property
    def orders(self) -> int:
        """Number of permutations of all dimensions in every memory that respect the constraints."""
        return count_orders(self.phases[self.temporal])

    @cached_property
    def bypasses(self) -> int:
        """Number of ways to skip memories."""
        return 1 << int(self.may_bypass.sum())

    def describe(self) -> str:
        """The size and, a line for each memory and axis, what is free there and what is fixed."""
        sizes = [_scientific(number) for number in (self.size, self.tilings, self.orders, self.bypasses)]
        head = "{} mappings: {} tilings x {} orders x {} bypasses".format(*sizes)
        partial = {"none": "no partial tiles", "arrays": "partial tiles on arrays", "all": "partial tiles everywhere"}
        lines = [f"{self._name}: {head}; {partial[self.constraints.imperfect]}"]
        width = max(len(self._label(s)) for s in range(len(self.extents)))
        lines += [f"  {self._label(s):{width}}  {self._describe_slot(s)}" for s in range(len(self.extents))]
        return "\n".join(lines)

    def _describe_slot(self, s: int) -> str:
        named = list(zip(self.problem.dims, self.fixed[s].tolist(), strict=True))
        free = " ".join(dim for dim, factor in named if not factor)
        parts = [f"{self.extents[s]} instances" if self.extents[s] else "", f"free: {free or 'none'}"]
        parts += [f"fixed: {' '.join(f'{dim}{factor}' for dim, factor in named if factor > 1)}"]
        groups: dict[int, list[str]] = {}
        for dim, phase in zip(self.problem.dims, self.phases[s].tolist(), strict=True):
            groups.setdefault(phase, []).append(dim)
        if len(groups) > 1:
            parts.append("order: " + " > ".join(" ".join(groups[phase]) for phase in sorted(groups, reverse=True)))
        skips = [role for role, may in zip(ROLES, self.may_bypass[self.problem.slots[s].place], strict=True) if may]
        parts.append(f"may skip: {' '.join(skips)}" if skips else "")
        return "; ".join(part for part in parts if part and part != "fixed: ")

    def contains(self, factors: I64, order: I64, bypass: I64) -> bool:
        """Whether a point belongs to the space; capacities are not looked at."""
        axes, time = factors[self.spatial], factors[self.temporal]
        if (factors < 1).any() or (axes.prod(axis=1) > self.extents[self.spatial]).any():
            return False
        if ((self.fixed > 0) & (factors != self.fixed)).any() or (bypass > self.may_bypass).any() or (bypass < 0).any():
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


def _scientific(number: int) -> str:
    """``number`` as it stands up to 9999, then as 1.23e45, of whatever size."""
    digits = len(str(number)) - 1
    return str(number) if digits < 4 else f"{number // 10 ** (digits - 2) / 100:.2f}e{digits}"
