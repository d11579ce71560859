"""How far a predictor can be trusted: its rank correlation with labels it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import BadInput
from .base import F64, Inputs, Predictor

__all__ = ["Trust", "cross_validated", "kendall"]

_TOP = 0.1
_FEWEST = 5  # labels that a rank correlation can be told of


@dataclass(frozen=True)
class Trust:
    """Kendall's tau-b over all labels, and among the tenth of them that are best, where a search decides.

    NaN where there are too few to tell, or where all predictions are equal.
    """

    labels: int
    tau: float
    tau_top: float

    @property
    def statement(self) -> str:
        """In words."""
        top = "too few to tell" if np.isnan(self.tau_top) else f"{self.tau_top:.2f}"
        whole = "too few to tell" if np.isnan(self.tau) else f"{self.tau:.2f}"
        return f"Kendall's tau with {self.labels} labels by cross-validation: {whole}; among the best tenth: {top}"


def kendall(predicted: F64, labels: F64) -> float:
    """Kendall's tau-b; NaN for fewer than five pairs, or where one side is constant."""
    from scipy.stats import kendalltau

    if len(labels) < _FEWEST or np.ptp(labels) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(kendalltau(predicted, labels).statistic)


def cross_validated(make: Callable[[], Predictor], inputs: Inputs, labels: F64, folds: int = 5, seed: int = 0) -> Trust:
    """Each label is predicted from the other folds'; more is better in ``labels``.

    Raises `BadInput` for fewer than two folds, or fewer than two labels a fold.
    """
    if folds < 2 or len(labels) < 2 * folds:
        raise BadInput(f"{folds} folds of {len(labels)} labels: at least two folds of two labels each are needed")
    order = np.random.default_rng(seed).permutation(len(labels))
    predicted = np.zeros(len(labels))
    for fold in range(folds):
        held = order[fold::folds]
        rest = np.setdiff1d(order, held)
        predictor = make()
        predictor.prepare(inputs)
        predictor.fit(inputs.rows(rest), labels[rest])
        predicted[held] = predictor.predict(inputs.rows(held))[0]
    top = np.argsort(-labels, kind="stable")[: int(np.ceil(_TOP * len(labels)))]
    return Trust(len(labels), kendall(predicted, labels), kendall(predicted[top], labels[top]))
