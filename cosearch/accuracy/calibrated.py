"""Turns scores into accuracies: fitted to labels as they arrive, with the error of networks left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import BadInput
from .source import Accuracy

__all__ = ["Calibrated", "CalibrationReport", "FitKind", "rank_correlation"]

FitKind = Literal["monotone", "ridge"]
_Array = NDArray[np.float64]
_PENALTIES = tuple(10.0**power for power in range(-3, 4))
_TOP = 0.1
_FEWEST_TOP = 5
_NEIGHBOURS = 20


@dataclass(frozen=True)
class CalibrationReport:
    """How well labels are predicted that the fit did not see (leave-one-out).

    ``kendall`` orders all labels, ``kendall_top`` the best tenth of them (``top_labels``; NaN below five), which is
    what a search needs. A monotone fit keeps the scores' own order, which owes the labels nothing, so that order is
    judged as it is; left out, a score that says nothing would look like a bad one. ``rmse_pct`` is in points of
    accuracy. ``trusted``: there are labels enough to predict at all.
    """

    labels: int
    kendall: float
    kendall_top: float
    top_labels: int
    rmse_pct: float
    trusted: bool


class Calibrated:
    """Scores of networks (one or several each) made accuracies. Labels are added as they are paid for.

    ``monotone`` orders networks by the mean rank of their scores; ``ridge`` by a linear function of these ranks, fitted
    to the ranks of the accuracies with the penalty that leave-one-out likes best, so that each score has a weight of
    its own. The order becomes accuracies by the closest non-decreasing function (isotonic regression). Ranks are those
    among the labels, so a score's scale and outliers do not matter; a score that is NaN ranks last.
    """

    def __init__(self, better: Sequence[int], *, fit: FitKind = "monotone", least_labels: int = 20) -> None:
        """``better`` has a +1 or −1 for each score: whether more or less of it goes with accuracy.

        Raises `BadInput` without scores, and for fewer than three ``least_labels``.
        """
        if not better or any(abs(sign) != 1 for sign in better):
            raise BadInput("a calibration needs at least one score, each with +1 or -1 for which way is better")
        if least_labels < 3:
            raise BadInput(f"least_labels is {least_labels}; an error can be known from three labels on")
        self.better, self.fit, self.least_labels = tuple(better), fit, least_labels
        self._scores: list[_Array] = []
        self._top1: list[float] = []

    def __len__(self) -> int:
        return len(self._top1)

    def add(self, scores: ArrayLike, top1_pct: float) -> None:
        """A network's scores and its accuracy in percent; `BadInput` where they are no such thing."""
        row = self._oriented(scores)
        if not 0.0 <= top1_pct <= 100.0:
            raise BadInput(f"a label is an accuracy between 0 and 100 percent, not {top1_pct:g}")
        self._scores.append(row)
        self._top1.append(float(top1_pct))
        for name in ("_fitted", "_left_out"):
            self.__dict__.pop(name, None)

    def predict(self, scores: ArrayLike) -> Accuracy:
        """The accuracy of a network with these scores; sigma is the error of the labels nearest to it, left out.

        Raises `BadInput` while there are fewer labels than ``least_labels``: a score alone is no accuracy.
        """
        if len(self) < self.least_labels:
            remedy = f"{self.least_labels} are needed (least_labels); give more labels"
            raise BadInput(f"the scores are calibrated with {len(self)} labels, {remedy}")
        features = self._features(self._oriented(scores)[None, :], np.array(self._scores))
        top1 = float(np.clip(self._fitted.predict(features)[0], 0.0, 100.0))
        sigma = self._error_near(top1)
        return Accuracy(round(top1, 4), round(sigma, 4))

    def report(self) -> CalibrationReport:
        """Leave-one-out, whatever the number of labels; NaN where there are too few to tell."""
        known = np.array(self._top1)
        if len(self) < 3:
            return CalibrationReport(len(self), math.nan, math.nan, 0, math.nan, False)
        order = self._order
        top = known >= np.quantile(known, 1.0 - _TOP)
        enough = int(top.sum()) >= _FEWEST_TOP
        return CalibrationReport(
            labels=len(self), kendall=rank_correlation(order, known),
            kendall_top=rank_correlation(order[top], known[top]) if enough else math.nan,
            top_labels=int(top.sum()), rmse_pct=float(np.sqrt(np.mean((self._left_out[0] - known) ** 2))),
            trusted=len(self) >= self.least_labels,
        )  # fmt: skip

    @property
    def _order(self) -> _Array:
        rows = np.array(self._scores)
        return self._features(rows, rows)[:, 0] if self.fit == "monotone" else self._left_out[1]

    def _oriented(self, scores: ArrayLike) -> _Array:
        row = np.atleast_1d(np.asarray(scores, dtype=np.float64))
        if row.shape != (len(self.better),):
            raise BadInput(f"a network has {len(self.better)} scores here, not {row.size}")
        return np.where(np.isnan(row), -np.inf, row * np.array(self.better))

    def _features(self, rows: _Array, among: _Array) -> _Array:
        """Mid-ranks of each score among the labels', as shares (0 to 1)."""
        below = (among[None, :, :] < rows[:, None, :]).mean(axis=1)
        at_most = (among[None, :, :] <= rows[:, None, :]).mean(axis=1)
        ranks: _Array = (below + at_most) / 2.0
        return ranks.mean(axis=1, keepdims=True) if self.fit == "monotone" else ranks

    @cached_property
    def _fitted(self) -> _Fit:
        rows = np.array(self._scores)
        features, known = self._features(rows, rows), np.array(self._top1)
        if self.fit == "monotone":
            return _Fit(features, known, None)
        candidates = [_Fit(features, known, penalty) for penalty in _PENALTIES]
        return min(candidates, key=lambda one: one.left_out_error)

    @cached_property
    def _left_out(self) -> tuple[_Array, _Array]:
        """Each label's accuracy and place in the order, by the fit to all others (ranks included)."""
        rows, known = np.array(self._scores), np.array(self._top1)
        found, order = np.empty(len(known)), np.empty(len(known))
        for index in range(len(known)):
            kept = np.arange(len(known)) != index
            model = _Fit(self._features(rows[kept], rows[kept]), known[kept], self._fitted.penalty)
            features = self._features(rows[index : index + 1], rows[kept])
            found[index], order[index] = model.predict(features)[0], model.order(features)[0]
        return found, order

    def _error_near(self, top1_pct: float) -> float:
        """Root mean square error of the labels whose own predictions are nearest: bad networks scatter more."""
        known, count = np.array(self._top1), min(_NEIGHBOURS, len(self))
        left_out = self._left_out[0]
        nearest = np.argsort(np.abs(left_out - top1_pct), kind="stable")[:count]
        return float(np.sqrt(np.mean((left_out[nearest] - known[nearest]) ** 2)))


class _Fit:
    """Features (n, scores) to an order, and the order to accuracies; without a ``penalty`` the one feature orders."""

    def __init__(self, features: _Array, known: _Array, penalty: float | None) -> None:
        from scipy.stats import rankdata
        from sklearn.isotonic import IsotonicRegression

        self.penalty, self.left_out_error = penalty, 0.0
        self._centre, self._weights = np.zeros(1), np.ones(1)
        if penalty is not None:
            self._centre = features.mean(axis=0)
            centred, wanted = features - self._centre, rankdata(known) / len(known)
            inverse = np.linalg.inv(centred.T @ centred + penalty * np.eye(features.shape[1]))
            self._weights = inverse @ centred.T @ (wanted - wanted.mean())
            # The leverages give leave-one-out's errors in closed form (Allen's PRESS statistic, 1974).
            leverage = np.einsum("ij,jk,ik->i", centred, inverse, centred) + 1.0 / len(known)
            misses = wanted - wanted.mean() - centred @ self._weights
            self.left_out_error = float(((misses / np.maximum(1.0 - leverage, 1e-9)) ** 2).sum())
        self._curve = IsotonicRegression(out_of_bounds="clip").fit(self.order(features), known)

    def order(self, features: _Array) -> _Array:
        """More of it is better."""
        placed: _Array = (features - self._centre) @ self._weights
        return placed

    def predict(self, features: _Array) -> _Array:
        """Accuracies in percent."""
        return np.asarray(self._curve.predict(self.order(features)), dtype=np.float64)


def rank_correlation(left: ArrayLike, right: ArrayLike) -> float:
    """Kendall's tau-b; NaN where either side is constant or has fewer than two values."""
    from scipy.stats import kendalltau

    one, other = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if len(one) < 2 or len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return math.nan
    return float(kendalltau(one, other).statistic)
