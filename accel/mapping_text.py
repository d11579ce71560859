"""A mapping as one line of text, outermost memory first: ``L3[WIO] K48 - L2[WI] K16X - L1[O] C48 C16X - L0[W] P8``.

The notation is that of published Timeloop and Gemmini mappings (DOSA, Hong et al., MICRO 2023). A group is a memory, by
name or numbered from inside (``L0`` is the innermost), with the tensors it keeps in brackets (W, I, O; none: all it
can), and its loops, outer to inner. A loop with ``X`` or ``Y`` is spread over the arrays between this memory and the
next, along the first axis that may take it; ``K16@columns.x`` names the axis. ``N1`` stands for no loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from ..errors import BadInput, printable, shortened
from ..models.op import ROLES, Role
from .accelerator import Accelerator, Array, Memory
from .mapping import LevelMapping, Loop, Mapping

__all__ = ["format_mapping", "parse_mapping"]

_SEPARATOR = re.compile(r"\s-(?=\s|$)")
_PLACE = re.compile(r"(?P<name>[A-Za-z]\w*)(?:\[(?P<kept>[^\]]*)\])?")
_LOOP = re.compile(r"(?P<dim>[A-Z])(?P<bound>\d+)(?:(?P<any>[XY])|@(?P<axis>[A-Za-z]\w*(?:\.[A-Za-z]\w*)?))?")
_LETTERS: dict[str, Role] = {role[0].upper(): role for role in ROLES}


@dataclass
class _Group:
    """A memory, the arrays between it and the next, and what the text has said of them so far."""

    memory: Memory
    number: int
    arrays: list[Array] = field(default_factory=list)
    temporal: list[Loop] = field(default_factory=list)
    spatial: dict[str, list[Loop]] = field(default_factory=dict)
    bypass: frozenset[Role] = frozenset()

    def room(self, array: Array, axis: str) -> int:
        """How often a dimension could still be split along the axis."""
        used = 1
        for loop in self.spatial.get(array.name, ()):
            used *= loop.bound if loop.axis == axis else 1
        return dict(array.shape)[axis] // used

    def axes(self) -> Iterator[tuple[Array, str]]:
        """The axes below the memory, outermost first."""
        for array in self.arrays:
            for axis, _ in array.shape:
                yield array, axis

    def free_axis(self, dim: str, bound: int) -> tuple[Array, str] | None:
        """The first axis that may take the loop and has room for it."""
        for array, axis in self.axes():
            if array.allows(axis, dim) and bound <= self.room(array, axis):
                return array, axis
        return None


def parse_mapping(text: str, accelerator: Accelerator) -> Mapping:
    """The mapping that ``text`` describes on ``accelerator``.

    Raises `BadInput`, naming the column, for text that is no such line, and for levels, tensors or axes that the
    accelerator does not have. That the loops fit an operator is checked where the mapping is used.
    """
    groups = _groups(accelerator)
    pieces = list(_pieces(text))
    if len(pieces) != len(groups):
        names = " - ".join(f"L{group.number}" for group in groups)
        raise BadInput(
            f"mapping text: {len(pieces)} memories, '{accelerator.name}' has {len(groups)}; write one group for each, "
            f"outermost first: {names}"
        )
    for (start, piece), group in zip(pieces, groups, strict=True):
        words = [(start + match.start(), match.group()) for match in re.finditer(r"\S+", piece)]
        if not words:
            _refuse(start, text, "a group is empty", f"write 'L{group.number}[...]' and its loops, or N1 for none")
        _read_place(*words[0], text, group)
        for at, word in words[1:]:
            _read_loop(at, word, text, group)
    return Mapping(tuple(_levels(groups)))


def format_mapping(mapping: Mapping, accelerator: Accelerator) -> str:
    """``mapping`` as text that `parse_mapping` reads back; loops of bound 1 are left out.

    Raises `BadInput` for a mapping of other levels.
    """
    groups, levels = _groups(accelerator), iter(mapping.levels)
    parts = []
    for group in groups:
        own = _expected(next(levels, None), group.memory.name, accelerator)
        kept = "".join(
            letter for letter in "WIO" if _LETTERS[letter] in group.memory.keeps and _LETTERS[letter] not in own.bypass
        )
        words = [str(loop) for loop in own.loops if loop.bound > 1]
        for array in group.arrays:
            for loop in _expected(next(levels, None), array.name, accelerator).loops:
                if loop.bound > 1:
                    found = group.free_axis(loop.dim, loop.bound)
                    plain = found is not None and (found[0].name, found[1]) == (array.name, loop.axis)
                    words.append(f"{loop.dim}{loop.bound}" + ("X" if plain else f"@{array.name}.{loop.axis}"))
                    group.spatial.setdefault(array.name, []).append(loop)
        parts.append(f"L{group.number}[{kept}] {' '.join(words) or 'N1'}")
    return " - ".join(parts)


def _expected(level: LevelMapping | None, name: str, accelerator: Accelerator) -> LevelMapping:
    if level is None or level.level != name:
        found = f"'{level.level}'" if level else "nothing"
        raise BadInput(f"the mapping has {found} where '{accelerator.name}' has '{name}'; use a mapping made for it")
    return level


def _groups(accelerator: Accelerator) -> list[_Group]:
    """Memories and the arrays below each, outermost first."""
    groups: list[_Group] = []
    number = len(accelerator.memories)
    for level in accelerator.levels:
        if isinstance(level, Memory):
            number -= 1
            groups.append(_Group(level, number))
        elif isinstance(level, Array) and groups:
            groups[-1].arrays.append(level)
    return groups


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The groups of the text with the offset each starts at."""
    start = 0
    for match in _SEPARATOR.finditer(text):
        yield start, text[start : match.start()]
        start = match.end()
    yield start, text[start:]


def _refuse(at: int, text: str, what: str, remedy: str) -> NoReturn:
    raise BadInput(printable(f"mapping text:{at + 1}: {what} in '{shortened(text[at:], 40)}'; {remedy}"))


def _read_place(at: int, word: str, text: str, group: _Group) -> None:
    """The head of a group: which memory, and what it keeps."""
    match = _PLACE.fullmatch(word)
    known = f"L{group.number}"
    if match is None:
        _refuse(at, text, f"'{word}' names no memory", f"begin the group with {known}[...]")
    if match["name"] not in (known, group.memory.name):
        remedy = f"the next from outside is {known}, '{group.memory.name}'"
        _refuse(at, text, f"'{match['name']}' is not the memory expected here", remedy)
    if match["kept"] is None:
        return
    kept = set()
    for letter in match["kept"]:
        if letter not in _LETTERS:
            _refuse(at, text, f"'{letter}' stands for no tensor", "use W, I and O")
        kept.add(_LETTERS[letter])
    extra, left = sorted(kept - group.memory.keeps), group.memory.keeps - kept
    if extra:
        remedy = f"it keeps {', '.join(sorted(group.memory.keeps))}"
        _refuse(at, text, f"'{group.memory.name}' cannot keep the {extra[0]}", remedy)
    if left - group.memory.may_bypass:
        role = sorted(left - group.memory.may_bypass)[0]
        _refuse(at, text, f"the {role} cannot bypass '{group.memory.name}'", f"add {role[0].upper()} to the brackets")
    group.bypass = frozenset(left)


def _read_loop(at: int, word: str, text: str, group: _Group) -> None:
    match = _LOOP.fullmatch(word)
    if match is None or int(match["bound"]) < 1:
        _refuse(
            at, text, f"'{word}' is no loop", "write a dimension and a bound, as K16 or, spread over an array, K16X"
        )
    dim, bound = match["dim"], int(match["bound"])
    if bound == 1:
        return
    if not match["any"] and not match["axis"]:
        group.temporal.append(Loop(dim, bound))
        return
    found = _named_axis(match["axis"], group) if match["axis"] else group.free_axis(dim, bound)
    if found is None:
        axes = [f"{array.name}.{axis} ({size})" for array in group.arrays for axis, size in array.shape]
        what = f"no axis below '{group.memory.name}' can take {word}"
        _refuse(at, text, what, f"its axes are {', '.join(axes)}" if axes else "write the loop without X")
    array, axis = found
    group.spatial.setdefault(array.name, []).append(Loop(dim, bound, axis))


def _named_axis(name: str, group: _Group) -> tuple[Array, str] | None:
    """The axis called ``axis`` or ``array.axis``."""
    owner, dot, axis = name.rpartition(".")
    for array, own in group.axes():
        if own == axis and (not dot or array.name == owner):
            return array, own
    return None


def _levels(groups: list[_Group]) -> Iterator[LevelMapping]:
    for group in groups:
        yield LevelMapping(group.memory.name, tuple(group.temporal), group.bypass)
        for array in group.arrays:
            yield LevelMapping(array.name, tuple(group.spatial.get(array.name, ())))
