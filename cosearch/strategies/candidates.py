"""Networks a nested search chooses the next ones from: all of a small space, or a changing sample of a large one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ..predictors.base import Inputs
from ..predictors.encoding import Encoding, Statistics
from ..spaces.space import Space, Value
from .variations import Unseen, mutated

__all__ = ["Candidates", "Pool", "key_of"]

Key = tuple[tuple[str, Value], ...]
_ENUMERATED = 20_000  # points of a space that are all looked at
_PARENTS = 20
_MOST_CHANGES = 3


def key_of(values: Mapping[str, Value]) -> Key:
    """A network's choices, hashable."""
    return tuple(values.items())


class _All(Sequence[Mapping[str, Value]]):
    """Every point of a space, made when it is looked at."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __len__(self) -> int:
        return self._space.size

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Value]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Value]]: ...

    def __getitem__(self, index: int | slice) -> Mapping[str, Value] | Sequence[Mapping[str, Value]]:
        if isinstance(index, slice):
            return [self._space.point(number) for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._space.point(int(index))


@dataclass(frozen=True)
class Pool:
    """Candidates and their numbers; ``free`` (f,) are the places of those that are not taken yet."""

    points: Sequence[Mapping[str, Value]]
    inputs: Inputs
    free: NDArray[np.int64]


@lru_cache(maxsize=4)
def _every_input(space: Space, statistics: Statistics | None) -> Inputs:
    """Of all points of a space; remembered, because many searches of one space begin with it."""
    return Encoding(space, statistics).inputs(_All(space))


class Candidates:
    """Draws pools. ``size`` is how many networks are looked at where the space is too large to look at all."""

    def __init__(self, space: Space, statistics: Statistics | None, size: int, rng: np.random.Generator) -> None:
        self._space, self._statistics, self._size, self._rng = space, statistics, size, rng
        self._encoding = Encoding(space, statistics)
        self._taken: set[Key] = set()
        self._rows: dict[Key, Inputs] = {}
        self._all = space.size <= _ENUMERATED
        self._free = np.ones(space.size if self._all else 0, dtype=bool)

    def take(self, values: Mapping[str, Value]) -> None:
        """Leave a network out of all pools to come."""
        self._taken.add(key_of(values))
        if self._all:
            self._free[self._space.number(values)] = False

    def taken(self, values: Mapping[str, Value]) -> bool:
        """Whether a network was left out."""
        return key_of(values) in self._taken

    def inputs(self, points: Sequence[Mapping[str, Value]]) -> Inputs:
        """Networks as numbers; those of one network are worked out once."""
        rows = []
        for values in points:
            key = key_of(values)
            if key not in self._rows:
                self._rows[key] = self._encoding.inputs([values])
            rows.append(self._rows[key])
        if not rows:
            return self._encoding.inputs([])
        return Inputs(np.concatenate([row.codes for row in rows]), np.concatenate([row.statistics for row in rows]))

    def pool(self, parents: Sequence[Mapping[str, Value]]) -> Pool:
        """All networks not taken; of a large space some at random, and as many near ``parents``, the best first."""
        if self._all:
            points = _All(self._space)
            return Pool(points, _every_input(self._space, self._statistics), np.flatnonzero(self._free))
        drawn = self._drawn(parents)
        return Pool(drawn, self._encoding.inputs(drawn), np.arange(len(drawn)))

    def _drawn(self, parents: Sequence[Mapping[str, Value]]) -> list[Mapping[str, Value]]:
        unseen = Unseen(self._space)
        for key in self._taken:
            unseen.add(dict(key))
        drawn: list[Mapping[str, Value]] = []
        near = self._size // 2 if parents else 0
        for index in range(near):
            parent = parents[index % min(len(parents), _PARENTS)]
            child = mutated(self._space, parent, int(self._rng.integers(1, _MOST_CHANGES + 1)), self._rng)
            if unseen.add(child):
                drawn.append(child)
        while len(drawn) < self._size:
            fresh = unseen.sample(self._rng)
            if fresh is None:
                break
            drawn.append(fresh)
        return drawn
