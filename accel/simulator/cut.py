"""A log that ends at a moment: what a simulation has booked beyond it is set apart."""

from __future__ import annotations

from collections.abc import Iterable

from .recorder import Entries, Log, Repeat, Slice, expanded
from .stretch import stretches

__all__ = ["cut", "without"]

MOST_SLICES = 2_000_000  # of a log whose repeats are played out


def cut(log: Entries, moment: float) -> tuple[Log, list[Slice]]:
    """The log up to a moment (cycles), and the slices, or parts of them, that lie beyond it.

    Repeats stay as they are unless one goes on beyond the moment. A slice that begins later leaves one of no length, so
    that repeats find their entries.
    """
    crossing = any(
        extent.end + one.times * one.period > moment for one in stretches(log).inner for extent in one.extents.values()
    )
    before: Log = []
    beyond: list[Slice] = []
    for one in expanded(log, MOST_SLICES) if crossing else log:
        if isinstance(one, Repeat) or one.end <= moment:
            before.append(one)
        else:
            before.append(one._replace(start=min(one.start, moment), end=moment))
            beyond.append(one._replace(start=max(one.start, moment)))
    return before, beyond


def without(parts: dict[str, float], beyond: Iterable[Slice]) -> dict[str, float]:
    """Cycles by cause less those of stalls in ``beyond``; causes of which nothing is left are left out."""
    left = dict(parts)
    for one in beyond:
        if one.cause in left:
            left[one.cause] -= one.end - one.start
    return {cause: cycles for cause, cycles in left.items() if cycles > 1e-6}
