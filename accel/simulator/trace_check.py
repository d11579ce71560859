"""Whether a file is a sound trace: a thread per resource, named, its slices in order and never two at once."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import BadInput, printable, shortened

__all__ = ["OVERLAP_US", "check_trace"]

OVERLAP_US = 1e-6  # what two slices of a thread may overlap
MOST_TOLD = 20  # broken rules of one kind that are told one by one
FIELDS = {"X": ("ts", "dur"), "M": (), "C": ("ts",), "i": ("ts",), "B": ("ts",), "E": ("ts",)}


def check_trace(path: str | Path) -> list[str]:
    """The rules of Chrome's trace format that a file breaks, in words; none for a sound one.

    Checked: it is JSON; every event has its phase, process, thread, time and, complete ones, duration; every thread
    with slices and its process have a name, and no two threads of a process the same; each thread's slices stand in
    the order of time and do not overlap. Raises `BadInput` where the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise BadInput(f"cannot read the trace {path}: {reason}; give a file that a simulation wrote") from error
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        return [f"not JSON: {error}"]
    events = document.get("traceEvents") if isinstance(document, dict) else document
    if not isinstance(events, list):
        return ["no list 'traceEvents'"]
    told: Counter[str] = Counter()
    broken = []
    for rule, what in _broken(events):
        told[rule] += 1
        if told[rule] <= MOST_TOLD:
            broken.append(f"{rule}: {printable(what)}")
    return broken + [f"{rule}: {n - MOST_TOLD} more" for rule, n in told.items() if n > MOST_TOLD]


def _broken(events: list[Any]) -> Iterator[tuple[str, str]]:
    """Each broken rule with the event or the thread that breaks it."""
    names: dict[tuple[str, Any, Any], str] = {}
    last: dict[tuple[Any, Any], tuple[float, float, str]] = {}
    for number, event in enumerate(events):
        fault = _fault(event)
        if fault:
            yield "event", f"{number} {fault}"
            continue
        pid, tid = event["pid"], event["tid"]
        if event["ph"] == "M":
            yield from _learn(names, event)
        elif event["ph"] == "X":
            start, end = event["ts"], event["ts"] + event["dur"]
            before, free, name = last.get((pid, tid), (-math.inf, -math.inf, ""))
            this = f"'{shortened(event.get('name', ''))}' at {start:.12g} us in thread {tid} of process {pid}"
            if start < before:
                yield "order", f"{this} stands after '{name}' at {before:.12g} us"
            elif free > start + OVERLAP_US:
                yield "overlap", f"{this} begins before '{name}' ends at {free:.12g} us"
            last[pid, tid] = (max(start, before), max(end, free), shortened(event.get("name", "")))
    yield from _unnamed(names, last)


def _fault(event: Any) -> str:
    """What an event lacks; "" for a sound one."""
    if not isinstance(event, dict):
        return "is no object"
    phase = event.get("ph")
    if not isinstance(phase, str) or not phase:
        return "has no 'ph'"
    for key in ("pid", "tid"):
        if not isinstance(event.get(key), int | str) or isinstance(event.get(key), bool):
            return f"has no '{key}'"
    for key in FIELDS.get(phase, ("ts",)):
        value = event.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            return f"has no '{key}' of 0 or more"
    if phase in ("X", "M") and not isinstance(event.get("name"), str):
        return "has no 'name'"
    return ""


def _learn(names: dict[tuple[str, Any, Any], str], event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Take in a name of a process or a thread."""
    what, pid, tid = event["name"], event["pid"], event["tid"]
    if what not in ("process_name", "thread_name"):
        return
    args = event.get("args")
    name = args.get("name") if isinstance(args, dict) else None
    place = (what, pid, tid if what == "thread_name" else None)
    if not isinstance(name, str) or not name:
        yield "name", f"a {what} of process {pid}, thread {tid} without a name"
    elif names.setdefault(place, name) != name:
        yield "name", f"process {pid}, thread {tid} has two: '{names[place]}' and '{name}'"


def _unnamed(names: dict[tuple[str, Any, Any], str], threads: Any) -> Iterator[tuple[str, str]]:
    for pid in dict.fromkeys(pid for pid, _ in threads):
        if ("process_name", pid, None) not in names:
            yield "name", f"process {pid} has none"
    for pid, tid in threads:
        if ("thread_name", pid, tid) not in names:
            yield "name", f"thread {tid} of process {pid} has none"
    often = Counter((pid, name) for (what, pid, _), name in names.items() if what == "thread_name")
    for (pid, name), times in often.items():
        if times > 1:
            yield "track", f"{times} threads of process {pid} are named '{name}'"
