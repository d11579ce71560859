"""Every rule of an accelerator spec that a key's own type does not express; those of its levels are in `spec_levels`.

The checks read the raw document, so that one bad key does not hide the other problems: what has no usable type is
skipped here, because the model has already complained about it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from ..document import YamlPath
from ..errors import BadInput, Problem
from .accelerator import Parameter
from .expressions import KINDS, Kind, Unit, compile_expression, parse_literal
from .spec_formats import FormatSpec
from .spec_levels import Found, level_problems, listed
from .spec_models import (
    LEVEL_MODELS,
    AcceleratorSpec,
    ComputeSpec,
    HostSpec,
    MemorySpec,
    PackedSpec,
    ScanSpec,
    SkippingSpec,
    StructureSpec,
    TimingSpec,
    kinds,
)  # fmt: skip

__all__ = ["Evaluator", "ParameterTable", "Placer", "check_spec", "read_parameters", "same", "unused_parameters"]

Key = TypeVar("Key", bound=str)


class Placer(Protocol):
    """Makes a `Problem` at a path of the document (or of a spec without text)."""

    def __call__(self, path: YamlPath, what: str, remedy: str = "") -> Problem: ...


@dataclass
class ParameterTable:
    """The parameters of a spec that could be read, their physical units, and the problems found on the way."""

    parameters: dict[str, Parameter] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def defaults(self) -> dict[str, float]:
        """Parameter name to default, in SI units."""
        return {name: parameter.default for name, parameter in self.parameters.items()}


class Evaluator:
    """Evaluates a spec's fields for given parameter values and collects a `Problem` for each that cannot be."""

    def __init__(self, units: Mapping[str, Unit], values: Mapping[str, float], place: Placer) -> None:
        self.units, self.values, self.place = units, values, place
        self.problems: list[Problem] = []
        self.clock_hz = math.nan

    def number(self, path: YamlPath, raw: str | int | float, kind: Kind, owner: str = "") -> float:
        """The value in SI units; where it is wrong, a problem is noted and 1 returned.

        A wrong bandwidth's problem names the ``owner``, the level that could not move its words.
        """
        if kind.word and raw == kind.word:
            return math.inf
        try:
            return compile_expression(raw, kind, self.units).value_as(kind, self.values, self.clock_hz)
        except BadInput as error:
            self.complain(path, f"{error} (at '{owner}')" if owner and kind.name == "bandwidth" else str(error))
            return 1

    def numbers(self, part: BaseModel, path: YamlPath) -> dict[str, float]:
        """Every stated scalar quantity of a level, or of a part of it, in SI units."""
        found = {}
        for name, kind in kinds(type(part)).items():
            raw = getattr(part, name)
            if raw is not None and not isinstance(raw, dict):
                found[name] = self.number((*path, name), raw, kind, getattr(part, "name", ""))
        return found

    def each(self, values: Mapping[Key, str | int | float], kind: str, path: YamlPath) -> dict[Key, int]:
        """The values of a mapping of whole numbers."""
        return {key: int(self.number((*path, key), raw, KINDS[kind])) for key, raw in values.items()}

    def complain(self, path: YamlPath, message: str) -> None:
        """Note a "what; remedy" message."""
        what, _, remedy = message.partition("; ")
        self.problems.append(self.place(path, what, remedy))


def check_spec(data: Mapping[str, Any], table: ParameterTable, place: Placer) -> list[Problem]:
    """All problems of the raw document beyond its keys' types: quantities, parameters' use, the order of levels."""
    evaluator = Evaluator(table.units, table.defaults, place)
    _check_quantities(data, evaluator)
    problems = [*table.problems, *evaluator.problems, *_unused(data, place)]
    problems.extend(place(*found) for found in _host(data.get("host")))
    raw = data.get("levels")
    levels = [level if isinstance(level, dict) else {} for level in raw] if isinstance(raw, list) else []
    if levels:
        problems.extend(place(*found) for found in level_problems(levels))
    return problems


# ---- parameters ----------------------------------------------------------------------------------------------------


def read_parameters(data: Any, place: Placer) -> ParameterTable:
    """The ``parameters`` mapping of a document; entries of the wrong type are skipped."""
    table = ParameterTable()
    for name, entry in data.items() if isinstance(data, dict) else ():
        if not isinstance(entry, dict) or not _is_scalar(entry.get("default")):
            continue
        path: YamlPath = ("parameters", name)
        try:
            default, unit, text = parse_literal(entry["default"])
        except BadInput as error:
            table.problems.append(_placed(place, (*path, "default"), error))
            continue
        reader = _ValueReader(table, place, unit)
        choices = reader.read((*path, "choices"), entry.get("choices"))
        ends = reader.read((*path, "range"), entry.get("range"))
        bounds = (ends[0], ends[1]) if len(ends) == 2 else None
        described = str(entry.get("description", ""))
        parameter = Parameter(name, default, tuple(choices), bounds, text, described)
        table.parameters[name], table.units[name] = parameter, unit
        if not reader.failed:
            found = _range_problems(parameter, entry)
            table.problems.extend(place((*path, *at), what, remedy) for at, what, remedy in found)
    return table


class _ValueReader:
    """Reads the values a parameter may take; all must have the default's unit."""

    def __init__(self, table: ParameterTable, place: Placer, unit: Unit) -> None:
        self.table, self.place, self.unit = table, place, unit
        self.failed = False

    def read(self, path: YamlPath, values: Any) -> list[float]:
        """SI values of a list; problems go to the table."""
        found = []
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if not _is_scalar(value):
                self.failed = True
                continue
            try:
                number, unit, _ = parse_literal(value)
                if unit != self.unit:
                    raise BadInput(f"'{value}' has another kind of unit than the default; write both alike")
                found.append(number)
            except BadInput as error:
                self.failed = True
                self.table.problems.append(_placed(self.place, (*path, index), error))
        return found


def _range_problems(parameter: Parameter, entry: Mapping[str, Any]) -> Iterator[tuple[YamlPath, str, str]]:
    default = entry["default"]
    if "choices" in entry and "range" in entry:
        yield ("range",), "stands beside 'choices'", "keep one of them"
    elif "choices" in entry and isinstance(entry["choices"], list):
        if not parameter.choices:
            yield ("choices",), "is empty", "list at least the default"
        elif not any(same(parameter.default, choice) for choice in parameter.choices):
            yield ("default",), f"'{default}' is not among the choices", f"use one of {listed(entry['choices'])}"
        for index, choice in enumerate(parameter.choices):
            if any(same(choice, other) for other in parameter.choices[:index]):
                yield ("choices", index), f"'{entry['choices'][index]}' stands twice", "keep one of them"
    elif isinstance(entry.get("range"), list):
        if parameter.bounds is None:
            yield ("range",), f"has {len(entry['range'])} values", "write [lowest, highest]"
        elif parameter.bounds[0] >= parameter.bounds[1]:
            yield ("range",), "does not rise", "write [lowest, highest]"
        elif not parameter.bounds[0] <= parameter.default <= parameter.bounds[1]:
            yield ("default",), f"'{default}' is outside the range", f"stay within {listed(entry['range'], ' to ')}"


def same(a: float, b: float) -> bool:
    """Equal up to the rounding of a unit's conversion."""
    return math.isclose(a, b, rel_tol=1e-9)


def _placed(place: Placer, path: YamlPath, error: BadInput) -> Problem:
    what, _, remedy = str(error).partition("; ")
    return place(path, what, remedy)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _unused(data: Mapping[str, Any], place: Placer) -> Iterator[Problem]:
    for name in unused_parameters(data):
        remedy = "use it in a level or remove it"
        yield place(("parameters", name), f"parameter '{name}' is never used", remedy)


def unused_parameters(data: Mapping[str, Any]) -> list[str]:
    """Parameters of a document that nothing in it refers to."""
    names = data.get("parameters")
    used = {word for _, raw, _ in quantities(data) for word in _words(raw)}
    named = [name for name in names if name not in used] if isinstance(names, dict) else []
    # What is no name, nothing can use.
    return [name for name in named if re.fullmatch(r"[A-Za-z]\w*", str(name), re.ASCII)]


def _host(host: Any) -> Iterator[Found]:
    """What runs on a host has a rate."""
    if not isinstance(host, dict):
        return
    if not host:
        yield ("host",), "says nothing", "state operators and their rate, a link, or remove it"
    for key, other in (("operators", "rate"), ("rate", "operators")):
        if key in host and other not in host:
            yield ("host", other), "is missing", f"add '{other}:' or remove '{key}'"


# ---- quantities ----------------------------------------------------------------------------------------------------


def quantities(data: Mapping[str, Any]) -> Iterator[tuple[YamlPath, Any, Kind]]:
    """Path, raw value and kind of every field of the document that is a quantity."""
    yield from _quantities_of(data, AcceleratorSpec, ())
    if isinstance(data.get("host"), dict):
        yield from _quantities_of(data["host"], HostSpec, ("host",))
    levels = data.get("levels")
    for index, level in enumerate(levels if isinstance(levels, list) else ()):
        model = LEVEL_MODELS.get(str(level.get("type"))) if isinstance(level, dict) else None
        if model is not None:
            yield from _quantities_of(level, model, ("levels", index))
        if model is MemorySpec and isinstance(level.get("timing"), dict):
            yield from _quantities_of(level["timing"], TimingSpec, ("levels", index, "timing"))
        formats = level.get("compression") if model is MemorySpec else None
        for role, entry in formats.items() if isinstance(formats, dict) else ():
            if isinstance(entry, dict):
                yield from _quantities_of(entry, FormatSpec, ("levels", index, "compression", role))
        if model is ComputeSpec and isinstance(level.get("skipping"), dict):
            yield from _skipped_quantities(level["skipping"], ("levels", index, "skipping"))


def _skipped_quantities(skipping: Mapping[str, Any], path: YamlPath) -> Iterator[tuple[YamlPath, Any, Kind]]:
    yield from _quantities_of(skipping, SkippingSpec, path)
    for key, model in (("structured", StructureSpec), ("scan", ScanSpec)):
        if isinstance(skipping.get(key), dict):
            yield from _quantities_of(skipping[key], model, (*path, key))
    packed = skipping.get("packed")
    for role, one in packed.items() if isinstance(packed, dict) else ():
        if isinstance(one, dict):
            yield from _quantities_of(one, PackedSpec, (*path, "packed", role))


def _quantities_of(data: Mapping[str, Any], model: Any, path: YamlPath) -> Iterator[tuple[YamlPath, Any, Kind]]:
    for name, kind in kinds(model).items():
        value = data.get(name)
        entries = value.items() if isinstance(value, dict) else [(None, value)]
        for key, raw in entries:
            if _is_scalar(raw):
                yield (*path, name) if key is None else (*path, name, key), raw, kind


def _words(raw: Any) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", str(raw)))


def _check_quantities(data: Mapping[str, Any], evaluator: Evaluator) -> None:
    """Evaluate everything but what uses a parameter that could not be read: that problem is already noted."""
    named = data.get("parameters")
    unread = set(named) - set(evaluator.units) if isinstance(named, dict) else set()
    for path, raw, kind in quantities(data):
        if unread & _words(raw):
            continue
        owner = data["levels"][path[1]].get("name") if path[0] == "levels" else ""
        value = evaluator.number(path, raw, kind, str(owner or ""))
        if path == ("clock",):
            evaluator.clock_hz = value
