"""The mapspace of one operator on one accelerator: which factor may stand where."""

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

if TYPE_CHECKING:
    I64 = NDArray[np.int64]

__all__ = ["Mapspace"]


class Mapspace:
    """Tilings, loop orders, spatial assignments and, where the spec leaves it open, bypasses.

    A point is a triple of matrices as `Problem` takes them. The outermost memory's factors follow from the others: they
    are the smallest that cover each dimension, so that factors need not divide anything.
    """

    def __init__(self, op: Op, accelerator: Accelerator) -> None:
        self.op, self.accelerator = op, accelerator
        self.problem = Problem(op, accelerator)

    @cached_property
    def allowed(self) -> I64:
        """[S, D] 1 where the dimension may have a loop in the slot."""
        window = {dim for rank in self.op.tensor("output").ranks if len(rank.terms) > 1 for dim, _ in rank.terms}
        rows = []
        for slot in self.problem.slots:
            level = self.problem.places[slot.place]
            if isinstance(level, Array):
                rows.append([level.allows(slot.axis, dim) and dim not in window for dim in self.problem.dims])
            else:
                rows.append([True] * len(self.problem.dims))
        return np.asarray(rows, np.int64).reshape(len(self.problem.slots), len(self.problem.dims))

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
    def perfect_size(self) -> int:
        """Number of points whose factors divide their dimensions: tilings × orders of the memories × bypasses.

        Axis extents are respected; capacities are not. Orders count every permutation of all dimensions in each memory.
        """
        memories = int((self.extents == 0).sum())
        orders = math.prod([math.factorial(len(self.problem.dims))] * memories)
        return self._tilings() * orders * (1 << int(self.may_bypass.sum()))

    def _tilings(self) -> int:
        """Ways to split all dimensions exactly over the slots within the axes' extents."""
        axes = [s for s, extent in enumerate(self.extents) if extent]
        states: dict[tuple[int, ...], int] = {tuple(int(self.extents[s]) for s in axes): 1}
        for d, dim in enumerate(self.problem.dims):
            open_slots = [s for s in range(len(self.extents)) if self.allowed[s, d]]
            spatial = [s for s in open_slots if self.extents[s]]
            temporal = len(open_slots) - len(spatial)
            after: dict[tuple[int, ...], int] = {}
            for room, ways in states.items():
                limits = dict(zip(axes, room, strict=True))
                for factors in _divisor_tuples(self.op.bounds[dim], [limits[s] for s in spatial]):
                    left = {**limits, **{s: limits[s] // f for s, f in zip(spatial, factors, strict=True)}}
                    count = _ordered_factorizations(self.op.bounds[dim] // math.prod(factors), temporal)
                    key = tuple(left[s] for s in axes)
                    after[key] = after.get(key, 0) + ways * count
            states = after
        return sum(states.values())

    def to_mapping(self, factors: I64, order: I64, bypass: I64) -> Mapping:
        """The mapping of one point."""
        return self.problem.to_mapping(factors, order, bypass)


def _divisor_tuples(number: int, limits: list[int]) -> Iterator[tuple[int, ...]]:
    """Tuples of factors within ``limits`` whose product divides ``number``."""
    if not limits:
        yield ()
        return
    for factor in (f for f in range(1, min(number, limits[0]) + 1) if number % f == 0):
        for rest in _divisor_tuples(number // factor, limits[1:]):
            yield (factor, *rest)


def _ordered_factorizations(number: int, parts: int) -> int:
    """Ways to write ``number`` as an ordered product of ``parts`` factors."""
    total, prime = 1, 2
    while number > 1:
        exponent = 0
        while number % prime == 0:
            number //= prime
            exponent += 1
        total *= math.comb(exponent + parts - 1, parts - 1)
        prime += 1
    return total
