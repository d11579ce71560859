"""Which choices decide the objectives: functional analysis of variance of forests, with the error of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .fanova import Leaves, leaves_of, main_effects, pair_effect

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["LEAST_TRIALS", "ImportanceInfo", "Shares", "importance_info"]

Floats = npt.NDArray[np.float64]
LEAST_TRIALS = 20
MOST_TRIALS = 4000
_RESAMPLES, _TREES = 10, 6
_PAIRED = 5


@dataclass(frozen=True, eq=False)
class Shares:
    """One objective: the share of its variance each choice explains alone (choices,) and that share's standard error.

    ``interactions`` is what only combinations explain, ``pair`` the strongest interaction of two. ``r2`` is how much
    of the variance of trials it was not fitted to the forest predicts: shares of a forest with a low one say little.
    """

    objective: str
    share: Floats
    error: Floats
    interactions: float
    interactions_error: float
    pair: tuple[str, str, float] | None
    r2: float
    logarithmic: bool


@dataclass(frozen=True, eq=False)
class ImportanceInfo:
    """The choices that vary, and their shares for each objective; no objectives where there are too few trials."""

    choices: tuple[str, ...]
    objectives: tuple[Shares, ...]
    trials: int

    def frame(self) -> DataFrame:
        """A row per choice: ``<objective>`` is its share in percent, ``<objective>_error`` the standard error."""
        import pandas as pd

        columns: dict[str, Any] = {"choice": list(self.choices)}
        for one in self.objectives:
            columns[one.objective] = 100.0 * one.share
            columns[f"{one.objective}_error"] = 100.0 * one.error
        frame = pd.DataFrame(columns)
        order = np.argsort(-self.mean, kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    @property
    def mean(self) -> Floats:
        """The mean share of each choice over the objectives, (choices,)."""
        if not self.objectives:
            return np.zeros(len(self.choices))
        found: Floats = np.mean([one.share for one in self.objectives], axis=0)
        return found


def importance_info(trials: DataFrame, objectives: Sequence[str], seed: int = 0) -> ImportanceInfo:
    """Shares of variance by choice over the observed options, each option weighted alike.

    Forests are fitted to ten bootstrap resamples of the feasible trials; each tree is decomposed exactly (Hutter, Hoos
    and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014). A share is the mean
    over resamples, its error their standard deviation; ``r2`` is measured on the trials a resample left out.
    Objectives that span a factor of three are taken by their logarithm. Fewer than 20 feasible trials: no objectives.
    """
    feasible = trials[trials["status"] == "ok"].head(MOST_TRIALS)
    names = [str(name) for name in trials.columns if str(name).startswith(("hw.", "net."))]
    names = [name for name in names if feasible[name].astype(str).nunique() > 1]
    if len(feasible) < LEAST_TRIALS or not names:
        return ImportanceInfo(tuple(names), (), len(feasible))
    codes = np.column_stack([_codes(feasible[name]) for name in names])
    found = [
        _shares(name, codes, feasible[name].to_numpy(dtype=float), names, seed)
        for name in objectives
        if feasible[name].nunique() > 1
    ]
    return ImportanceInfo(tuple(names), tuple(found), len(feasible))


def _codes(column: Any) -> npt.NDArray[np.int64]:
    """Each value as its place among those observed, in order; what is absent is a value of its own."""
    options = sorted({value for value in column if value == value and value is not None},
                     key=lambda value: (isinstance(value, str), value))  # fmt: skip
    places = {value: place for place, value in enumerate(options)}
    return np.array([places.get(value, len(options)) for value in column], dtype=np.int64)


def _shares(name: str, codes: npt.NDArray[np.int64], values: Floats, names: Sequence[str], seed: int) -> Shares:
    from sklearn.ensemble import RandomForestRegressor

    logarithmic = bool(values.min() > 0 and values.max() > 3 * values.min())
    target = np.log(values) if logarithmic else values
    sizes = codes.max(axis=0) + 1
    rng = np.random.default_rng(seed)
    shares, rests, kept = [], [], []
    predicted, times = np.zeros(len(target)), np.zeros(len(target))
    for _ in range(_RESAMPLES):
        rows = rng.integers(len(target), size=len(target))
        forest = RandomForestRegressor(
            _TREES, max_features=0.7, min_samples_leaf=2, random_state=int(rng.integers(2**31))
        )
        forest.fit(codes[rows], target[rows])
        left_out = np.setdiff1d(np.arange(len(target)), rows)
        predicted[left_out] += forest.predict(codes[left_out])
        times[left_out] += 1
        trees = [leaves_of(tree.tree_, sizes.tolist()) for tree in forest.estimators_]
        effects = np.mean([main_effects(tree) for tree in trees], axis=0)
        shares.append(effects)
        rests.append(1.0 - effects.sum())
        kept += trees
    share, rest = np.mean(shares, axis=0), np.array(rests)
    known = times > 0
    r2 = _r2(target[known], predicted[known] / times[known])
    error = np.std(shares, axis=0, ddof=1)
    pair = _strongest_pair(kept, share, names)
    return Shares(name, share, error, float(rest.mean()), float(rest.std(ddof=1)), pair, r2, logarithmic)


def _strongest_pair(trees: Sequence[Leaves], share: Floats, names: Sequence[str]) -> tuple[str, str, float] | None:
    """The strongest interaction among the choices that matter most alone."""
    top = np.argsort(-share, kind="stable")[:_PAIRED]
    pairs = [(int(a), int(b)) for place, a in enumerate(top) for b in top[place + 1 :]]
    if not pairs:
        return None
    effects = [float(np.mean([pair_effect(tree, *pair) for tree in trees])) for pair in pairs]
    best = int(np.argmax(effects))
    return names[pairs[best][0]], names[pairs[best][1]], effects[best]


def _r2(truth: Floats, predicted: Floats) -> float:
    spread = float(np.sum((truth - truth.mean()) ** 2))
    return 1.0 - float(np.sum((truth - predicted) ** 2)) / spread if spread > 0 else 0.0
