"""Validation suites: modelled figures beside published or measured ones, and how far apart they are."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import BadInput, UnknownName

__all__ = ["SUITES", "Case", "SuiteResult", "reference_folder", "validate"]

REFERENCE_VARIABLE = "DOVETAIL_REFERENCE"


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


@dataclass(frozen=True)
class SuiteResult:
    """One quantity of one suite; ``calibrated_constants`` names what was fitted to such data (none: a prediction).

    ``bar_pct`` is the largest error a single case may have, where the bar is of that kind.
    """

    suite: str
    quantity: str
    cases: tuple[Case, ...]
    published_bar: str
    calibrated_constants: tuple[str, ...] = ()
    bar_pct: float | None = None

    def __post_init__(self) -> None:
        if not self.cases:
            raise BadInput(f"suite {self.suite}, {self.quantity}: the reference data has no case that can be compared")

    @cached_property
    def mape_pct(self) -> float:
        """Mean absolute error in percent."""
        return statistics.fmean(abs(case.error_pct) for case in self.cases)

    @cached_property
    def median_error_pct(self) -> float:
        """Median signed error in percent: which way the model leans."""
        return statistics.median(case.error_pct for case in self.cases)

    @cached_property
    def within_bar(self) -> int | None:
        """How many cases are within ``bar_pct``; None where the bar is not about single cases."""
        return None if self.bar_pct is None else sum(abs(case.error_pct) <= self.bar_pct for case in self.cases)

    @cached_property
    def spearman(self) -> float:
        """Rank correlation; NaN for fewer than two cases."""
        return self._rank_correlation("spearmanr")

    @cached_property
    def kendall(self) -> float:
        """Kendall's tau-b; NaN for fewer than two cases."""
        return self._rank_correlation("kendalltau")

    def _rank_correlation(self, method: str) -> float:
        from scipy import stats

        if len(self.cases) < 2:
            return math.nan
        published = [case.published for case in self.cases]
        modelled = [case.modelled for case in self.cases]
        return float(getattr(stats, method)(published, modelled).statistic)

    def summary(self) -> dict[str, Any]:
        """The suite's figures by name; ``rows`` counts the cases, ``cases`` lists them."""
        return {
            "suite": self.suite,
            "rows": len(self.cases),
            "quantity": self.quantity,
            "mape_pct": self.mape_pct,
            "median_error_pct": self.median_error_pct,
            "spearman": self.spearman,
            "kendall": self.kendall,
            "published_bar": self.published_bar,
            "within_bar": self.within_bar,
            "calibrated_constants": list(self.calibrated_constants),
            "cases": [vars(case) | {"error_pct": case.error_pct} for case in self.cases],
        }


def reference_folder(given: Path | None) -> Path | None:
    """Where the reference data is: as given, ``DOVETAIL_REFERENCE``, or ``shared/reference`` beside the checkout.

    None where nothing was named and nothing is there; raises `BadInput` where the named folder does not exist.
    """
    named = os.environ.get(REFERENCE_VARIABLE)
    folder = given or (Path(named) if named else None)
    if folder is not None and not folder.is_dir():
        raise BadInput(f"no folder '{folder}' of reference data; give --reference or {REFERENCE_VARIABLE} another")
    beside = Path(__file__).resolve().parents[2] / "shared" / "reference"
    return folder or (beside if beside.is_dir() else None)


def _networks(reference: Path | None) -> list[SuiteResult]:
    """The zoo's multiply-accumulates and parameters beside published counts."""
    from ..models.validate_counts import network_counts

    # torchvision's counts stand in the project's own table and again in the reference data: each is one comparison.
    rows = {(row.name, row.quantity, row.source): row for row in network_counts(reference)}.values()
    return [
        SuiteResult(
            "networks",
            quantity,
            tuple(
                Case(row.name, row.published, row.modelled, "; ".join(text for text in (row.source, row.note) if text))
                for row in rows
                if row.quantity == quantity
            ),
            published_bar="each count within 1 %",
            bar_pct=1.0,
        )
        for quantity in ("macs", "params")
    ]


SUITES: dict[str, Callable[[Path | None], Sequence[SuiteResult]]] = {"networks": _networks}


def validate(suite: str | None = None, *, reference: Path | None = None) -> list[SuiteResult]:
    """Run one suite, or all; raises `UnknownName` for an unknown one, `BadInput` where reference data is missing."""
    if suite is not None and suite not in SUITES:
        raise UnknownName("validation suite", suite, list(SUITES))
    folder = reference_folder(reference)
    return [result for name in ([suite] if suite else SUITES) for result in SUITES[name](folder)]
