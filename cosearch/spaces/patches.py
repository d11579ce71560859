"""Patches: rules in one line that change a spec, a network or a study, ``pes?x=8&y=8``.

After the symbolic patches of Peng et al., "PyGlove: Efficiently Exchanging ML Ideas as Code", arXiv:2302.01918: a patch
names what it changes by an address and what it puts there, so that it can be written down, shared, and applied to
whatever has such an address. Patches that change different things commute; of two that change the same the later wins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from ...errors import BadInput, shortened, suggestion
from .space import Value

__all__ = ["Patch", "PatchValue", "matches", "parse_patch", "parse_patches", "patch_document"]

PatchValue = Value | tuple[Value, ...]


@dataclass(frozen=True)
class Patch:
    """``changes`` to what stands at ``path``, names joined by points, in which ``*`` and ``?`` match as in file names.

    An empty path is the outermost level.
    """

    path: str
    changes: tuple[tuple[str, PatchValue], ...]

    def __str__(self) -> str:
        settings = "&".join(f"{name}={_text(value)}" for name, value in self.changes)
        return f"{self.path}?{settings}" if self.path else settings

    def addresses(self) -> tuple[tuple[str, PatchValue], ...]:
        """The changes with their whole addresses."""
        start = f"{self.path}." if self.path else ""
        return tuple((f"{start}{name}", value) for name, value in self.changes)


def parse_patch(text: str) -> Patch:
    """The patch written as ``path?name=value&name=value``; ``path.name=value`` and ``name=value`` are patches too.

    A value is a number, ``true``, ``false``, a list ``[3, 5]`` or ``[]``, or text; ``%26`` stands for an ``&`` in it.
    The path ends at the last ``?`` before the first ``=``. Raises `BadInput` for anything else.
    """
    head, equals, tail = text.partition("=")
    path, mark, first = head.rpartition("?")
    if not equals or (mark and not path.strip()):
        raise _not_a_patch(text, "write path?name=value, for example 'pes?x=8&y=8'")
    changes: dict[str, PatchValue] = {}
    for setting in f"{first}{equals}{tail}".split("&"):
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not name or not equals or not value:
            raise _not_a_patch(text, f"'{shortened(setting)}' is no name=value; write %26 for an & in a value")
        if name in changes:
            raise _not_a_patch(text, f"'{name}' is set twice; keep one")
        changes[name] = _value(text, unquote(value))
    names = first.strip().split(".") if not mark and len(changes) == 1 else []
    if len(names) > 1:
        path, changes = ".".join(names[:-1]), {names[-1].strip(): changes[first.strip()]}
    steps = path.strip().split(".") if mark or names[1:] else []
    if not all(step.strip() for step in (*steps, *changes)):
        raise _not_a_patch(text, "a step of its path is empty; write names joined by single points")
    return Patch(".".join(step.strip() for step in steps), tuple(changes.items()))


def parse_patches(texts: Iterable[str]) -> tuple[Patch, ...]:
    """Several patches, in the order in which they are applied."""
    return tuple(parse_patch(text) for text in texts)


def _not_a_patch(text: str, what: str) -> BadInput:
    return BadInput(f"patch '{shortened(text)}': {what}")


def _value(text: str, value: str) -> PatchValue:
    if value.startswith("[") != value.endswith("]"):
        raise _not_a_patch(text, f"'{shortened(value)}' is half a list; write [a, b]")
    if value.startswith("["):
        items = [item.strip() for item in value[1:-1].split(",")] if value[1:-1].strip() else []
        if not all(items):
            raise _not_a_patch(text, f"'{shortened(value)}' has an empty entry; write [a, b]")
        return tuple(_scalar(item) for item in items)
    return _scalar(value)


def _scalar(text: str) -> Value:
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return {"true": True, "false": False}.get(text, text)


def _text(value: PatchValue) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_text(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value).replace("%", "%25").replace("&", "%26")


def matches(address: str, pattern: str) -> bool:
    """Whether a path means an address: step by step, so that ``*`` stays within a name."""
    names, steps = address.split("."), pattern.split(".")
    return len(names) == len(steps) and all(map(fnmatchcase, names, steps))


def patch_document(data: Mapping[Any, Any], patch: Patch, what: str) -> dict[Any, Any]:
    """A document's data with a patch: every mapping at the path gets the patch's names and values.

    Mappings in a list are addressed by their ``name``, or their place. Raises `BadInput` where nothing stands at the
    path; whether names and values are allowed is for whoever reads the document.
    """
    changed = deepcopy(dict(data))
    known = _mappings(changed)
    targets = [mapping for address, mapping in known.items() if matches(address, patch.path)]
    if not targets:
        hint = suggestion(patch.path, known, "it has")
        raise BadInput(f"patch '{patch}': {what} has no mapping '{patch.path}'; {hint}")
    for mapping in targets:
        for name, value in patch.changes:
            mapping[name] = list(value) if isinstance(value, tuple) else value
    return changed


def _mappings(data: dict[Any, Any], address: str = "") -> dict[str, dict[Any, Any]]:
    """Every mapping below by its address, the outermost one's being empty."""
    found = {address: data}
    start = f"{address}." if address else ""
    for key, value in data.items():
        items = {f"{start}{key}": value}
        if isinstance(value, list):
            items = {f"{start}{key}.{_name(item, place)}": item for place, item in enumerate(value)}
        for name, item in items.items():
            if isinstance(item, dict):
                found |= _mappings(item, name)
    return found


def _name(item: Any, place: int) -> str:
    return str(item["name"]) if isinstance(item, dict) and "name" in item else str(place)
