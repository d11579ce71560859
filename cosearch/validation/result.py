"""A comparison: modelled figures beside published or measured ones, and how far apart they are."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ...errors import BadInput

__all__ = ["Case", "Measure", "SuiteResult", "Target", "target_text"]

Measure = Literal[
    "mape_pct", "median_abs_error_pct", "p90_abs_error_pct", "each_abs_error_pct", "each_difference", "each_factor",
    "spearman", "kendall",
]  # fmt: skip
_WORDS: dict[Measure, str] = {
    "mape_pct": "mean |error| ≤ {:g} %",
    "median_abs_error_pct": "median |error| ≤ {:g} %",
    "p90_abs_error_pct": "90 % of errors ≤ {:g} %",
    "each_abs_error_pct": "each within {:g} %",
    "each_difference": "each within {:g} of it",
    "each_factor": "each within a factor of {:g}",
    "spearman": "Spearman ≥ {:g}",
    "kendall": "Kendall ≥ {:g}",
}


@dataclass(frozen=True)
class Case:
    """One published figure (> 0) and what the model says in the same unit."""

    name: str
    published: float
    modelled: float
    remark: str = ""

    @property
    def error_pct(self) -> float:
        """Signed relative error in percent of the published figure."""
        return 100.0 * (self.modelled - self.published) / self.published

    @property
    def factor(self) -> float:
        """How many times the larger of the two figures is the smaller one, at least 1."""
        larger, smaller = max(self.modelled, self.published), min(self.modelled, self.published)
        return larger / smaller if smaller > 0.0 else math.inf


@dataclass(frozen=True)
class Target:
    """What Dovetail asks of itself: an error (in percent) at most, or a rank correlation at least, ``limit``.

    ``each_abs_error_pct`` is about every single case; 0 asks for equality. ``each_difference`` too, in the cases' own
    unit. ``each_factor`` is a band: no figure may be more than ``limit`` times the other of its case.
    """

    measure: Measure
    limit: float

    @property
    def text(self) -> str:
        """The target in words."""
        if self.measure == "each_abs_error_pct" and self.limit == 0.0:
            return "each exact"
        return _WORDS[self.measure].format(self.limit)

    def met(self, result: SuiteResult) -> bool:
        """Whether ``result`` keeps it; an undefined rank correlation does not."""
        value: float = getattr(result, self.measure)
        if self.measure in ("spearman", "kendall"):
            return value >= self.limit - 1e-12
        return value <= self.limit + 1e-9


@dataclass(frozen=True)
class SuiteResult:
    """One quantity of one suite.

    ``unit`` is that of the figures. ``published_bar`` says in words what the best published model reached on such a
    comparison, ``published_pct`` its mean absolute error where it has one. ``calibration`` names what was fitted
    (`load_calibration`; None: a prediction). ``notes`` explain what is off, with the experiment that shows it.
    """

    suite: str
    quantity: str
    cases: tuple[Case, ...]
    published_bar: str
    unit: str = ""
    published_pct: float | None = None
    targets: tuple[Target, ...] = ()
    calibration: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.cases:
            raise BadInput(f"suite {self.suite}, {self.quantity}: the reference data has no case that can be compared")
        signed = any(target.measure == "each_difference" for target in self.targets)
        for case in self.cases:
            told = case.published != 0.0 if signed else case.published > 0.0
            if not (told and math.isfinite(case.modelled)):
                raise BadInput(
                    f"suite {self.suite}, {self.quantity}, {case.name}: cannot compare {case.modelled} with "
                    f"{case.published}; a published figure must be {'other' if signed else 'more'} than zero"
                )

    @cached_property
    def _errors(self) -> list[float]:
        return [abs(case.error_pct) for case in self.cases]

    @cached_property
    def mape_pct(self) -> float:
        """Mean absolute error in percent."""
        return statistics.fmean(self._errors)

    @cached_property
    def median_error_pct(self) -> float:
        """Median signed error in percent: which way the model leans."""
        return statistics.median(case.error_pct for case in self.cases)

    @cached_property
    def median_abs_error_pct(self) -> float:
        """Median absolute error in percent."""
        return statistics.median(self._errors)

    @cached_property
    def p90_abs_error_pct(self) -> float:
        """The absolute error in percent that nine tenths of the cases stay within."""
        import numpy as np

        return float(np.percentile(self._errors, 90))

    @cached_property
    def each_abs_error_pct(self) -> float:
        """The largest absolute error in percent."""
        return max(self._errors)

    @cached_property
    def each_difference(self) -> float:
        """The largest absolute difference between the two figures of a case, in their unit."""
        return max(abs(case.modelled - case.published) for case in self.cases)

    @cached_property
    def each_factor(self) -> float:
        """The largest factor between the two figures of a case."""
        return max(case.factor for case in self.cases)

    @cached_property
    def worst(self) -> Case:
        """The case with the largest absolute error."""
        return max(self.cases, key=lambda case: abs(case.error_pct))

    @cached_property
    def spearman(self) -> float:
        """Rank correlation; NaN for fewer than two cases."""
        return self._rank_correlation("spearmanr")

    @cached_property
    def kendall(self) -> float:
        """Kendall's tau-b; NaN for fewer than two cases."""
        return self._rank_correlation("kendalltau")

    @property
    def worst_text(self) -> str:
        """The worst case in a few words; a long name is cut."""
        name = self.worst.name if len(self.worst.name) <= 28 else f"{self.worst.name[:27]}…"
        return f"{name} {self.worst.error_pct:+.1f} %"

    def _rank_correlation(self, method: str) -> float:
        from scipy import stats

        published = [case.published for case in self.cases]
        modelled = [case.modelled for case in self.cases]
        if len(set(published)) < 2 or len(set(modelled)) < 2:  # a constant has no order
            return math.nan
        return float(getattr(stats, method)(published, modelled).statistic)

    def within(self, percent: float) -> int:
        """How many cases err by at most ``percent``."""
        return sum(error <= percent + 1e-9 for error in self._errors)

    def within_difference(self, most: float) -> int:
        """How many cases differ by at most ``most`` in their unit."""
        return sum(abs(case.modelled - case.published) <= most + 1e-9 for case in self.cases)

    def within_factor(self, factor: float) -> int:
        """How many cases have two figures of which neither is more than ``factor`` times the other."""
        return sum(case.factor <= factor * (1.0 + 1e-9) for case in self.cases)

    @property
    def met(self) -> bool | None:
        """Whether every target is kept; None where there is none."""
        return all(target.met(self) for target in self.targets) if self.targets else None

    def summary(self) -> dict[str, Any]:
        """The figures by name; ``rows`` counts the cases, ``cases`` lists them."""
        from .calibration import load_calibration

        fitted = load_calibration(self.calibration) if self.calibration else None
        return {
            "suite": self.suite,
            "rows": len(self.cases),
            "quantity": self.quantity,
            "unit": self.unit,
            "mape_pct": self.mape_pct,
            "median_error_pct": self.median_error_pct,
            "median_abs_error_pct": self.median_abs_error_pct,
            "p90_abs_error_pct": self.p90_abs_error_pct,
            "worst_factor": self.each_factor if math.isfinite(self.each_factor) else None,
            "worst": {"name": self.worst.name, "error_pct": self.worst.error_pct},
            "spearman": self.spearman,
            "kendall": self.kendall,
            "published_bar": self.published_bar,
            "published_pct": self.published_pct,
            "targets": [{"target": target.text, "met": target.met(self)} for target in self.targets],
            "calibrated_constants": [constant.name for constant in fitted.constants] if fitted else [],
            "calibration": fitted.summary() if fitted else None,
            "notes": list(self.notes),
            "cases": [vars(case) | {"error_pct": case.error_pct} for case in self.cases],
        }


def target_text(result: SuiteResult) -> list[str]:
    """Each target of ``result`` and whether it is met."""
    texts = []
    for target in result.targets:
        verdict = "met" if target.met(result) else "missed"
        if target.measure == "each_abs_error_pct" and verdict == "missed":
            verdict = f"{result.within(target.limit)} of {len(result.cases)}"
        if target.measure == "each_difference":
            verdict = f"{result.within_difference(target.limit)} of {len(result.cases)}"
        if target.measure == "each_factor":
            verdict = f"{result.within_factor(target.limit)} of {len(result.cases)}"
        texts.append(f"{target.text}: {verdict}")
    return texts
