"""A running study on a terminal: how far it is, and how it stands."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .metric_words import text_of, title_of
from .output import console, progress_columns

if TYPE_CHECKING:
    from ..studies.standing import Standing, Watch

__all__ = ["standing_text", "study_progress"]

_EVERY_S = 0.2  # a hypervolume of many designs takes a while; people do not read faster


@contextmanager
def study_progress(name: str) -> Iterator[Watch | None]:
    """A bar on standard error with a line below it; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress import Progress
    from rich.text import Text

    bar, line = Progress(*progress_columns()), Text("no feasible design yet", style="dim")
    with Live(Group(bar, line), console=console(sys.stderr), transient=True) as live:
        task = bar.add_task(name, total=None)
        shown = 0.0

        def watch(standing: Standing) -> None:
            nonlocal shown
            bar.update(task, completed=standing.done, total=standing.total)
            if time.monotonic() - shown >= _EVERY_S:
                line.plain = standing_text(standing)
                live.refresh()
                shown = time.monotonic()

        yield watch


def standing_text(standing: Standing) -> str:
    """Front size, hypervolume, the best of each objective, and accuracies paid for, in a line."""
    paid = f"{standing.accuracies} of {standing.most}" if standing.most is not None else f"{standing.accuracies}"
    accuracies = f"accuracies found: {paid}" if standing.accuracies else ""
    if not len(standing.front):
        return "; ".join(filter(None, ["no feasible design yet", accuracies]))
    best = ", ".join(f"{title_of(name)} {text_of(name, value)}" for name, value in standing.best.items())
    parts = [f"front: {len(standing.front)}", f"hypervolume: {standing.hypervolume:.2%}", f"best: {best}", accuracies]
    return "; ".join(filter(None, parts))
