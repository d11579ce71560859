"""The command line's entry points: what every command shares, from parsing to exit codes.

Exit codes: 0 done; 1 the thing asked for failed; 2 bad input; 130 interrupted; 141 the reader of the output went away.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from ...errors import BadInput, CannotDo, SpecError, nearest, suggestion
from . import catalogue, estimate, life, mapping, measure, simulate, study, validation

__all__ = ["cosearch_main", "main"]

DEBUG_VARIABLE = "DOVETAIL_DEBUG"


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a misspelt command, choice or option with the nearest known one."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            known = re.findall(r"[\w-]+", choice[2])
            hint = suggestion(choice[1], known)
            message = f"{message[: choice.start()]}there is no '{choice[1]}'; {hint}"
        self.exit(2, f"{self.prog}: {message}\nsee: {self.prog} --help\n")

    def unrecognized(self, extra: Sequence[str]) -> NoReturn:
        """Leave with the nearest known option for each unknown one."""
        known = list(self._option_string_actions)
        hints = []
        for word in extra:
            close = nearest(word.split("=")[0], known) if word.startswith("-") else None
            hints.append(f"'{word}'" + (f" (did you mean '{close}'?)" if close else ""))
        self.error(f"not understood: {', '.join(hints)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `dovetail` with ``argv`` (default: the process's arguments) and return the exit code."""
    return _run(_dovetail_parser(), sys.argv[1:] if argv is None else argv)


def cosearch_main(argv: Sequence[str] | None = None) -> int:
    """Run `cosearch`, which is `dovetail cosearch`."""
    parser = Parser(prog="cosearch", description="Search networks and accelerators together.")
    study.add_commands(parser)
    return _run(parser, sys.argv[1:] if argv is None else argv)


def _dovetail_parser() -> Parser:
    parser = Parser(
        prog="dovetail",
        description="Fits a neural network and the accelerator it runs on to each other.",
        epilog="Start with: dovetail estimate resnet18 edge_tpu",
    )
    parser.add_argument("--version", action="store_true", help="show the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    estimate.add_command(commands)
    mapping.add_command(commands)
    simulate.add_command(commands)
    life.add_command(commands)
    cosearch = commands.add_parser(
        "cosearch",
        help="search networks and accelerators together",
        description="Search networks and accelerators together.",
    )
    study.add_commands(cosearch)
    validation.add_command(commands)
    measure.add_command(commands)
    catalogue.add_commands(commands)
    return parser


def _run(parser: Parser, argv: Sequence[str]) -> int:
    _make_streams_forgiving()
    try:
        args, extra = parser.parse_known_args(argv)
        command_parser = getattr(args, "parser", parser)
        if extra:
            command_parser.unrecognized(extra)
        if getattr(args, "version", False):
            sys.stdout.write(f"dovetail {_version()}\n")
        elif not hasattr(args, "command"):
            command_parser.print_help(sys.stderr)
            return 2
        else:
            args.command(args)
        sys.stdout.flush()
        return 0
    except SystemExit as stop:  # argparse: --help and usage errors
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt as stop:
        _complain(f"interrupted; {stop}" if stop.args else "interrupted")
        return 130
    except Exception as error:  # noqa: BLE001 - the last place where a user can be told something readable
        return _explain(error)


def _explain(error: Exception) -> int:
    """Say what went wrong on standard error; the exit code that goes with it."""
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    if isinstance(error, SpecError):
        sys.stderr.write(f"{error}\n")
        return 2
    if isinstance(error, BadInput):
        _complain(str(error))
        return 2
    if (
        isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError | PermissionError)
        and error.filename
    ):
        _complain(f"{error.filename}: {error.strerror}")
        return 2
    if isinstance(error, CannotDo):
        _complain(str(error))
        return 1
    if isinstance(error, OSError):
        _complain(f"{error.filename or 'writing the output'}: {error.strerror or error}")
        return 1
    if isinstance(error, MemoryError):
        _complain("out of memory")
        return 1
    _complain(
        f"internal error: {type(error).__name__}: {error}\n"
        f"This is a defect in Dovetail. For the traceback to report, run again with {DEBUG_VARIABLE}=1."
    )
    return 1


def _complain(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")


def _make_streams_forgiving() -> None:
    """Let a terminal without Unicode show '?' rather than end in an encoding error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("dovetail")
    except metadata.PackageNotFoundError:
        return "(not installed)"
