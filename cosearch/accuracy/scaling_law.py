"""A monotone scaling law with correlated residuals: the regression behind the accuracy predictor.

    log(error) = c − Σ bᵢ·sizeᵢ − Σ dⱼ·kindⱼ + g(x) + u_family + ε,      bᵢ, dⱼ ≥ 0

Larger sizes never raise the predicted error in the law itself, and the error falls ever more slowly. g is a Gaussian
process (radial kernel) that follows what neighbours in feature space have in common, u_family an offset that the rows
of one family share, so that a family with many rows does not count as that much independent evidence (a mixed model).
Coefficients are found by generalised least squares with bounds. Rasmussen & Williams, "Gaussian Processes for Machine
Learning", 2006, section 2.7 (explicit basis functions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "Scales", "fit"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scales:
    """Standard deviations in log error: of g, of the families, of single rows; and g's length in units of spread.

    The defaults maximise the marginal likelihood of the shipped table.
    """

    local: float = 0.10
    length: float = 3.3
    family: float = 0.056
    row: float = 0.023


@dataclass(frozen=True)
class Fit:
    """Coefficients and residual weights; ``sizes`` n×s and ``kinds`` n×k are standardised with ``mean``, ``spread``."""

    scales: Scales
    mean: Array
    spread: Array
    coefficients: Array
    points: Array
    weights: Array
    factor: Array
    log_likelihood: float
    placing: int

    def predict(self, sizes: Array, kinds: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the log error of networks of no known family; ``sizes`` m×s, ``kinds`` m×k."""
        from scipy.linalg import solve_triangular

        scaled = (sizes - self.mean) / self.spread
        design = _design(scaled, kinds)
        point = np.column_stack([scaled, kinds[:, : self.placing]])
        cross = _radial(point, self.points, self.scales)
        mean = -(design @ self.coefficients) + cross @ self.weights
        explained = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        scales = self.scales
        variance = scales.local**2 - (explained**2).sum(axis=0) + scales.family**2 + scales.row**2
        return mean, np.sqrt(np.maximum(variance, scales.row**2))


def fit(
    sizes: Array, kinds: Array, families: Array, log_error: Array, scales: Scales | None = None, *, placing: int = 3
) -> Fit:
    """Fit n rows: ``sizes`` n×s, ``kinds`` n×k, ``families`` n integers, ``log_error`` n.

    The first ``placing`` of the kinds also place a row for g. The last one may help or harm; all others and all
    sizes only help.
    """
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import lsq_linear

    scales = scales or Scales()
    mean, spread = sizes.mean(axis=0), sizes.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    scaled = (sizes - mean) / spread
    points = np.column_stack([scaled, kinds[:, :placing]])
    covariance = _radial(points, points, scales) + scales.family**2 * (families[:, None] == families[None, :])
    factor = cholesky(covariance + scales.row**2 * np.eye(len(sizes)), lower=True)
    design = _design(scaled, kinds)
    whitened = solve_triangular(factor, design, lower=True)
    target = solve_triangular(factor, -log_error, lower=True)
    lowest = np.zeros(design.shape[1])
    lowest[0] = lowest[-1] = -np.inf
    coefficients = np.asarray(lsq_linear(whitened, target, (lowest, np.inf), method="bvls").x)
    residual = whitened @ coefficients - target
    likelihood = -0.5 * residual @ residual - np.log(np.diag(factor)).sum() - 0.5 * len(sizes) * np.log(2 * np.pi)
    weights = solve_triangular(factor.T, residual, lower=False)
    return Fit(scales, mean, spread, coefficients, points, weights, factor, float(likelihood), placing)


def _design(scaled: Array, kinds: Array) -> Array:
    return np.column_stack([np.ones(len(scaled)), scaled, kinds])


def _radial(left: Array, right: Array, scales: Scales) -> Array:
    squares = ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=-1)
    return np.asarray(scales.local**2 * np.exp(-squares / (2.0 * scales.length**2)))
