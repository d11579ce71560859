"""What the levels of an accelerator spec owe each other: their order, tensors, axes and ports.

The rules read the raw levels of a document; what has no usable type is skipped, as the model complains about it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..document import YamlPath
from ..errors import suggestion
from ..models.op import ROLES
from .spec_models import LEVEL_MODELS, TimingSpec
from .spec_savings import savings_problems

__all__ = ["Found", "level_problems", "listed", "systolic_axis"]

Found = tuple[YamlPath, str, str]
Levels = Sequence[Mapping[str, Any]]


def level_problems(levels: Levels) -> Iterator[Found]:
    """(path, what is wrong, remedy) of every rule that is broken; there is at least one level."""
    for rule in (_names, _order, _tensors, _residents, _axes, _systolic, _ports, _timings, savings_problems):
        yield from rule(levels)


def listed(values: Sequence[Any], separator: str = ", ") -> str:
    """The values one after the other, for a message."""
    return separator.join(map(str, values))


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
        keeps, bypasses = level.get("keeps"), level.get("may_bypass", [])
        for key in ("double_buffered", "buffers"):
            if level.get(key) not in (None, False) and level.get("prefetched") is True:
                yield (*path, "prefetched"), f"stands beside '{key}'", "keep the one that is true of it"
        if not isinstance(keeps, list):
            continue
        if not keeps:
            yield (*path, "keeps"), "this memory keeps no tensor", f"list some of {listed(ROLES)}"
        missing = [role for role in ROLES if role not in keeps and not (role == "weight" and role in origin)]
        if order == 0 and missing:
            what = f"the outermost memory does not keep {listed(missing)}"
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
        for key, other in (("line", "along"), ("along", "line")):
            if level.get(key) and not level.get(other):
                remedy = f"add '{other}:' or remove '{key}'"
                yield (*path, key), f"stands without '{other}'; lines hold runs along a dimension", remedy
        for key in ("may_bypass", "word", "compression", "along", "gating", "skipping"):
            roles = level.get(key, {})
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
                remedy = suggestion(str(axis), map(str, shape), "its axes are")
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
            yield (*path, key), f"there is no axis '{level['systolic'][key]}'", f"the axes are {listed(known)}"
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
            yield path, "says nothing", f"state some of {listed(list(TimingSpec.model_fields))} or remove it"
        if array:
            what = f"'{level.get('name')}' is below the array '{array}'"
            yield path, what, "state the timing of a memory above all arrays, which exists once"
        for key, other in (("refresh_interval", "refresh_time"), ("refresh_time", "refresh_interval")):
            if isinstance(timing, dict) and key in timing and other not in timing:
                yield (*path, other), "is missing", f"add '{other}:' or remove '{key}'"
