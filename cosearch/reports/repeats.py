"""The report of a study that was run with several seeds: how much of what it found is luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...accel.simulator.gantt import save_figure
from ...errors import BadInput
from ..studies.folder import edited_file, seedless, told_changes
from ..studies.log import write_atomically
from ..studies.pareto import non_dominated
from .analysis.card import card
from .analysis.convergence import ConvergenceInfo, convergence_info
from .charts.curves import bands_data
from .charts.explorer import explorer_data
from .figures.files import KINDS
from .figures.front import metric_of
from .figures.progress import plot_convergence
from .findings import Findings, reference_point
from .html_parts import Cell, cell, chart_block, escape, section, table, tile
from .page import filled, page
from .sections.card import card_block

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["SEED_FOLDER", "histories_of", "repeats_report", "seed_folders", "seeds_frame"]

SEED_FOLDER = "seed_{}"


def seed_folders(out: Path) -> list[Path]:
    """The folders of the seeds below ``out``, in the order of the seeds."""
    found = [path for path in out.glob(SEED_FOLDER.format("*")) if (path / "study.yaml").is_file()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def repeats_report(out: Path) -> Path:
    """Write ``report.html``, ``repeats.csv`` and the figure of the convergence of several seeds; the page's path.

    Each seed's own page is written again, as its card says how stable the search is. Raises `BadInput` where the folder
    holds no seeds, or those of different studies.
    """
    studies = [Findings.read(folder) for folder in seed_folders(out)]
    if not studies:
        raise BadInput(f"{out}: no repeated study's folder (no seed_… below it); name the --out folder of such a run")
    for study in studies[1:]:
        changes = _changes(studies[0], study)
        if changes:
            what = f"the seeds below it are of different studies: in seed_{study.spec.seed} {changes}"
            raise BadInput(f"{out}: {what}; give each study its own folder")
    histories = _histories(studies)
    seeds = seeds_frame(studies, histories)
    write_atomically(out / "repeats.csv", seeds.to_csv(index=False))
    if studies[0].spec.report.figures:
        ax = plot_convergence(histories)
        for kind in KINDS:
            save_figure(ax, out / f"convergence.{kind}")
    for study in studies:
        if study.folder is not None:
            write_atomically(study.folder / "report.html", page(replace(study, seeds=seeds)))
    write_atomically(out / "report.html", _page(studies, histories, seeds))
    return out / "report.html"


def _changes(first: Findings, other: Findings) -> str:
    """How the studies of two seeds differ, in words; empty where they do not."""
    edited = edited_file(first.context.files, other.context.files)
    return told_changes(seedless(first.spec), seedless(other.spec)) or (f"{edited} was edited" if edited else "")


def histories_of(out: Path) -> list[ConvergenceInfo]:
    """Every seed's history below ``out``; raises `BadInput` as `repeats_report`."""
    return _histories([Findings.read(folder) for folder in seed_folders(out)])


def _histories(studies: Sequence[Findings]) -> list[ConvergenceInfo]:
    """Every seed's history in one box, so that their hypervolumes can be compared."""
    import pandas as pd

    spec, baseline = studies[0].spec, studies[0].context.baseline
    pool = pd.concat([study.trials for study in studies], ignore_index=True)
    reference, _ = reference_point(pool, spec.objectives, baseline)
    stated = studies[0].stated
    return [convergence_info(study.trials, spec.objectives, reference, baseline, stated) for study in studies]


def seeds_frame(studies: Sequence[Findings], histories: Sequence[ConvergenceInfo]) -> DataFrame:
    """A row per seed: ``seed``, ``folder``, ``trials``, ``evaluations``, ``feasible``, ``front``, ``hypervolume_pct``,
    and the least of each objective (SI units, NaN without a feasible design).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for study, history in zip(studies, histories, strict=True):
        some = len(history.trials) > 0
        row: dict[str, Any] = {
            "seed": study.spec.seed, "folder": study.folder.name if study.folder else "", "trials": len(study.trials),
            "evaluations": int(history.evaluations[-1]) if some else 0,
            "feasible": int((study.trials["status"] == "ok").sum()), "front": len(study.front),
            "hypervolume_pct": float(history.hypervolume_pct[-1]) if some else 0.0,
        }  # fmt: skip
        row |= {name: float(best[-1]) if some else np.nan for name, best in history.best.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def _page(studies: Sequence[Findings], histories: Sequence[ConvergenceInfo], seeds: DataFrame) -> str:
    spec, volumes = studies[0].spec, seeds["hypervolume_pct"].to_numpy(dtype=float)
    mean, spread = float(volumes.mean()), float(volumes.std(ddof=1)) if len(volumes) > 1 else 0.0
    headline = (
        f"<b>{len(seeds)} seeds: hypervolume {mean:.1f} ± {spread:.1f} %</b> (mean and standard deviation); the worst "
        f"seed, {int(seeds['seed'][int(volumes.argmin())])}, reaches {volumes.min():.1f} %, the best, "
        f"{int(seeds['seed'][int(volumes.argmax())])}, {volumes.max():.1f} %."
    )
    figures = "".join((
        tile(str(len(seeds)), "seeds"), tile(f"{int(seeds['trials'].sum()):,}", "trials in all"),
        tile(f"{mean:.1f} %", "mean hypervolume"), tile(f"± {spread:.2f}", "standard deviation, points"),
        tile(f"{volumes.min():.1f} %", "worst seed"),
    ))  # fmt: skip
    median = studies[int(np.argsort(volumes, kind="stable")[len(volumes) // 2])]
    curves = chart_block(bands_data(histories, seeds["seed"].tolist()), 420, kind="curves")
    note = "Each seed is a thin line; the mean of all and its 95 % confidence interval (Student's t) in blue."
    told = (
        f"Of the seed in the middle, {median.spec.seed}. Its own page has the chosen design, the ablation and more: "
        f"<a href='{escape(median.folder.name if median.folder else '')}/report.html'>seed {median.spec.seed}</a>."
    )
    sections = [
        section("Convergence of every seed", note, curves, short="Convergence"),
        _pool(studies), _table(seeds, spec.objectives),
        section("Ten-criteria card", told, card_block(card(replace(median, seeds=seeds))), short="Card"),
    ]  # fmt: skip
    return filled(spec, headline, figures, sections)


def _pool(studies: Sequence[Findings]) -> str:
    """All seeds' designs in one explorer."""
    import pandas as pd

    spec = studies[0].spec
    pool = pd.concat([study.trials.assign(seed=study.spec.seed) for study in studies], ignore_index=True)
    feasible = (pool["status"] == "ok").to_numpy()
    pool["on_front"] = False
    if feasible.any():
        pool.loc[feasible, "on_front"] = non_dominated(pool.loc[feasible, spec.objectives].to_numpy(dtype=float))
    else:
        return section("All seeds' designs", "No seed has found a feasible design.", short="Front")
    context = studies[0].context
    original = studies[0].baseline_choices
    data = explorer_data(pool, spec.objectives, context.baseline, context.labels, [], original, extra=("seed",))
    owners = pool[pool["on_front"]]["seed"].value_counts().sort_index()
    shares = ", ".join(f"seed {seed}: {count}" for seed, count in owners.items())
    note = f"The front of all seeds together holds {int(owners.sum())} designs ({shares})."
    return section("All seeds' designs", note, chart_block(data, 540, kind="explorer"), short="Front")


def _table(seeds: DataFrame, objectives: Sequence[str]) -> str:
    titles = {"seed": "Seed", "trials": "Trials", "evaluations": "Accuracies asked for", "feasible": "Feasible",
              "front": "On its front", "hypervolume_pct": "Hypervolume (%)"}  # fmt: skip
    head: list[Cell] = [(escape(title), "") for title in titles.values()]
    for metric in map(metric_of, objectives):
        unit = f" ({metric.unit})" if metric.unit else ""
        head.append((escape(f"Least {metric.label.lower()}{unit}"), ""))
    rows: list[tuple[str, list[Cell]]] = []
    for row in seeds.to_dict("records"):
        link = f"<a href='{escape(row['folder'])}/report.html'>{row['seed']}</a>"
        cells: list[Cell] = [(link, "text"), *(cell(row[name]) for name in list(titles)[1:])]
        rows.append(("", cells + [cell(row[name] * metric_of(name).scale) for name in objectives]))
    return section("Seed by seed", "Each links to its own page.", f"<div class='card'>{table(head, rows)}</div>",
                   short="Seeds")  # fmt: skip
