"""What was measured: repetitions, idle power, and means with their confidence intervals.

Every name begins with ``measured_``: a measured figure never stands under the name of a modelled one (``energy_j``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from . import statistics
from .comparison import Comparison, compare
from .meter import Part
from .statistics import Interval, Scatter

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Idle", "Measured", "Run"]

LEAST_UPDATES = 10  # of a meter in a repetition; with fewer the first and last update weigh more than a tenth


@dataclass(frozen=True)
class Run:
    """A repetition: seconds and joules of every part by name, idle power included; of one call where it made many."""

    measured_duration_s: float
    measured_parts_j: Mapping[str, float]


@dataclass(frozen=True)
class Idle:
    """The machine at rest before the repetitions: watts of every part by name, a sample at a time (two at least)."""

    measured_samples_w: tuple[Mapping[str, float], ...]
    sample_s: float

    def power_w(self, parts: Sequence[str]) -> tuple[float, Scatter]:
        """Mean of these ``parts`` together, and how well it is known."""
        samples = [sum(sample[part] for part in parts) for sample in self.measured_samples_w]
        return statistics.mean(samples), statistics.scatter(samples)


@dataclass(frozen=True)
class Measured:
    """Energy that meters counted while a block ran. Figures are means of the repetitions, for one call of the block.

    ``measured_energy_j`` is what the block used above idle (``idle`` None: all there was); ``measured_total_energy_j``
    always holds the idle power of that time too. Intervals are Student's at ``confidence`` and hold the scatter of the
    repetitions and of the idle power. Made by `measure`.
    """

    name: str
    parts: tuple[Part, ...]
    runs: tuple[Run, ...]
    idle: Idle | None = None
    warmup: int = 0
    calls: int = 1
    confidence: float = 0.95
    refresh_s: float = 0.0
    missing: tuple[str, ...] = ()

    @property
    def repetitions(self) -> int:
        """Repetitions counted, after the warm-up."""
        return len(self.runs)

    @property
    def counted(self) -> tuple[str, ...]:
        """Names of the parts that are added up."""
        return tuple(part.name for part in self.parts if part.counted)

    @property
    def measured_energy_j(self) -> float:
        """Mean joules of one call, above idle where idle power was measured."""
        return statistics.mean(self.measured_energies_j())

    @property
    def measured_energy_ci_j(self) -> Interval:
        """Its confidence interval."""
        return self._interval(self.counted, net=True)

    @property
    def measured_total_energy_j(self) -> float:
        """Mean joules of one call, idle power included."""
        return statistics.mean(self.measured_total_energies_j())

    @property
    def measured_total_energy_ci_j(self) -> Interval:
        """Its confidence interval."""
        return self._interval(self.counted, net=False)

    @property
    def measured_duration_s(self) -> float:
        """Mean seconds of one call."""
        return statistics.mean(self.measured_durations_s())

    @property
    def measured_duration_ci_s(self) -> Interval:
        """Its confidence interval."""
        return statistics.interval(
            self.measured_duration_s, [statistics.scatter(self.measured_durations_s())], self.confidence
        )

    @property
    def measured_power_w(self) -> float:
        """Mean watts while the block ran, idle power included."""
        return self.measured_total_energy_j / self.measured_duration_s

    @property
    def measured_idle_power_w(self) -> float | None:
        """Mean watts before it ran; None where that was not measured."""
        return None if self.idle is None else self.idle.power_w(self.counted)[0]

    @property
    def measured_idle_power_ci_w(self) -> Interval | None:
        """Its confidence interval."""
        if self.idle is None:
            return None
        power, scatter = self.idle.power_w(self.counted)
        return statistics.interval(power, [scatter], self.confidence)

    def measured_durations_s(self) -> list[float]:
        """Of each repetition."""
        return [run.measured_duration_s for run in self.runs]

    def measured_total_energies_j(self, parts: Sequence[str] | None = None) -> list[float]:
        """Of each repetition, idle power included; of the counted parts together, or of ``parts``."""
        names = self.counted if parts is None else parts
        return [sum(run.measured_parts_j[name] for name in names) for run in self.runs]

    def measured_energies_j(self, parts: Sequence[str] | None = None) -> list[float]:
        """Of each repetition, above idle where that was measured."""
        names = self.counted if parts is None else parts
        power = 0.0 if self.idle is None else self.idle.power_w(names)[0]
        return [
            total - power * duration
            for total, duration in zip(self.measured_total_energies_j(names), self.measured_durations_s(), strict=True)
        ]

    def _interval(self, names: Sequence[str], *, net: bool) -> Interval:
        values = self.measured_energies_j(names) if net else self.measured_total_energies_j(names)
        scatters = [statistics.scatter(values)]
        if net and self.idle is not None:
            scatters.append(self.idle.power_w(names)[1].scaled(self.measured_duration_s))
        return statistics.interval(statistics.mean(values), scatters, self.confidence)

    def compare(self, other: Measured, quantity: str = "energy") -> Comparison:
        """Welch's test of this against ``other`` in ``"energy"`` (above idle where both know it) or ``"duration"``.

        Raises `BadInput` where the two cannot be held against each other: other meters, too few repetitions.
        """
        if not isinstance(other, Measured):
            kind = type(other).__name__
            raise BadInput(f"a measurement is compared with another one, not with {kind}; a model's figure is none")
        return compare(self, other, quantity)

    def table(self) -> DataFrame:
        """A row per part and one for the ``total`` of those that count.

        Columns: ``part``, ``device``, ``method``, ``counted``; joules of a call ``measured_energy_j``, its interval
        ``measured_energy_low_j`` and ``measured_energy_high_j``, ``measured_total_energy_j``; watts
        ``measured_power_w``, ``measured_idle_power_w``.
        """
        import pandas as pd

        rows = [
            {"part": part.name, "device": part.device, "method": part.method, "counted": part.counted}
            | self._figures((part.name,))
            for part in self.parts
        ]
        total = {"part": "total", "device": "", "method": "sum of those counted", "counted": True}
        return pd.DataFrame([*rows, total | self._figures(self.counted)])

    def _figures(self, names: Sequence[str]) -> dict[str, float | None]:
        energy = statistics.mean(self.measured_energies_j(names))
        total, span = statistics.mean(self.measured_total_energies_j(names)), self._interval(names, net=True)
        return {
            "measured_energy_j": energy,
            "measured_energy_low_j": span.low,
            "measured_energy_high_j": span.high,
            "measured_total_energy_j": total,
            "measured_power_w": total / self.measured_duration_s,
            "measured_idle_power_w": None if self.idle is None else self.idle.power_w(names)[0],
        }

    def runs_table(self) -> DataFrame:
        """A row per repetition: ``repetition`` from 1, ``measured_duration_s``, ``measured_energy_j`` (above idle),
        ``measured_total_energy_j``."""
        import pandas as pd

        rows = zip(
            self.measured_durations_s(), self.measured_energies_j(), self.measured_total_energies_j(), strict=True
        )
        columns = ["measured_duration_s", "measured_energy_j", "measured_total_energy_j"]
        frame = pd.DataFrame(list(rows), columns=columns)
        frame.insert(0, "repetition", range(1, len(frame) + 1))
        return frame

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures has to know, in words."""
        return tuple(_notes(self))

    def summary(self) -> dict[str, Any]:
        """The figures as plain data."""
        energy, total, span = self.measured_energy_ci_j, self.measured_total_energy_ci_j, self.measured_duration_ci_s
        idle = self.measured_idle_power_ci_w
        return {
            "name": self.name,
            "repetitions": self.repetitions,
            "warmup": self.warmup,
            "calls": self.calls,
            "confidence": self.confidence,
            "measured_energy_j": self.measured_energy_j,
            "measured_energy_ci_j": [energy.low, energy.high],
            "measured_total_energy_j": self.measured_total_energy_j,
            "measured_total_energy_ci_j": [total.low, total.high],
            "measured_duration_s": self.measured_duration_s,
            "measured_duration_ci_s": [span.low, span.high],
            "measured_power_w": self.measured_power_w,
            "measured_idle_power_w": self.measured_idle_power_w,
            "measured_idle_power_ci_w": None if idle is None else [idle.low, idle.high],
            "parts": self.table().to_dict("records"),
            "runs": self.runs_table().to_dict("records"),
            "missing": list(self.missing),
            "notes": list(self.notes),
        }


def _notes(measured: Measured) -> list[str]:
    said = []
    if measured.idle is None:
        said.append("idle power was not measured: figures hold what the machine uses at rest")
    elif measured.measured_energy_ci_j.low <= 0:
        said.append("the energy cannot be told from that of the idle machine; run a longer block, or calls of it")
    if measured.repetitions < 2:
        said.append("one repetition says nothing about its scatter; repeat it for an interval")
    shortest = min(measured.measured_durations_s()) * measured.calls
    if shortest < LEAST_UPDATES * measured.refresh_s:
        said.append(
            f"the shortest repetition took {shortest * 1e3:.3g} ms while a meter is updated every "
            f"{measured.refresh_s * 1e3:.3g} ms; let a repetition make more calls"
        )
    sampled = [part.name for part in measured.parts if part.method == "sampled power"]
    if sampled:
        said.append(f"power of {', '.join(sampled)} was sampled and integrated, as there is no counter of energy")
    said.append("all that ran on the machine meanwhile is in the figures")
    return said
