"""The report of a study: one HTML page that needs nothing but itself, made from the study's folder alone."""

from __future__ import annotations

from pathlib import Path

from ..studies.log import write_atomically
from .figures.files import write_figures
from .findings import Findings
from .page import page

__all__ = ["report"]


def report(folder: str | Path) -> Path:
    """Write ``report.html``, ``trials.csv``, ``front.csv`` and the figures again; the page's path.

    Works on an unfinished study too. Raises `BadInput` where the folder holds no study, `SpecError` where its log or
    study is damaged.
    """
    findings = Findings.read(Path(folder))
    out = Path(folder)
    write_atomically(out / "trials.csv", findings.trials.to_csv(index=False))
    write_atomically(out / "front.csv", findings.front.to_csv(index=False))
    if findings.spec.report.figures:
        write_figures(findings, out)
    write_atomically(out / "report.html", page(findings))
    return out / "report.html"
