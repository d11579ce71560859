"""The simulator benchmark's figures as tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

import simulator_peers as peers

import dovetail as dt
from dovetail.accel.simulator.timeline import Contention, OperatorRun
from dovetail.cosearch.contention import Comparison, save_ratios
from dovetail.mapper.base import Limits

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- figures of benchmarks/simulator.py -->", "<!-- end of figures -->"
HEADING = "## How fast"
MOST_PAIRS = 12  # in the table of contended pairs
CONTENDED = 1.10


# ---- tables --------------------------------------------------------------------------------------------------------


def text(figures: dict[str, Any]) -> str:
    """All figures as Markdown."""
    machine = figures["machine"]
    found = [
        wrapped(
            f"Written by `benchmarks/simulator.py` on {machine['threads']} cores ({machine['processor']}, Python "
            f"{machine['python']})."
        )
    ]
    for key, section in SECTIONS.items():
        if key in figures:
            lines = section(figures[key])
            found.append("\n".join(line if line.startswith(("|", "!")) else wrapped(line) for line in lines))
    return "\n\n".join(found)


def wrapped(line: str) -> str:
    """A paragraph in lines of the page's width."""
    return fill(line, 120, break_on_hyphens=False, break_long_words=False)


def resnet50(figures: dict[str, Any]) -> Iterator[str]:
    """One network."""
    kept, fresh, walked = (figures[key] for key in ("remembered", "fresh", "walked"))
    low, high = kept["wall_range"]
    yield (
        f"**ResNet-50 at 224 × 224 on `edge_tpu`**, a process of its own from its start to its end, mappings "
        f"remembered: {kept['cpu_s']:.1f} CPU-s, {low:.1f} to {high:.1f} s by the clock{under(figures)}, "
        f"{kept['peak_mib']:.0f} MiB. The simulation itself takes {kept['simulate_cpu_s']:.1f} CPU-s and walks "
        f"{kept['walked']:,} of {kept['steps']:,} steps; with every step walked the process takes "
        f"{walked['cpu_s']:.1f} CPU-s and {walked['peak_mib']:.0f} MiB, with nothing remembered {fresh['cpu_s']:.1f} "
        f"CPU-s and {fresh['peak_mib']:.0f} MiB."
    )


def under(figures: dict[str, Any]) -> str:
    """The load of the machine where others worked, too."""
    return f" (at a load of {figures['load_before']:g})" if figures["load_before"] > 1.0 else ""


def scalesim(figures: dict[str, Any]) -> Iterator[str]:
    """SCALE-Sim beside us."""
    theirs, ours, walked, fresh = (figures[key] for key in ("theirs", "ours", "walked", "fresh"))
    without = theirs["cpu_s"] - theirs["traces_cpu_s"]
    yield (
        f"**SCALE-Sim 3.0.0 on the same layers of ResNet-18 and an equal array**, in the same run: "
        f"**{figures['cpu_ratio']:.0f} times** our CPU time, {figures['cpu_ratio_without_traces']:.0f} times without "
        f"its traces, {figures['cpu_ratio_walked']:.0f} times where we walk every step. Whole processes, start and "
        "imports included:"
    )
    yield ""
    yield "| | CPU | wall | memory | cycles of the layers |"
    yield "|---|---:|---:|---:|---:|"
    traces = theirs["traces_bytes"] / 1e9
    yield (
        f"| SCALE-Sim, {traces:.1f} GB of traces written | {theirs['cpu_s']:.0f} s | {theirs['wall_s']:.0f} s | "
        f"{theirs['peak_mib']:,.0f} MiB | {theirs['cycles']:,} |"
    )
    yield f"| … less what its traces took | {without:.0f} s | | | |"
    for name, row in (
        ("Dovetail", ours), ("… every step walked", walked), ("… mappings searched anew", fresh),
    ):  # fmt: skip
        yield (
            f"| {name} | {row['cpu_s']:.1f} s | {row['wall_s']:.1f} s | {row['peak_mib']:,.0f} MiB | "
            f"{row['contraction_cycles']:,.0f} |"
        )
    yield ""
    yield peers.DIFFERENCES


def serving(figures: dict[str, Any]) -> Iterator[str]:
    """Requests."""
    yield (
        f"**{figures['requests']:,} requests** (Poisson, 80 % load, ResNet-50 on `edge_tpu`): {figures['wall_s']:.1f} "
        f"s{under(figures)}, the simulation of the device included. They wait {1e3 * figures['mean_wait_s']:.2f} ms in "
        f"the mean; queueing theory (M/D/1) says {1e3 * figures['theory_wait_s']:.2f} ms."
    )


def stepping(figures: dict[str, Any]) -> Iterator[str]:
    """Stepped over and walked."""
    yield (
        "**Stepping over regular stretches**, and operators that have run before, against walking every step of "
        "ResNet-18; cycles and words are equal to the last bit:"
    )
    yield ""
    yield "| accelerator | steps | walked | stepping | walking | speed-up |"
    yield "|---|---:|---:|---:|---:|---:|"
    for row in figures["rows"]:
        quick, slow = row["stepping_cpu_s"], row["walking_cpu_s"]
        yield (
            f"| {row['chip']} | {row['steps']:,} | {row['walked']:,} | {quick:.2f} CPU-s | {slow:.2f} CPU-s | "
            f"{slow / quick:.1f} × |"
        )


def zoo(figures: dict[str, Any]) -> Iterator[str]:
    """Simulated beside analytic latency."""
    rows = figures["rows"]
    over = sorted((row for row in rows if row["ratio"] > CONTENDED), key=lambda row: -row["ratio"])
    ratios = sorted(row["ratio"] - 1.0 for row in rows)
    exact = max(abs(row["unlimited"] - 1.0) for row in rows)
    yield (
        f"**Beside the analytic latency**, the same mappings (within {100 * figures['gap']:g} % of the optimum or "
        f"{figures['limit_s']:g} s a layer): the simulator finds {100 * ratios[len(ratios) // 2]:.1f} % more in the "
        f"median of {len(rows)} pairs, {100 * ratios[-1]:.0f} % at most, less nowhere; with unlimited bandwidth "
        f"both agree to {exact:.0e}. {len(over)} pairs are over 10 % beyond. All pairs took "
        f"{figures['seconds']:.0f} s{under(figures)}, mappings included."
    )
    yield ""
    yield "![Simulated beyond analytic latency](img/simulator-ratios.png)"
    if over:
        yield ""
        yield "| network | accelerator | beyond | held up by |"
        yield "|---|---|---:|---|"
        for row in over[:MOST_PAIRS]:
            yield f"| {row['network']} | {row['chip']} | {100 * (row['ratio'] - 1):.1f} % | {row['blame']} |"


def bursts(figures: dict[str, Any]) -> Iterator[str]:
    """The length of turns."""
    yield (
        "**How long a port's turns are** decides whether small tiles wait behind large ones: simulated beyond analytic "
        f"latency by the cycles a port serves one tile before others have theirs ({figures['usual']:g} by default):"
    )
    yield ""
    heads = ["whole tiles" if cycles is None else f"{cycles:g}" for cycles in figures["cycles"]]
    yield f"| | {' | '.join(heads)} |"
    yield "|---|" + "---:|" * len(heads)
    for row in figures["rows"]:
        cells = [f"{100 * (ratio - 1):.1f} %" for ratio in row["ratios"]]
        yield f"| {row['network']} on {row['chip']} | {' | '.join(cells)} |"


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "resnet50": resnet50,
    "scalesim": scalesim,
    "serving": serving,
    "stepping": stepping,
    "zoo": zoo,
    "bursts": bursts,
}


# ---- the page ------------------------------------------------------------------------------------------------------


def write(figures: dict[str, Any]) -> None:
    """Put the tables between the page's marks, at its end where it has none yet, and draw the pictures."""
    page = DOCS / "simulator.md"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    if BEGIN not in old:
        old = f"{old.rstrip()}\n\n{HEADING}\n\n{BEGIN}\n{END}\n".lstrip()
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise SystemExit(f"{page}: the lines '{BEGIN}' and '{END}' must stand there once, in this order")
    head, rest = old.split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n\n{text(figures)}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
    if "zoo" in figures:
        save_ratios([comparison(row) for row in figures["zoo"]["rows"]], DOCS / "img" / "simulator-ratios.png")
    timeline()


def comparison(row: dict[str, Any]) -> Comparison:
    """What the picture needs of a row."""
    resource = row["blamed"][0][0] if row["blamed"] else ""
    run = OperatorRun("", "", row["network"], 0, 0, 0.0, 0.0, 0.0)
    late = (Contention(run, resource, "", 1.0),) if resource else ()
    return Comparison(
        row["network"], row["chip"], row["analytic_s"], row["simulated_s"], row["unlimited"], late, row["operators"],
        row["steps"], row["walked"], row["wall_s"],
    )  # fmt: skip


def timeline() -> None:
    """A run of ResNet-18 as a picture."""
    network, chip = dt.load_network("resnet18"), dt.load_accelerator("edge_tpu")
    schedule = dt.estimate(network, chip, limits=Limits(seconds=1.0, gap=0.01)).schedule
    dt.simulate(network, chip, schedule).gantt(DOCS / "img" / "simulator.png")
