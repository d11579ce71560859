"""A mapping flattened into one loop nest, and how tiles move when its loops step.

Everything here is per dimension. A *base* is a distinct value of the offset that the temporal loops outside some point
of the nest give a dimension; bases whose whole tile lies inside the dimension behave alike and are counted together, so
that a handful of cases describes any nest exactly, partial tiles included.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, NamedTuple, TypeVar

from ..models.op import Op, Role
from .accelerator import Accelerator, Array, Memory
from .mapping import Mapping

__all__ = ["END", "START", "FlatLoop", "Move", "Nest", "remembered"]

START, END = -1, -2  # cases of `Nest.moves`: the first tile comes from nothing, the last leaves for nothing

_Method = TypeVar("_Method", bound=Callable[..., Any])


def remembered(method: _Method) -> _Method:
    """Keep what a method returned for the same positional arguments: a nest does not change once it is made."""
    slot = f"_remembered_{method.__name__}"

    @wraps(method)
    def look_up(self: Any, *args: Any) -> Any:
        try:
            return self.__dict__[slot][args]
        except KeyError:
            answer = self.__dict__.setdefault(slot, {})[args] = method(self, *args)
            return answer

    return look_up  # type: ignore[return-value]


@dataclass(frozen=True)
class FlatLoop:
    """One loop; ``step`` is how far an iteration moves along ``dim``, ``place`` counts levels from outside."""

    place: int
    dim: str
    bound: int
    spatial: bool
    step: int


class Move(NamedTuple):
    """``times`` over, the first instance's offset changes by ``-shift``; what then remains of the dimension ahead.

    ``old_left``/``new_left`` are measured from the first instance's tile start and cut at the span of all instances, so
    that every case with nothing cut off looks the same.
    """

    times: int
    shift: int
    old_left: int
    new_left: int


class Nest:
    """The loops of ``mapping`` for ``op``, outermost first; bounds of 1 are left out."""

    def __init__(self, op: Op, accelerator: Accelerator, mapping: Mapping) -> None:
        mapping.check(op, accelerator)
        self.op = op
        self.places = tuple(level for level in accelerator.levels if isinstance(level, Memory | Array))
        self.loops = _flatten(self.places, mapping)
        self.bypass = tuple(level.bypass for level in mapping.levels)

    @cached_property
    def dims(self) -> tuple[str, ...]:
        """The operator's dimensions."""
        return tuple(self.op.bounds)

    def tile(self, place: int) -> dict[str, int]:
        """Extents of the tile that the loops at ``place`` and inside it cover, cut at the dimension's bound."""
        return {dim: min(self.span(dim, place), bound) for dim, bound in self.op.dims}

    @remembered
    def span(self, dim: str, place: int) -> int:
        """Product of the bounds over ``dim`` at ``place`` and inside it (may exceed the dimension)."""
        return math.prod(loop.bound for loop in self.loops if loop.dim == dim and loop.place >= place)

    @remembered
    def temporal_above(self, place: int) -> tuple[FlatLoop, ...]:
        """Temporal loops outside ``place``, outermost first."""
        return tuple(loop for loop in self.loops if loop.place < place and not loop.spatial)

    @remembered
    def spatial_above(self, place: int) -> tuple[FlatLoop, ...]:
        """Spatial loops outside ``place``, outermost first."""
        return tuple(loop for loop in self.loops if loop.place < place and loop.spatial)

    def unfinished(self, place: int) -> bool:
        """Whether the output tile at ``place`` holds unfinished sums.

        It does where a loop that adds to one word more than once runs at or outside the memory, or is spread over its
        instances, so that each holds a share. A window over the output adds to the words where positions overlap.
        """
        windows = [[dim for dim, _ in r.terms if self.op.bounds[dim] > 1] for r in self.op.tensor("output").ranks]
        whole = {dims[0] for dims in windows if len(dims) == 1}
        return any(loop.dim not in whole for loop in self.loops if loop.place < place + (not loop.spatial))

    @remembered
    def reach(self, dim: str, place: int) -> int:
        """How far the last instance's tile at ``place`` ends beyond the first instance's start."""
        spread = sum((loop.bound - 1) * loop.step for loop in self.spatial_above(place) if loop.dim == dim)
        return spread + self.span(dim, place)

    @remembered
    def steppers(self, dim: str, place: int) -> tuple[FlatLoop, ...]:
        """Temporal loops over ``dim`` outside ``place``, outermost first."""
        return tuple(loop for loop in self.temporal_above(place) if loop.dim == dim)

    @remembered
    def bases(self, dim: str, count: int) -> list[tuple[int, int | None]]:
        """(count, offset) of the states of the outermost ``count`` temporal loops over ``dim``.

        Offset None: nothing is cut off.
        """
        bound, total = self.op.bounds[dim], self.span(dim, 0)
        states: list[tuple[int, int | None]] = [(1, None if total <= bound else 0)]
        for loop in self.steppers(dim, len(self.places))[:count]:
            outside = (o for o in self.loops if o.dim == dim and o.spatial and o.step > loop.step)
            wide = loop.step + sum((o.bound - 1) * o.step for o in outside)
            split: list[tuple[int, int | None]] = []
            for times, base in states:
                if base is None:
                    split.append((times * loop.bound, None))
                    continue
                offsets = range(base, min(base + loop.bound * loop.step, bound), loop.step)
                whole = len(range(base, min(offsets.stop, bound - wide + 1), loop.step))
                if whole:
                    split.append((times * whole, None))
                split.extend((times, offset) for offset in offsets[whole:])
            states = split
        return states

    def states(self, dim: str) -> list[tuple[int, int | None]]:
        """`bases` of all temporal loops over ``dim``."""
        return self.bases(dim, len(self.steppers(dim, len(self.places))))

    def steps(self) -> int:
        """Iterations of all temporal loops, in lockstep: the compute's steps."""
        return math.prod(sum(count for count, _ in self.states(dim)) for dim in self.dims)

    @remembered
    def cases(self, stepping: int) -> dict[str, int]:
        """By dimension, a number for what `moves` needs to know of temporal loop number ``stepping``.

        Twice the loops over the dimension outside that loop, plus 1 where it is itself over it; `START` and `END` stay.
        """
        if stepping < 0:
            return dict.fromkeys(self.dims, stepping)
        above = self.temporal_above(len(self.places))
        outside = Counter(loop.dim for loop in above[:stepping])
        return {dim: 2 * outside[dim] + (above[stepping].dim == dim) for dim in self.dims}

    @remembered
    def moves(self, dim: str, place: int, case: int | Move) -> list[Move]:
        """What happens to ``dim`` at ``place`` whenever a temporal loop outside ``place`` advances.

        ``case`` says which one, or is the one move asked about. Loops inside it wrap from their last iteration to their
        first.
        """
        if isinstance(case, Move):
            return [case]
        bound, reach = self.op.bounds[dim], self.reach(dim, place)
        above = self.steppers(dim, place)
        if case == START:
            return [Move(1, 0, 0, min(reach, bound))]
        if case == END:
            return [Move(1, 0, min(reach, bound - _last_offset(above, bound)), 0)]
        outside, own = divmod(case, 2)
        inner = above[outside + own :]
        whole_run = sum((one.bound - 1) * one.step for one in inner)
        found: Counter[tuple[int, int, int]] = Counter()
        for count, base in self.bases(dim, outside):
            if not own:
                if base is None:
                    found[whole_run, reach, reach] += count
                else:
                    run = _last_offset(inner, bound - base)
                    found[run, min(reach, bound - base - run), min(reach, bound - base)] += count
                continue
            loop = above[outside]
            if base is None:
                found[whole_run - loop.step, reach, reach] += count * (loop.bound - 1)
            else:
                starts = range(base, min(base + loop.bound * loop.step, bound) - loop.step, loop.step)
                uncut = bound - reach - max(whole_run, loop.step)
                whole = len(range(base, min(starts.stop, uncut + 1), loop.step))
                found[whole_run - loop.step, reach, reach] += count * whole
                for start in starts[whole:]:
                    old, new = start + whole_run, start + loop.step
                    found[whole_run - loop.step, min(reach, bound - old), min(reach, bound - new)] += count
        return [Move(count, *turn) for turn, count in found.items() if count]

    def refetches(self, role: Role, place: int) -> bool:
        """Whether the memory at ``place`` takes in a whole tile of the tensor at every step of a loop outside."""
        level = self.places[place] if place < len(self.places) else None
        return isinstance(level, Memory) and level.refetch and role != "output"

    @remembered
    def tile_changes(self, role: Role, place: int) -> int:
        """How often the tensor's tile at ``place`` is replaced over the run, the first one included.

        A tile is another one when the offset of one of the tensor's own dimensions is, whatever words they share; where
        tiles are fetched anew, whenever a loop outside advances.
        """
        if self.refetches(role, place):
            counts = (self.bases(dim, len(self.steppers(dim, place))) for dim in self.dims)
            return math.prod(sum(count for count, _ in bases) for bases in counts)
        own, changes = self.op.tensor(role).dims, 1
        for stepping in range(len(self.temporal_above(place))):
            times = still = 1
            for dim, case in self.cases(stepping).items():
                moves = self.moves(dim, place, case)
                times *= sum(move.times for move in moves)
                still *= sum(move.times for move in moves if dim not in own or not move.shift)
            changes += times - still
        return changes

    @remembered
    def distinct_tiles(self, role: Role, place: int) -> int:
        """How many tiles of the tensor there are at ``place``, however often each is there."""
        own = self.op.tensor(role).dims
        counts = (self.bases(dim, len(self.steppers(dim, place))) for dim in self.dims if dim in own)
        return math.prod(sum(count for count, _ in bases) for bases in counts)


def _flatten(places: tuple[Memory | Array, ...], mapping: Mapping) -> tuple[FlatLoop, ...]:
    """The mapping's loops with their steps, outermost first."""
    flat: list[FlatLoop] = []
    steps: Counter[str] = Counter()
    for place in range(len(places) - 1, -1, -1):
        for loop in reversed(mapping.levels[place].loops):
            if loop.bound > 1:
                step = steps[loop.dim] or 1
                flat.append(FlatLoop(place, loop.dim, loop.bound, isinstance(places[place], Array), step))
                steps[loop.dim] = step * loop.bound
    return tuple(reversed(flat))


def _last_offset(loops: Iterable[FlatLoop], left: int) -> int:
    """Offset of the last iteration of ``loops`` that starts inside the remaining ``left`` positions."""
    offset = 0
    for loop in loops:
        offset += min(loop.bound - 1, (left - 1 - offset) // loop.step) * loop.step
    return offset
