"""What a simulation found: how long everything took, what each resource did, and what the time was lost on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, ImpossibleResult
from .recorder import Entries, Slice
from .stretch import Stretch, stretches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from .trace import TraceFile

__all__ = ["Contention", "OperatorRun", "ResourceShare", "Timeline"]

COMPUTE_KINDS = ("compute", "vector", "stall")
PLACE = " from | to "  # stands before the resource in the cause of a stall
MOST_NAMED = 5  # operators, and parts of the critical path, that a description lists
LEAST_NAMED = 0.005  # of the whole time


@dataclass(frozen=True)
class ResourceShare:
    """Cycles in which a resource works, waits and has nothing to do; ``causes`` say what it waits for."""

    track: str
    busy: float
    stall: float
    idle: float
    causes: Mapping[str, float] = field(default_factory=dict)

    @property
    def cycles(self) -> float:
        """All cycles of the timeline."""
        return self.busy + self.stall + self.idle

    @property
    def used(self) -> bool:
        """Whether it does anything at all."""
        return bool(self.busy or self.stall)

    @property
    def main_cause(self) -> str:
        """What most of the waiting is for; "" where there is none."""
        return _largest(self.causes)


@dataclass(frozen=True)
class OperatorRun:
    """One run of one operator, from the ``start`` to the ``end`` of its work in cycles.

    ``analytic`` is what the analytic model says it takes, ``steps`` its steps and ``walked`` those that were not
    stepped over, ``stalls`` the cycles its compute waited by cause, ``path`` those of the critical path by resource.
    """

    name: str
    kind: str
    network: str
    run: int
    core: int
    start: float
    end: float
    analytic: float
    steps: int = 0
    walked: int = 0
    stalls: Mapping[str, float] = field(default_factory=dict)
    path: Mapping[str, float] = field(default_factory=dict)

    @property
    def cycles(self) -> float:
        """Simulated cycles from start to end."""
        return self.end - self.start

    @property
    def excess(self) -> float:
        """Simulated over analytic cycles, less one; infinite where the analytic model says it takes no time."""
        if self.analytic:
            return self.cycles / self.analytic - 1.0
        return math.inf if self.cycles else 0.0


@dataclass(frozen=True)
class Contention:
    """An operator that takes longer than the analytic model says, and the ``resource`` to blame.

    ``cause`` is what its compute waited for most ("" if it never waited), ``lost`` the cycles beyond the analytic ones.
    """

    operator: OperatorRun
    resource: str
    cause: str
    lost: float

    def __str__(self) -> str:
        run = self.operator
        if math.isinf(run.excess):
            beyond = f"{run.cycles:,.0f} cycles where the analytic model has none"
        else:
            beyond = f"{run.cycles:,.0f} cycles, {_percent(run.excess)} beyond the analytic {run.analytic:,.0f}"
        blame = f"; held up by {self.resource}" if self.resource else ""
        waits = f", {run.stalls[self.cause]:,.0f} cycles of stalls on {self.cause}" if self.cause else ""
        return f"{run.name}: {beyond}{blame}{waits}"


@dataclass(frozen=True)
class Timeline:
    """A simulated run of one network, or of several, on an accelerator of one core, or of several.

    Times are cycles of the clock, ``moved`` counts bits by memory and direction, ``critical`` splits the whole time by
    the resource that it hung on. ``log`` may be empty where only the totals were kept. ``complete`` is False where the
    run was cut short. Raises `ImpossibleResult` where the parts do not add up.
    """

    network: str
    accelerator: str
    clock_hz: float
    cycles: float
    energy_j: float
    log: Entries = field(repr=False)
    shares: tuple[ResourceShare, ...]
    operators: tuple[OperatorRun, ...]
    critical: Mapping[str, float]
    moved: Mapping[tuple[str, str], float]
    seed: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()
    analytic_cycles: float | None = None

    def __post_init__(self) -> None:
        whole = {"cycles": self.cycles, "energy_j": self.energy_j, "clock_hz": self.clock_hz}
        _not_negative(self.network, whole)
        if not self.clock_hz:
            raise ImpossibleResult(f"{self.network}: a clock of 0 Hz")
        for share in self.shares:
            self._check_share(share)
        if len({share.track for share in self.shares}) < len(self.shares):
            raise ImpossibleResult(f"{self.network}: two shares of one resource")
        _not_negative("critical path", self.critical)
        self._adds_up("the critical path", self.critical.values(), self.cycles)
        for run in self.operators:
            self._check_operator(run)
        _not_negative("bits moved", {" ".join(place): bits for place, bits in self.moved.items()})
        if self.log:
            self._check_log()

    def __repr__(self) -> str:
        figures = f"{self.latency_s:.4g} s, {self.energy_j:.4g} J, {len(self.operators)} operators"
        return f"<Timeline {self.network} on {self.accelerator}: {figures}>"

    @property
    def latency_s(self) -> float:
        """Seconds from the first to the last event."""
        return self.cycles / self.clock_hz

    @property
    def analytic_s(self) -> float:
        """Seconds by the analytic model: all operators one after another, with the overheads where they are stated."""
        if self.analytic_cycles is not None:
            return self.analytic_cycles / self.clock_hz
        return math.fsum(run.analytic for run in self.operators) / self.clock_hz

    @cached_property
    def whole(self) -> Stretch:
        """The log as a tree of its repeated stretches."""
        return stretches(self.log)

    @cached_property
    def compute_tracks(self) -> frozenset[str]:
        """The resources that compute, as opposed to those that move words."""
        named = {one.track for one in self.log if isinstance(one, Slice) and one.kind in COMPUTE_KINDS}
        return frozenset(named)

    def rows(self) -> list[dict[str, Any]]:
        """A record per operator and run: simulated and analytic time, what it waited for, what it hung on."""
        return [
            {
                "name": run.name,
                "kind": run.kind,
                "network": run.network,
                "run": run.run,
                "core": run.core,
                "start_s": run.start / self.clock_hz,
                "end_s": run.end / self.clock_hz,
                "cycles": run.cycles,
                "latency_s": run.cycles / self.clock_hz,
                "analytic_cycles": run.analytic,
                "excess_pct": 100.0 * run.excess,
                "stall_cycles": math.fsum(run.stalls.values()),
                "stall_cause": _largest(run.stalls),
                "critical": _largest(run.path),
                "steps": run.steps,
                "walked": run.walked,
            }
            for run in self.operators
        ]

    def layers(self) -> DataFrame:
        """`rows` as a table."""
        import pandas as pd

        columns = None if self.operators else ["name", "kind", "cycles", "latency_s", "analytic_cycles"]
        return pd.DataFrame(self.rows(), columns=columns)

    def resources(self) -> DataFrame:
        """A row per resource: seconds and shares of the whole time busy, stalled and idle, and the main cause."""
        import pandas as pd

        rows = [
            {
                "resource": share.track,
                **{f"{what}_s": value / self.clock_hz for what, value in _states(share).items()},
                **{f"{what}_share": self._share(value) for what, value in _states(share).items()},
                "main_cause": share.main_cause,
            }
            for share in self.shares
        ]
        columns = ["resource", "busy_s", "stall_s", "idle_s", "busy_share", "stall_share", "idle_share", "main_cause"]
        return pd.DataFrame(rows, columns=columns)

    def stalls(self) -> DataFrame:
        """A row per resource and cause of its stalls: cycles, seconds, share of the whole time; the longest first."""
        import pandas as pd

        found = [(cycles, share.track, cause) for share in self.shares for cause, cycles in share.causes.items()]
        rows = [
            {
                "resource": track,
                "cause": cause,
                "cycles": cycles,
                "stall_s": cycles / self.clock_hz,
                "share": self._share(cycles),
            }
            for cycles, track, cause in sorted(found, key=lambda one: (-one[0], one[1:]))
        ]
        return pd.DataFrame(rows, columns=["resource", "cause", "cycles", "stall_s", "share"])

    def critical_path(self) -> DataFrame:
        """What the whole time hung on: a row per resource with cycles, seconds and share, the largest first."""
        import pandas as pd

        rows = [
            {"resource": name, "cycles": cycles, "seconds": cycles / self.clock_hz, "share": self._share(cycles)}
            for name, cycles in _descending(self.critical)
        ]
        return pd.DataFrame(rows, columns=["resource", "cycles", "seconds", "share"])

    def contended(self, threshold: float = 0.10) -> tuple[Contention, ...]:
        """The operators that take over ``threshold`` longer than the analytic model says; most cycles lost first.

        To blame is the resource that its compute waits for most between first and last tiles, which the analytic
        model has, too. Where such waits make up less than half of what is lost, it is the one with most of the critical
        path that does not compute. Raises `BadInput` for a negative threshold.
        """
        if not threshold >= 0.0:
            raise BadInput(f"threshold {threshold} is not a share; give 0.10 for operators over 10 % beyond the model")
        late = [run for run in self.operators if run.excess > threshold and run.cycles > run.analytic]
        found = [Contention(run, self._blamed(run), _main_cause(run), run.cycles - run.analytic) for run in late]
        return tuple(sorted(found, key=lambda one: -one.lost))

    def figures(self) -> dict[str, Any]:
        """The timeline in plain numbers and texts, as for JSON."""
        return {
            "network": self.network,
            "accelerator": self.accelerator,
            "latency_s": self.latency_s,
            "analytic_s": self.analytic_s,
            "cycles": self.cycles,
            "energy_j": self.energy_j,
            "seed": self.seed,
            "complete": self.complete,
            "resources": [
                {"resource": share.track, **_states(share), "causes": dict(share.causes)} for share in self.shares
            ],
            "critical_path": dict(_descending(self.critical)),
            "moved_bits": {" ".join(place): bits for place, bits in self.moved.items()},
            "contended": [
                {"name": one.operator.name, "resource": one.resource, "cause": one.cause, "lost_cycles": one.lost}
                for one in self.contended()
            ],
            "layers": self.rows(),
            "notes": list(self.notes),
        }

    def describe(self) -> str:
        """A few lines for people: how long, beside the analytic model, what it hung on, who waits for what."""
        against = f", {self.latency_s / self.analytic_s:.3g} times the analytic latency" if self.analytic_s else ""
        cut = "" if self.complete else " (cut short)"
        lines = [f"{self.network} on {self.accelerator}: {self.latency_s:.4g} s{cut}{against}, {self.energy_j:.4g} J"]
        parts = [(name, self._share(cycles)) for name, cycles in _descending(self.critical)[:MOST_NAMED]]
        path = [f"{name} {_percent(share)}" for name, share in parts if share >= LEAST_NAMED]
        lines += [f"critical path: {', '.join(path)}"] if path else []
        for share in self.shares:
            states = [f"{_percent(self._share(value))} {what}" for what, value in _states(share).items() if value]
            waits = f", stalls mostly on {share.main_cause}" if share.stall else ""
            lines += [f"{share.track}: {', '.join(states)}{waits}"] if share.used else []
        late = self.contended()
        lines += [str(one) for one in late[:MOST_NAMED]]
        lines += [f"and {len(late) - MOST_NAMED} more operators over 10 %"] if len(late) > MOST_NAMED else []
        return "\n".join([*lines, *self.notes])

    def to_chrome_trace(self, path: str | Path, max_slices: int | None = None) -> TraceFile:
        """Write a trace that Perfetto and chrome://tracing open; see `trace.write_trace`."""
        from .trace import MAX_SLICES, write_trace

        return write_trace(self, Path(path), MAX_SLICES if max_slices is None else max_slices)

    def gantt(
        self,
        path: str | Path | None = None,
        *,
        window_s: tuple[float, float] | None = None,
        tracks: Iterable[str] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the timeline, and save it where a ``path`` is given; see `gantt.gantt_info` for the choice of what."""
        from .gantt import gantt_info, plot_gantt, save_figure

        drawn = plot_gantt(gantt_info(self, window_s=window_s, tracks=tracks), ax)
        if path is not None:
            save_figure(drawn, Path(path))
        return drawn

    def _share(self, cycles: float) -> float:
        return cycles / self.cycles if self.cycles else 0.0

    def _blamed(self, run: OperatorRun) -> str:
        waits: dict[str, float] = {}
        for cause, cycles in _between_ends(run).items():
            if re.search(PLACE, cause):
                resource = re.split(PLACE, cause)[-1]
                waits[resource] = waits.get(resource, 0.0) + cycles
        longest = _largest(waits)
        if longest and 2.0 * waits[longest] >= run.cycles - run.analytic:
            return longest
        moving = {name: cycles for name, cycles in run.path.items() if name not in self.compute_tracks}
        if any(moving.values()):
            return _largest(moving)
        waited = _largest({cause: cycles for cause, cycles in run.stalls.items() if re.search(PLACE, cause)})
        return re.split(PLACE, waited)[-1] if waited else _largest(run.path)

    def _adds_up(self, what: str, parts: Iterable[float], whole: float) -> None:
        total = math.fsum(parts)
        if not math.isclose(total, whole, rel_tol=1e-6, abs_tol=1e-6 * (1.0 + self.cycles)):
            raise ImpossibleResult(f"{self.network}: {what} sums to {total:g} of {whole:g} cycles")

    def _check_share(self, share: ResourceShare) -> None:
        slack = 1e-6 * (1.0 + self.cycles)
        _not_negative(share.track, {**_states(share), **share.causes}, slack)
        self._adds_up(f"{share.track}: busy, stall and idle", _states(share).values(), self.cycles)
        self._adds_up(f"{share.track}: the causes of its stalls", share.causes.values(), share.stall)

    def _check_operator(self, run: OperatorRun) -> None:
        slack = 1e-6 * (1.0 + self.cycles)
        figures = {"start": run.start, "cycles": run.cycles, "analytic": run.analytic, "steps": run.steps}
        _not_negative(run.name, {**figures, **run.stalls, **run.path}, slack)
        if run.end > self.cycles + slack:
            raise ImpossibleResult(f"{run.name}: ends at {run.end:g}, after the whole run's {self.cycles:g} cycles")
        if not 0 <= run.walked <= run.steps:
            raise ImpossibleResult(f"{run.name}: walks {run.walked} of {run.steps} steps")

    def _check_log(self) -> None:
        """The slices lie within the run, and no track has more of them than its share.

        It may have less: what memories do inside a step is counted without a slice, as is what they wait for.
        """
        shares = {share.track: share for share in self.shares}
        for track, extent in self.whole.extents.items():
            if extent.end > self.cycles + 1e-6 * (1.0 + self.cycles):
                raise ImpossibleResult(f"{track}: a slice ends at {extent.end:g}, after {self.cycles:g} cycles")
            if track not in shares:
                if extent.busy + extent.stall > 1e-6 * (1.0 + self.cycles):  # not slices of no length
                    raise ImpossibleResult(f"{track}: slices of a resource without its share of the time")
                continue
            share = shares[track]
            if extent.busy > share.busy + 1e-6 * (1.0 + self.cycles):
                busy = f"{extent.busy:g} of {share.busy:g} cycles"
                raise ImpossibleResult(f"{self.network}: {track}: its slices' work sums to {busy}")
            if track in self.compute_tracks:
                self._adds_up(f"{track}: its slices' stalls", [extent.stall], share.stall)


def _states(share: ResourceShare) -> dict[str, float]:
    return {"busy": share.busy, "stall": share.stall, "idle": share.idle}


def _descending(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda one: (-one[1], one[0]))


def _between_ends(run: OperatorRun) -> dict[str, float]:
    """The stalls of an operator that are not waits for its first tiles or its last ones."""
    return {cause: cycles for cause, cycles in run.stalls.items() if not cause.startswith(("first ", "last "))}


def _main_cause(run: OperatorRun) -> str:
    return _largest(_between_ends(run)) or _largest(run.stalls)


def _largest(parts: Mapping[str, float]) -> str:
    return max(parts, key=lambda name: parts[name]) if any(parts.values()) else ""


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _not_negative(where: str, values: Mapping[str, float], slack: float = 0.0) -> None:
    for what, value in values.items():
        if not -slack <= value < math.inf:
            raise ImpossibleResult(f"{where}: {what} is {value}")
