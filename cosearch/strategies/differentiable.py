"""Gradient search on a relaxed space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from ...errors import BadInput
from ..spaces.network_space import network_values
from ..spaces.space import Value
from ..studies.trial import TrialResult
from .additive import AdditiveTables
from .base import Batched, StrategyOptions, Task
from .rewards import LEAST_LOG, WORST_EXCESS, Quality, check_weights
from .variations import Unseen, beside

__all__ = ["Differentiable"]

Vector = NDArray[np.float64]

_WORST_QUALITY = 5.0  # deviations below nought: of a design that cannot be


class DifferentiableOptions(StrategyOptions):
    """``batch``: designs drawn before the gradient's ``steps``; ``penalty``: the price of exceeding a limit, in
    deviations of the log quality per log excess; ``entropy``: the worth of staying undecided; ``weights``: those of
    objectives.

    ``free``: networks whose swept costs are learnt before the first trial, where the study can sweep.
    """

    batch: int = Field(default=10, ge=1, le=10_000)
    steps: int = Field(default=5, ge=1, le=10_000)
    learning_rate: float = Field(default=0.1, gt=0.0, le=10.0)
    penalty: float = Field(default=5.0, ge=0.0, le=1e6)
    entropy: float = Field(default=0.01, ge=0.0, le=10.0)
    free: int = Field(default=64, ge=0, le=100_000)
    weights: dict[str, float] = Field(default_factory=dict)

    @field_validator("weights")
    @classmethod
    def _weights_are_of_metrics(cls, weights: dict[str, float]) -> dict[str, float]:
        check_weights(weights)
        return weights


class Differentiable(Batched):
    """Every choice a softmax over its options, moved by gradients (after ProxylessNAS, Cai et al., ICLR 2019).

    Logarithms of the metrics are learnt as tables, a number an option, so that a metric's expectation over the relaxed
    space is linear in the probabilities and has an exact gradient. What the tables miss of the drawn designs' true
    rewards is followed by the score-function estimator (REINFORCE, Williams 1992) with the tables as control variate.
    Designs drawn before give way to new ones near by.
    """

    Options: ClassVar[type[StrategyOptions]] = DifferentiableOptions

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options.batch)
        self._options: DifferentiableOptions = options
        self._rng = np.random.default_rng(task.seed)
        self._unseen = Unseen(task.space)
        for values in self._first:
            self._unseen.add(values)
        self._weights = Quality.of_task(task.objectives, task.limits, task.baseline, options.weights).weights
        self._qualities: list[float] = []  # of the designs told, and their deviation: the unit of quality
        self._spread = 1.0
        self._tables = AdditiveTables(task.space)
        self._logits = np.zeros(self._tables.width)
        self._moments = np.zeros((2, self._tables.width))
        self._step = 0
        self._learn_free_costs()
        self._tables.fit()

    def _learn_free_costs(self) -> None:
        """Fit the swept costs on random designs: no accuracy is asked for them."""
        sweep = self.task.sweep
        names = {*self.task.objectives, *self.task.limits} & {"latency_s", "energy_j", "area_mm2", "edp"}
        if sweep is None or not names or not set(sweep.hardware.names) <= set(self.task.space.names):
            return
        for _ in range(self._options.free):
            network = network_values(self.task.space.sample(self._rng))
            try:
                costs = sweep.costs(network)
            except BadInput:  # choices that make no network
                continue
            for _ in range(16):
                drawn = self.task.space.sample(self._rng)
                chip = {name: drawn[name] for name in sweep.hardware.names}
                place = sweep.hardware.number(chip)
                self._tables.add({**network, **chip}, _logs({name: float(costs.metric(name)[place]) for name in names}))

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        found: list[Mapping[str, Value]] = []
        for _ in range(count):
            fresh = self._drawn()
            if fresh is None:
                break
            found.append(fresh)
        return found

    def _drawn(self) -> Mapping[str, Value] | None:
        chances = self._tables.softmax(self._logits)
        for _ in range(10):
            values = self._tables.draw(chances, self._rng)
            if self._unseen.add(values):
                return values
        return beside(self.task.space, values, self._unseen, self._rng)

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        self._scale(results)
        hot = np.array([self._tables.one_hot(values) for values in points])
        guesses = [self._guess(row) for row in hot]
        rewards = [self._reward(result, guess) for result, guess in zip(results, guesses, strict=True)]
        missed = np.array(rewards) - np.array([self._value(guess) for guess in guesses])
        missed = (missed - missed.mean()) / max(len(points) - 1, 1)
        for values, result in zip(points, results, strict=True):
            self._tables.add(values, _logs(result.metrics))
        self._tables.fit()
        for _ in range(self._options.steps):
            chances = self._tables.softmax(self._logits)
            score = (missed[:, None] * (hot - chances * self._tables.active(hot))).sum(axis=0)
            self._climb(self._tables.through_softmax(self._slope(chances), chances) + score / self._options.steps)

    def _scale(self, results: Sequence[TrialResult]) -> None:
        logs = [_logs(result.metrics) for result in results]
        self._qualities += [self._log_quality(one) for one in logs if all(name in one for name in self._weights)]
        if len(self._qualities) > 1:
            self._spread = max(float(np.std(self._qualities)), 1e-6)

    def _log_quality(self, logs: Mapping[str, float]) -> float:
        return max(-math.fsum(weight * logs[name] for name, weight in self._weights.items()), LEAST_LOG)

    def _slope(self, chances: Vector) -> Vector:
        """Gradient of the expected reward by the tables with respect to the probabilities, entropy included."""
        slope = np.zeros(len(chances))
        for name, weight in self._weights.items():
            slope -= weight / self._spread * self._tables.table(name)
        for name, most in self.task.limits.items():
            if self._tables.expected(name, chances) > _log(name, most):
                slope -= self._options.penalty * self._tables.table(name)
        return np.asarray(slope - self._options.entropy * (np.log(np.maximum(chances, 1e-12)) + 1.0))

    def _guess(self, row: Vector) -> dict[str, float]:
        """What the tables say of a point."""
        return {name: self._tables.expected(name, row) for name in (*self._weights, *self.task.limits)}

    def _reward(self, result: TrialResult, guess: Mapping[str, float]) -> float:
        """The true reward; what a broken limit kept from being known is taken from the tables."""
        if result.status == "infeasible":
            return float(-_WORST_QUALITY - self._options.penalty * math.log1p(WORST_EXCESS))
        return float(self._value({**guess, **_logs(result.metrics)}))

    def _value(self, logs: Mapping[str, float]) -> float:
        """Log quality, in deviations of it, less what is paid for exceeded limits."""
        over = [logs[name] - _log(name, most) for name, most in self.task.limits.items()]
        paid = math.fsum(
            min(max(excess, 0.0), math.log1p(WORST_EXCESS)) for excess in over
        )
        return float(self._log_quality(logs) / self._spread - self._options.penalty * paid)

    def _climb(self, gradient: Vector) -> None:
        """One step of Adam (Kingma & Ba, ICLR 2015) uphill."""
        self._step += 1
        self._moments[0] = 0.9 * self._moments[0] + 0.1 * gradient
        self._moments[1] = 0.99 * self._moments[1] + 0.01 * gradient**2
        mean = self._moments[0] / (1.0 - 0.9**self._step)
        size = np.sqrt(self._moments[1] / (1.0 - 0.99**self._step))
        self._logits += self._options.learning_rate * mean / (size + 1e-9)


def _log(name: str, value: float) -> float:
    """What is learnt of a metric: smaller is better, ratios are differences; an error by what it leaves to 100."""
    if name.endswith("_pct"):
        return -math.log(max(100.0 - value, 1e-3) / 100.0)
    return math.log(min(max(value, 1e-30), 1e30))


def _logs(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: _log(name, value) for name, value in metrics.items() if math.isfinite(value)}
