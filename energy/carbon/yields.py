"""How much of a wafer works: the classical yield models of a die by its area and the density of defects."""

from __future__ import annotations

import math
from collections.abc import Callable

from ...errors import BadInput, UnknownName

__all__ = [
    "ACT_YIELD",
    "CLUSTERING",
    "DEFECTS_PER_CM2",
    "die_yield",
    "murphy_yield",
    "negative_binomial_yield",
    "poisson_yield",
    "yield_models",
]

ACT_YIELD = 0.875
"""The fixed yield ACT takes where nothing is known (Gupta et al., ISCA 2022)."""
DEFECTS_PER_CM2 = 0.1
"""A process in volume production; foundries report about 0.1 per cm² there and several times that in its first year."""
CLUSTERING = 3.0
"""The negative binomial's clustering, as the footprint model ECO-CHIP takes it (Sudarshan et al., HPCA 2024)."""

_MM2_PER_CM2 = 100.0


def poisson_yield(area_mm2: float, defects_per_cm2: float) -> float:
    """Defects fall anywhere alike: exp(-AD)."""
    return math.exp(-_defects(area_mm2, defects_per_cm2))


def murphy_yield(area_mm2: float, defects_per_cm2: float) -> float:
    """The density varies by a triangle from 0 to twice its mean: ((1 - exp(-AD)) / AD)² (Murphy, Proc. IEEE 1964)."""
    defects = _defects(area_mm2, defects_per_cm2)
    return (-math.expm1(-defects) / defects) ** 2 if defects else 1.0


def negative_binomial_yield(area_mm2: float, defects_per_cm2: float, clustering: float = CLUSTERING) -> float:
    """The density varies by a gamma distribution: (1 + AD/a)^-a (Stapper, IBM J. Res. Dev. 1983).

    Small ``clustering`` a: defects sit together, most dies are spared; without end it is Poisson's model.
    """
    if not (math.isfinite(clustering) and clustering > 0.0):
        raise BadInput(f"a clustering of {clustering}; give a number above 0, e.g. 3")
    return math.exp(-clustering * math.log1p(_defects(area_mm2, defects_per_cm2) / clustering))


_MODELS: dict[str, Callable[[float, float], float]] = {
    "poisson": poisson_yield,
    "murphy": murphy_yield,
    "negative_binomial": negative_binomial_yield,
}


def yield_models() -> tuple[str, ...]:
    """The models `die_yield` knows by name."""
    return tuple(_MODELS)


def die_yield(model: float | str, area_mm2: float, defects_per_cm2: float = DEFECTS_PER_CM2) -> float:
    """The share of dies that work, by a model's name, or ``model`` itself where it is a number from 0 (excluded) to 1.

    Raises `UnknownName` for another model; `BadInput` for a share out of range and a die so large that none works.
    """
    if isinstance(model, str):
        if model not in _MODELS:
            raise UnknownName("yield model", model, tuple(_MODELS))
        found = _MODELS[model](area_mm2, defects_per_cm2)
        if found <= 0.0:
            raise BadInput(
                f"no die of {area_mm2:g} mm2 works with {defects_per_cm2:g} defects per cm2; make it smaller"
            )
        return found
    if isinstance(model, bool) or not isinstance(model, int | float) or not 0.0 < model <= 1.0:
        raise BadInput(f"a yield of {model}; give a share above 0 and at most 1, or one of {', '.join(_MODELS)}")
    return float(model)


def _defects(area_mm2: float, defects_per_cm2: float) -> float:
    """Defects expected on a die."""
    if not (math.isfinite(area_mm2) and area_mm2 > 0.0):
        raise BadInput(f"a die of {area_mm2} mm2; its area must be above 0")
    if not (math.isfinite(defects_per_cm2) and defects_per_cm2 >= 0.0):
        raise BadInput(f"{defects_per_cm2} defects per cm2; give 0 or more")
    return area_mm2 / _MM2_PER_CM2 * defects_per_cm2
