"""Random search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ..spaces.space import Value
from ..studies.trial import TrialResult
from .base import Batched, StrategyOptions, Task

__all__ = ["RandomSearch"]


class RandomSearch(Batched):
    """Every design drawn uniformly and independently: the baseline any other strategy has to beat."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, batch=64)
        self._rng = np.random.default_rng(task.seed)

    def _propose(self, count: int) -> list[dict[str, Value]]:
        return [self.task.space.sample(self._rng) for _ in range(count)]

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        """Nothing is learnt."""
