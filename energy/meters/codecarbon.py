"""CodeCarbon's emissions.csv read in, what it measured apart from what it estimated.

What each figure is, is said in CodeCarbon's documentation (mlco2/codecarbon, docs/explanation/methodology.md): GPUs are
read from the device; memory is always a model (watts per slot or GB); a processor is read from counters (RAPL and the
like) where these are readable, else it is a catalogue's TDP times the load or half of it as a constant. The file does
not say which of these the processor's was, so that it is of unknown origin unless the reader knows. All energies in the
file hold the PUE that was set; here it is taken out again.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import BadInput, Problem, SpecError, UnknownName, nearest, shortened

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["CodeCarbonLog", "CodeCarbonRun", "read_codecarbon"]

J_PER_KWH = 3.6e6
ORIGINS = ("unknown", "measured", "estimated")
NUMBERS = ("duration", "emissions", "cpu_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed")
NEEDED = ("timestamp", *NUMBERS)
ROUNDING = 1e-2  # relative: power is shown as it was last, energies as they were summed
MOST_CHARACTERS = 50_000_000


@dataclass(frozen=True)
class CodeCarbonRun:
    """One row: joules at the devices (without PUE), each under what it is; ``co2e_kg`` as logged, PUE included.

    ``cpu_origin`` is ``"measured"``, ``"estimated"`` or ``"unknown"``; ``line`` the row's in the file.
    """

    line: int
    timestamp: str
    project: str
    duration_s: float
    cpu_energy_j: float
    gpu_energy_j: float
    ram_energy_j: float
    cpu_origin: str
    co2e_kg: float
    pue: float = 1.0
    tracking_mode: str = ""
    cpu_model: str = ""
    gpu_model: str = ""
    country: str = ""
    version: str = ""
    notes: tuple[str, ...] = ()

    @property
    def measured_energy_j(self) -> float:
        """What meters counted: GPUs, and the processor where that is known to be so."""
        return self.gpu_energy_j + (self.cpu_energy_j if self.cpu_origin == "measured" else 0.0)

    @property
    def estimated_energy_j(self) -> float:
        """What a formula gave: memory always, the processor where that is known to be so."""
        return self.ram_energy_j + (self.cpu_energy_j if self.cpu_origin == "estimated" else 0.0)

    @property
    def unknown_energy_j(self) -> float:
        """Of the processor where the file does not tell a counter from a TDP."""
        return self.cpu_energy_j if self.cpu_origin == "unknown" else 0.0


@dataclass(frozen=True)
class CodeCarbonLog:
    """The runs of one file, in its order."""

    source: str
    runs: tuple[CodeCarbonRun, ...]

    @property
    def measured_energy_j(self) -> float:
        """Of all runs."""
        return math.fsum(run.measured_energy_j for run in self.runs)

    @property
    def estimated_energy_j(self) -> float:
        """Of all runs."""
        return math.fsum(run.estimated_energy_j for run in self.runs)

    @property
    def unknown_energy_j(self) -> float:
        """Of all runs."""
        return math.fsum(run.unknown_energy_j for run in self.runs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures has to know, each said once."""
        return tuple(dict.fromkeys(note for run in self.runs for note in run.notes))

    def table(self) -> DataFrame:
        """A row per run; joules in ``measured_energy_j``, ``estimated_energy_j`` or ``unknown_energy_j``."""
        import pandas as pd

        columns = ("line", "timestamp", "project", "measured_energy_j", "estimated_energy_j", "unknown_energy_j",
                   "cpu_origin", "pue", "tracking_mode", "country")  # fmt: skip
        rows = [
            {name: getattr(run, name) for name in columns}
            | {"logged_duration_s": run.duration_s, "co2e_kg": run.co2e_kg}
            for run in self.runs
        ]
        return pd.DataFrame(rows, columns=[*columns[:3], "logged_duration_s", *columns[3:], "co2e_kg"])


def read_codecarbon(path: str | Path, *, cpu: str = "unknown") -> CodeCarbonLog:
    """Runs that CodeCarbon (https://github.com/mlco2/codecarbon) logged into ``emissions.csv``, columns by their names.

    ``cpu`` says where the processor's energy came from, if you know: ``"measured"`` where the log of the run named RAPL
    or another counter, ``"estimated"`` where it spoke of TDP, load or a constant. Left ``"unknown"``, a power that is a
    whole number of half watts all the time is recognised as the constant it is, and the rest stays apart.

    Raises `BadInput` where there is no readable file, `SpecError` with file and line of everything wrong in it,
    `UnknownName` for another ``cpu``.
    """
    if cpu not in ORIGINS:
        raise UnknownName("origin of the processor's energy", str(cpu), ORIGINS)
    source = str(path)
    reader = csv.reader(io.StringIO(_text(source)), strict=True)
    problems: list[Problem] = []
    runs: list[CodeCarbonRun] = []
    try:
        header = [title.strip() for title in next(reader, [])]
        _check_header(header, source)
        for cells in reader:
            if cells:
                run = _run(_Row(source, reader.line_num, header, cells, problems), cpu)
                runs += [run] if run is not None else []
    except csv.Error as error:
        problems.append(Problem(source, reader.line_num, 1, "", f"not a table ({error})", "give CodeCarbon's own file"))
    if problems:
        raise SpecError(problems)
    if not runs:
        raise SpecError([Problem(source, 1, 1, "", "there is no run below the titles", "let a tracker stop() first")])
    return CodeCarbonLog(source, tuple(runs))


def _text(source: str) -> str:
    try:
        raw = Path(source).read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{source}: no such file; give the path of CodeCarbon's emissions.csv") from error
    except IsADirectoryError as error:
        raise BadInput(f"{source}: this is a folder; give the path of the emissions.csv in it") from error
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{source}: cannot be read ({getattr(error, 'strerror', None) or error}); check the path"
        ) from error
    if len(raw) > MOST_CHARACTERS:
        raise BadInput(f"{source}: {len(raw)} bytes are too many; is this CodeCarbon's emissions.csv?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError([Problem(source, line, 1, "", "not UTF-8 text", "give CodeCarbon's own file")]) from error


def _check_header(header: Sequence[str], source: str) -> None:
    problems = []
    for name in NEEDED:
        if name not in header:
            close = nearest(name, header)
            hint = f"is it '{close}'?" if close else "is this CodeCarbon's emissions.csv?"
            problems.append(Problem(source, 1, 1, name, "there is no such column", hint))
    for name in sorted({name for name in header if header.count(name) > 1}):
        problems.append(Problem(source, 1, 1, name, "two columns have this name", "keep one of them"))
    if problems:
        raise SpecError(problems)


@dataclass(frozen=True)
class _Row:
    """One line's cells by title; what is wrong with them is added to ``problems``."""

    source: str
    line: int
    header: Sequence[str]
    cells: Sequence[str]
    problems: list[Problem]

    def complain(self, column: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(self.source, self.line, 1, column, what, remedy))

    def text(self, column: str) -> str:
        return self.cells[self.header.index(column)].strip() if column in self.header else ""

    def number(self, column: str, missing: float | None = None) -> float:
        """A finite number of at least 0; ``missing`` where the cell may be empty."""
        text = self.text(column)
        if not text and missing is not None:
            return missing
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            what = f"'{shortened(text)}' is no number of at least 0"
            self.complain(column, what, "take the row out, or run it again")
            return 0.0
        return value


def _run(row: _Row, cpu: str) -> CodeCarbonRun | None:
    if len(row.cells) != len(row.header):
        what = f"{len(row.cells)} cells below {len(row.header)} titles"
        row.complain("", what, "a line is cut off, or two versions of CodeCarbon wrote into one file; split it")
        return None
    before = len(row.problems)
    # Without a GPU its cells may be empty; the processor's and memory's never are.
    found = {name: row.number(name, 0.0 if name.startswith("gpu") else None) for name in NUMBERS}
    pue = row.number("pue", 1.0)
    if pue < 1 and len(row.problems) == before:
        row.complain("pue", f"{pue:g} is below 1", "a data centre uses at least what its devices use")
    total = found["cpu_energy"] + found["gpu_energy"] + found["ram_energy"]
    if not math.isclose(total, found["energy_consumed"], rel_tol=1e-3, abs_tol=1e-12):
        what = f"{found['energy_consumed']:g} kWh is not the sum of cpu, gpu and ram, {total:g} kWh"
        row.complain("energy_consumed", what, "the row was changed or comes from another tool")
    if len(row.problems) > before:
        return None
    origin, notes = _origin(found, pue, cpu)
    joules = {name: found[f"{name}_energy"] * J_PER_KWH / pue for name in ("cpu", "gpu", "ram")}
    if row.text("tracking_mode") == "process":
        notes += ("tracking_mode is 'process': memory is the process's share by formula, GPUs are whole",)
    if pue != 1:
        notes += (f"energies in the file hold a PUE of {pue:g}; it is taken out here",)
    return CodeCarbonRun(
        row.line,
        row.text("timestamp"),
        row.text("project_name"),
        found["duration"],
        joules["cpu"],
        joules["gpu"],
        joules["ram"],
        origin,
        found["emissions"],
        pue,
        row.text("tracking_mode"),
        row.text("cpu_model"),
        row.text("gpu_model"),
        row.text("country_iso_code"),
        row.text("codecarbon_version"),
        notes,
    )


def _origin(found: Mapping[str, float], pue: float, cpu: str) -> tuple[str, tuple[str, ...]]:
    """Where the processor's energy comes from, and what is to be said of the row."""
    memory = ("energy of memory is CodeCarbon's formula, never measured",)
    if cpu != "unknown":
        return cpu, memory
    power, steady_kwh = found["cpu_power"], found["cpu_power"] * found["duration"] * pue / J_PER_KWH
    half_watts = power > 0 and math.isclose(2 * power, round(2 * power), rel_tol=1e-9)
    if half_watts and math.isclose(steady_kwh, found["cpu_energy"], rel_tol=ROUNDING):
        note = f"the processor's energy is a constant {power:g} W, half of a catalogue's TDP, times the duration"
        return "estimated", (*memory, note)
    note = "the file does not say whether the processor's energy was counted or is a TDP times the load"
    return "unknown", (*memory, f"{note}; say so with cpu='measured' or cpu='estimated'")
