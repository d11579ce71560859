"""The suites by name, and running them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import BadInput, UnknownName
from .calibration import Calibration
from .reference import Reference, reference_folder
from .result import SuiteResult

__all__ = ["SUITES", "Suite", "SuiteReport", "calibrate", "load_suite", "run_suites"]

# Each is a module of `suites` with TITLE, ABOUT (Markdown: what is compared and how), run(reference) and, where
# constants are fitted, CALIBRATES: calibration's name -> fit(reference).
SUITES = (
    "networks", "systolic", "timeloop", "gemmini", "eyeriss", "nvdla", "tpu_v1", "edge_tpu", "pixel6",
    "nasbench201_edge", "simulator", "sparse", "carbon", "mlperf_tiny", "training", "training_free",
)  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """One comparison of the model with the world."""

    name: str
    title: str
    about: str
    run: Callable[[Reference], list[SuiteResult]]
    calibrates: dict[str, Callable[[Reference], Calibration]]


@dataclass(frozen=True)
class SuiteReport:
    """A suite's results, and the reference files it asked for in vain."""

    suite: Suite
    results: tuple[SuiteResult, ...]
    missing: tuple[str, ...]


def load_suite(name: str) -> Suite:
    """A suite by name; raises `UnknownName`."""
    if name not in SUITES:
        raise UnknownName("validation suite", name, list(SUITES))
    module: Any = import_module(f".suites.{name}", __package__)
    return Suite(name, module.TITLE, module.ABOUT, module.run, dict(getattr(module, "CALIBRATES", {})))


def run_suites(
    names: str | None = None, *, reference: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> list[SuiteReport]:
    """Run one suite, or all; raises `UnknownName` for an unknown one, `BadInput` where reference data is wrong."""
    folder = reference_folder(reference)
    suites = [load_suite(name) for name in ([names] if names else SUITES)]
    reports = []
    for done, suite in enumerate(suites):
        if progress is not None:
            progress(done, len(suites))
        data = Reference(folder)
        reports.append(SuiteReport(suite, tuple(suite.run(data)), tuple(data.missing)))
    if progress is not None:
        progress(len(suites), len(suites))
    return reports


def calibrate(name: str, *, reference: Path | None = None) -> dict[str, Calibration]:
    """Fit a suite's constants again, by calibration; raises `BadInput` where nothing is fitted or rows are absent."""
    suite = load_suite(name)
    if not suite.calibrates:
        raise BadInput(f"suite {name} fits nothing; its figures are predictions")
    data = Reference(reference_folder(reference))
    fitted = {}
    for which, fit in suite.calibrates.items():
        try:
            fitted[which] = fit(data)
        except BadInput:
            if not data.missing:
                raise
            raise BadInput(
                f"suite {name} is fitted to {data.missing[0]}, which is not there; give --reference"
            ) from None
    return fitted
