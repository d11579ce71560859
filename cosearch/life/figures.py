"""Life cycles as pictures: totals against uses with their crossings, and what the phases take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...energy.life import MOST_USES, PHASES, LifeCycle, Reversal, best_by_uses, reversals
from ...energy.life.accounts import check_quantity
from ...errors import BadInput
from ..reports.figures.style import plain_ticks, spans_decades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["PhasesInfo", "UsesInfo", "phases_info", "plot_life", "uses_info"]

LOW, HIGH = 1e3, 1e9
_UNITS = {"energy_j": ("energy (kWh)", 1.0 / 3.6e6), "co2e_kg": ("carbon (kg CO$_2$e)", 1.0)}
_COLOURS = {
    "search": "#758e4f", "training": "#33658a", "inference": "#f6ae2d", "idle": "#c9ccd3", "embodied": "#9c6644",
}  # fmt: skip
_LINES = ("#33658a", "#d1495b", "#758e4f", "#9c6644", "#f6ae2d", "#5b5f97", "#2f4858", "#86bbd8")


@dataclass(frozen=True, eq=False)
class UsesInfo:
    """Totals (design, uses) in a quantity over ``uses`` (n,), where designs change places, who is best where.

    ``sds`` (design, uses) are the totals' standard deviations.
    """

    quantity: str
    names: tuple[str, ...]
    uses: NDArray[np.float64]
    totals: NDArray[np.float64]
    sds: NDArray[np.float64]
    reversals: tuple[Reversal, ...]
    best: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, eq=False)
class PhasesInfo:
    """Amounts (design or uses, phase) in a quantity."""

    quantity: str
    labels: tuple[str, ...]
    amounts: NDArray[np.float64]


def uses_info(
    designs: Sequence[LifeCycle], quantity: str = "co2e_kg", low: float = LOW, high: float = HIGH, points: int = 241
) -> UsesInfo:
    """Totals of designs from ``low`` to ``high`` uses; raises `BadInput` for no designs or names given twice."""
    name = check_quantity(quantity)
    best = best_by_uses(designs, low, high, quantity=name)
    uses = np.geomspace(low, high, points)
    totals = np.array([[one.line(name).at(float(u)) for u in uses] for one in designs])
    sds = np.array([[one.at(float(u)).sd(name) for u in uses] for one in designs])
    names = tuple(one.name for one in designs)
    return UsesInfo(name, names, uses, totals, sds, tuple(reversals(designs, low, high, quantity=name)), tuple(best))


def phases_info(designs: Sequence[LifeCycle], quantity: str = "co2e_kg") -> PhasesInfo:
    """What each phase takes of each design at its own number of uses."""
    name = check_quantity(quantity)
    amounts = np.array([[getattr(one.phases[phase], name) for phase in PHASES] for one in designs])
    return PhasesInfo(name, tuple(one.name for one in designs), amounts)


def plot_life(designs: Sequence[LifeCycle], path: str | Path, quantity: str = "co2e_kg") -> Path:
    """Write the picture (format by the file's ending): totals against uses, and the phases.

    One design: the share of each phase as uses grow. Several: their phases side by side at their own uses.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    high = min(MOST_USES, max([HIGH, *(10.0 * one.uses for one in designs)]))
    info = uses_info(designs, quantity, LOW, high)
    figure = Figure(figsize=(12.0, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    _plot_totals(left, info, designs)
    if len(designs) == 1:
        _plot_shares(right, designs[0], info)
    else:
        _plot_phases(right, phases_info(designs, quantity), designs[0].uses)
    target = Path(path)
    try:
        figure.savefig(target, dpi=130)
    except (OSError, ValueError) as error:
        raise BadInput(f"{target}: cannot be written ({error}); name a .png, .pdf or .svg in a folder") from error
    return target


def _plot_totals(axes: Axes, info: UsesInfo, designs: Sequence[LifeCycle]) -> None:
    label, scale = _UNITS[info.quantity]
    for at, name in enumerate(info.names):
        low, high = (scale * (info.totals[at] + sign * info.sds[at]) for sign in (-1, 1))
        axes.fill_between(info.uses, low, high, color=_LINES[at % len(_LINES)], alpha=0.15, linewidth=0)
        axes.plot(info.uses, info.totals[at] * scale, color=_LINES[at % len(_LINES)], linewidth=2.0, label=name)
    lowest = info.totals.min(axis=0) * scale
    for (_, end, before), (_, _, after) in zip(info.best, info.best[1:], strict=False):
        value = float(np.interp(np.log(end), np.log(info.uses), lowest))
        axes.plot([end], [value], "o", color="#1c2430", markersize=6, zorder=5)
        axes.annotate(
            f"{end:.3g} uses:\n{before} → {after}", (end, value), textcoords="offset points", xytext=(8, -26),
            fontsize=7.5, color="#1c2430",
        )  # fmt: skip
    if len(designs) == 1:
        one = designs[0]
        axes.plot([one.uses], [one.line(info.quantity).at(one.uses) * scale], "o", color="#1c2430", zorder=5)
    axes.set(xscale="log", xlabel="uses in the whole life", ylabel=label, xlim=(info.uses[0], info.uses[-1]))
    if spans_decades(scale * info.totals.ravel()):
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
    else:
        axes.set_ylim(0.0, 1.2 * scale * float((info.totals + info.sds).max()))
    axes.set_title("What a life costs, by how often it is used (band: one standard deviation)", fontsize=10)
    _calm(axes)
    axes.legend(fontsize=8, frameon=False, loc="upper left")


def _plot_shares(axes: Axes, one: LifeCycle, info: UsesInfo) -> None:
    lives = [one.at(float(uses)) for uses in info.uses]
    amounts = np.array([[getattr(life.phases[phase], info.quantity) for phase in PHASES] for life in lives])
    shares = 100.0 * amounts / amounts.sum(axis=1, keepdims=True)
    axes.stackplot(info.uses, shares.T, labels=PHASES, colors=[_COLOURS[phase] for phase in PHASES], linewidth=0)
    if one.uses > LOW:
        axes.axvline(one.uses, color="#1c2430", linewidth=1.0, linestyle=":")
    axes.set(
        xscale="log",
        xlim=(info.uses[0], info.uses[-1]),
        ylim=(0, 100),
        xlabel="uses in the whole life",
        ylabel="share (%)",
    )
    axes.set_title("Which phase it is spent on", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.14),
                handlelength=1.0, columnspacing=1.0)  # fmt: skip


def _plot_phases(axes: Axes, info: PhasesInfo, uses: float) -> None:
    label, scale = _UNITS[info.quantity]
    places = np.arange(len(info.labels))[::-1]
    starts = np.zeros(len(info.labels))
    for at, phase in enumerate(PHASES):
        widths = info.amounts[:, at] * scale
        if widths.any():
            axes.barh(places, widths, 0.62, left=starts, color=_COLOURS[phase], label=phase)
        starts += widths
    for place, whole in zip(places, starts, strict=True):
        axes.text(whole, place, f" {whole:,.0f}" if whole >= 100 else f" {whole:.3g}", va="center", fontsize=8)
    axes.set_yticks(places, [name.replace(" on ", "\non ") for name in info.labels], fontsize=8)
    axes.set(xlabel=label, xlim=(0, 1.15 * float(starts.max()) or 1.0))
    axes.set_title(f"The phases at {uses:.3g} uses", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.4, -0.14),
                handlelength=1.0, columnspacing=1.0)  # fmt: skip


def _calm(axes: Axes) -> None:
    axes.grid(True, which="major", linewidth=0.4, color="#e4e7ec")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
