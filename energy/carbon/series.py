"""Hourly carbon intensities from a CSV file: one header line, then a line for each hour of a day or a year."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ...errors import BadInput, Problem, SpecError, shortened
from ..quantities import to_si

__all__ = ["HOURS", "read_series"]

HOURS = (24, 8760, 8784)
_UNIT = re.compile(r"\b(kg|g|t)\s*(?:CO(?:2|₂)\s*-?(?:eq?)?\.?)?\s*(?:/|per|_per_)\s*([kMG]?Wh)\b", re.IGNORECASE)
_TIME = re.compile(r"\s*(hour|time|timestamp|date|datetime)\b", re.IGNORECASE)
_MOST_PROBLEMS = 10
_HOUR = timedelta(hours=1)


def read_series(path: Path) -> tuple[float, ...]:
    """Intensities in kg/J, hour by hour: 24 of a day, 8760 of a year or 8784 of a leap year.

    The first line names the columns. The intensity's column names its unit, e.g. ``intensity (g/kWh)``; of several, the
    one that says "life cycle" is read. A column called hour, time, date, datetime or timestamp is optional and must go
    up by one hour a line (numbers, or ISO 8601). Raises `BadInput` for an unreadable file, else `SpecError` with file
    and line of every problem (the first ten).
    """
    rows = _rows(path)
    if not rows:
        raise SpecError([Problem(str(path), 1, 1, "", "the file is empty", "write a header and a line for each hour")])
    (line, header), body = rows[0], rows[1:]
    column, unit = _intensity_column(path, line, header)
    at = next((index for index, name in enumerate(header) if index != column and _TIME.match(name)), None)
    problems: list[Problem] = []
    found: list[float] = []
    for line, row in body:
        try:
            found.append(_intensity(row, column, len(header), unit))
        except BadInput as error:
            problems.append(Problem(str(path), line, 1, "", str(error)))
    if at is not None and not problems:
        problems += _time_problems(path, at, header[at], body)
    if not problems and len(found) not in HOURS:
        what = f"{len(found)} hours"
        problems.append(Problem(str(path), rows[-1][0], 1, "", what, "give 24 (a day) or 8760 (a year; leap: 8784)"))
    if problems:
        raise SpecError(problems[:_MOST_PROBLEMS])
    return tuple(found)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Lines that hold something, with their numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; check the path") from error
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path}: cannot be read as a table ({reason}); give a CSV file in UTF-8") from error


def _intensity_column(path: Path, line: int, header: Sequence[str]) -> tuple[int, str]:
    """Which column holds the intensity, and its unit."""
    units = {index: match for index, name in enumerate(header) if (match := _UNIT.search(name.replace("_", " ")))}
    if len(units) > 1:
        life = {index: match for index, match in units.items() if "life" in header[index].lower()}
        units = life or units
    if len(units) == 1:
        ((index, match),) = units.items()
        return index, f"{match.group(1).lower()}/{_energy_unit(match.group(2))}"
    if units:
        names = ", ".join(f"'{shortened(header[index])}'" for index in units)
        problem = Problem(str(path), line, 1, "", f"several intensities: {names}", "keep one of these columns")
    else:
        what = f"no column names a carbon intensity: '{shortened(','.join(header))}'"
        problem = Problem(str(path), line, 1, "", what, "name it with its unit, e.g. 'intensity (g/kWh)'")
    raise SpecError([problem])


def _energy_unit(text: str) -> str:
    return {"kwh": "kWh", "mwh": "MWh", "gwh": "GWh", "wh": "Wh"}[text.lower()]


def _intensity(row: Sequence[str], column: int, columns: int, unit: str) -> float:
    if len(row) != columns:
        raise BadInput(f"{len(row)} cells, the header has {columns}; give each column one")
    cell = row[column].strip()
    try:
        value = float(cell)
    except ValueError as error:
        shown = f"'{shortened(cell)}'" if cell else "an empty cell"
        raise BadInput(f"{shown} is not a number; give the intensity in {unit}") from error
    if not (math.isfinite(value) and value >= 0.0):
        raise BadInput(f"an intensity of {cell}; give a finite figure, 0 or more")
    return to_si(f"{value!r} {unit}", "carbon_intensity")


def _time_problems(path: Path, at: int, name: str, body: Sequence[tuple[int, Sequence[str]]]) -> list[Problem]:
    """Lines that do not lie one hour after the line before."""
    problems = []
    before: datetime | float | None = None
    for line, row in body:
        now = _moment(row[at].strip())
        if now is None:
            what = f"'{shortened(row[at])}' in column '{shortened(name)}' is no time"
            problems.append(Problem(str(path), line, 1, "", what, "write 0, 1, 2 ... or 2023-01-01T00:00"))
        elif before is not None and not _one_hour(before, now):
            what = f"'{shortened(row[at])}' is not one hour after the line before"
            problems.append(Problem(str(path), line, 1, "", what, "give every hour once, in order"))
        before = now
    return problems


def _moment(text: str) -> datetime | float | None:
    """A time as hours, or as a moment."""
    try:
        number = float(text)
        return number if math.isfinite(number) else None
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _one_hour(before: datetime | float, now: datetime | float) -> bool:
    if isinstance(before, datetime) and isinstance(now, datetime):
        same_kind = (before.tzinfo is None) == (now.tzinfo is None)
        return same_kind and now - before == _HOUR
    if isinstance(before, datetime) or isinstance(now, datetime):
        return False
    return now - before == 1.0
