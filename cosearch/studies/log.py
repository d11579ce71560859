"""The log of a search: one JSON line per trial, written as it ends and safe against a kill at any moment."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO

from ...errors import BadInput, CannotDo, Problem, SpecError
from .trial import Trial

__all__ = ["TrialLog", "read_trials", "write_atomically"]


class TrialLog:
    """Appends trials to ``trials.jsonl``, each on the disk before ``append`` returns; one run at a time may hold it.

    Raises `BadInput` where another run holds it, ``OSError`` where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        try:
            _lock(self._file, path)
        except BadInput:
            self._file.close()
            raise

    def drop_torn_line(self) -> None:
        """Cut off a last line that a kill left without its end; that trial is evaluated again."""
        content = self.path.read_bytes()
        self._file.truncate(content.rfind(b"\n") + 1)

    def append(self, trial: Trial) -> None:
        """Add one finished trial, whole or not at all. Raises `CannotDo` where the disk takes no more."""
        line = json.dumps(trial.to_json(), allow_nan=False, separators=(",", ":")).encode() + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise _full(self.path, error, f"trial {trial.number} is lost, those before it are kept") from error

    def __enter__(self) -> TrialLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # a system without such locks: two runs in one folder are then the user's care
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadInput(f"{path}: another run is writing here; wait for it, or name another folder") from error


def read_trials(path: Path, objectives: Sequence[str] = ()) -> list[Trial]:
    """The finished trials in the order of their numbers; [] without a file. A torn last line is passed over.

    Raises `SpecError` with file, line and column where any other line is no trial, a number stands twice, or a feasible
    trial lacks one of the ``objectives``.
    """
    if not path.exists():
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error
    trials: dict[int, Trial] = {}
    lines: dict[int, int] = {}
    for line, text in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            trial = Trial.from_json(json.loads(text))
        except (ValueError, TypeError, UnicodeDecodeError) as error:
            raise _corrupt(path, line, getattr(error, "colno", 1), _reason(error)) from error
        lacking = [name for name in objectives if name not in trial.result.metrics]
        if trial.result.status == "ok" and lacking:
            raise _corrupt(path, line, 1, f"trial {trial.number} is 'ok' and has no '{lacking[0]}'")
        if trial.number in trials:
            raise _corrupt(path, line, 1, f"trial {trial.number} stands already on line {lines[trial.number]}")
        trials[trial.number], lines[trial.number] = replace(trial, place=f"{path}:{line}"), line
    return [trials[number] for number in sorted(trials)]


def _reason(error: Exception) -> str:
    return "no JSON text" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)


def _corrupt(path: Path, line: int, column: int, what: str) -> SpecError:
    remedy = "delete this line (its trial is evaluated again) or restore the file"
    return SpecError([Problem(str(path), line, column, "", f"not a logged trial: {what}", remedy)])


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a kill leaves the old one. Raises `CannotDo` where the disk takes no more."""
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _full(path, error, "the file is as it was") from error


def _full(path: Path, error: OSError, state: str) -> CannotDo:
    remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see to the disk"
    return CannotDo(f"{path}: cannot be written ({error.strerror}); {state}; {remedy} and go on with --resume")
