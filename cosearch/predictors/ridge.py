"""Ridge regression with a posterior."""

from __future__ import annotations

import numpy as np

from .base import F64, Inputs, check_labels

__all__ = ["Ridge"]

_PENALTIES = np.geomspace(1e-2, 1e3, 16)


class Ridge:
    """A linear model of scaled choices and statistics, its penalty that of least leave-one-out error.

    The leave-one-out error has a closed form for linear smoothers (Golub, Heath & Wahba, Technometrics 21, 1979); it is
    also the noise from which the posterior's uncertainty follows.
    """

    def __init__(self) -> None:
        self._prepared = False
        self._centre, self._spread = np.zeros(0), np.ones(0)

    def prepare(self, pool: Inputs) -> None:
        """Centre and spread of each column."""
        self._prepared = True
        table = pool.together()
        spread = table.std(axis=0)
        self._centre, self._spread = table.mean(axis=0), np.where(spread > 1e-12, spread, np.inf)

    def fit(self, inputs: Inputs, labels: F64) -> None:
        """Solve for the weights, by singular values for all penalties at once."""
        check_labels(inputs, labels)
        if not self._prepared:
            self.prepare(inputs)
        self._mean = float(labels.mean())
        centred = labels - self._mean
        left, values, right = np.linalg.svd(self._scaled(inputs), full_matrices=False)
        best = np.inf
        for penalty in _PENALTIES:
            shrunk = values**2 / (values**2 + penalty)
            smoothed = left @ (shrunk * (left.T @ centred))
            leverage = np.minimum(left**2 @ shrunk + 1.0 / len(labels), 0.99)
            error = float(np.mean(((centred - smoothed) / (1.0 - leverage)) ** 2))
            if error < best:
                best = error
                self._weights = right.T @ (values / (values**2 + penalty) * (left.T @ centred))
                self._variances, self._axes = error / (values**2 + penalty), right
                self._rest, self._noise = error / penalty, error

    def predict(self, inputs: Inputs) -> tuple[F64, F64]:
        """Mean and standard deviation of a new label."""
        table = self._scaled(inputs)
        along = table @ self._axes.T
        beyond = np.maximum(np.sum(table**2, axis=1) - np.sum(along**2, axis=1), 0.0)
        return self._mean + table @ self._weights, np.sqrt(
            along**2 @ self._variances + beyond * self._rest + self._noise
        )

    def _scaled(self, inputs: Inputs) -> F64:
        scaled: F64 = (inputs.together() - self._centre) / self._spread
        return scaled
