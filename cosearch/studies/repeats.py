"""One study with several seeds: what it finds on average, and how much is luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...document import load_document
from ...errors import BadInput, check_whole
from .files import Context
from .folder import edited_file, files_of, folder_of, refuse_trials, seedless, told_changes
from .load import check_shape, find_study, load_study
from .log import read_trials
from .run import Progress, StudyResult, search
from .spec import MOST_SEED, StudySpec

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
    the trials of a study, or seeds of another one: with other settings, or of another length where it is not run again.
    """
    from ..reports.repeats import SEED_FOLDER, repeats_report

    repeats = check_whole(repeats, "repeats", 1, MOST_REPEATS)
    folder, results = folder_of(out), []
    path = find_study(study).absolute()
    spec = load_study(study, trials=trials, seed=seed, patches=patches)
    if spec.seed + repeats - 1 > MOST_SEED:
        raise BadInput(f"seed = {spec.seed}: {repeats} seeds from it on go beyond {MOST_SEED}; give a smaller one")
    refuse_trials(folder)
    _refuse_others(folder, spec, range(spec.seed, spec.seed + repeats))
    total = repeats * spec.budget.trials
    for place in range(repeats):
        number = spec.seed + place
        before = place * spec.budget.trials

        def told(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        results.append(search(
            path, out=folder / SEED_FOLDER.format(number), trials=trials, seed=number, workers=workers,
            cluster=cluster, resume=resume, progress=told, patches=patches,
        ))  # fmt: skip
    repeats_report(folder)
    return RepeatedStudy(tuple(results), folder)


def _refuse_others(folder: Path, spec: StudySpec, seeds: range) -> None:
    """Raise `BadInput` where seeds are below ``folder`` that make no statistic together with these ``seeds``."""
    from ..reports.repeats import seed_folders

    files = files_of(spec)
    for path in seed_folders(folder):
        before = check_shape(load_document(path / "study.yaml"))
        again = before.seed in seeds  # then a new name or budget will be its own too
        if again and not read_trials(path / "trials.jsonl"):
            continue
        changes = told_changes(seedless(before, whole=not again), seedless(spec, whole=not again))
        if not changes and (path / "context.json").is_file():
            edited = edited_file(Context.read(path / "context.json").files, files)
            changes = f"{edited} was edited" if edited else ""
        if changes:
            what = f"{path}: holds trials of another study ({changes})"
            raise BadInput(f"{what}; undo the change, or name another folder")
