"""What a level costs: each energy, area and leakage as its spec states it, or else as the estimators find it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..document import YamlPath
from ..energy.components import Figure
from ..energy.draws import factor_of
from ..energy.estimators import Component, ComponentEstimate, estimate_component
from ..energy.scaling import PROCESSES, check_node
from ..energy.voltage import at_voltage
from ..errors import BadInput
from .frozen import FrozenDict
from .spec_check import Evaluator
from .spec_models import AcceleratorSpec, MemorySpec

__all__ = ["Costs", "Pricer", "known_node", "stated_name"]

OFF_CHIP = ("dram", "link")  # which have a supply of their own
_UNITS = {"area": "mm2", "leakage": "W", "energy_scale": ""}


def stated_name(level: str, key: str) -> str:
    """Under which name a figure that a spec states is multiplied (`dovetail.energy.draws`)."""
    return f"stated.{level}.{key}"


@dataclass(frozen=True)
class Costs:
    """Values of a level in SI units by key, where each is from (in words), and the same as a `Figure`."""

    values: Mapping[str, float]
    origin: FrozenDict
    figures: FrozenDict

    def __getitem__(self, key: str) -> float:
        return self.values[key]

    def joined(self, other: Costs) -> Costs:
        """These and the other's."""
        return Costs(
            {**self.values, **other.values},
            FrozenDict({**self.origin, **other.origin}),
            FrozenDict({**self.figures, **other.figures}),
        )

    def plus(self, other: Costs) -> Costs:
        """The sum, key by key: the other's values come on top of these."""
        added = dict(self.figures)
        for key, more in other.figures.items():
            added[key] = _sum(added[key], more) if key in added else more
        return Costs(
            {key: value + other.values.get(key, 0.0) for key, value in self.values.items()},
            FrozenDict({key: "; ".join((text, *_more(other, key))) for key, text in self.origin.items()}),
            FrozenDict(added),
        )


def _more(costs: Costs, key: str) -> tuple[str, ...]:
    return (costs.origin[key].removeprefix("estimated: "),) if key in costs.origin else ()


def _sum(one: Figure, other: Figure) -> Figure:
    """Two figures in one; their uncertainties are taken as independent."""
    value = one.value + other.value
    spread = math.hypot(one.uncertainty * one.value, other.uncertainty * other.value)
    return Figure(
        name=one.name,
        value=value,
        unit=one.unit,
        source=f"{one.source}; {other.source}",
        validity=f"{one.validity}; {other.validity}",
        uncertainty=spread / value if value else 0.0,
        constants=tuple(dict.fromkeys((*one.constants, *other.constants))),
    )


class Pricer:
    """Prices the levels of one spec; what is estimated is for its supply voltage (None: that of the tables)."""

    def __init__(
        self, spec: AcceleratorSpec, evaluator: Evaluator, technology_nm: float, voltage_v: float | None
    ) -> None:
        self.spec, self.evaluator, self.technology_nm, self.voltage_v = spec, evaluator, technology_nm, voltage_v
        self._stated = f"stated: {spec.source or spec.name}"
        self.none = Costs({}, FrozenDict(), FrozenDict())

    def price(
        self,
        level: str,
        numbers: Mapping[str, float],
        actions: Mapping[str, str],
        path: YamlPath,
        kind: str,
        attributes: Mapping[str, float | str],
        *,
        times: Mapping[str, float] | None = None,
        of: tuple[str, ...] = ("leakage", "area"),
    ) -> Costs:
        """The costs of a component: what ``numbers`` has of its keys, and an estimate of the others.

        ``actions`` pairs a key of the level with the estimator's action, ``of`` adds keys named like the estimate's.
        An estimated value counts so many ``times``.
        """
        wanted = {**actions, **{key: key for key in of}}
        missing = [key for key in wanted if key not in numbers]
        costs = self._as_stated(level, {key: numbers[key] for key in wanted if key in numbers})
        costs = costs.joined(self.nothing(missing))
        if not missing or self.evaluator.problems:  # an estimate for a wrong number would only add noise
            return costs
        estimate = self._estimate(path, kind, attributes)
        if estimate is None:
            return costs
        origin = f"estimated: {'; '.join(estimate.sources)}"
        values, figures = {}, {}
        for key in missing:
            figure, count = estimate.figure(wanted[key]), 1.0 if times is None else times.get(key, 1.0)
            value = _value(estimate, wanted[key])
            values[key] = value * count if count != 1.0 else value
            figures[key] = replace(figure, name=key, value=values[key])
        return costs.joined(Costs(values, FrozenDict(dict.fromkeys(missing, origin)), FrozenDict(figures)))

    def scale(self, level: MemorySpec, numbers: Mapping[str, float]) -> Costs:
        """The factor on a memory's estimated energies, which is a figure of the spec where it states one."""
        key = "energy_scale"
        if key not in level.model_fields_set:
            return Costs({key: numbers[key]}, FrozenDict(), FrozenDict())
        return self._as_stated(level.name, {key: numbers[key]})

    def nothing(self, keys: list[str]) -> Costs:
        """Costs of zero, of which nothing is known."""
        return Costs(dict.fromkeys(keys, 0.0), FrozenDict(dict.fromkeys(keys, self._stated)), FrozenDict())

    def _as_stated(self, level: str, numbers: Mapping[str, float]) -> Costs:
        values = {key: value * factor_of(stated_name(level, key)) for key, value in numbers.items()}
        figures = {
            key: Figure(key, value, _unit(key), self._stated.removeprefix("stated: "), "as the spec states it", 0.0)
            for key, value in values.items()
        }
        return Costs(values, FrozenDict(dict.fromkeys(numbers, self._stated)), FrozenDict(figures))

    def _estimate(self, path: YamlPath, kind: str, attributes: Mapping[str, float | str]) -> ComponentEstimate | None:
        """The estimate, or None where the problem with it is noted."""
        given = dict(attributes)
        if self.spec.process != PROCESSES[0]:
            given["process"] = self.spec.process
        try:
            estimate = estimate_component(Component.of(kind, self.technology_nm, **given))
            if self.voltage_v is None or kind in OFF_CHIP:
                return estimate
            return at_voltage(estimate, self.technology_nm, self.voltage_v)
        except BadInput as error:
            self.evaluator.complain(path if known_node(self.technology_nm) else ("technology",), str(error))
            return None


def _value(estimate: ComponentEstimate, name: str) -> float:
    return {**estimate.energy_j, "area": estimate.area_mm2, "leakage": estimate.leakage_w}[name]


def _unit(key: str) -> str:
    per_bit = key in ("read_energy", "write_energy", "hop_energy")
    return _UNITS.get(key, "J/bit" if per_bit else "J")


def known_node(technology_nm: float) -> bool:
    try:
        check_node(technology_nm)
    except BadInput:
        return False
    return True
