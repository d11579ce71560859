"""The report's interactive charts, as plain plotly data: each function returns ``{"data": [...], "layout": {...}}``."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...energy.life.accounts import PHASES
from ..studies.pareto import hypervolume_history
from ..studies.tables import option_text
from .figures import FrontInfo, metric_of, spans_decades

if TYPE_CHECKING:
    from pandas import DataFrame

    from .choose import Chosen

__all__ = [
    "Chart", "history_chart", "layers_chart", "limits_chart", "objectives_chart", "parallel_chart", "phases_chart",
]  # fmt: skip

Chart = dict[str, Any]
METRIC_ROWS = (
    "latency_s", "energy_j", "co2e_kg", "life_energy_j", "edp", "error_pct", "error_sigma_pct", "area_mm2",
    "utilization", "macs", "params", "peak_ops_per_s",
)  # fmt: skip

INK, MUTED, GRID, ACCENT, BAD = "#1c2430", "#667085", "#e6e9ef", "#2f6fdb", "#d7263d"
_PHASE_COLOURS = ("#5b8c3a", "#2f6fdb", "#e3b23c", "#b4bcc9", "#94633a")
DOMINATED, FRONT = "#b4bcc9", "#1f9d8b"
_SCALE = [[0.0, "#0b7a75"], [0.35, "#3fae8c"], [0.65, "#e3b23c"], [1.0, "#c8553d"]]
_SERIES = ("#2f6fdb", "#1f9d8b", "#e3b23c", "#c8553d", "#7a5cc7", "#5b8c3a", "#b5487f", "#8a8f98", "#5fb4d9", "#94633a")


def _layout(x: str, y: str, **more: Any) -> dict[str, Any]:
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


def _axis_type(layout: dict[str, Any], axis: str, column: Any) -> None:
    if spans_decades(np.asarray(column, dtype=float)):
        low, high = np.log10(np.min(column)), np.log10(np.max(column))
        steps = [m * 10.0**e for e in range(int(np.floor(low)) - 1, int(np.ceil(high)) + 2) for m in (1, 2, 5)]
        layout[axis] |= {"type": "log", "tickvals": steps, "ticktext": [f"{step:,.6g}" for step in steps]}


def objectives_chart(info: FrontInfo, x: int, y: int, colour: int | None, chosen: Sequence[Chosen] = ()) -> Chart:
    """Feasible designs in two objectives; the front coloured by a third or drawn with the error's uncertainty."""
    axes = [info.metrics[x], info.metrics[y]]
    hover = _hover(info)
    rest, front = np.flatnonzero(~info.on_front), np.flatnonzero(info.on_front)
    marker: dict[str, Any] = {"size": 10, "line": {"color": INK, "width": 0.8}, "color": FRONT}
    if colour is not None:
        bar = {"title": {"text": info.metrics[colour].title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
        marker |= {"color": _list(info.values[colour], front), "colorscale": _SCALE, "colorbar": bar}
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
    layout = _layout(axes[0].title, axes[1].title)
    for axis, index in (("xaxis", x), ("yaxis", y)):
        _axis_type(layout, axis, info.values[index])
    layout["annotations"] = _labels(info, x, y, layout, chosen)
    return {"data": data, "layout": layout}


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


def _labels(info: FrontInfo, x: int, y: int, layout: dict[str, Any], chosen: Sequence[Chosen]) -> list[dict[str, Any]]:
    titles: dict[int, list[str]] = {}
    for design in chosen:
        titles.setdefault(design.number, []).append(design.title)
    labels = []
    for place, (number, names) in enumerate(titles.items()):
        row = int(np.flatnonzero(info.numbers == number)[0])
        point = [float(info.values[index][row]) for index in (x, y)]
        point = [
            float(np.log10(value)) if layout[axis].get("type") == "log" else value
            for axis, value in zip(("xaxis", "yaxis"), point, strict=True)
        ]
        text = html.escape(" & ".join([names[0], *(name.lower() for name in names[1:])]))
        labels.append({
            "x": point[0], "y": point[1], "text": text, "showarrow": True, "arrowhead": 0, "arrowwidth": 1,
            "arrowcolor": MUTED, "ax": 34, "ay": -34 - 6 * place, "xanchor": "left", "font": {"size": 12},
            "bgcolor": "rgba(255,255,255,0.85)", "borderpad": 2,
        })  # fmt: skip
    return labels


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
    layout = _layout(x.title, y.title)
    if x.name in limits:
        at = limits[x.name] * x.scale
        line = {"color": BAD, "width": 1.5, "dash": "dash"}
        layout["shapes"] = [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line}]
        layout["annotations"] = [{
            "x": at, "y": 1, "yref": "paper", "text": f"limit {at:.3g} {x.unit}", "showarrow": False,
            "xanchor": "left", "yanchor": "top", "xshift": 4, "font": {"color": BAD, "size": 12},
        }]  # fmt: skip
    _axis_type(layout, "yaxis", trials[y.name] * y.scale)
    return {"data": data, "layout": layout}


def history_chart(trials: DataFrame, objectives: Sequence[str], reference: Sequence[float]) -> Chart:
    """Share of the box between zero and the reference point that the front dominates, after each trial."""
    points = trials[list(objectives)].to_numpy(dtype=float).copy()
    points[(trials["status"] != "ok").to_numpy()] = np.nan
    box = float(np.prod(np.asarray(reference)))
    share = [100.0 * volume / box for volume in hypervolume_history(points, reference)]
    line = {
        "type": "scatter", "mode": "lines", "x": trials["number"].tolist(), "y": share, "fill": "tozeroy",
        "line": {"color": ACCENT, "width": 2, "shape": "hv"}, "fillcolor": "rgba(47,111,219,0.10)",
        "hovertemplate": "after trial %{x}: %{y:.2f} %<extra></extra>",
    }  # fmt: skip
    layout = _layout("Trial", "Hypervolume (% of the box)", showlegend=False)
    if share:
        first = next((value for value in share if value > 0), 0.0)
        margin = max((share[-1] - first) * 0.35, 0.5)
        layout["yaxis"]["range"] = [max(0.0, first - margin), share[-1] + margin / 3]
    return {"data": [line], "layout": layout}


def parallel_chart(front: DataFrame, objectives: Sequence[str], labels: Mapping[str, Mapping[str, str]]) -> Chart:
    """The front's designs as lines across objectives and the choices that differ, hardware first."""
    dimensions = []
    for name in objectives:
        metric = metric_of(name)
        dimensions.append({"label": metric.title, "values": (front[name] * metric.scale).tolist()})
    varied = [name for name in front.columns if name.startswith(("hw.", "net.")) and front[name].nunique() > 1]
    hardware = [name for name in varied if name.startswith("hw.")]
    networks = [name for name in varied if name.count(".") == 1 and name.startswith("net.")]
    for name in [*hardware, *networks]:
        options = sorted(front[name].unique().tolist(), key=lambda value: (isinstance(value, str), value))
        texts = [option_text(labels, name, option) for option in options]
        dimensions.append({
            "label": name.partition(".")[2].replace("_", " "), "values": [options.index(v) for v in front[name]],
            "tickvals": list(range(len(options))), "ticktext": texts,
        })  # fmt: skip
    colour = front[objectives[-1]] * metric_of(objectives[-1]).scale
    line = {"color": colour.tolist(), "colorscale": _SCALE}
    data = [{
        "type": "parcoords", "dimensions": dimensions, "line": line, "labelside": "top", "labelfont": {"size": 12},
        "tickfont": {"size": 11}, "rangefont": {"color": "rgba(0,0,0,0)"},  # it would stand on the titles
    }]  # fmt: skip
    layout = _layout("", "")
    layout["margin"] = {"l": 70, "r": 50, "t": 56, "b": 24}
    return {"data": data, "layout": layout}


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
    layout = _layout(metric_of("co2e_kg").title, "", barmode="stack", bargap=0.35)
    layout["yaxis"] |= {"autorange": "reversed", "automargin": True, "gridcolor": "rgba(0,0,0,0)"}
    return {"data": data, "layout": layout}


def layers_chart(layers: DataFrame, parts: Sequence[str], names: Sequence[str]) -> Chart:
    """Energy of each layer in µJ, stacked by component; layers of less than a thousandth of the whole are left out."""
    spent = layers[list(parts)].sum(axis=1)
    data, layers = [], layers[spent > 1e-3 * float(spent.sum())]
    for index, (part, name) in enumerate(zip(parts, names, strict=True)):
        data.append({
            "type": "bar", "name": html.escape(name), "x": layers["name"].tolist(), "y": (layers[part] * 1e6).tolist(),
            "marker": {"color": _SERIES[index % len(_SERIES)]}, "hovertemplate": "%{x}<br>%{y:.3g} µJ",
        })  # fmt: skip
    layout = _layout("", "Energy (µJ)", barmode="stack", bargap=0.15)
    layout["xaxis"] |= {"tickangle": -60, "tickfont": {"size": 9}, "automargin": True, "gridcolor": "rgba(0,0,0,0)"}
    return {"data": data, "layout": layout}
