"""Writes a report's figures as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ....accel.simulator.gantt import plot_gantt, save_figure
from ..analysis.ablation_read import path_of
from .effects import plot_ablation, plot_importance
from .front import plot_front
from .progress import plot_convergence
from .stacks import plot_layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..findings import Findings

__all__ = ["FIGURES", "KINDS", "write_figures"]

FIGURES = ("front", "convergence", "importance", "ablation", "layers", "timeline")
KINDS = ("png", "pdf")


def write_figures(findings: Findings, out: Path) -> None:
    """Write ``<name>.png`` and ``<name>.pdf`` of all that can be drawn; figures of an earlier report are taken away.

    Raises `BadInput` where the folder cannot be written.
    """
    drawn = dict(_drawn(findings))
    for name in FIGURES:
        paths = [out / f"{name}.{kind}" for kind in KINDS]
        if name in drawn:
            ax = drawn[name]()
            for path in paths:
                save_figure(ax, path)
        for path in paths if name not in drawn else ():
            path.unlink(missing_ok=True)


def _drawn(findings: Findings) -> Iterator[tuple[str, Callable[[], Axes]]]:
    objectives = findings.spec.objectives
    if len(objectives) > 1 and len(findings.front):
        yield "front", lambda: plot_front(findings.info)
    if len(findings.trials):
        yield "convergence", lambda: plot_convergence([findings.convergence])
    if findings.importance.objectives:
        yield "importance", lambda: plot_importance(findings.importance)
    ablation, layers, timeline = findings.ablation, findings.layers, findings.timeline
    if ablation is not None and len(ablation):
        yield "ablation", lambda: plot_ablation(path_of(ablation), objectives)
    if layers is not None and len(layers):
        yield "layers", lambda: plot_layers(layers)
    if timeline is not None and timeline.operators:
        yield "timeline", lambda: plot_gantt(timeline)
