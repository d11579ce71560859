"""Whether tiles fit: the room they take in each memory, and how likely compressed ones take more than they have."""

from __future__ import annotations

import math

from ..errors import Infeasible
from ..models.op import ROLES
from .accelerator import Accelerator, Memory
from .clock import output_bits
from .nest import Nest
from .sparsity import bits_each, kept_bits

__all__ = ["check_capacity", "overflows", "tile_bits"]


def tile_bits(nest: Nest, accelerator: Accelerator, place: int) -> float:
    """Bits that the tiles of all tensors kept by the memory at ``place`` occupy in one instance.

    A tensor that is resident there has its room already, at the width of finished words.
    """
    memory = nest.places[place]
    if not isinstance(memory, Memory):
        return 0.0
    tile, op = nest.tile(place), nest.op
    partial = nest.unfinished(place)
    total = 0.0
    for role in ROLES:
        if role in memory.keeps and role not in nest.bypass[place]:
            width = kept_bits(memory, op, role)
            if role == "output" and partial:
                width = output_bits(op, accelerator, memory, partial=True)
            if role in memory.resident:  # the whole tensor has its room; while sums are unfinished it needs more
                total += op.words(role) * (width - kept_bits(memory, op, role))
            else:
                total += op.tensor(role).words(tile) * width
    return total


def check_capacity(nest: Nest, accelerator: Accelerator) -> None:
    """Raise `Infeasible`, naming the memory and the words missing, where the tiles do not fit."""
    for place, memory in enumerate(nest.places):
        if not isinstance(memory, Memory) or math.isinf(memory.size_bits):
            continue
        room = memory.room_bits
        need = tile_bits(nest, accelerator, place)
        if need > room:
            missing = math.ceil((need - room) / nest.op.tensor("output").bits)
            half = ""
            if memory.buffers > 1:
                fold = "double-" if memory.buffers == 2 else f"{memory.buffers}-fold "
                share = "half" if memory.buffers == 2 else f"1/{memory.buffers}"
                half = f" ({share} of it, as it is {fold}buffered)"
            raise Infeasible(
                f"{nest.op.name}: {memory.name} of '{accelerator.name}' holds {room:.0f} bit{half}, the tiles need "
                f"{need:.0f}: {missing} word{'s' if missing > 1 else ''} too many",
                level=memory.name,
                missing_words=missing,
            )


def overflows(nest: Nest, accelerator: Accelerator) -> dict[str, float]:
    """Chance, by memory, that the compressed tiles of one instance take more bits than there is room for.

    Exact where one tensor's zeros are left to chance, by the normal distribution of the sum where several are. Memories
    without a limit, or whose room is that of tiles without zeros, are left out.
    """
    found = {}
    for place, memory in enumerate(nest.places):
        if not isinstance(memory, Memory) or memory.worst_case or math.isinf(memory.size_bits):
            continue
        chance = _overflow(nest, accelerator, place, memory) if memory.compression else None
        if chance is not None:
            found[memory.name] = chance
    return found


def _overflow(nest: Nest, accelerator: Accelerator, place: int, memory: Memory) -> float | None:
    """The chance at one memory; None where no compressed tensor with zeros has a tile in it."""
    tile, op = nest.tile(place), nest.op
    free, chances = memory.room_bits - tile_bits(nest, accelerator, place), []
    for role in ROLES:
        tensor = op.tensor(role)
        if role not in memory.compression or role not in memory.keeps - memory.resident or role in nest.bypass[place]:
            continue
        if tensor.density >= 1.0 or (role == "output" and nest.unfinished(place)):
            continue
        occupancy = op.occupancy(role, tile)
        if each := bits_each(memory, op, role):
            chances.append((occupancy, each))
    if not chances:
        return None
    if len(chances) == 1:
        occupancy, each = chances[0]
        return occupancy.above(math.floor(occupancy.expected + free / each + 1e-9))
    spread = math.sqrt(sum(occupancy.variance * each**2 for occupancy, each in chances))
    return 0.5 * math.erfc(free / spread / math.sqrt(2.0)) if spread else float(free < 0.0)
