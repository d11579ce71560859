"""Regularised evolution."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from ..spaces.space import Value
from ..studies.trial import TrialResult
from .base import Batched, StrategyOptions, Task
from .rewards import RewardOptions, make_reward
from .variations import Unseen, beside

__all__ = ["RegularizedEvolution"]


class EvolutionOptions(StrategyOptions):
    """``population``: designs alive, the oldest dies first; ``tournament``: how many compete to be the next parent.

    ``changes`` is how many choices a child changes on average, at least one (two, because a network and its hardware
    often have to change together); ``batch`` how many children are born before results are waited for.
    """

    population: int = Field(default=50, ge=2, le=100_000)
    tournament: int = Field(default=10, ge=1, le=100_000)
    changes: float = Field(default=2.0, ge=1.0, le=1000.0)
    batch: int = Field(default=10, ge=1, le=10_000)
    reward: RewardOptions = RewardOptions()

    @model_validator(mode="after")
    def _tournament_fits(self) -> EvolutionOptions:
        if self.tournament > self.population:
            raise ValueError(f"a tournament of {self.tournament} needs as many alive; raise population")
        return self


@dataclass
class _Member:
    values: Mapping[str, Value]
    result: TrialResult
    score: float


class RegularizedEvolution(Batched):
    """Aging evolution of Real et al. (AAAI 2019): the best of a random few has a mutated child, the oldest dies.

    Children are designs that were not tried before; the search ends where there are none.
    """

    Options: ClassVar[type[StrategyOptions]] = EvolutionOptions

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options.batch)
        self._options = options
        self._rng = np.random.default_rng(task.seed)
        self._reward = make_reward(options.reward, task.objectives, task.limits, task.baseline)
        self._alive: deque[_Member] = deque(maxlen=options.population)
        self._born = 0
        self._unseen = Unseen(task.space)
        for values in self._first:
            self._unseen.add(values)

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        children: list[Mapping[str, Value]] = []
        for _ in range(count):
            grown = self._born + len(self._asked) + len(self._queue) + len(children) >= self._options.population
            child = self._child() if grown and self._alive else self._unseen.sample(self._rng)
            if child is None:
                break
            children.append(child)
        return children

    def _child(self) -> Mapping[str, Value] | None:
        """A design near a good one, not tried before; bolder where its neighbours are all known."""
        size = min(self._options.tournament, len(self._alive))
        drawn = self._rng.choice(len(self._alive), size=size, replace=False)
        parent = max((self._alive[index] for index in drawn), key=lambda member: member.score)
        return beside(self.task.space, parent.values, self._unseen, self._rng, self._options.changes)

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        self._born += len(points)
        for values, result in zip(points, results, strict=True):
            self._alive.append(_Member(values, result, self._reward.score(result)))
        self._reward.learn(results)
        if self._reward.drifts:
            for member in self._alive:
                member.score = self._reward.score(member.result)
