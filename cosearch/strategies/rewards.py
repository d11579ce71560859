"""Rewards: one number for a trial, more being better, for strategies that climb a single one.

Every form starts from a design's `quality` (a weighted product of what its objectives are worth) and differs in what a
broken limit costs. ``hard`` and ``hypervolume`` never put a design that breaks a limit before one that keeps all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import nearest
from ..studies.pareto import hypervolume, non_dominated
from ..studies.trial import METRICS, TrialResult

__all__ = ["Quality", "Reward", "RewardOptions", "check_weights", "make_reward"]

Form = Literal["hard", "product", "soft", "relu", "lagrangian", "hypervolume"]

ERRORS = ("error_pct", "tracking_loss_pct")  # in percent, worth what is left to 100
COST_WEIGHT = 0.07  # beside an error: halving a cost is worth 5 % of the accuracy (MnasNet, Tan et al., CVPR 2019)
SOFT_EXPONENT = -0.07  # of the same paper, on either side of the target
WORST_EXCESS = 10.0  # a limit exceeded elevenfold counts like any worse: rewards stay within what a learner can bear
LEAST_LOG = -10.0  # of a quality, likewise
NO_DESIGN = -2.0  # of the bounded forms: below every design that breaks a limit

_KEYS_OF: dict[str, tuple[str, ...]] = {"product": ("p", "q"), "relu": ("penalty",), "lagrangian": ("step",)}


class RewardOptions(BaseModel):
    """A reward as a study writes it: its name alone (``reward: soft``) or with what belongs to it.

    ``p`` and ``q`` are the exponents of ``product`` within and beyond a target, ``penalty`` the price of ``relu`` per
    relative excess, ``step`` the rate of the dual ascent of ``lagrangian``. ``weights`` are those of objectives.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    form: Form = "hard"
    p: float = Field(default=0.0, ge=-10.0, le=0.0)
    q: float = Field(default=-1.0, ge=-10.0, le=0.0)
    penalty: float = Field(default=1.0, gt=0.0, le=1e6)
    step: float = Field(default=0.3, gt=0.0, le=100.0)
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, data: Any) -> Any:
        return {"form": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _keys_belong(self) -> RewardOptions:
        for key in self.model_fields_set - {"form", "weights", *_KEYS_OF.get(self.form, ())}:
            owner = next(form for form, keys in _KEYS_OF.items() if key in keys)
            raise ValueError(f"'{key}' has no part in the reward '{self.form}'; remove it, or write form: {owner}")
        if self.weights and self.form == "hypervolume":
            raise ValueError("'weights' have no part in the reward 'hypervolume'; remove them")
        check_weights(self.weights)
        return self


def check_weights(weights: Mapping[str, float]) -> None:
    """Raise ``ValueError`` where a weight is of no metric, below zero or no number."""
    for name, weight in weights.items():
        if name not in METRICS:
            close = nearest(name, tuple(METRICS))
            raise ValueError(f"no metric named '{name}'" + (f"; did you mean '{close}'?" if close else ""))
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"the weight of {name} is {weight:g}; give zero or more")


class Reward(Protocol):
    """Scores trials. What it has learnt of earlier trials may move later scores, nothing else does."""

    @property
    def drifts(self) -> bool:
        """Whether the score of one result changes as the reward learns, so that kept scores grow stale."""

    def score(self, result: TrialResult) -> float:
        """What a design is worth at present: finite, to be maximised."""

    def learn(self, results: Sequence[TrialResult]) -> None:
        """A whole batch of results, after they were scored."""


@dataclass(frozen=True)
class Quality:
    """How good a design is, its limits aside: the product of each objective's worth to the power of its weight.

    An error is worth the accuracy that it leaves, any other objective its scale over its value. The form is that of
    MnasNet's reward; scales only multiply all designs alike.
    """

    weights: Mapping[str, float]
    scales: Mapping[str, float]

    @classmethod
    def of_task(
        cls, objectives: Sequence[str], limits: Mapping[str, float], baseline: Mapping[str, float],
        weights: Mapping[str, float],
    ) -> Quality:  # fmt: skip
        """Scales are the baseline's metrics, else the limits, else 1; weights not given are 1, and 0.07 for costs
        that stand beside an error.
        """
        beside = any(name in ERRORS for name in objectives)
        usual = {name: COST_WEIGHT if beside and name not in ERRORS else 1.0 for name in objectives}
        scales = {}
        for name in objectives:
            scale = baseline.get(name, limits.get(name, 1.0))
            scales[name] = max(100.0 - baseline.get(name, 0.0), 1e-6) if name in ERRORS else max(scale, 1e-30)
        return cls({name: weights.get(name, usual[name]) for name in objectives}, scales)

    def log(self, metrics: Mapping[str, float]) -> float | None:
        """The logarithm of the quality; None where an objective is not known."""
        if any(name not in metrics for name in self.weights):
            return None
        return math.fsum(weight * self._log_worth(name, metrics[name]) for name, weight in self.weights.items())

    def __call__(self, metrics: Mapping[str, float]) -> float | None:
        """The quality, above 0; None where an objective is not known."""
        logarithm = self.log(metrics)
        return None if logarithm is None else math.exp(min(logarithm, 700.0))

    def _log_worth(self, name: str, value: float) -> float:
        if name in ERRORS:
            return math.log(max(100.0 - value, 1e-6) / self.scales[name])
        return math.log(self.scales[name] / max(value, 1e-30))


def make_reward(
    options: RewardOptions, objectives: Sequence[str], limits: Mapping[str, float], baseline: Mapping[str, float]
) -> Reward:
    """The reward of a search: ``objectives`` are minimised, ``limits`` the most each constrained metric may be.

    ``weights`` of metrics that are no objectives have no effect; a study refuses them. The ``baseline``'s metrics scale
    the objectives.
    """
    quality = Quality.of_task(objectives, limits, baseline, options.weights)
    if options.form == "hard":
        return _Hard(quality)
    if options.form == "product":
        return _Product(quality, limits, options.p, options.q)
    if options.form == "soft":
        return _Product(quality, limits, SOFT_EXPONENT, SOFT_EXPONENT)
    if options.form == "relu":
        return _Relu(quality, limits, options.penalty)
    if options.form == "lagrangian":
        return _Lagrangian(quality, limits, options.step)
    return _Hypervolume(objectives)


def _bounded(violation: float) -> float:
    """0..1, in the order of the violation; above 0, so that a broken limit is never free."""
    return max(violation, 1e-9) / (1.0 + max(violation, 1e-9))


def _ratios(result: TrialResult, limits: Mapping[str, float]) -> dict[str, float]:
    """Each limited metric that is known, over its limit."""
    known = {name: most for name, most in limits.items() if name in result.metrics}
    return {
        name: min(max(result.metrics[name] / max(most, 1e-30), 1e-6), 1.0 + WORST_EXCESS)
        for name, most in known.items()
    }


class _Stateless:
    """A reward that learns nothing."""

    drifts = False

    def learn(self, results: Sequence[TrialResult]) -> None:
        """Nothing is learnt."""


@dataclass(frozen=True)
class _Hard(_Stateless):
    """Feasible designs by quality (above 0); the others below 0, by how far they break the limits (Deb et al. 2002)."""

    quality: Quality

    def score(self, result: TrialResult) -> float:
        value = self.quality(result.metrics)
        if result.status == "ok" and value is not None:
            return value
        return -_bounded(result.violation) if result.status == "constraint" else NO_DESIGN


@dataclass(frozen=True)
class _Product(_Stateless):
    """NAHAS' reward, quality × Π (metric / limit)^w with w = p within the limit and q beyond (arXiv 2102.08619).

    ``p = 0, q = -1`` is its hard form, both -0.07 its soft one; both may prefer a design that breaks a limit. Where a
    broken limit kept the objectives from being known, the trial scores below 0 as in ``hard``.
    """

    quality: Quality
    limits: Mapping[str, float]
    p: float
    q: float

    def score(self, result: TrialResult) -> float:
        value = self.quality(result.metrics)
        if result.status == "infeasible":
            return NO_DESIGN
        if value is None:
            return -_bounded(result.violation)
        for ratio in _ratios(result, self.limits).values():
            value *= ratio ** (self.p if ratio <= 1.0 else self.q)
        return value


@dataclass(frozen=True)
class _Relu(_Stateless):
    """One-sided weighted sum, quality - penalty · Σ max(0, metric / limit - 1) (H2O-NAS, Li et al., ASPLOS 2023)."""

    quality: Quality
    limits: Mapping[str, float]
    penalty: float

    def score(self, result: TrialResult) -> float:
        if result.status == "infeasible":
            return NO_DESIGN - self.penalty * WORST_EXCESS * max(len(self.limits), 1)
        over = math.fsum(max(0.0, ratio - 1.0) for ratio in _ratios(result, self.limits).values())
        return (self.quality(result.metrics) or 0.0) - self.penalty * over


class _Lagrangian:
    """log quality - Σ λ·log(metric / limit), each λ ≥ 0 climbing while its limit is broken on average (dual ascent;
    Boyd & Vandenberghe 2004, §5). Stationary points keep the limits with the least loss of quality.
    """

    drifts = True

    def __init__(self, quality: Quality, limits: Mapping[str, float], step: float) -> None:
        self._quality, self._limits, self._step = quality, limits, step
        self.multipliers = dict.fromkeys(limits, 0.0)
        self._least = 0.0  # of the qualities seen: stands for those that a broken limit kept from being known

    def score(self, result: TrialResult) -> float:
        """The Lagrangian at the present multipliers."""
        ratios = _ratios(result, self._limits)
        worst = math.log1p(WORST_EXCESS) * math.fsum(self.multipliers.values())
        if result.status == "infeasible":
            return LEAST_LOG - worst + NO_DESIGN
        value = self._log_quality(result)
        price = math.fsum(self.multipliers[name] * math.log(ratio) for name, ratio in ratios.items())
        return (self._least if value is None else value) - price

    def _log_quality(self, result: TrialResult) -> float | None:
        value = self._quality.log(result.metrics)
        return None if value is None else max(value, LEAST_LOG)

    def learn(self, results: Sequence[TrialResult]) -> None:
        """One step of the multipliers along the batch's mean excess."""
        values = [self._log_quality(result) for result in results if result.status != "infeasible"]
        self._least = min([self._least, *(value for value in values if value is not None)])
        known = [_ratios(result, self._limits) for result in results]
        for name in self.multipliers:
            excess = [math.log(ratios[name]) for ratios in known if name in ratios]
            if excess:
                climbed = self.multipliers[name] + self._step * math.fsum(excess) / len(excess)
                self.multipliers[name] = max(0.0, climbed)


class _Hypervolume:
    """How much hypervolume a design adds to the front found so far; for one that adds none, minus how far it is from
    adding some (uncrowded hypervolume improvement, Touré et al., GECCO 2019). Designs that break a limit come after.

    Costs count by their logarithm. The front's own ranges are the unit, 1.1 of them the reference point.
    """

    drifts = False

    def __init__(self, objectives: Sequence[str]) -> None:
        self._objectives = tuple(objectives)
        self._front = np.empty((0, len(self._objectives)))

    def _point(self, result: TrialResult) -> NDArray[np.float64] | None:
        if result.status != "ok" or any(name not in result.metrics for name in self._objectives):
            return None
        return np.array([
            result.metrics[name] / 100.0 if name in ERRORS else math.log(max(result.metrics[name], 1e-30))
            for name in self._objectives
        ])

    def score(self, result: TrialResult) -> float:
        """Above 0: adds to the front; -1..0: feasible; -2..-1: breaks a limit."""
        point = self._point(result)
        if point is None:
            return -1.0 - _bounded(result.violation) if result.status == "constraint" else NO_DESIGN
        if not len(self._front):
            return 1.0
        low, high = self._front.min(axis=0), self._front.max(axis=0)
        unit = np.where(high - low > 1e-9, high - low, 0.1)
        front, own = (self._front - low) / unit, (point - low) / unit
        behind = float(np.max(np.min(own - front, axis=1)))  # so much less of everything would put it on the front
        if behind >= 0.0:
            return -behind / (1.0 + behind)
        reference = np.full(len(own), 1.1)
        return hypervolume(np.vstack([front, own]), reference) - hypervolume(front, reference)

    def learn(self, results: Sequence[TrialResult]) -> None:
        """Keep the front."""
        points = [point for point in map(self._point, results) if point is not None]
        if points:
            every = np.vstack([self._front, *points])
            self._front = every[non_dominated(every)]
