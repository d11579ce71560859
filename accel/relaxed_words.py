"""Counting words over torch tensors: the closed forms of `kernel_words` with real numbers for loop bounds.

Every function takes a `RelaxedNest`, a batch of B loop nests, and gives a tensor [B] that can be differentiated by the
factors. Dimensions count as covered exactly, so that all tiles of a dimension are alike.

Whether a loop is there at all decides how far a tensor stays put, and is no smooth question. A loop counts as present
when its factor exceeds ``least``. The values are those of this hard choice; in the gradient, where ``straight_through``
asks for it, a loop of factor f over a dimension of its own is present with weight 1 − 1/f. Loops over sliding windows
need no such help: as their factor tends to 1, all they would replace stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .kernel_nest import APART, SINGLE, WINDOW

if TYPE_CHECKING:
    from torch import Tensor

    from .kernel_nest import ProblemArrays

__all__ = [
    "Layout",
    "RelaxedNest",
    "common_pair",
    "edge_tile",
    "idle",
    "sharing",
    "size_pair",
    "tile_changes",
    "words_anew",
    "words_asked",
    "words_entering",
]

_TIE = 1.0 + 1e-9  # a product within rounding of a bound is the bound


Rank = tuple[int, int, int, int]  # dimension, scale, dimension or -1, scale


class Layout:
    """How the tensors of a problem depend on its dimensions, in plain numbers; all lists but ``bounds`` are by role."""

    def __init__(self, arrays: ProblemArrays) -> None:
        dims = range(arrays.n_dims)
        self.bounds: list[float] = [float(bound) for bound in arrays.bounds[: arrays.n_dims]]
        self.apart: list[list[int]] = [[dim for dim in dims if row[dim] == APART] for row in arrays.relevant.tolist()]
        rows = arrays.ranks[:, : arrays.n_ranks].tolist()
        self.ranks: list[list[Rank]] = [[tuple(rank) for rank in ranks if rank[0] >= 0] for ranks in rows]
        self.windows = [[rank for rank in ranks if rank[2] >= 0] for ranks in self.ranks]
        singles = [[self.bounds[rank[0]] for rank in ranks if rank[2] < 0] for ranks in self.ranks]
        self.single_words: list[float] = [math.prod(row) for row in singles]  # of all ranks of one dimension together


@dataclass(frozen=True)
class RelaxedNest:
    """B loop nests of one problem; loops in time are numbered outer to inner (L of them), those of bound 1 included.

    ``above[p]`` loops in time stand outside place p. Past the last place comes the compute.
    """

    layout: Layout
    least: float
    straight_through: bool
    above: tuple[int, ...]  # [P + 1]
    dims: Tensor  # [B, L] dimension of each loop in time
    kinds: Tensor  # [3, B, L] how each tensor depends on it: APART, SINGLE or WINDOW
    bounds: Tensor  # [B, L]
    steps: Tensor  # [B, L] how far an iteration moves along the dimension
    span: Tensor  # [B, P + 1, D] product of the factors at each place and inside it
    tile: Tensor  # [B, P + 1, D] the same, cut at the dimension's bound
    spread: Tensor  # [B, P, D] product of the factors in space at each place
    copies: Tensor  # [B, P + 1, D] product of the factors in space outside each place
    idles: Tensor  # [3, B, P] product of the factors in space at each place over dimensions that a tensor lacks


def size_pair(na: Tensor, nb: Tensor, a: Tensor | int, b: Tensor | int) -> Tensor:
    """Distinct values of a·x + b·y over na × nb points; a and b have no common divisor."""
    return na * nb - (na - b).clamp(min=0.0) * (nb - a).clamp(min=0.0)


def common_pair(na: Tensor, nb: Tensor, shift_a: Tensor, shift_b: Tensor, a: int, b: int) -> Tensor:
    """Common values of {a·x + b·y} over na × nb points and over the same points moved by the shifts.

    Without gaps the sets are intervals. Otherwise (x + k·b, y − k·a) has the same value for every k: pairs of points
    are counted per k. Where one set has such pairs itself, each value's chain of n points has n − 1 links, and points
    less links leave 1.
    """
    interval = ((na - 1.0) * a + (nb - 1.0) * b + 1.0 - (shift_a * a + shift_b * b).abs()).clamp(min=0.0)
    if a == 1 and b == 1:
        return interval
    width_a, width_b = na.detach() / b, nb.detach() / a
    most = int(width_a.minimum(width_b).max().ceil().item()) + 1
    middle = (-shift_a.detach() / b).where(width_a < width_b, shift_b.detach() / a).round()
    pairs = interval * 0.0
    link_a, link_b = (na - b).clamp(min=0.0), (nb - a).clamp(min=0.0)
    for nearby in range(-most, most + 1):
        at_a, at_b = shift_a + (middle + nearby) * b, shift_b - (middle + nearby) * a
        pairs = pairs + _overlap(na, at_a, na) * _overlap(nb, at_b, nb)
        if a > 1 and b > 1:  # elsewhere sets with links have no gaps
            pairs = pairs - _overlap(na, at_a, link_a) * _overlap(nb, at_b + a, link_b)
            pairs = pairs - _overlap(link_a, at_a, na) * _overlap(link_b, at_b - a, nb)
            pairs = pairs + _overlap(link_a, at_a, link_a) * _overlap(link_b, at_b, link_b)
    unbroken = (na >= b) | (nb <= 1.0) if a == 1 else (nb >= a) | (na <= 1.0) if b == 1 else (na < 0.0)
    return interval.where(unbroken, pairs)


def _overlap(size: Tensor, start: Tensor, other: Tensor) -> Tensor:
    """Length of [0, size) ∩ [start, start + other)."""
    return (size.minimum(start + other) - start.clamp(min=0.0)).clamp(min=0.0)


def _outside(values: Tensor) -> Tensor:
    """Product of the entries before each one; entries are at least 1."""
    return values.cumprod(1) / values


def _inside(values: Tensor) -> Tensor:
    """Product of the entries after each one; entries are at least 1."""
    return values.flip(1).cumprod(1).flip(1) / values


def _run(values: Tensor) -> Tensor:
    """Sum of the entries after each one."""
    return values.flip(1).cumsum(1).flip(1) - values


def words_anew(nest: RelaxedNest, role: int, child: int) -> Tensor:
    """`words_entering` where every step of a loop outside ``child`` brings in the whole tile."""
    loops = nest.above[child]
    apart = nest.kinds[role, :, :loops] == APART
    total = nest.bounds[:, :loops].where(apart, 1.0).prod(1) * nest.layout.single_words[role]
    for rank in nest.layout.windows[role]:
        total = total * _tiles(nest, child, rank, nest.layout.bounds[rank[0]], nest.layout.bounds[rank[2]])
    return total


def words_entering(nest: RelaxedNest, role: int, child: int) -> Tensor:
    """Words entering the instances of ``child`` over the whole run, for one instance per idle copy."""
    loops = nest.above[child]
    bounds = nest.bounds[:, :loops]
    kinds, present = nest.kinds[role, :, :loops], bounds > nest.least
    apart, single, window = kinds == APART, kinds == SINGLE, kinds == WINDOW
    single_inside = _run((single & present).double()) > 0.5
    changing = _run((~apart & present).double()) + (~apart & present) > 0.5  # here or inside
    weight = 1.0 - 1.0 / _inside(bounds.where(single, 1.0))
    nudge = weight - weight.detach() if nest.straight_through else weight * 0.0
    total = (bounds ** (changing + nudge)).where(apart, 1.0).prod(1) * nest.layout.single_words[role]
    windows = nest.layout.windows[role]
    if not windows:
        return total
    for rank in windows:
        total = total * _tiles(nest, child, rank, nest.layout.bounds[rank[0]], nest.layout.bounds[rank[2]])
    # Further out than a loop over a rank of its own, all of a tile is replaced whenever a loop advances.
    sliding = _run((window & present).double()) + (window & present) > 0.5
    stays = sliding * ((~single_inside).double() - nudge)
    kept = (
        stays
        * _outside(bounds.where(~single, 1.0))
        * (bounds - 1.0).where(~single, 0.0)
        * nest.layout.single_words[role]
    )
    for rank in windows:
        kept = kept * _staying(nest, child, rank)
    return total - kept.sum(1)


def tile_changes(nest: RelaxedNest, role: int, place: int, *, anew: bool = False) -> tuple[Tensor, Tensor]:
    """How often the tensor's tile at ``place`` is replaced over the run, and how many tiles differ.

    ``anew``: every step brings it in again.
    """
    bounds = nest.bounds[:, : nest.above[place]]
    own = nest.kinds[role, :, : nest.above[place]] != APART
    inside = _run((own & (bounds > nest.least)).double()) > 0.5
    weight = 1.0 - 1.0 / _inside(bounds.where(own, 1.0))
    nudge = weight - weight.detach() if nest.straight_through else weight * 0.0
    distinct = bounds.where(own, 1.0).prod(1)
    if anew:
        return distinct * bounds.where(~own, 1.0).prod(1), distinct
    return distinct * (bounds ** (inside + nudge)).where(~own, 1.0).prod(1), distinct


def _staying(nest: RelaxedNest, child: int, rank: Rank) -> Tensor:
    """[B, L] positions of a window, over all instances, that stay when a loop in time advances."""
    a, scale_a, b, scale_b = rank
    loops = nest.above[child]
    shifts = []
    for dim in (a, b):
        steps = nest.steps[:, :loops].where(nest.dims[:, :loops] == dim, 0.0)
        shifts.append(_run((nest.bounds[:, :loops] - 1.0) * steps) - steps)
    sizes = [nest.tile[:, child, dim, None].expand_as(shifts[0]) for dim in (a, b)]
    copies = nest.copies[:, child, a] * nest.copies[:, child, b]
    return copies[:, None] * common_pair(sizes[0], sizes[1], shifts[0], shifts[1], scale_a, scale_b)


def _tiles(nest: RelaxedNest, child: int, rank: Rank, covered_a: Tensor | float, covered_b: Tensor | float) -> Tensor:
    """Positions of a window over all pairs of tiles, those of each dimension covering so many positions."""
    a, scale_a, b, scale_b = rank
    size_a, size_b = nest.tile[:, child, a], nest.tile[:, child, b]
    return covered_a / size_a * (covered_b / size_b) * size_pair(size_a, size_b, scale_a, scale_b)


def at_most(values: Tensor, bound: float) -> Tensor:
    """Values cut at a bound; one that equals it keeps its whole gradient."""
    return values.where(values <= bound * _TIE, bound)


def edge_tile(nest: RelaxedNest, role: int, child: int) -> Tensor:
    """Words of the first (or the last) tile at ``child``, for one instance per idle copy."""
    total = nest.tile[:, child, 0] * 0.0 + 1.0
    for rank in nest.layout.ranks[role]:
        covered = [
            at_most(nest.tile[:, child, dim] * nest.copies[:, child, dim], nest.layout.bounds[dim])
            for dim in (rank[0], rank[2])
        ]
        total = total * (covered[0] if rank[2] < 0 else _tiles(nest, child, rank, covered[0], covered[1]))
    return total


def idle(nest: RelaxedNest, role: int, start: int, end: int) -> Tensor:
    """Instances of the arrays at places [start, end) that differ only in dimensions the tensor lacks."""
    return nest.idles[role, :, start:end].prod(1)


def sharing(nest: RelaxedNest, role: int, places: Iterable[int]) -> Tensor | float:
    """Share of window transfers left when the arrays at ``places`` send equal ones, along their diagonals, once."""
    share: Tensor | float = 1.0
    for a, scale_a, b, scale_b in nest.layout.windows[role]:
        for place in places:
            na, nb = nest.spread[:, place, a], nest.spread[:, place, b]
            step_a, step_b = scale_a * nest.span[:, place + 1, a], scale_b * nest.span[:, place + 1, b]
            divisor = step_a.detach().round().long().gcd(step_b.detach().round().long())
            share = share * size_pair(na, nb, step_a / divisor, step_b / divisor) / (na * nb)
    return share


def words_asked(nest: RelaxedNest, role: int, shared: list[int]) -> Tensor:
    """Words asked for by the multipliers; equal ones once in the arrays at the places ``shared``."""
    total = sharing(nest, role, shared) * nest.layout.single_words[role] * nest.span[:, 0, 0] ** 0.0
    for a, _, b, _ in nest.layout.windows[role]:
        total = total * (nest.layout.bounds[a] * nest.layout.bounds[b])
    for dim in nest.layout.apart[role]:
        active = nest.span[:, 0, dim] / nest.spread[:, shared, dim].prod(1)
        total = total * at_most(active, nest.layout.bounds[dim])
    return total
