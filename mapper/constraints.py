"""What a user rules out of a mapspace: fixed dataflows, fixed factors, allowed dimensions, kinds of factors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ..accel.accelerator import Accelerator, Array, Memory
from ..document import Document, YamlPath, dotted
from ..errors import Problem, SpecError, suggestion
from ..models.op import ROLES, Role

__all__ = ["DIMENSIONS", "Constraints", "Imperfect", "LevelConstraint"]

Imperfect = Literal["none", "arrays", "all"]
DIMENSIONS = ("N", "G", "K", "C", "P", "Q", "R", "S")

Complaint = tuple[YamlPath, str, str]  # where, what is wrong, what to do


@dataclass(frozen=True)
class LevelConstraint:
    """What loops one level may have; everything left out stays free.

    ``order`` lists dimensions outermost to innermost: these loops stand innermost, in this order. ``stationary`` names
    a tensor whose own dimensions stand outside all others. ``factors`` fixes loop bounds by dimension, ``dims`` limits
    the dimensions with a loop. An array has ``axes`` only, and each of them ``factors`` and ``dims``.

    One set of constraints serves a whole network: what it says of a dimension that an operator lacks, or has with
    bound 1, does not concern that operator, and a factor larger than what is left of the dimension is cut to it.
    """

    order: tuple[str, ...] = ()
    stationary: Role | None = None
    factors: Mapping[str, int] = field(default_factory=dict)
    dims: frozenset[str] | None = None
    axes: Mapping[str, LevelConstraint] = field(default_factory=dict)

    def named_dims(self) -> Iterator[tuple[YamlPath, str]]:
        """Every dimension that is mentioned, and where."""
        yield from ((("order", index), dim) for index, dim in enumerate(self.order))
        yield from ((("factors", dim), dim) for dim in self.factors)
        yield from ((("dims",), dim) for dim in sorted(self.dims or ()))
        for axis, below in self.axes.items():
            yield from ((("axes", axis, *path), dim) for path, dim in below.named_dims())

    def complaints(self) -> Iterator[Complaint]:
        """What contradicts itself, whatever the accelerator."""
        if self.order and self.stationary:
            yield ("order",), "stands beside 'stationary'", "keep one of them: both order the loops"
        for index, dim in enumerate(self.order):
            if dim in self.order[:index]:
                yield ("order", index), f"'{dim}' stands twice in this list", "keep one of them"
        if self.stationary not in (None, *ROLES):
            yield ("stationary",), f"'{self.stationary}' is no tensor", f"use one of {', '.join(ROLES)}"
        for dim, factor in self.factors.items():
            if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
                yield ("factors", dim), f"'{factor}' is no loop bound", "write a whole number from 1; 1 means no loop"
            elif factor > 1 and self.dims is not None and dim not in self.dims:
                yield ("factors", dim), f"{dim} has the factor {factor} but is not among 'dims'", f"add {dim} to 'dims'"
        for axis, below in self.axes.items():
            for path, what, remedy in below.complaints():
                yield ("axes", axis, *path), what, remedy


@dataclass(frozen=True)
class Constraints:
    """Constraints by level name, and which factors need not divide their dimension.

    ``imperfect``: "none"; "arrays" (loops in space may leave a partial tile); "all" (loops in time as well).
    ``origin`` is the document they were read from, so that later complaints can point into it.
    """

    levels: Mapping[str, LevelConstraint] = field(default_factory=dict)
    imperfect: Imperfect = "arrays"
    origin: Document | None = field(default=None, compare=False, repr=False)

    def problem(self, path: YamlPath, what: str, remedy: str) -> Problem:
        """A `Problem` at ``path``, with line and column where the constraints came from a file."""
        if self.origin:
            return self.origin.problem(path, what, remedy)
        return Problem("constraints", 0, 0, dotted(path), what, remedy)

    def check(self, accelerator: Accelerator, dims: Collection[str] = DIMENSIONS) -> None:
        """Raise `SpecError` with everything that contradicts itself or the accelerator.

        ``dims``: names of dimensions that are known beside `DIMENSIONS` (an einsum may have others).
        """
        found = [*self.complaints(dims), *self._level_complaints(accelerator)]
        if found:
            raise SpecError(self.problem(*complaint) for complaint in found)

    def complaints(self, dims: Collection[str] = DIMENSIONS) -> Iterator[Complaint]:
        """What contradicts itself, whatever the accelerator, and dimensions that are not known."""
        if self.imperfect not in get_args(Imperfect):
            yield ("imperfect",), f"'{self.imperfect}' is not known", f"use one of {', '.join(get_args(Imperfect))}"
        known = dict.fromkeys((*DIMENSIONS, *dims))
        for name, level in self.levels.items():
            yield from ((("levels", name, *path), what, remedy) for path, what, remedy in level.complaints())
            for path, dim in level.named_dims():
                if dim not in known:
                    yield ("levels", name, *path), f"no dimension named '{dim}'", f"known: {', '.join(known)}"

    def _level_complaints(self, accelerator: Accelerator) -> Iterator[Complaint]:
        levels = {level.name: level for level in accelerator.levels}
        loops = [name for name, level in levels.items() if isinstance(level, Memory | Array)]
        for name, constraint in self.levels.items():
            level, path = levels.get(name), ("levels", name)
            if isinstance(level, Memory):
                if constraint.axes:
                    yield (*path, "axes"), f"'{name}' is a memory and has no axes", "write 'factors' or 'dims' without"
            elif isinstance(level, Array):
                for below, what, remedy in _array_complaints(level, constraint):
                    yield (*path, *below), what, remedy
            else:
                remedy = suggestion(name, loops, "memories and arrays:")
                what = "has no loops" if level else f"is no level of '{accelerator.name}'"
                yield path, f"'{name}' {what}", remedy


def _array_complaints(array: Array, constraint: LevelConstraint) -> Iterator[Complaint]:
    """What does not fit an array."""
    axes = dict(array.shape)
    for key in ("order", "stationary"):
        if getattr(constraint, key):
            yield (key,), f"'{array.name}' is an array: its loops run at once, in no order", "order a memory's loops"
    for key in ("factors", "dims"):
        if getattr(constraint, key) != getattr(LevelConstraint(), key):
            yield (key,), "an array has them by axis", f"write 'axes: {{{next(iter(axes))}: {{{key}: ...}}}}'"
    for axis, below in constraint.axes.items():
        if axis not in axes:
            remedy = suggestion(axis, axes, "its axes:")
            yield ("axes", axis), f"'{array.name}' has no axis '{axis}'", remedy
            continue
        for key in ("order", "stationary", "axes"):
            if getattr(below, key):
                yield ("axes", axis, key), "an axis has 'factors' and 'dims' only", "remove it"
        for dim, factor in below.factors.items():
            if not isinstance(factor, int) or factor < 2:
                continue
            if factor > axes[axis]:
                what = f"{factor} instances are asked of {axes[axis]}"
                yield ("axes", axis, "factors", dim), what, f"lower it to {axes[axis]} or less"
            if not array.allows(axis, dim):
                what = f"{dim} may not be spread along this axis"
                yield ("axes", axis, "factors", dim), what, f"the spec allows {', '.join(sorted(array.dims[axis]))}"
