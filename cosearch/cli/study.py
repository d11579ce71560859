"""`dovetail cosearch run` and `dovetail cosearch report`."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, CannotDo
from ..amounts import count_of
from . import compare
from .metric_words import HARDWARE_PREFIX, METRICS, text_of, texts_apart, title_of
from .output import Column, Output, progress_bar, table
from .study_progress import study_progress

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console

    from ..studies.files import Context

__all__ = ["add_commands"]

SHOWN_DESIGNS = 15
REPORT = "report.html"
PATCH_HELP = (
    "change the study, its networks or its hardware: 'pes?x=8', 'stage3.block*?op=fused', 'strategy?population=10'; "
    "may be repeated"
)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add `run`, `report` and `compare` below ``parser``."""
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
    run.add_argument(
        "--cluster", metavar="ADDRESS", help="Dask cluster to use: tcp://HOST:8786, or local:N for N processes here"
    )
    run.add_argument("--trials", type=_at_least(1), metavar="N", help="number of trials, instead of the study's")
    run.add_argument("--patch", action="append", default=[], metavar="PATCH", dest="patches", help=PATCH_HELP)
    run.add_argument(
        "--repeats", type=_at_least(1), metavar="N", help="run with N seeds in a row, each in DIR/seed_…, and compare"
    )
    run.add_argument("--seed", type=_at_least(0), metavar="S", help="random seed, instead of the study's")
    Output.add_options(run)
    run.set_defaults(command=_run, parser=run)

    about = "write the report of a study again from its trials"
    report = commands.add_parser("report", help=about, description=about.capitalize() + ".")
    report.add_argument("folder", metavar="DIR", help="the --out folder of a run")
    Output.add_options(report)
    report.set_defaults(command=_report, parser=report)
    compare.add_command(commands)


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
    from ..studies.repeats import search_repeats
    from ..studies.run import search

    output = Output.of(args)
    out = Path(args.out)
    if not args.out.strip():
        raise BadInput("--out is empty; name a folder")
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out}: this is a file; name a folder")
    asked: dict[str, Any] = {
        name: getattr(args, name) for name in ("trials", "seed", "workers", "cluster", "resume", "patches")
    }
    try:
        if args.repeats is not None:
            with progress_bar(args.study) as progress:
                seeds = search_repeats(args.study, args.repeats, out=out, progress=progress, **asked).seeds()
            _emit_seeds(output, out, seeds)
            return
        with study_progress(args.study) as watch:
            result = search(args.study, out=out, watch=watch, **asked)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"finished trials are kept in {out}; go on with --resume") from stop
    front, trials = result.front(), result.trials()
    _emit(output, out, front, trials, result.context)
    if front.empty:
        raise CannotDo(_why_none(trials, result.context))


def _report(args: argparse.Namespace) -> None:
    output = Output.of(args)
    folder = Path(args.folder)
    if (folder / "repeats.csv").is_file() and not (folder / "trials.jsonl").is_file():
        _report_seeds(output, folder)
        return
    if not (folder / "trials.jsonl").is_file():
        raise BadInput(f"{folder}: not the folder of a study (it has no trials.jsonl); name the --out folder of a run")
    import pandas as pd

    from ..reports.findings import EDITED_NOTE
    from ..reports.report import report
    from ..studies.files import Context
    from ..studies.folder import was_edited

    report(folder)
    front, trials = pd.read_csv(folder / "front.csv"), pd.read_csv(folder / "trials.csv")
    context = Context.read(folder / "context.json")
    _emit(output, folder, front, trials, context, EDITED_NOTE if was_edited(folder, context) else "")


def _report_seeds(output: Output, folder: Path) -> None:
    import pandas as pd

    from ..reports.repeats import repeats_report

    repeats_report(folder)
    _emit_seeds(output, folder, pd.read_csv(folder / "repeats.csv"))


def _emit_seeds(output: Output, out: Path, seeds: DataFrame) -> None:
    rows = [{str(name): value for name, value in row.items()} for row in seeds.to_dict("records")]
    data = {"out": str(out), "report": str(out / REPORT), "seeds": rows}

    def show(to: Console) -> None:
        names = [name for name in seeds.columns if name != "folder"]
        cells = [[text_of(name, row[name]) for name in names] for row in rows]
        table(to, [Column(title_of(name), right=True) for name in names], cells, title=count_of(len(rows), "seed"))
        volumes = seeds["hypervolume_pct"]
        spread = f" +- {volumes.std():.2f}" if len(volumes) > 1 else ""
        to.print(f"hypervolume {volumes.mean():.2f}{spread} % of the box, worst {volumes.min():.2f} %\n")
        to.print(str(out / REPORT), style="bold", soft_wrap=True)

    output.emit(data, rows, show)


def _emit(output: Output, out: Path, front: DataFrame, trials: DataFrame, context: Context, note: str = "") -> None:
    rows = [{str(name): value for name, value in row.items()} for row in front.to_dict("records")]
    data: dict[str, Any] = {
        "out": str(out),
        "report": str(out / REPORT),
        "trials": len(trials),
        "front": rows,
        "baseline": context.baseline,
        "accuracy": context.accuracy,
    }
    if note:
        data["note"] = note

    def show(to: Console) -> None:
        _show(to, out, front, trials, context)
        if note:
            to.print(note, style="bold")

    output.emit(data, rows, show)


def _why_none(trials: DataFrame, context: Context) -> str:
    """What turned every trial away, in one line."""
    counts = trials["status"].value_counts()
    reasons, remedy = [], "widen the search"
    if counts.get("infeasible", 0):
        told = trials.loc[trials["status"] == "infeasible", "reason"].value_counts()
        share = f"{told.iloc[0]} of them: " if len(told) > 1 else ""
        reasons.append(f"{counts['infeasible']} cannot be had ({share}{told.index[0]})")
        remedy = "see to that, or widen the search"
    if counts.get("constraint", 0):
        found = {name: float(trials[name].min()) for name in context.limits if name in trials}
        broken = "breaks" if counts["constraint"] == 1 else "break"
        reasons.append(f"{counts['constraint']} {broken} a constraint{_missed(found, context)}")
    if context.dropped:
        networks = "1 network was" if context.dropped == 1 else f"{context.dropped:,} networks were"
        missed = _missed(context.least_dropped, context)
        reasons.append(f"{networks} dropped before a trial, having no hardware within the limits{missed}")
    elif context.least_dropped:
        reasons.append(f"no accelerator swept keeps the limits{_missed(context.least_dropped, context)}")
    if counts.get("constraint", 0) or context.least_dropped:
        remedy = "loosen the constraint or widen the search"
    why = " and ".join(reasons) or "none could be proposed"
    return f"no feasible design among {count_of(len(trials), 'trial')}: {why}; {remedy}"


def _missed(found: Mapping[str, float], context: Context) -> str:
    """The limits above which even the least found lies, in brackets; or that each alone was kept, but not together."""
    known = {name: found[name] for name in context.limits if math.isfinite(found.get(name, math.inf))}
    limits = []
    for name, value in known.items():
        if value > context.limits[name]:
            most, least = texts_apart(name, (context.limits[name], value))
            limits.append(f"{title_of(name)} at most {most}, the least found is {least}")
    if not limits and len(known) > 1:
        return f" ({', '.join(map(title_of, known))}: each limit is kept by some, but not all by one)"
    return f" ({'; '.join(limits)})" if limits else ""


def _show(to: Console, out: Path, front: DataFrame, trials: DataFrame, context: Context) -> None:
    if front.empty:
        to.print("no feasible design: the report lists why each trial was turned away", style="bold")
    else:
        show_front(to, front, title=f"Pareto front: {len(front)} of {count_of(len(trials), 'trial')}")
    if context.baseline:
        known = [name for name in METRICS if name in context.baseline]
        told = (f"{title_of(name)} {text_of(name, context.baseline[name])}" for name in known)
        to.print(f"baseline: {', '.join(told)}")
    to.print(f"{context.accuracy}\n", style="dim")
    for name in (REPORT, "front.csv", "trials.csv"):
        to.print(str(out / name), style="bold" if name == REPORT else "", soft_wrap=True)


def show_front(to: Console, front: DataFrame, *, title: str) -> None:
    """The metrics and the hardware of the first designs, in as many columns as fit the console."""
    shown = front.head(SHOWN_DESIGNS)
    names: list[str] = [
        "number",
        *(name for name in METRICS if name in front),
        *filter(_is_hardware, map(str, front.columns)),
    ]
    columns: list[Column] = []
    cells: list[list[str]] = []
    width = 0
    for name in names:
        texts = [text_of(name, value) for value in shown[name]]
        width += max(map(len, (title_of(name), *texts))) + 3
        if width > to.width:
            break
        columns.append(Column(title_of(name), right=True))
        cells.append(texts)
    table(to, columns, list(zip(*cells, strict=True)), title=title)
    rest = f"{len(front) - len(shown)} more designs and " if len(front) > len(shown) else ""
    to.print(f"({rest}every choice of network and hardware: front.csv)", style="dim")


def _is_hardware(name: str) -> bool:
    return name.startswith(HARDWARE_PREFIX)
