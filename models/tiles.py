"""How a tensor is cut into tiles, and tiles are cut by groups and blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .op import Rank

__all__ = ["Cut", "Grid", "Pieces", "crossed", "grids", "length", "profiles", "summed"]

Pieces = tuple[tuple[int, int], ...]  # (size, number of them)


class Cut(NamedTuple):
    """``number`` tiles of ``extent`` values of a dimension, one behind the other from ``first`` on."""

    first: int
    extent: int
    number: int


Grid = Mapping[str, Cut]


def grids(bounds: Mapping[str, int], tile: Mapping[str, int], *, ends: bool) -> list[tuple[float, Grid]]:
    """The tiles of equal extents with their share of all tiles: the whole ones, with ``ends`` the smaller ones too."""
    choices = []
    for dim, bound in bounds.items():
        extent = tile[dim]
        number, rest = divmod(bound, extent)
        cuts = [Cut(0, extent, number)]
        if rest and ends:
            cuts.append(Cut(bound - rest, rest, 1))
        choices.append([(dim, cut) for cut in cuts])
    found = [(math.prod(cut.number for _, cut in choice), dict(choice)) for choice in product(*choices)]
    total = sum(number for number, _ in found)
    return [(number / total, grid) for number, grid in found]


def profiles(cut: Cut, group: int) -> list[tuple[Pieces, float]]:
    """How tiles are cut by aligned groups of ``group`` values: the pieces of a tile, and the share of tiles so cut."""
    period = group // math.gcd(cut.extent, group)
    found: Counter[Pieces] = Counter()
    for place in range(min(period, cut.number)):
        times = 1 + (cut.number - 1 - place) // period
        first = min(-(cut.first + place * cut.extent) % group, cut.extent)
        whole, last = divmod(cut.extent - first, group)
        pieces = Counter({group: whole}) + Counter([first]) + Counter([last])
        found[tuple(sorted((size, count) for size, count in pieces.items() if size))] += times
    return [(pieces, times / cut.number) for pieces, times in found.items()]


def crossed(axes: Sequence[Pieces]) -> Pieces:
    """Pieces of a box from the pieces along its axes."""
    pieces: Counter[int] = Counter({1: 1})
    for axis in axes:
        grown: Counter[int] = Counter()
        for (size, count), (more, times) in product(pieces.items(), axis):
            grown[size * more] += count * times
        pieces = grown
    return tuple(sorted(pieces.items()))


def length(rank: Rank, bounds: Mapping[str, int]) -> int:
    """Positions from the first to the last that an axis reaches, those that strides pass over included."""
    return 1 + sum(factor * (bounds[dim] - 1) for dim, factor in rank.terms)


def summed(counts: NDArray[Any], axis: int, rank: Rank, grid: Grid) -> NDArray[Any]:
    """``counts`` with the positions of each tile along ``axis`` added up."""
    starts, words = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for dim, factor in rank.terms:
        first, extent, number = grid[dim]
        starts = (starts[:, None] + factor * (first + extent * np.arange(number))).ravel()
        words = np.unique(words[:, None] + factor * np.arange(extent))
    total: NDArray[Any] = np.take(counts, starts[:, None] + words, axis).sum(axis=axis + 1, dtype=np.int64)
    return total
