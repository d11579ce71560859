"""Find the estimator of a component and ask it: the shipped tables, and any plug-in under ``dovetail.energy``."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.metadata import entry_points

from ..errors import BadInput, ImpossibleResult, UnknownName
from .components import Component, ComponentEstimate, Estimator
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
    estimate_component.cache_clear()


def known_estimators() -> tuple[Estimator, ...]:
    """All estimators in the order they are asked: registered here, plug-ins by name, the shipped tables."""
    return (*reversed(_registered), *_plugins(), TableEstimator())


@lru_cache(maxsize=65536)
def estimate_component(component: Component) -> ComponentEstimate:
    """Energy, area and leakage of one instance, by the first estimator that supports it; remembered.

    Raises `UnknownName` for a kind nobody knows, `BadInput` where the component is outside an estimator's data, and
    `ImpossibleResult` where an estimator answers with a negative or non-finite number.
    """
    for estimator in known_estimators():
        if estimator.supports(component):
            return _checked(estimator.estimate(component), component, estimator.name)
    raise UnknownName(
        "component kind", component.kind, sorted({kind for one in known_estimators() for kind in one.kinds})
    )


def _checked(estimate: ComponentEstimate, component: Component, name: str) -> ComponentEstimate:
    figures = {**estimate.energy_j, "area": estimate.area_mm2, "leakage": estimate.leakage_w}
    for what, value in figures.items():
        if not (math.isfinite(value) and value >= 0):
            raise ImpossibleResult(f"estimator '{name}' gives {what} = {value} for {component.kind}; it must be >= 0")
    return ComponentEstimate(
        dict(estimate.energy_j),
        estimate.area_mm2,
        estimate.leakage_w,
        estimate.sources,
        estimate.uncertainty,
        estimate.estimator or name,
    )
