"""Where two designs cost the same: costs are straight lines of the number of uses with at most one knee each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["BreakEven", "Line", "crossings"]


@dataclass(frozen=True)
class Line:
    """``fixed + slope * uses`` up to the ``knee``, then ``fixed_beyond + slope_beyond * uses``; continuous."""

    fixed: float
    slope: float
    knee: float = math.inf
    fixed_beyond: float = 0.0
    slope_beyond: float = 0.0

    def piece(self, uses: float) -> tuple[float, float]:
        """(fixed, slope) of the piece that holds just above ``uses``."""
        return (self.fixed, self.slope) if uses < self.knee else (self.fixed_beyond, self.slope_beyond)

    def at(self, uses: float) -> float:
        """The value at ``uses``."""
        fixed, slope = self.piece(uses)
        return fixed + slope * uses


@dataclass(frozen=True)
class BreakEven:
    """From which number of uses on the other design is the better one.

    ``crossings`` are all numbers of uses above zero at which the two change places, ascending; ``better`` names the
    better design from 0 to the first crossing, then between crossings, then after the last: one name more than
    crossings ("" where the two cost the same throughout).
    """

    quantity: str
    crossings: tuple[float, ...]
    better: tuple[str, ...]

    @property
    def uses(self) -> float | None:
        """The first crossing; None where one design is never worse."""
        return self.crossings[0] if self.crossings else None

    def __float__(self) -> float:
        return self.crossings[0] if self.crossings else math.nan

    def __str__(self) -> str:
        if not self.crossings:
            return f"{self.better[0]} is better at any number of uses" if self.better[0] else "the two cost the same"
        changes = [f"from {at:,.4g} uses on {name}" for at, name in zip(self.crossings, self.better[1:], strict=True)]
        return f"{self.better[0]} is better at first, {', '.join(changes)}"


def crossings(
    first: Line, second: Line, weight_first: float = 1.0, weight_second: float = 1.0
) -> list[tuple[float, int]]:
    """(uses, sign) wherever ``weight_first * first - weight_second * second`` takes another sign, beginning with 0.

    The sign (-1, 0, 1) is the difference's from there on. Between knees the difference is straight, so that the root
    of each piece is closed: ``MUI* = (w2 F2 - w1 F1) / (w1 S1 - w2 S2)``.
    """
    edges = [0.0, *sorted({knee for knee in (first.knee, second.knee) if 0.0 < knee < math.inf}), math.inf]
    pieces: list[tuple[float, int]] = []
    for low, high in pairwise(edges):
        (fixed_1, slope_1), (fixed_2, slope_2) = first.piece(low), second.piece(low)
        fixed = weight_first * fixed_1 - weight_second * fixed_2
        slope = weight_first * slope_1 - weight_second * slope_2
        at_low = fixed + slope * low
        root = -fixed / slope if slope else math.nan
        if low < root < high:
            pieces += [(low, -_sign(slope)), (root, _sign(slope))]
        else:
            pieces.append((low, _sign(slope if _negligible(at_low, weight_first * first.at(low)) else at_low)))
    return [piece for at, piece in enumerate(pieces) if at == 0 or piece[1] != pieces[at - 1][1]]


def _sign(value: float) -> int:
    return int(value > 0) - int(value < 0)


def _negligible(value: float, scale: float) -> bool:
    """Whether a difference is what rounding leaves of two equal numbers."""
    return abs(value) <= 4e-16 * abs(scale)
