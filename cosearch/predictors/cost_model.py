"""A learned cost model: latency, energy and area of designs, from designs that were mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import BadInput
from ..spaces.space import Space, Value
from .base import F64, Predictor
from .encoding import Encoding, Statistics
from .registry import make_predictor
from .trust import kendall

__all__ = ["CostError", "LearnedCosts"]

_HELD_OUT = 0.2
_FEWEST = 20
METRICS = ("latency_s", "energy_j", "area_mm2")


@dataclass(frozen=True)
class CostError:
    """On designs the model did not see: mean and worst relative error in percent, and Kendall's tau-b."""

    held_out: int
    mean_pct: float
    worst_pct: float
    tau: float


@dataclass
class LearnedCosts:
    """Predicts the costs of points of a joint space, for searches that cannot wait for a mapper.

    As in NAHAS (arXiv 2102.08619) a regression on the one-hot code of network and hardware, here of the logarithm of
    each cost, and with free statistics beside the code where there are any. A fifth of the designs is held out, to say
    how wrong it is; the model that predicts has learnt them all.
    """

    space: Space
    statistics: Statistics | None = None
    predictor: str = "forest"
    seed: int = 0
    errors: dict[str, CostError] = field(default_factory=dict)
    """Of each metric, after ``fit``."""

    def __post_init__(self) -> None:
        self._encoding = Encoding(self.space, self.statistics)
        self._fitted: dict[str, Predictor] = {}

    def fit(self, points: Sequence[Mapping[str, Value]], metrics: Sequence[Mapping[str, float]]) -> None:
        """Learn what designs cost, by metric: those of `METRICS` that all of them state.

        Raises `BadInput` for fewer than twenty designs, and for costs that are not positive and finite.
        """
        if len(points) != len(metrics) or len(points) < _FEWEST:
            raise BadInput(f"{len(metrics)} costs of {len(points)} designs: give at least {_FEWEST}, and costs of each")
        inputs = self._encoding.inputs(points)
        order = np.random.default_rng(self.seed).permutation(len(points))
        held, rest = np.split(order, [int(_HELD_OUT * len(points))])
        for name in METRICS:
            if not all(name in each for each in metrics):
                continue
            costs = np.array([each[name] for each in metrics], dtype=np.float64)
            if not (np.isfinite(costs).all() and (costs > 0).all()):
                raise BadInput(f"{name}: costs must be positive and finite; leave designs that cannot be mapped out")
            labels = np.log(costs)
            trial = self._new()
            trial.prepare(inputs)
            trial.fit(inputs.rows(rest), labels[rest])
            said = trial.predict(inputs.rows(held))[0]
            wrong = 100.0 * np.abs(np.expm1(said - labels[held]))
            self.errors[name] = CostError(
                len(held), float(wrong.mean()), float(wrong.max()), kendall(said, labels[held])
            )
            whole = self._new()
            whole.prepare(inputs)
            whole.fit(inputs, labels)
            self._fitted[name] = whole

    def predict(self, points: Sequence[Mapping[str, Value]]) -> dict[str, F64]:
        """The metrics learnt, (n,) each, in SI units (area: mm²); `BadInput` before ``fit``."""
        if not self._fitted:
            raise BadInput("the cost model has learnt nothing yet; call fit with mapped designs")
        inputs = self._encoding.inputs(points)
        return {name: np.exp(predictor.predict(inputs)[0]) for name, predictor in self._fitted.items()}

    def statement(self) -> str:
        """How wrong it is, in words."""
        parts = [
            f"{name} by {error.mean_pct:.1f} % on average (worst {error.worst_pct:.0f} %, tau {error.tau:.2f})"
            for name, error in self.errors.items()
        ]
        count = next(iter(self.errors.values())).held_out if self.errors else 0
        return f"Costs are predicted, and off on {count} designs held out: {', '.join(parts)}."

    def _new(self) -> Predictor:
        return make_predictor(self.predictor, self.seed)
