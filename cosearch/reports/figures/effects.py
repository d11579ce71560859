"""What decides, as figures: importance of choices, and the way from the baseline to the balanced design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....errors import BadInput
from ..analysis.importance import LEAST_TRIALS, ImportanceInfo
from .front import metric_of
from .style import INK, calm, drawn_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["plot_ablation", "plot_importance"]

_COLOURS = ("#2f6fdb", "#1f9d8b", "#e3b23c", "#c8553d", "#7a5cc7", "#5b8c3a")


def plot_importance(info: ImportanceInfo, most: int = 12, ax: Axes | None = None) -> Axes:
    """Draw the ``most`` important choices: share of each objective's variance explained alone, with standard errors.

    Raises `BadInput` where there were too few trials to say.
    """
    if not info.objectives:
        raise BadInput(f"importance needs {LEAST_TRIALS} feasible designs; there are {info.trials}")
    top = [int(place) for place in np.argsort(-info.mean, kind="stable")[:most]]
    with drawn_on(ax, 3.5, 0.8 + 0.24 * len(top)) as drawn:
        _draw_importance(drawn, info, top)
        return drawn


def _draw_importance(ax: Axes, info: ImportanceInfo, top: Sequence[int]) -> None:
    places = np.arange(len(top), dtype=float)
    height = 0.8 / len(info.objectives)
    for index, one in enumerate(info.objectives):
        shift = (index - (len(info.objectives) - 1) / 2) * height
        ax.barh(
            places + shift, 100 * one.share[top], height * 0.92, xerr=100 * one.error[top], color=_COLOURS[index % 6],
            error_kw={"elinewidth": 0.6, "ecolor": "#667085"},
            label=f"{metric_of(one.objective).label} (R² {one.r2:.2f})",
        )  # fmt: skip
    names = [info.choices[at].partition(".")[2].replace("_", " ").replace(".", " ") for at in top]
    ax.set_yticks(places, names, fontsize=7)
    ax.set(xlabel="variance explained by the choice alone (%)", xlim=(0, None))
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=7)
    calm(ax)
    ax.grid(False, axis="y")
    ax.legend(fontsize=6.5, frameon=False, loc="lower right")


def plot_ablation(path: DataFrame, objectives: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw the objectives along the path, relative to its start; steps that break a limit are crosses."""
    with drawn_on(ax, 3.5 if len(path) < 16 else 7.0, 3.2) as drawn:
        _draw_ablation(drawn, path, objectives)
        return drawn


def _draw_ablation(ax: Axes, path: DataFrame, objectives: Sequence[str]) -> None:
    places = np.arange(len(path))
    for index, name in enumerate(objectives):
        values = path[name].to_numpy(dtype=float)
        if not values[0]:
            continue
        relative = 100.0 * values / values[0]
        colour = _COLOURS[index % 6]
        ax.plot(places, relative, "-", color=colour, linewidth=1.4, label=metric_of(name).label)
        fine = (path["status"] == "ok").to_numpy()
        ax.plot(places[fine], relative[fine], "o", color=colour, markersize=3.2)
        ax.plot(places[~fine], relative[~fine], "x", color=colour, markersize=5)
    ax.axhline(100.0, color=INK, linewidth=0.7, linestyle=":")
    texts = ["baseline", *(_short(str(text)) for text in path["text"][1:])]
    ax.set_xticks(places, texts, rotation=90, fontsize=5.5)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_ylabel("relative to the baseline (%)")
    calm(ax)
    ax.grid(False, axis="x")
    ax.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)


def _short(text: str, most: int = 30) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" ,→") + "…"
