"""A serving run for people: latencies, what was lost, how busy the device was, and what it drew in each state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .output import Column, facts, table

if TYPE_CHECKING:
    from rich.console import Console

    from ...accel.simulator.served import Served

__all__ = ["show_served"]

BAR_CELLS = 24
DROPPED = {
    "full": "refused as the queue was full",
    "displaced": "put out for newer ones",
    "late": "dropped when their turn came after the deadline",
}


def show_served(to: Console, served: Served, title: str) -> None:
    """Print all of it."""
    _show_percentiles(to, served)
    if len(served.networks) > 1:
        _show_networks(to, served.rows())
    _show_states(to, served)
    to.print(title, style="bold")
    facts(to, _facts(served))


def _show_percentiles(to: Console, served: Served) -> None:
    from ...energy.quantities import format_si

    found = {name: served.percentiles(of) for name, of in (("latency", "latency"), ("of it waiting", "wait"))}
    if not found["latency"]:
        to.print("no request was answered", style="bold")
        return
    least = {"p90": 95, "p95": 75, "p99.9": 95}
    ranked = (Column(rank, right=True, least_width=least.get(rank, 0)) for rank in found["latency"])
    columns = [Column("time per answer"), *ranked]
    rows = [(name, *(format_si(value, "s") for value in ranks.values())) for name, ranks in found.items()]
    table(to, columns, rows, title="Answers")


def _show_networks(to: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    from ...energy.quantities import format_si

    columns = (
        Column("network"),
        Column("requests", right=True),
        Column("answered", right=True, least_width=75),
        Column("dropped", right=True),
        Column("late", right=True, least_width=75),
        Column("p50", right=True),
        Column("p99", right=True),
        Column("work", right=True, least_width=90),
    )
    cells = []
    for row in rows:
        lost = sum(row[f"dropped_{reason}"] for reason in DROPPED)
        ranks = [row.get(f"latency_{rank}_s") for rank in ("p50", "p99")]
        times = ["" if value is None else format_si(value, "s") for value in ranks]
        counts = (row["requests"], row["finished"], lost, row["late"])
        cells.append((row["network"], *(f"{count:,}" for count in counts), *times, format_si(row["work_j"], "J")))
    table(to, columns, cells, title="Networks")


def _show_states(to: Console, served: Served) -> None:
    """A row per power state that occurred: time and energy of all servers."""
    from ...energy.quantities import format_si

    block = "█" if to.encoding.startswith("utf") else "#"
    joules, total_s = served.breakdown("state"), sum(served.seconds.values()) or 1.0
    states = [state for state, seconds in served.seconds.items() if seconds or joules.get(state)]
    most = max((served.seconds[state] for state in states), default=0.0) or 1.0
    table(
        to,
        (
            Column("state"),
            Column("time", right=True),
            Column("share", right=True),
            Column("", style="cyan", least_width=95),
            Column("energy", right=True),
            Column("share", right=True),
            Column("wake-ups", right=True, least_width=70),
        ),
        [
            (
                state.replace("_", " "),
                format_si(served.seconds[state], "s"),
                f"{served.seconds[state] / total_s:.1%}",
                block * round(BAR_CELLS * served.seconds[state] / most),
                format_si(joules.get(state, 0.0), "J"),
                f"{joules.get(state, 0.0) / (served.energy_j or 1.0):.1%}",
                f"{served.wakes[state]:,}" if served.wakes.get(state) else "",
            )
            for state in states
        ],
        title="Power states",
    )


def _facts(served: Served) -> list[tuple[str, str, str]]:
    from ...energy.quantities import format_si

    requests = len(served.arrival_s)
    devices = f"{served.servers} devices" if served.servers > 1 else "the device"
    found = [
        ("requests", f"{requests:,}", f"{served.finished:,} answered in {format_si(served.end_s, 's')}"),
        ("throughput", f"{served.throughput_per_s:,.4g}/s", f"of {requests / (served.end_s or 1.0):,.4g}/s that came"),
        ("utilization", f"{served.utilization:.1%}", f"of the time {devices} worked"),
        (
            "waiting",
            f"{served.mean_waiting:.3g}",
            f"requests in the mean; {served.mean_in_system:.3g} with those served",
        ),
        ("energy", format_si(served.energy_j, "J"), _per_request(served)),
    ]
    found += [(("dropped", f"{count:,}", DROPPED[why])) for why, count in served.drops.items() if count]
    if served.late:
        found.append(("late", f"{served.late:,}", "answered after their deadline"))
    if served.unfinished:
        found.append(("unfinished", f"{served.unfinished:,}", "wait or are served when the run ends"))
    return found + _left_early(served)


def _per_request(served: Served) -> str:
    from ...energy.quantities import format_si

    if not served.finished:
        return "no answer"
    parts = ", ".join(
        f"{format_si(joules, 'J')} {name.replace('_', '-')}" for name, joules in served.breakdown().items() if joules
    )
    return f"{format_si(served.energy_per_request_j, 'J')} per answer; {parts}"


def _left_early(served: Served) -> list[tuple[str, str, str]]:
    """Where requests left before the network's end."""
    counts: dict[str, int] = {}
    for profile, stage in zip(served.profile.tolist(), served.exit_stage.tolist(), strict=True):
        names = served.stages[profile]
        if stage == -1:
            counts["filtered"] = counts.get("filtered", 0) + 1
        elif 0 <= stage < len(names) - 1:
            counts[names[stage]] = counts.get(names[stage], 0) + 1
    said = {name: "frames that the filter did not keep" if name == "filtered" else f"after {name}" for name in counts}
    return [("left early", f"{count:,}", said[name]) for name, count in sorted(counts.items(), key=lambda one: -one[1])]
