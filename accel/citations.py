"""What an accelerator's costs rest on: every technology constant used and figure stated, and how well it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..energy.components import Figure
from ..energy.draws import multiplied
from ..energy.quantities import format_si
from ..energy.technology import constants
from .accelerator import Accelerator
from .spec import with_parameters
from .spec_costs import stated_name

__all__ = ["Citation", "citations", "redrawn", "uncertainties"]


@dataclass(frozen=True)
class Citation:
    """One thing that was used: ``value`` as its source writes it, ``uncertainty`` a relative standard deviation.

    ``status`` is that of the constant (published, derived, inferred), "estimated" for a plug-in's own figure, "stated"
    for one of the spec. ``used_by`` lists what it entered, as ``level.key``.
    """

    name: str
    value: str
    status: str
    source: str
    validity: str
    uncertainty: float
    used_by: tuple[str, ...]


def citations(accelerator: Accelerator) -> tuple[Citation, ...]:
    """Every constant that an energy, area or leakage was computed from, then what the spec states."""
    users: dict[str, list[str]] = {}
    own: dict[str, Citation] = {}
    for level, key, figure in _figures(accelerator):
        place = f"{level}.{key}"
        if not figure.constants and _is_stated(accelerator, level, key):
            own[place] = _citation(place, figure, "stated", (place,))
        for name in figure.constants:
            users.setdefault(name, []).append(place)
            if name not in constants():
                own[name] = _citation(name, figure, "estimated", tuple(users[name]))
    shared = [
        Citation(name, ", ".join(one.texts), one.status, one.source, one.valid, one.uncertainty, tuple(users[name]))
        for name, one in sorted(constants().items())
        if name in users
    ]
    return (*shared, *own.values())


def _figures(accelerator: Accelerator) -> Iterator[tuple[str, str, Figure]]:
    for level in accelerator.levels:
        for key, figure in level.figures.items():
            yield level.name, key, figure


def _is_stated(accelerator: Accelerator, level: str, key: str) -> bool:
    found = next(one for one in accelerator.levels if one.name == level)
    return found.origin.get(key, "").startswith("stated")


def _citation(name: str, figure: Figure, status: str, used_by: tuple[str, ...]) -> Citation:
    value = format_si(figure.value, figure.unit)
    return Citation(name, value, status, figure.source, figure.validity, figure.uncertainty, used_by)


def uncertainties(accelerator: Accelerator, stated: float = 0.0) -> dict[str, float]:
    """Relative standard deviation of everything the costs rest on, by the name under which it is multiplied.

    Figures that the spec states are as uncertain as ``stated`` says, each on its own.
    """
    found: dict[str, float] = {}
    for level, key, figure in _figures(accelerator):
        for name in figure.constants:
            found[name] = constants()[name].uncertainty if name in constants() else figure.uncertainty
        if stated and _is_stated(accelerator, level, key) and figure.value:
            found[stated_name(level, key)] = stated
    return dict(sorted(found.items()))


def redrawn(accelerator: Accelerator, factors: Mapping[str, float]) -> Accelerator:
    """The accelerator as its spec gives it where the constants named are multiplied by ``factors``.

    Raises `BadInput` where the accelerator was not built from a spec.
    """
    with multiplied(factors):
        return with_parameters(accelerator, {})
