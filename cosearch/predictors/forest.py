"""A forest of randomised trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import F64, Inputs, check_labels

__all__ = ["Forest"]


class Forest:
    """A random forest (Breiman, Machine Learning 45, 2001) on choices and statistics.

    The uncertainty is the spread of the trees' answers (Hutter et al., "Sequential Model-Based Optimization for General
    Algorithm Configuration", LION 2011).
    """

    def __init__(self, seed: int = 0, trees: int = 100) -> None:
        self._seed, self._trees = seed, trees
        self._forest: Any = None

    def prepare(self, pool: Inputs) -> None:
        """Trees need no scale."""

    def fit(self, inputs: Inputs, labels: F64) -> None:
        """Grow the trees, each on its own draw of the labels."""
        from sklearn.ensemble import RandomForestRegressor

        check_labels(inputs, labels)
        self._forest = RandomForestRegressor(self._trees, max_features=0.5, random_state=self._seed)
        self._forest.fit(inputs.together(), labels)

    def predict(self, inputs: Inputs) -> tuple[F64, F64]:
        """Mean and standard deviation over the trees."""
        if not len(inputs):
            return np.zeros(0), np.zeros(0)
        table = inputs.together().astype(np.float32)
        answers = np.stack([tree.predict(table, check_input=False) for tree in self._forest.estimators_])
        return answers.mean(axis=0), answers.std(axis=0)
