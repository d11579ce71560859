"""Whether two measurements differ: Welch's test, the size of the effect, and the verdict in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import BadInput, UnknownName
from ..quantities import format_si
from . import statistics
from .statistics import Interval, Scatter

if TYPE_CHECKING:
    from .measured import Measured

__all__ = ["Comparison", "compare"]

POWER = 0.8  # the chance to see a difference of the size called detectable
SIZES = ((0.2, "negligible"), (0.5, "small"), (0.8, "medium"), (math.inf, "large"))  # Cohen, 1988, for |g| below


@dataclass(frozen=True)
class Comparison:
    """Welch's test of ``one`` against ``other``; ``measured_difference`` is one − other, in ``unit``.

    ``effect_size`` is Hedges' g, ``p_value`` two-sided, ``detectable`` the difference that so many repetitions would
    show with a chance of 80 %.
    """

    one: str
    other: str
    quantity: str
    unit: str
    measured_one: float
    measured_other: float
    measured_difference: float
    measured_difference_ci: Interval
    t: float
    degrees_of_freedom: float
    p_value: float
    effect_size: float
    detectable: float
    repetitions: tuple[int, int]
    confidence: float
    above_idle: bool

    @property
    def significant(self) -> bool:
        """Whether chance alone would show so large a difference less often than 1 − ``confidence``."""
        return self.p_value < 1 - self.confidence

    @property
    def effect(self) -> str:
        """``effect_size`` in a word."""
        return next(word for most, word in SIZES if abs(self.effect_size) < most or most == math.inf)

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        low, high = sorted((self.measured_difference_ci.low, self.measured_difference_ci.high))
        span = f"{self.confidence:.0%} interval {format_si(low, self.unit)} to {format_si(high, self.unit)}"
        counts = f"{self.repetitions[0]} and {self.repetitions[1]} repetitions, p = {self.p_value:.2g}"
        if not self.significant:
            return (
                f"no difference in {self.quantity} between {self.one} and {self.other} can be told from chance "
                f"({span}; {counts}); one of {self._size(self.detectable)} would likely have been seen"
            )
        verb, way = ("uses", "energy") if self.quantity == "energy" else ("takes", "time")
        size = f"{self._size(self.measured_difference)} {'less' if self.measured_difference < 0 else 'more'}"
        return (
            f"{self.one} {verb} {size} {way} than {self.other} ({span}; {counts}); "
            f"the effect is {self.effect} (g = {self.effect_size:.2g})"
        )

    def __str__(self) -> str:
        return self.verdict

    def _size(self, difference: float) -> str:
        """As a share of the other, where that is more than nothing."""
        if self.measured_other <= 0:
            return format_si(abs(difference), self.unit)
        return f"{100 * abs(difference) / self.measured_other:.3g} %"


def compare(one: Measured, other: Measured, quantity: str = "energy") -> Comparison:
    """Welch's test; energies above idle where both know their idle power, else with it.

    The error of the idle power counts: once, on the difference in time, where both used one measurement of it, else of
    either. Raises `BadInput` for other parts, confidences or fewer than two repetitions, `UnknownName`.
    """
    from scipy.stats import t as student

    _check(one, other, quantity)
    net = quantity == "energy" and one.idle is not None and other.idle is not None
    first, second = _values(one, quantity, net), _values(other, quantity, net)
    scatters = [statistics.scatter(first), statistics.scatter(second)]
    if net:
        scatters += _idle_scatters(one, other)
    difference = statistics.mean(first) - statistics.mean(second)
    value, freedom, chance = statistics.two_sided_p(difference, scatters)
    error = math.sqrt(sum(part.variance for part in scatters))
    quantiles = float(student.ppf(0.5 + one.confidence / 2, freedom) + student.ppf(POWER, freedom)) if error else 0.0
    this, that = (one.name, other.name) if one.name != other.name else (f"{one.name} (this)", f"{other.name} (other)")
    return Comparison(
        one=this,
        other=that,
        quantity=quantity,
        unit="J" if quantity == "energy" else "s",
        measured_one=statistics.mean(first),
        measured_other=statistics.mean(second),
        measured_difference=difference,
        measured_difference_ci=statistics.interval(difference, scatters, one.confidence),
        t=value,
        degrees_of_freedom=freedom,
        p_value=chance,
        effect_size=statistics.hedges_g(first, second),
        detectable=quantiles * error,
        repetitions=(len(first), len(second)),
        confidence=one.confidence,
        above_idle=net,
    )


def _values(measured: Measured, quantity: str, net: bool) -> list[float]:
    if quantity == "duration":
        return measured.measured_durations_s()
    return measured.measured_energies_j() if net else measured.measured_total_energies_j()


def _idle_scatters(one: Measured, other: Measured) -> list[Scatter]:
    """What the error of the idle power adds to the difference of energies above it."""
    if one.idle is None or other.idle is None:
        return []
    here, there = one.measured_duration_s, other.measured_duration_s
    if one.idle == other.idle:
        return [one.idle.power_w(one.counted)[1].scaled(here - there)]
    return [one.idle.power_w(one.counted)[1].scaled(here), other.idle.power_w(other.counted)[1].scaled(there)]


def _check(one: Measured, other: Measured, quantity: str) -> None:
    if quantity not in ("energy", "duration"):
        raise UnknownName("measured quantity", quantity, ("energy", "duration"))
    if sorted(one.counted) != sorted(other.counted):
        raise BadInput(
            f"{one.name} was measured on {', '.join(one.counted)}, {other.name} on {', '.join(other.counted)}; "
            "measure both with the same meters"
        )
    if one.confidence != other.confidence:
        raise BadInput(f"one has a confidence of {one.confidence:g}, the other of {other.confidence:g}; give both one")
    for measured in (one, other):
        if measured.repetitions < 2:
            raise BadInput(f"{measured.name} was measured once; a test needs two repetitions of each, better ten")
