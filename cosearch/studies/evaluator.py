"""Judges the designs of a study: builds network and hardware, checks the limits, maps, and predicts the accuracy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from ...accel.accelerator import Accelerator
from ...accel.spec import load_accelerator
from ...errors import BadInput, ImpossibleResult, Infeasible
from ...models.network import Network
from ..accuracy.registry import accuracy_source
from ..accuracy.source import Accuracy, AccuracySource, Answer, Refusal
from ..accuracy.stated_losses import less_stated
from ..predictors.encoding import Statistics
from ..predictors.statistics import free_statistics
from ..spaces.compose import choices_of, networks_of
from ..spaces.composed_space import ComposedSpace, parts_of
from ..spaces.dataflow import DATAFLOW, FREE, dataflow_choice
from ..spaces.genes import training_recipe
from ..spaces.hardware import HARDWARE_PREFIX, fixed_parameters, hardware_defaults, hardware_space, hardware_values
from ..spaces.network_space import NetworkSpace, network_values
from ..spaces.patch_accelerator import patch_accelerator
from ..spaces.space import Space, Value
from ..strategies.nested import NestedOptions
from ..sweep.sampled import SampledSweep
from .costs import CostSource, cost_source
from .foreknown import Foreknown, foreknown, life_metrics, sizes
from .showing import gantt_of, transfer_frame
from .spec import HardwarePart, StudySpec
from .trial import METRICS, REFUSED, Status, TrialResult, accuracy_metrics, accuracy_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...accel.simulator.gantt import GanttInfo
    from ...mapper.estimate import Estimate
    from ..sweep.base import Sweep

__all__ = [
    "StudyEvaluator", "exceeded", "left_to_search", "mean_costs", "network_choices", "patched_accelerator",
    "searched_hardware",
]  # fmt: skip

_CHIPS = 1000  # remembered, because searches come back to them
_NETWORKS = 16


class StudyEvaluator:
    """What a study asks of a design. Equal values give equal results, in any process.

    A design's limits are checked in the order of what they cost to know: silicon area and the network's size before
    anything is mapped, and an accuracy that takes training (`AccuracySource.expensive`) last of all.
    """

    _recalled: Accuracy | None = None
    _learnt: Any = None  # what another process's source of accuracies had learnt

    def __init__(self, spec: StudySpec) -> None:
        self.spec = spec

    def __getstate__(self) -> dict[str, Any]:
        kept = ("spec", "baseline", "limits", "_learnt")
        learnt = getattr(self.__dict__.get("_accuracy"), "learnt", None)
        own = self.__dict__ if learnt is None else {**self.__dict__, "_learnt": learnt}
        return {name: value for name, value in own.items() if name in kept}

    @cached_property
    def accelerator(self) -> Accelerator:
        """The accelerator whose parameters are searched, at their defaults."""
        return patched_accelerator(self.spec.hardware)

    @cached_property
    def networks(self) -> NetworkSpace:
        """The space of networks."""
        return networks_of(self.spec.network)

    @cached_property
    def _accuracy(self) -> AccuracySource:
        part = self.spec.accuracy
        source = accuracy_source(part.source, self.networks, part.model_extra, network_choices(self.spec))
        if self._learnt is not None:
            source.take(self._learnt)  # type: ignore[attr-defined]  # a source that learns can be told
        return source

    @property
    def expensive(self) -> bool:
        """Whether a network's accuracy costs more than mapping it."""
        return self._accuracy.expensive

    @property
    def preparation_macs(self) -> float:
        """Multiply-accumulates that the accuracy source takes before its first answer."""
        return float(getattr(self._accuracy, "preparation_macs", 0.0))

    @cached_property
    def hardware(self) -> Space:
        """The accelerator's parameters that are searched, and the dataflow where the study offers a choice."""
        hardware = self.spec.hardware
        space = searched_hardware(hardware, self.accelerator)
        return space + Space((dataflow_choice(hardware.dataflow, self.accelerator),)) if hardware.dataflow else space

    @cached_property
    def space(self) -> Space:
        """Networks and hardware together."""
        return network_choices(self.spec) + self.hardware

    @cached_property
    def costs(self) -> CostSource:
        """Where latency and energy come from."""
        return cost_source(self.spec.mapper, self.networks, self.accelerator, self.hardware)

    @cached_property
    def sweep(self) -> Sweep | None:
        """A network's costs on all hardware, by tables where the study has them; in mode nested else on a sample."""
        options = self.spec.mode.options
        if self.costs.sweep is not None or not isinstance(options, NestedOptions):
            return self.costs.sweep
        return SampledSweep(
            self.networks, self.accelerator, self.hardware, self.costs.estimate, points=options.points,
            seed=self.spec.seed, area_mm2=self.limits.get("area_mm2", math.inf),
        )  # fmt: skip

    @cached_property
    def statistics(self) -> Statistics:
        """What is known for free of a network, for predictors."""
        return free_statistics(self.networks, self._network)

    @property
    def _default_hardware(self) -> dict[str, Value] | None:
        """The baseline's accelerator as a point of the hardware space; None where it is none of it."""
        baseline, hardware = self.spec.baseline, self.spec.hardware
        if baseline is None or baseline.accelerator != hardware.accelerator or hardware.patch:
            return None
        known = {DATAFLOW: FREE, **hardware_defaults(self.accelerator)}
        try:
            return self.hardware.validate({name: known[name] for name in self.hardware.names})
        except BadInput:
            return None

    @property
    def first(self) -> tuple[dict[str, Value], ...]:
        """The network space's own baseline, as patched, on the default hardware, where the space holds that design."""
        known = {DATAFLOW: FREE, **self.networks.baseline(), **hardware_defaults(self.accelerator)}
        if self.spec.network.patch:
            known |= {one.name: one.options[0] for one in network_choices(self.spec).choices if len(one.options) == 1}
        try:
            point = self.space.complete(known)
        except BadInput:
            return ()
        return (point,) if point.keys() <= known.keys() else ()

    @cached_property
    def baseline(self) -> dict[str, float]:
        """The baseline design's metrics; empty where the study names none."""
        if self.spec.baseline is None:
            return {}
        from ...models.load import load_network

        name, accelerator = self.spec.baseline.network, load_accelerator(self.spec.baseline.accelerator)
        own = name in (self.networks.name, self.spec.network.space)
        network = self.networks.build(self.networks.baseline()) if own else load_network(name)
        values = self.networks.baseline() if own else None
        known = sizes(network, accelerator)
        if self._recalled is None:
            found = self._accuracy.predict(network, values)
        else:
            found = less_stated(self._recalled, self.networks, network, values or {})
        accuracy = accuracy_metrics(found)
        return {**known, **accuracy, **self._mapped(network, accelerator, values or {}, self._default_hardware)}

    def recall(self, baseline: Mapping[str, float]) -> None:
        """Take the baseline's accuracy from an earlier run's metrics, where it would be dear to find out again."""
        accuracy = accuracy_of(baseline)
        if accuracy is not None and self._accuracy.expensive:
            self._recalled = replace(accuracy, macs=baseline.get("accuracy_macs", 0.0))

    @cached_property
    def limits(self) -> dict[str, float]:
        """The most each constrained metric may be."""
        return self.spec.limits(self.baseline)

    def design(self, values: Mapping[str, Value]) -> tuple[Network, Accelerator]:
        """The network and the accelerator of a point; `BadInput` where the point is none of the space."""
        own = self.space.validate(values)
        return self._network(own), self._chip(tuple(hardware_values(own).items()))

    def _network(self, values: Mapping[str, Value]) -> Network:
        """The network of a point; the last ones are remembered, since several questions are asked of each in turn."""
        return self._built(tuple((name, type(value), value) for name, value in network_values(values).items()))

    @cached_property
    def _built(self) -> Callable[[tuple[tuple[str, type, Value], ...]], Network]:
        """By types too: True and 1 may be two options of a choice, and are equal."""
        return lru_cache(_NETWORKS)(lambda own: self.networks.build({name: value for name, _, value in own}))

    @cached_property
    def _chip(self) -> Callable[[tuple[tuple[str, Value], ...]], Accelerator]:
        return lru_cache(_CHIPS)(lambda values: self.accelerator.with_parameters(**dict(values)))

    def foreknown(self, values: Mapping[str, Value]) -> Foreknown:
        """What is known of a design before it is mapped; `BadInput` or `Infeasible` where there is none."""
        network, accelerator = self.design(values)
        return foreknown(network, parts_of(self.networks, network, values), accelerator, self.spec.life_cycle)

    def network_key(self, values: Mapping[str, Value]) -> str | None:
        """The name of a point's network to whoever finds its accuracy; None where that is not the network's alone."""
        networks = self.networks
        return networks.asked_key(values) if isinstance(networks, ComposedSpace) else networks.key(values)

    def evaluate(self, values: Mapping[str, Value], accuracy: Answer | None = None) -> TrialResult:
        """The metrics of a design, or why it has none; ``accuracy`` is what its network's is known to be already."""
        start = time.perf_counter()
        status, metrics, reason, violation = self._judge(values, accuracy)
        return TrialResult(status, metrics, reason, violation, time.perf_counter() - start)

    def _judge(
        self, values: Mapping[str, Value], accuracy: Answer | None
    ) -> tuple[Status, dict[str, float], str, float]:
        metrics: dict[str, float] = {}
        try:
            network, accelerator = self.design(values)
            steps: list[Callable[[], dict[str, float]]] = [
                lambda: sizes(network, accelerator),
                lambda: self._found(network, values, accuracy, metrics),
                lambda: self._mapped(network, accelerator, values, self._hardware_part(values)),
            ]
            if self._accuracy.expensive:
                steps.append(steps.pop(1))
            for step in steps:
                metrics.update(step())
                reason, violation = exceeded(metrics, self.limits)
                if reason:
                    break
        except (Infeasible, BadInput) as error:
            return "infeasible", metrics, " ".join(str(error).split()), 0.0
        return ("constraint" if reason else "ok"), metrics, reason, violation

    def _found(
        self, network: Network, values: Mapping[str, Value], known: Answer | None, metrics: dict[str, float]
    ) -> dict[str, float]:
        """The accuracy's metrics; where there is none, ``metrics`` say that it was asked for."""
        try:
            if isinstance(known, Refusal):
                raise BadInput(known.reason)
            if known is None:
                return accuracy_metrics(self._accuracy.predict(network, values))
            return accuracy_metrics(less_stated(known, self.networks, network, values))
        except (Infeasible, BadInput):
            metrics.update(REFUSED)
            raise

    def _mapped(
        self,
        network: Network,
        accelerator: Accelerator,
        values: Mapping[str, Value],
        hardware: Mapping[str, Value] | None,
    ) -> dict[str, float]:
        """Costs of an input: the mean over where inputs leave, for a network with early exits."""
        parts = parts_of(self.networks, network, values)
        found = []
        for _, run in parts:
            estimate = self.costs.estimate(run, accelerator, hardware)
            found.append(_metrics(estimate, network, accelerator) | self._lived(network, estimate, values))
        return mean_costs([share for share, _ in parts], found)

    def _lived(self, network: Network, estimate: Estimate, values: Mapping[str, Value]) -> dict[str, float]:
        """What the whole life spends and emits, where the study describes one."""
        if self.spec.life_cycle is None:
            return {}
        life = self.spec.life_cycle.life_of(network, estimate, training_recipe(values))
        phases = {f"co2e_{name}_kg": phase.co2e_kg for name, phase in life.phases.items()}
        return {**life_metrics(life), **phases}

    def _hardware_part(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: values[name] for name in self.hardware.names if name in values}

    def layers(self, values: Mapping[str, Value]) -> DataFrame:
        """A row per operator of a design: cycles, energy by component, bound, mapping."""
        layers: DataFrame = self.costs.estimate(*self.design(values), self._hardware_part(values)).layers()
        return layers

    def timeline(self, values: Mapping[str, Value]) -> GanttInfo:
        """The simulated run of a design, as the analytic model mapped it."""
        network, accelerator = self.design(values)
        estimate = self.costs.estimate(network, accelerator, self._hardware_part(values))
        return gantt_of(network, accelerator, estimate)

    def transfer(self, values: Mapping[str, Value], networks: Sequence[str]) -> DataFrame:
        """Other networks on a design's hardware, and on the baseline's (or the default): time and energy of each."""
        before = load_accelerator(self.spec.baseline.accelerator) if self.spec.baseline else self.accelerator
        chosen = self.accelerator.with_parameters(**hardware_values(self.space.validate(values)))
        return transfer_frame(networks, {"baseline": before, "chosen": chosen}, self.spec.mapper)

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
    return choices_of(spec.network)


def patched_accelerator(hardware: HardwarePart) -> Accelerator:
    """The accelerator of a study as its patches leave it."""
    accelerator = load_accelerator(hardware.accelerator)
    return patch_accelerator(accelerator, hardware.patch) if hardware.patch else accelerator


def searched_hardware(hardware: HardwarePart, accelerator: Accelerator) -> Space:
    """The parameters to search of a study's accelerator as its patches left it: what a patch fixed is not among them.

    Raises `UnknownName` and `BadInput` as `hardware_space`.
    """
    left = left_to_search(hardware, accelerator)
    return hardware_space(accelerator, left.search, left.points)


def left_to_search(hardware: HardwarePart, accelerator: Accelerator) -> HardwarePart:
    """The study's hardware without a word of the parameters that its patches fix in ``accelerator``."""
    fixed = fixed_parameters(load_accelerator(hardware.accelerator), accelerator) if hardware.patch else frozenset()
    search = None if hardware.search is None else [name for name in hardware.search if name not in fixed]
    points = {name: values for name, values in hardware.points.items() if name not in fixed}
    return hardware.model_copy(update={"search": search, "points": points})


def _metrics(estimate: Estimate, network: Network, accelerator: Accelerator) -> dict[str, float]:
    names = ("latency_s", "energy_j", "edp", "cycles", "utilization")
    metrics = {name: float(getattr(estimate, name)) for name in names}
    wrong = [name for name, value in metrics.items() if not (math.isfinite(value) and value >= 0)]
    if wrong:
        raise ImpossibleResult(f"{network.name} on {accelerator.name}: {wrong[0]} = {metrics[wrong[0]]}")
    return metrics


def mean_costs(shares: Sequence[float], costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What an input costs on average, by the shares of inputs that cost so much; utilisation is that of the cycles."""
    if len(costs) == 1:
        return dict(costs[0])
    mean = {name: math.fsum(s * one[name] for s, one in zip(shares, costs, strict=True)) for name in costs[0]}
    busy = math.fsum(s * one["utilization"] * one["cycles"] for s, one in zip(shares, costs, strict=True))
    return mean | {"edp": mean["latency_s"] * mean["energy_j"], "utilization": busy / (mean["cycles"] or 1.0)}


def exceeded(metrics: Mapping[str, float], limits: Mapping[str, float]) -> tuple[str, float]:
    """The limits exceeded by what is known so far, in words, and by how much in all (relative)."""
    reasons, violation = [], 0.0
    for name, most in limits.items():
        if name in metrics and metrics[name] > most:
            metric = METRICS[name]
            value, limit = metrics[name] * metric.scale, most * metric.scale
            digits = 4 if f"{value:.4g}" != f"{limit:.4g}" else 8
            reasons.append(f"{name} {value:.{digits}g} exceeds {limit:.{digits}g} {metric.unit}".rstrip())
            violation += metrics[name] / most - 1.0
    return ", ".join(reasons), violation
