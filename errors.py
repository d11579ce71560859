"""The exceptions Dovetail raises on purpose: one small tree.

DovetailError
├── BadInput             what the user gave cannot be used (command line: exit code 2)
│   ├── SpecError        a YAML document breaks one or more rules; carries every ``Problem``
│   ├── UnknownName      no shipped or registered thing of that name; carries the nearest ones
│   └── ImportFailure    a torch or ONNX model cannot be represented
└── CannotDo             the input is sound, the thing asked for cannot be had (exit code 1)
    ├── Infeasible       no mapping fits; names the level and the words missing
    └── ImpossibleResult a result broke an invariant (negative, above peak): a defect in Dovetail
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral

__all__ = [
    "BadInput",
    "CannotDo",
    "DovetailError",
    "ImportFailure",
    "ImpossibleResult",
    "Infeasible",
    "Problem",
    "SpecError",
    "UnknownName",
    "check_type",
    "check_whole",
    "nearest",
    "printable",
    "shortened",
    "suggestion",
]

_MOST_NAMES = 20  # that a message lists


class DovetailError(Exception):
    """Base of every exception raised on purpose."""


class BadInput(DovetailError):
    """Something the user supplied cannot be used; the message says what to change."""


class CannotDo(DovetailError):
    """The request was understood and is impossible."""


class Infeasible(CannotDo):
    """No mapping exists; ``level`` names the memory that is too small, ``missing_words`` by how much."""

    def __init__(self, message: str, *, level: str = "", missing_words: int = 0) -> None:
        super().__init__(message)
        self.level = level
        self.missing_words = missing_words

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_infeasible, (str(self), self.level, self.missing_words)


def _rebuild_infeasible(message: str, level: str, missing_words: int) -> Infeasible:
    return Infeasible(message, level=level, missing_words=missing_words)


class ImpossibleResult(CannotDo):
    """A computed quantity broke an invariant of the model."""


class ImportFailure(BadInput):
    """A model file or module holds something that cannot be represented."""


@dataclass(frozen=True, order=True)
class Problem:
    """One broken rule at one place; ``line`` and ``column`` count from 1 (0 where there is no text)."""

    source: str
    line: int
    column: int
    path: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        subject = f" {self.path}:" if self.path else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{place}:{subject} {self.what}{remedy}")


class SpecError(BadInput):
    """A document breaks rules; every problem found is listed, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return SpecError, (self.problems,)


class UnknownName(BadInput):
    """``name`` is not among ``known``."""

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        super().__init__(printable(f"no {kind} named '{shortened(name)}'; {suggestion(name, sorted(known))}"))
        self.kind, self.name, self.known = kind, name, tuple(known)

    def __reduce__(self) -> tuple[object, ...]:
        return UnknownName, (self.kind, self.name, self.known)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to ``name`` by edit similarity, one that begins with it first; None if none is close."""
    names = list(known)
    begun = [one for one in names if one.startswith(name)] if len(name) > 3 else []
    close = begun if len(begun) == 1 else difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return close[0] if close else None


def suggestion(name: str, known: Iterable[str], otherwise: str = "known:") -> str:
    """The remedy for an unknown name: the closest of the known, or after ``otherwise`` twenty of them at most."""
    names = [one for one in known if one]
    close = nearest(name, names)
    if close:
        return f"did you mean '{close}'?"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{otherwise} {', '.join(names[:_MOST_NAMES]) or 'none'}{more}"


def shortened(text: object, most: int = 60) -> str:
    """A user's text cut to ``most`` characters, so that a message stays a line and does not copy a whole document."""
    whole = str(text)
    return whole if len(whole) <= most else whole[: most - 3] + "..."


def printable(text: str) -> str:
    """``text`` with control characters written out: what a file holds must not steer the terminal that shows it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def check_type(value: object, kind: type, argument: str, remedy: str) -> None:
    """Raise `BadInput` with the ``remedy`` where an ``argument`` is not of its ``kind``."""
    if not isinstance(value, kind):
        given = f"the text '{shortened(value)}'" if isinstance(value, str) else f"of type {type(value).__name__}"
        raise BadInput(f"{argument} is {given}, not of type {kind.__name__}; {remedy}")


def check_whole(value: object, argument: str, least: int, most: int) -> int:
    """The ``value`` of an argument that must be a whole number from ``least`` to ``most``; raises `BadInput`."""
    whole = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if whole is None or not least <= whole <= most:
        shown = repr(value) if isinstance(value, str | float | Integral) else f"a {type(value).__name__}"
        raise BadInput(f"{argument} = {shortened(shown)}: give a whole number from {least} to {most}")
    return whole
