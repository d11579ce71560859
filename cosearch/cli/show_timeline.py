"""A timeline for people: its layers, its resources, what the time hangs on, where it differs from the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .output import Column, facts, table

if TYPE_CHECKING:
    from rich.console import Console

    from ...accel.simulator.timeline import Contention, ResourceShare, Timeline

__all__ = ["SHOWN_LAYERS", "show_timeline", "stacked_bar"]

SHOWN_LAYERS = 12
SHOWN_BLAMED = 6
BAR_CELLS = 24
LEAST_CELLS = 8
FIGURES = 33  # columns of a terminal that the figures on a resource take, with the space between all columns
LEAST_SHARE = 5e-4  # of the time: what is below it on the critical path is summed up
BEYOND = 0.10  # of the analytic time; what is above it is explained


def show_timeline(
    to: Console, timeline: Timeline, inputs: int, limit: int | None, drawn: Iterable[tuple[str, str, str]]
) -> None:
    """Print all of it; with a ``limit``, only the layers that matter most. ``drawn`` are lines on files written.

    ``inputs`` is how many the networks work on in the whole time.
    """
    rows = timeline.rows()
    if rows:
        _show_layers(to, timeline, rows, limit)
    _show_resources(to, timeline)
    _show_critical_path(to, timeline)
    late = timeline.contended(BEYOND)
    if late:
        _show_contention(to, timeline, late)
    to.print(f"{timeline.network} on {timeline.accelerator}", style="bold")
    facts(to, [*_facts(timeline, inputs, late), *drawn])
    for note in timeline.notes:
        to.print(f"note: {note}", style="dim")


def _show_layers(to: Console, timeline: Timeline, rows: Sequence[Mapping[str, Any]], limit: int | None) -> None:
    """A row per operator and run in order of their start; those chosen take longest or exceed the model most."""
    from ...energy.quantities import format_si

    def weight(index: int) -> float:
        row = rows[index]
        return float(row["cycles"] + max(0.0, row["cycles"] - row["analytic_cycles"]))

    chosen = sorted(sorted(range(len(rows)), key=weight, reverse=True)[:limit], key=lambda at: rows[at]["start_s"])
    several = [name for name in ("network", "run", "core") if len({row[name] for row in rows}) > 1]
    seconds = 1.0 / timeline.clock_hz
    columns = (
        Column("layer"),
        *(Column(name, right=name != "network", style="dim") for name in several),
        Column("start", right=True),
        Column("simulated", right=True),
        Column("analytic", right=True, least_width=80),
        Column("ratio", right=True),
        Column("waits", right=True, least_width=100),
        Column("mostly for", style="dim", least_width=100),
        Column("hangs on"),
    )
    table(
        to,
        columns,
        [
            (
                row["name"],
                *(str(row[name]) for name in several),
                format_si(row["start_s"], "s"),
                format_si(row["latency_s"], "s"),
                format_si(row["analytic_cycles"] * seconds, "s"),
                _ratio(row["cycles"], row["analytic_cycles"]),
                _percent(row["stall_cycles"], row["cycles"]),
                row["stall_cause"],
                row["critical"],
            )
            for row in (rows[index] for index in chosen)
        ],
        title="Layers"
        if len(chosen) == len(rows)
        else f"The {len(chosen)} of {len(rows)} layers that take longest or exceed the model most (--layers: all)",
    )


def _ratio(simulated: float, analytic: float) -> str:
    return f"{simulated / analytic:.2f}" if analytic else ("" if not simulated else "-")


def _percent(part: float, whole: float) -> str:
    """A share in whole percent, "" for none of it."""
    if not part or not whole:
        return ""
    share = 100.0 * part / whole
    return "<1%" if share < 0.5 else f"{share:.0f}%"


def stacked_bar(parts: Sequence[float], cells: str, width: int = BAR_CELLS) -> str:
    """A bar of ``width`` cells, a kind of cell per part; the lengths add up to the whole bar."""
    whole, done, bar = math.fsum(parts) or 1.0, 0.0, ""
    for part, cell in zip(parts, cells, strict=True):
        done += part
        bar += cell * (round(width * done / whole) - len(bar))
    return bar


def _show_resources(to: Console, timeline: Timeline) -> None:
    """A row per resource that did something, what cores share last; the others in one line."""
    used = sorted((one for one in timeline.shares if one.busy or one.stall), key=lambda one: ":" not in one.track)
    marks = "█▒·" if to.encoding.startswith("utf") else "#~."
    rows = [_resource_row(share) for share in used]
    # Bars and causes take the room that the figures leave, so that no figure is cut.
    name, cause = (max((len(row[place]) for row in rows), default=0) for place in (0, -1))
    width = min(BAR_CELLS, to.width - name - cause - FIGURES - 3)
    bars, causes = width >= LEAST_CELLS, to.width >= name + cause + FIGURES
    columns = (
        Column("resource"),
        *(Column(state, right=True) for state in ("busy", "stalled", "idle")),
        *((Column("", style="cyan"),) if bars else ()),
        *((Column("waits mostly for"),) if causes else ()),
    )
    cells = [
        (
            *row[:-1],
            *((stacked_bar((one.busy, one.stall, one.idle), marks, width),) if bars else ()),
            *((row[-1],) if causes else ()),
        )
        for row, one in zip(rows, used, strict=True)
    ]
    if used:
        title = "Resources" + (f" ({marks[0]} busy, {marks[1]} stalled, {marks[2]} idle)" if bars else "")
        table(to, columns, cells, title=title)
    unused = [share.track for share in timeline.shares if not (share.busy or share.stall)]
    if unused:
        to.print(f"unused: {', '.join(unused)}\n", style="dim")


def _resource_row(share: ResourceShare) -> tuple[str, ...]:
    cause = share.main_cause
    most = _percent(share.causes.get(cause, 0.0), share.stall)
    return (
        share.track,
        *(f"{value / (share.cycles or 1.0):.1%}" for value in (share.busy, share.stall, share.idle)),
        f"{cause} ({most})" if cause and len(share.causes) > 1 else cause,
    )


def _show_critical_path(to: Console, timeline: Timeline) -> None:
    from ...energy.quantities import format_si

    block = "█" if to.encoding.startswith("utf") else "#"
    parts = sorted(((name, cycles) for name, cycles in timeline.critical.items() if cycles), key=lambda one: -one[1])
    shown = [part for part in parts if part[1] >= LEAST_SHARE * timeline.cycles]
    small = parts[len(shown) :]
    if not parts:
        return
    shown += small if len(small) < 2 else [(f"{len(small)} others", math.fsum(cycles for _, cycles in small))]
    table(
        to,
        (Column("resource"), Column("time", right=True), Column("share", right=True), Column("", style="cyan")),
        [
            (
                name,
                format_si(cycles / timeline.clock_hz, "s"),
                f"{cycles / timeline.cycles:.1%}",
                block * round(BAR_CELLS * cycles / shown[0][1]),
            )
            for name, cycles in shown
        ],
        title="Critical path: what the whole time hangs on",
    )


def _show_contention(to: Console, timeline: Timeline, late: Sequence[Contention]) -> None:
    """What is to blame for layers that take longer than the model says, by the time lost."""
    from ...energy.quantities import format_si

    blamed: dict[str, list[Contention]] = {}
    for one in late:
        blamed.setdefault(one.resource or "nothing that is shared", []).append(one)
    lost = {name: math.fsum(one.lost for one in each) for name, each in blamed.items()}
    order = sorted(blamed, key=lambda name: -lost[name])
    table(
        to,
        (
            Column("to blame"),
            Column("layers", right=True),
            Column("time lost", right=True),
            Column("most of it", least_width=80),
            Column("ratio", right=True),
            Column("its compute waits for", style="dim", least_width=100),
        ),
        [
            (
                name,
                f"{len(blamed[name]):,}",
                format_si(lost[name] / timeline.clock_hz, "s"),
                blamed[name][0].operator.name,
                _ratio(blamed[name][0].operator.cycles, blamed[name][0].operator.analytic),
                blamed[name][0].cause,
            )
            for name in order[:SHOWN_BLAMED]
        ],
        title=f"Contention: {len(late)} of {len(timeline.operators)} layers take over {BEYOND:.0%} longer than the "
        "analytic model says",
    )


def _facts(timeline: Timeline, inputs: int, late: Sequence[Contention]) -> list[tuple[str, str, str]]:
    from ...energy.quantities import format_si

    seconds = timeline.latency_s
    remark = f"{timeline.cycles:,.0f} cycles at {format_si(timeline.clock_hz, 'Hz')}"
    if timeline.complete and seconds:
        remark += f"; {inputs / seconds:,.1f} inputs/s"
    found = [("latency", format_si(seconds, "s"), remark)]
    if not timeline.complete:
        found.append(("cut short", "", "the run was not over: all figures are of what happened until then"))
    elif timeline.analytic_s:
        found.append(("analytic", format_si(timeline.analytic_s, "s"), _against(timeline)))
    mean = f"{format_si(timeline.energy_j / seconds, 'W')} in the mean" if seconds else ""
    found.append(("energy", format_si(timeline.energy_j, "J"), mean))
    found += _moved(timeline)
    steps, walked = (sum(getattr(run, name) for run in timeline.operators) for name in ("steps", "walked"))
    if steps:
        over = f"walked; {steps - walked:,} of {steps:,} stepped over ({(steps - walked) / steps:.1%})"
        found.append(("steps", f"{walked:,}", over))
    if timeline.operators and not late:
        found.append(("contention", "none", f"no layer takes over {BEYOND:.0%} longer than the analytic model says"))
    return found


def _against(timeline: Timeline) -> str:
    """Simulated beside analytic time, in words."""
    excess = timeline.latency_s / timeline.analytic_s - 1.0
    what = "layer after layer by the analytic model; the simulated time is"
    if abs(excess) < 5e-4:
        return f"{what} the same" + ("" if abs(excess) < 1e-9 else " within 0.1%")
    return f"{what} {abs(excess):.1%} {'longer' if excess > 0 else 'shorter'}"


def _moved(timeline: Timeline) -> list[tuple[str, str, str]]:
    """A line per memory: bytes read and written."""
    from ...energy.quantities import format_si

    totals: dict[str, dict[str, float]] = {}
    for (memory, way), bits in timeline.moved.items():
        totals.setdefault(memory, {})[way] = bits / 8
    lines: list[tuple[str, str, str]] = []
    for memory, ways in totals.items():
        parts = [
            f"{format_si(ways[way], 'B')} {said}"
            for way, said in (("read", "read"), ("write", "written"))
            if way in ways
        ]
        lines.append(
            ("moved" if not lines else "", format_si(math.fsum(ways.values()), "B"), f"{memory}: {', '.join(parts)}")
        )
    return lines
