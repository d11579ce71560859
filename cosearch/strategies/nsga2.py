"""NSGA-II, by optuna."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from ..studies.trial import Proposal, TrialResult
from .base import StrategyOptions, Task
from .optuna_quiet import quiet
from .variations import variations

if TYPE_CHECKING:
    import optuna

__all__ = ["NSGA2"]


class NSGA2Options(StrategyOptions):
    """``population``: designs in a generation; ``crossover``: probability of two parents; ``mutation``: of a choice.

    ``around_first`` is the share of the first generation that are variations of the given first designs; the rest is
    drawn from the whole space.
    """

    population: int = Field(default=40, ge=2, le=10_000)
    around_first: float = Field(default=0.0, ge=0.0, le=1.0)
    crossover: float = Field(default=0.9, ge=0.0, le=1.0)
    mutation: float | None = Field(default=None, ge=0.0, le=1.0)


class NSGA2:
    """The elitist genetic algorithm with constrained domination of Deb et al. (IEEE Trans. Evol. Comp. 2002), optuna's.

    Every choice is a gene holding an option's index. A design without a result is worse than any that has one.
    """

    Options: ClassVar[type[StrategyOptions]] = NSGA2Options

    def __init__(self, task: Task, options: Any) -> None:
        import optuna

        self._space = space = task.space
        self._objectives = task.objectives
        self.batch: int = options.population
        self._trials: dict[int, optuna.Trial] = {}
        with quiet():
            sampler = optuna.samplers.NSGAIISampler(
                population_size=options.population, crossover_prob=options.crossover,
                mutation_prob=options.mutation, seed=task.seed,
            )  # fmt: skip
            self._study = optuna.create_study(directions=["minimize"] * len(self._objectives), sampler=sampler)
        known = [space.encode(values) for values in task.first]
        count = round(options.around_first * options.population) if known else 0
        for code in [*known, *variations(space, known, max(0, count - len(known)), np.random.default_rng(task.seed))]:
            self._study.enqueue_trial(dict(zip(space.names, code, strict=True)))

    def ask(self, count: int) -> list[Proposal]:
        """The next members of this generation, or children of the last one once it is complete."""
        proposals = []
        with quiet():
            for _ in range(count):
                trial = self._study.ask()
                code = [trial.suggest_int(choice.name, 0, len(choice.options) - 1) for choice in self._space.choices]
                self._trials[trial.number] = trial
                proposals.append(Proposal(trial.number, self._space.decode(code)))
        return proposals

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """Feasible designs compete by their objectives, the others by how far they break the constraints."""
        with quiet():
            for number, result in zip(numbers, results, strict=True):
                trial = self._trials.pop(number)
                trial.set_constraint("feasibility", 0.0 if result.status == "ok" else _violation(result))
                self._study.tell(trial, [result.metrics.get(name, _NO_VALUE) for name in self._objectives])


_NO_VALUE = 1e30  # finite, because crowding distances are differences
_NO_DESIGN = 1e3  # no mapping at all is worse than any exceeded limit


def _violation(result: TrialResult) -> float:
    return min(max(result.violation, 1e-9), _NO_DESIGN / 2) if result.status == "constraint" else _NO_DESIGN
