"""The front of a search as numbers, and as a figure for papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ....errors import BadInput
from ...studies.trial import METRICS, Metric
from .style import INK, Column, calm, drawn_on, plain_ticks, spans_decades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["FrontInfo", "front_info", "metric_of", "plot_front"]


@dataclass(frozen=True)
class FrontInfo:
    """Feasible trials in two or three objectives, in units for people.

    ``values`` has a column (n,) per objective, ``sigma`` the uncertainty of the error (n,) or None. ``on_front`` marks
    the trials no other dominates. ``baseline`` is the baseline's point or None.
    """

    metrics: tuple[Metric, ...]
    numbers: npt.NDArray[np.int64]
    values: tuple[Column, ...]
    on_front: npt.NDArray[np.bool_]
    sigma: Column | None = None
    baseline: tuple[float, ...] | None = None


def metric_of(name: str) -> Metric:
    """The metric's label and unit; an unknown one is shown under its own name."""
    return METRICS.get(name, Metric(name, name, "none"))


def front_info(trials: DataFrame, objectives: Sequence[str], baseline: Mapping[str, float] | None = None) -> FrontInfo:
    """The feasible rows of a study's trials as points; raises `BadInput` where an objective has no column."""
    missing = [name for name in (*objectives, "status", "on_front") if name not in trials.columns]
    if missing:
        raise BadInput(f"the trials have no column '{missing[0]}'; give StudyResult.trials() and its objectives")
    feasible = trials[trials["status"] == "ok"]
    metrics = tuple(metric_of(name) for name in objectives)
    columns = tuple(feasible[metric.name].to_numpy(dtype=float) * metric.scale for metric in metrics)
    known = baseline is not None and all(name in baseline for name in objectives)
    point = tuple((baseline or {})[metric.name] * metric.scale for metric in metrics) if known else None
    sigma = feasible["error_sigma_pct"].to_numpy(dtype=float) if "error_sigma_pct" in feasible else None
    if sigma is not None and not np.any(sigma > 0):  # looked up, not predicted
        sigma = None
    return FrontInfo(
        metrics, feasible["number"].to_numpy(dtype=np.int64), columns,
        feasible["on_front"].to_numpy(dtype=bool), sigma, point,
    )  # fmt: skip


def plot_front(info: FrontInfo, ax: Axes | None = None) -> Axes:
    """Draw the first objective against the second, coloured by the third; ``ax.figure.savefig`` writes it.

    Bars are one standard error of a predicted accuracy. Without ``ax`` a figure of one column's width of a paper
    (3.5 in) is made. Raises `BadInput` for one objective.
    """
    if len(info.metrics) < 2:
        raise BadInput("a front is drawn in two objectives or more; the study has one")
    with drawn_on(ax) as drawn:
        _draw(drawn, info)
        return drawn


def _draw(ax: Axes, info: FrontInfo) -> None:
    x, y = info.values[:2]
    front, other = info.on_front, ~info.on_front
    ax.scatter(x[other], y[other], 7, color="#b8bec9", linewidths=0, label="dominated", rasterized=True)
    _draw_sigma(ax, info)
    style: dict[str, Any] = {"edgecolors": INK, "linewidths": 0.4, "label": "Pareto front", "zorder": 3}
    if len(info.metrics) > 2:
        drawn = ax.scatter(x[front], y[front], 20, c=info.values[2][front], cmap="viridis_r", **style)
        if ax.figure is not None:
            ax.figure.colorbar(drawn, ax=ax, label=info.metrics[2].title)
    else:
        ax.scatter(x[front], y[front], 20, color="#2f6fdb", **style)
    if info.baseline is not None:
        star_x, star_y = info.baseline[:2]
        ax.scatter(star_x, star_y, 90, marker="*", color="#d7263d", linewidths=0, label="baseline", zorder=4)
    ax.set(xlabel=info.metrics[0].title, ylabel=info.metrics[1].title)
    for axis, scale, column in ((ax.xaxis, ax.set_xscale, x), (ax.yaxis, ax.set_yscale, y)):
        if spans_decades(column):
            scale("log")
            plain_ticks(axis)
    calm(ax)
    tight = {"handletextpad": 0.0, "columnspacing": 1.0, "borderaxespad": 0.3}
    ax.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, **tight)


def _draw_sigma(ax: Axes, info: FrontInfo) -> None:
    """Bars of one standard error on the front, where an axis is a predicted error."""
    names = [metric.name for metric in info.metrics[:2]]
    if info.sigma is None or "error_pct" not in names:
        return
    front = info.on_front
    across, up = (info.sigma[front] if name == "error_pct" else None for name in names)
    x, y = info.values[0][front], info.values[1][front]
    ax.errorbar(x, y, up, across, fmt="none", ecolor="#9fb4c9", elinewidth=0.7, capsize=1.2, zorder=2)
