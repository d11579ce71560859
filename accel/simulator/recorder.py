"""The log of a simulation: what every resource did when, with regular stretches written once.

Times are cycles of the accelerator's clock. A track is a resource: the slices of one track never overlap, and stand in
the log in the order of time; slices of different tracks may stand in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from ...errors import ImpossibleResult

__all__ = ["KINDS", "Entries", "Log", "Repeat", "Slice", "count", "expanded", "weighted"]

KINDS = ("compute", "fetch", "write_back", "vector", "host", "overhead", "transfer", "stall", "wake")


class Slice(NamedTuple):
    """From ``start`` to ``end`` the resource of a track does ``name`` for the operator ``op``.

    Slices of kind "stall" stand only on tracks that compute, and ``cause`` says what is waited for.
    """

    track: str
    start: float
    end: float
    name: str
    kind: str
    op: str
    cause: str = ""


class Repeat(NamedTuple):
    """Stands behind the entries ``log[first:here]``, which recur ``times`` more times, the k-th at + k × ``period``.

    The entries may hold repeats themselves; those lie wholly inside.
    """

    first: int
    times: int
    period: float


Log: TypeAlias = list[Slice | Repeat]
Entries: TypeAlias = Sequence[Slice | Repeat]


def expanded(log: Entries, limit: int | None = None) -> Iterator[Slice]:
    """The slices with every repeat played out, at most ``limit`` of them; each track's are in the order of time."""
    left = float("inf") if limit is None else limit
    for one in _played(log, 0, len(log), 0.0):
        if left <= 0:
            return
        left -= 1
        yield one


def _played(log: Entries, begin: int, end: int, shift: float) -> Iterator[Slice]:
    for place in range(begin, end):
        entry = log[place]
        if isinstance(entry, Slice):
            yield _shifted(entry, shift) if shift else entry
        else:
            _check(entry, begin, place)
            for k in range(1, entry.times + 1):
                yield from _played(log, entry.first, place, shift + k * entry.period)


def _shifted(one: Slice, shift: float) -> Slice:
    track, start, end, name, kind, op, cause = one
    return Slice(track, start + shift, end + shift, name, kind, op, cause)


def _check(repeat: Repeat, begin: int, place: int) -> None:
    if not begin <= repeat.first <= place or repeat.times < 0 or not repeat.period >= 0.0:
        raise ImpossibleResult(f"{repeat} at place {place} of the log repeats what does not stand before it")


def weighted(log: Entries) -> Iterator[tuple[Slice, int]]:
    """Each slice of the log with how often it occurs once repeats are played out; from the last to the first."""
    open_repeats: list[tuple[int, int]] = []  # (first entry repeated, occurrences of an entry inside)
    occurrences = 1
    for place in range(len(log) - 1, -1, -1):
        while open_repeats and place < open_repeats[-1][0]:
            open_repeats.pop()
            occurrences = open_repeats[-1][1] if open_repeats else 1
        entry = log[place]
        if isinstance(entry, Slice):
            yield entry, occurrences
        else:
            _check(entry, open_repeats[-1][0] if open_repeats else 0, place)
            occurrences *= 1 + entry.times
            open_repeats.append((entry.first, occurrences))


def count(log: Entries) -> int:
    """How many slices there are once every repeat is played out."""
    return sum(occurrences for _, occurrences in weighted(log))
