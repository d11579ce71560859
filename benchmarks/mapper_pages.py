"""The mapper benchmark's figures as tables and as a picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

import mapper_parts as parts
import mapper_peers as peers
import numpy as np
from matplotlib.axes import Axes

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- figures of benchmarks/mapper.py -->", "<!-- end of figures -->"
# CPU seconds that AccelForge 1.0 took on two cores to the optimum of one ResNet-18 convolution, on its own designs.
ACCELFORGE_S = {"NVDLA": (24, 28), "TPU": (115, 214), "Simba": (131, 226), "Eyeriss": (365, 365)}
MOMENTS = (100, 1000, 20_000)  # evaluations at which the table gives the shortfall


# ---- tables --------------------------------------------------------------------------------------------------------


def text(figures: dict[str, Any]) -> str:
    """All figures as Markdown, each table after a line that says how it was measured."""
    found = [wrapped(f"Measured with {conditions(figures)}.")]
    for key, section in SECTIONS.items():
        if key in figures:
            found.append("\n".join(line if line.startswith("|") else wrapped(line) for line in section(figures)))
    return "\n\n".join(found)


def wrapped(line: str) -> str:
    """A paragraph in lines of the page's width."""
    return fill(line, 120, break_on_hyphens=False, break_long_words=False)


def conditions(figures: dict[str, Any]) -> str:
    """Machine and load."""
    machine = figures["machine"]
    return (
        f"{machine['threads']} threads of a machine with {machine['cpu_count']} cores ({machine['processor']}), "
        f"Python {machine['python']}, load {machine['load_before']} before and {machine['load_after']} after the run, "
        "compiled code loaded, nothing remembered"
    )


def throughput(figures: dict[str, Any]) -> Iterator[str]:
    """Mappings per second."""
    low, high = (rate / 1e6 for rate in figures["range"])
    yield (
        f"**{figures['mappings_per_s'] / 1e6:.2f} million mappings a second** ({low:.2f} to {high:.2f} in "
        f"{parts.REPEATS} runs, {figures['threads']} threads): random mappings of ResNet-18's `layer2.0.conv2` that "
        "fit `eyeriss` and whose factors divide their dimensions, each costed whole; with partial tiles on the arrays "
        f"{figures['partial_tile_mappings_per_s'] / 1e6:.2f} million. With zeros (30 % of the weights and half of the "
        f"inputs are none) on `scnn`, which skips them: {figures['sparse_mappings_per_s'] / 1e6:.2f} million."
    )


def proof(figures: dict[str, Any]) -> Iterator[str]:
    """Time to a proven optimum, by chip."""
    networks = len({row["network"] for row in figures["proof"]})
    quick = figures["limits"]["quick"]
    layers = f"for {'a few layers' if quick else 'every distinct layer'} of {networks} networks"
    yield (
        f"**Time to a proven optimum** of the energy-delay product, {layers}; the "
        f"mapper was stopped after {figures['limits']['seconds']:g} s, then the gap is what it could not prove:"
    )
    yield ""
    yield "| accelerator | layers | proven | median | 95 % below | longest | largest gap |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for row in figures["proof_summary"]:
        yield proof_row(row["chip"], row)
    yield proof_row("**all**", parts.proof_summary(None, figures["proof"]))
    open_rows = sorted((row for row in figures["proof"] if not row["proven"]), key=lambda row: -row["gap"])
    if open_rows:
        yield ""
        named = [f"{row['network']} `{row['layer']}` on `{row['chip']}` ({row['gap']:.2%})" for row in open_rows]
        more = f", and {len(named) - 8} with smaller gaps" if len(named) > 8 else ""
        yield f"Not proven in that time, with the gap left: {', '.join(named[:8])}{more}."


def proof_row(name: str, row: dict[str, Any]) -> str:
    """A line of the table."""
    return (
        f"| {name} | {row['layers']} | {row['proven']} | {row['median_s']:.2f} s | {row['p95_s']:.2f} s | "
        f"{row['longest_s']:.1f} s | {row['largest_gap']:.2%} |"
    )


def shortfall(figures: dict[str, Any]) -> Iterator[str]:
    """By how much each other mapper misses the optimum."""
    limits, rows = figures["limits"], figures["shortfall"]
    cases = len({(row["chip"], row["layer"], row["network"]) for row in rows})
    unproven = len(figures["shortfall_unproven"])
    yield (
        f"**How far the other mappers fall short** of the certificate, on {cases} pairs of a layer and an accelerator "
        + (f"({unproven} without a proof in time left out) " if unproven else "")
        + f"within {limits['evaluations']} mappings and {limits['patience']:g} s each. None found a mapping below a "
        "certificate's bound; the run stops where one does. Excess is the found energy-delay product over the optimum, "
        "less 1 (×: how many times the optimum); the first columns are medians after so many mappings costed:"
    )
    yield ""
    columns = " | ".join(f"after {count}" for count in MOMENTS[:-1])
    yield f"| mapper | {columns} | at the end | 9 of 10 below | worst | optimum found | mappings | time |"
    yield "|---|" + "---:|" * (len(MOMENTS) + 5)
    for row in sorted(figures["shortfall_summary"], key=lambda row: row.get("median_excess", math.inf)):
        own = [one for one in rows if one["mapper"] == row["mapper"] and one["proven"] and "failed" not in one]
        if not own:
            continue
        early = [statistics.median(parts.excess_after(one, count) for one in own) for count in MOMENTS[:-1]]
        cells = [share(x) for x in (*early, row["median_excess"], row["p90_excess"], row["worst_excess"])]
        yield (
            f"| {row['mapper']} | {' | '.join(cells)} | {row['optimal_share']:.0%} of layers | "
            f"{row['evaluated']:.0f} | {row['median_s']:.2f} s |"
        )
    failed = sorted({row["mapper"] for row in rows if "failed" in row})
    for name in failed:
        own = [row for row in rows if row["mapper"] == name and "failed" in row]
        yield ""
        yield f"`{name}` gave no mapping for {len(own)} of these layers, for instance: {own[0]['failed']}"


def share(excess: float) -> str:
    """An excess as a percentage, from ten times the optimum on as a multiple of it."""
    if math.isinf(excess):
        return "–"
    if excess >= 9.0:
        return f"{excess + 1:,.0f} ×"
    return f"{excess:.1%}" if excess >= 0.0005 else "0"


def networks(figures: dict[str, Any]) -> Iterator[str]:
    """Whole networks."""
    yield (
        f"**Whole networks** on `{parts.VARIED}`: ResNet-50 in {figures['resnet50_cold_s']:.1f} s with nothing "
        f"remembered ({figures['resnet50_proven']} layers proven), {figures['resnet50_cached_s']:.2f} s from the "
        f"cache. MobileNetV2 on {figures['variants']} random variants of it in {figures['variants_s']:.0f} s, "
        f"{figures['thousand_variants_s'] / 60:.1f} min a thousand"
        + (f" ({figures['variants_infeasible']} cannot hold a layer)" if figures["variants_infeasible"] else "")
        + (
            f"; layers not proven within {figures['limits']['seconds']:g} s: {figures['variants_unproven_layers']}."
            if figures["variants_unproven_layers"]
            else ", every layer proven."
        )
    )


def zigzag(figures: dict[str, Any]) -> Iterator[str]:
    """ZigZag beside us."""
    yield f"**ZigZag 3.9.1 on the same layers and hardware**, in the same run, on one core. {peers.DIFFERENCES}"
    yield ""
    yield "| accelerator | layer | ZigZag | its mappings | a CPU second | excess of its mapping | ours, to the proof |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for row in figures["zigzag"]:
        ours = f"{row['own_seconds']:.2f} s" + ("" if row["proven"] else " (not proven)")
        if "failed" in row:
            yield f"| {row['chip']} | {row['layer']} | {row['failed']} | | | | {ours} |"
            continue
        excess = "not comparable" if row["excess"] is None else share(row["excess"])
        yield (
            f"| {row['chip']} | {row['layer']} | {row['cpu_seconds']:.1f} CPU-s | {row['evaluated']} | "
            f"{row['mappings_per_cpu_s']:.0f} | {excess} | {ours} |"
        )


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "mappings_per_s": throughput,
    "proof": proof,
    "shortfall": shortfall,
    "resnet50_cold_s": networks,
    "zigzag": zigzag,
}


# ---- the page ------------------------------------------------------------------------------------------------------


def write(figures: dict[str, Any]) -> None:
    """Put the tables between the page's marks and draw the picture."""
    page = DOCS / "mapping.md"
    old = page.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise SystemExit(f"{page}: the lines '{BEGIN}' and '{END}' must stand there once, in this order")
    head, rest = old.split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n\n{text(figures)}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
    if "proof" in figures and "shortfall" in figures:
        picture(figures).savefig(DOCS / "img" / "mapper.png", dpi=160)


def picture(figures: dict[str, Any]) -> Any:
    """Left: seconds to a proven optimum; right: the other mappers' shortfall by mappings costed."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(13.5, 5.4), width_ratios=(1.15, 1), layout="constrained")
    draw_times(left, figures)
    draw_shortfalls(right, figures)
    return figure


def draw_times(axes: Axes, figures: dict[str, Any]) -> None:
    """Share of a chip's layers proven within a time; what peers take stands as ticks on the right."""
    colours = colour_map(figures["limits"] and [row["chip"] for row in figures["proof_summary"]])
    for chip, colour in colours.items():
        own = [row for row in figures["proof"] if row["chip"] == chip]
        seconds = sorted(row["seconds"] for row in own if row["proven"])
        share_of = np.arange(len(seconds) + 1) / len(own) * 100
        end = max(seconds, default=1.0) if len(seconds) == len(own) else figures["limits"]["seconds"]
        times = [seconds[0] if seconds else end, *seconds, end]
        axes.step(times, [*share_of, share_of[-1]], where="post", color=colour, lw=2.2, label=chip)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    low = min(row["seconds"] for row in figures["proof"]) / 1.6
    axes.set_xlim(low, 900)
    axes.set_ylim(0, 104)
    for mark, name in ((0.5, "0.5 s"), (5.0, "5 s")):
        axes.axvline(mark, color="0.55", lw=1, ls=(0, (4, 3)), zorder=0)
        axes.text(mark * 0.93, 2, name, rotation=90, ha="right", va="bottom", color="0.4", fontsize=9.5)
    draw_peers(axes, figures)
    axes.set_xlabel("seconds for a layer")
    axes.set_ylabel("layers with a proven optimum (%)")
    axes.set_title(f"Time to a proven optimum, {figures['machine']['threads']} threads", loc="left", fontsize=12.5)
    axes.legend(frameon=False, loc="upper left", fontsize=10, handlelength=1.2, borderaxespad=0.2)
    axes.grid(alpha=0.25, which="major")


def draw_peers(axes: Axes, figures: dict[str, Any]) -> None:
    """What others take for one layer, as bars with names."""
    rows = [(f"AccelForge 1.0, {design}", *span, "#8c2d04") for design, span in ACCELFORGE_S.items()]
    zigzag = [row["cpu_seconds"] for row in figures.get("zigzag", ()) if "failed" not in row]
    if zigzag:
        rows.insert(0, ("ZigZag 3.9.1, no proof*", min(zigzag), max(zigzag), "#225ea8"))
    for number, (name, least, most, colour) in enumerate(rows):
        height = 66 - 11 * number
        axes.plot([least, most], [height] * 2, color=colour, lw=4, marker="o", ms=5, solid_capstyle="round")
        inside = least > 60
        axes.text(
            most * 1.0 if inside else least * 0.95,
            height + 2.4,
            name,
            ha="right" if inside else "left",
            va="bottom",
            color=colour,
            fontsize=9,
        )
    note = "bars: CPU-s for one layer\nAccelForge: one ResNet-18 conv,\n2 cores, its own designs"
    if zigzag:
        note += "\n* measured in this run"
    axes.text(880, 2, note, ha="right", va="bottom", fontsize=8, color="0.4", linespacing=1.3)


def draw_shortfalls(axes: Axes, figures: dict[str, Any]) -> None:
    """Median excess over the optimum by mappings costed, the middle half of the layers as a band."""
    rows = [row for row in figures["shortfall"] if row["proven"] and "failed" not in row]
    counts = np.unique(np.geomspace(1, figures["limits"]["evaluations"], 90).astype(int))
    floor = 1e-4
    ends = []
    for name, colour in colour_map(sorted({row["mapper"] for row in rows}), "Dark2").items():
        own = [row for row in rows if row["mapper"] == name]
        table = np.asarray([[parts.excess_after(row, int(count)) for count in counts] for row in own])
        low, middle, high = np.quantile(np.where(np.isinf(table), 1e9, table), (0.25, 0.5, 0.75), axis=0)
        known = (middle < 1e8) & (counts <= max(row["evaluated"] for row in own) * 1.0001)
        if not known.any():
            continue
        low, middle, high = (np.maximum(part[known], floor) for part in (low, middle, high))
        axes.fill_between(counts[known], low, np.minimum(high, 1e8), color=colour, alpha=0.09, lw=0)
        axes.plot(counts[known], middle, color=colour, lw=2.2)
        axes.plot(counts[known][-1], middle[-1], color=colour, marker="o", ms=5)
        ends.append([name, float(counts[known][-1]), float(middle[-1]), colour])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(floor * 0.75, min(axes.get_ylim()[1], 1e3))
    axes.set_xlim(1, figures["limits"]["evaluations"] * 9)
    label_ends(axes, ends, floor)
    ticks = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000]
    top = axes.get_ylim()[1]
    axes.set_yticks([tick for tick in ticks if tick <= top])
    axes.set_yticklabels([f"{tick * 100:g} %" if tick < 10 else f"{tick:,.0f} ×" for tick in ticks if tick <= top])
    axes.minorticks_off()
    axes.set_xticks([10**power for power in range(int(math.log10(figures["limits"]["evaluations"])) + 1)])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.set_xlabel("mappings costed")
    axes.set_ylabel("energy-delay product above the proven optimum")
    pairs = len({(row["chip"], row["network"], row["layer"]) for row in rows})
    axes.set_title(f"What heuristics miss: median and middle half of {pairs} layers", loc="left", fontsize=12.5)
    axes.grid(alpha=0.25, which="major")
    axes.text(1.15, floor * 1.12, "0.01 % or less is drawn here", fontsize=8.5, color="0.4", va="bottom")


def label_ends(axes: Axes, ends: list[list[Any]], floor: float) -> None:
    """Names beside the ends of lines, moved apart where they would overlap."""
    top = axes.get_ylim()[1]
    gap = (math.log10(top) - math.log10(floor)) * 0.052
    right = max(end[1] for end in ends)
    below = -math.inf
    for name, at, value, colour in sorted(ends, key=lambda end: end[2]):
        if at < right / 30:  # a line that ends early is named where it ends
            axes.annotate(name, (at * 1.15, value * 1.15), color=colour, fontsize=10.5, fontweight="bold")
            continue
        height = max(math.log10(value), below + gap)
        below = height
        moved = abs(math.log10(value) - height) > 1e-9 or at < right
        axes.annotate(
            name,
            (at, value),
            (right * 1.25, 10**height),
            color=colour,
            va="center",
            fontsize=10.5,
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8} if moved else None,
        )


def colour_map(names: list[str], scheme: str = "tab10") -> dict[str, Any]:
    """A colour for each name."""
    import matplotlib

    return {name: matplotlib.colormaps[scheme](number) for number, name in enumerate(names)}
