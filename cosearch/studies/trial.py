"""What flows through a search: a proposal goes out, a result comes back, together they are one trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from ...energy.life.accounts import PHASES
from ...errors import shortened
from ..accuracy.source import Accuracy, Answer, Refusal
from ..spaces.space import Value

__all__ = [
    "LIFE_METRICS", "METRICS", "OBJECTIVES", "REFUSED", "TRACKING_LOSS", "VIDEO_METRICS", "Dropped", "Evaluator",
    "Metric", "Proposal", "Status", "Trial", "TrialResult", "accuracy_metrics", "accuracy_of", "answer_of",
]  # fmt: skip

Status = Literal["ok", "constraint", "infeasible"]
TRACKING_LOSS = "tracking_loss_pct"


@dataclass(frozen=True)
class Metric:
    """A number a trial may have. ``dimension`` is how the units module calls it, ``scale`` takes SI to ``unit``."""

    name: str
    label: str
    dimension: str
    unit: str = ""
    scale: float = 1.0

    @property
    def title(self) -> str:
        """Label and unit, as on an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("latency_s", "Latency", "time", "ms", 1e3),
        Metric("energy_j", "Energy", "energy", "mJ", 1e3),
        Metric("error_pct", "Top-1 error", "none", "%"),
        Metric("error_sigma_pct", "Uncertainty of the error", "none", "%"),
        Metric("stated_loss_pct", "Part of the error that the study states", "none", "%"),
        Metric("accuracy_macs", "MACs spent on the accuracy", "none", "G", 1e-9),
        Metric(TRACKING_LOSS, "Tracking loss", "none", "%"),
        Metric("area_mm2", "Area", "area", "mm²"),
        Metric("co2e_kg", "Life-cycle carbon", "mass", "kg CO₂e"),
        Metric("life_energy_j", "Life-cycle energy", "energy", "kWh", 1.0 / 3.6e6),
        *(Metric(f"co2e_{phase}_kg", f"Carbon of {phase}", "mass", "kg CO₂e") for phase in PHASES),
        Metric("edp", "Energy-delay product", "none", "µJ·s", 1e6),
        Metric("cycles", "Cycles", "none"),
        Metric("utilization", "Utilisation", "none"),
        Metric("macs", "MACs", "none", "M", 1e-6),
        Metric("params", "Parameters", "none", "M", 1e-6),
        Metric("peak_ops_per_s", "Peak", "none", "TOPS", 1e-12),
    )
}
LIFE_METRICS: tuple[str, ...] = ("co2e_kg", "life_energy_j")
OBJECTIVES: tuple[str, ...] = (
    "latency_s", "energy_j", "error_pct", "area_mm2", "edp", TRACKING_LOSS, *LIFE_METRICS,
)  # fmt: skip
VIDEO_METRICS: tuple[str, ...] = ("latency_s", "energy_j", "area_mm2", "edp", TRACKING_LOSS)
"""What of the objectives and limits a design of the video pipeline has."""


@dataclass(frozen=True)
class Proposal:
    """A design to try: its ``number`` in the search (from 0) and one option of every choice."""

    number: int
    values: Mapping[str, Value]


@dataclass(frozen=True)
class TrialResult:
    """What became of a design.

    ``ok``: every metric is known and every constraint kept. ``constraint``: a limit is exceeded; ``violation`` is by
    how much (relative, summed), and ``metrics`` holds what was known when it was rejected. ``infeasible``: there is no
    such design, or no mapping fits it. ``reason`` says it in words. ``wall_s`` is the time it took, and no result.
    """

    status: Status
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    violation: float = 0.0
    wall_s: float = 0.0


@dataclass(frozen=True)
class Dropped:
    """``networks`` that never became trials, as no hardware runs them within the limits.

    ``least`` is the lowest value that could be had of each limited metric, one at a time (SI units).
    """

    networks: int = 0
    least: Mapping[str, float] = field(default_factory=dict)


def accuracy_metrics(accuracy: Accuracy) -> dict[str, float]:
    """What a trial records of its network's accuracy; ``accuracy_macs`` is what finding it out cost this trial."""
    lost = accuracy.lost_pct
    # Rounded apart, so that the source's own answer can be had back to the digit.
    stated = {} if lost is None else {"stated_loss_pct": round(lost, 4)}
    found = round(accuracy.top1_error - (lost or 0.0), 4)
    return {
        "error_pct": round(found + stated.get("stated_loss_pct", 0.0), 4), "error_sigma_pct": accuracy.sigma_pct,
        **stated, "accuracy_macs": accuracy.macs,
    }  # fmt: skip


def accuracy_of(metrics: Mapping[str, float]) -> Accuracy | None:
    """The accuracy recorded in a trial's metrics, as another trial of the same network gets it: it costs nothing more.

    It is the source's own answer, without the losses that the study states. None where the trial has no accuracy.
    """
    if "error_pct" not in metrics:
        return None
    error = metrics["error_pct"]
    if "stated_loss_pct" in metrics:
        error = round(error - metrics["stated_loss_pct"], 4)
    return Accuracy(100.0 - error, metrics.get("error_sigma_pct", 0.0))


REFUSED: Mapping[str, float] = {"accuracy_macs": 0.0}
"""What a trial records where the source was asked and has no accuracy for its network: a cost, and no error."""


def answer_of(result: TrialResult) -> Answer | None:
    """What a trial found out of its network's accuracy; None where it ended before that was asked for."""
    if "error_pct" not in result.metrics and REFUSED.keys() <= result.metrics.keys():
        return Refusal(result.reason)
    return accuracy_of(result.metrics)


class Evaluator(Protocol):
    """Judges one design. It travels to worker processes by pickle, and equal values must give equal results."""

    def evaluate(self, values: Mapping[str, Value], accuracy: Answer | None = None) -> TrialResult:
        """The result of one point of the joint space; a design that cannot be is a result, not an exception.

        ``accuracy`` is what is known of the point's network already (`answer_of`): nobody asks for it again then.
        """


@dataclass(frozen=True)
class Trial:
    """A finished trial; ``place`` is the file and line it was read from, "" for one that was not."""

    number: int
    values: Mapping[str, Value]
    result: TrialResult
    place: str = field(default="", compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data for one line of the log."""
        result = self.result
        return {
            "number": self.number, "status": result.status, "reason": result.reason, "violation": result.violation,
            "metrics": dict(result.metrics), "values": dict(self.values), "wall_s": result.wall_s,
        }  # fmt: skip

    @staticmethod
    def from_json(data: Any) -> Trial:
        """The inverse of ``to_json``; raises ``ValueError`` where ``data`` is no trial."""
        if not isinstance(data, dict):
            raise ValueError(f"a trial has the keys {', '.join(sorted(_KEYS))}")
        for names, fault in ((_KEYS - set(data), "lacks"), (set(data) - _KEYS, "has another version's")):
            if names:
                raise ValueError(f"a trial has the keys {', '.join(sorted(_KEYS))}, and this {fault} '{min(names)}'")
        number, metrics, values = data["number"], data["metrics"], data["values"]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"'{number}' is no trial's number")
        if data["status"] not in get_args(Status):
            raise ValueError(f"'{data['status']}' is no status")
        if not isinstance(metrics, dict) or not isinstance(values, dict):
            raise ValueError("'metrics' and 'values' must be mappings")
        numbers = {name: _number(name, value) for name, value in metrics.items()}
        violation, wall_s = (_number(name, data[name]) for name in ("violation", "wall_s"))
        return Trial(number, values, TrialResult(data["status"], numbers, str(data["reason"]), violation, wall_s))


def _number(name: str, value: object) -> float:
    """A metric's value; raises ``ValueError`` for one that no trial has."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"'{name}' is {shortened(repr(value))}, no finite number")
    if value < 0 and name in _NEVER_BELOW_ZERO:
        raise ValueError(f"'{name}' is {value}, below zero")
    return float(value)


# An error that is predicted may fall below zero, and so may what a life takes, by what is recycled.
_NEVER_BELOW_ZERO = frozenset({
    "latency_s", "energy_j", "area_mm2", "edp", "cycles", "utilization", "macs", "params", TRACKING_LOSS, "violation",
})  # fmt: skip
_KEYS = frozenset({"number", "status", "reason", "violation", "metrics", "values", "wall_s"})
