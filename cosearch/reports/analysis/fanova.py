"""Functional analysis of variance of regression trees: which share of a prediction's variance each choice explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Leaves", "leaves_of", "main_effects", "pair_effect"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Leaves:
    """A regression tree as boxes: leaf l predicts ``value[l]`` where ``low[l, j] <= code[j] < high[l, j]``.

    ``sizes`` is the number of codes of each choice; every point of the grid counts the same.
    """

    low: Ints
    high: Ints
    value: Floats
    sizes: Ints

    @property
    def fractions(self) -> Floats:
        """The share (leaves, choices) of each choice's codes that a leaf holds."""
        return (self.high - self.low) / self.sizes

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and variance of the prediction over the whole grid."""
        weights = self.fractions.prod(axis=1)
        mean = float(weights @ self.value)
        return mean, float(weights @ (self.value - mean) ** 2)


def leaves_of(tree: Any, sizes: Sequence[int]) -> Leaves:
    """The boxes of a fitted scikit-learn tree (``DecisionTreeRegressor.tree_``) over codes 0 … size − 1."""
    lows, highs, values = [], [], []
    waiting = [(0, np.zeros(len(sizes), dtype=np.int64), np.asarray(sizes, dtype=np.int64))]
    while waiting:
        node, low, high = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            lows.append(low)
            highs.append(high)
            values.append(float(tree.value[node].ravel()[0]))
            continue
        feature = int(tree.feature[node])
        # Codes up to the threshold go left; a box never becomes empty, as the tree was fitted to codes in it.
        border = int(np.floor(float(tree.threshold[node]))) + 1
        below, above = high.copy(), low.copy()
        below[feature], above[feature] = min(high[feature], border), max(low[feature], border)
        waiting += [(left, low, below), (right, above, high)]
    return Leaves(np.array(lows), np.array(highs), np.array(values), np.asarray(sizes, dtype=np.int64))


def main_effects(leaves: Leaves) -> Floats:
    """The share of the prediction's variance that each choice alone explains, (choices,); 0 for a constant tree.

    The variance, over a choice's codes, of the mean over all others (Hutter, Hoos and Leyton-Brown, ICML 2014,
    equations 2 to 6), exact for the tree.
    """
    mean, variance = leaves.moments
    shares = np.zeros(len(leaves.sizes))
    if variance <= 0.0:
        return shares
    fractions = leaves.fractions
    whole = fractions.prod(axis=1)
    for choice in np.flatnonzero((fractions < 1.0).any(axis=0)):
        marginal = _inside(leaves, int(choice)).T @ (whole / fractions[:, choice] * leaves.value)
        shares[choice] = float(np.mean((marginal - mean) ** 2)) / variance
    return shares


def pair_effect(leaves: Leaves, first: int, second: int) -> float:
    """The share that two choices explain together and neither alone: their interaction."""
    mean, variance = leaves.moments
    if variance <= 0.0:
        return 0.0
    fractions = leaves.fractions
    others = fractions.prod(axis=1) / (fractions[:, first] * fractions[:, second])
    a, b = _inside(leaves, first), _inside(leaves, second)
    both = np.einsum("l,lu,lv->uv", others * leaves.value, a, b) - mean
    alone = (both.mean(axis=1) ** 2).mean() + (both.mean(axis=0) ** 2).mean()
    return float((both**2).mean() - alone) / variance


def _inside(leaves: Leaves, choice: int) -> Floats:
    """Which codes of a choice each leaf holds, (leaves, codes), as 0 and 1."""
    codes = np.arange(int(leaves.sizes[choice]))
    held = (leaves.low[:, choice, None] <= codes) & (codes < leaves.high[:, choice, None])
    return held.astype(np.float64)
