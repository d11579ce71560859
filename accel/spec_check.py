"""Every rule of an accelerator spec that a key's own type does not express.

The checks read the raw document, so that one bad key does not hide the other problems: what has no usable type is
skipped here, because the model has already complained about it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..document import YamlPath
from ..errors import BadInput, Problem, nearest
from ..models.op import ROLES
from .accelerator import Parameter
from .expressions import Kind, Unit, compile_expression, parse_literal
from .spec_models import LEVEL_MODELS, AcceleratorSpec, HostSpec, MemorySpec, TimingSpec, kinds

__all__ = ["Evaluator", "ParameterTable", "Placer", "check_spec", "read_parameters", "same", "systolic_axis"]


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
    for rule in (_names, _order, _tensors, _residents, _axes, _systolic, _ports, _timings) if levels else ():
        problems.extend(place(*found) for found in rule(levels))
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
            yield ("default",), f"'{default}' is not among the choices", f"use one of {_listed(entry['choices'])}"
        for index, choice in enumerate(parameter.choices):
            if any(same(choice, other) for other in parameter.choices[:index]):
                yield ("choices", index), f"'{entry['choices'][index]}' stands twice", "keep one of them"
    elif isinstance(entry.get("range"), list):
        if parameter.bounds is None:
            yield ("range",), f"has {len(entry['range'])} values", "write [lowest, highest]"
        elif parameter.bounds[0] >= parameter.bounds[1]:
            yield ("range",), "does not rise", "write [lowest, highest]"
        elif not parameter.bounds[0] <= parameter.default <= parameter.bounds[1]:
            yield ("default",), f"'{default}' is outside the range", f"stay within {_listed(entry['range'], ' to ')}"


def same(a: float, b: float) -> bool:
    """Equal up to the rounding of a unit's conversion."""
    return math.isclose(a, b, rel_tol=1e-9)


def _listed(values: Sequence[Any], separator: str = ", ") -> str:
    return separator.join(map(str, values))


def _placed(place: Placer, path: YamlPath, error: BadInput) -> Problem:
    what, _, remedy = str(error).partition("; ")
    return place(path, what, remedy)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _unused(data: Mapping[str, Any], place: Placer) -> Iterator[Problem]:
    """Parameters that nothing refers to."""
    names = data.get("parameters")
    used = {word for _, raw, _ in quantities(data) for word in _words(raw)}
    for name in names if isinstance(names, dict) else ():
        if name not in used and re.fullmatch(r"[A-Za-z]\w*", str(name), re.ASCII):  # what no name is, nothing can use
            remedy = "use it in a level or remove it"
            yield place(("parameters", name), f"parameter '{name}' is never used", remedy)


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


# ---- levels --------------------------------------------------------------------------------------------------------

Found = tuple[YamlPath, str, str]
Levels = Sequence[Mapping[str, Any]]


def _names(levels: Levels) -> Iterator[Found]:
    first: dict[str, int] = {}
    for index, level in enumerate(levels):
        name = level.get("name")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield ("levels", index, "name"), f"'{name}' is also the name of levels[{first[name]}]", "rename one of them"


def _order(levels: Levels) -> Iterator[Found]:
    types = [level.get("type") for level in levels]
    if any(not isinstance(kind, str) or kind not in LEVEL_MODELS for kind in types):
        return  # what is missing may be the level that cannot be read
    if types[0] != "memory":
        what = f"the outermost level is of type '{types[0]}'"
        yield ("levels", 0), what, "begin with the memory that holds all tensors"
    if "memory" not in types:
        yield ("levels",), "there is no memory", "add a level of type memory"
    if types.count("vector") > 1:
        yield ("levels", len(types) - 1 - types[::-1].index("vector")), "there is a second vector unit", "keep one"
    if types.count("compute") != 1:
        what = f"there are {types.count('compute')} compute levels"
        yield ("levels",), what, "write exactly one, as the innermost level"
        return
    at = types.index("compute")
    inside = [index for index in range(at + 1, len(types)) if types[index] != "vector"]
    if inside:
        yield ("levels", inside[0]), "stands inside the compute level", "move it before the compute level"


def _origins(levels: Levels) -> dict[str, int]:
    """The outermost of the memories outside all arrays that keeps each tensor, by number of its level."""
    found: dict[str, int] = {}
    for index, level in enumerate(itertools.takewhile(lambda level: level.get("type") != "array", levels)):
        for role in level["keeps"] if isinstance(level.get("keeps"), list) else ():
            found.setdefault(str(role), index)
    return found


def _tensors(levels: Levels) -> Iterator[Found]:
    memories = [(index, level) for index, level in enumerate(levels) if level.get("type") == "memory"]
    origin = _origins(levels)
    for order, (index, level) in enumerate(memories):
        path: YamlPath = ("levels", index)
        keeps, bypasses, words = level.get("keeps"), level.get("may_bypass", []), level.get("word", {})
        for key in ("double_buffered", "buffers"):
            if level.get(key) not in (None, False) and level.get("prefetched") is True:
                yield (*path, "prefetched"), f"stands beside '{key}'", "keep the one that is true of it"
        if not isinstance(keeps, list):
            continue
        if not keeps:
            yield (*path, "keeps"), "this memory keeps no tensor", f"list some of {_listed(ROLES)}"
        missing = [role for role in ROLES if role not in keeps and not (role == "weight" and role in origin)]
        if order == 0 and missing:
            what = f"the outermost memory does not keep {_listed(missing)}"
            yield (*path, "keeps"), what, "only weights may have another memory outside all arrays to come from"
        if order == 0 and level.get("latency"):
            remedy = "state it at the memory that the tiles go to"
            yield (*path, "latency"), "no tile comes into the outermost memory", remedy
        if level.get("refetch") is True and (order == 0 or not set(level.get("keeps") or ()) & {"input", "weight"}):
            yield (*path, "refetch"), "no operand comes into this memory", "remove this line"
        if order == 0 and bypasses:
            yield (*path, "may_bypass"), "nothing can bypass the outermost memory", "remove this line"
        if order > 0 and origin.get("weight") == index and "weight" in bypasses:
            yield (*path, "may_bypass"), "weights come from this memory", "remove 'weight' from this list"
        for key, roles in (("may_bypass", bypasses), ("word", words), ("compression", level.get("compression", {}))):
            for role in roles if isinstance(roles, list | dict) else ():
                if role in ROLES and role not in keeps:
                    yield (*path, key), f"'{role}' is not kept here", f"add it to 'keeps' or remove it from '{key}'"


def _residents(levels: Levels) -> Iterator[Found]:
    """What may stay between operators: in one memory outside all arrays, inputs and outputs together."""
    array, homes = "", dict[str, str]()
    outermost = next((index for index, level in enumerate(levels) if level.get("type") == "memory"), -1)
    for index, level in enumerate(levels):
        name, kind, roles = str(level.get("name")), level.get("type"), level.get("resident")
        array = array or (name if kind == "array" else "")
        path: YamlPath = ("levels", index, "resident")
        listed = [role for role in roles if role in ROLES] if isinstance(roles, list) else []
        if kind == "memory" and "resident_size" in level and "weight" not in listed:
            what = "sets room aside for weights, but no weights may stay here"
            yield ("levels", index, "resident_size"), what, "add 'resident: [weight]' or remove this line"
        if kind != "memory" or not listed:
            continue
        if index == outermost:
            yield path, "the outermost memory holds every tensor between operators anyway", "remove this line"
        elif array:
            what = f"'{name}' is below the array '{array}', so that each instance holds a part only"
            yield path, what, "let tensors stay in a memory above all arrays"
        if ("input" in listed) != ("output" in listed):
            what = "one operator's output is the next one's input; they can only stay together"
            yield path, what, "list both input and output, or neither"
        keeps = level.get("keeps")
        for role in listed:
            if isinstance(keeps, list) and role not in keeps:
                yield path, f"'{role}' is not kept here", "add it to 'keeps' or remove it from 'resident'"
            if homes.setdefault(role, name) != name:
                yield path, f"'{role}' may stay in '{homes[role]}' already", "name it in one memory"


def _axes(levels: Levels) -> Iterator[Found]:
    for index, level in enumerate(levels):
        shape, dims = level.get("shape"), level.get("dims")
        if not (isinstance(shape, dict) and isinstance(dims, dict)):
            continue
        for axis in dims:
            if axis not in shape:
                close = nearest(str(axis), map(str, shape))
                remedy = f"did you mean '{close}'?" if close else f"its axes are {_listed(list(shape))}"
                yield ("levels", index, "dims", axis), f"the array has no axis '{axis}'", remedy


def systolic_axis(array: str, axis: str) -> tuple[str, str]:
    """(array, axis) that ``rows`` or ``columns`` of a systolic array mean: ``axis`` is its own, ``array.axis`` any."""
    name, dot, other = axis.partition(".")
    return (name, other) if dot else (array, axis)


def _systolic(levels: Levels) -> Iterator[Found]:
    shapes = {str(one.get("name")): one["shape"] for one in levels if isinstance(one.get("shape"), dict)}
    stated = [index for index, one in enumerate(levels) if isinstance(one.get("systolic"), dict)]
    for index in stated:
        level, path = levels[index], ("levels", index, "systolic")
        own, found = str(level.get("name")), {}
        if index != stated[0]:
            yield path, f"levels[{stated[0]}] is systolic, too", "keep one of them"
        for key in ("rows", "columns"):
            if not isinstance(axis := level["systolic"].get(key), str):
                continue
            name, axis = systolic_axis(own, axis)
            if axis in shapes.get(name, ()):
                found[key] = name, axis
                continue
            known = [a if array == own else f"{array}.{a}" for array, shape in shapes.items() for a in shape]
            yield (*path, key), f"there is no axis '{level['systolic'][key]}'", f"the axes are {_listed(known)}"
        if len(found) == 2 and found["rows"] == found["columns"]:
            remedy = "an array has two axes, or name another array's as 'array.axis'"
            yield (*path, "columns"), "rows and columns are the same axis", remedy
        inside = levels[index + 1 :]
        if any(name in [str(one.get("name")) for one in inside] for name, _ in found.values()):
            yield path, "one of its axes belongs to an array inside this one", "state 'systolic' there"
        yield from _held(str(level["systolic"].get("dataflow", "")), inside, path)


def _held(dataflow: str, inside: Levels, path: YamlPath) -> Iterator[Found]:
    """What is stationary must have a memory to stay in."""
    role = dataflow.partition("_")[0]
    kept = [one["keeps"] for one in inside if one.get("type") == "memory" and isinstance(one.get("keeps"), list)]
    if role in ROLES and not any(role in keeps for keeps in kept):
        yield path, f"no memory inside the array keeps the {role}", f"add one to each element that keeps [{role}]"


def _ports(levels: Levels) -> Iterator[Found]:
    for index, level in enumerate(levels):
        for key in ("read_bandwidth", "write_bandwidth"):
            if "bandwidth" in level and key in level:
                remedy = "state one shared port, or read_bandwidth and write_bandwidth"
                yield ("levels", index, key), "stands beside 'bandwidth'", remedy
        for key in ("dram_kind", "timing"):
            if level.get("type") == "memory" and key in level and level.get("component", "sram") != "dram":
                yield ("levels", index, key), "this memory is no dram", "write 'component: dram' or remove it"


def _timings(levels: Levels) -> Iterator[Found]:
    """A DRAM's timing: of one memory outside all arrays, not empty, refresh whole."""
    array = ""
    for index, level in enumerate(levels):
        array = array or (str(level.get("name")) if level.get("type") == "array" else "")
        if "timing" not in level or level.get("type") != "memory":
            continue
        timing, path = level["timing"], ("levels", index, "timing")
        if not timing:
            yield path, "says nothing", f"state some of {_listed(list(TimingSpec.model_fields))} or remove it"
        if array:
            what = f"'{level.get('name')}' is below the array '{array}'"
            yield path, what, "state the timing of a memory above all arrays, which exists once"
        for key, other in (("refresh_interval", "refresh_time"), ("refresh_time", "refresh_interval")):
            if isinstance(timing, dict) and key in timing and other not in timing:
                yield (*path, other), "is missing", f"add '{other}:' or remove '{key}'"


def _host(host: Any) -> Iterator[Found]:
    """What runs on a host has a rate."""
    if not isinstance(host, dict):
        return
    if not host:
        yield ("host",), "says nothing", "state operators and their rate, a link, or remove it"
    for key, other in (("operators", "rate"), ("rate", "operators")):
        if key in host and other not in host:
            yield ("host", other), "is missing", f"add '{other}:' or remove '{key}'"
