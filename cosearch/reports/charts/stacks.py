"""Stacked bars: a life's carbon by phase, layers' energy by component."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ....energy.life.accounts import PHASES
from ..figures.front import metric_of
from .style import SERIES, Chart, layout

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["layers_chart", "phases_chart"]

_PHASE_COLOURS = ("#5b8c3a", "#2f6fdb", "#e3b23c", "#b4bcc9", "#94633a")


def phases_chart(designs: Sequence[tuple[str, Mapping[str, float]]]) -> Chart:
    """Life-cycle carbon of designs (name, metrics), stacked by phase."""
    names = [name for name, _ in designs]
    data = [
        {
            "type": "bar", "name": phase, "orientation": "h", "y": names, "marker": {"color": colour},
            "x": [metrics[f"co2e_{phase}_kg"] for _, metrics in designs],
            "hovertemplate": f"{phase}: %{{x:,.4g}} kg<extra></extra>",
        }
        for phase, colour in zip(PHASES, _PHASE_COLOURS, strict=True)
    ]  # fmt: skip
    drawn = layout(metric_of("co2e_kg").title, "", barmode="stack", bargap=0.35)
    drawn["yaxis"] |= {"autorange": "reversed", "automargin": True, "gridcolor": "rgba(0,0,0,0)"}
    return {"data": data, "layout": drawn}


def layers_chart(layers: DataFrame, parts: Sequence[str], names: Sequence[str]) -> Chart:
    """Energy of each layer in µJ, stacked by component; layers of less than a thousandth of the whole are left out."""
    spent = layers[list(parts)].sum(axis=1)
    data, layers = [], layers[spent > 1e-3 * float(spent.sum())]
    for index, (part, name) in enumerate(zip(parts, names, strict=True)):
        data.append({
            "type": "bar", "name": html.escape(name), "x": layers["name"].tolist(), "y": (layers[part] * 1e6).tolist(),
            "marker": {"color": SERIES[index % len(SERIES)]}, "hovertemplate": "%{x}<br>%{y:.3g} µJ",
        })  # fmt: skip
    drawn = layout("", "Energy (µJ)", barmode="stack", bargap=0.15)
    drawn["xaxis"] |= {"tickangle": -60, "tickfont": {"size": 9}, "automargin": True, "gridcolor": "rgba(0,0,0,0)"}
    return {"data": data, "layout": drawn}
