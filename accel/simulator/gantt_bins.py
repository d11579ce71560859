"""How much of every pixel of a timeline's picture each thing takes, without playing out what is finer than a pixel."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .recorder import Entries, Slice
from .stretch import Stretch

__all__ = ["Bins", "Layer", "paint"]

Floats = npt.NDArray[np.float64]
Layer = Callable[[Slice], int]
FINEST = 6  # bins that a repeated stretch takes at least to be drawn for itself
MOST_HELD = 1 << 17  # pieces kept before they are added up


@dataclass(slots=True)
class _Crowd:
    """Neighbouring pieces of one operator in one row: cycles by layer."""

    op: str
    start: float
    end: float
    amounts: dict[int, float] = field(default_factory=dict)


@dataclass
class Bins:
    """Cycles of work by row, layer and bin; the bins split a window of time evenly.

    ``pieces`` keeps the single pieces (row, layer, start, end) while they are few enough to be drawn one by one:
    at most ``most_pieces`` in a row; a row with more, or with anything finer than a bin, is not in ``exact``.
    """

    window: tuple[float, float]
    rows: int
    layers: int
    bins: int
    most_pieces: int
    pieces: list[tuple[int, int, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inside = np.zeros(self.rows * self.layers * self.bins)
        self._steps = np.zeros(self.rows * self.layers * (self.bins + 1))
        self._held = tuple(array("d") for _ in range(4))  # row x layer, start, end, cycles of work
        self._count = [0] * self.rows
        self._crowds: dict[int, _Crowd] = {}

    @property
    def width(self) -> float:
        """Cycles in a bin."""
        return (self.window[1] - self.window[0]) / self.bins

    def is_exact(self, row: int) -> bool:
        """Whether ``pieces`` hold all that happens in a row."""
        return self._count[row] <= self.most_pieces

    def add(self, row: int, layer: int, start: float, end: float, op: str = "") -> None:
        """One piece of work for ``op`` that takes all of its time; a row's pieces come in the order of time."""
        if not (end > self.window[0] and start < self.window[1] and end > start):
            return
        self._count[row] += 1
        if self.is_exact(row):
            self.pieces.append((row, layer, start, end))
        crowd, fine = self._crowds.get(row), FINEST * self.width
        if crowd is not None and (crowd.op != op or start - crowd.start > fine or end - start > fine):
            near = crowd.op == op and max(start - crowd.end, crowd.end - crowd.start) < 2 * fine
            self._disperse(row, crowd, start if near else crowd.end)
            crowd = None
        if crowd is None:
            crowd = self._crowds[row] = _Crowd(op, start, end)
        crowd.end = end
        crowd.amounts[layer] = crowd.amounts.get(layer, 0.0) + end - start

    def _disperse(self, row: int, crowd: _Crowd, end: float) -> None:
        """Pieces of one operator that are together finer than can be drawn, evenly over their time."""
        for layer, amount in crowd.amounts.items():
            self._hold(row, layer, [crowd.start], [end], [amount])

    def add_many(self, row: int, layer: int, starts: Floats, length: float, amount: float) -> None:
        """Pieces of one length, each with ``amount`` cycles of work spread evenly over it."""
        starts = starts[(starts + length > self.window[0]) & (starts < self.window[1])]
        if length > 0.0 and len(starts):
            self._count[row] += len(starts) if amount == length else self.most_pieces + 1
            if self.is_exact(row):
                self.pieces += [(row, layer, start, start + length) for start in starts.tolist()]
            self._hold(row, layer, starts.tolist(), (starts + length).tolist(), [amount] * len(starts))

    def _hold(self, row: int, layer: int, starts: list[float], ends: list[float], amounts: list[float]) -> None:
        where, begin, end, work = self._held
        where.extend([row * self.layers + layer] * len(starts))
        begin.extend(starts)
        end.extend(ends)
        work.extend(amounts)
        if len(where) > MOST_HELD:
            self._add_up()

    def _add_up(self) -> None:
        where, start, end, work = (np.array(held) for held in self._held)
        self._held = tuple(array("d") for _ in range(4))
        density = work / (end - start)
        first, last = self.window
        start, end = (np.clip(ends, first, last) - first for ends in (start, end))
        head = np.minimum((start / self.width).astype(np.int64), self.bins - 1)
        tail = np.minimum((end / self.width).astype(np.int64), self.bins - 1)
        place = where.astype(np.int64)
        inner, outer = place * self.bins, place * (self.bins + 1)
        one = head == tail
        in_head = np.where(one, end - start, (head + 1) * self.width - start) * density
        in_tail = np.where(one, 0.0, end - tail * self.width) * density
        self._inside += np.bincount(inner + head, in_head, len(self._inside))
        self._inside += np.bincount(inner + tail, in_tail, len(self._inside))
        between = np.where(one, 0.0, self.width * density)
        self._steps += np.bincount(outer + np.minimum(head + 1, self.bins), between, len(self._steps))
        self._steps -= np.bincount(outer + tail, between, len(self._steps))

    def shares(self) -> Floats:
        """Share of each bin that a layer of a row takes, (rows, layers, bins)."""
        for row, crowd in self._crowds.items():
            self._disperse(row, crowd, crowd.end)
        self._crowds.clear()
        if len(self._held[0]):
            self._add_up()
        shape = (self.rows, self.layers)
        steps = self._steps.reshape(*shape, self.bins + 1).cumsum(axis=2)[:, :, : self.bins]
        cycles: Floats = self._inside.reshape(*shape, self.bins) + steps
        return np.clip(cycles / self.width, 0.0, 1.0) if self.width else cycles * 0.0


def paint(log: Entries, whole: Stretch, rows: Mapping[str, int], layer: Layer, bins: Bins) -> None:
    """Add what the tracks in ``rows`` do to ``bins``; what recurs faster than a few bins is spread evenly."""
    _paint(log, whole, np.zeros(1), rows, layer, bins)


def _paint(log: Entries, stretch: Stretch, shifts: Floats, rows: Mapping[str, int], layer: Layer, bins: Bins) -> None:
    """Every occurrence of a stretch, each shifted by one of ``shifts`` cycles."""
    for part in stretch.parts(log):
        if isinstance(part, Slice):
            row = rows.get(part.track)
            if row is not None and len(shifts) == 1:
                bins.add(row, layer(part), part.start + shifts[0], part.end + shifts[0], part.op)
            elif row is not None:
                length = part.end - part.start
                bins.add_many(row, layer(part), part.start + shifts, length, length)
        elif part.times and part.period < FINEST * bins.width:
            _spread(log, part, shifts, rows, layer, bins)
        elif part.extents:
            every = (shifts[:, None] + part.period * np.arange(part.times + 1)).ravel()
            begins = min(extent.start for extent in part.extents.values())
            ends = max(extent.end for extent in part.extents.values())
            seen = every[(every + ends > bins.window[0]) & (every + begins < bins.window[1])]
            if len(seen):
                _paint(log, part, seen, rows, layer, bins)


def _spread(log: Entries, stretch: Stretch, shifts: Floats, rows: Mapping[str, int], layer: Layer, bins: Bins) -> None:
    """All occurrences of a stretch whose period is too fine to be drawn, evenly over the time they take."""
    often = 1 + stretch.times
    amounts: dict[tuple[str, int], float] = {}
    for one, occurrences in weighted_stretch(log, stretch):
        if one.track in rows:
            place = one.track, layer(one)
            amounts[place] = amounts.get(place, 0.0) + occurrences * (one.end - one.start)
    for (track, kind), amount in amounts.items():
        extent = stretch.extents[track]
        length = extent.end - extent.start + stretch.times * stretch.period
        bins.add_many(rows[track], kind, extent.start + shifts, length, often * amount)


def weighted_stretch(log: Entries, stretch: Stretch) -> list[tuple[Slice, int]]:
    """Each slice of one occurrence with how often it occurs in it."""
    own = [(entry, 1) for entry in stretch.parts(log) if isinstance(entry, Slice)]
    for inner in stretch.inner:
        own += [(one, n * (1 + inner.times)) for one, n in weighted_stretch(log, inner)]
    return own
