"""Find the estimator of a component and ask it: the shipped tables, and any plug-in under ``dovetail.energy``."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points

from ..errors import BadInput, ImpossibleResult, UnknownName
from .components import Component, ComponentEstimate, Estimator, Figure
from .draws import factor_of, is_drawing
from .tables import TableEstimator

__all__ = [
    "Component",
    "ComponentEstimate",
    "Estimator",
    "estimate_component",
    "known_estimators",
    "register_estimator",
]

_GROUP = "dovetail.energy"
PER_BIT = ("sram", "register_file", "dram", "wire", "link")  # whose energies are per bit
_registered: list[Estimator] = []


@lru_cache(maxsize=1)
def _plugins() -> tuple[Estimator, ...]:
    found = []
    for entry in sorted(entry_points(group=_GROUP), key=lambda entry: entry.name):
        try:
            made = entry.load()()
        except (ImportError, AttributeError, TypeError) as error:
            raise BadInput(
                f"energy estimator plug-in '{entry.name}' cannot be loaded: {error}; mend or remove it"
            ) from error
        if not isinstance(made, Estimator):
            raise BadInput(f"energy estimator plug-in '{entry.name}' lacks name, kinds, supports or estimate; mend it")
        found.append(made)
    return tuple(found)


def register_estimator(estimator: Estimator) -> None:
    """Add an estimator for this process; it is asked before those registered earlier and before the shipped tables."""
    _registered.append(estimator)
    _remembered.cache_clear()


def known_estimators() -> tuple[Estimator, ...]:
    """All estimators in the order they are asked: registered here, plug-ins by name, the shipped tables."""
    return (*reversed(_registered), *_plugins(), TableEstimator())


def estimate_component(component: Component) -> ComponentEstimate:
    """Energy, area and leakage of one instance, by the first estimator that supports it; remembered.

    While constants are multiplied (`draws.multiplied`), it is estimated anew; a figure that was not computed from the
    shipped constants has a name of its own, ``estimator.kind.figure``, under which it is multiplied.
    Raises `UnknownName` for a kind nobody knows, `BadInput` where the component is outside an estimator's data, and
    `ImpossibleResult` where an estimator answers with a negative or non-finite number.
    """
    return _estimated(component) if is_drawing() else _remembered(component)


@lru_cache(maxsize=65536)
def _remembered(component: Component) -> ComponentEstimate:
    return _estimated(component)


def _estimated(component: Component) -> ComponentEstimate:
    for estimator in known_estimators():
        if estimator.supports(component):
            return _checked(estimator.estimate(component), component, estimator.name)
    raise UnknownName(
        "component kind", component.kind, sorted({kind for one in known_estimators() for kind in one.kinds})
    )


def _checked(estimate: ComponentEstimate, component: Component, name: str) -> ComponentEstimate:
    values = {**estimate.energy_j, "area": estimate.area_mm2, "leakage": estimate.leakage_w}
    for what, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ImpossibleResult(f"estimator '{name}' gives {what} = {value} for {component.kind}; it must be >= 0")
    figures = estimate.figures or _figures(estimate, component, name)
    if {one.name: one.value for one in figures} != values:
        raise ImpossibleResult(f"estimator '{name}': the figures of {component.kind} are not the values beside them")
    figures = tuple(one if one.constants else _named(one, f"{name}.{component.kind}.{one.name}") for one in figures)
    own = {one.name: factor_of(f"{name}.{component.kind}.{one.name}") for one in figures}
    return ComponentEstimate(
        {action: joules * own[action] for action, joules in estimate.energy_j.items()},
        estimate.area_mm2 * own["area"],
        estimate.leakage_w * own["leakage"],
        estimate.sources,
        estimate.uncertainty,
        estimate.estimator or name,
        figures,
    )


def _named(figure: Figure, name: str) -> Figure:
    """A figure of no shipped constant, which is then one itself; a figure of nothing has none."""
    return replace(figure, constants=(name,)) if figure.value else figure


def _figures(estimate: ComponentEstimate, component: Component, name: str) -> tuple[Figure, ...]:
    """Figures of an estimator that states none: each from all its sources, as uncertain as the energies."""
    source, validity = "; ".join(estimate.sources), f"what the estimator '{name}' covers"
    unit = "J/bit" if component.kind in PER_BIT else "J"
    values = [(action, joules, unit) for action, joules in estimate.energy_j.items()]
    values += [("area", estimate.area_mm2, "mm2"), ("leakage", estimate.leakage_w, "W")]
    return tuple(Figure(what, value, unit, source, validity, estimate.uncertainty) for what, value, unit in values)
