"""Figures computed from technology constants: their value, what they are made of and how uncertain that leaves them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .components import ComponentEstimate, Figure
from .draws import is_drawing, multiplied, recording
from .technology import constant, constants

__all__ = ["computed", "estimate_of"]

_STEP = 1e-4
_ROUNDING = 1e-9


def computed(name: str, unit: str, compute: Callable[[], float]) -> Figure:
    """The figure that ``compute`` gives, which may use technology constants.

    Its uncertainty is the first-order one: each constant's times the figure's elasticity to it (the slope on
    logarithmic axes), as independent contributions. While constants are multiplied it is left out.
    """
    if is_drawing():
        return Figure(name, compute(), unit, "", "", 0.0)
    with recording() as asked:
        value = compute()
    parts = {one: _elasticity(compute, one, value) * constants()[one].uncertainty for one in asked}
    used = tuple(one for one, part in parts.items() if part or _shapes(one))
    return Figure(
        name=name,
        value=value,
        unit=unit,
        source="; ".join(dict.fromkeys(constants()[one].source for one in used)),
        validity="; ".join(f"{one}: {constants()[one].valid}" for one in used),
        uncertainty=math.sqrt(math.fsum(part * part for part in parts.values())),
        constants=used,
    )


def _shapes(name: str) -> bool:
    """Whether a constant without effect on the value still gave it its shape, as a law's exponent.

    A relative table at one of its anchors is 1, and a share may multiply nothing: these gave nothing.
    """
    one = constants()[name]
    return not one.anchors and one.most == math.inf


def _elasticity(compute: Callable[[], float], name: str, value: float) -> float:
    """Relative change of what ``compute`` gives for a relative change of one constant."""
    if value == 0.0:
        return 0.0
    for step in (_STEP, -_STEP):  # a share at its upper end can only fall
        with multiplied({name: 1.0 + step}):
            changed = compute()
        if abs(changed / value - 1.0) > _ROUNDING:
            return (changed / value - 1.0) / step
    return 0.0


def estimate_of(
    energies: Mapping[str, Callable[[], float]],
    *,
    per_bit: bool = False,
    area: Callable[[], float] | None = None,
    leakage: Callable[[], float] | None = None,
) -> ComponentEstimate:
    """An estimate from what computes each of its numbers (area and leakage None: none)."""
    made = _distinct(energies, "J/bit" if per_bit else "J")
    made += [computed("area", "mm2", area or _nothing), computed("leakage", "W", leakage or _nothing)]
    used = dict.fromkeys(name for figure in made for name in figure.constants)
    return ComponentEstimate(
        energy_j={figure.name: figure.value for figure in made[:-2]},
        area_mm2=made[-2].value,
        leakage_w=made[-1].value,
        sources=tuple(constant(name).cite() for name in used),
        uncertainty=max(figure.uncertainty for figure in made[:-2]),
        figures=tuple(made),
    )


def _distinct(energies: Mapping[str, Callable[[], float]], unit: str) -> list[Figure]:
    """A figure for each action; actions with one and the same computation are computed once."""
    done: dict[Callable[[], float], Figure] = {}
    made: list[Figure] = []
    for name, compute in energies.items():
        found = done.get(compute) or done.setdefault(compute, computed(name, unit, compute))
        made.append(Figure(name, found.value, unit, found.source, found.validity, found.uncertainty, found.constants))
    return made


def _nothing() -> float:
    return 0.0
