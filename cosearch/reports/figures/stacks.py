"""A design's energy by layer and component, as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import calm, drawn_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["plot_layers"]

_COLOURS = (
    "#2f6fdb",
    "#1f9d8b",
    "#e3b23c",
    "#c8553d",
    "#7a5cc7",
    "#5b8c3a",
    "#b5487f",
    "#8a8f98",
    "#5fb4d9",
    "#94633a",
)


def plot_layers(layers: DataFrame, ax: Axes | None = None) -> Axes:
    """Draw ``StudyResult.layers``' or ``Estimate.layers()``' energy by component, a bar per operator (µJ)."""
    with drawn_on(ax, 7.0, 2.8) as drawn:
        _draw(drawn, layers)
        return drawn


def _draw(ax: Axes, layers: DataFrame) -> None:
    parts = [str(name) for name in layers.columns if str(name).startswith("energy_") and str(name) != "energy_j"]
    parts = [name for name in parts if name.endswith("_j") and layers[name].sum() > 0]
    spent = layers[parts].sum(axis=1)
    shown = layers[spent > 1e-3 * float(spent.sum())]
    places, below = np.arange(len(shown)), np.zeros(len(shown))
    for index, name in enumerate(parts):
        energy = shown[name].to_numpy(dtype=float) * 1e6
        label = name[len("energy_") : -len("_j")].replace("_", " ")
        ax.bar(places, energy, 0.82, bottom=below, color=_COLOURS[index % len(_COLOURS)], label=label, linewidth=0)
        below += energy
    ax.set_xticks(places, shown["name"].tolist(), rotation=90, fontsize=4.8)
    ax.set(ylabel="energy (µJ)", xlim=(-0.7, len(shown) - 0.3))
    ax.tick_params(axis="y", labelsize=7)
    calm(ax)
    ax.grid(False, axis="x")
    ax.legend(fontsize=6.5, frameon=False, ncols=2)
