"""The page of all comparisons: Markdown with tables and pictures, regenerated whole by `dovetail validate --docs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .calibration import load_calibration
from .pictures import save_overview, save_suite
from .registry import SuiteReport
from .result import SuiteResult, target_text

__all__ = ["page_text", "write_page"]

MOST_ROWS = 30  # a longer table is left to the picture and to --csv
_INTRO = """\
# Validation

This page is written by `dovetail validate --docs docs`: its tables and pictures are computed anew each time, the
remarks below them are people's. Each suite sets what the model says beside silicon, RTL, another model or a published
figure, row by row. `dovetail validate SUITE` prints the rows, `--csv` and `--json` hand them on, `--reference DIR`
reads another copy of the reference data, `--strict` exits with 1 where a target is missed.

The error of a row is (modelled − reference) / reference. A *target* is what this project asks of itself; *best
published* is the best error anyone has published for such a comparison. Where constants were fitted, the record says on
which rows, and the fit can be repeated (`--calibrate`).
"""


def write_page(reports: Sequence[SuiteReport], folder: Path) -> None:
    """Write ``validation.md`` and ``img/validation-*.png`` into ``folder``."""
    images = folder / "img"
    images.mkdir(exist_ok=True)
    compared = [report for report in reports if report.results]
    save_overview([result for report in compared for result in report.results], images / "validation-overview.png")
    for report in compared:
        save_suite(report.results, images / f"validation-{report.suite.name}.png")
    (folder / "validation.md").write_text(page_text(reports), encoding="utf-8")


def page_text(reports: Sequence[SuiteReport]) -> str:
    """The page as Markdown; its pictures are `write_page`'s."""
    results = [result for report in reports for result in report.results]
    parts = [
        _INTRO,
        "![Mean error of every suite beside the best published](img/validation-overview.png)\n",
        _table(_SUMMARY, [_summary(result) for result in results]),
    ]
    parts += [_section(report) for report in reports]
    return "\n".join(parts)


_SUMMARY = (
    "suite", "quantity", "rows", "mean \\|error\\|", "median error", "worst row", "Spearman", "Kendall",
    "fitted constants", "best published", "target",
)  # fmt: skip


def _summary(result: SuiteResult) -> tuple[str, ...]:
    fitted = str(len(load_calibration(result.calibration).constants)) if result.calibration else "none"
    return (
        f"[{result.suite}](#{result.suite.replace('_', '-')})", result.quantity, f"{len(result.cases):,}",
        f"{result.mape_pct:.2f} %", f"{result.median_error_pct:+.2f} %",
        result.worst_text, _rank(result.spearman), _rank(result.kendall), fitted,
        result.published_bar, "<br>".join(target_text(result)) or "–",
    )  # fmt: skip


def _section(report: SuiteReport) -> str:
    parts = [
        f'\n<a id="{report.suite.name.replace("_", "-")}"></a>\n',
        f"## {report.suite.title}\n",
        report.suite.about,
    ]
    if report.missing:
        left = "Only figures that the project states itself are compared." if report.results else "Nothing is compared."
        parts.append(f"Not in the reference folder: {', '.join(f'`{name}`' for name in report.missing)}. {left}\n")
    if report.results:
        parts.append(f"![Modelled against reference](img/validation-{report.suite.name}.png)\n")
    for name in dict.fromkeys(result.calibration for result in report.results if result.calibration):
        parts.append(_calibration(name))
    parts += [text for result in report.results if (text := _rows(result))]
    notes = dict.fromkeys(note for result in report.results for note in result.notes)
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes) + "\n")
    return "\n".join(parts)


def _calibration(name: str) -> str:
    record = load_calibration(name)
    rows = [(f"`{constant.name}`", str(constant.value), constant.meaning) for constant in record.constants]
    count = f"{len(rows)} constant{'s' if len(rows) > 1 else ''}"
    return (
        f"**Fitted: {count}**, on {record.row_count} rows of `{record.reference}` ({record.rows}), {record.date}. "
        f"Method: {record.method}. Left over: {record.residual}.\n\n" + _table(("constant", "value", "meaning"), rows)
    )


def _rows(result: SuiteResult) -> str:
    unit = f" ({result.unit})" if result.unit else ""
    if len(result.cases) > MOST_ROWS:
        return ""
    remarks = any(case.remark for case in result.cases)
    names = ("row", "reference", "modelled", "error", *(("remark",) if remarks else ()))
    rows = [
        (
            case.name, f"{case.published:,.5g}", f"{case.modelled:,.5g}", f"{case.error_pct:+.1f} %",
            *((case.remark,) if remarks else ()),
        )
        for case in result.cases
    ]  # fmt: skip
    return f"**{result.quantity}{unit}**\n\n" + _table(names, rows)


def _rank(value: float) -> str:
    return "–" if value != value else f"{value:.3f}"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
