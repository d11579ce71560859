"""A Gaussian process over free statistics and choices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import F64, Inputs, check_labels

__all__ = ["GaussianProcess"]

_LENGTHS = np.geomspace(0.4, 10.0, 6)  # of the statistics' kernel, in standard deviations a dimension
_NOISES = np.geomspace(3e-3, 1.0, 7)  # variance of a label's noise over that of the function
_SHARES = (0.0, 0.1, 0.3, 0.6)  # of the choices' kernel; the rest is the statistics'
_MOST_LABELS = 300  # that hyper-parameters are chosen by
_CHOICES_REACH = 0.5  # share of all choices that have to differ for the correlation to fall to 1/e
_CHUNK = 4096


@dataclass(frozen=True)
class _Kernel:
    share: float
    length: float
    noise: float


class GaussianProcess:
    """A Gaussian process whose kernel is a sum: Matern 3/2 of the statistics, exponential in the choices that differ.

    Statistics are scaled by their spread over the pool. Length, noise and the two kernels' shares are those of greatest
    marginal likelihood on a grid, the amplitude has a closed form (Rasmussen & Williams, Gaussian Processes for Machine
    Learning, 2006, section 5.4): nothing is drawn, and nothing can fail to converge.
    """

    def __init__(self) -> None:
        self._prepared = False
        self._centre, self._spread = np.zeros(0), np.ones(0)
        self._kernel = _Kernel(0.0, 1.0, 1.0)

    def prepare(self, pool: Inputs) -> None:
        """Centre and spread of each statistic."""
        self._prepared = True
        self._centre = pool.statistics.mean(axis=0)
        spread = pool.statistics.std(axis=0)
        self._spread = np.where(spread > 1e-12, spread, np.inf)  # a constant says nothing

    def fit(self, inputs: Inputs, labels: F64) -> None:
        """Choose the kernel and solve for the labels."""
        check_labels(inputs, labels)
        if not self._prepared:
            self.prepare(inputs)
        # Of the labelled points, so that a prediction does not depend on what else is asked about.
        self._choices = max(1.0, float(inputs.codes.sum(axis=1).max(initial=1.0)))
        self._known, self._mean, self._scale = inputs, float(labels.mean()), float(labels.std()) or 1.0
        scaled = (labels - self._mean) / self._scale
        every = len(labels) // _MOST_LABELS + 1
        some = np.arange(0, len(labels), every)
        self._kernel = self._likeliest(inputs.rows(some), scaled[some])
        covariance = self._covariance(inputs, inputs, self._kernel)
        self._factor = np.linalg.cholesky(covariance + self._kernel.noise * np.eye(len(labels)))
        half = np.linalg.solve(self._factor, scaled)
        self._weights = np.linalg.solve(self._factor.T, half)
        self._amplitude = float(half @ half) / len(labels)

    def predict(self, inputs: Inputs) -> tuple[F64, F64]:
        """Mean and standard deviation of a new label."""
        from scipy.linalg import solve_triangular

        means, deviations = [], []
        for start in range(0, len(inputs), _CHUNK):
            part = inputs.rows(np.arange(start, min(start + _CHUNK, len(inputs))))
            covariance = self._covariance(part, self._known, self._kernel)
            means.append(covariance @ self._weights)
            explained = np.sum(solve_triangular(self._factor, covariance.T, lower=True) ** 2, axis=0)
            deviations.append(np.sqrt(self._amplitude * (np.maximum(1.0 - explained, 0.0) + self._kernel.noise)))
        if not means:
            return np.zeros(0), np.zeros(0)
        return self._mean + self._scale * np.concatenate(means), self._scale * np.concatenate(deviations)

    def _likeliest(self, inputs: Inputs, labels: F64) -> _Kernel:
        found, best = _Kernel(0.0, 1.0, 1.0), -np.inf
        both = inputs.statistics.shape[1] > 0 and inputs.codes.shape[1] > 0
        shares = _SHARES if both else (0.0,) if inputs.statistics.shape[1] else (1.0,)
        for share in shares:
            for length in _LENGTHS if share < 1.0 else _LENGTHS[:1]:
                values, vectors = np.linalg.eigh(self._covariance(inputs, inputs, _Kernel(share, float(length), 0.0)))
                projected = (vectors.T @ labels) ** 2
                for noise in _NOISES:
                    variances = np.maximum(values, 0.0) + noise
                    amplitude = float(np.mean(projected / variances)) + 1e-12
                    likelihood = -0.5 * (len(labels) * np.log(amplitude) + float(np.log(variances).sum()))
                    if likelihood > best:
                        found, best = _Kernel(share, float(length), float(noise)), likelihood
        return found

    def _covariance(self, left: Inputs, right: Inputs, kernel: _Kernel) -> F64:
        from scipy.spatial.distance import cdist

        total = np.zeros((len(left), len(right)))
        if kernel.share < 1.0:
            scale = kernel.length * np.sqrt(left.statistics.shape[1]) / np.sqrt(3.0)
            distance = cdist(self._scaled(left), self._scaled(right)) / scale
            total += (1.0 - kernel.share) * (1.0 + distance) * np.exp(-distance)
        if kernel.share > 0.0:
            # Two one-hot codes differ in two columns for every choice that differs; codes of conditional choices are
            # zero where inactive, so that what both leave out counts as equal.
            agree = left.codes @ right.codes.T
            columns = left.codes.sum(axis=1)[:, None] + right.codes.sum(axis=1)[None] - 2.0 * agree
            total += kernel.share * np.exp(-columns / (2.0 * self._choices * _CHOICES_REACH))
        return total

    def _scaled(self, inputs: Inputs) -> F64:
        scaled: F64 = (inputs.statistics - self._centre) / self._spread
        return scaled
