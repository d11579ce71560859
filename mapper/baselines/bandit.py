"""A bandit that learns which of several operators pays while they are used."""

from __future__ import annotations

import numpy as np

__all__ = ["Bandit"]


class Bandit:
    """Thompson sampling (Thompson 1933): each arm's chance of success is drawn from what is known of it.

    What was seen ``memory`` plays ago counts a third, since an operator that pays early on need not later.
    """

    def __init__(self, arms: int, rng: np.random.Generator, memory: float = 100.0) -> None:
        self.successes, self.failures = np.zeros(arms), np.zeros(arms)
        self._rng, self._fading = rng, float(np.exp(-1.0 / memory))

    def choose(self) -> int:
        """The arm to play next."""
        return int(self._rng.beta(1.0 + self.successes, 1.0 + self.failures).argmax())

    def learn(self, arm: int, reward: float) -> None:
        """Take in the ``reward`` of a play, from 0 to 1."""
        self.successes *= self._fading
        self.failures *= self._fading
        self.successes[arm] += reward
        self.failures[arm] += 1.0 - reward
