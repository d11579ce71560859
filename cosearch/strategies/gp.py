"""Bayesian optimisation with Gaussian processes, by optuna."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from ..spaces.space import Value
from ..studies.trial import TrialResult
from ..torch_threads import one_thread
from .base import Batched, StrategyOptions, Task
from .optuna_quiet import quiet
from .rewards import ERRORS
from .variations import Unseen, beside, ordered

if TYPE_CHECKING:
    import optuna

__all__ = ["GaussianProcess"]

_NO_DESIGN = math.log(11.0)  # as a limit exceeded elevenfold


class GaussianOptions(StrategyOptions):
    """``startup``: designs drawn by chance first; ``batch``: designs proposed before results are waited for."""

    startup: int = Field(default=20, ge=1, le=100_000)
    batch: int = Field(default=5, ge=1, le=1000)


class GaussianProcess(Batched):
    """A Gaussian process and where it expects most improvement, within the limits; for a few hundred trials at most.

    optuna's, with constraints (Gardner et al., ICML 2014) and several objectives (expected hypervolume improvement,
    Daulton et al., NeurIPS 2020). A proposal's cost grows with the cube of the number of trials.
    Costs are learnt by their logarithm. What a broken limit kept from being known counts as the worst value seen. A
    design met again gives way to a neighbour not tried before; the search ends where there is none.
    """

    Options: ClassVar[type[StrategyOptions]] = GaussianOptions

    def __init__(self, task: Task, options: Any) -> None:
        import optuna

        super().__init__(task, options.batch)
        self._rng = np.random.default_rng(task.seed)
        self._unseen = Unseen(task.space)
        self._proposed: list[optuna.Trial] = []  # of the present batch, behind the designs that were given
        self._worst = {name: _bad_value(task, name) for name in task.objectives}
        self._seen: set[str] = set()  # objectives of which a true value is known
        for values in self._first:
            self._unseen.add(values)
        with quiet():
            sampler = optuna.samplers.GPSampler(seed=task.seed, n_startup_trials=options.startup)
            self._study = optuna.create_study(directions=["minimize"] * len(task.objectives), sampler=sampler)

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        found: list[Mapping[str, Value]] = []
        with quiet(), one_thread():
            while len(found) < count:
                trial = self._study.ask()
                values: Mapping[str, Value] = self._suggested(trial)
                if not self._unseen.add(values):
                    self._give_up(trial)
                    fresh = beside(self.task.space, values, self._unseen, self._rng)
                    if fresh is None:
                        break
                    trial, values = self._trial_of(fresh), fresh
                self._proposed.append(trial)
                found.append(values)
        return found

    def _suggested(self, trial: optuna.Trial) -> dict[str, Value]:
        space = self.task.space
        return space.decode([
            trial.suggest_int(choice.name, 0, len(choice.options) - 1) if ordered(choice)
            else trial.suggest_categorical(choice.name, range(len(choice.options))) for choice in space.choices
        ])  # fmt: skip

    def _give_up(self, trial: optuna.Trial) -> None:
        import optuna

        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _trial_of(self, values: Mapping[str, Value]) -> optuna.Trial:
        code = self.task.space.encode(values)
        self._study.enqueue_trial(dict(zip(self.task.space.names, code, strict=True)))
        trial = self._study.ask()
        self._suggested(trial)
        return trial

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        with quiet():
            given = [self._trial_of(values) for values in points[: len(points) - len(self._proposed)]]
            for trial, result in zip([*given, *self._proposed], results, strict=True):
                trial.set_constraint("feasibility", _excess(result, self.task.limits))
                self._study.tell(trial, [self._value(name, result) for name in self.task.objectives])
        self._proposed = []

    def _value(self, name: str, result: TrialResult) -> float:
        if name not in result.metrics:
            return self._worst[name]
        value = _learnt(name, result.metrics[name])
        self._worst[name] = max(value, self._worst[name]) if name in self._seen else value
        self._seen.add(name)
        return value


def _learnt(name: str, value: float) -> float:
    return min(value, 1e6) if name in ERRORS else math.log(min(max(value, 1e-30), 1e30))


def _bad_value(task: Task, name: str) -> float:
    """For designs without a result, as long as no true value is known."""
    if name in ERRORS:
        return 100.0
    return _learnt(name, 10.0 * task.baseline.get(name, task.limits.get(name, 1.0)))


def _excess(result: TrialResult, limits: Mapping[str, float]) -> float:
    """Above 0 where a limit is broken, by how much; below 0 how much room is left at the nearest limit."""
    if result.status == "infeasible":
        return _NO_DESIGN
    if result.status == "constraint":
        return min(math.log1p(max(result.violation, 1e-9)), _NO_DESIGN)
    room = [
        math.log(max(result.metrics[name], 1e-30) / max(most, 1e-30))
        for name, most in limits.items()
        if name in result.metrics
    ]
    return min(0.0, max(room, default=0.0))
