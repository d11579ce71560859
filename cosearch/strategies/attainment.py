"""What a design of uncertain error and known costs is expected to add to a front."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Attainment", "expected_improvement"]

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
_CELLS = {0: 1, 1: 64, 2: 32, 3: 12}  # along each axis of costs
_DIVISIONS = 6  # along the axes of four costs and more


def expected_improvement(best: F64, mean: F64, sigma: F64) -> F64:
    """How far below ``best`` an error is expected to come, counted as 0 where it does not; arrays broadcast.

    Mockus, Tiesis & Zilinskas 1978; Jones, Schonlau & Welch, Journal of Global Optimization 13, 1998. With no
    uncertainty it is the improvement itself.
    """
    from scipy.special import ndtr

    gap, spread = best - mean, np.maximum(sigma, 1e-12)
    ratio = gap / spread
    density = np.exp(-0.5 * ratio**2) / np.sqrt(2.0 * np.pi)
    improvement: F64 = np.maximum(gap * ndtr(ratio) + spread * density, 0.0)
    return improvement


class Attainment:
    """The lowest error reached within each budget of the costs: a front, rasterised.

    The costs' axes are divided evenly in their logarithm between ``low`` and ``high`` (m,) each; a cell stands for the
    budgets at its upper corner, and its ``error`` (cells,) is the lowest of the designs that keep them, ``worst``
    where there is none. Sums over cells are hypervolumes in (log costs, error), and their expectation under an
    uncertain error is a sum of expected improvements, without sampling. Without costs there is one cell.
    """

    def __init__(self, low: F64, high: F64, worst: float) -> None:
        self._axes = len(low)
        cells = _CELLS.get(self._axes, _DIVISIONS)
        self._shape = (cells,) * self._axes
        low_log, high_log = np.log(np.maximum(low, 1e-300)), np.log(np.maximum(high, 1e-300))
        self._corners = [
            low_log[axis] + (high_log[axis] - low_log[axis]) * np.arange(1, cells + 1) / cells
            for axis in range(self._axes)
        ]
        self.error = np.full(int(np.prod(self._shape)), worst)

    def reached(self, costs: F64) -> Mask:
        """The cells (cells,) whose budgets any of the points (k, m) keeps."""
        if not self._axes:
            return np.full(1, len(costs) > 0)
        inside = np.zeros(self._shape, dtype=bool)
        places = np.stack([self._places(costs[:, axis], axis) for axis in range(self._axes)], axis=1)
        fitting = places[np.all(places < self._shape, axis=1)]
        inside[tuple(fitting.T)] = True
        for axis in range(self._axes):
            inside = np.logical_or.accumulate(inside, axis=axis)
        return inside.reshape(-1)

    def _places(self, costs: F64, axis: int) -> NDArray[np.int64]:
        # A point on a cell's corner keeps it, whatever the logarithm rounds to.
        places: NDArray[np.int64] = np.searchsorted(self._corners[axis], np.log(costs) - 1e-9)
        return places

    def add(self, costs: F64, error: float) -> None:
        """A design, or several (k, m) of one network, of a known error."""
        mask = self.reached(costs)
        self.error[mask] = np.minimum(self.error[mask], error)

    def gain(self, mask: Mask, error: float) -> float:
        """What designs that reach the cells in ``mask`` add at a known error: mean over all cells."""
        return float(np.maximum(self.error[mask] - error, 0.0).sum()) / len(self.error)

    def gains(self, masks: Iterable[Mask], mean: F64, sigma: F64) -> F64:
        """The expected gain (n,) of each of n networks that reach the cells in ``masks``: mean over all cells."""
        return np.array([
            float(expected_improvement(self.error[mask], mean[row], sigma[row]).sum()) / len(self.error)
            for row, mask in enumerate(masks)
        ])
