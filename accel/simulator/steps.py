"""The steps of an operator that the simulator walks: iterations of the outer temporal loops, and what each computes.

The walked loops are a prefix of the nest's temporal loops. A boundary whose child lies inside no other loop moves its
tiles between steps; everything further inside happens within a step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...models.op import Role
from ..accelerator import Memory
from ..nest import FlatLoop, Nest

__all__ = ["Steps", "TileChanges", "walked_loops"]

Ints = npt.NDArray[np.int64]


def walked_loops(nest: Nest, most: int, at_least: int) -> tuple[FlatLoop, ...]:
    """The temporal loops to walk: those outside the innermost memory for which they are at most ``most`` steps.

    The loops of the outermost memory that has any are walked up to ``at_least`` steps; none where the output is a
    sliding window, whose tiles overlap.
    """
    if any(len(rank.terms) > 1 for rank in nest.op.tensor("output").ranks):
        return ()
    chosen: tuple[FlatLoop, ...] = ()
    for place, level in enumerate(nest.places):
        if not isinstance(level, Memory):
            continue
        loops = nest.temporal_above(place + 1)
        steps = math.prod(loop.bound for loop in loops)
        if steps > (most if chosen else at_least):
            break
        chosen = loops
    return chosen


@dataclass(frozen=True)
class TileChanges:
    """When a tensor's tile at a memory becomes another one: ``first_step[i]`` is the first step of tile i.

    ``before`` and ``after`` are the tensor's own offsets [dimensions, tiles] of the step before and of that step (the
    first tile's ``before`` means nothing); ``again`` marks tiles that have been there before.
    """

    dims: tuple[str, ...]
    first_step: Ints
    before: Ints
    after: Ints
    again: npt.NDArray[np.bool_]


class Steps:
    """All steps of the ``loops`` of a nest, in order; iterations that start beyond a dimension's end are left out."""

    def __init__(self, nest: Nest, loops: tuple[FlatLoop, ...]) -> None:
        self.nest, self.loops = nest, loops
        bounds = [loop.bound for loop in loops]
        count = math.prod(bounds)
        index = np.arange(count, dtype=np.int64)
        found, stride = [], count
        for bound in bounds:
            stride //= bound
            found.append((index // stride) % bound)
        kept = np.ones(count, dtype=bool)
        for dim, size in nest.op.dims:
            own = [k for k, loop in enumerate(loops) if loop.dim == dim]
            if own and math.prod(bounds[k] for k in own) > 1:
                kept &= sum(found[k] * loops[k].step for k in own) < size
        self.index: list[Ints] = found if kept.all() else [one[kept] for one in found]  # [loops][steps]
        self.count = int(kept.sum())

    def offsets(self, dim: str, place: int) -> Ints:
        """[steps] offset that the walked loops outside ``place`` give the dimension."""
        total = np.zeros(self.count, dtype=np.int64)
        for loop, index in zip(self.loops, self.index, strict=True):
            if loop.dim == dim and loop.place < place:
                total += index * loop.step
        return total

    @cached_property
    def turning(self) -> Ints:
        """[steps] number of the outermost walked loop that advances after each step; -1 after the last."""
        found = np.full(self.count, -1, dtype=np.int64)
        for number in reversed(range(len(self.loops))):
            found[:-1][np.diff(self.index[number]) != 0] = number
        return found

    def computing(self) -> Ints:
        """[steps] iterations of all other temporal loops during each step."""
        total = np.ones(self.count, dtype=np.int64)
        end = len(self.nest.places)
        inside = self.nest.temporal_above(end)[len(self.loops) :]
        for dim, size in self.nest.op.dims:
            own = [(loop.bound, loop.step) for loop in inside if loop.dim == dim]
            offsets = self.offsets(dim, end)
            values, inverse = np.unique(offsets, return_inverse=True)
            counts = np.array([_iterations(own, size - int(offset)) for offset in values], dtype=np.int64)
            total *= counts[inverse]
        return total

    def changes(self, role: Role, place: int) -> TileChanges:
        """The tiles of a tensor at the memory at ``place``, all of whose outer loops are walked."""
        own = self.nest.op.tensor(role).dims
        dims = tuple(dim for dim in self.nest.dims if dim in own)
        offsets = np.array([self.offsets(dim, place) for dim in dims]).reshape(len(dims), self.count)
        moved = np.ones(self.count, dtype=bool)
        if self.nest.refetches(role, place):
            outside = [index for loop, index in zip(self.loops, self.index, strict=True) if loop.place < place]
            moved[1:] = np.any([np.diff(index) != 0 for index in outside], axis=0) if outside else False
        else:
            moved[1:] = np.any(np.diff(offsets, axis=1) != 0, axis=0)
        first = np.flatnonzero(moved)
        again = np.zeros(len(first), dtype=bool)
        for loop, index in zip(self.loops, self.index, strict=True):
            if loop.place < place and loop.dim not in own:
                again |= index[first] > 0
        return TileChanges(dims, first, offsets[:, np.maximum(first - 1, 0)], offsets[:, first], again)


def _iterations(loops: list[tuple[int, int]], left: int) -> int:
    """Iterations of nested loops (bound, step) over one dimension that start before ``left``."""
    if left <= 0:
        return 0
    if not loops:
        return 1
    (bound, step), rest = loops[0], loops[1:]
    reach = 1 + sum((b - 1) * s for b, s in rest)
    whole = min(bound, max(0, (left - reach) // step + 1))
    total = whole * math.prod(b for b, _ in rest)
    for k in range(whole, bound):
        if k * step >= left:
            break
        total += _iterations(rest, left - k * step)
    return total
