"""What the figures share: sizes, axes in plain numbers, how they are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["INK", "PAPER", "Column", "calm", "drawn_on", "plain_ticks", "spans_decades"]

Column = npt.NDArray[np.float64]
INK, MUTED, GRID = "#1c2430", "#667085", "#e4e7ec"
PAPER: Any = {"font.size": 8, "axes.linewidth": 0.6, "pdf.fonttype": 42}
"""Settings for a column of a paper: small type, thin lines, text that stays text in a PDF."""


def _own_axes(width: float, height: float) -> Axes:
    """Axes in a figure of their own, in inches; 3.5 is a column's width of most papers."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


@contextmanager
def drawn_on(ax: Axes | None, width: float = 3.5, height: float = 2.7) -> Iterator[Axes]:
    """The given axes as they are, or own ones in the look of a paper."""
    from matplotlib import rc_context

    with rc_context(PAPER if ax is None else {}):
        yield _own_axes(width, height) if ax is None else ax


def calm(ax: Axes) -> None:
    """A thin grid behind the data, and no frame above or to the right of it."""
    ax.grid(True, which="major", linewidth=0.4, color=GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def plain_ticks(axis: Axis) -> None:
    """Label a logarithmic axis 1, 2, 5, 10, … in plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def spans_decades(column: Column) -> bool:
    """Whether a logarithmic axis serves these values: all positive, and over a factor of eight from end to end."""
    return bool(len(column) and column.min() > 0 and column.max() > 8 * column.min())
