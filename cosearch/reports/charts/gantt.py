"""The simulated timeline of a design: operators as bars, and how busy each resource is."""

from __future__ import annotations

import html
from typing import Any

from ....accel.simulator.gantt import GanttInfo
from ....accel.simulator.gantt_parts import OVERHEAD, unit_of
from .style import MUTED, SERIES, Chart, layout

__all__ = ["gantt_chart"]

_BUSY = [[0.0, "#f1f4f7"], [0.5, "#7cc4b8"], [1.0, "#0b7a66"]]


def gantt_chart(info: GanttInfo) -> Chart:
    """Operators above, one bar each in turning colours; below a row per resource, darker where it is busier."""
    scale, unit = unit_of(info.window_s[1])
    lanes = len(info.lanes)
    share = min(0.30, 0.08 + 0.07 * lanes)
    data: list[Any] = [_operators(info, scale, unit), _busy(info, scale, unit)]
    drawn = layout(f"Time ({unit})", "", showlegend=False, bargap=0.1)
    drawn["xaxis"] |= {"anchor": "y2", "range": [info.window_s[0] * scale, info.window_s[1] * scale]}
    names = [html.escape(row.label) for row in info.rows]
    quiet = {"gridcolor": "rgba(0,0,0,0)", "zeroline": False, "automargin": True, "ticks": "", "autorange": "reversed"}
    labels = [html.escape(lane.label) or f"lane {place + 1}" for place, lane in enumerate(info.lanes)]
    drawn["yaxis"] = {**quiet, "domain": [1.0 - share, 1.0], "tickvals": list(range(lanes)), "ticktext": labels}
    drawn["yaxis2"] = {**quiet, "domain": [0.0, 0.97 - share], "type": "category", "categoryarray": names}
    drawn["annotations"] = [
        {"x": 1.005, "xref": "paper", "xanchor": "left", "y": name, "yref": "y2", "text": f"{100 * row.busy:.0f} %",
         "showarrow": False, "font": {"size": 12, "color": MUTED}}
        for name, row in zip(names, info.rows, strict=True)
    ]  # fmt: skip
    drawn["margin"] = {"l": 64, "r": 54, "t": 10, "b": 50}
    return {"data": data, "layout": drawn}


def _operators(info: GanttInfo, scale: float, unit: str) -> dict[str, Any]:
    bars = info.operators
    return {
        "type": "bar", "orientation": "h", "base": [bar.start_s * scale for bar in bars],
        "x": [(bar.end_s - bar.start_s) * scale for bar in bars], "y": [bar.lane for bar in bars],
        "marker": {"color": [SERIES[bar.colour] for bar in bars], "line": {"color": "#fff", "width": 0.5}},
        "customdata": [[html.escape(bar.label), bar.end_s * scale] for bar in bars],
        "hovertemplate": f"%{{customdata[0]}}<br>%{{base:.4g}} to %{{customdata[1]:.4g}} {unit}<extra></extra>",
    }  # fmt: skip


def _busy(info: GanttInfo, scale: float, unit: str) -> dict[str, Any]:
    """Shares of the time steps; what a resource does besides is stalled, or idle."""
    busy = [row.fill[: OVERHEAD + 1].sum(axis=0) for row in info.rows]
    stalled = [row.fill[OVERHEAD + 1 :].sum(axis=0) for row in info.rows]
    middles = (info.edges[1:] + info.edges[:-1]) / 2 * scale
    return {
        "type": "heatmap", "yaxis": "y2", "x": [float(f"{x:.5g}") for x in middles],
        "y": [html.escape(row.label) for row in info.rows],
        "z": [[round(float(100 * value), 1) for value in row] for row in busy],
        "text": [[f"{100 * value:.0f} %" for value in row] for row in stalled],
        "colorscale": _BUSY, "zmin": 0, "zmax": 100, "ygap": 3,
        "colorbar": {"title": {"text": "busy (%)", "side": "right"}, "thickness": 10, "outlinewidth": 0, "len": 0.6,
                     "y": 0.32, "x": 1.05},
        "hovertemplate": f"%{{y}} at %{{x:.4g}} {unit}<br>busy %{{z:.0f}} %, stalled %{{text}}<extra></extra>",
    }  # fmt: skip
