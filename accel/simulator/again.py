"""Operators that have run before from the same state are not run again: their stretch of the log is played once more.

Where one core works alone and all its resources are free, an operator takes the same course whenever it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .execution import Execution
from .recorder import Repeat, Slice
from .resources import Path, Resource

__all__ = ["Course", "Recording", "idle"]

_Totals = tuple[float, float, dict[str, float]]


def idle(resources: Sequence[Resource], now: float) -> bool:
    """Whether nobody is being served."""
    return all(resource.free_at <= now for resource in resources)


@dataclass(frozen=True)
class Course:
    """What an operator did, relative to its start."""

    entries: tuple[Slice | Repeat, ...]  # repeats count entries from the first
    cycles: float
    path: Path
    stalls: dict[str, float]
    totals: dict[str, _Totals]  # by resource
    walked: int

    def play(self, execution: Execution, path: Path) -> None:
        """Let it happen again, from now on, as ``execution``."""
        core, clock = execution.core, execution.clock
        now, base = clock.now, len(core.log)
        for entry in self.entries:
            if isinstance(entry, Slice):
                track, start, end, name, kind, _, cause = entry
                core.log.append(Slice(track, now + start, now + end, name, kind, execution.name, cause))
            else:
                core.log.append(Repeat(base + entry.first, entry.times, entry.period))
        for resource in core.resources:
            if resource.name in self.totals:
                resource.add(*self.totals[resource.name])
        clock.skipped += self.cycles
        execution.stalls.update(self.stalls)
        execution.path = {name: path.get(name, 0.0) + self.path.get(name, 0.0) for name in {**path, **self.path}}


class Recording:
    """What is needed to make a `Course` of an execution that begins now and ends before anything else begins."""

    def __init__(self, execution: Execution, path: Path) -> None:
        self.execution, self.path = execution, path
        self.start, self.base = execution.clock.now, len(execution.core.log)
        self.before = {resource.name: resource.totals() for resource in execution.core.resources}

    def course(self) -> Course:
        """The course, once the execution has ended."""
        run, nothing = self.execution, (0.0, 0.0, dict[str, float]())
        entries: list[Slice | Repeat] = []
        for entry in run.core.log[self.base :]:
            if isinstance(entry, Slice):
                entries.append(entry._replace(start=entry.start - self.start, end=entry.end - self.start))
            else:
                entries.append(entry._replace(first=entry.first - self.base))
        totals: dict[str, _Totals] = {}
        for resource in run.core.resources:
            (busy, bits, held), was = resource.totals(), self.before.get(resource.name, nothing)
            added = {cause: cycles - was[2].get(cause, 0.0) for cause, cycles in held.items()}
            totals[resource.name] = (busy - was[0], bits - was[1], added)
        spent = {name: cycles - self.path.get(name, 0.0) for name, cycles in run.path.items()}
        return Course(tuple(entries), run.clock.now - self.start, spent, dict(run.stalls), totals, run.walked)
