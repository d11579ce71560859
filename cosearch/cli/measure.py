"""`dovetail measure`: energy that the machine's meters count while a command runs."""

from __future__ import annotations

import argparse
import math
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, CannotDo, shortened
from .arguments import checked, positive, whole
from .output import Column, Output, facts, table, waiting

if TYPE_CHECKING:
    from rich.console import Console

    from ...energy.meters import Comparison, Interval, Measured

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add `measure` to the parser's commands."""
    one = commands.add_parser(
        "measure",
        usage="%(prog)s [options] -- COMMAND ...",
        help="energy that the machine's meters count while a command runs",
        description="Run a command again and again and read the machine's energy meters (RAPL, NVML); say what it used "
        "above the idle machine, with confidence intervals. What the command prints goes to standard error.",
    )
    one.add_argument("--repetitions", type=positive, default=10, metavar="N", help="runs that count (default 10)")
    one.add_argument("--warmup", type=whole, default=1, metavar="N", help="runs before them that do not (default 1)")
    one.add_argument(
        "--idle", type=_watched, default=5.0, metavar="TIME",
        help="how long the idle machine is watched before, e.g. '10 s'; 0 takes no idle power off (default 5 s)",
    )  # fmt: skip
    one.add_argument("--against", metavar="FILE", help="test it against an earlier measurement, written with --json")
    one.add_argument("--quiet", action="store_true", help="drop what the command prints")
    Output.add_options(one)
    one.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments, after --"
    )
    one.set_defaults(command=_measure, parser=one)


@checked
def _watched(text: str) -> float:
    from ...energy.quantities import to_si

    return 0.0 if text.strip() == "0" else to_si(text, "time")


def _measure(args: argparse.Namespace) -> None:
    from ...energy.meters import measure, read_measured, to_record

    output, words = Output.of(args), _words(args.words)
    before = None if args.against is None else read_measured(args.against)
    if before is not None and min(before.repetitions, args.repetitions) < 2:
        raise BadInput("--against: a test needs two repetitions of each, better ten")
    runs = args.warmup + args.repetitions
    with waiting(f"watching the idle machine, then {runs} run{'s' if runs > 1 else ''} of {words[0]}"):
        measured = measure(
            lambda: _run(words, quiet=args.quiet),
            repetitions=args.repetitions,
            warmup=args.warmup,
            idle=args.idle,
            name=shortened(shlex.join(words)),
        )
    test = None
    if before is not None:
        test = replace(measured, name="this run").compare(replace(before, name="the earlier one"))
    data = {"command": words, **measured.summary(), "record": to_record(measured)}
    if test is not None:
        data["comparison"] = {**vars(test), "significant": test.significant, "verdict": test.verdict}
    output.emit(data, data["runs"], lambda to: _show(to, measured, test))


def _words(given: list[str]) -> list[str]:
    """The command; raises `BadInput` where there is none that can be run."""
    words = given[1:] if given[:1] == ["--"] else given
    if not words:
        raise BadInput("there is no command to measure; write dovetail measure -- COMMAND ...")
    if shutil.which(words[0]) is None:
        hint = "options of dovetail stand before --" if words[0].startswith("-") else "check its name or give its path"
        raise BadInput(f"'{shortened(words[0])}' is no command that can be run; {hint}")
    return words


def _run(words: list[str], *, quiet: bool) -> None:
    to = subprocess.DEVNULL if quiet else _error_stream()
    try:
        code = subprocess.run(words, stdout=to, stderr=to, check=False).returncode
    except OSError as error:
        raise CannotDo(f"'{shortened(words[0])}' cannot be run ({error.strerror or error})") from error
    if code:
        how = f"with exit code {code}" if code > 0 else f"by signal {-code} ({_signal_name(-code)})"
        raise CannotDo(
            f"the command ended {how}, so nothing was measured: {shortened(shlex.join(words), 200)}; "
            "see what it says, and measure it once it works"
        )


def _error_stream() -> int | None:
    """The file number of standard error; None lets a command inherit it where there is none."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _show(to: Console, measured: Measured, test: Comparison | None) -> None:
    from ...energy.quantities import format_si

    many = "s" if measured.repetitions > 1 else ""
    to.print(f"{measured.name}: measured in {measured.repetitions} repetition{many}", style="bold")
    used, sure = "above the idle machine" if measured.idle else "idle power included", measured.confidence
    energy = _span(measured.measured_energy_ci_j, "J", sure)
    pairs = [
        ("energy", format_si(measured.measured_energy_j, "J"), f"{energy}; {used}"),
        ("time", format_si(measured.measured_duration_s, "s"), _span(measured.measured_duration_ci_s, "s", sure)),
        ("power", format_si(measured.measured_power_w, "W"), "while it ran, idle power included"),
    ]
    idle, around = measured.measured_idle_power_w, measured.measured_idle_power_ci_w
    if idle is not None and around is not None:
        pairs.append(("idle power", format_si(idle, "W"), _span(around, "W", sure)))
    facts(to, pairs)
    columns = [Column("part"), Column("measured energy", right=True), Column("power", right=True),
               Column("method"), Column("device")]  # fmt: skip
    rows = [
        (
            row["part"] if row["counted"] else f"({row['part']})",
            format_si(row["measured_energy_j"], "J"),
            format_si(row["measured_power_w"], "W"),
            row["method"] if row["counted"] else f"{row['method']}, inside another part",
            row["device"],
        )
        for row in measured.table().to_dict("records")
    ]
    table(to, columns, rows)
    if test is not None:
        to.print(f"{test.verdict}\n", soft_wrap=True)
    for note in (*measured.notes, *(f"not measured: {reason}" for reason in measured.missing)):
        to.print(f"note: {note}", style="dim", soft_wrap=True)


def _span(interval: Interval, unit: str, confidence: float) -> str:
    from ...energy.quantities import format_si

    if not math.isfinite(interval.half):
        return "no interval from one repetition"
    return f"{confidence:.0%} interval {format_si(interval.low, unit)} to {format_si(interval.high, unit)}"
