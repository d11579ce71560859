"""How searches got on, as curves whose axes are picked on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..analysis.convergence import Band, ConvergenceInfo, band
from ..figures.front import metric_of

__all__ = ["bands_data", "curves_data"]


def curves_data(info: ConvergenceInfo) -> dict[str, Any]:
    """One search: ``x`` are the axes, ``y`` the curves; each curve has one run."""
    axes = [("Trials", info.trials)]
    if len(info.evaluations) and info.evaluations[-1] > 0:
        axes.append(("Accuracies asked for", info.evaluations))
    curves = []
    for name, title, values, level in _curves(info):
        kept = _corners(values)
        runs = {title_x: [[int(x[row]) for row in kept]] for title_x, x in axes}
        curves.append({"name": name, "title": title, "baseline": level, "runs": runs,
                       "values": [[_plain(values[row]) for row in kept]]})  # fmt: skip
    return {"x": [title for title, _ in axes], "y": curves, "bands": False}


def bands_data(infos: Sequence[ConvergenceInfo], seeds: Sequence[int]) -> dict[str, Any]:
    """Several seeds: each one's curve thin, their mean with its 95 % confidence interval."""
    kinds = [("Trials", [info.trials for info in infos])]
    if all(len(info.evaluations) and info.evaluations[-1] > 0 for info in infos):
        kinds.append(("Accuracies asked for", [info.evaluations for info in infos]))
    curves = []
    for place, (name, title, _, level) in enumerate(_curves(infos[0])):
        columns = [_curves(info)[place][2] for info in infos]
        found = {kind: band(x, columns) for kind, x in kinds}
        curves.append({"name": name, "title": title, "baseline": level, "bands": {
            kind: _band_data(one) for kind, one in found.items()
        }})  # fmt: skip
    return {"x": [kind for kind, _ in kinds], "y": curves, "bands": True, "seeds": list(seeds)}


def _curves(info: ConvergenceInfo) -> list[tuple[str, str, np.ndarray, float | None]]:
    """Name, title, values for people, and the baseline's level where there is one."""
    found: list[tuple[str, str, np.ndarray, float | None]] = [
        ("hypervolume", "Hypervolume (% of the box)", info.hypervolume_pct, None)
    ]
    for name, values in info.best.items():
        metric = metric_of(name)
        level = info.baseline[name] * metric.scale if name in info.baseline else None
        title = f"Least {metric.label.lower()} so far" + (f" ({metric.unit})" if metric.unit else "")
        found.append((name, title, values * metric.scale, level))
    return found


def _corners(values: np.ndarray) -> list[int]:
    """The rows at which a curve changes, and the last one: all that a stepped line needs."""
    if not len(values):
        return []
    changed = np.flatnonzero(values[1:] != values[:-1]) + 1
    rows = {0, len(values) - 1, *(int(row) for row in changed)}
    return [row for row in sorted(rows) if not np.isnan(values[row])]


def _band_data(one: Band) -> dict[str, Any]:
    columns = {"x": one.x, "mean": one.mean, "low": one.low, "high": one.high}
    data: dict[str, Any] = {name: [_plain(value) for value in column] for name, column in columns.items()}
    return {**data, "runs": [[_plain(value) for value in run] for run in one.runs]}


def _plain(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
