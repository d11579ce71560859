"""Where a command's answer goes: JSON or CSV to a file or standard output, or a table for people."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ...errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

__all__ = [
    "Column",
    "Output",
    "check_writable",
    "console",
    "facts",
    "jsonable",
    "peak_text",
    "progress_bar",
    "table",
    "waiting",
]

STDOUT = "-"
PIPED_WIDTH = 120


@dataclass(frozen=True)
class Output:
    """The destinations a user asked for; neither given means a table on standard output."""

    json: str | None = None
    csv: str | None = None

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add ``--json`` and ``--csv``."""
        group = parser.add_argument_group("output (a table for people unless one of these is given)")
        group.add_argument("--json", metavar="FILE", help="write the result as JSON ('-': standard output)")
        group.add_argument("--csv", metavar="FILE", help="write the result's rows as CSV ('-': standard output)")

    @classmethod
    def of(cls, args: argparse.Namespace) -> Output:
        """The parsed options, checked before any work is done; raises `BadInput` where a file cannot be written."""
        if args.json == STDOUT and args.csv == STDOUT:
            raise BadInput("--json and --csv cannot both go to standard output; give one of them a file")
        for option, name in (("--json", args.json), ("--csv", args.csv)):
            if name is not None and name != STDOUT:
                check_writable(option, Path(name))
        return cls(_fixed(args.json), _fixed(args.csv))

    def emit(self, data: object, rows: Iterable[Mapping[str, Any]], show: Callable[[Console], None]) -> None:
        """Write ``data`` as JSON and ``rows`` as CSV where asked for; otherwise ``show`` the answer to a person."""
        if self.json is not None:
            _write(self.json, json.dumps(jsonable(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        if self.csv is not None:
            _write(self.csv, _csv_text([_flat(row) for row in rows]))
        if self.json is None and self.csv is None:
            show(console())


def _fixed(name: str | None) -> str | None:
    """A destination that stays where it is, should a user's own code change the working directory."""
    return name if name in (None, STDOUT) else os.path.abspath(name)


def check_writable(option: str, path: Path) -> None:
    """Raise `BadInput` if ``path`` certainly cannot be written."""
    if path.is_dir():
        raise BadInput(f"{option} {path}: this is a folder; name a file in it")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise BadInput(f"{option} {path}: the file may not be written; choose another or change its permissions")
    elif not path.parent.is_dir():
        raise BadInput(f"{option} {path}: there is no folder '{path.parent}'; create it first")
    elif not os.access(path.parent, os.W_OK):
        raise BadInput(f"{option} {path}: the folder '{path.parent}' may not be written; choose another")


def _write(name: str, text: str) -> None:
    if name == STDOUT:
        sys.stdout.write(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{name}: cannot be written ({error.strerror or error})") from error


def jsonable(value: object) -> Any:
    """``value`` in JSON's types: dataclasses become objects, numpy's numbers plain ones, what is not finite null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, frozenset | set):
        return [jsonable(item) for item in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return jsonable(value.tolist())
    return str(value)


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted columns; sequences as JSON text."""
    flat: dict[str, Any] = {}
    for key, raw in row.items():
        value = jsonable(raw)
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return flat


def _csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def console(stream: TextIO | None = None) -> Console:
    """A console as wide as the terminal; a pipe or file gets ``COLUMNS`` or 120 columns."""
    from rich.console import Console

    class Plain(Console):
        """Leaves a reader that went away to the command line, which has an exit code for it."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = stream or sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS") or PIPED_WIDTH)
    return Plain(file=stream, width=width, highlight=False, markup=False, emoji=False)


@dataclass(frozen=True)
class Column:
    """A table's column: numbers go ``right``, ``folds`` lets it wrap, a console below ``least_width`` leaves it out."""

    title: str
    right: bool = False
    folds: bool = False
    style: str = ""
    least_width: int = 0


def table(to: Console, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a table with a cell per column in each row."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        title_style="",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    shown = [index for index, column in enumerate(columns) if column.least_width <= to.width]
    for column in (columns[index] for index in shown):
        grid.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=not column.folds,
            overflow="fold" if column.folds else "ellipsis",
        )
    for row in rows:
        grid.add_row(*(Text(row[index]) for index in shown))
    to.print(grid)


def facts(to: Console, pairs: Iterable[tuple[str, str, str]]) -> None:
    """Print aligned lines of (name, figure, remark)."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column(style="dim")
    for name, figure, remark in pairs:
        grid.add_row(Text(name), Text(figure), Text(remark))
    to.print(grid)


def peak_text(ops_per_s: float) -> str:
    """A peak rate for people: ``26.2 TOPS``, ``67.2 GOPS``."""
    tera = ops_per_s / 1e12
    if tera >= 1000:
        return f"{tera:,.0f} TOPS"
    return f"{tera:.3g} TOPS" if tera >= 0.1 else f"{tera * 1e3:.3g} GOPS"


@contextmanager
def waiting(message: str) -> Iterator[None]:
    """A spinner on standard error while the body runs, on terminals only."""
    if not sys.stderr.isatty():
        yield
        return
    with console(sys.stderr).status(message):
        yield


def progress_columns() -> tuple[ProgressColumn, ...]:
    """What a progress bar shows: what is done, how much of it, for how long and for how much longer."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error as a function of (done, total); None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(*progress_columns(), console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task(description, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
