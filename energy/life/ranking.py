"""Which of several designs is best, as a function of how often they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from ...errors import BadInput
from .cycle import LifeCycle

__all__ = ["Reversal", "best_by_uses", "reversals"]


@dataclass(frozen=True)
class Reversal:
    """Two designs change places: ``before`` is better up to ``uses``, ``after`` from there on."""

    uses: float
    before: str
    after: str


def reversals(
    designs: Sequence[LifeCycle],
    low: float = 1e3,
    high: float = 1e9,
    *,
    quantity: str = "energy_j",
    tau: float | None = None,
) -> list[Reversal]:
    """All changes of rank between ``low`` and ``high`` uses, by uses; arguments as of `LifeCycle.break_even`."""
    _check_range(low, high)
    _check_names(designs)
    found = []
    for one, other in combinations(designs, 2):
        even = one.break_even(other, quantity, tau=tau)
        changes = zip(even.crossings, even.better, even.better[1:], strict=False)
        found += [Reversal(uses, before, after) for uses, before, after in changes if low < uses < high]
    return sorted(found, key=lambda reversal: reversal.uses)


def best_by_uses(
    designs: Sequence[LifeCycle],
    low: float = 1e3,
    high: float = 1e9,
    *,
    quantity: str = "energy_j",
    tau: float | None = None,
) -> list[tuple[float, float, str]]:
    """(from, to, name) of the best design in each stretch of uses between ``low`` and ``high``."""
    if not designs:
        raise BadInput("no designs to compare; give at least one")
    marks = sorted({low, high, *(one.uses for one in reversals(designs, low, high, quantity=quantity, tau=tau))})
    stretches: list[tuple[float, float, str]] = []
    for start, end in pairwise(marks):
        middle = (start * end) ** 0.5
        best = min(designs, key=lambda one: _cost(one, middle, quantity, tau)).name
        if stretches and stretches[-1][2] == best:
            stretches[-1] = (stretches[-1][0], end, best)
        else:
            stretches.append((start, end, best))
    return stretches


def _cost(design: LifeCycle, uses: float, quantity: str, tau: float | None) -> float:
    if tau is None:
        return design.line(quantity).at(uses)
    return -design.at(uses).g_mui(tau, quantity)


def _check_range(low: float, high: float) -> None:
    if not 0.0 < low < high:
        raise BadInput(f"uses from {low:g} to {high:g}; give a range from above 0 to more")


def _check_names(designs: Sequence[LifeCycle]) -> None:
    names = [one.name for one in designs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"two designs are named '{twice[0]}'; give each a name of its own")
