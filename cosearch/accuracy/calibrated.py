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
    judged; leave-one-out itself would call a score that says nothing a bad one. ``rmse_pct`` is in points of accuracy.
    ``trusted``: there are labels enough to predict at all.
    """

    labels: int
    kendall: float
    kendall_top: float
    top_labels: int
    rmse_pct: float
    trusted: bool


class Calibrated:
    """Scores of networks (one or several each) made accuracies. Labels are added as they are paid for.

    ``monotone`` orders networks by the mean rank of their scores and fits the closest non-decreasing function
    (isotonic regression); it can only be wrong where the order is. ``ridge`` fits a linear function of the ranks, whose
    penalty leave-one-out chooses; it may give each score a weight of its own. Ranks are those among the labels, so a
    score's scale and outliers do not matter; a score that is NaN ranks last.
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
            top_labels=int(top.sum()), rmse_pct=float(np.sqrt(np.mean((self._left_out - known) ** 2))),
            trusted=len(self) >= self.least_labels,
        )  # fmt: skip

    @property
    def _order(self) -> _Array:
        rows = np.array(self._scores)
        return self._features(rows, rows)[:, 0] if self.fit == "monotone" else self._left_out

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
    def _fitted(self) -> _Monotone | _Ridge:
        rows = np.array(self._scores)
        features, known = self._features(rows, rows), np.array(self._top1)
        return _Monotone(features, known) if self.fit == "monotone" else _best_ridge(features, known)

    @cached_property
    def _left_out(self) -> _Array:
        """Each label predicted by the fit to all others, ranks included."""
        rows, known = np.array(self._scores), np.array(self._top1)
        found = np.empty(len(known))
        for index in range(len(known)):
            kept = np.arange(len(known)) != index
            others = self._features(rows[kept], rows[kept])
            if self.fit == "monotone":
                model: _Monotone | _Ridge = _Monotone(others, known[kept])
            else:
                model = _Ridge(others, known[kept], self._fitted.penalty)
            found[index] = model.predict(self._features(rows[index : index + 1], rows[kept]))[0]
        return found

    def _error_near(self, top1_pct: float) -> float:
        """Root mean square error of the labels whose own predictions are nearest: bad networks scatter more."""
        known, count = np.array(self._top1), min(_NEIGHBOURS, len(self))
        nearest = np.argsort(np.abs(self._left_out - top1_pct), kind="stable")[:count]
        return float(np.sqrt(np.mean((self._left_out[nearest] - known[nearest]) ** 2)))


class _Monotone:
    penalty = 0.0

    def __init__(self, features: _Array, known: _Array) -> None:
        from sklearn.isotonic import IsotonicRegression

        self._model = IsotonicRegression(out_of_bounds="clip").fit(features[:, 0], known)

    def predict(self, features: _Array) -> _Array:
        return np.asarray(self._model.predict(features[:, 0]), dtype=np.float64)


class _Ridge:
    def __init__(self, features: _Array, known: _Array, penalty: float) -> None:
        self.penalty = penalty
        self._centre, self._mean = features.mean(axis=0), float(known.mean())
        centred = features - self._centre
        gram = centred.T @ centred + penalty * np.eye(features.shape[1])
        self._weights = np.linalg.solve(gram, centred.T @ (known - self._mean))
        leverage = np.einsum("ij,ji->i", centred, np.linalg.solve(gram, centred.T)) + 1.0 / len(known)
        self.left_out_error = (known - self.predict(features)) / np.maximum(1.0 - leverage, 1e-9)

    def predict(self, features: _Array) -> _Array:
        predicted: _Array = self._mean + (features - self._centre) @ self._weights
        return predicted


def _best_ridge(features: _Array, known: _Array) -> _Ridge:
    """The penalty with the least leave-one-out error, which the leverages give in closed form."""
    candidates = [_Ridge(features, known, penalty) for penalty in _PENALTIES]
    return min(candidates, key=lambda one: float((one.left_out_error**2).sum()))


def rank_correlation(left: ArrayLike, right: ArrayLike) -> float:
    """Kendall's tau-b; NaN where either side is constant or has fewer than two values."""
    from scipy.stats import kendalltau

    one, other = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if len(one) < 2 or len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return math.nan
    return float(kendalltau(one, other).statistic)
