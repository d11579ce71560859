"""Categorical search spaces: named choices among a few options, exact sizes, sampling, encoding, joint spaces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import BadInput, UnknownName, nearest

__all__ = ["Choice", "Space", "Value"]

Value = int | float | str | bool


def _same(left: Value, right: Value) -> bool:
    """Equality that keeps ``True`` apart from ``1``."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


@dataclass(frozen=True)
class Choice:
    """One decision: a name such as ``net.b03.kernel`` and its distinct options, in the order that encodes them."""

    name: str
    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise BadInput("a choice needs a name")
        if not self.options:
            raise BadInput(f"{self.name}: a choice needs at least one option")
        for option in self.options:
            if isinstance(option, float) and not math.isfinite(option):
                raise BadInput(f"{self.name}: {option} is not a usable option; give finite numbers")
        repeated = [b for i, b in enumerate(self.options) if any(_same(a, b) for a in self.options[:i])]
        if repeated:
            raise BadInput(f"{self.name}: option {repeated[0]!r} is listed twice")

    def index(self, value: Value) -> int:
        """Position of ``value`` among the options; `BadInput` where it is none of them."""
        for position, option in enumerate(self.options):
            if _same(option, value):
                return position
        listed = ", ".join(repr(option) for option in self.options)
        raise BadInput(f"{self.name}: {value!r} is not an option; choose one of {listed}")


@dataclass(frozen=True)
class Space:
    """A Cartesian product of choices. A point is a dict from every choice's name to one of its options."""

    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        names = [choice.name for choice in self.choices]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise BadInput(f"choice '{repeated[0]}' is defined twice; give each choice its own name")

    def __add__(self, other: Space) -> Space:
        """The joint space; `BadInput` where both sides define a choice of one name."""
        return Space(self.choices + other.choices)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the choices, in order."""
        return tuple(choice.name for choice in self.choices)

    @cached_property
    def size(self) -> int:
        """Exact number of points."""
        return math.prod(len(choice.options) for choice in self.choices)

    def choice(self, name: str) -> Choice:
        """The choice called ``name``; `UnknownName` where there is none."""
        for choice in self.choices:
            if choice.name == name:
                return choice
        raise UnknownName("choice", name, self.names)

    def validate(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """``values`` as this space's own options, in the order of its choices.

        Raises `BadInput` for a missing or unknown choice, or a value that is none of the options.
        """
        unknown = [name for name in values if name not in self.names]
        if unknown:
            close = nearest(unknown[0], self.names)
            hint = f"did you mean '{close}'?" if close else "remove it"
            raise BadInput(f"{unknown[0]} = {values[unknown[0]]!r}: the space has no such choice; {hint}")
        missing = [choice for choice in self.choices if choice.name not in values]
        if missing:
            listed = ", ".join(repr(option) for option in missing[0].options)
            raise BadInput(f"{missing[0].name}: no value is given; choose one of {listed}")
        return {c.name: c.options[c.index(values[c.name])] for c in self.choices}

    def encode(self, values: Mapping[str, Value]) -> tuple[int, ...]:
        """Index of each chosen option, in the order of the choices; `BadInput` as in ``validate``."""
        checked = self.validate(values)
        return tuple(choice.index(checked[choice.name]) for choice in self.choices)

    def decode(self, code: Sequence[int]) -> dict[str, Value]:
        """The point of an index vector; `BadInput` for a wrong length or an index out of range."""
        if len(code) != len(self.choices):
            raise BadInput(f"a code of this space has {len(self.choices)} indices, not {len(code)}")
        for choice, index in zip(self.choices, code, strict=True):
            if not 0 <= index < len(choice.options):
                raise BadInput(f"{choice.name}: index {index} is outside 0..{len(choice.options) - 1}")
        return {choice.name: choice.options[index] for choice, index in zip(self.choices, code, strict=True)}

    def number(self, values: Mapping[str, Value]) -> int:
        """The point's place among all, from 0, the last choice varying fastest; `BadInput` as in ``validate``."""
        place = 0
        for choice, index in zip(self.choices, self.encode(values), strict=True):
            place = place * len(choice.options) + index
        return place

    def point(self, number: int) -> dict[str, Value]:
        """The inverse of ``number``; `BadInput` outside ``0..size - 1``."""
        if not 0 <= number < self.size:
            raise BadInput(f"point {number}: the space has the points 0..{self.size - 1}")
        code = []
        for choice in reversed(self.choices):
            number, index = divmod(number, len(choice.options))
            code.append(index)
        return self.decode(code[::-1])

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """A point drawn uniformly; one draw of ``rng`` per choice, in order."""
        return {choice.name: choice.options[int(rng.integers(len(choice.options)))] for choice in self.choices}

    def neighbours(self, values: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
        """Every point that differs in exactly one choice, in a fixed order."""
        checked = self.validate(values)
        for choice in self.choices:
            for option in choice.options:
                if not _same(option, checked[choice.name]):
                    yield {**checked, choice.name: option}

    def restrict(self, options: Mapping[str, Sequence[Value]]) -> Space:
        """The same space with fewer options for some choices; `BadInput` for an option that was not there."""
        for name in options:
            self.choice(name)
        return Space(tuple(
            Choice(c.name, tuple(c.options[c.index(value)] for value in options[c.name])) if c.name in options else c
            for c in self.choices
        ))
