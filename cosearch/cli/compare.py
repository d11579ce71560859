"""`dovetail cosearch compare`: runs of one space side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from .output import Column, Output, table

if TYPE_CHECKING:
    from rich.console import Console

    from ..reports.comparison import Comparison

__all__ = ["add_command"]

_KINDS = (".pdf", ".png", ".svg")


def add_command(commands: Any) -> None:
    """Add `compare` to the commands of `dovetail cosearch`."""
    about = "compare runs: whose front dominates how much, and how sure that is"
    compare = commands.add_parser("compare", help=about, description=about.capitalize() + ".")
    compare.add_argument(
        "folders", nargs="+", metavar="DIR", help="--out folders of runs for the same objectives, the measure first"
    )
    compare.add_argument("--figure", metavar="FILE", help="write fronts and hypervolumes as .png, .pdf or .svg")
    Output.add_options(compare)
    compare.set_defaults(command=_compare, parser=compare)


def _compare(args: argparse.Namespace) -> None:
    from ..reports.comparison import compare_runs, plot_comparison

    output = Output.of(args)
    figure = Path(args.figure) if args.figure else None
    if figure is not None and figure.suffix.lower() not in _KINDS:
        raise BadInput(f"--figure {figure}: the name must end in one of {', '.join(_KINDS)}")
    comparison = compare_runs(args.folders)
    if figure is not None:
        drawn: Any = plot_comparison(comparison)[0].figure
        try:
            drawn.savefig(figure, dpi=200)
        except OSError as error:
            raise BadInput(f"--figure {figure}: cannot be written ({error.strerror}); name another file") from error
    rows = comparison.rows()
    data = {"objectives": list(comparison.objectives), "reference": list(comparison.reference), "runs": rows}
    output.emit(data, rows, lambda to: _show(to, comparison, rows))


def _show(to: Console, comparison: Comparison, rows: list[dict[str, Any]]) -> None:
    columns = [
        Column("run"), Column("trials", right=True), Column("accuracies", right=True, least_width=90),
        Column("front", right=True, least_width=100), Column("hypervolume", right=True),
        Column("errors drawn", right=True),
        Column("of the first", right=True, least_width=110), Column("first larger in", right=True),
    ]  # fmt: skip
    drawn = [f"{row['drawn_pct']:.1f} ({row['low_pct']:.1f} .. {row['high_pct']:.1f})" for row in rows]
    cells = [
        [
            row["run"], str(row["trials"]), str(row["accuracy_evaluations"]), str(row["front"]),
            f"{row['hypervolume_pct']:.2f} %", drawn[at],
            f"{row['of_first_pct']:.1f} %", "-" if at == 0 else f"{row['first_is_larger_pct']:.0f} % of draws",
        ]
        for at, row in enumerate(rows)
    ]  # fmt: skip
    table(to, columns, cells, title="hypervolume as predicted, and with the accuracies' errors drawn: mean (95 %)")
    corner = zip(comparison.objectives, comparison.reference, strict=True)
    box = ", ".join(f"{name} {value:.4g}" for name, value in corner)
    to.print(f"share of the box from zero to {box}", style="dim", soft_wrap=True)
    for run in comparison.runs:
        if run.note:
            to.print(f"{run.name}: {run.note}", style="yellow", soft_wrap=True)
