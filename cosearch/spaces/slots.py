"""What a space needs so that all its networks can share one set of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ...errors import BadInput
from .network_space import NetworkSpace
from .space import Space, Value

if TYPE_CHECKING:
    from .modules.mixed import SharedModule

__all__ = ["Shareable", "Slot", "shareable", "slot_values", "slots_of"]


@dataclass(frozen=True)
class Slot:
    """A place of a network where one of some candidates stands: the choices settled there, all at once."""

    name: str
    candidates: tuple[Mapping[str, Value], ...]

    def index(self, values: Mapping[str, Value]) -> int:
        """Which candidate ``values`` have here; `BadInput` where it is none of them."""
        for place, candidate in enumerate(self.candidates):
            if all(values.get(name) == value for name, value in candidate.items()):
                return place
        wanted = {name: values.get(name) for name in self.candidates[0]}
        raise BadInput(f"{self.name}: {wanted} is none of its {len(self.candidates)} candidates")


@runtime_checkable
class Shareable(NetworkSpace, Protocol):
    """A space whose networks can share weights: each choice belongs to one slot."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The places that differ between networks."""

    def shared_module(self, shape: tuple[int, int, int], classes: int) -> SharedModule:
        """All candidates of all slots, untrained, for images (channels, height, width)."""


def shareable(space: NetworkSpace | None) -> Shareable:
    """``space`` itself where its networks can share weights, else `BadInput`."""
    if isinstance(space, Shareable):
        return space
    what = f"the network space '{space.name}' has no supernet" if space is not None else "a supernet needs a space"
    raise BadInput(f"{what}; search one that has, such as digits_cells or digits_ibn")


def slots_of(space: Space, groups: Mapping[str, Sequence[str]]) -> tuple[Slot, ...]:
    """A slot for each group of choices, its candidates their combinations (the last choice varies fastest)."""
    slots = []
    for name, members in groups.items():
        options = [space.choice(member).options for member in members]
        slots.append(Slot(name, tuple(dict(zip(members, each, strict=True)) for each in product(*options))))
    return tuple(slots)


def slot_values(slots: Sequence[Slot], picked: Mapping[str, int]) -> dict[str, Value]:
    """The choices of the network that has candidate ``picked[slot]`` in each slot."""
    values: dict[str, Value] = {}
    for slot in slots:
        values.update(slot.candidates[picked[slot.name]])
    return values
