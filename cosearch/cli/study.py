"""`dovetail cosearch run` and `dovetail cosearch report`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from .output import Column, Output, facts, progress_bar, table

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console

__all__ = ["add_commands"]

SHOWN_DESIGNS = 15
REPORT = "report.html"


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add `run` and `report` below ``parser``."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=type(parser))
    parser.set_defaults(parser=parser)
    about = "run a study: search networks and accelerators together"
    run = commands.add_parser("run", help=about, description=about.capitalize() + ".")
    run.add_argument("study", metavar="STUDY", help="a shipped study (dovetail list studies) or a .yaml file")
    run.add_argument("--out", required=True, metavar="DIR", help="folder for the trials, the front and the report")
    run.add_argument("--resume", action="store_true", help="go on with the trials already in DIR")
    run.add_argument(
        "--workers", type=_at_least(1), default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)"
    )
    run.add_argument("--trials", type=_at_least(1), metavar="N", help="number of trials, instead of the study's")
    run.add_argument("--seed", type=_at_least(0), metavar="S", help="random seed, instead of the study's")
    Output.add_options(run)
    run.set_defaults(command=_run, parser=run)

    about = "write the report of a study again from its trials"
    report = commands.add_parser("report", help=about, description=about.capitalize() + ".")
    report.add_argument("folder", metavar="DIR", help="the --out folder of a run")
    Output.add_options(report)
    report.set_defaults(command=_report, parser=report)


def _at_least(least: int) -> Any:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least {least}")
        return value

    return read


def _run(args: argparse.Namespace) -> None:
    from ..study import search

    output = Output.of(args)
    out = Path(args.out)
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out}: this is a file; name a folder")
    with progress_bar(args.study) as progress:
        result = search(
            args.study,
            out=out,
            trials=args.trials,
            seed=args.seed,
            workers=args.workers,
            resume=args.resume,
            progress=progress,
        )
    front, trials = result.front(), result.trials()
    _emit(output, out, front, trials, result.baseline)


def _report(args: argparse.Namespace) -> None:
    output = Output.of(args)
    folder = Path(args.folder)
    if not (folder / "trials.jsonl").is_file():
        raise BadInput(f"{folder}: not the folder of a study (it has no trials.jsonl); name the --out folder of a run")
    import pandas as pd

    from ..report import report

    report(folder)
    _emit(output, folder, pd.read_csv(folder / "front.csv"), pd.read_csv(folder / "trials.csv"), None)


def _emit(output: Output, out: Path, front: DataFrame, trials: DataFrame, baseline: Any) -> None:
    rows = [{str(name): value for name, value in row.items()} for row in front.to_dict("records")]
    data = {"out": str(out), "report": str(out / REPORT), "trials": len(trials), "front": rows, "baseline": baseline}
    output.emit(data, rows, lambda to: _show(to, out, front, trials))


def _show(to: Console, out: Path, front: DataFrame, trials: DataFrame) -> None:
    show_frame(to, front, title=f"Pareto front: {len(front)} of {len(trials)} trials", limit=SHOWN_DESIGNS)
    facts(
        to,
        [
            ("report", str(out / REPORT), "open in a browser"),
            ("front", str(out / "front.csv"), ""),
            ("trials", str(out / "trials.csv"), ""),
        ],
    )


def show_frame(to: Console, frame: DataFrame, *, title: str, limit: int) -> None:
    """As many leading columns and rows of ``frame`` as fit the console, saying how many are left out."""
    shown = frame.head(limit)
    cells = {str(name): [_cell(value) for value in shown[name]] for name in frame.columns}
    columns: list[str] = []
    width = 0
    for name, values in cells.items():
        width += max(len(text) for text in (name, *values)) + 2
        if width > to.width and columns:
            break
        columns.append(name)
    table(
        to,
        [Column(name, right=frame[name].dtype.kind in "if") for name in columns],
        list(zip(*(cells[name] for name in columns), strict=True)),
        title=title,
    )
    left_out = [
        f"{count} more {what}"
        for count, what in (
            (len(frame) - len(shown), "rows"),
            (len(cells) - len(columns), "columns"),
        )
        if count
    ]
    if left_out:
        to.print(f"({' and '.join(left_out)} in front.csv)", style="dim")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
