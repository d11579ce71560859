"""A timeline in Chrome's trace format, which Perfetto and chrome://tracing open; and a check of the format's rules.

The format: "Trace Event Format", Google, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...errors import BadInput
from .recorder import Slice
from .stretch import Stretch
from .trace_check import check_trace

if TYPE_CHECKING:
    from .timeline import OperatorRun, Timeline

__all__ = ["MAX_SLICES", "TraceFile", "check_trace", "write_trace"]

MAX_SLICES = 200_000
PICO = 1_000_000  # picoseconds in a microsecond, the format's unit of time
EXACT_PS = 10**15  # up to here microseconds with six decimals keep their value as floating-point numbers
COLOURS = {"stall": "grey", "overhead": "yellow", "wake": "yellow"}  # names of chrome://tracing's own palette
OPERATORS, OPERATORS_PID = "operators", 1
FIRST_TID = 101  # a thread that bears its process's number would be shown as its main thread


@dataclass(frozen=True)
class TraceFile:
    """What was written: threads and slices, and how many slices of the timeline stand in the file as part of another.

    ``copies`` is how often each repeated stretch was played out at most (None: always), the rest of it being one slice
    per track; ``merged`` is how many neighbours were made one where even that was too much.
    """

    path: Path
    tracks: int
    slices: int
    hidden: int
    copies: int | None = None
    merged: int = 1

    @property
    def note(self) -> str:
        """What the file leaves out, in words; "" where it has everything."""
        if not self.hidden:
            return ""
        text = f"repeated stretches recur at most {self.copies} × slice by slice, then as one slice per track"
        merged = f"; then {self.merged} neighbours each are drawn as one" if self.merged > 1 else ""
        return f"{text}{merged}; {self.hidden:,} slices are part of another"


class _Event(NamedTuple):
    """A slice to be written; times in cycles."""

    track: str
    start: float
    end: float
    name: str
    kind: str
    op: str
    cause: str
    slices: int = 1
    busy: float = 0.0  # cycles, where the event stands for several slices
    stall: float = 0.0


def write_trace(timeline: Timeline, path: Path, max_slices: int = MAX_SLICES) -> TraceFile:
    """Write ``timeline`` as JSON of about ``max_slices`` slices, whole or not at all; a thread per resource.

    Repeats are played out as far as ``max_slices`` allows: each at most so many times, the rest of it as one slice per
    track that covers it and states its share of work. Where the slices that are no repeats are too many, neighbours are
    made one. Another process of the trace shows the operators. Raises `BadInput` where the file cannot be written.
    """
    if max_slices < 1:
        raise BadInput(f"max_slices is {max_slices}; give how many slices the trace may have, such as {MAX_SLICES}")
    whole = timeline.whole
    total = sum(extent.slices for extent in whole.extents.values())
    copies = _most_copies(whole, max_slices)
    played = _written(whole, copies)
    merged = max(1, -(-played // max_slices))
    events = _events(timeline, whole, copies, 0.0)
    ids = _threads([share.track for share in timeline.shares])
    writer = _Writer(timeline, ids)
    runs = _lanes(timeline.operators) if len(timeline.operators) <= max_slices else []
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8") as out:
            lines = chain(
                writer.metadata(len(runs)),
                writer.operators(runs),
                writer.slices(_merged(events, merged) if merged > 1 else events),
            )
            out.write('{"displayTimeUnit": "ns",\n"traceEvents": [\n')
            out.write(next(lines, ""))
            out.writelines(",\n" + line for line in lines)
            hidden = total - writer.alone
            found = TraceFile(path, len(ids), writer.written, hidden, copies if hidden else None, merged)
            out.write(f'\n],\n"otherData": {json.dumps(_about(timeline, found))}}}\n')
        draft.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot write the trace {path}: {reason}; give a file in a folder you may write to") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return found


def _about(timeline: Timeline, found: TraceFile) -> dict[str, object]:
    about: dict[str, object] = {name: getattr(timeline, name) for name in ("network", "accelerator", "clock_hz")}
    about |= {"cycles": timeline.cycles, "seed": timeline.seed, "complete": timeline.complete}
    return about | ({"note": found.note} if found.note else {})


def _written(stretch: Stretch, copies: int) -> int:
    """Slices of all occurrences of a stretch where each repeat is played at most ``copies`` times."""
    once = stretch.own_slices + sum(_written(one, copies) for one in stretch.inner)
    summaries = len(stretch.extents) if stretch.times > copies else 0
    return once * (1 + min(stretch.times, copies)) + summaries


def _most_copies(whole: Stretch, limit: int) -> int:
    """How often each repeat may be played so that at most ``limit`` slices are written; 0 where none may."""
    low, high = 0, 1
    while high <= limit and _written(whole, high) <= limit:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _written(whole, middle) <= limit:
            low = middle
        else:
            high = middle
    return low


def _events(timeline: Timeline, stretch: Stretch, copies: int, shift: float) -> Iterator[_Event]:
    """One occurrence of a stretch; each track's events in the order of time."""
    for part in stretch.parts(timeline.log):
        if isinstance(part, Slice):
            track, start, end, name, kind, op, cause = part
            yield _Event(track, start + shift, end + shift, name, kind, op, cause)
            continue
        played = min(part.times, copies)
        for k in range(played + 1):
            yield from _events(timeline, part, copies, shift + k * part.period)
        if left := part.times - played:
            yield from _summaries(timeline, part, left, shift)


def _summaries(timeline: Timeline, stretch: Stretch, left: int, shift: float) -> Iterator[_Event]:
    """The last ``left`` recurrences of a stretch as one event per track."""
    ops = sorted({one.op for one in timeline.log[stretch.begin : stretch.end] if isinstance(one, Slice)})
    op = ops[0] if len(ops) == 1 else f"{len(ops)} operators"
    from_start, to_end = (stretch.times - left + 1) * stretch.period, stretch.times * stretch.period
    name = f"{left:,} × {stretch.period:,.6g} cycles"
    for track, extent in stretch.extents.items():
        start, end = extent.start + from_start + shift, extent.end + to_end + shift
        cause = max(extent.causes, key=lambda one: extent.causes[one]) if extent.causes else ""
        yield _Event(
            track, start, end, name, "repeat", op, cause, left * extent.slices, left * extent.busy, left * extent.stall
        )


def _merged(events: Iterable[_Event], many: int) -> Iterator[_Event]:
    """Every ``many`` neighbours of a track as one event."""
    open_events: dict[str, tuple[int, _Event]] = {}
    for event in events:
        held, one = open_events.pop(event.track, (0, event))
        joined = one if not held else _joined(one, event)
        if held + 1 == many:
            yield joined
        else:
            open_events[event.track] = held + 1, joined
    yield from (one for _, one in open_events.values())


def _joined(one: _Event, other: _Event) -> _Event:
    first, second = _amounts(one), _amounts(other)
    slices = first[0] + second[0]
    op = one.op if one.op == other.op else "several operators"
    busy, stall = first[1] + second[1], first[2] + second[2]
    cause = one.cause or other.cause
    return _Event(one.track, one.start, other.end, f"{slices:,} slices", "merged", op, cause, slices, busy, stall)


def _amounts(event: _Event) -> tuple[int, float, float]:
    """Slices, cycles of work and cycles of stalls that an event stands for."""
    if event.kind in ("repeat", "merged"):
        return event.slices, event.busy, event.stall
    length = event.end - event.start
    return (1, 0.0, length) if event.kind == "stall" else (1, length, 0.0)


def _threads(tracks: Iterable[str]) -> dict[str, tuple[int, int, str, str]]:
    """Each track's process and thread, by number and by name: a core's resources are a process of their own."""
    processes: dict[str, int] = {}
    found = {}
    for tid, track in enumerate(tracks, FIRST_TID):
        core, separator, name = track.partition(": ")
        process = core if separator and core.startswith("core ") else ""
        pid = processes.setdefault(process, OPERATORS_PID + 1 + len(processes))
        found[track] = (pid, tid, process or "resources", name if process else track)
    return found


def _lanes(runs: Iterable[OperatorRun]) -> list[tuple[int, OperatorRun]]:
    """Each run with the first lane that is free for it, in the order of time."""
    free: list[float] = []
    placed = []
    for run in sorted(runs, key=lambda one: (one.start, one.end)):
        lane = next((at for at, end in enumerate(free) if end <= run.start), len(free))
        free[lane : lane + 1] = [run.end]
        placed.append((lane, run))
    return placed


class _Writer:
    """Turns events into lines of JSON whose times are whole picoseconds, so that neighbours never overlap."""

    def __init__(self, timeline: Timeline, ids: dict[str, tuple[int, int, str, str]]) -> None:
        self.timeline, self.ids = timeline, ids
        self.written = self.alone = 0
        self._free: dict[tuple[int, int], int] = {}
        self._ps_per_cycle = 1e12 / timeline.clock_hz
        self._step = 1 if timeline.cycles * self._ps_per_cycle < EXACT_PS else PICO

    def metadata(self, lanes: int) -> Iterator[str]:
        """Names and order of processes and threads; the operators come first."""
        processes = dict.fromkeys((pid, process) for pid, _, process, _ in self.ids.values())
        if lanes:
            whole = f"{self.timeline.network} on {self.timeline.accelerator}"
            yield _named(OPERATORS_PID, FIRST_TID, "process_name", "name", whole)
            yield _named(OPERATORS_PID, FIRST_TID, "process_sort_index", "sort_index", OPERATORS_PID)
        for pid, process in processes:
            yield _named(pid, FIRST_TID, "process_name", "name", process)
            yield _named(pid, FIRST_TID, "process_sort_index", "sort_index", pid)
        for pid, tid, _, name in self.ids.values():
            yield _named(pid, tid, "thread_name", "name", name)
            yield _named(pid, tid, "thread_sort_index", "sort_index", tid)

    def operators(self, runs: list[tuple[int, OperatorRun]]) -> Iterator[str]:
        """The runs of operators, in as many threads as run at once."""
        first = FIRST_TID + len(self.ids)
        for lane in sorted({lane for lane, _ in runs}):
            name = f"{OPERATORS} {lane + 1}" if lane else OPERATORS
            yield _named(OPERATORS_PID, first + lane, "thread_name", "name", name)
            yield _named(OPERATORS_PID, first + lane, "thread_sort_index", "sort_index", first + lane)
        for lane, run in runs:
            args = {"network": run.network, "run": run.run, "core": run.core, "cycles": run.cycles}
            args |= {"analytic_cycles": run.analytic, "steps": run.steps, "walked": run.walked}
            args |= {f"critical: {name}": cycles for name, cycles in run.path.items()}
            args |= {f"stall: {name}": cycles for name, cycles in run.stalls.items()}
            yield from self._line((OPERATORS_PID, first + lane), run, run.name, json.dumps(args))

    def slices(self, events: Iterable[_Event]) -> Iterator[str]:
        """The events, but for those shorter than a picosecond."""
        for event in events:
            pid, tid, _, _ = self.ids[event.track]
            several = event.kind in ("repeat", "merged")
            args = f'{{"operator": {_quoted(event.op)}, "tile": {_quoted(event.name)}'
            if event.cause:
                args += f', "cause": {_quoted(event.cause)}'
            if several:
                length = event.end - event.start or 1.0
                shares = f'"busy_share": {event.busy / length:.6g}, "stall_share": {event.stall / length:.6g}'
                args += f', "slices": {event.slices}, {shares}'
            name = f"{event.op} {event.name}" if event.op and event.kind != "stall" else event.name
            self.alone += not several
            for line in self._line((pid, tid), event, name, args + "}"):
                self.written += 1
                yield line

    def _line(self, place: tuple[int, int], what: _Event | OperatorRun, name: str, args: str) -> Iterator[str]:
        """A complete event in a thread of a process, or nothing where nothing is left of it."""
        begins = max(self._picoseconds(what.start), self._free.get(place, 0))
        length = self._picoseconds(what.end) - begins
        if length > 0:
            self._free[place] = begins + length
            colour = f', "cname": "{COLOURS[what.kind]}"' if what.kind in COLOURS else ""
            yield (
                f'{{"ph": "X", "pid": {place[0]}, "tid": {place[1]}, "ts": {_micro(begins)}, "dur": {_micro(length)}, '
                f'"name": {_quoted(name)}, "cat": {_quoted(what.kind)}{colour}, "args": {args}}}'
            )

    def _picoseconds(self, cycles: float) -> int:
        return round(cycles * self._ps_per_cycle / self._step) * self._step


def _micro(picoseconds: int) -> str:
    """Picoseconds as microseconds, without loss."""
    whole, rest = divmod(picoseconds, PICO)
    return f"{whole}.{rest:06d}".rstrip("0") + "0" * (rest == 0)


@lru_cache(maxsize=65536)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _named(pid: int, tid: int, what: str, key: str, value: str | int) -> str:
    return json.dumps({"ph": "M", "pid": pid, "tid": tid, "ts": 0, "name": what, "args": {key: value}})
