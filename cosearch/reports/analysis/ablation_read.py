"""An ablation read back from its table: the path, and what each change is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["gained_by", "path_of", "worth_of"]


def path_of(ablation: DataFrame) -> DataFrame:
    """The start and the steps of the path, in order."""
    rows = ablation[ablation["kind"].isin(["start", "path"])]
    return rows.sort_values("step", ignore_index=True)


def worth_of(ablation: DataFrame) -> DataFrame:
    """A row per change in the order of the path: ``step``, ``text``, and by how much it lowers the score (positive: it
    helps) ``on_the_way``, ``alone`` on the baseline, and ``at_the_end`` (what undoing it would lose); NaN where there
    is no such design.
    """
    import pandas as pd

    path = path_of(ablation)
    scores = path["score"].astype(float).tolist()  # infinite where a design is not mapped
    rows = []
    for place in range(1, len(path)):
        step = int(path["step"][place])
        alone, undone = (_score(ablation, kind, step) for kind in ("alone", "undone"))
        gains = (scores[place - 1] - scores[place], scores[0] - alone, undone - scores[-1])
        rows.append((step, str(path["text"][place]), *(gain if np.isfinite(gain) else np.nan for gain in gains)))
    return pd.DataFrame(rows, columns=["step", "text", "on_the_way", "alone", "at_the_end"])


def _score(ablation: DataFrame, kind: str, step: int) -> float:
    rows = ablation[(ablation["kind"] == kind) & (ablation["step"] == step)]
    return float(rows["score"].iloc[0]) if len(rows) else float("nan")


def gained_by(ablation: DataFrame | None, count: int) -> tuple[float, int] | None:
    """The share of the whole gain that the first ``count`` changes bring, and how many changes there are; None where
    that cannot be said.
    """
    if ablation is None or not len(ablation):
        return None
    path = path_of(ablation)
    scores = path["score"].to_numpy(dtype=float)
    if len(path) <= count + 1 or not np.isfinite(scores[[0, count, -1]]).all() or scores[0] <= scores[-1]:
        return None
    return float((scores[0] - scores[count]) / (scores[0] - scores[-1])), len(path) - 1
