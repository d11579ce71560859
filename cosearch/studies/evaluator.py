"""Judges the designs of a study: builds network and hardware, checks the limits, maps, and predicts the accuracy."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...accel.accelerator import Accelerator
from ...accel.spec import load_accelerator
from ...errors import BadInput, ImpossibleResult, Infeasible, UnknownName
from ...models.network import Network
from ..accuracy.registry import accuracy_source
from ..accuracy.source import AccuracySource
from ..spaces.hardware import HARDWARE_PREFIX, hardware_defaults, hardware_space, hardware_values
from ..spaces.network_space import NetworkSpace
from ..spaces.networks import network_space
from ..spaces.space import Choice, Space, Value
from .spec import StudySpec
from .trial import METRICS, Status, TrialResult

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...accel.simulator.gantt import GanttInfo
    from ...mapper.estimate import Estimate

__all__ = ["StudyEvaluator", "exceeded", "network_choices"]


class StudyEvaluator:
    """What a study asks of a design. Equal values give equal results, in any process.

    A design's limits are checked in the order of what they cost to know: silicon area and the network's size before
    anything is mapped.
    """

    def __init__(self, spec: StudySpec) -> None:
        self.spec = spec

    def __getstate__(self) -> dict[str, Any]:
        kept = ("spec", "baseline", "limits")
        return {name: value for name, value in self.__dict__.items() if name in kept}

    @cached_property
    def accelerator(self) -> Accelerator:
        """The accelerator whose parameters are searched, at their defaults."""
        return load_accelerator(self.spec.hardware.accelerator)

    @cached_property
    def networks(self) -> NetworkSpace:
        """The space of networks."""
        return network_space(self.spec.network.space)

    @property
    def _accuracy(self) -> AccuracySource:
        part = self.spec.accuracy
        return accuracy_source(part.source, self.spec.network.space, part.model_extra)

    @cached_property
    def space(self) -> Space:
        """Networks and hardware together."""
        hardware = self.spec.hardware
        return network_choices(self.spec) + hardware_space(self.accelerator, hardware.search, hardware.points)

    @property
    def first(self) -> tuple[dict[str, Value], ...]:
        """The network space's own baseline on the default hardware, where the space holds that design."""
        known = {**self.networks.baseline(), **hardware_defaults(self.accelerator)}
        try:
            return (self.space.validate({name: known[name] for name in self.space.names}),)
        except BadInput:
            return ()

    @cached_property
    def baseline(self) -> dict[str, float]:
        """The baseline design's metrics; empty where the study names none."""
        if self.spec.baseline is None:
            return {}
        from ...models.load import load_network

        network = load_network(self.spec.baseline.network)
        return self._measured(network, load_accelerator(self.spec.baseline.accelerator))

    @cached_property
    def limits(self) -> dict[str, float]:
        """The most each constrained metric may be."""
        return self.spec.limits(self.baseline)

    def design(self, values: Mapping[str, Value]) -> tuple[Network, Accelerator]:
        """The network and the accelerator of a point; `BadInput` where the point is none of the space."""
        own = self.space.validate(values)
        return self.networks.build(own), self.accelerator.with_parameters(**hardware_values(own))

    def evaluate(self, values: Mapping[str, Value]) -> TrialResult:
        """The metrics of a design, or why it has none."""
        start = time.perf_counter()
        status, metrics, reason, violation = self._judge(values)
        return TrialResult(status, metrics, reason, violation, time.perf_counter() - start)

    def _judge(self, values: Mapping[str, Value]) -> tuple[Status, dict[str, float], str, float]:
        metrics: dict[str, float] = {}
        try:
            network, accelerator = self.design(values)
            metrics.update(_known_at_once(network, accelerator))
            reason, violation = exceeded(metrics, self.limits)
            if not reason:
                metrics.update(self._predicted(network, values))
                reason, violation = exceeded(metrics, self.limits)
            if not reason:
                metrics.update(self._mapped(network, accelerator))
                reason, violation = exceeded(metrics, self.limits)
        except (Infeasible, BadInput) as error:
            return "infeasible", metrics, " ".join(str(error).split()), 0.0
        return ("constraint" if reason else "ok"), metrics, reason, violation

    def _measured(self, network: Network, accelerator: Accelerator) -> dict[str, float]:
        known = _known_at_once(network, accelerator)
        return {**known, **self._predicted(network, None), **self._mapped(network, accelerator)}

    def _predicted(self, network: Network, values: Mapping[str, Value] | None) -> dict[str, float]:
        accuracy = self._accuracy.predict(network, values)
        return {"error_pct": round(100.0 - accuracy.top1_pct, 4), "error_sigma_pct": accuracy.sigma_pct}

    def _mapped(self, network: Network, accelerator: Accelerator) -> dict[str, float]:
        estimate = self._estimate(network, accelerator)
        names = ("latency_s", "energy_j", "edp", "cycles", "utilization")
        metrics = {name: float(getattr(estimate, name)) for name in names}
        wrong = [name for name, value in metrics.items() if not (math.isfinite(value) and value >= 0)]
        if wrong:
            raise ImpossibleResult(f"{network.name} on {accelerator.name}: {wrong[0]} = {metrics[wrong[0]]}")
        return metrics | self._lived(network, estimate)

    def _lived(self, network: Network, estimate: Estimate) -> dict[str, float]:
        """What the whole life spends and emits, where the study describes one."""
        if self.spec.life_cycle is None:
            return {}
        life = self.spec.life_cycle.life_of(network, estimate)
        phases = {f"co2e_{name}_kg": phase.co2e_kg for name, phase in life.phases.items()}
        return {"co2e_kg": life.total.co2e_kg, "life_energy_j": life.total.energy_j, **phases}

    def _estimate(self, network: Network, accelerator: Accelerator) -> Estimate:
        from ...mapper.estimate import estimate

        mapper = self.spec.mapper
        return estimate(network, accelerator, mapper=mapper.name, objective=mapper.objective)

    def layers(self, values: Mapping[str, Value]) -> DataFrame:
        """A row per operator of a design: cycles, energy by component, bound, mapping."""
        layers: DataFrame = self._estimate(*self.design(values)).layers()
        return layers

    def timeline(self, values: Mapping[str, Value]) -> GanttInfo:
        """The simulated run of a design, as the analytic model mapped it."""
        from ...accel.simulator.gantt import gantt_info
        from ...mapper.simulation import simulate
        from ..reports.analysis.timeline import BINS

        network, accelerator = self.design(values)
        schedule = self._estimate(network, accelerator).schedule
        return gantt_info(simulate(network, accelerator, schedule), bins=BINS)

    def transfer(self, values: Mapping[str, Value], networks: Sequence[str]) -> DataFrame:
        """Other networks on a design's hardware, and on the baseline's (or the default): time and energy of each."""
        import pandas as pd

        before = load_accelerator(self.spec.baseline.accelerator) if self.spec.baseline else self.accelerator
        chosen = self.accelerator.with_parameters(**hardware_values(self.space.validate(values)))
        rows = [
            {"network": name, "hardware": hardware, **self._costs(name, accelerator)}
            for name in networks
            for hardware, accelerator in (("baseline", before), ("chosen", chosen))
        ]
        return pd.DataFrame(rows, columns=["network", "hardware", "latency_s", "energy_j", "edp", "reason"])

    def _costs(self, name: str, accelerator: Accelerator) -> dict[str, float | str]:
        from ...models.load import load_network

        try:
            found = self._estimate(load_network(name), accelerator)
        except Infeasible as error:
            return {"reason": " ".join(str(error).split())}
        return {"latency_s": found.latency_s, "energy_j": found.energy_j, "edp": found.edp, "reason": ""}

    def accuracy_statement(self) -> str:
        """How the accuracy is predicted and what error cross-validation found."""
        return self._accuracy.statement()

    def labels(self) -> dict[str, dict[str, str]]:
        """For people: the hardware choices' values with the units of the accelerator's spec, by choice and value."""
        units = {f"{HARDWARE_PREFIX}{parameter.name}": parameter.unit for parameter in self.accelerator.parameters}
        return {
            choice.name: {str(value): f"{value} {units[choice.name]}" for value in choice.options}
            for choice in self.space.choices
            if units.get(choice.name)
        }


def network_choices(spec: StudySpec) -> Space:
    """The network space with the options the study keeps; `BadInput` where a pattern or an option is unknown."""
    space = network_space(spec.network.space).space
    kept: dict[str, list[Value]] = {}
    for pattern, options in spec.network.only.items():
        names = [name for name in space.names if fnmatchcase(name, pattern)]
        if not names:
            raise UnknownName("choice", pattern, space.names)
        for choice in map(space.choice, names):
            offered = [option for option in options if _offers(choice, option)]
            if not offered:
                choice.index(options[0] if options else "")
            kept[choice.name] = offered
    return space.restrict(kept)


def _offers(choice: Choice, option: Value) -> bool:
    try:
        choice.index(option)
    except BadInput:
        return False
    return True


def _known_at_once(network: Network, accelerator: Accelerator) -> dict[str, float]:
    return {
        "area_mm2": accelerator.area_mm2, "peak_ops_per_s": accelerator.peak_ops_per_s,
        "macs": float(network.macs), "params": float(network.params),
    }  # fmt: skip


def exceeded(metrics: Mapping[str, float], limits: Mapping[str, float]) -> tuple[str, float]:
    """The limits exceeded by what is known so far, in words, and by how much in all (relative)."""
    reasons, violation = [], 0.0
    for name, most in limits.items():
        if name in metrics and metrics[name] > most:
            metric = METRICS[name]
            value, limit = metrics[name] * metric.scale, most * metric.scale
            reasons.append(f"{name} {value:.4g} exceeds {limit:.4g} {metric.unit}".rstrip())
            violation += metrics[name] / most - 1.0
    return ", ".join(reasons), violation
