"""Feasible designs in two objectives."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures.front import FrontInfo
from .style import BAD, DOMINATED, FRONT, INK, MUTED, SCALE, Chart, fit_axis, layout

if TYPE_CHECKING:
    from ..choose import Chosen

__all__ = ["objectives_chart"]


def objectives_chart(info: FrontInfo, x: int, y: int, colour: int | None, chosen: Sequence[Chosen] = ()) -> Chart:
    """Feasible designs in two objectives; the front coloured by a third or drawn with the error's uncertainty."""
    axes = [info.metrics[x], info.metrics[y]]
    hover = _hover(info)
    rest, front = np.flatnonzero(~info.on_front), np.flatnonzero(info.on_front)
    marker: dict[str, Any] = {"size": 10, "line": {"color": INK, "width": 0.8}, "color": FRONT}
    if colour is not None:
        bar = {"title": {"text": info.metrics[colour].title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
        marker |= {"color": _list(info.values[colour], front), "colorscale": SCALE, "colorbar": bar}
    data: list[Any] = [
        _points(info, rest, x, y, hover, "Dominated", {"size": 6, "color": DOMINATED, "opacity": 0.65}),
        _points(info, front, x, y, hover, "Pareto front", marker),
    ]
    if info.sigma is not None and axes[1].name == "error_pct":
        data[1]["error_y"] = {
            "type": "data", "array": _list(info.sigma, front), "color": "#8fcfc4", "thickness": 1, "width": 2
        }  # fmt: skip
    if info.baseline is not None:
        data.append({
            "type": "scatter", "mode": "markers", "name": "Baseline", "x": [info.baseline[x]], "y": [info.baseline[y]],
            "marker": {"symbol": "star", "size": 17, "color": BAD, "line": {"color": "#ffffff", "width": 1}},
            "hovertemplate": "Baseline<br>%{x:.4g}, %{y:.4g}<extra></extra>",
        })  # fmt: skip
    drawn = layout(axes[0].title, axes[1].title)
    for axis, index in (("xaxis", x), ("yaxis", y)):
        fit_axis(drawn, axis, info.values[index])
    drawn["annotations"] = _labels(info, x, y, drawn, chosen)
    return {"data": data, "layout": drawn}


def _points(info: FrontInfo, rows: Any, x: int, y: int, hover: list[str], name: str, marker: dict[str, Any]) -> Chart:
    return {
        "type": "scatter", "mode": "markers", "name": f"{name} ({len(rows)})", "x": _list(info.values[x], rows),
        "y": _list(info.values[y], rows), "text": [hover[row] for row in rows], "marker": marker,
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _list(column: Any, rows: Any) -> list[float]:
    return [float(value) for value in column[rows]]


def _hover(info: FrontInfo) -> list[str]:
    texts = []
    for row, number in enumerate(info.numbers):
        lines = [f"<b>Trial {number}</b>"]
        for metric, column in zip(info.metrics, info.values, strict=True):
            sigma = f" ± {info.sigma[row]:.2g}" if metric.name == "error_pct" and info.sigma is not None else ""
            lines.append(f"{metric.label}: {column[row]:.4g}{sigma} {metric.unit}")
        texts.append("<br>".join(lines))
    return texts


def _labels(info: FrontInfo, x: int, y: int, drawn: dict[str, Any], chosen: Sequence[Chosen]) -> list[dict[str, Any]]:
    titles: dict[int, list[str]] = {}
    for design in chosen:
        titles.setdefault(design.number, []).append(design.title)
    labels = []
    for place, (number, names) in enumerate(titles.items()):
        row = int(np.flatnonzero(info.numbers == number)[0])
        point = [float(info.values[index][row]) for index in (x, y)]
        point = [
            float(np.log10(value)) if drawn[axis].get("type") == "log" else value
            for axis, value in zip(("xaxis", "yaxis"), point, strict=True)
        ]
        text = html.escape(" & ".join([names[0], *(name.lower() for name in names[1:])]))
        labels.append({
            "x": point[0], "y": point[1], "text": text, "showarrow": True, "arrowhead": 0, "arrowwidth": 1,
            "arrowcolor": MUTED, "ax": 34, "ay": -34 - 6 * place, "xanchor": "left", "font": {"size": 12},
            "bgcolor": "rgba(255,255,255,0.85)", "borderpad": 2,
        })  # fmt: skip
    return labels
