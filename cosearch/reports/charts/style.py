"""What the charts share: colours, axes, and how choices and metrics are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..figures.style import spans_decades

__all__ = [
    "ACCENT", "BAD", "DOMINATED", "FRONT", "GRID", "INK", "METRIC_ROWS", "MUTED", "SCALE", "SERIES", "Chart",
    "fit_axis", "layout", "log_ticks",
]  # fmt: skip

Chart = dict[str, Any]
"""``{"data": [...], "layout": {...}}`` as plotly takes it."""

METRIC_ROWS = (
    "latency_s", "energy_j", "co2e_kg", "life_energy_j", "edp", "error_pct", "error_sigma_pct", "tracking_loss_pct",
    "area_mm2", "utilization", "macs", "params", "peak_ops_per_s",
)  # fmt: skip

INK, MUTED, GRID, ACCENT, BAD = "#1c2430", "#667085", "#e6e9ef", "#2f6fdb", "#d7263d"
DOMINATED, FRONT = "#b4bcc9", "#1f9d8b"
SCALE = [[0.0, "#0b7a75"], [0.35, "#3fae8c"], [0.65, "#e3b23c"], [1.0, "#c8553d"]]
SERIES = ("#2f6fdb", "#1f9d8b", "#e3b23c", "#c8553d", "#7a5cc7", "#5b8c3a", "#b5487f", "#8a8f98", "#5fb4d9", "#94633a")


def layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    """A layout with titled axes in the page's look; ``more`` is added to it."""
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": "#cfd5de", "ticks": "outside", "tickcolor": "#cfd5de"}
    return {
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "#ffffff", "margin": {"l": 64, "r": 20, "t": 16, "b": 56},
        "xaxis": {"title": {"text": x}, **axis}, "yaxis": {"title": {"text": y}, **axis},
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": "#cfd5de", "font": {"color": INK}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#c3cad5", "activecolor": INK},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(255,255,255,0)"},
        **more,
    }  # fmt: skip


def log_ticks(column: npt.NDArray[np.float64]) -> list[float]:
    """1, 2, 5, 10, … around positive values."""
    low, high = np.log10(np.min(column)), np.log10(np.max(column))
    return [m * 10.0**e for e in range(int(np.floor(low)) - 1, int(np.ceil(high)) + 2) for m in (1, 2, 5)]


def fit_axis(chart_layout: dict[str, Any], axis: str, column: Any) -> None:
    """Make ``axis`` logarithmic, with plain numbers at its ticks, where the values span it."""
    if spans_decades(np.asarray(column, dtype=float)):
        steps = log_ticks(np.asarray(column, dtype=float))
        chart_layout[axis] |= {"type": "log", "tickvals": steps, "ticktext": [f"{step:,.6g}" for step in steps]}
