"""Means with Student's confidence intervals, and Welch's test, where a figure has several sources of scatter.

A mean net of idle power scatters by its repetitions and by the idle samples. The variances of the means add, and the
sum has Satterthwaite's degrees of freedom (Welch, "The generalization of Student's problem when several different
population variances are involved", Biometrika 34, 1947). With one source it is Student's t, with two Welch's test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Interval", "Scatter", "degrees_of_freedom", "hedges_g", "interval", "mean", "scatter", "two_sided_p"]


@dataclass(frozen=True)
class Scatter:
    """The variance of a mean and its degrees of freedom (samples less one)."""

    variance: float
    freedom: int

    def scaled(self, factor: float) -> Scatter:
        """Of the mean times ``factor``."""
        return Scatter(self.variance * factor**2, self.freedom)


@dataclass(frozen=True)
class Interval:
    """A confidence interval; infinite both ways where one sample says nothing about its scatter."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, of at least one value."""
    return math.fsum(values) / len(values)


def scatter(values: Sequence[float]) -> Scatter:
    """Of the mean of independent ``values``; infinite for a single one."""
    count = len(values)
    if count < 2:
        return Scatter(math.inf, 0)
    middle = mean(values)
    return Scatter(math.fsum((value - middle) ** 2 for value in values) / (count - 1) / count, count - 1)


def degrees_of_freedom(parts: Sequence[Scatter]) -> float:
    """Satterthwaite's, of a sum of independent scatters; infinite where nothing scatters."""
    total = math.fsum(part.variance for part in parts)
    if not math.isfinite(total):
        return 0.0
    weights = [(part.variance / total) ** 2 / part.freedom for part in parts if part.variance > 0]
    return 1.0 / math.fsum(weights) if weights else math.inf


def interval(middle: float, parts: Sequence[Scatter], confidence: float) -> Interval:
    """Student's confidence interval around ``middle``."""
    from scipy.stats import t

    variance = math.fsum(part.variance for part in parts)
    if not math.isfinite(variance):
        return Interval(-math.inf, math.inf)
    half = 0.0
    if variance > 0:
        half = float(t.ppf(0.5 + confidence / 2, degrees_of_freedom(parts))) * math.sqrt(variance)
    return Interval(middle - half, middle + half)


def two_sided_p(difference: float, parts: Sequence[Scatter]) -> tuple[float, float, float]:
    """Welch's t, its degrees of freedom and the chance of so large a difference where there is none."""
    from scipy.stats import t

    error = math.sqrt(math.fsum(part.variance for part in parts))
    freedom = degrees_of_freedom(parts)
    if error == 0:
        return math.copysign(math.inf, difference) if difference else 0.0, freedom, 0.0 if difference else 1.0
    statistic = difference / error
    return statistic, freedom, float(2 * t.sf(abs(statistic), freedom))


def hedges_g(one: Sequence[float], other: Sequence[float]) -> float:
    """Difference of means in standard deviations (root of the mean of both variances), corrected for few samples.

    Hedges, "Distribution theory for Glass's estimator of effect size", Journal of Educational Statistics 6, 1981.
    """
    spread = math.sqrt((scatter(one).variance * len(one) + scatter(other).variance * len(other)) / 2)
    difference = mean(one) - mean(other)
    if spread == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / spread * (1 - 3 / (4 * (len(one) + len(other) - 2) - 1))
