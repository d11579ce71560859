"""Search spaces: named choices among a few options, some only under conditions; sizes, codes, samples, joint spaces."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ...errors import BadInput, UnknownName, nearest
from .counting import Component, Gene, components

__all__ = ["Choice", "Conditions", "Space", "Value"]

Value = int | float | str | bool
Conditions = Mapping[str, Sequence[Value]]


def _same(left: Value, right: Value) -> bool:
    """Equality that keeps ``True`` apart from ``1``."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


@dataclass(frozen=True)
class Choice:
    """One decision: a name such as ``net.b03.kernel`` and its distinct options, in the order that encodes them.

    ``when`` makes it conditional: ``{"net.depth": [13, 14]}`` leaves it to be chosen only where each of the named
    choices is there itself and has one of these values.
    """

    name: str
    options: tuple[Value, ...]
    when: Conditions = field(default_factory=dict, hash=False)

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
        for other, values in self.when.items():
            if isinstance(values, str) or not values:
                raise BadInput(f"{self.name}: when.{other} must list the values that call for it; write [a, b]")
        object.__setattr__(self, "when", {other: tuple(values) for other, values in self.when.items()})

    def index(self, value: Value) -> int:
        """Position of ``value`` among the options; `BadInput` where it is none of them."""
        position = self._positions.get((isinstance(value, bool), value)) if isinstance(value, Hashable) else None
        if position is not None:
            return position
        listed = ", ".join(repr(option) for option in self.options)
        raise BadInput(f"{self.name}: {value!r} is not an option; choose one of {listed}")

    @cached_property
    def _positions(self) -> dict[tuple[bool, Value], int]:
        """``True`` and ``1`` are equal and hash alike, and are told apart here."""
        return {(isinstance(option, bool), option): position for position, option in enumerate(self.options)}

    def active(self, values: Mapping[str, Value]) -> bool:
        """Whether it is to be chosen, given the choices before it (those inactive left out)."""
        return not self.when or all(
            other in values and any(_same(values[other], value) for value in wanted)
            for other, wanted in self.when.items()
        )

    @property
    def condition(self) -> str:
        """``when`` in words."""
        parts = [f"{other} is {' or '.join(repr(value) for value in wanted)}" for other, wanted in self.when.items()]
        return " and ".join(parts)


@dataclass(frozen=True)
class Space:
    """A product of choices. A point is a dict from the name of every active choice to one of its options.

    A choice stands behind those its condition refers to, and is left out of the points that do not meet it.
    """

    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        before: dict[str, Choice] = {}
        for choice in self.choices:
            if choice.name in before:
                raise BadInput(f"choice '{choice.name}' is defined twice; give each choice its own name")
            for other, values in choice.when.items():
                if other not in before:
                    close = nearest(other, before)
                    remedy = f"did you mean '{close}'?" if close else "define it before"
                    raise BadInput(f"{choice.name}: when: no choice '{other}' stands before it; {remedy}")
                for value in values:
                    before[other].index(value)
            before[choice.name] = choice

    def __add__(self, other: Space) -> Space:
        """The joint space; `BadInput` where both sides define a choice of one name."""
        return Space(self.choices + other.choices)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the choices, in order."""
        return tuple(choice.name for choice in self.choices)

    @cached_property
    def _by_name(self) -> dict[str, Choice]:
        return {choice.name: choice for choice in self.choices}

    @cached_property
    def _conditional(self) -> bool:
        return any(choice.when for choice in self.choices)

    @cached_property
    def _components(self) -> tuple[Component, ...]:
        places = {name: place for place, name in enumerate(self.names)}
        genes = [
            Gene(
                len(choice.options),
                tuple(
                    (places[other], frozenset(self._by_name[other].index(value) for value in values))
                    for other, values in choice.when.items()
                ),
            )
            for choice in self.choices
        ]
        return components(genes)

    @cached_property
    def size(self) -> int:
        """Exact number of points, by dynamic programming over the conditions."""
        return math.prod(component.size for component in self._components)

    def choice(self, name: str) -> Choice:
        """The choice called ``name``; `UnknownName` where there is none."""
        if name not in self._by_name:
            raise UnknownName("choice", name, self.names)
        return self._by_name[name]

    def validate(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """``values`` as this space's own options, in the order of its choices.

        Raises `BadInput` for a missing or unknown choice, one that the others leave inactive, or a value that is none
        of the options.
        """
        for name in values:
            if name not in self._by_name:
                close = nearest(name, self.names)
                hint = f"did you mean '{close}'?" if close else "remove it"
                raise BadInput(f"{name} = {values[name]!r}: the space has no such choice; {hint}")
        checked: dict[str, Value] = {}
        for choice in self.choices:
            if not choice.active(checked):
                if choice.name in values:
                    value = values[choice.name]
                    raise BadInput(f"{choice.name} = {value!r}: is chosen only where {choice.condition}; remove it")
            elif choice.name not in values:
                listed = ", ".join(repr(option) for option in choice.options)
                raise BadInput(f"{choice.name}: no value is given; choose one of {listed}")
            else:
                checked[choice.name] = choice.options[choice.index(values[choice.name])]
        return checked

    def complete(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The point that has these ``values`` where they are active, and the first option of every other active choice.

        Names of other spaces are left out. Raises `BadInput` for a value that is none of the options.
        """
        point: dict[str, Value] = {}
        for choice in self.choices:
            if choice.active(point):
                given = choice.name in values
                point[choice.name] = choice.options[choice.index(values[choice.name])] if given else choice.options[0]
        return point

    def encode(self, values: Mapping[str, Value]) -> tuple[int, ...]:
        """Index of each chosen option, in the order of the choices, 0 for inactive ones; `BadInput` as ``validate``."""
        checked = self.validate(values)
        return tuple(choice.index(checked[choice.name]) if choice.name in checked else 0 for choice in self.choices)

    def decode(self, code: Sequence[int]) -> dict[str, Value]:
        """The point of an index vector, whatever stands there for inactive choices.

        Raises `BadInput` for a wrong length or an index out of range.
        """
        if len(code) != len(self.choices):
            raise BadInput(f"a code of this space has {len(self.choices)} indices, not {len(code)}")
        point: dict[str, Value] = {}
        for choice, index in zip(self.choices, code, strict=True):
            if not 0 <= index < len(choice.options):
                raise BadInput(f"{choice.name}: index {index} is outside 0..{len(choice.options) - 1}")
            if choice.active(point):
                point[choice.name] = choice.options[index]
        return point

    def number(self, values: Mapping[str, Value]) -> int:
        """The point's place among all, from 0; without conditions the last choice varies fastest.

        Raises `BadInput` as ``validate``.
        """
        checked = self.validate(values)
        code = {
            place: choice.index(checked[choice.name]) if choice.name in checked else -1
            for place, choice in enumerate(self.choices)
        }
        number = 0
        for component in self._components:
            number = number * component.size + component.rank(code)
        return number

    def point(self, number: int) -> dict[str, Value]:
        """The inverse of ``number``; `BadInput` outside ``0..size - 1``."""
        if not 0 <= number < self.size:
            raise BadInput(f"point {number}: the space has the points 0..{self.size - 1}")
        code: dict[int, int] = {}
        for component in reversed(self._components):
            number, place = divmod(number, component.size)
            code.update(component.unrank(place))
        return {choice.name: choice.options[code[at]] for at, choice in enumerate(self.choices) if code[at] >= 0}

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """A point with every active choice drawn uniformly; one draw of ``rng`` per choice, in order.

        Without conditions all points are equally likely; with them, those of rarely active choices less so (a depth is
        drawn as often as another, however many layers' choices follow from it).
        """
        return self.decode([int(rng.integers(len(choice.options))) for choice in self.choices])

    def neighbours(self, values: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
        """Every point that differs in exactly one choice, in a fixed order.

        Choices which that one deactivates are gone, those it activates have their first option.
        """
        checked = self.validate(values)
        for choice in self.choices:
            for option in choice.options if choice.name in checked else ():
                if not _same(option, checked[choice.name]):
                    changed = {**checked, choice.name: option}
                    yield self.complete(changed) if self._conditional else changed

    def restrict(self, options: Mapping[str, Sequence[Value]]) -> Space:
        """The same space with fewer options for some choices; `BadInput` for an option that was not there.

        A choice whose condition can no longer be met goes.
        """
        kept: dict[str, Choice] = {}
        for name in options:
            self.choice(name)
        for choice in self.choices:
            if not all(other in kept for other in choice.when):
                continue
            when = {
                other: [value for value in values if any(_same(value, left) for left in kept[other].options)]
                for other, values in choice.when.items()
            }
            if not all(when.values()):
                continue
            wanted = options.get(choice.name)
            left = choice.options if wanted is None else tuple(choice.options[choice.index(value)] for value in wanted)
            kept[choice.name] = Choice(choice.name, left, when)
        return Space(tuple(kept.values()))

    def among(self, names: Collection[str]) -> Space:
        """The part of the space with these choices alone; conditions on others no longer hold anything back."""
        return Space(tuple(
            replace(choice, when={other: values for other, values in choice.when.items() if other in names})
            for choice in self.choices if choice.name in names
        ))  # fmt: skip

    def conditioned(self, conditions: Mapping[str, Conditions]) -> Space:
        """The same space with further conditions, by choice; `UnknownName` for a choice that is not there."""
        for name in conditions:
            self.choice(name)
        return Space(tuple(
            replace(choice, when={**choice.when, **conditions[choice.name]}) if choice.name in conditions else choice
            for choice in self.choices
        ))
