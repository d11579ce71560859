"""Gemmini's measured mappings, simulated tile by tile: what its programs and its memory system add to the nest."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ....accel.accelerator import Accelerator
from ....accel.mapping import LevelMapping, Loop, Mapping
from ....accel.residence import Residence, with_residence
from ....accel.simulator.operators import simulate_operator
from ....accel.simulator.plan import plan_tiles
from ....accel.spec import load_accelerator
from ....models.op import ROLES, Op, Tensor

__all__ = ["Chip", "Program", "chip", "program", "simulated_cycles"]

_NAME, _CACHE = "gemmini_rtl_tiles", "system_cache"


@dataclass(frozen=True)
class Chip:
    """The accelerator as an operator finds it: ``cold``, or with all its tensors in the cache already (``warm``)."""

    cold: Accelerator
    warm: Accelerator


@dataclass(frozen=True)
class Program:
    """What runs for a measured mapping; ``warm``: all its words fit the cache and are there from the run before."""

    op: Op
    mapping: Mapping
    warm: bool


def chip(parameters: MappingType[str, str]) -> Chip:
    """`gemmini_rtl_tiles` with these parameters."""
    cold = load_accelerator(_NAME).with_parameters(**parameters)
    return Chip(cold, with_residence(cold, Residence(homes=tuple((role, _CACHE) for role in ROLES))))


def program(op: Op, nest: Mapping, accelerator: Accelerator) -> Program:
    """The program for a nest of `gemmini_rtl`'s levels, its outer loops divided between the DRAM and the cache.

    Loops over a sum run inside the others: a test program writes an output once its last share has been added, so that
    no partial sums move. The least recently used words leave the cache; of the loops around the tile, as many as fit
    with all they touch run from it, the others bring their words from the DRAM again.
    """
    outermost, *inside = nest.levels
    sums = [loop for loop in outermost.loops if loop.dim not in op.tensor("output").dims]
    around = [loop for loop in outermost.loops if loop not in sums] + sums
    tile = dict.fromkeys(op.bounds, 1)
    for level in inside:
        for loop in level.loops:
            tile[loop.dim] *= loop.bound
    op = replace(op, tensors=(_whole_rows(op.tensor("input"), tile), *op.tensors[1:]))
    room = next(memory.size_bits for memory in accelerator.memories if memory.name == _CACHE)
    warm = _bits(op, op.bounds) <= room
    cut = 0 if warm else _cut(op, tile, around, room)
    levels = LevelMapping("dram", tuple(around[:cut])), LevelMapping(_CACHE, tuple(around[cut:]))
    return Program(op, Mapping((*levels, *inside)), warm)


def _whole_rows(tensor: Tensor, tile: MappingType[str, int]) -> Tensor:
    """An input whose words stand for the positions that a stride skips too: the DMA loads them with the others.

    That is what a tile of a kernel narrower than the stride leaves out; a kernel as wide touches every position.
    """
    skipped = 1
    for rank in tensor.ranks:
        if len(rank.terms) == 2:
            (_, stride), (window, _) = rank.terms
            skipped *= max(1, stride // tile[window])
    return replace(tensor, bits=tensor.bits * skipped)


def _bits(op: Op, extents: MappingType[str, int]) -> int:
    cut_off = {dim: min(extents[dim], bound) for dim, bound in op.dims}
    return sum(tensor.words(cut_off) * tensor.bits for tensor in op.tensors)


def _cut(op: Op, tile: MappingType[str, int], around: Sequence[Loop], room: float) -> int:
    """How many of the loops ``around`` the tile stay outside a cache of ``room`` bits."""
    extents, cut = dict(tile), len(around)
    while cut:
        loop = around[cut - 1]
        extents[loop.dim] *= loop.bound
        if _bits(op, extents) > room:
            break
        cut -= 1
    return cut


def simulated_cycles(one: Program, on: Chip) -> float:
    """Cycles of the program on the chip, alone."""
    return simulate_operator(plan_tiles(one.op, on.warm if one.warm else on.cold, one.mapping)).cycles
