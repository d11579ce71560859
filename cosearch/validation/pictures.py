"""Pictures of the comparisons: modelled against reference for each suite, and all suites' errors side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reports.figures import plain_ticks, spans_decades
from .result import SuiteResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_overview", "save_suite"]

INK, MUTED, GRID, MODEL, BAR, BAD = "#1c2430", "#667085", "#e4e7ec", "#2f6fdb", "#b4bcc9", "#d7263d"
_STYLE: Any = {"font.size": 9, "axes.linewidth": 0.6, "axes.edgecolor": "#98a2b3", "axes.titlesize": 10}
MOST_NAMED = 4  # rows whose names fit into one small picture


def save_overview(results: Sequence[SuiteResult], path: Path) -> None:
    """Mean absolute error of each quantity as a bar, the best published error as a line across it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(8.0, 0.6 + 0.27 * len(results)), layout="constrained", dpi=160)
        _draw_overview(figure.subplots(), results)
        colours = "blue: targets met, red: a target missed, grey: no target; black line: best published"
        figure.supxlabel(colours, fontsize=8, color=MUTED)
        figure.savefig(path)


def _draw_overview(ax: Axes, results: Sequence[SuiteResult]) -> None:
    floor = 0.01  # percent: what an exact suite is drawn at on the logarithmic axis
    for place, result in enumerate(reversed(results)):
        colour = BAR if result.met is None else MODEL if result.met else BAD
        ax.barh(place, max(result.mape_pct, floor * 1.2), left=0, height=0.62, color=colour, alpha=0.85)
        ax.text(max(result.mape_pct, floor * 1.2) * 1.12, place, f"{result.mape_pct:.2g} %", va="center", fontsize=8)
        if result.published_pct is not None:
            ax.plot([result.published_pct] * 2, [place - 0.45, place + 0.45], color=INK, linewidth=2)
    ax.set_xscale("log")
    ax.set_xlim(floor, 200)
    ax.set_ylim(-0.7, len(results) - 0.3)
    ax.set_yticks(range(len(results)), [f"{r.suite}: {r.quantity} ({len(r.cases):,})" for r in reversed(results)])
    ticks = [0.01, 0.1, 1, 10, 100]
    ax.set_xticks(ticks, ["≤ 0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
    ax.minorticks_off()
    ax.set_xlabel("mean absolute error")
    ax.grid(True, axis="x", linewidth=0.4, color=GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def save_suite(results: Sequence[SuiteResult], path: Path) -> None:
    """Modelled against reference, a panel per quantity, on logarithmic axes with the diagonal."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = min(3, len(results))
    lines = math.ceil(len(results) / columns)
    with rc_context(_STYLE):
        figure = Figure(figsize=(3.3 * columns, 3.3 * lines), layout="constrained", dpi=160)
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for ax, result in zip(axes, results, strict=False):
            _draw_result(ax, result)
        for ax in axes[len(results) :]:
            ax.set_visible(False)
        figure.savefig(path)


def _draw_result(ax: Axes, result: SuiteResult) -> None:
    from matplotlib.ticker import NullFormatter

    published = [case.published for case in result.cases]
    modelled = [case.modelled for case in result.cases]
    low, high = min(*published, *modelled), max(*published, *modelled)
    positive = spans_decades(np.array([low, high]))
    if positive:
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            if high < min(200 * low, 2e4):  # longer numbers would run into each other
                plain_ticks(axis)
            else:
                axis.set_minor_formatter(NullFormatter())
        factor = (high / low) ** 0.08
        low, high = low / factor, high * factor
    else:
        margin = max(0.08 * (high - low), 0.03 * abs(high))
        low, high = low - margin, high + margin
    ax.plot([low, high], [low, high], color=MUTED, linewidth=0.8, zorder=1)
    if low >= 0.0:
        least, most = _band(result)
        ax.fill_between(
            [low, high], [low * least, high * least], [low * most, high * most], color=GRID, zorder=0, linewidth=0
        )
    size, alpha = (4, 0.25) if len(result.cases) > 1000 else (12, 0.5) if len(result.cases) > 100 else (22, 0.85)
    ax.scatter(published, modelled, size, color=MODEL, alpha=alpha, linewidths=0, zorder=3)
    if len(result.cases) <= 100:
        _name_worst(ax, result, (low, high), logarithmic=positive)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    unit = f" ({result.unit})" if result.unit else ""
    ax.set_xlabel(f"reference{unit}")
    ax.set_ylabel("modelled")
    rows = f"{len(result.cases):,} row{'s' if len(result.cases) > 1 else ''}"
    ax.set_title(f"{result.quantity}\nmean error {result.mape_pct:.2g} %, {rows}", loc="left")
    ax.grid(True, which="major", linewidth=0.4, color=GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _band(result: SuiteResult) -> tuple[float, float]:
    """Ten percent either way, or the factor that each figure is to keep to."""
    factors = [target.limit for target in result.targets if target.measure == "each_factor"]
    return (1.0 / factors[0], factors[0]) if factors else (0.9, 1.1)


def _name_worst(ax: Axes, result: SuiteResult, ends: tuple[float, float], *, logarithmic: bool) -> None:
    """Names beside the points that are farthest off, on the side where there is room."""
    low, high = (math.log(end) if logarithmic else end for end in ends)
    for case in sorted(result.cases, key=lambda case: -abs(case.error_pct))[:MOST_NAMED]:
        if abs(case.error_pct) > 1.0 and len(case.name) < 30:
            at = ((math.log(case.published) if logarithmic else case.published) - low) / (high - low)
            left = at > 0.5
            ax.annotate(
                case.name, (case.published, case.modelled), (-5 if left else 5, -3), textcoords="offset points",
                ha="right" if left else "left", fontsize=6.5, color=INK,
            )  # fmt: skip
