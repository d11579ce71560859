"""Extrapolates a learning curve: every shape of every family, weighted by how well it explains what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf

import numpy as np
from numpy.typing import NDArray

from ....errors import BadInput
from .families import FAMILIES

__all__ = ["Forecast", "forecast"]

Array = NDArray[np.float64]

LEAST_POINTS = 4  # two linear parameters, one of shape, one left over to judge by
_FLOOR_PCT = 0.15  # noise below this is not believed of a curve of few points, in points of accuracy
_BELIEF = 3.0  # so many observations' worth of that floor
# No shape is ever exactly right, so that points count as less evidence than their number (a tempered likelihood); with
# this the errors of extrapolated artificial curves have the variance the forecast states.
_TEMPER = 0.4
_PEAK_PCT = 100.0


@dataclass(frozen=True)
class Forecast:
    """The accuracy after a later epoch in percent: a mixture of normal distributions with weights that sum to 1."""

    means: Array
    sigmas: Array
    weights: Array

    @property
    def mean_pct(self) -> float:
        """Of the mixture."""
        return float(self.weights @ self.means)

    @property
    def sigma_pct(self) -> float:
        """Standard deviation of the mixture: that of each shape and that between shapes."""
        second = float(self.weights @ (self.sigmas**2 + self.means**2))
        return float(np.sqrt(max(0.0, second - self.mean_pct**2)))

    def above(self, threshold_pct: float) -> float:
        """The probability that the accuracy is above ``threshold_pct``."""
        scores = (self.means - threshold_pct) / self.sigmas / np.sqrt(2.0)
        return float(self.weights @ np.array([0.5 * (1.0 + erf(score)) for score in scores]))


def forecast(curve: Sequence[float], epoch: int) -> Forecast:
    """What ``curve`` (accuracies in percent after epochs 1, 2, …) will be after ``epoch``.

    Later points weigh more, tenfold from first to last. Shapes that would fall, or end above 100 %, are left out; where
    none is left the curve is taken as flat. Raises `BadInput` for fewer than 4 points and an epoch already seen.
    After Domhan, Springenberg & Hutter, IJCAI 2015, with least squares on a grid of shapes in place of Monte Carlo.
    """
    seen = np.asarray(curve, dtype=float)
    count = len(seen)
    if count < LEAST_POINTS:
        raise BadInput(f"a curve of {count} points cannot be extrapolated; at least {LEAST_POINTS} are needed")
    if epoch <= count:
        raise BadInput(f"epoch {epoch} is not after the {count} seen; ask for a later one")
    recency = 10.0 ** (np.arange(1, count + 1) / count)
    recency *= count / recency.sum()
    parts = []
    for family in FAMILIES:
        shapes = family.shapes(np.append(np.arange(1.0, count + 1.0), float(epoch)))
        logs, means, sigmas = _fits(shapes / shapes[:, :1], seen, recency)
        parts.append((logs - np.log(len(logs)), means, sigmas))
    logs, means, sigmas = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not np.isfinite(logs).any():
        return _flat(seen)
    weights = np.exp(logs - logs.max())
    keep = weights > 1e-9
    return Forecast(means[keep], sigmas[keep], weights[keep] / weights[keep].sum())


def _fits(shapes: Array, seen: Array, recency: Array) -> tuple[Array, Array, Array]:
    """For each shape (rows; the last column is the epoch to predict) log evidence, prediction and its deviation.

    Shapes begin at 1, so that a flat prior on limit and amplitude is one on the limit and the first point.
    """
    count = len(seen)
    phi, later = shapes[:, :-1], shapes[:, -1]
    total = recency.sum()
    phi_mean, seen_mean = phi @ recency / total, seen @ recency / total
    centred = phi - phi_mean[:, None]
    spread = np.maximum((centred**2) @ recency, 1e-12)
    slope = (centred * (seen - seen_mean)) @ recency / spread  # minus the amplitude
    left = seen - seen_mean - slope[:, None] * centred
    squares = (left**2) @ recency
    variance = (squares + _BELIEF * _FLOOR_PCT**2) / (count - 2 + _BELIEF)
    ahead = later - phi_mean
    means = seen_mean + slope * ahead
    sigmas = np.sqrt(variance * (1.0 + 1.0 / total + ahead**2 / spread))
    limit = seen_mean - slope * phi_mean
    # Evidence with the two linear parameters integrated out under a flat prior.
    logs = -0.5 * _TEMPER * (count - 2 + _BELIEF) * np.log(variance) - 0.5 * np.log(spread)
    logs[(slope > 0) | (limit > _PEAK_PCT)] = -np.inf
    return logs, np.minimum(means, _PEAK_PCT), sigmas


def _flat(seen: Array) -> Forecast:
    late = seen[len(seen) // 2 :]
    sigma = max(float(late.std(ddof=1)) if len(late) > 1 else 0.0, _FLOOR_PCT)
    return Forecast(np.array([late.mean()]), np.array([sigma]), np.array([1.0]))
