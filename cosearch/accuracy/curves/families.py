"""Shapes of learning curves: y(x) = c − a·φ(x), with φ falling to 0 and a handful of parameters inside φ.

The families are those of Domhan, Springenberg & Hutter, IJCAI 2015 (Table 1), that rise to a limit. Given φ, a curve is
linear in the limit c and the amplitude a; the parameters inside φ are laid on a grid, so that a fit is a small linear
least-squares problem at each of its points and never fails to converge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "Family"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Family:
    """``phi(x, *parameters)`` at every point of a grid: ``grid`` is (shapes, parameters)."""

    name: str
    phi: Callable[[Array, Array], Array]
    grid: Array

    def shapes(self, epochs: Array) -> Array:
        """φ at ``epochs`` (n,) for each point of the grid: (shapes, n)."""
        return self.phi(epochs[None, :], self.grid[:, :, None])


def _product(*axes: Array) -> Array:
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)


def _pow3(x: Array, parameters: Array) -> Array:
    return np.asarray(x ** -parameters[:, 0])


def _exp3(x: Array, parameters: Array) -> Array:
    return np.asarray(np.exp(-parameters[:, 0] * x))


def _ilog2(x: Array, parameters: Array) -> Array:
    # The published 1/log(x) has no value at the first epoch.
    return np.asarray(1.0 / np.log(x + parameters[:, 0]))


def _janoschek(x: Array, parameters: Array) -> Array:
    return np.asarray(np.exp(-parameters[:, 0] * x ** parameters[:, 1]))


FAMILIES: tuple[Family, ...] = (
    Family("pow3", _pow3, np.geomspace(0.1, 3.0, 16)[:, None]),
    Family("exp3", _exp3, np.geomspace(0.01, 2.0, 16)[:, None]),
    Family("ilog2", _ilog2, np.array([[1.0], [2.0]])),
    Family("janoschek", _janoschek, _product(np.geomspace(0.01, 3.0, 12), np.array([0.35, 0.5, 0.7, 1.0, 1.4]))),
)
