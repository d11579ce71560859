"""Designs near known ones, and designs not tried before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..spaces.space import Choice, Space, Value

__all__ = ["Unseen", "beside", "mutated", "ordered", "variations"]

_DRAWS = 50  # before unseen points of a nearly exhausted space are looked for one by one
_FEW = 100_000  # so many points may be looked through


def variations(
    space: Space, known: Sequence[Sequence[int]], count: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Index vectors near ``known`` ones, in turn: one to half of the choices are redrawn, small numbers as likely
    as large ones (log-uniform), so that single steps are tried beside bold ones.
    """
    sizes = np.array([len(choice.options) for choice in space.choices])
    free = np.flatnonzero(sizes > 1)
    for index in range(count if len(free) else 0):
        code = np.array(known[index % len(known)])
        most = max(1.0, len(free) / 2)
        redrawn = rng.choice(free, size=round(float(np.exp(rng.uniform(0.0, np.log(most))))), replace=False)
        code[redrawn] = (code[redrawn] + rng.integers(1, sizes[redrawn])) % sizes[redrawn]
        yield code.tolist()


def mutated(space: Space, values: Mapping[str, Value], changes: int, rng: np.random.Generator) -> dict[str, Value]:
    """``values``, a point of ``space``, with as many choices changed to another option as said and as can be.

    Choices that a change makes active are drawn.
    """
    code = [
        choice.index(values[choice.name]) if choice.name in values else int(rng.integers(len(choice.options)))
        for choice in space.choices
    ]
    free = [at for at, choice in enumerate(space.choices) if len(choice.options) > 1 and choice.name in values]
    for at in rng.permutation(free)[:changes]:
        options = len(space.choices[at].options)
        code[at] = (code[at] + int(rng.integers(1, options))) % options
    return space.decode(code)


class Unseen:
    """Remembers which points were proposed, and draws others."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen: set[tuple[str, ...]] = set()

    def add(self, values: Mapping[str, Value]) -> bool:
        """Remember a point; False where it was known."""
        key = tuple(repr(values.get(name)) for name in self._space.names)  # 1 is not True
        known = key in self._seen
        self._seen.add(key)
        return not known

    def sample(self, rng: np.random.Generator) -> dict[str, Value] | None:
        """A point not yet remembered, drawn uniformly, and remembered; None where there is none left.

        In a space too large to look through, a known point once all draws met one.
        """
        for _ in range(_DRAWS):
            values = self._space.sample(rng)
            if self.add(values):
                return values
        size = self._space.size
        if size > _FEW:
            return values
        start = int(rng.integers(size))
        for offset in range(size if len(self._seen) < size else 0):
            values = self._space.point((start + offset) % size)
            if self.add(values):
                return values
        return None


def beside(
    space: Space, values: Mapping[str, Value], unseen: Unseen, rng: np.random.Generator, changes: float = 1.0
) -> dict[str, Value] | None:
    """A design near ``values`` that was not tried before, and is remembered; bolder where all neighbours are known.

    ``changes`` is the mean number of choices changed at first. None where every design was tried.
    """
    for attempt in range(20):
        near = mutated(space, values, 1 + int(rng.poisson(changes - 1.0)) + attempt // 4, rng)
        if unseen.add(near):
            return near
    return unseen.sample(rng)


def ordered(choice: Choice) -> bool:
    """Whether the options are numbers in rising order, so that near indices are near designs."""
    numbers = [float(option) for option in choice.options if not isinstance(option, bool | str)]
    return len(numbers) == len(choice.options) and numbers == sorted(numbers)
