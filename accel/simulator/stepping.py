"""Steady-state detection: periods of identical steps are stepped over, not walked, with the same result.

Whenever a walked loop advances, the state of all processes relative to now is compared with that of its last advances.
Where it recurs and the steps ahead are the same as those of the period (cycles and words of every tile), the clock and
every count move on by whole periods; pending events stay, as they are relative. The last period before something
different comes into anybody's view is walked again. A DRAM's refresh comes by the clock, not by the steps: only what
lies between two refreshes is stepped over, and nothing while others' requests wait for their turns. Times are whole
ticks (`resources.ticks`), so that equal states are exactly equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from .recorder import Repeat
from .resources import Path

if TYPE_CHECKING:
    from .execution import Execution
    from .flow import Flow

__all__ = ["Stepper"]

REMEMBERED = 4  # advances of one loop: a period may take several of its iterations
LEAST_STEPS = 16


class _Place(NamedTuple):
    """Where one way of a flow is: its tile, the first step it sees of it, and how far that is ahead.

    ``waits``: nothing happens to it before some count has grown, at the earliest when ``due`` steps are done.
    """

    tile: int = 0
    step: int = 0
    ahead: int = 0
    waits: bool = False
    due: int = 0


@dataclass(frozen=True)
class _Snapshot:
    """The state after a step, and what has been added up so far."""

    state: tuple[object, ...]
    moment: float
    step: int
    entries: int
    paths: tuple[Path, ...]  # see `_paths`
    places: tuple[_Place, ...]  # by flow, on its way in and out
    counts: tuple[tuple[int, int, int, int, int], ...]  # by flow
    totals: tuple[tuple[float, float, dict[str, float]], ...]  # by resource
    stalls: dict[str, float]


class Stepper:
    """Watches one execution."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.turning = execution.plan.steps.turning
        self.seen: dict[int, list[_Snapshot]] = {}
        self.enabled = execution.plan.count >= LEAST_STEPS
        self.kinds = _kinds(execution) if self.enabled else np.zeros(0, dtype=np.int64)
        self.leaving = [_leaving(flow, execution.plan.count) for flow in execution.flows] if self.enabled else []
        self.enabled = self.enabled and 2 * len(np.unique(self.kinds)) < len(self.kinds)  # else nothing recurs

    def turned(self, step: int) -> None:
        """To be called when a step has ended: perhaps moves the execution on."""
        loop = int(self.turning[step]) if self.enabled else -1
        if loop < 0:
            return
        for inner in [one for one in self.seen if one > loop]:
            del self.seen[inner]
        now = self._snapshot(step)
        earlier = self.seen.setdefault(loop, [])
        for before in reversed(earlier):
            if before.state == now.state and all(map(_recurs, before.places, now.places)):
                sooner = 2 * before.step - now.step
                older = next((one for one in earlier if one.step == sooner and one.state == now.state), None)
                if self._step_over(older, before, now):
                    earlier.clear()
                    return
                break
        earlier.append(now)
        del earlier[:-REMEMBERED]

    # ---- states ----------------------------------------------------------------------------------------------------

    def _snapshot(self, step: int) -> _Snapshot:
        run = self.execution
        now = run.clock.now
        flows = tuple(_flow_state(flow, now) for flow in run.flows)
        places = tuple(place for flow in run.flows for place in _places(flow, step))
        resources = tuple(resource.state(now) for resource in run.core.resources)
        state = (flows, resources, max(0.0, run.halted_until - now), _order(run))
        counts = tuple(
            (flow.fetching, flow.leaving, flow.using, flow.ready.value, flow.gone.value) for flow in run.flows
        )
        totals = tuple(resource.totals() for resource in run.core.resources)
        return _Snapshot(state, now, step, len(run.core.log), _paths(run), places, counts, totals, dict(run.stalls))

    # ---- stepping --------------------------------------------------------------------------------------------------

    def _step_over(self, older: _Snapshot | None, before: _Snapshot, now: _Snapshot) -> bool:
        times = self._periods(before, now)
        grown = [_difference(was, at) for was, at in zip(before.paths, now.paths, strict=True)]
        if times < 1 or not self._settled(older, before, grown):
            return False
        run, cycles = self.execution, times * (now.moment - before.moment)
        moved = iter([_sum(at, one, times) for at, one in zip(now.paths, grown, strict=True)])
        run.path, run.halted_path = next(moved), next(moved)
        run.halted_until += cycles
        for resource, totals in zip(run.core.resources, before.totals, strict=True):
            resource.skip(totals, times, cycles, next(moved))
        for flow, was, at in zip(run.flows, before.counts, now.counts, strict=True):
            fetching, leaving, using, ready, gone = (times * (b - a) for a, b in zip(was, at, strict=True))
            flow.fetching, flow.leaving, flow.using = (
                flow.fetching + fetching,
                flow.leaving + leaving,
                flow.using + using,
            )
            flow.ready.shift(ready, next(moved))
            flow.gone.shift(gone, next(moved))
            flow.fetch_path, flow.leave_path = next(moved), next(moved)
            flow.fetch_state = flow.fetch_state._replace(until=flow.fetch_state.until + cycles)
            flow.leave_state = flow.leave_state._replace(until=flow.leave_state.until + cycles)
        staying = {
            (run.flows[number // 2], ("fetch", "leave")[number % 2])
            for number, (was, at) in enumerate(zip(before.places, now.places, strict=True))
            if was.tile == at.tile
        }
        run.steps.shift(times * (now.step - before.step), run.path, staying)
        for cause, total in run.stalls.items():
            run.stalls[cause] = total + times * (total - before.stalls.get(cause, 0.0))
        run.core.log.append(Repeat(before.entries, times, now.moment - before.moment))
        run.clock.skipped += cycles
        return True

    def _settled(self, older: _Snapshot | None, before: _Snapshot, grown: list[dict[str, float]]) -> bool:
        """Whether all paths that somebody may still go on from grow alike, or each as it did in the period before.

        Times recur before paths do: where two resources are done at the same moment, either may be on the path.
        """
        live = [number for number, one in enumerate(_live(self.execution, before)) if one]
        if all(_equal(grown[number], grown[0]) for number in live):
            return True
        return older is not None and all(
            _equal(grown[number], _difference(older.paths[number], before.paths[number])) for number in live
        )

    def _periods(self, before: _Snapshot, now: _Snapshot) -> int:
        """How many periods may be stepped over: until somebody would see a step that is not like the period's."""
        period, begin = now.step - before.step, now.step + 1
        last, limit = now.step + 1, len(self.kinds)
        for was, at in zip(before.places, now.places, strict=True):
            if was.tile != at.tile:
                last = max(last, at.step)
            elif at.waits:
                limit = min(limit, at.due)
        if limit <= begin or not all(self._leaves_alike(number, before, now) for number in range(len(now.counts))):
            return 0
        ahead, behind = self.kinds[begin:limit], self.kinds[begin - period : limit - period]
        different = np.flatnonzero(ahead != behind)
        end = begin + int(different[0]) if len(different) else limit
        if self.execution.milestone:
            end = min(end, max(self.execution.milestone[0] - 1, 0))
        times = (end - 1 - last) // period
        left = self.execution.until - now.moment
        times = times if math.isinf(left) else min(times, int(left / (now.moment - before.moment)) - 1)
        return min(times, self._undisturbed(before, now)) if times > 0 else 0

    def _undisturbed(self, before: _Snapshot, now: _Snapshot) -> int:
        """How many periods end before a resource serves differently because of the hour, as at a DRAM's refresh."""
        length, most = now.moment - before.moment, len(self.kinds)
        for resource in self.execution.core.resources:
            until = resource.quiet_until(before.moment)
            if until < math.inf:
                left = until - max(resource.free_at, now.moment)
                most = min(most, int(left / length) if left > 0.0 else 0)
        return most

    def _leaves_alike(self, number: int, before: _Snapshot, now: _Snapshot) -> bool:
        """Whether the tiles of a flow that are still to leave are like those that left during the period.

        All else that is under way belongs to steps ahead.
        """
        flow, period, begin = self.execution.flows[number], now.step - before.step, now.step + 1
        if before.counts[number][1] == now.counts[number][1]:
            return True
        first = int(flow.stream.first_step[flow.leaving])
        leaving = self.leaving[number]
        return first >= period and bool((leaving[:, first:begin] == leaving[:, first - period : begin - period]).all())


def _paths(run: Execution) -> tuple[Path, ...]:
    """All paths of an execution: its own, that of what halts it, its resources', and four of each flow."""
    flows = (path for flow in run.flows for path in (flow.ready.path, flow.gone.path, flow.fetch_path, flow.leave_path))
    return (run.path, run.halted_path, *(resource.path for resource in run.core.resources), *flows)


def _live(run: Execution, before: _Snapshot) -> Iterator[bool]:
    """Which of the paths somebody may go on from: not those of idle resources, nor of who waits for a count."""
    now = run.clock.now
    yield True
    yield run.halted_until > now
    for resource in run.core.resources:
        yield resource.free_at > now
    for flow, was in zip(run.flows, before.counts, strict=True):
        yield flow.ready.value != was[3]
        yield flow.gone.value != was[4]
        yield flow.fetch_state.until > now
        yield flow.leave_state.until > now


def _difference(was: Path, at: Path) -> dict[str, float]:
    return {name: at.get(name, 0.0) - was.get(name, 0.0) for name in {**was, **at}}


def _sum(path: Path, grown: Path, times: int) -> Path:
    return {name: path.get(name, 0.0) + times * cycles for name, cycles in grown.items()}


def _equal(one: Path, other: Path) -> bool:
    names = {**one, **other}
    return all(math.isclose(one.get(name, 0.0), other.get(name, 0.0), rel_tol=1e-9, abs_tol=1e-6) for name in names)


def _order(run: Execution) -> tuple[int, ...]:
    """Who began to wait before whom: that decides where several go on at once."""
    turns = [one.turn for flow in run.flows for one in (flow.fetch_state, flow.leave_state)]
    return tuple(sorted((number for number, turn in enumerate(turns) if turn), key=turns.__getitem__))


def _recurs(was: _Place, at: _Place) -> bool:
    """Whether a way is as far on as it was, or waits for the same tile as then."""
    return was.ahead == at.ahead or (was.tile == at.tile and was.waits and at.waits)


def _places(flow: Flow, step: int) -> tuple[_Place, _Place]:
    firsts, count = flow.stream.first_step, flow.stream.count
    coming = going = _Place()
    if flow.fetches and flow.fetching < count:
        first = int(firsts[flow.fetching])
        freed = int(firsts[max(0, flow.fetching - flow.stream.copies + 1)])
        waits = flow.fetch_state.what != "" and not flow.fetch_state.until
        coming = _Place(flow.fetching, first, first - step, waits, freed)
    if flow.leaves and flow.leaving < count - 1:
        first = int(firsts[flow.leaving + 1])
        waits = flow.leave_state.what != "" and not flow.leave_state.until
        going = _Place(flow.leaving, first, first - step, waits, first)
    return coming, going


def _flow_state(flow: Flow, now: float) -> tuple[object, ...]:
    """What decides how a flow goes on, besides its places: what it waits for and how far apart its counts are."""
    count = flow.stream.count
    coming: tuple[object, ...] = ()
    going: tuple[object, ...] = ()
    if flow.fetches and flow.fetching < count:
        waits, until, _ = flow.fetch_state
        coming = (flow.ready.value - flow.using, waits, max(0.0, until - now), flow.fetch_left)
    if flow.leaves and flow.leaving < count - 1:
        waits, until, _ = flow.leave_state
        going = (waits, max(0.0, until - now), flow.leave_left)
    return (flow.using == count - 1, coming, going)


def _kinds(execution: Execution) -> npt.NDArray[np.int64]:
    """[steps] a number that is the same for steps of the same cycles at which the same tiles begin."""
    plan = execution.plan
    _, code = np.unique(plan.cycles, return_inverse=True)
    if plan.demands:
        iterations, which = np.unique(plan.iterations, return_inverse=True)
        code = np.unique(code * len(iterations) + which, return_inverse=True)[1]
    for flow in execution.flows:
        stream = flow.stream
        own = np.zeros(stream.count, dtype=np.int64)
        distance = np.where(stream.after >= 0, np.arange(stream.count) - stream.after, 0)
        buses = [values for bus in stream.buses for values in (bus.down, bus.up)]
        for values in (stream.served, stream.filled, stream.drained, stream.collected, distance, *buses):
            if (values == values[0]).all():
                continue
            _, inverse = np.unique(values, return_inverse=True)
            own = np.unique(own * (inverse.max() + 1) + inverse, return_inverse=True)[1]
        whole = np.zeros(plan.count, dtype=np.int64)
        whole[stream.first_step] = own + 1
        code = np.unique(code * (own.max() + 2) + whole, return_inverse=True)[1]
    return code.astype(np.int64)


def _leaving(flow: Flow, steps: int) -> npt.NDArray[np.float64]:
    """[2, steps] bits of the tile that begins at a step once it leaves, at both its ends; -1 where none begins."""
    stream = flow.stream
    found = np.full((2, steps if flow.leaves else 0), -1.0)
    if flow.leaves:
        found[:, stream.first_step] = stream.drained, stream.collected
    return found
