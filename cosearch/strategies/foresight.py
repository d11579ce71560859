"""What becomes of a design, foreseen: its accuracy by shared weights, its costs by the mapper or by a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from ...errors import BadInput
from ..accuracy.source import Accuracy, AccuracySource
from ..spaces.network_space import NetworkSpace, network_values
from ..spaces.space import Value
from ..studies.evaluator import exceeded
from ..studies.trial import TrialResult
from ..sweep.base import Sweep, SweepCosts
from .base import Task

__all__ = ["Costs", "Foresight"]

Costs = Literal["auto", "mapper", "sweep"]
Judge = Callable[[Mapping[str, Value], Accuracy], TrialResult]

_SWEPT = ("latency_s", "energy_j", "area_mm2", "edp")


class Foresight:
    """Results of designs without asking the study's own accuracy source.

    ``costs``: ``mapper`` has the study's evaluator judge each design; ``sweep`` takes costs from the task's sweep of
    all hardware; ``auto`` is the sweep where there is one that knows every objective and limit. Raises `BadInput` where
    the task does not offer that.
    """

    def __init__(self, task: Task, accuracy: AccuracySource, costs: Costs = "auto") -> None:
        if task.networks is None:
            raise BadInput("mode oneshot needs a space of networks; this study has none")
        unknown = [name for name in (*task.objectives, *task.limits) if name not in (*_SWEPT, "error_pct")]
        if costs == "auto":
            costs = "sweep" if task.sweep is not None and not unknown else "mapper"
        if costs == "sweep" and unknown:
            raise BadInput(f"mode oneshot: a sweep does not tell '{unknown[0]}'; write 'costs: mapper'")
        judge = task.judge
        if costs == "sweep":
            judge = _swept(task, task.networks, task.sweep) if task.sweep is not None else None
        if judge is None:
            other = "sweep" if costs == "mapper" else "mapper"
            raise BadInput(f"mode oneshot: this study offers no costs by {costs}; write 'costs: {other}'")
        self._networks, self._accuracy, self._judge = task.networks, accuracy, judge

    @property
    def preparation_macs(self) -> float:
        """Multiply-accumulates that the accuracy took before its first answer."""
        return float(getattr(self._accuracy, "preparation_macs", 0.0))

    def result(self, values: Mapping[str, Value]) -> TrialResult:
        """What the design's trial would say, with the foreseen accuracy."""
        try:
            accuracy = self._accuracy.predict(self._networks.build(values), values)
            return self._judge(values, accuracy)
        except BadInput as error:
            return TrialResult("infeasible", {}, " ".join(str(error).split()))


def _swept(task: Task, networks: NetworkSpace, sweep: Sweep) -> Judge:
    """Judges designs by a sweep, which is asked once for each network."""
    known: dict[str, SweepCosts] = {}

    def judge(values: Mapping[str, Value], accuracy: Accuracy) -> TrialResult:
        key = networks.key(values)
        if key not in known:
            known[key] = sweep.costs(network_values(values))
        place = sweep.hardware.number({name: values[name] for name in sweep.hardware.names})
        metrics = {name: float(known[key].metric(name)[place]) for name in _SWEPT}
        metrics |= {"error_pct": accuracy.top1_error, "error_sigma_pct": accuracy.sigma_pct}
        if not np.isfinite(metrics["latency_s"]):
            return TrialResult("infeasible", {"area_mm2": metrics["area_mm2"]}, "no mapping fits")
        reason, violation = exceeded(metrics, task.limits)
        return TrialResult("constraint" if reason else "ok", metrics, reason, violation)

    return judge
