"""What a picture of a timeline shows: a row per resource, operators in colours, stalls by what is waited for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, UnknownName
from .gantt_bins import Bins, paint
from .recorder import Slice

if TYPE_CHECKING:
    from .timeline import OperatorRun, Timeline

__all__ = ["COLOURS", "OVERHEAD", "GanttInfo", "GanttRow", "OperatorBar", "gantt_info", "seconds", "unit_of"]

COLOURS = 6  # operators take them in turn
OVERHEAD = COLOURS  # the layer of what belongs to no operator
MOST_CAUSES = 5  # told apart; the others are one
MOST_LANES = 4  # rows for operators that run at once on one core
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GanttRow:
    """What one resource does in the window.

    ``fill`` is the share of each bin that each layer takes, (layers, bins): the colours, what belongs to no operator,
    the causes of stalls. ``pieces`` are (layer, start_s, end_s) where they are few enough to be drawn one by one,
    None otherwise. ``busy`` and ``stall`` are shares of the window, ``busy`` of the whole run with what has no slices.
    """

    label: str
    fill: Floats
    pieces: tuple[tuple[int, float, float], ...] | None
    busy: float
    stall: float


@dataclass(frozen=True)
class OperatorBar:
    """A run of an operator in one of the ``lanes`` above the resources; ``colour`` counts from 0."""

    label: str
    lane: int
    colour: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class GanttInfo:
    """All that the picture shows, in seconds; ``edges`` has one more element than a fill has bins."""

    title: str
    subtitle: str
    edges: Floats
    lanes: tuple[GanttRow, ...]
    operators: tuple[OperatorBar, ...]
    rows: tuple[GanttRow, ...]
    causes: tuple[str, ...]

    @property
    def window_s(self) -> tuple[float, float]:
        """First and last moment shown."""
        return float(self.edges[0]), float(self.edges[-1])

    @property
    def shown_causes(self) -> tuple[tuple[int, str], ...]:
        """Layers and names of the causes of stalls in the window."""
        layers = enumerate(self.causes, OVERHEAD + 1)
        return tuple((layer, cause) for layer, cause in layers if any(row.fill[layer].any() for row in self.rows))

    @property
    def has_overhead(self) -> bool:
        """Whether anything shown belongs to no operator."""
        return any(row.fill[OVERHEAD].any() for row in self.rows)


def gantt_info(
    timeline: Timeline,
    window_s: tuple[float, float] | None = None,
    tracks: Iterable[str] | None = None,
    bins: int = 1600,
) -> GanttInfo:
    """What a picture of the timeline shows: the ``tracks`` named (default: all that are used), ``window_s`` of it
    (default: all).

    Time is split into ``bins``. A row of few slices keeps them; of many, or of faster ones than a bin, it keeps shares
    of bins. Raises `BadInput` for an empty window or a timeline without a log, `UnknownName` for an unknown track.
    """
    if timeline.cycles and not timeline.log:
        raise BadInput("the timeline kept totals only; simulate with its log kept to draw it")
    window = _window(timeline, window_s)
    chosen = _chosen(timeline, tracks)
    colours = _colours(timeline)
    causes = _causes(timeline, chosen)
    place = {cause: OVERHEAD + 1 + at for at, cause in enumerate(causes)}
    other = OVERHEAD + len(causes)

    def layer(one: Slice) -> int:
        if one.cause:
            return place.get(one.cause, other)
        return colours.get(one.op, OVERHEAD)

    layers, most = OVERHEAD + 1 + len(causes), bins // 4
    found = Bins(window, len(chosen), layers, bins, most)
    paint(timeline.log, timeline.whole, {track: row for row, track in enumerate(chosen)}, layer, found)
    placed = _lanes(timeline)
    names = list(dict.fromkeys(lane for lane, _ in placed))
    names.sort()
    above = Bins(window, len(names), COLOURS + 1, bins, bins)
    for lane, run in placed:
        above.add(names.index(lane), colours[run.name], run.start, run.end)
    networks = _networks(timeline)
    labels = [_lane_label(networks, core) if not lane else "" for core, lane in names]
    hertz = timeline.clock_hz
    bars = [
        OperatorBar(_label(networks, run), names.index(lane), colours[run.name], run.start / hertz, run.end / hertz)
        for lane, run in placed
        if run.end > window[0] and run.start < window[1]
    ]
    return GanttInfo(
        title=_title(timeline),
        subtitle=_subtitle(timeline),
        edges=np.linspace(*window, bins + 1) / hertz,
        lanes=_rows(above, labels, hertz),
        operators=tuple(bars),
        rows=tuple(_completed(timeline, row, window) for row in _rows(found, chosen, hertz)),
        causes=tuple(causes),
    )


def _window(timeline: Timeline, window_s: tuple[float, float] | None) -> tuple[float, float]:
    """The window in cycles, cut to what there is."""
    if window_s is None:
        return 0.0, timeline.cycles or 1.0
    start, end = (at * timeline.clock_hz for at in window_s)
    start, end = max(start, 0.0), min(end, timeline.cycles)
    if not start < end:
        raise BadInput(f"window_s {window_s} shows nothing; give a start and an end from 0 to {timeline.latency_s:g} s")
    return start, end


def _chosen(timeline: Timeline, tracks: Iterable[str] | None) -> list[str]:
    known = [share.track for share in timeline.shares]
    used = [share.track for share in timeline.shares if share.used]
    chosen = used if tracks is None else list(dict.fromkeys(tracks))
    for track in chosen:
        if track not in known:
            raise UnknownName("track", track, known)
    return chosen


def _colours(timeline: Timeline) -> dict[str, int]:
    """Operators by name in the order in which they start, in turn."""
    begun = sorted(timeline.operators, key=lambda run: run.start)
    names = dict.fromkeys(run.name for run in begun)
    names |= dict.fromkeys(one.op for one in timeline.log if isinstance(one, Slice) and one.op)
    return {name: at % COLOURS for at, name in enumerate(names)}


def _causes(timeline: Timeline, tracks: Sequence[str]) -> list[str]:
    """The causes of stalls that have slices, those with the most cycles; "other" stands for all that are fewer."""
    total: dict[str, float] = {}
    for track, extent in timeline.whole.extents.items():
        if track in tracks:
            for cause, cycles in extent.causes.items():
                total[cause] = total.get(cause, 0.0) + cycles
    names = sorted((cause for cause in total if total[cause]), key=lambda cause: (-total[cause], cause))
    return names if len(names) <= MOST_CAUSES + 1 else [*names[:MOST_CAUSES], "other"]


def _lanes(timeline: Timeline) -> list[tuple[tuple[int, int], OperatorRun]]:
    """Each run with its core and the first lane of it that is free; what finds none shares the last."""
    free: dict[int, list[float]] = {}
    placed = []
    for run in sorted(timeline.operators, key=lambda one: (one.start, -one.end)):
        ends = free.setdefault(run.core, [])
        lane = next((at for at, end in enumerate(ends) if end <= run.start), len(ends))
        lane = min(lane, MOST_LANES - 1)
        ends[lane : lane + 1] = [max(run.end, *ends[lane : lane + 1], 0.0)]
        placed.append(((run.core, lane), run))
    return placed


def _networks(timeline: Timeline) -> dict[int, list[str]]:
    """The networks that each core runs."""
    return {
        core: sorted({run.network for run in timeline.operators if run.core == core})
        for core in sorted({run.core for run in timeline.operators})
    }


def _lane_label(networks: Mapping[int, list[str]], core: int) -> str:
    """The core, and its network where another core runs another."""
    if len(networks) == 1:
        return "operators"
    alone = len(networks[core]) == 1 and any(other != networks[core] for other in networks.values())
    return f"core {core}: {networks[core][0]}" if alone else f"core {core}"


def _label(networks: Mapping[int, list[str]], run: OperatorRun) -> str:
    """The operator, with its network where its core runs several."""
    return f"{run.network}: {run.name}" if len(networks[run.core]) > 1 else run.name


def _rows(bins: Bins, labels: Sequence[str], hertz: float) -> tuple[GanttRow, ...]:
    shares = bins.shares()
    pieces: list[list[tuple[int, float, float]]] = [[] for _ in labels]
    for row, layer, start, end in bins.pieces:
        pieces[row].append((layer, start / hertz, end / hertz))
    return tuple(
        GanttRow(
            label=label,
            fill=shares[row],
            pieces=tuple(pieces[row]) if bins.is_exact(row) else None,
            busy=float(shares[row, : OVERHEAD + 1].sum() / bins.bins),
            stall=float(shares[row, OVERHEAD + 1 :].sum() / bins.bins),
        )
        for row, label in enumerate(labels)
    )


def _completed(timeline: Timeline, row: GanttRow, window: tuple[float, float]) -> GanttRow:
    """With the busy share of the whole run: words moved inside a step may have no slices."""
    [share] = [one for one in timeline.shares if one.track == row.label]
    whole = window == (0.0, timeline.cycles)
    return replace(row, busy=share.busy / timeline.cycles) if whole and timeline.cycles else row


def _title(timeline: Timeline) -> str:
    analytic = f" (analytic model: {seconds(timeline.analytic_s)})" if timeline.analytic_s else ""
    cut = ", cut short" if not timeline.complete else ""
    return f"{timeline.network} on {timeline.accelerator}: {seconds(timeline.latency_s)}{cut}{analytic}"


def _subtitle(timeline: Timeline) -> str:
    shares = [(cycles / timeline.cycles, name) for name, cycles in timeline.critical.items() if timeline.cycles]
    named = [f"{name} {100 * share:.0f} %" for share, name in sorted(shares, reverse=True)[:4] if share >= 0.005]
    return f"critical path: {', '.join(named)}" if named else ""


def unit_of(longest_s: float) -> tuple[float, str]:
    """How many of a unit of time make a second, and its name, for times up to ``longest_s``."""
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if longest_s * scale >= 1.0:
            return scale, unit
    return 1e9, "ns"


def seconds(time_s: float) -> str:
    """A time with its unit, in three digits."""
    scale, unit = unit_of(time_s)
    digits = 2 - math.floor(math.log10(time_s * scale)) if time_s > 0.0 else 0
    return f"{time_s * scale:.{max(0, digits)}f} {unit}"
