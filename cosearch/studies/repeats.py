"""One study with several seeds: what it finds on average, and how much is luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import BadInput, check_whole
from .folder import folder_of, refuse_trials
from .run import Progress, StudyResult, search
from .spec import MOST_SEED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["MOST_REPEATS", "RepeatedStudy", "search_repeats"]

MOST_REPEATS = 1000


@dataclass(frozen=True)
class RepeatedStudy:
    """The results of the seeds, each in a folder ``seed_<n>`` of ``out``."""

    results: tuple[StudyResult, ...]
    out: Path = field(repr=False)

    def seeds(self) -> DataFrame:
        """A row per seed: trials, accuracies asked for, size of the front, hypervolume, least of each objective."""
        import pandas as pd

        return pd.read_csv(self.out / "repeats.csv")

    def plot_convergence(self, what: str = "hypervolume", over: str = "trials", *, ax: Axes | None = None) -> Axes:
        """Draw every seed's hypervolume, or best of an objective so far, their mean and its 95 % interval."""
        from ..reports.figures.progress import plot_convergence
        from ..reports.repeats import histories_of

        return plot_convergence(histories_of(self.out), what, over, ax)


def search_repeats(
    study: str | Path, repeats: int, *, out: str | Path, trials: int | None = None, seed: int | None = None,
    workers: int = 1, cluster: str | None = None, resume: bool = False, progress: Progress | None = None,
    patches: str | Sequence[str] = (),
) -> RepeatedStudy:  # fmt: skip
    """Run a study with the seeds ``seed``, ``seed`` + 1, … (default: from the study's own), and report on all of them.

    ``out`` holds a folder ``seed_<n>`` for each, as `search` makes it, ``repeats.csv`` with a row per seed, and
    ``report.html`` with the mean convergence and its 95 % interval. With ``resume``, finished seeds are not run again.
    Raises as `search`, and `BadInput` for a number of repeats that makes no sense and for a folder that itself holds
    the trials of a study.
    """
    from ..reports.repeats import SEED_FOLDER, repeats_report
    from .load import load_study

    repeats = check_whole(repeats, "repeats", 1, MOST_REPEATS)
    spec = load_study(study, trials=trials, seed=seed, patches=patches)
    if spec.seed + repeats - 1 > MOST_SEED:
        raise BadInput(f"seed = {spec.seed}: {repeats} seeds from it on go beyond {MOST_SEED}; give a smaller one")
    folder, results = folder_of(out), []
    refuse_trials(folder)
    total = repeats * spec.budget.trials
    for place in range(repeats):
        number = spec.seed + place
        before = place * spec.budget.trials

        def told(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        results.append(search(
            study, out=folder / SEED_FOLDER.format(number), trials=trials, seed=number, workers=workers,
            cluster=cluster, resume=resume, progress=told, patches=patches,
        ))  # fmt: skip
    repeats_report(folder)
    return RepeatedStudy(tuple(results), folder)
