"""What becomes of designs, by the trials so far: a predictor a metric, and what is known of a design at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import BadInput, Infeasible
from ..predictors.base import F64, Inputs, Predictor
from ..predictors.encoding import Encoding
from ..predictors.registry import PredictorName, make_predictor
from ..spaces.hardware import HARDWARE_PREFIX
from ..spaces.space import Choice, Value
from ..studies.foreknown import Foreknown
from ..studies.trial import LIFE_METRICS, TrialResult
from .base import Task
from .candidates import key_of

__all__ = ["FEWEST", "Forecast"]

FEWEST = 8  # results that a metric is predicted from
_NETWORKS_OWN = "error_pct"  # whatever the hardware
_ERRORS = (_NETWORKS_OWN, "tracking_loss_pct")  # in percent; costs are predicted by their logarithm
_EXACT = ("area_mm2", "macs", "params")  # of what is foreknown
_BOUNDED = ("latency_s", "energy_j", "edp")
_LEAST = 1e-300  # costs nothing
_REMEMBERED = 20_000  # designs
_NO_DESIGN = 1e3  # violation of choices that make no design


class Forecast:
    """Objectives and violations of designs that were not tried.

    Where the task foretells figures of a design, exact ones are not predicted; a metric whose least value is known is
    predicted in proportion to that, never below it, and one of which a near value is known in proportion to that. An
    error is learnt of the network alone, all else of the whole design, with the sizes of its hardware as numbers.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._metrics = tuple(dict.fromkeys((*task.objectives, *task.limits)))
        self._told = ("area_mm2", *_BOUNDED[:2], *(name for name in self._metrics if name in LIFE_METRICS))
        self._known: dict[object, Foreknown | None] = {}
        hardware = [choice for choice in task.space.choices if choice.name.startswith(HARDWARE_PREFIX)]
        self._sizes = [choice for choice in hardware if _is_size(choice)]
        networks = set(task.space.names) - {choice.name for choice in hardware}
        self._networks = Encoding(task.space.among(networks), task.statistics)
        self._designs = Encoding(task.space, self._about if task.statistics or task.foreknown or self._sizes else None)
        self._predictors: dict[str, Predictor] = {}

    def excess(self, values: Mapping[str, Value]) -> float:
        """By how much a design is known to be over the limits (a logarithm); 0 where that is not known."""
        if self._task.foreknown is None:
            return 0.0
        known = self._foreknown(values)
        if known is None:
            return _NO_DESIGN
        limits = self._task.limits
        return sum(
            max(0.0, _scaled(name, known.exact[name]) - _scaled(name, limits[name]))
            for name in _EXACT if name in limits
        )  # fmt: skip

    def fit(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult], name: PredictorName) -> bool:
        """Learn every objective and limit that is not known; False while one of the objectives hardly is."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        asked = self._inputs(points)
        self._predictors = {}
        for metric in self._metrics:
            rows = np.array([at for at, result in enumerate(results) if _usable(metric, result)], dtype=np.int64)
            if self._is_exact(metric):
                continue
            if len(rows) < FEWEST:
                if metric in self._task.objectives:
                    return False
                continue
            labels = np.array([_scaled(metric, results[row].metrics[metric]) for row in rows])
            predictor, inputs = make_predictor(name, self._task.seed), asked[metric]
            predictor.prepare(inputs)
            predictor.fit(inputs.rows(rows), labels - self._least(metric, [points[row] for row in rows]))
            self._predictors[metric] = predictor
        return True

    def of(self, points: Sequence[Mapping[str, Value]]) -> tuple[F64, F64]:
        """Objectives (n, m), costs as logarithms, and violations (n,)."""
        asked = self._inputs(points)
        said: dict[str, F64] = {}
        for metric in self._metrics:
            if self._is_exact(metric):
                found = [self._foreknown(values) for values in points]
                said[metric] = np.array([_scaled(metric, one.exact[metric]) if one else 0.0 for one in found])
            elif metric in self._predictors:
                above = self._predictors[metric].predict(asked[metric])[0]
                if metric in _BOUNDED and self._task.foreknown is not None:
                    above = np.maximum(above, 0.0)
                said[metric] = above + self._least(metric, points)
        violation = np.zeros(len(points))
        for metric, most in self._task.limits.items():
            if metric in said:
                violation += np.maximum(said[metric] - _scaled(metric, most), 0.0)
        if self._task.foreknown is not None:
            violation += [0.0 if self._foreknown(values) else _NO_DESIGN for values in points]
        return np.stack([said[name] for name in self._task.objectives], axis=1), violation

    def measured(self, results: Sequence[TrialResult]) -> F64:
        """The objectives (n, m) of trials, on the scales of `of`."""
        rows = [[_scaled(name, one.metrics[name]) for name in self._task.objectives] for one in results]
        return np.array(rows, dtype=np.float64).reshape(len(results), len(self._task.objectives))

    def figures(self, objectives: F64) -> F64:
        """Objectives on those scales as they are."""
        linear = [name in _ERRORS for name in self._task.objectives]
        return np.where(linear, objectives, np.exp(objectives))

    def _is_exact(self, metric: str) -> bool:
        return metric in _EXACT and self._task.foreknown is not None

    def _inputs(self, points: Sequence[Mapping[str, Value]]) -> dict[str, Inputs]:
        """What each metric is predicted from."""
        designs = self._designs.inputs(points)
        networks = self._networks.inputs(points) if _NETWORKS_OWN in self._metrics else designs
        if not networks.together().shape[1]:  # one network, of which nothing is known
            networks = designs
        return {metric: networks if metric == _NETWORKS_OWN else designs for metric in self._metrics}

    def _about(self, values: Mapping[str, Value]) -> F64:
        """The network's free statistics, logarithms of what is foreknown of the design, and of its hardware's sizes."""
        parts: list[F64] = []
        if self._task.statistics is not None:
            parts.append(np.asarray(self._task.statistics(values), dtype=np.float64))
        if self._task.foreknown is not None:
            known = self._foreknown(values)
            figures = {**known.exact, **known.least, **known.near} if known else {}
            parts.append(np.array([np.log(figures.get(name) or 1.0) for name in self._told]))
        parts.append(np.array([np.log(values[one.name]) if one.name in values else 0.0 for one in self._sizes]))
        return np.concatenate(parts)

    def _least(self, metric: str, points: Sequence[Mapping[str, Value]]) -> F64:
        """What a metric is predicted in proportion to (n,), as a logarithm."""
        known = [self._foreknown(values) for values in points]
        return np.array([np.log({**one.near, **one.least}.get(metric, 1.0)) if one else 0.0 for one in known])

    def _foreknown(self, values: Mapping[str, Value]) -> Foreknown | None:
        if self._task.foreknown is None:
            return None
        key = key_of(values)
        if key not in self._known:
            try:
                self._known[key] = self._task.foreknown(values)
            except (BadInput, Infeasible):
                self._known[key] = None
        return self._known[key]


def _is_size(choice: Choice) -> bool:
    return len(choice.options) > 1 and all(not isinstance(one, bool | str) and one > 0 for one in choice.options)


def _usable(name: str, result: TrialResult) -> bool:
    value = result.metrics.get(name)
    return value is not None and bool(np.isfinite(value)) and (name in _ERRORS or value > 0)


def _scaled(name: str, value: float) -> float:
    return value if name in _ERRORS else float(np.log(max(value, _LEAST)))
