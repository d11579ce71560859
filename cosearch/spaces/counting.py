"""Exact counts of the points of a space with conditions, and the points' numbers.

Choices that conditions tie together form a component; the points of a space are the product of its components' points.
Within a component the choices are decided one after another, each as soon as all it depends on is decided, and what is
remembered is only which of the conditions still to come are met. The number of points that can follow is then a sum
over a few states (dynamic programming from the last choice back), whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...errors import BadInput

__all__ = ["Component", "Gene", "components"]

_INACTIVE = -1
_MOST_STATES = 1_000_000

State = tuple[int, ...]


@dataclass(frozen=True)
class Gene:
    """A choice in numbers: how many options, and for each other choice it depends on, the indices that activate it."""

    options: int
    when: tuple[tuple[int, frozenset[int]], ...] = ()

    def active(self, code: Mapping[int, int]) -> bool:
        """Whether the indices chosen so far (`-1`: inactive) leave it to be chosen."""
        return all(code[parent] in allowed for parent, allowed in self.when)


def components(genes: Sequence[Gene]) -> tuple[Component, ...]:
    """The choices tied together by conditions, in the order of their first ones."""
    group = list(range(len(genes)))

    def root(place: int) -> int:
        while group[place] != place:
            place = group[place]
        return place

    for place, gene in enumerate(genes):
        for parent, _ in gene.when:
            first, second = sorted((root(place), root(parent)))
            group[second] = first
    members: dict[int, list[int]] = {}
    for place in range(len(genes)):
        members.setdefault(root(place), []).append(place)
    return tuple(Component(genes, tuple(_ordered(genes, own))) for own in members.values())


def _ordered(genes: Sequence[Gene], members: Sequence[int]) -> list[int]:
    """Each choice as soon as all it depends on is placed, so that few conditions are open at a time."""
    children: dict[int, list[int]] = {place: [] for place in members}
    for place in members:
        for parent, _ in genes[place].when:
            children[parent].append(place)
    waiting = {place: len(genes[place].when) for place in members}
    stack = [place for place in reversed(members) if not waiting[place]]
    order: list[int] = []
    while stack:
        place = stack.pop()
        order.append(place)
        for child in reversed(children[place]):
            waiting[child] -= 1
            if not waiting[child]:
                stack.append(child)
    return order


class Component:
    """Choices tied together; ``order`` gives their places in the space, each behind those it depends on."""

    def __init__(self, genes: Sequence[Gene], order: tuple[int, ...]) -> None:
        self._genes = {place: genes[place] for place in order}
        self.order = order

    @cached_property
    def _live(self) -> list[tuple[int, ...]]:
        """Before each step, the choices decided already that a later one depends on."""
        last = {parent: step for step, place in enumerate(self.order) for parent, _ in self._genes[place].when}
        return [
            tuple(place for place in self.order[:step] if last.get(place, -1) >= step)
            for step in range(len(self.order) + 1)
        ]

    @cached_property
    def _classes(self) -> dict[int, dict[int, int]]:
        """For each choice others depend on, a representative of every index: equal where it activates the same."""
        tests: dict[int, list[frozenset[int]]] = {}
        for gene in self._genes.values():
            for parent, allowed in gene.when:
                tests.setdefault(parent, []).append(allowed)
        found: dict[int, dict[int, int]] = {}
        for parent, sets in tests.items():
            first: dict[tuple[bool, ...], int] = {}
            indices = [_INACTIVE, *range(self._genes[parent].options)]
            found[parent] = {index: first.setdefault(tuple(index in one for one in sets), index) for index in indices}
        return found

    def _next(self, step: int, state: State, index: int) -> State:
        """The state after the choice of this step takes the option ``index``."""
        place = self.order[step]
        known = dict(zip(self._live[step], state, strict=True))
        if place in self._classes:
            known[place] = self._classes[place][index]
        return tuple(known[place] for place in self._live[step + 1])

    def _indices(self, step: int, state: State) -> range:
        """The options open at a step: all of them, or only "inactive"."""
        gene = self._genes[self.order[step]]
        if gene.active(dict(zip(self._live[step], state, strict=True))):
            return range(gene.options)
        return range(_INACTIVE, 0)

    @cached_property
    def _counts(self) -> list[dict[State, int]]:
        """By step and state, the number of ways to go on."""
        layers: list[set[State]] = [{()}]
        for step in range(len(self.order)):
            reached = {self._next(step, state, index) for state in layers[-1] for index in self._indices(step, state)}
            if len(reached) > _MOST_STATES:
                raise BadInput("the conditions tie too many choices together to count the points; simplify them")
            layers.append(reached)
        counts: list[dict[State, int]] = [{(): 1}]
        for step in reversed(range(len(self.order))):
            behind = counts[-1]
            counts.append({
                state: sum(behind[self._next(step, state, index)] for index in self._indices(step, state))
                for state in layers[step]
            })  # fmt: skip
        return counts[::-1]

    @cached_property
    def size(self) -> int:
        """The number of distinct ways to decide these choices."""
        if len(self.order) == 1:
            return self._genes[self.order[0]].options
        return self._counts[0][()]

    def rank(self, code: Mapping[int, int]) -> int:
        """The number, from 0, of the decision that ``code`` holds by place (`-1`: inactive)."""
        if len(self.order) == 1:
            return code[self.order[0]]
        number = 0
        state: State = ()
        for step, place in enumerate(self.order):
            for index in self._indices(step, state):
                if index == code[place]:
                    break
                number += self._counts[step + 1][self._next(step, state, index)]
            state = self._next(step, state, code[place])
        return number

    def unrank(self, number: int) -> dict[int, int]:
        """The inverse of ``rank``."""
        if len(self.order) == 1:
            return {self.order[0]: number}
        code: dict[int, int] = {}
        state: State = ()
        for step, place in enumerate(self.order):
            for index in self._indices(step, state):
                after = self._next(step, state, index)
                count = self._counts[step + 1][after]
                if number < count:
                    break
                number -= count
            code[place], state = index, after
        return code
