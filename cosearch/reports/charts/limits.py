"""Designs by what is known of them before any mapping."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..figures.front import metric_of
from .style import BAD, FRONT, Chart, fit_axis, layout

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["limits_chart"]


def limits_chart(trials: DataFrame, limits: Mapping[str, float]) -> Chart | None:
    """Every trial by silicon area and peak rate, known before any mapping: which were turned away, and why."""
    if not {"area_mm2", "peak_ops_per_s"} <= set(trials.columns):
        return None
    x, y = metric_of("area_mm2"), metric_of("peak_ops_per_s")
    cross = {"color": BAD, "size": 7, "symbol": "x-thin", "line": {"color": BAD, "width": 1.5}}
    kinds: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("ok", "Feasible", {"color": FRONT, "size": 7, "opacity": 0.55}),
        ("constraint", "Over a limit", cross),
        ("infeasible", "No mapping or no such design", {"color": "#e08e2b", "size": 8, "symbol": "diamond-open"}),
    )
    data, trials = [], trials.dropna(subset=[x.name, y.name])
    for status, name, marker in kinds:
        rows = trials[trials["status"] == status]
        if len(rows):
            reasons = [html.escape(str(reason)) if status != "ok" else "feasible" for reason in rows["reason"]]
            texts = [f"<b>Trial {n}</b><br>{reason}" for n, reason in zip(rows["number"], reasons, strict=True)]
            data.append({
                "type": "scatter", "mode": "markers", "name": f"{name} ({len(rows)})", "marker": marker,
                "x": (rows[x.name] * x.scale).tolist(), "y": (rows[y.name] * y.scale).tolist(), "text": texts,
                "hovertemplate": "%{text}<extra></extra>",
            })  # fmt: skip
    drawn = layout(x.title, y.title)
    if x.name in limits:
        at = limits[x.name] * x.scale
        line = {"color": BAD, "width": 1.5, "dash": "dash"}
        drawn["shapes"] = [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line}]
        drawn["annotations"] = [{
            "x": at, "y": 1, "yref": "paper", "text": f"limit {at:.3g} {x.unit}", "showarrow": False,
            "xanchor": "left", "yanchor": "top", "xshift": 4, "font": {"color": BAD, "size": 12},
        }]  # fmt: skip
    fit_axis(drawn, "yaxis", trials[y.name] * y.scale)
    return {"data": data, "layout": drawn}
