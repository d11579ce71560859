"""Tensors that stay on the chip between operators: the accelerator as one operator finds it.

Such a tensor lives in one memory before and after the operator. Nothing of it crosses the boundary above, and its room
is taken off the memory's size, so that what the operator streams has what is left. The variant is an `Accelerator` like
any other: a mapper, a model and a cache need to know nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import BadInput
from ..models.op import ROLES, Role
from .accelerator import Accelerator, Level, Memory

__all__ = ["Residence", "with_residence"]


@dataclass(frozen=True)
class Residence:
    """Where one operator's tensors stay, and what is left for its tiles.

    ``homes`` pairs a tensor with the memory it stays in (absent: it comes and goes over the outermost memory),
    ``rooms`` a memory with the bits that are left of it.
    """

    homes: tuple[tuple[Role, str], ...] = ()
    rooms: tuple[tuple[str, float], ...] = ()

    def home(self, role: Role) -> str | None:
        """The memory in which the tensor stays, if it does."""
        return dict(self.homes).get(role)


def with_residence(accelerator: Accelerator, residence: Residence) -> Accelerator:
    """``accelerator`` during an operator: memories outside a tensor's home no longer keep it, the home always does.

    Raises `BadInput` for a home that the spec does not name as such, and for a room that is not within its size.
    """
    if not residence.homes and not residence.rooms:
        return accelerator
    homes, rooms = dict(residence.homes), dict(residence.rooms)
    for role, name in homes.items():
        memory = accelerator.residence(role)
        if memory is None or memory.name != name:
            where = f"in '{memory.name}'" if memory else "in no memory"
            raise BadInput(f"{accelerator.name}: '{role}' cannot stay in '{name}'; the spec lets it stay {where}")
    sizes = {memory.name: memory.size_bits for memory in accelerator.memories}
    for name, room in rooms.items():
        if name not in sizes or not 0.0 < room <= sizes[name]:
            raise BadInput(f"{accelerator.name}: no {room:g} bits can be left of '{name}'; it has {sizes.get(name)}")
    levels: list[Level] = []
    outside = set(homes)  # tensors whose home is still further inside
    for level in accelerator.levels:
        if isinstance(level, Memory):
            here = [role for role in ROLES if homes.get(role) == level.name]
            outside -= set(here)
            level = _during(level, here, sorted(outside), rooms.get(level.name, level.size_bits))
        levels.append(level)
    return replace(accelerator, levels=tuple(levels), spec=None)


def _during(memory: Memory, here: Sequence[Role], outside: Sequence[Role], room_bits: float) -> Memory:
    """A memory in which the tensors ``here`` stay and which those with a home further inside do not pass."""
    absent = frozenset(outside)
    return replace(
        memory,
        keeps=memory.keeps - absent,
        may_bypass=memory.may_bypass - absent - frozenset(here),
        size_bits=room_bits,
        resident=memory.resident - absent | frozenset(here),
        may_reside=frozenset(),
        weight_room_bits=None,
    )
