"""Picks the few designs of a front that people ask for first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..studies.pareto import balanced, dominates

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Chosen", "beats_baseline", "chosen_designs"]

_BEST = {
    "latency_s": "Fastest", "energy_j": "Most frugal", "error_pct": "Most accurate", "area_mm2": "Smallest",
    "edp": "Lowest energy-delay product", "tracking_loss_pct": "Best tracks",
    "co2e_kg": "Least carbon", "life_energy_j": "Least energy of the whole life",
}  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """A design of the front and what it was chosen for."""

    title: str
    meaning: str
    number: int


def chosen_designs(front: DataFrame, objectives: Sequence[str], baseline: Mapping[str, float]) -> list[Chosen]:
    """The balanced design first, then the best in each objective; [] where the front is empty.

    Balanced is the nearest to the ideal among the designs that dominate the baseline, or among all where none does.
    """
    if not len(front):
        return []
    better = beats_baseline(front, objectives, baseline)
    others = np.array([any(row[name] != baseline.get(name) for name in objectives) for _, row in front.iterrows()])
    pool = front[better] if better.any() else front[others] if others.any() else front
    meaning = "nearest to the best of every objective at once"
    if better.any():
        meaning += ", among the designs better than the baseline in all"
    row = pool.iloc[balanced(pool[list(objectives)].to_numpy(dtype=float))]
    chosen = [Chosen("Balanced", meaning, int(row["number"]))]
    for name in objectives:
        best = front.iloc[int(front[name].to_numpy(dtype=float).argmin())]
        chosen.append(Chosen(_BEST.get(name, f"Least {name}"), f"least {name} on the front", int(best["number"])))
    return chosen


def beats_baseline(front: DataFrame, objectives: Sequence[str], baseline: Mapping[str, float]) -> np.ndarray:
    """Mask of the designs that dominate the baseline: worse in no objective, better in at least one."""
    if not all(name in baseline for name in objectives):
        return np.zeros(len(front), dtype=bool)
    limit = [baseline[name] for name in objectives]
    rows = front[list(objectives)].to_numpy(dtype=float)
    return np.array([dominates(row, limit) for row in rows], dtype=bool)
