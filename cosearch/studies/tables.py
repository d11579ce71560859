"""A study's trials as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .pareto import non_dominated
from .trial import METRICS, Trial

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["NO_OPTION", "front_frame", "option_text", "trials_frame"]

NO_OPTION = "–"
"""What is shown of a choice that is inactive in a design."""


def trials_frame(trials: Sequence[Trial], objectives: Sequence[str]) -> DataFrame:
    """A row per trial: ``number``, ``status``, ``reason``, ``on_front``, metrics, choices, ``wall_s`` last."""
    import pandas as pd

    seen = dict.fromkeys([*objectives, *(name for trial in trials for name in trial.result.metrics)])
    metrics = [name for name in METRICS if name in seen] + [name for name in seen if name not in METRICS]
    choices = dict.fromkeys(name for trial in trials for name in trial.values)
    rows: list[dict[str, Any]] = []
    for trial in trials:
        result = trial.result
        row: dict[str, Any] = {"number": trial.number, "status": result.status, "reason": result.reason}
        row |= {name: result.metrics.get(name, np.nan) for name in metrics}
        row |= {name: trial.values.get(name) for name in choices}
        rows.append(row | {"wall_s": result.wall_s})
    columns = ["number", "status", "reason", *metrics, *choices, "wall_s"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.insert(3, "on_front", _on_front(frame, objectives))
    return frame


def _on_front(frame: DataFrame, objectives: Sequence[str]) -> Any:
    """Mask of the feasible trials that no feasible one dominates."""
    mask = np.zeros(len(frame), dtype=bool)
    feasible = np.flatnonzero(frame["status"] == "ok")
    if len(feasible):
        mask[feasible] = non_dominated(frame.iloc[feasible][list(objectives)].to_numpy(dtype=float))
    return mask


def front_frame(trials: DataFrame, objectives: Sequence[str]) -> DataFrame:
    """The rows of `trials_frame` on the front, sorted by the objectives in their order."""
    front = trials[trials["on_front"]].drop(columns=["status", "reason", "on_front"])
    return front.sort_values([*objectives, "number"], ignore_index=True)


def option_text(labels: Mapping[str, Mapping[str, str]], choice: str, value: Any) -> str:
    """A choice's value for people, with its unit; a whole number that a column turned into a float is one again.

    A choice that is inactive in a design has no value there: "–".
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or (isinstance(plain, float) and math.isnan(plain)):
        return NO_OPTION
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return labels.get(choice, {}).get(str(plain), str(plain))
