"""A user's own objects by their place, ``package.module:name``, and what is said of them where they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import BadInput, Infeasible, shortened

__all__ = ["FAILURES", "failures_told", "module_file", "named_object", "one_line", "what_was_raised"]

# What somebody else's code may raise and concern one design only; Ctrl-C is the user's own.
FAILURES = (Exception, SystemExit)


def named_object(place: str, what: str) -> Any:
    """The object at ``package.module:name``; `BadInput` saying what cannot be found, ``what`` being what it is for."""
    module, colon, name = place.partition(":")
    if not (colon and module and name):
        raise BadInput(f"{what}: '{place}' names no object; write it as package.module:name")
    if module.startswith("."):
        raise BadInput(f"{what}: '{place}' is relative to no package; write the module's whole name, without the dots")
    found = _imported(module, what)
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadInput(f"{what}: '{module}' has no '{name}'; check its spelling")
        found = getattr(found, part)
    return found


def _imported(module: str, what: str) -> Any:
    cannot = f"{what}: '{module}' cannot be imported"
    try:
        return import_module(module)
    except ImportError as error:
        remedy = "install it, or add its folder to PYTHONPATH"
        raise BadInput(f"{cannot} ({what_was_raised(error, kind=False)}); {remedy}") from error
    except SyntaxError as error:
        place = f"{error.filename}:{error.lineno}: " if error.filename and error.lineno else ""
        raise BadInput(f"{cannot} ({place}{type(error).__name__}: {one_line(error.msg)}); correct that line") from error
    except FAILURES as error:
        raise BadInput(f"{cannot} (it raised {what_was_raised(error)}); mend what it does on import") from error


def module_file(text: str) -> Path | None:
    """The file of the module that ``package.module:name`` would be imported from; None where the text names none."""
    module, _, name = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        return None
    try:
        found = find_spec(module)
    except FAILURES:  # a package around it cannot be imported, which is complained about elsewhere
        return None
    return Path(found.origin) if found is not None and found.has_location and found.origin else None


@contextmanager
def failures_told(what: str) -> Iterator[None]:
    """Make `BadInput` of what somebody else's code raises: ``what`` failed, and how. Its own `BadInput` passes."""
    try:
        yield
    except (BadInput, Infeasible):
        raise
    except FAILURES as error:
        raise BadInput(shortened(f"{what}: {what_was_raised(error)}", 300)) from error


def what_was_raised(error: BaseException, *, kind: bool = True) -> str:
    """Its type and text in one line, or the text alone."""
    text = one_line(error)
    return ": ".join(part for part in (type(error).__name__ if kind else "", text) if part)


def one_line(text: object, most: int = 240) -> str:
    """As text in one line of at most so many characters."""
    return shortened(" ".join(str(text).split()), most)
