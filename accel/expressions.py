"""Plain arithmetic on quantities and named parameters, as a hardware spec writes it: ``memory / 2``, ``pes_x * 16``.

``+ - * / //``, parentheses, ``min`` and ``max`` over literals (with or without a unit) and names. An expression is
compiled once: its physical unit is known and checked before any number is; evaluating it is then a walk over a few
tuples. Nothing here runs text as a program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..energy.quantities import parse_quantity
from ..errors import BadInput, nearest

__all__ = ["KINDS", "PURE", "Expression", "Kind", "Unit", "compile_expression", "describe_unit", "parse_literal"]

Unit = tuple[int, int, int, int, int, int, int]
"""Exponents of bit, second, clock cycle, joule, square millimetre, metre, volt."""

PURE: Unit = (0, 0, 0, 0, 0, 0, 0)
_BIT_PER_CYCLE: Unit = (1, 0, -1, 0, 0, 0, 0)
_CYCLE: Unit = (0, 0, 1, 0, 0, 0, 0)
_UNITS: dict[str, Unit] = {
    "none": PURE,
    "size": (1, 0, 0, 0, 0, 0, 0),
    "bandwidth": (1, -1, 0, 0, 0, 0, 0),
    "bits_per_cycle": _BIT_PER_CYCLE,
    "cycle": _CYCLE,
    "frequency": (0, -1, 0, 0, 0, 0, 0),
    "time": (0, 1, 0, 0, 0, 0, 0),
    "energy": (0, 0, 0, 1, 0, 0, 0),
    "energy_per_bit": (-1, 0, 0, 1, 0, 0, 0),
    "power": (0, -1, 0, 1, 0, 0, 0),
    "area": (0, 0, 0, 0, 1, 0, 0),
    "length": (0, 0, 0, 0, 0, 1, 0),
    "voltage": (0, 0, 0, 0, 0, 0, 1),
}
_NAMES = {
    **{u: f"{'an' if n[0] in 'aeiou' else 'a'} {n.replace('_', ' ')}" for n, u in _UNITS.items()},
    PURE: "a plain number",
    _CYCLE: "a number of cycles",
    _BIT_PER_CYCLE: "a bandwidth per cycle",
}

Tree = tuple[str, float] | tuple[str, str] | tuple[str, "Tree", "Tree"]
_LONGEST = 200  # characters; bounds the depth of a tree


@dataclass(frozen=True)
class Kind:
    """What a field holds: its unit, an example for messages, whether it must be whole, whether zero is allowed."""

    name: str
    unit: Unit
    example: str
    whole: bool = False
    zero: bool = False
    word: str = ""  # stands for "without limit"


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("size", _UNITS["size"], "KiB", word="unbounded"),
        Kind("bits", _UNITS["size"], "bit", whole=True),
        Kind("burst", _UNITS["size"], "B", whole=True),
        Kind("bandwidth", _UNITS["bandwidth"], "GB/s", word="unlimited"),
        Kind("frequency", _UNITS["frequency"], "MHz"),
        Kind("energy", _UNITS["energy"], "pJ", zero=True),
        Kind("energy_per_bit", _UNITS["energy_per_bit"], "pJ/bit", zero=True),
        Kind("power", _UNITS["power"], "mW", zero=True),
        Kind("area", _UNITS["area"], "mm2", zero=True),
        Kind("length", _UNITS["length"], "nm"),
        Kind("voltage", _UNITS["voltage"], "V"),
        Kind("time", _UNITS["time"], "us", zero=True),
        Kind("cycles", _CYCLE, "cycle", whole=True, zero=True),
        Kind("latency", _CYCLE, "cycle", zero=True),
        Kind("count", PURE, "", whole=True),
        Kind("factor", PURE, ""),
    )
}


@dataclass(frozen=True)
class Expression:
    """A compiled expression: its ``unit``, the parameter ``names`` it uses, and how to evaluate it."""

    text: str
    unit: Unit
    names: frozenset[str]
    tree: Tree

    def value(self, parameters: Mapping[str, float]) -> float:
        """The number in SI units (bits, bit/s, J, mm2, m). Raises `BadInput` for a division by zero or an overflow."""
        try:
            result = _evaluate(self.tree, parameters)
            finite = math.isfinite(result)
        except ZeroDivisionError as error:
            raise BadInput(f"'{self.text}' divides by zero; change the divisor") from error
        except OverflowError as error:
            raise BadInput(f"'{self.text}' is too large a number; lower it") from error
        if not finite:
            raise BadInput(f"'{self.text}' is too large a number; lower it")
        return result

    def value_as(self, kind: Kind, parameters: Mapping[str, float], clock_hz: float = math.nan) -> float:
        """The value checked for ``kind``: positive (or zero where allowed), whole where needed; int where whole."""
        result = self.value(parameters)
        if self.unit == _BIT_PER_CYCLE and kind.name == "bandwidth":
            result *= clock_hz
        where = "" if not self.names else f" (with {', '.join(f'{n} = {parameters[n]:g}' for n in sorted(self.names))})"
        if result < 0 or (result == 0 and not kind.zero):
            least, name = "zero or more" if kind.zero else "more than zero", kind.name.replace("_", " ")
            article = "an" if name[0] in "ae" else "a"
            raise BadInput(f"'{self.text}' is {result:g}{where}; {article} {name} must be {least}")
        if not kind.whole:
            return result
        if abs(result - round(result)) > 1e-9 * max(1.0, abs(result)):
            raise BadInput(f"'{self.text}' is {result:g}{where}, not a whole number; round it with '//' or change it")
        return round(result)


def compile_expression(text: str | int | float, kind: Kind, names: Mapping[str, Unit]) -> Expression:
    """Compile ``text`` for a field of ``kind``; ``names`` are the parameters that may occur and their units.

    Raises `BadInput` ("what; remedy") for a syntax error, an unknown parameter, or a unit that does not fit.
    """
    return _compile(str(text).strip(), kind, tuple(names.items()))


@lru_cache(maxsize=4096)
def _compile(text: str, kind: Kind, names: tuple[tuple[str, Unit], ...]) -> Expression:
    unit, tree, used = _Parser(text, dict(names)).run()
    fits = unit == kind.unit or (kind.name == "bandwidth" and unit == _BIT_PER_CYCLE)
    if not fits:
        wanted = "a whole number without unit" if kind.unit == PURE else f"{describe_unit(kind.unit)} is needed here"
        if kind.unit == PURE:
            raise BadInput(f"'{text}' is {describe_unit(unit)}; write {wanted}")
        if unit == PURE and tree[0] == "number":
            raise BadInput(f"'{text}' has no unit; write '{text} {kind.example}'")
        raise BadInput(f"'{text}' is {describe_unit(unit)}, but {wanted}; write it in {kind.example}, for example")
    return Expression(text, unit, used, tree)


def parse_literal(value: str | int | float) -> tuple[float, Unit, str]:
    """A number with or without unit: its SI value, its unit, and the unit as written ("" for none)."""
    text = str(value).strip()
    match = re.fullmatch(rf"([-+]?)\s*({_NUMBER})\s*({_UNIT})?", text)
    if match is None:
        raise BadInput(f"'{text}' is not a number with a unit; write '64 KiB', '20 GB/s' or a plain number")
    number, unit = _quantity(match[2], match[3] or "")
    return tidy(-number if match[1] == "-" else number), unit, match[3] or ""


def tidy(value: float) -> float:
    """An int where the number is whole, so that counts stay counts."""
    return int(value) if math.isfinite(value) and abs(value) < 2**53 and value == int(value) else value


def describe_unit(unit: Unit) -> str:
    """A unit in words: "a size", "an energy per bit"."""
    return _NAMES.get(unit, "a quantity of no use here")


# ---- parsing -------------------------------------------------------------------------------------------------------

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_UNIT = r"[A-Za-zµμ]+(?:\^?2|²)?(?:\s*/\s*(?:s|bit|byte|B|cycle)\b)?"
_TOKEN = re.compile(
    rf"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>{_NUMBER})(?:\s*(?P<unit>{_UNIT}))?|(?P<sign>//|[-+*/(),])|(?P<odd>\S))"
)
_FUNCTIONS: dict[str, Callable[[float, float], float]] = {"min": min, "max": max}


def _quantity(number: str, unit: str) -> tuple[float, Unit]:
    """Value and unit of a literal."""
    unit = re.sub(r"\s", "", unit)
    if not unit:
        return (int(number) if number.isdigit() else float(number)), PURE
    found = parse_quantity(f"{number} {unit}")
    if found.dimension not in _UNITS:
        raise BadInput(f"'{number} {unit}' is of no use in a hardware spec; see the units the manual lists")
    return found.value, _UNITS[found.dimension]


def _combine(a: Unit, b: Unit, sign: int) -> Unit:
    return (
        a[0] + sign * b[0], a[1] + sign * b[1], a[2] + sign * b[2],
        a[3] + sign * b[3], a[4] + sign * b[4], a[5] + sign * b[5], a[6] + sign * b[6],
    )  # fmt: skip


Part = tuple[Unit, Tree]


class _Parser:
    """Recursive descent over the tokens of one expression, carrying the unit of every part."""

    def __init__(self, text: str, names: Mapping[str, Unit]) -> None:
        if not text:
            raise BadInput("nothing is written here; write a number with its unit")
        if len(text) > _LONGEST:
            raise BadInput(f"'{text[:20]}…' is longer than {_LONGEST} characters; introduce a parameter")
        self.text, self.names = text, names
        self.used: set[str] = set()
        self.tokens = list(_TOKEN.finditer(text))
        self.at = 0

    def run(self) -> tuple[Unit, Tree, frozenset[str]]:
        """Unit, tree and names of the whole text."""
        unit, tree = self._sum()
        if self.at < len(self.tokens):
            raise self._surprise()
        return unit, tree, frozenset(self.used)

    def _surprise(self) -> BadInput:
        if self.at >= len(self.tokens):
            return BadInput(f"'{self.text}' ends too early; write a number or a parameter after the last sign")
        found = self.tokens[self.at].group().strip()
        return BadInput(f"'{found}' is unexpected in '{self.text}'; use + - * / // min max and parentheses only")

    def _take(self, *signs: str) -> str:
        """The next token if it is one of ``signs``, else ''."""
        if self.at < len(self.tokens) and self.tokens[self.at]["sign"] in signs:
            self.at += 1
            return str(self.tokens[self.at - 1]["sign"])
        return ""

    def _sum(self) -> Part:
        left = self._product()
        while sign := self._take("+", "-"):
            left = self._same(sign, left, self._product())
        return left

    def _same(self, sign: str, left: Part, right: Part) -> Part:
        """Join two parts that must have one unit."""
        if left[0] != right[0]:
            raise BadInput(
                f"'{self.text}' joins {describe_unit(left[0])} and {describe_unit(right[0])} by '{sign}'; use one unit"
            )
        return left[0], (sign, left[1], right[1])

    def _product(self) -> Part:
        unit, tree = self._signed()
        while sign := self._take("*", "/", "//"):
            other, right = self._signed()
            unit, tree = _combine(unit, other, 1 if sign == "*" else -1), (sign, tree, right)
        return unit, tree

    def _signed(self) -> Part:
        if sign := self._take("-", "+"):
            unit, tree = self._signed()
            return unit, (("-", ("number", 0), tree) if sign == "-" else tree)
        return self._atom()

    def _atom(self) -> Part:
        if self._take("("):
            part = self._sum()
            self._close()
            return part
        if self.at >= len(self.tokens):
            raise self._surprise()
        token = self.tokens[self.at]
        if token["number"]:
            self.at += 1
            return self._literal(token["number"], token["unit"] or "")
        if not token["name"]:
            raise self._surprise()
        self.at += 1
        return self._call(token["name"]) if token["name"] in _FUNCTIONS else self._parameter(token["name"])

    def _close(self) -> None:
        if not self._take(")"):
            raise BadInput(f"'{self.text}' lacks a ')'; close the parenthesis")

    def _literal(self, number: str, unit: str) -> Part:
        if unit and unit in self.names:
            raise BadInput(f"'{number} {unit}' lacks a sign; write '{number} * {unit}'")
        value, dimension = _quantity(number, unit)
        return dimension, ("number", value)

    def _call(self, name: str) -> Part:
        if not self._take("("):
            raise BadInput(f"'{name}' is a function; write {name}(a, b)")
        part = self._sum()
        while self._take(","):
            part = self._same(name, part, self._sum())
        self._close()
        return part

    def _parameter(self, name: str) -> Part:
        if name not in self.names:
            close = nearest(name, self.names)
            known = f"parameters: {', '.join(self.names)}" if self.names else "write a number with its unit"
            remedy = f"did you mean '{close}'?" if close else known
            raise BadInput(f"'{name}' is no parameter; {remedy}")
        self.used.add(name)
        return self.names[name], ("name", name)


def _evaluate(tree: Tree, parameters: Mapping[str, float]) -> float:
    operation, first = tree[0], tree[1]
    if isinstance(first, str):
        return parameters[first]
    if not isinstance(first, tuple):
        return first
    left, right = _evaluate(first, parameters), _evaluate(tree[2], parameters)  # type: ignore[misc]
    return _OPERATIONS[operation](left, right)


_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    **_FUNCTIONS,
}
