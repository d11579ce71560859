"""When requests arrive: evenly, at random, as a file says, or when the answer before has come.

Every kind is a frozen dataclass; `parse_arrivals` reads them from a command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...energy.quantities import to_si
from ...errors import BadInput, printable, shortened
from .checks import checked_number, checked_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Arrivals", "ClosedLoop", "FixedRate", "Merged", "Poisson", "Trace", "parse_arrivals", "read_trace"]

_BLOCK = 4096
_MOST_CLIENTS = 1_000_000
_FORMS = "'100/s', '10 ms', 'poisson:100/s', 'closed:8', 'closed:8,10 ms' or the path of a trace"


class Arrivals:
    """When requests come, and of which network ("": the run's mix decides)."""

    @property
    def requests(self) -> int | None:
        """How many there are; None where they never end."""
        return None

    def times(self, rng: np.random.Generator) -> Iterator[tuple[float, str]]:
        """Seconds and network of one request after the other, never going back in time; none where clients wait."""
        return iter(())


@dataclass(frozen=True)
class FixedRate(Arrivals):
    """One request every 1/``per_s`` seconds, the first at 0."""

    per_s: float

    def __post_init__(self) -> None:
        checked_number(self.per_s, "rate", positive=True, remedy="requests per second are above zero")

    def times(self, rng: np.random.Generator) -> Iterator[tuple[float, str]]:
        for index in count():
            yield index / self.per_s, ""


@dataclass(frozen=True)
class Poisson(Arrivals):
    """Independent requests, ``per_s`` of them a second in the mean: exponential gaps."""

    per_s: float

    def __post_init__(self) -> None:
        checked_number(self.per_s, "rate", positive=True, remedy="requests per second are above zero")

    def times(self, rng: np.random.Generator) -> Iterator[tuple[float, str]]:
        last = 0.0
        while True:
            block = last + np.cumsum(rng.exponential(1.0 / self.per_s, _BLOCK))
            last = float(block[-1])
            for time_s in block.tolist():
                yield time_s, ""


@dataclass(frozen=True, eq=False)
class Trace(Arrivals):
    """Given times, in seconds, [n]; ``networks`` names each request's (empty: the run's mix decides).

    ``source`` and ``lines`` say where they stand, for messages. Raises `BadInput` for no times, a time that is
    negative, not finite or before the one above it, and for names that are not as many as times.
    """

    time_s: NDArray[np.float64]
    networks: tuple[str, ...] = ()
    source: str = "trace"
    lines: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        times = np.array(self.time_s, np.float64)
        object.__setattr__(self, "time_s", times)
        if times.ndim != 1 or not len(times):
            raise BadInput(f"{self.source}: it holds no requests; give a time in seconds for each")
        if self.networks and len(self.networks) != len(times):
            raise BadInput(f"{self.source}: {len(times)} times and {len(self.networks)} networks; give one for each")
        bad = ~np.isfinite(times) | (times < 0)
        bad[1:] |= times[1:] < times[:-1]
        if bad.any():
            self._complain(int(np.argmax(bad)))

    def _complain(self, at: int) -> None:
        time_s = float(self.time_s[at])
        if not np.isfinite(time_s):
            what = f"'{time_s}' is not a finite time; correct it or leave the request out"
        elif time_s < 0:
            what = f"the arrival time {time_s:g} s is negative; count from the start of the run"
        else:
            what = f"{time_s:g} s is before the request above it, {self.time_s[at - 1]:g} s; sort the requests by time"
        raise BadInput(f"{self.place(at)}: {what}")

    def place(self, at: int) -> str:
        """Where request ``at`` stands."""
        return f"{self.source}:{self.lines[at]}" if self.lines else f"{self.source}: request {at}"

    @property
    def requests(self) -> int:
        return len(self.time_s)

    def times(self, rng: np.random.Generator) -> Iterator[tuple[float, str]]:
        return zip(self.time_s.tolist(), self.networks or [""] * len(self.time_s), strict=True)


@dataclass(frozen=True)
class ClosedLoop(Arrivals):
    """``clients`` that each send a request at 0, and another ``think_s`` after the answer (or the refusal) to it."""

    clients: int
    think_s: float = 0.0

    def __post_init__(self) -> None:
        checked_whole(self.clients, "clients", maximum=_MOST_CLIENTS, remedy="a closed loop has at least one client")
        checked_number(self.think_s, "think time", remedy="it is at least 0 s")


@dataclass(frozen=True)
class Merged(Arrivals):
    """Several networks on one device, each with arrivals of its own."""

    parts: tuple[tuple[str, Arrivals], ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise BadInput("arrivals: none are given; name at least one network")
        for name, part in self.parts:
            if not isinstance(part, Arrivals) or isinstance(part, Merged):
                raise BadInput(f"arrivals of '{name}': {part!r} is none of one network; use parse_arrivals('100/s')")
        names = [name for name, _ in self.parts]
        double = next((name for index, name in enumerate(names) if name in names[:index]), None)
        if double is not None:
            raise BadInput(f"arrivals: '{double}' has two; leave one out")

    @property
    def requests(self) -> int | None:
        counts = [part.requests for _, part in self.parts]
        return None if None in counts else sum(one or 0 for one in counts)


# ---- from text -----------------------------------------------------------------------------------------------------


_PART = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*=\s*(.+)", re.DOTALL)


def parse_arrivals(text: str) -> Arrivals:
    """Arrivals as a person writes them.

    ``100/s`` (evenly), ``10 ms`` (one every so often), ``poisson:100/s`` or ``poisson:10 ms`` (that gap in the mean),
    ``closed:8`` and ``closed:8,10 ms`` (clients, think time), a trace's path (see `read_trace`), also as
    ``trace:PATH``; for several networks ``a=100/s; b=poisson:5/s``. Raises `BadInput` with the line where the trace
    cannot be used.
    """
    stripped = text.strip()
    parts = [_PART.fullmatch(part) for part in stripped.split(";")]
    if "=" in stripped and all(parts) and not _is_file(stripped):
        return Merged(tuple((part[1], _parse_one(part[2].strip())) for part in parts if part))
    return _parse_one(stripped)


def _parse_one(text: str) -> Arrivals:
    kind, _, rest = text.partition(":")
    if kind.strip().lower() == "poisson":
        return Poisson(_rate(rest.strip(), text))
    if kind.strip().lower() == "closed":
        return _closed_loop(rest, text)
    if kind.strip().lower() == "trace":
        return read_trace(Path(rest.strip()))
    if not text:
        raise BadInput(f"arrivals: nothing is given; write {_FORMS}")
    if not _is_file(text) and re.match(r"([-+]?(\d|\.\d|inf|nan)|[^/]*/\s*(s|min|h|day)$)", text, re.IGNORECASE):
        return FixedRate(_rate(text, text))
    return read_trace(Path(text))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _rate(text: str, whole: str) -> float:
    """Requests per second from ``100/s``, ``6000/min``, ``100 Hz`` or a period such as ``10 ms``."""
    place = f"arrivals '{shortened(whole)}'"
    number, per, unit = text.rpartition("/")
    try:
        if not per:
            is_rate = re.search(r"Hz\s*$", text) is not None
            value = to_si(text, "frequency" if is_rate else "time", positive=True)
            return value if is_rate else 1.0 / value
        return to_si(number.strip(), "none", positive=True) / to_si(f"1 {unit.strip()}", "time", positive=True)
    except BadInput as error:
        raise BadInput(printable(f"{place}: {error}; a rate above zero is written '100/s' or '10 ms'")) from error


def _closed_loop(rest: str, whole: str) -> ClosedLoop:
    place = f"arrivals '{shortened(whole)}'"
    clients, _, think = rest.partition(",")
    if not re.fullmatch(r"\d{1,9}", clients.strip()):
        raise BadInput(printable(f"{place}: '{shortened(clients)}' is no number of clients; write 'closed:8,10 ms'"))
    try:
        return ClosedLoop(int(clients), to_si(think.strip(), "time") if think.strip() else 0.0)
    except BadInput as error:
        raise BadInput(printable(f"{place}: {error}; write 'closed:8,10 ms'")) from error


def read_trace(path: Path) -> Trace:
    """A trace file: a time in seconds on each line, or CSV with the header ``time_s`` or ``time_s,network``.

    Empty lines and lines that begin with ``#`` are left out; an empty network leaves it to the run's mix. Raises
    `BadInput` with file, line and remedy.
    """
    source = str(path)
    times: list[float] = []
    networks: list[str] = []
    lines: list[int] = []
    columns: Sequence[str] | None = None
    for number, line in enumerate(_text_of(path).split("\n"), 1):
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if columns is None:
            columns = _columns(cells, f"{source}:{number}")
            if cells[0] in columns:
                continue
        if len(cells) != len(columns):
            wanted = " and ".join(columns)
            raise BadInput(f"{source}:{number}: {len(cells)} values stand where {wanted} should; correct the line")
        row = dict(zip(columns, cells, strict=True))
        times.append(_time(row["time_s"], f"{source}:{number}"))
        networks += [row["network"]] if "network" in row else []
        lines.append(number)
    if not times:
        raise BadInput(f"{source}: the trace holds no requests; write a time in seconds on each line")
    return Trace(np.array(times), tuple(networks), source, tuple(lines))


def _columns(cells: list[str], place: str) -> tuple[str, ...]:
    """The header's columns; a file that begins with a number has the times alone."""
    if "time_s" in cells:
        known = [name for name in cells if name in ("time_s", "network")]
        if len(set(known)) < len(cells):
            other = next((name for at, name in enumerate(cells) if name not in known or name in cells[:at]), "")
            raise BadInput(printable(f"{place}: column '{shortened(other)}' is one too many; keep time_s and network"))
        return tuple(cells)
    if re.match(r"[A-Za-z_]", cells[0]) and not re.fullmatch(r"(?i)nan|inf(inity)?", cells[0]):
        given = shortened(",".join(cells))
        raise BadInput(printable(f"{place}: '{given}' names no column time_s; begin with 'time_s' or 'time_s,network'"))
    return ("time_s",)


def _time(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        what = f"{place}: '{shortened(text)}' is not a number; write the arrival time in seconds"
        raise BadInput(printable(what)) from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadInput(printable(f"{path}: no such trace; write {_FORMS}")) from error
    except IsADirectoryError as error:
        raise BadInput(printable(f"{path}: this is a folder; give the path of a trace in it")) from error
    except UnicodeDecodeError as error:
        raise BadInput(printable(f"{path}: not UTF-8 text; save the trace as a CSV file")) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(printable(f"{path}: the trace cannot be read ({reason}); check the path")) from error
