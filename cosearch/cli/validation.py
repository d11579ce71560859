"""`dovetail validate`: the model against published and measured figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import Column, Output, table, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ..validate import SuiteResult

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add `validate` to the parser's commands."""
    about = "compare the model with published and measured figures"
    validate = commands.add_parser("validate", help=about, description=about.capitalize() + ".")
    validate.add_argument("suite", nargs="?", metavar="SUITE", help="one suite (default: all)")
    validate.add_argument("--reference", metavar="DIR", help="folder of the reference data")
    Output.add_options(validate)
    validate.set_defaults(command=_validate, parser=validate)


def _validate(args: argparse.Namespace) -> None:
    from ..validate import validate

    output = Output.of(args)
    reference = Path(args.reference) if args.reference else None
    with waiting("comparing"):
        results = validate(args.suite, reference=reference)
    rows = [
        {"suite": result.suite, "quantity": result.quantity} | vars(case) for result in results for case in result.cases
    ]
    output.emit(
        [result.summary() for result in results], rows, lambda to: _show(to, results, details=args.suite is not None)
    )


def _show(to: Console, results: Sequence[SuiteResult], *, details: bool) -> None:
    if details:
        columns = (
            Column("case"),
            Column("published", right=True),
            Column("modelled", right=True),
            Column("error", right=True),
            Column("remark", folds=True, style="dim", least_width=100),
        )
        for result in results:
            rows = [
                (case.name, f"{case.published:,.6g}", f"{case.modelled:,.6g}", f"{case.error_pct:+.2f} %", case.remark)
                for case in result.cases
            ]
            table(to, columns, rows, title=f"{result.suite}: {result.quantity}")
    summary = (
        Column("suite", style="cyan"),
        Column("quantity"),
        Column("rows", right=True),
        Column("mean |error|", right=True),
        Column("median error", right=True),
        Column("Spearman", right=True),
        Column("Kendall", right=True),
        Column("bar", folds=True),
    )
    table(
        to,
        summary,
        [
            (
                result.suite,
                result.quantity,
                str(len(result.cases)),
                f"{result.mape_pct:.2f} %",
                f"{result.median_error_pct:+.2f} %",
                f"{result.spearman:.3f}",
                f"{result.kendall:.3f}",
                _bar(result),
            )
            for result in results
        ],
    )


def _bar(result: SuiteResult) -> str:
    held = "" if result.within_bar is None else f": {result.within_bar} of {len(result.cases)}"
    return result.published_bar + held
