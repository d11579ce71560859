"""Convergence as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....errors import BadInput
from ..analysis.convergence import ConvergenceInfo, band
from .front import metric_of
from .style import INK, calm, drawn_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_convergence"]


def plot_convergence(
    infos: Sequence[ConvergenceInfo], what: str = "hypervolume", over: str = "trials", ax: Axes | None = None
) -> Axes:
    """Draw ``what`` ("hypervolume" or an objective) over "trials" or accuracy "evaluations".

    Several searches: each thin, their mean, and its 95 % confidence interval (Student's t). Raises `BadInput` for
    anything else.
    """
    if not infos:
        raise BadInput("no search to draw; give one or more")
    known = ("hypervolume", *infos[0].best)
    if what not in known:
        raise BadInput(f"what = '{what}': choose one of {', '.join(known)}")
    if over not in ("trials", "evaluations"):
        raise BadInput(f"over = '{over}': choose 'trials' or 'evaluations'")
    with drawn_on(ax, 3.5, 2.4) as drawn:
        _draw(drawn, infos, what, over)
        return drawn


def _draw(ax: Axes, infos: Sequence[ConvergenceInfo], what: str, over: str) -> None:
    metric = metric_of(what)
    scale = 1.0 if what == "hypervolume" else metric.scale
    x = [info.trials if over == "trials" else info.evaluations for info in infos]
    y = [scale * (info.hypervolume_pct if what == "hypervolume" else info.best[what]) for info in infos]
    if len(infos) > 1:
        found = band(x, y)
        for run in found.runs:
            ax.step(found.x, run, where="post", color="#b8bec9", linewidth=0.6)
        ax.fill_between(found.x, found.low, found.high, step="post", color="#2f6fdb", alpha=0.18, linewidth=0)
        ax.step(found.x, found.mean, where="post", color="#2f6fdb", linewidth=1.6, label=f"mean of {len(infos)} seeds")
        ax.legend(fontsize=7, frameon=False)
    else:
        ax.step(x[0], y[0], where="post", color="#2f6fdb", linewidth=1.6)
    if what in infos[0].baseline:
        level = infos[0].baseline[what] * scale
        ax.axhline(level, color="#d7263d", linewidth=1.0, linestyle="--")
        ax.annotate("baseline", (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7,
                    color="#d7263d")  # fmt: skip
    unit = f" ({metric.unit})" if metric.unit else ""
    least = "hypervolume (% of the box)" if what == "hypervolume" else f"least {metric.label.lower()}{unit}"
    ax.set(xlabel="trials" if over == "trials" else "accuracies asked for", ylabel=least)
    ends = [float(run[-1]) for run in x if len(run)]
    ax.set_xlim(0, max([*ends, 1.0]))
    if what == "hypervolume" and all(np.isfinite(column).all() for column in y):
        ax.set_ylim(bottom=0.0)
    ax.tick_params(colors=INK, labelsize=7)
    calm(ax)
