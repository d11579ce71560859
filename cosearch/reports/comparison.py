"""Several runs of one space side by side: whose front dominates how much, and how sure that is.

The errors of designs are known with an uncertainty. It is drawn: each draw moves the error of every network by its
standard deviation (of one network in all runs alike), and the hypervolumes of the fronts that the runs ended with are
worked out anew. Designs off these fronts are left out: the best of many moved errors would flatter every run. For the
same reason a drawn front is larger than the predicted one on average, the more so the nearer its designs are together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput
from ..spaces.network_space import NETWORK_PREFIX
from ..studies.pareto import hypervolume, non_dominated
from ..studies.tables import NO_OPTION, option_text
from .analysis.convergence import accuracy_evaluations
from .figures.front import metric_of
from .findings import Findings, reference_point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "Run", "compare_runs", "plot_comparison"]

F64 = NDArray[np.float64]
_DRAWS = 200


@dataclass(frozen=True)
class Run:
    """One run: its feasible designs (n, objectives) in SI units, their errors' sigma (n,), their networks (n,).

    ``volume_pct`` is the share of the box up to the reference that it dominates, ``drawn_pct`` (draws,) the same with
    errors drawn. ``trials`` counts all trials, ``evaluations`` the networks whose accuracy was asked for.
    """

    name: str
    mode: str
    trials: int
    evaluations: int
    points: F64
    sigma: F64
    volume_pct: float
    drawn_pct: F64
    note: str = ""  # what must be known of its folder before all else


@dataclass(frozen=True)
class Comparison:
    """Runs in the order given, with what they share."""

    objectives: tuple[str, ...]
    reference: tuple[float, ...]
    runs: tuple[Run, ...]
    baseline: Mapping[str, float]

    def rows(self) -> list[dict[str, Any]]:
        """A record per run: hypervolume, its interval, and in how many draws it is below the first run's."""
        first = self.runs[0]
        rows = []
        for run in self.runs:
            low, high = np.quantile(run.drawn_pct, [0.025, 0.975])
            rows.append({
                "run": run.name, "mode": run.mode, "trials": run.trials, "accuracy_evaluations": run.evaluations,
                "feasible": len(run.points), "front": int(non_dominated(run.points).sum()),
                "hypervolume_pct": run.volume_pct, "drawn_pct": float(run.drawn_pct.mean()),
                "low_pct": float(low), "high_pct": float(high),
                "of_first_pct": 100.0 * run.volume_pct / first.volume_pct if first.volume_pct else float("nan"),
                "first_is_larger_pct": 100.0 * float(np.mean(first.drawn_pct > run.drawn_pct)),
            })  # fmt: skip
        return rows


def compare_runs(folders: Sequence[str | Path], draws: int = _DRAWS, seed: int = 0) -> Comparison:
    """Runs from their folders. The hypervolume's reference is the first run's report's.

    Raises `BadInput` where there are fewer than two, or where objectives or baselines differ.
    """
    if len(folders) < 2:
        raise BadInput("a comparison needs two runs or more; name their --out folders")
    found = [(Path(folder), Findings.read(Path(folder))) for folder in folders]
    first = found[0][1]
    objectives = tuple(first.spec.objectives)
    for folder, findings in found[1:]:
        if tuple(findings.spec.objectives) != objectives:
            raise BadInput(f"{folder}: has other objectives than {folders[0]}; compare runs for the same ones")
        if findings.context.baseline != first.context.baseline:
            raise BadInput(f"{folder}: has another baseline than {folders[0]}; compare runs with the same one")
    reference = tuple(reference_point(first.trials, list(objectives), first.context.baseline)[0])
    runs = [_run(folder, findings, objectives) for folder, findings in found]
    drawn = _drawn(runs, objectives, reference, draws, np.random.default_rng(seed))
    done = tuple(
        Run(
            folder.name, findings.spec.mode.name, len(findings.trials),
            int(accuracy_evaluations(findings.trials, findings.stated)[-1]), points, sigma, _share(points, reference),
            shares, findings.note,
        )
        for (folder, findings), (points, sigma, _), shares in zip(found, runs, drawn, strict=True)
    )  # fmt: skip
    return Comparison(objectives, reference, done, first.context.baseline)


def _run(folder: Path, findings: Findings, objectives: Sequence[str]) -> tuple[F64, F64, list[str]]:
    trials = findings.trials
    feasible = trials[trials["status"] == "ok"]
    if not len(feasible):
        raise BadInput(f"{folder}: has no feasible design yet; let it run on")
    choices = sorted(str(name) for name in feasible.columns if str(name).startswith(NETWORK_PREFIX))
    names = [_network(choices, row) for row in feasible[choices].itertuples(index=False, name=None)]
    known = "error_sigma_pct" in feasible
    sigma = feasible["error_sigma_pct"].to_numpy(dtype=float) if known else np.zeros(len(feasible))
    return feasible[list(objectives)].to_numpy(dtype=float), sigma, names


def _network(choices: Sequence[str], values: Sequence[Any]) -> str:
    """A network's name in all runs: its active choices, whatever type a run's columns and other designs gave them."""
    texts = ((choice, option_text({}, choice, value)) for choice, value in zip(choices, values, strict=True))
    return ",".join(f"{choice}={text}" for choice, text in texts if text != NO_OPTION)


def _share(points: F64, reference: Sequence[float]) -> float:
    return 100.0 * hypervolume(points, reference) / float(np.prod(reference))


def _drawn(
    runs: Sequence[tuple[F64, F64, list[str]]], objectives: Sequence[str], reference: Sequence[float], draws: int,
    rng: np.random.Generator,
) -> list[F64]:  # fmt: skip
    """Each front's share in each draw; one network's error moves alike wherever it turns up."""
    shares = [np.empty(draws) for _ in runs]
    at = objectives.index("error_pct") if "error_pct" in objectives else None
    kept = [np.flatnonzero(non_dominated(points)) for points, _, _ in runs]
    fronts = [
        (points[rows], sigma[rows], [own[row] for row in rows])
        for (points, sigma, own), rows in zip(runs, kept, strict=True)
    ]
    names = sorted({name for _, _, own in runs for name in own})
    place = {name: index for index, name in enumerate(names)}
    for draw in range(draws):
        moved = rng.standard_normal(len(names))
        for (points, sigma, own), share in zip(fronts, shares, strict=True):
            shifted = points
            if at is not None and sigma.any():
                shifted = points.copy()
                shifted[:, at] = np.clip(points[:, at] + sigma * moved[[place[name] for name in own]], 0.0, 100.0)
            share[draw] = _share(shifted, reference)
    return shares


def plot_comparison(comparison: Comparison, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """The fronts in the first two objectives and in the first and the error, and the hypervolumes with intervals.

    ``axes`` are two; without them a figure is made; ``axes[0].figure.savefig`` writes it.
    """
    if axes is None:
        from matplotlib.figure import Figure

        axes = list(Figure(figsize=(9.0, 3.6), layout="constrained").subplots(1, 2, width_ratios=[1.6, 1.0]))
    _draw_fronts(comparison, axes[0])
    _draw_volumes(comparison, axes[1])
    return axes


_COLOURS = ("#0b7a75", "#e3b23c", "#2f6fdb", "#d7263d", "#7a5cc7", "#5b8c3a")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # as many as have no divisor in common with the colours


def _draw_fronts(comparison: Comparison, ax: Axes) -> None:
    names = comparison.objectives
    x, y = 0, names.index("error_pct") if "error_pct" in names[1:] else min(1, len(names) - 1)
    across, up = metric_of(names[x]), metric_of(names[y])
    for run, colour, marker in zip(comparison.runs, cycle(_COLOURS), cycle(_MARKERS), strict=False):
        flat = run.points[:, [x, y]]
        kept = non_dominated(flat)
        order = np.argsort(flat[kept][:, 0])
        points, sigma = flat[kept][order], run.sigma[kept][order]
        ax.errorbar(
            points[:, 0] * across.scale, points[:, 1] * up.scale, yerr=sigma if names[y] == "error_pct" else None,
            color=colour, marker=marker, markersize=4, linewidth=1.2, elinewidth=0.5, alpha=0.9, drawstyle="steps-post",
            label=run.name,
        )  # fmt: skip
    if all(name in comparison.baseline for name in (names[x], names[y])):
        point = comparison.baseline[names[x]] * across.scale, comparison.baseline[names[y]] * up.scale
        ax.plot(*point, "*", color="#1c2430", markersize=12, linewidth=0, label="baseline")
    ax.set(xlabel=across.title, ylabel=up.title)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(True, linewidth=0.4, color="#e4e7ec")
    ax.spines[["top", "right"]].set_visible(False)


def _draw_volumes(comparison: Comparison, ax: Axes) -> None:
    rows = comparison.rows()
    for place, (row, colour) in enumerate(zip(rows, cycle(_COLOURS), strict=False)):
        ax.barh(place, row["hypervolume_pct"], color=colour, height=0.6)
        ax.plot([row["low_pct"], row["high_pct"]], [place, place], color="#1c2430", linewidth=1.2)
        ax.plot(row["drawn_pct"], place, "o", color="#1c2430", markersize=4)
    ax.set_yticks(range(len(rows)), [str(row["run"]) for row in rows])
    ax.invert_yaxis()
    ax.set(xlabel="hypervolume (% of the box)")
    ax.set_title("bars: as predicted; points: errors drawn, 95 %", fontsize=8, color="#475467")
    ax.spines[["top", "right"]].set_visible(False)
