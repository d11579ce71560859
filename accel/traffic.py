"""Counts of words: what each memory reads and writes and each array delivers, in closed form per step of each loop.

The definition is the walk of ``tests/accel/oracle.py``; this equals it integer for integer. When temporal loop j
steps, a tile changes from old to new, and |new − old| words move. A tile is a product over its ranks, and the states of
different dimensions are independent, so that the sum over all steps of loop j is
``Π_ranks Σ|new| − Π_ranks Σ|new ∩ old|``, each sum over the cases of that rank's own dimensions (`Nest.moves`).
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..models.op import ROLES, Rank, Role
from .accelerator import Array, Memory
from .nest import END, START, FlatLoop, Move, Nest, remembered

__all__ = ["Boundary", "TileWords", "Traffic", "WordCounts"]


@dataclass
class WordCounts:
    """Words of one tensor at one memory, summed over its instances.

    ``reads`` serve the level below (and accumulate partial sums); ``fills`` are written from above; ``updates`` are
    output words written from below; ``drains`` are output words read to be sent up. ``partial_*`` are the shares of
    output words that are unfinished sums.
    """

    reads: int = 0
    fills: int = 0
    updates: int = 0
    drains: int = 0
    partial_updates: int = 0
    partial_drains: int = 0


@dataclass
class Boundary:
    """The way of one tensor from the memory at place ``parent`` to that at ``child`` (past the last: the compute).

    Words are summed over instances: downwards ``served`` leave the parent and ``filled`` reach the child; upwards
    ``drained`` leave the child and ``collected`` reach the parent; ``first_*`` and ``last_*`` are the shares that pass
    before the first and after the last step of the compute. ``words`` and ``last_words`` are the distinct output words
    among those that go up: each is finished once.
    """

    role: Role
    parent: int
    child: int
    served: int = 0
    filled: int = 0
    first_served: int = 0
    first_filled: int = 0
    drained: int = 0
    collected: int = 0
    words: int = 0
    last_drained: int = 0
    last_collected: int = 0
    last_words: int = 0


@dataclass(frozen=True)
class TileWords:
    """Words entering, staying and leaving, for one way of sharing transfers."""

    new: int
    kept: int
    old: int


@dataclass
class Traffic:
    """All counts of one nest: ``counts[place, role]``, ``hops[array place, role]`` (words delivered or collected)."""

    nest: Nest
    counts: dict[tuple[int, Role], WordCounts] = field(default_factory=lambda: defaultdict(WordCounts))
    hops: dict[tuple[int, Role], int] = field(default_factory=lambda: defaultdict(int))
    boundaries: list[Boundary] = field(default_factory=list)

    def __post_init__(self) -> None:
        for role in ROLES:
            keepers = self.keepers(role)
            for parent, child in itertools.pairwise(keepers):
                self._count_boundary(Boundary(role, parent, child))
            self._count_compute(Boundary(role, keepers[-1], len(self.nest.places)))

    @remembered
    def keepers(self, role: Role) -> tuple[int, ...]:
        """Places of the memories that hold the tensor, outermost first."""
        return tuple(
            place
            for place, level in enumerate(self.nest.places)
            if isinstance(level, Memory) and role in level.keeps and role not in self.nest.bypass[place]
        )

    @cached_property
    def steps(self) -> int:
        """Cycles of the compute."""
        return self.nest.steps()

    def arrays(self, way: Boundary) -> tuple[int, ...]:
        """Places of the arrays on the way, innermost first."""
        return tuple(p for p in range(way.child - 1, way.parent, -1) if isinstance(self.nest.places[p], Array))

    def sharing(self, way: Boundary, flag: Callable[[Array], bool]) -> list[frozenset[int]]:
        """Sets of sharing arrays: none, then after each array on the way from inside to outside."""
        stages, able = [frozenset[int]()], self._able_to_share(way.role)
        for place in self.arrays(way):
            array = self.nest.places[place]
            shares = place in able and isinstance(array, Array) and flag(array)
            stages.append(stages[-1] | {place} if shares else stages[-1])
        return stages

    @remembered
    def _able_to_share(self, role: Role) -> frozenset[int]:
        """Places of arrays whose instances may hold equal words of the tensor; at the others sharing changes nothing.

        They may where the array spreads a dimension that the tensor lacks or that moves a window over it.
        """
        apart = {rank.terms[0][0] for rank in self.nest.op.tensor(role).ranks if len(rank.terms) == 1}
        windows = {dim for rank in self.nest.op.tensor(role).ranks if len(rank.terms) > 1 for dim, _ in rank.terms}
        return frozenset(loop.place for loop in self.nest.loops if loop.spatial and loop.dim not in apart - windows)

    def _count_boundary(self, way: Boundary) -> None:
        self.boundaries.append(way)
        down = self.sharing(way, lambda array: way.role in array.multicast)
        entering = [self._entering(way, sharing) for sharing in down]
        if way.role == "output":
            entering = [
                total - self._first_entries(way, sharing) for total, sharing in zip(entering, down, strict=True)
            ]
            self._count_drains(way)
        else:
            way.first_filled, way.first_served = self._at_start(way, down[0]), self._at_start(way, down[-1])
        way.filled, way.served = entering[0], entering[-1]
        self.counts[way.child, way.role].fills = way.filled
        self.counts[way.parent, way.role].reads += way.served
        self._add_hops(way, entering)

    def _count_drains(self, way: Boundary) -> None:
        parent, child = self.counts[way.parent, way.role], self.counts[way.child, way.role]
        up = self.sharing(way, lambda array: array.reduces)
        leaving = [self._leaving(way, sharing) for sharing in up]
        reduced = self._leaving(way, self._able_to_share(way.role).intersection(self.arrays(way)))
        way.drained, way.collected, way.words = leaving[0], leaving[-1], self.nest.op.words("output")
        way.last_drained, way.last_collected = self._at_end(way, up[0]), self._at_end(way, up[-1])
        way.last_words = self._at_end(way, self._able_to_share(way.role).intersection(range(way.child)))
        child.drains, parent.updates = leaving[0], parent.updates + leaving[-1]
        parent.reads += leaving[-1] - reduced
        parent.partial_updates += leaving[-1] - self.finished(way.parent, way.words)
        child.partial_drains = leaving[0] - self.finished(way.child, way.words)
        self._add_hops(way, leaving)

    def at_stage(self, way: Boundary, stage: int) -> Boundary:
        """The words of a boundary where ``stage`` of its arrays, from inside, have shared their transfers (`sharing`).

        On the way down they are both ``served`` and ``filled``, on the way up ``drained`` and ``collected``.
        """
        found = Boundary(way.role, way.parent, way.child, words=way.words, last_words=way.last_words)
        down = self.sharing(way, lambda array: way.role in array.multicast)[stage]
        up = self.sharing(way, lambda array: array.reduces)[stage]
        if way.child == len(self.nest.places):
            asked = self._asked(way.role, up if way.role == "output" else down)
            found.served, found.collected = (0, asked) if way.role == "output" else (asked, 0)
            found.words = self.nest.op.words("output")
        elif way.role == "output":
            found.served = self._entering(way, down) - self._first_entries(way, down)
            found.collected, found.last_collected = self._leaving(way, up), self._at_end(way, up)
        else:
            found.served, found.first_served = self._entering(way, down), self._at_start(way, down)
        found.filled, found.first_filled = found.served, found.first_served
        found.drained, found.last_drained = found.collected, found.last_collected
        return found

    def _add_hops(self, way: Boundary, stages: list[int]) -> None:
        for place, words in zip(self.arrays(way), stages, strict=False):
            self.hops[place, way.role] += words

    def _count_compute(self, way: Boundary) -> None:
        count = self.counts[way.parent, way.role]
        if way.role == "output":
            stages = [self._asked(way.role, sharing) for sharing in self.sharing(way, lambda array: array.reduces)]
            count.updates += stages[-1]
            whole = self.nest.op.words("output")
            count.reads += stages[-1] - whole * self._working_copies(way.parent)
            count.partial_updates += stages[-1] - self.finished(way.parent, whole)
        else:
            down = self.sharing(way, lambda array: way.role in array.multicast)
            stages = [self._asked(way.role, sharing) for sharing in down]
            count.reads += stages[-1]
        self._add_hops(way, stages)

    def finished(self, place: int, words: int) -> int:
        """How often ``words`` distinct output words pass the memory at ``place`` as whole sums.

        Once each, or never where several instances each hold a share of one word's sum.
        """
        relevant = self.nest.op.tensor("output").dims
        return 0 if any(loop.dim not in relevant for loop in self.nest.spatial_above(place)) else words

    # -- tiles -------------------------------------------------------------------------------------------------------

    def _entering(self, way: Boundary, sharing: frozenset[int]) -> int:
        """Words entering the child over the whole run."""
        return self._whole_run(way.role, way.child, sharing).new

    def _leaving(self, way: Boundary, sharing: frozenset[int]) -> int:
        """Words leaving the child over the whole run, the last tile included."""
        return self._whole_run(way.role, way.child, sharing).old

    @remembered
    def _whole_run(self, role: Role, child: int, sharing: frozenset[int]) -> TileWords:
        """Words entering (``new``) and leaving (``old``) over the whole run; ``kept`` is nothing."""
        new = self._combine(role, child, START, sharing).new
        old = self._combine(role, child, END, sharing).old
        for stepping in range(len(self.nest.temporal_above(child))):
            sums = self._combine(role, child, stepping, sharing)
            kept = 0 if self.nest.refetches(role, child) else sums.kept
            new, old = new + sums.new - kept, old + sums.old - kept
        return TileWords(new, 0, old)

    def _at_start(self, way: Boundary, sharing: frozenset[int]) -> int:
        return self._combine(way.role, way.child, START, sharing).new

    def _at_end(self, way: Boundary, sharing: frozenset[int]) -> int:
        return self._combine(way.role, way.child, END, sharing).old

    def _first_entries(self, way: Boundary, sharing: frozenset[int]) -> int:
        """Output words that enter an instance for the first time and start at zero."""
        return self.nest.op.words("output") * self._idle_copies(way.role, way.child, sharing)

    @remembered
    def _idle_copies(self, role: Role, child: int, sharing: frozenset[int]) -> int:
        """Instances that hold the same words because they differ only in dimensions the tensor lacks."""
        relevant = self.nest.op.tensor(role).dims
        return math.prod(
            loop.bound
            for loop in self.nest.spatial_above(child)
            if loop.dim not in relevant and loop.place not in sharing
        )

    def _working_copies(self, place: int) -> int:
        """Instances at ``place`` that sum up one output word and have work at all."""
        copies = 1
        for dim in self.nest.dims:
            if dim not in self.nest.op.tensor("output").dims:
                copies *= sum(1 for offset in self._offsets(dim, place) if offset < self.nest.op.bounds[dim])
        return copies

    @remembered
    def _combine(self, role: Role, child: int, stepping: int, sharing: frozenset[int]) -> TileWords:
        """Sums over all times that temporal loop number ``stepping`` advances; or at `START`, at `END`."""
        return self.tile_words(role, child, self.nest.cases(stepping), sharing)

    def tile_words(self, role: Role, child: int, cases: Mapping[str, int | Move], sharing: frozenset[int]) -> TileWords:
        """Words that enter, stay in and leave the child's tiles, with one case (`Nest.moves`) for each dimension."""
        tensor = self.nest.op.tensor(role)
        copies, anew = self._idle_copies(role, child, sharing), self.nest.refetches(role, child)
        for dim, case in cases.items():
            if dim not in tensor.dims and case not in (START, END):
                copies *= self._times(dim, child, case)
        new = kept = old = copies
        for rank in tensor.ranks:
            a, b = rank.terms[0][0], rank.terms[-1][0]
            if len(rank.terms) == 1:
                sums = self._single(a, child, cases[a])
            else:
                sums = self._pair(rank, child, cases[a], cases[b], sharing, anew)
            new, kept, old = new * sums.new, kept * sums.kept, old * sums.old
        return TileWords(new, kept, old)

    @remembered
    def _times(self, dim: str, place: int, case: int | Move) -> int:
        return sum(move.times for move in self.nest.moves(dim, place, case))

    @remembered
    def _offsets(self, dim: str, place: int) -> list[int]:
        """Offsets of the instances' tiles of ``dim`` at ``place`` from the first instance's."""
        offsets = [0]
        for loop in self.nest.spatial_above(place):
            if loop.dim == dim:
                offsets = [base + k * loop.step for base in offsets for k in range(loop.bound)]
        return offsets

    @remembered
    def _single(self, dim: str, place: int, case: int | Move) -> TileWords:
        """A rank of one dimension: instances differ in their interval of it, nothing is shared."""
        size = self.nest.span(dim, place)
        new = kept = old = 0
        for count, shift, old_left, new_left in self.nest.moves(dim, place, case):
            for offset in self._offsets(dim, place):
                old_size, new_size = _cut(old_left - offset, size), _cut(new_left - offset, size)
                new, old = new + count * new_size, old + count * old_size
                kept += count * max(0, min(shift + old_size, new_size) - max(shift, 0))
        return TileWords(new, kept, old)

    @remembered
    def _pair(
        self,
        rank: Rank,
        place: int,
        case_a: int | Move,
        case_b: int | Move,
        sharing: frozenset[int],
        anew: bool,
    ) -> TileWords:
        """A rank of two dimensions (a sliding window): instances along a diagonal may hold the same positions.

        ``anew``: what a tile was before makes no difference, and is not counted.
        """
        (a, scale_a), (b, scale_b) = rank.terms
        spatial = [loop for loop in self.nest.spatial_above(place) if loop.dim in (a, b)]
        sizes = {dim: self.nest.span(dim, place) for dim in (a, b)}
        moves_a, moves_b = self.nest.moves(a, place, case_a), self.nest.moves(b, place, case_b)
        new = kept = old = 0
        for move_a, move_b in itertools.product(moves_a, moves_b):

            def leaf(
                at: Mapping[str, int], move_a: Move = move_a, move_b: Move = move_b
            ) -> tuple[_Positions, _Positions]:
                after = _positions(
                    (at[a], _cut(move_a.new_left - at[a], sizes[a]), scale_a),
                    (at[b], _cut(move_b.new_left - at[b], sizes[b]), scale_b),
                )
                before = _positions(
                    (at[a] + move_a.shift, _cut(move_a.old_left - at[a], sizes[a]), scale_a),
                    (at[b] + move_b.shift, _cut(move_b.old_left - at[b], sizes[b]), scale_b),
                )
                return frozenset() if anew else before, after

            count = move_a.times * move_b.times
            for before, after in _shared_leaves(spatial, sharing, {a: 0, b: 0}, leaf):
                new, old = new + count * len(after), old + count * len(before)
                kept += count * len(before & after)
        return TileWords(new, kept, old)

    # -- the compute -------------------------------------------------------------------------------------------------

    @remembered
    def _asked(self, role: Role, sharing: frozenset[int]) -> int:
        """Words that pass between the innermost keeper and the multipliers; nothing is held there."""
        tensor = self.nest.op.tensor(role)
        total = 1
        for dim in self.nest.dims:
            if dim not in tensor.dims:
                total *= self._active(dim, sharing)
        for rank in tensor.ranks:
            if len(rank.terms) == 1:
                total *= self.nest.op.bounds[rank.terms[0][0]]
            else:
                total *= self._asked_pair(rank, sharing)
        return total

    @remembered
    def _active(self, dim: str, sharing: frozenset[int]) -> int:
        """Pairs of time and unshared instance at which ``dim`` has work left."""
        nest, end = self.nest, len(self.nest.places)
        offsets = [0]
        for loop in nest.spatial_above(end):
            if loop.dim == dim and loop.place not in sharing:
                offsets = [base + k * loop.step for base in offsets for k in range(loop.bound)]
        bound, total = nest.op.bounds[dim], 0
        for count, base in nest.states(dim):
            total += count * (len(offsets) if base is None else sum(1 for o in offsets if base + o < bound))
        return total

    def _asked_pair(self, rank: Rank, sharing: frozenset[int]) -> int:
        (a, scale_a), (b, scale_b) = rank.terms
        nest, end = self.nest, len(self.nest.places)
        spatial = [loop for loop in nest.spatial_above(end) if loop.dim in (a, b)]
        lefts = {}
        for dim in (a, b):
            reach, bound = nest.reach(dim, end), nest.op.bounds[dim]
            lefts[dim] = [(n, reach if base is None else min(reach, bound - base)) for n, base in nest.states(dim)]
        total = 0
        for (count_a, left_a), (count_b, left_b) in itertools.product(lefts[a], lefts[b]):

            def leaf(
                at: Mapping[str, int], left_a: int = left_a, left_b: int = left_b
            ) -> tuple[_Positions, _Positions]:
                here = at[a] < left_a and at[b] < left_b
                return frozenset(), frozenset({scale_a * at[a] + scale_b * at[b]} if here else ())

            leaves = _shared_leaves(spatial, sharing, {a: 0, b: 0}, leaf)
            total += count_a * count_b * sum(len(after) for _, after in leaves)
        return total


_Positions = frozenset[int]
_Leaf = tuple[_Positions, _Positions]


def _cut(left: int, size: int) -> int:
    return max(0, min(left, size))


def _positions(first: tuple[int, int, int], second: tuple[int, int, int]) -> _Positions:
    """Values of ``scale·x + scale'·y`` over two intervals given as (start, size, scale)."""
    start_a, size_a, scale_a = first
    start_b, size_b, scale_b = second
    return frozenset(
        scale_a * x + scale_b * y for x in range(start_a, start_a + size_a) for y in range(start_b, start_b + size_b)
    )


def _shared_leaves(
    loops: list[FlatLoop], sharing: frozenset[int], at: dict[str, int], leaf: Callable[[Mapping[str, int]], _Leaf]
) -> list[_Leaf]:
    """Transfers (before, after) of all instances below ``loops``; equal children of a sharing array count once."""
    if not loops:
        return [leaf(at)]
    place = loops[0].place
    mine = [loop for loop in loops if loop.place == place]
    rest = loops[len(mine) :]
    children = []
    for index in itertools.product(*(range(loop.bound) for loop in mine)):
        moved = dict(at)
        for loop, k in zip(mine, index, strict=True):
            moved[loop.dim] += k * loop.step
        children.append(tuple(_shared_leaves(rest, sharing, moved, leaf)))
    if place in sharing:
        children = list(dict.fromkeys(tuple(sorted(child, key=repr)) for child in children))
    return [one for child in children for one in child]
