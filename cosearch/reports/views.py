"""What a study's result shows of itself in a notebook or a script."""

from __future__ import annotations

import base64
import io
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ...errors import BadInput
from .analysis.card import Card, card
from .figures.effects import plot_importance
from .figures.front import front_info, metric_of, plot_front
from .figures.progress import plot_convergence
from .findings import Findings
from .html_parts import escape, frame_table
from .page import verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["StudyViews"]

_SHOWN = 10


class StudyViews(ABC):
    """The report's parts one by one; a subclass gives ``_findings``."""

    @property
    @abstractmethod
    def _findings(self) -> Findings:
        """What the parts are made from."""

    def plot_front(self, x: str | None = None, y: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw the front over any two metrics (default: the first two objectives), coloured by the next objective.

        Raises `BadInput` for a metric the trials do not have, and where there is only one to draw.
        """
        findings, names = self._findings, list(self._findings.spec.objectives)
        for name in (x, y):
            if name is not None and name not in findings.trials.columns:
                raise BadInput(f"the trials have no column '{name}'; the objectives are {', '.join(names)}")
            if name is not None and findings.trials[name].dtype.kind not in "if":
                raise BadInput(f"'{name}' holds words, not numbers; draw metrics such as {', '.join(names)}")
        if x is not None and x == y:
            raise BadInput(f"'{x}' against itself shows nothing; give two different metrics")
        picked = [name for name in (x, y) if name is not None]
        others = [name for name in names if name not in picked]
        across = x if x is not None else others.pop(0) if others else names[0]
        up = y if y is not None else others.pop(0) if others else ""
        axes = [name for name in (across, up) if name]
        return plot_front(front_info(findings.trials, [*axes, *others[:1]], findings.context.baseline), ax)

    def plot_convergence(self, what: str = "hypervolume", over: str = "trials", *, ax: Axes | None = None) -> Axes:
        """Draw the hypervolume, or the best of one objective so far, over "trials" or accuracy "evaluations"."""
        return plot_convergence([self._findings.convergence], what, over, ax)

    def plot_importance(self, most: int = 12, *, ax: Axes | None = None) -> Axes:
        """Draw what the ``most`` important choices explain of each objective; `BadInput` with under 20 designs."""
        return plot_importance(self._findings.importance, most, ax)

    def importance(self) -> DataFrame:
        """A row per choice that varies: percent of each objective's variance that it explains alone, and the error.

        Columns ``choice``, ``<objective>``, ``<objective>_error``; only ``choice`` with fewer than 20 feasible designs.
        """
        return self._findings.importance.frame()

    def card(self) -> Card:
        """The ten-criteria card: rows with ``name``, ``figure``, ``detail`` and ``known``; ``.frame()`` is a table."""
        return card(self._findings)

    def _repr_html_(self) -> str:
        """The verdict, the front as a picture, and its first designs."""
        findings = self._findings
        parts = [f"<h3>{escape(findings.spec.name)}</h3><p>{verdict(findings)}</p>"]
        if len(findings.spec.objectives) > 1 and len(findings.front):
            parts.append(_picture(self.plot_front()))
        shown = findings.front.head(_SHOWN)
        names = list(dict.fromkeys([*findings.spec.objectives, *(n for n in ("area_mm2",) if n in shown)]))
        table = shown[["number", *names]].copy()
        for name in names:
            table[name] = table[name] * metric_of(name).scale
        titles = {"number": "trial", **{name: metric_of(name).title for name in names}}
        parts.append(frame_table(table, titles))
        rest = len(findings.front) - len(shown)
        parts.append(f"<p>{rest} more designs: <code>.front()</code></p>" if rest > 0 else "")
        return "".join(parts)


def _picture(ax: Axes) -> str:
    """A figure as an image that needs no file."""
    from matplotlib.figure import Figure

    figure, drawn = ax.get_figure(root=True), io.BytesIO()
    if not isinstance(figure, Figure):
        return ""
    figure.savefig(drawn, format="png", dpi=150)
    code = base64.b64encode(drawn.getvalue()).decode("ascii")
    return f"<img alt='the Pareto front' style='max-width:560px' src='data:image/png;base64,{code}'>"
