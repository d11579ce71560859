"""A mapping: which loops run at each level of an accelerator, in what order, and which tensors it keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import BadInput
from ..models.op import Op, Role
from .accelerator import Accelerator, Array, Memory

__all__ = ["LevelMapping", "Loop", "Mapping"]


@dataclass(frozen=True)
class Loop:
    """``for dim in range(bound)``; on an array, ``axis`` names the physical axis it is laid along."""

    dim: str
    bound: int
    axis: str = ""

    def __str__(self) -> str:
        return f"{self.dim}{self.bound}" + (f"@{self.axis}" if self.axis else "")


@dataclass(frozen=True)
class LevelMapping:
    """The loops of one memory (temporal) or array (spatial), outer to inner; ``bypass``: tensors a memory skips."""

    level: str
    loops: tuple[Loop, ...] = ()
    bypass: frozenset[Role] = frozenset()


@dataclass(frozen=True)
class Mapping:
    """One `LevelMapping` per memory and array of the accelerator, outermost first.

    For every dimension the bounds of its loops multiply to at least its size; the last tile may be partial.
    """

    levels: tuple[LevelMapping, ...]

    def __str__(self) -> str:
        parts = []
        for level in self.levels:
            skipped = f" (bypass {','.join(sorted(level.bypass))})" if level.bypass else ""
            parts.append(f"{level.level}[{' '.join(map(str, level.loops))}]{skipped}")
        return " > ".join(parts)

    def check(self, op: Op, accelerator: Accelerator) -> None:
        """Raise `BadInput` unless the mapping fits the operator's dimensions and the accelerator's levels."""
        places = [level for level in accelerator.levels if isinstance(level, Memory | Array)]
        if [level.name for level in places] != [level.level for level in self.levels]:
            raise BadInput(
                f"mapping names the levels {[level.level for level in self.levels]}, "
                f"'{accelerator.name}' has {[level.name for level in places]}"
            )
        product = dict.fromkeys(op.bounds, 1)
        for place, level in zip(places, self.levels, strict=True):
            for loop in level.loops:
                if loop.dim not in product:
                    raise BadInput(f"{level.level}: {op.name} has no dimension '{loop.dim}'; it has {list(product)}")
                if loop.bound < 1:
                    raise BadInput(f"{level.level}: loop {loop} has a bound below 1")
                product[loop.dim] *= loop.bound
            if isinstance(place, Array):
                _check_array(place, level)
                _check_window(op, place, level)
            elif not level.bypass <= place.may_bypass:
                extra = sorted(level.bypass - place.may_bypass)
                raise BadInput(
                    f"{level.level}: {extra} cannot bypass this memory; the spec allows {sorted(place.may_bypass)}"
                )
        for dim, bound in op.dims:
            if product[dim] < bound:
                raise BadInput(f"loops over {dim} cover {product[dim]} of {bound}; raise a bound")


def _check_array(array: Array, level: LevelMapping) -> None:
    """Raise `BadInput` where the loops do not fit the array's axes."""
    shape = dict(array.shape)
    for axis, extent in shape.items():
        used = math.prod(loop.bound for loop in level.loops if loop.axis == axis)
        if used > extent:
            raise BadInput(f"{array.name}.{axis}: loops use {used} of {extent} instances; lower a bound")
    for loop in level.loops:
        if loop.axis not in shape:
            raise BadInput(f"{array.name}: loop {loop} names no axis of the array; use one of {list(shape)}")
        if loop.bound > 1 and not array.allows(loop.axis, loop.dim):
            raise BadInput(
                f"{array.name}.{loop.axis}: {loop.dim} may not be spread here; allowed: {sorted(array.dims[loop.axis])}"
            )


def _check_window(op: Op, array: Array, level: LevelMapping) -> None:
    """Raise `BadInput` where instances would hold overlapping windows of the output (a transposed convolution)."""
    window = {dim for rank in op.tensor("output").ranks if len(rank.terms) > 1 for dim, _ in rank.terms}
    for loop in level.loops:
        if loop.bound > 1 and loop.dim in window:
            raise BadInput(
                f"{array.name}: {loop} would split an overlapping window of {op.name}'s output; loop over it in time"
            )
