"""`dovetail validate`: the model against published and measured figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, CannotDo
from .output import Column, Output, progress_bar, table, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ..validation import SuiteReport, SuiteResult

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add `validate` to the parser's commands."""
    about = "compare the model with published and measured figures"
    validate = commands.add_parser("validate", help=about, description=about.capitalize() + ".")
    validate.add_argument("suite", nargs="?", metavar="SUITE", help="one suite, row by row (default: all, in summary)")
    validate.add_argument("--reference", metavar="DIR", help="folder of the reference data")
    validate.add_argument("--docs", metavar="DIR", help="write validation.md and its pictures into this folder")
    validate.add_argument(
        "--calibrate", metavar="DIR", help="fit the suite's constants again; write their records into this folder"
    )
    validate.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    Output.add_options(validate)
    validate.set_defaults(command=_validate, parser=validate)


def _validate(args: argparse.Namespace) -> None:
    from ..validation import run_suites

    output = Output.of(args)
    reference = Path(args.reference) if args.reference else None
    if args.calibrate:
        _calibrate(args, reference)
        return
    docs = _folder("--docs", args.docs)
    if docs is not None and args.suite is not None:
        raise BadInput("--docs writes the page of all suites; leave out the suite's name")
    with progress_bar("suites") as progress:
        reports = run_suites(args.suite, reference=reference, progress=progress)
    results = [result for report in reports for result in report.results]
    if docs is not None:
        from ..validation.page import write_page

        write_page(reports, docs)
    missing = {report.suite.name: list(report.missing) for report in reports}
    data = [result.summary() | {"missing": missing[result.suite]} for result in results]
    rows = [
        {"suite": result.suite, "quantity": result.quantity, "unit": result.unit}
        | vars(case)
        | {"error_pct": case.error_pct}
        for result in results
        for case in result.cases
    ]
    output.emit(data, rows, lambda to: _show(to, reports, details=args.suite is not None))
    missed = [f"{result.suite} {result.quantity}" for result in results if result.met is False]
    if args.strict and missed:
        raise CannotDo(f"{len(missed)} target{'s are' if len(missed) > 1 else ' is'} missed: {', '.join(missed)}")


def _folder(option: str, name: str | None) -> Path | None:
    if name is None:
        return None
    folder = Path(name)
    if not folder.is_dir():
        raise BadInput(f"{option} {folder}: there is no such folder; create it first")
    return folder


def _calibrate(args: argparse.Namespace, reference: Path | None) -> None:
    from ..validation import calibrate
    from ..validation.calibration import calibration_yaml
    from .output import console

    if args.suite is None:
        raise BadInput("--calibrate fits one suite; name it: dovetail validate SUITE --calibrate DIR")
    folder = _folder("--calibrate", args.calibrate)
    with waiting(f"fitting {args.suite}"):
        fitted = calibrate(args.suite, reference=reference)
    to = console()
    for name, calibration in fitted.items():
        path = (folder or Path()) / f"{name}.yaml"
        path.write_text(calibration_yaml(calibration), encoding="utf-8")
        rows = [(constant.name, str(constant.value), constant.meaning) for constant in calibration.constants]
        columns = (Column("constant", style="cyan"), Column("value", right=True), Column("meaning", folds=True))
        table(to, columns, rows, title=f"{name}: {calibration.row_count} rows, {calibration.residual}")
        to.print(f"{path}: copy it to configs/calibrations and its values to {', '.join(calibration.accelerators)}")


def _show(to: Console, reports: Sequence[SuiteReport], *, details: bool) -> None:
    if details:
        for report in reports:
            for result in report.results:
                _cases(to, result)
    table(to, _SUMMARY, [_summary_row(result) for report in reports for result in report.results])
    for report in reports:
        if to.width < _WIDE:
            _in_words(to, report)
        for name in dict.fromkeys(result.calibration for result in report.results if result.calibration):
            _fitted(to, report.suite.name, name)
        if report.missing:
            what = "published figures only" if report.results else "nothing to compare"
            to.print(f"{report.suite.name}: no {', '.join(report.missing)} in the reference folder: {what}")
        if details:
            for note in dict.fromkeys(note for result in report.results for note in result.notes):
                to.print(f"- {note}")


def _cases(to: Console, result: SuiteResult) -> None:
    columns = (
        Column("case"),
        Column("published", right=True),
        Column("modelled", right=True),
        Column("error", right=True),
        Column("remark", folds=True, style="dim", least_width=100),
    )
    rows = [
        (case.name, f"{case.published:,.6g}", f"{case.modelled:,.6g}", f"{case.error_pct:+.2f} %", case.remark)
        for case in result.cases
    ]
    unit = f" ({result.unit})" if result.unit else ""
    table(to, columns, rows, title=f"{result.suite}: {result.quantity}{unit}")


_WIDE = 170  # a console that shows targets and the best published errors in the table itself
_SUMMARY = (
    Column("suite", style="cyan"),
    Column("quantity", folds=True),
    Column("rows", right=True),
    Column("error", right=True),
    Column("median", right=True, least_width=_WIDE),
    Column("worst row", folds=True),
    Column("Spearman", right=True),
    Column("Kendall", right=True),
    Column("fitted", right=True),
    Column("target", folds=True),
    Column("targets", folds=True, least_width=_WIDE),
    Column("best published", folds=True, least_width=_WIDE),
)


def _summary_row(result: SuiteResult) -> tuple[str, ...]:
    from ..validation import load_calibration
    from ..validation.result import target_text

    fitted = str(len(load_calibration(result.calibration).constants)) if result.calibration else "-"
    return (
        result.suite,
        result.quantity,
        f"{len(result.cases):,}",
        f"{result.mape_pct:.2f} %",
        f"{result.median_error_pct:+.2f} %",
        result.worst_text,
        _rank(result.spearman),
        _rank(result.kendall),
        fitted,
        "-" if result.met is None else "met" if result.met else "missed",
        "; ".join(target_text(result)) or "-",
        result.published_bar,
    )


def _rank(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _in_words(to: Console, report: SuiteReport) -> None:
    """What the table has no room for: which targets are missed, and the best published errors."""
    from ..validation.result import target_text

    for result in report.results:
        if result.met is False:
            to.print(f"{result.suite}, {result.quantity}: {'; '.join(target_text(result))}")
    bars = dict.fromkeys(result.published_bar for result in report.results)
    if bars:
        to.print(f"{report.suite.name}, best published: {'; '.join(bars)}")


def _fitted(to: Console, suite: str, name: str) -> None:
    from ..validation import load_calibration

    record = load_calibration(name)
    constants = ", ".join(f"{constant.name} = {constant.value}" for constant in record.constants)
    count = f"{len(record.constants)} constant{'s' if len(record.constants) > 1 else ''}"
    to.print(
        f"{suite}, {name}: {count} fitted on {record.row_count} rows ({record.rows}), {record.date}, "
        f"{record.residual}: {constants}"
    )
