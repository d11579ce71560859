"""The log as a tree of repeated stretches: what each does on each track, without playing it out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...errors import ImpossibleResult
from .recorder import KINDS, Entries, Repeat, Slice

__all__ = ["Extent", "Stretch", "stretches"]


@dataclass(slots=True)
class Extent:
    """What happens on one track from ``start`` to ``end`` (cycles): cycles of work and, by cause, of stalls."""

    start: float
    end: float
    busy: float = 0.0
    slices: int = 0
    causes: dict[str, float] = field(default_factory=dict)

    @property
    def stall(self) -> float:
        """Cycles in which the track waits."""
        return math.fsum(self.causes.values())


@dataclass(slots=True)
class Stretch:
    """The entries ``log[begin:end]``, recurring ``times`` more times every ``period``; ``inner`` are those inside it.

    ``extents`` tells of one occurrence, with the recurrences inside it.
    """

    begin: int
    end: int
    times: int
    period: float
    inner: list[Stretch] = field(default_factory=list)
    extents: dict[str, Extent] = field(default_factory=dict)

    def parts(self, log: Entries) -> Iterator[Slice | Stretch]:
        """One occurrence in the order of the log: slices, and stretches to play ``1 + times`` times."""
        place = self.begin
        for one in self.inner:
            yield from (entry for entry in log[place : one.begin] if isinstance(entry, Slice))
            yield one
            place = one.end + 1
        yield from (entry for entry in log[place : self.end] if isinstance(entry, Slice))

    @property
    def own_slices(self) -> int:
        """Slices of one occurrence that belong to no inner stretch."""
        return self.end - self.begin - sum(one.end + 1 - one.begin for one in self.inner)


def stretches(log: Entries) -> Stretch:
    """The whole log as one stretch; `ImpossibleResult` where slices of a track overlap or a repeat is unsound."""
    found: list[Stretch] = []
    for place, entry in enumerate(log):
        if isinstance(entry, Repeat):
            found.append(_closed(log, found, place, entry))
    return _closed(log, found, len(log), Repeat(0, 0, 0.0))


def _closed(log: Entries, found: list[Stretch], place: int, repeat: Repeat) -> Stretch:
    """The stretch that ends at ``place``; takes those inside it off ``found``."""
    at = len(found)
    while at and found[at - 1].begin >= repeat.first:
        at -= 1
    if not 0 <= repeat.first <= place or repeat.times < 0 or not repeat.period >= 0.0:
        raise ImpossibleResult(f"{repeat} at place {place} of the log repeats what does not stand before it")
    if at and found[at - 1].end >= repeat.first:
        raise ImpossibleResult(f"{repeat} at place {place} of the log crosses another repeat")
    whole = Stretch(repeat.first, place, repeat.times, repeat.period, found[at:])
    del found[at:]
    for part in whole.parts(log):
        if isinstance(part, Slice):
            _add_slice(whole.extents, part)
        else:
            _add_stretch(whole.extents, part)
    for track, extent in whole.extents.items():
        if whole.times and extent.start + whole.period < extent.end - _slack(extent.end):
            stretch = f"from {extent.start:g} to {extent.end:g}"
            raise ImpossibleResult(f"{track}: what happens {stretch} cannot recur after {whole.period:g} cycles")
    return whole


def _slack(at: float) -> float:
    """What two slices may overlap because times are rounded, in cycles."""
    return 1e-6 + 1e-9 * abs(at)


def _add_slice(extents: dict[str, Extent], one: Slice) -> None:
    track, start, end, name, kind, op, cause = one
    if not 0.0 <= start <= end < math.inf or kind not in KINDS or (kind == "stall") != bool(cause):
        raise ImpossibleResult(f"{track}: '{name}' of {op} is a slice that cannot be: {one}")
    extent = extents.get(track)
    if extent is None:
        extent = extents[track] = Extent(start, end)
    elif start < extent.end - _slack(end):
        raise ImpossibleResult(f"{track}: '{name}' of {op} starts at {start:g}, before {extent.end:g} when it is free")
    extent.end = max(extent.end, end)
    extent.slices += 1
    if cause:
        extent.causes[cause] = extent.causes.get(cause, 0.0) + end - start
    else:
        extent.busy += end - start


def _add_stretch(extents: dict[str, Extent], stretch: Stretch) -> None:
    """One occurrence of an inner stretch with all its recurrences."""
    often = 1 + stretch.times
    for track, inner in stretch.extents.items():
        extent = extents.get(track)
        if extent is None:
            extent = extents[track] = Extent(inner.start, inner.start)
        elif inner.start < extent.end - _slack(inner.start):
            text = f"starts at {inner.start:g}, before {extent.end:g} when the track is free"
            raise ImpossibleResult(f"{track}: a repeated stretch {text}")
        extent.end = max(extent.end, inner.end + stretch.times * stretch.period)
        extent.busy += often * inner.busy
        extent.slices += often * inner.slices
        for cause, cycles in inner.causes.items():
            extent.causes[cause] = extent.causes.get(cause, 0.0) + often * cycles
