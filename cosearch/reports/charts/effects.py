"""What decides: importance of choices, and the way from the baseline to the chosen design."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.importance import ImportanceInfo
from ..figures.front import metric_of
from .style import BAD, FRONT, INK, MUTED, SERIES, Chart, layout

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["MOST_CHOICES", "ablation_chart", "importance_chart", "title_of"]

MOST_CHOICES = 16


def title_of(choice: str) -> str:
    """A choice's name for people: ``net.b03.kernel`` is "b03 kernel"."""
    return choice.partition(".")[2].replace("_", " ").replace(".", " ")


def importance_chart(info: ImportanceInfo) -> Chart:
    """The share of each objective's variance that the choices which matter most explain alone, with its error."""
    top = np.argsort(-info.mean, kind="stable")[:MOST_CHOICES]
    names = [html.escape(title_of(info.choices[place])) for place in top]
    data: list[Any] = []
    for index, one in enumerate(info.objectives):
        data.append({
            "type": "bar", "orientation": "h", "name": html.escape(metric_of(one.objective).label), "y": names,
            "x": [round(100.0 * float(one.share[place]), 3) for place in top], "marker": {"color": SERIES[index]},
            "error_x": {"type": "data", "symmetric": False, "color": MUTED, "thickness": 1, "width": 2,
                        "array": [round(100.0 * float(one.error[place]), 3) for place in top],
                        "arrayminus": [round(100.0 * float(min(one.error[place], one.share[place])), 3)
                                       for place in top]},
            "hovertemplate": "%{y}: %{x:.1f} %",
        })  # fmt: skip
    drawn = layout("Variance explained by the choice alone (%)", "", barmode="group", bargap=0.28, bargroupgap=0.05)
    drawn["yaxis"] |= {"autorange": "reversed", "automargin": True, "gridcolor": "rgba(0,0,0,0)", "ticks": ""}
    drawn["xaxis"]["rangemode"] = "tozero"
    return {"data": data, "layout": drawn}


def ablation_chart(path: DataFrame, objectives: Sequence[str], baseline: Mapping[str, float]) -> Chart:
    """Each objective along the way, relative to its start; steps that break a limit are crosses.

    An objective is not drawn where its start is not known: a design that breaks a limit early is not mapped.
    """
    labels = [
        f"{int(step)}. {html.escape(_short(text))}" for step, text in zip(path["step"], path["text"], strict=True)
    ]
    labels[0] = "baseline"
    data: list[Any] = []
    first = path.iloc[0]
    for index, name in enumerate(objectives):
        metric, start = metric_of(name), float(first[name])
        values = path[name].to_numpy(dtype=float)
        share = 100.0 * values / start if start and np.isfinite(start) else np.full(len(values), np.nan)
        relative = [round(float(one), 4) if np.isfinite(one) else None for one in share]
        texts = [f"{v * metric.scale:.4g} {metric.unit}" if np.isfinite(v) else "not known" for v in values]
        symbols = ["circle" if status == "ok" else "x" for status in path["status"]]
        data.append({
            "type": "scatter", "mode": "lines+markers", "name": html.escape(metric.label), "x": labels, "y": relative,
            "text": texts, "line": {"color": SERIES[index], "width": 2.5},
            "marker": {"size": 9, "symbol": symbols, "color": SERIES[index], "line": {"color": "#fff", "width": 1}},
            "hovertemplate": "%{x}<br>%{text} (%{y:.1f} %)<extra>" + html.escape(metric.label) + "</extra>",
        })  # fmt: skip
    drawn = layout("", "Relative to the baseline (%)", hovermode="x unified")
    drawn["xaxis"] |= {"tickangle": -45, "automargin": True, "tickfont": {"size": 10.5}, "gridcolor": "rgba(0,0,0,0)"}
    line = {"color": INK, "width": 1, "dash": "dot"}
    drawn["shapes"] = [{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 100, "y1": 100, "line": line}]
    drawn["shapes"] += [
        {"type": "rect", "x0": place - 0.5, "x1": place + 0.5, "y0": 0, "y1": 1, "yref": "paper", "line": {"width": 0},
         "fillcolor": BAD if status != "ok" else FRONT, "opacity": 0.10, "layer": "below"}
        for place, status in enumerate(path["status"]) if status != "ok" or place == len(path) - 1
    ]  # fmt: skip
    return {"data": data, "layout": drawn}


def _short(text: str, most: int = 34) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" ,→") + "…"
