"""Simulated beside analytic latency: how far a network leaves the bound, and which resource is to blame.

The analytic model gives every memory the whole of an operator's time for its words; the simulator moves tiles when
there is room for them and somebody to serve them. What lies between the two is contention.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..accel.accelerator import Accelerator
from ..accel.simulator.timeline import Contention
from ..errors import BadInput, ImpossibleResult
from ..mapper.base import UNLIMITED, Limits
from ..mapper.estimate import estimate
from ..mapper.simulation import simulate
from ..models.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "compare", "plot_ratios", "save_ratios"]

CONTENDED = 0.10
SLACK = 1e-9  # relative; both add up floating-point cycles
INK, MUTED = "#1c2430", "#667085"


@dataclass(frozen=True)
class Comparison:
    """One network on one accelerator: ``analytic_s`` and ``simulated_s`` of the same mappings.

    ``unlimited`` is simulated over analytic latency where every bandwidth is unlimited: 1 but for rounding. ``late``
    are the operators beyond the analytic model, most cycles lost first; ``wall_s`` is how long the simulation took.
    """

    network: str
    accelerator: str
    analytic_s: float
    simulated_s: float
    unlimited: float
    late: tuple[Contention, ...]
    operators: int
    steps: int
    walked: int
    wall_s: float

    @property
    def ratio(self) -> float:
        """Simulated over analytic latency."""
        return self.simulated_s / self.analytic_s

    @property
    def contended(self) -> bool:
        """Whether the whole network takes over 10 % longer than the analytic model says."""
        return self.ratio > 1.0 + CONTENDED

    def blamed(self) -> list[tuple[str, float]]:
        """The resources that held operators up, with their shares of the cycles lost; the largest share first."""
        lost: dict[str, float] = {}
        for one in self.late:
            lost[one.resource] = lost.get(one.resource, 0.0) + one.lost
        whole = math.fsum(lost.values())
        return sorted(((name, cycles / whole) for name, cycles in lost.items()), key=lambda one: -one[1])

    def blame(self, operators: int = 2) -> str:
        """Who is to blame, in words: the resource and the operators that lose most ("" where none is late)."""
        if not self.late:
            return ""
        resource, share = self.blamed()[0]
        alike: dict[tuple[float, float], list[Contention]] = {}
        for one in self.late:
            alike.setdefault((round(one.operator.cycles), round(one.operator.analytic)), []).append(one)
        most = sorted(alike.values(), key=lambda equal: -sum(one.lost for one in equal))[:operators]
        named = []
        for equal in most:
            times = f" and {len(equal) - 1} like it" if len(equal) > 1 else ""
            waits = f", {equal[0].cause}" if equal[0].cause else ""
            named.append(f"`{equal[0].operator.name}`{times} ({100 * equal[0].operator.excess:+.0f} %{waits})")
        return f"{resource} ({100 * share:.0f} % of the cycles lost): {', '.join(named)}"


def compare(network: Network, accelerator: Accelerator, *, limits: Limits = UNLIMITED) -> Comparison:
    """Estimate, then simulate with the same mappings, with the accelerator's bandwidths and with unlimited ones.

    Raises `ImpossibleResult` where the simulation is faster than the analytic model, `Infeasible` where a tile does not
    fit.
    """
    found = estimate(network, accelerator, limits=limits)
    begun = time.perf_counter()
    timeline = simulate(network, accelerator, found.schedule)
    wall = time.perf_counter() - begun
    free = simulate(network, accelerator.unlimited(), found.schedule)
    for what, seconds, bound in (
        ("simulated", timeline.latency_s, timeline.analytic_s),
        ("simulated with unlimited bandwidth", free.latency_s, free.analytic_s),
    ):
        if seconds < bound * (1.0 - SLACK):
            raise ImpossibleResult(f"{network.name} on {accelerator.name}: {what} {seconds} s, analytic {bound} s")
    return Comparison(
        network.name,
        accelerator.name,
        timeline.analytic_s,
        timeline.latency_s,
        free.latency_s / free.analytic_s,
        timeline.contended(0.0),
        len(timeline.operators),
        sum(run.steps for run in timeline.operators),
        sum(run.walked for run in timeline.operators),
        wall,
    )


def save_ratios(found: Sequence[Comparison], path: Path) -> None:
    """Write `plot_ratios` to a file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: Any = {"font.size": 9, "axes.linewidth": 0.0}
    chips, networks = _names(found)
    with rc_context(style):
        size = (2.1 + 0.72 * len(chips), 1.1 + 0.30 * len(networks))
        figure = Figure(figsize=size, layout="constrained", dpi=200)
        plot_ratios(found, figure.subplots())
        figure.savefig(path)


def plot_ratios(found: Sequence[Comparison], ax: Axes) -> Axes:
    """A map of simulated over analytic latency: a row for each network, a column for each accelerator.

    The darker, the further beyond the bound; what is over 10 % beyond it bears the resource to blame. Raises `BadInput`
    where there is nothing to draw.
    """
    import numpy as np

    if not found:
        raise BadInput("no comparison to draw; give at least one")
    chips, networks = _names(found)
    beyond = np.full((len(networks), len(chips)), np.nan)
    for one in found:
        beyond[networks.index(one.network), chips.index(one.accelerator)] = 100.0 * (one.ratio - 1.0)
    highest = max(20.0, float(np.nanmax(beyond)))
    shown = ax.imshow(np.sqrt(beyond), cmap="Blues", vmin=0.0, vmax=1.15 * math.sqrt(highest), aspect="auto")
    for one in found:
        at = chips.index(one.accelerator), networks.index(one.network)
        percent = 100.0 * (one.ratio - 1.0)
        colour = "white" if math.sqrt(percent) > 0.68 * math.sqrt(highest) else INK
        text = "exact" if percent < 1e-6 else f"{percent:.1f}"
        if one.contended:
            ax.text(at[0], at[1] - 0.17, text, ha="center", va="center", color=colour, fontweight="bold", fontsize=8.5)
            ax.text(at[0], at[1] + 0.24, one.blamed()[0][0], ha="center", va="center", color=colour, fontsize=6)
        else:
            ax.text(*at, text, ha="center", va="center", color=MUTED if text == "exact" else colour, fontsize=8.5)
    ax.set_xticks(range(len(chips)), chips)
    ax.set_yticks(range(len(networks)), networks)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.set_xticks(np.arange(0.5, len(chips) - 1), minor=True)
    ax.set_yticks(np.arange(0.5, len(networks) - 1), minor=True)
    ax.grid(which="minor", color="white", linewidth=2)
    ax.tick_params(which="minor", length=0, top=False, bottom=False, left=False)
    _scale(ax, shown, highest)
    return ax


def _scale(ax: Axes, shown: Any, highest: float) -> None:
    """The bar that says which colour means how much."""
    figure = ax.get_figure(root=True)
    if figure is None:
        return
    bar = figure.colorbar(shown, ax=ax, fraction=0.05, pad=0.02)
    ticks = [percent for percent in (0, 1, 5, 10, 20, 30, 50, 100, 200) if percent <= highest]
    bar.set_ticks([math.sqrt(percent) for percent in ticks], labels=[f"{percent} %" for percent in ticks])
    bar.ax.set_ylim(0.0, math.sqrt(highest))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=8)
    bar.set_label("simulated beyond analytic latency", fontsize=8)


def _names(found: Iterable[Comparison]) -> tuple[list[str], list[str]]:
    """Accelerators and networks in the order in which they first appear."""
    found = list(found)
    chips = list(dict.fromkeys(one.accelerator for one in found))
    return chips, list(dict.fromkeys(one.network for one in found))
