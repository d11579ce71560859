"""The log of a search: one JSON line per trial, written as it ends and safe against a kill at any moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from ...errors import BadInput, Problem, SpecError
from .trial import Trial

__all__ = ["TrialLog", "read_trials", "write_atomically"]


class TrialLog:
    """Appends trials to ``trials.jsonl``, each on the disk before ``append`` returns; one run at a time may hold it.

    Raises `BadInput` where another run holds it, ``OSError`` where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
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
        """Add one finished trial."""
        line = json.dumps(trial.to_json(), allow_nan=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

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


def read_trials(path: Path) -> list[Trial]:
    """The finished trials in the order of their numbers; [] without a file. A torn last line is passed over.

    Raises `SpecError` with file, line and column where any other line is no trial, or a number stands twice.
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
        if trial.number in trials:
            raise _corrupt(path, line, 1, f"trial {trial.number} stands already on line {lines[trial.number]}")
        trials[trial.number], lines[trial.number] = trial, line
    return [trials[number] for number in sorted(trials)]


def _reason(error: Exception) -> str:
    return "no JSON text" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)


def _corrupt(path: Path, line: int, column: int, what: str) -> SpecError:
    remedy = "delete this line (its trial is evaluated again) or restore the file"
    return SpecError([Problem(str(path), line, column, "", f"not a logged trial: {what}", remedy)])


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a kill leaves the old one."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


