"""The front's designs as lines across objectives and choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...studies.tables import option_text
from ..figures.front import metric_of
from .style import SCALE, Chart, layout

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["parallel_chart"]


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
    line = {"color": colour.tolist(), "colorscale": SCALE}
    data = [{
        "type": "parcoords", "dimensions": dimensions, "line": line, "labelside": "top", "labelfont": {"size": 12},
        "tickfont": {"size": 11}, "rangefont": {"color": "rgba(0,0,0,0)"},  # it would stand on the titles
    }]  # fmt: skip
    drawn = layout("", "")
    drawn["margin"] = {"l": 70, "r": 50, "t": 56, "b": 24}
    return {"data": data, "layout": drawn}
