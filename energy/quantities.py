"""Quantities with units: from YAML texts such as ``128 KiB`` or ``8 pJ/bit`` to plain SI floats, and back for people.

A unit is made of symbols, ``GB/s`` or ``pJ/bit/mm``; its dimension follows from them. Factors are exact fractions, so
``parse_quantity("6 pJ").value == 6e-12``. Areas are mm² and sizes are bits throughout Dovetail.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from ..errors import BadInput, nearest, shortened

__all__ = ["DIMENSIONS", "Quantity", "format_mass", "format_si", "format_size", "is_figure", "parse_quantity", "to_si"]

# Exponents of (bit, J, s, m, cycle, V, kg), the base unit, and an example with a unit a person would write.
_Powers = tuple[int, int, int, int, int, int, int]
_DIMENSIONS: dict[str, tuple[_Powers, str, str]] = {
    "none": ((0, 0, 0, 0, 0, 0, 0), "", "{n}"),
    "size": ((1, 0, 0, 0, 0, 0, 0), "bit", "{n} KiB"),
    "bandwidth": ((1, 0, -1, 0, 0, 0, 0), "bit/s", "{n} GB/s"),
    "bits_per_cycle": ((1, 0, 0, 0, -1, 0, 0), "bit/cycle", "{n} B/cycle"),
    "frequency": ((0, 0, -1, 0, 0, 0, 0), "Hz", "{n} MHz"),
    "energy": ((0, 1, 0, 0, 0, 0, 0), "J", "{n} pJ"),
    "energy_per_bit": ((-1, 1, 0, 0, 0, 0, 0), "J/bit", "{n} pJ/bit"),
    "energy_per_bit_length": ((-1, 1, 0, -1, 0, 0, 0), "J/bit/m", "{n} pJ/bit/mm"),
    "power": ((0, 1, -1, 0, 0, 0, 0), "W", "{n} mW"),
    "power_per_bit": ((-1, 1, -1, 0, 0, 0, 0), "W/bit", "{n} pW/bit"),
    "power_per_area": ((0, 1, -1, -2, 0, 0, 0), "W/mm2", "{n} mW/mm2"),
    "area": ((0, 0, 0, 2, 0, 0, 0), "mm2", "{n} mm2"),
    "area_per_bit": ((-1, 0, 0, 2, 0, 0, 0), "mm2/bit", "{n} um2/bit"),
    "length": ((0, 0, 0, 1, 0, 0, 0), "m", "{n} nm"),
    "time": ((0, 0, 1, 0, 0, 0, 0), "s", "{n} ns"),
    "cycle": ((0, 0, 0, 0, 1, 0, 0), "cycle", "{n} cycle"),
    "voltage": ((0, 0, 0, 0, 0, 1, 0), "V", "{n} V"),
    "mass": ((0, 0, 0, 0, 0, 0, 1), "kg", "{n} g"),
    "mass_per_area": ((0, 0, 0, -2, 0, 0, 1), "kg/mm2", "{n} g/cm2"),
    "mass_per_bit": ((-1, 0, 0, 0, 0, 0, 1), "kg/bit", "{n} g/GB"),
    "mass_per_time": ((0, 0, -1, 0, 0, 0, 1), "kg/s", "{n} g/h"),
    "carbon_intensity": ((0, -1, 0, 0, 0, 0, 1), "kg/J", "{n} g/kWh"),
    "energy_per_area": ((0, 1, 0, -2, 0, 0, 0), "J/mm2", "{n} kWh/cm2"),
}
DIMENSIONS: tuple[str, ...] = tuple(_DIMENSIONS)
_BY_POWERS = {powers: name for name, (powers, _, _) in _DIMENSIONS.items()}
_AREA_IN_MM2 = {2: Fraction(10**6), -2: Fraction(1, 10**6)}

_PREFIX: dict[str, Fraction] = {
    prefix: Fraction(base) ** exponent
    for base, prefixes in (
        (10, {"a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "c": -2, "": 0}),
        (10, {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15}),
        (2, {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}),
    )
    for prefix, exponent in prefixes.items()
}
_SMALL = ("a", "f", "p", "n", "u", "µ", "μ", "m")
_LARGE = ("k", "M", "G", "T", "P")
_BINARY = ("Ki", "Mi", "Gi", "Ti")
_OF_BYTES = ("k", "kb", "m", "mb", "g", "gb", "t", "tb")
_EXPONENTS = {"k": "e3", "m": "e6", "g": "e9", "b": "e9", "t": "e12"}  # a million is M, a billion B
_OF_WHAT = ("", "CO2", "CO2e", "CO2eq")  # a mass of carbon dioxide, or of what warms as much, is a mass


def _symbols() -> dict[str, tuple[Fraction, _Powers]]:
    bit, joule, second = (1, 0, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0, 0)
    watt, hertz = (0, 1, -1, 0, 0, 0, 0), (0, 0, -1, 0, 0, 0, 0)
    metre, cycle, volt = (0, 0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 1, 0)
    kilogram, gram = (0, 0, 0, 0, 0, 0, 1), Fraction(1, 1000)
    families: tuple[tuple[str, int | Fraction, _Powers, tuple[str, ...]], ...] = (
        ("bit", 1, bit, ("", *_LARGE, *_BINARY)),
        ("B", 8, bit, ("", *_LARGE, *_BINARY)),
        ("J", 1, joule, (*_SMALL, "", "k", "M", "G", "T")),
        ("Wh", 3600, joule, ("m", "", "k", "M", "G", "T")),
        ("W", 1, watt, (*_SMALL, "", "k", "M")),
        ("Hz", 1, hertz, ("", "k", "M", "G", "T")),
        ("s", 1, second, (*_SMALL, "")),
        ("m", 1, metre, ("n", "u", "µ", "μ", "m", "c", "")),
        ("V", 1, volt, ("m", "")),
        ("cycle", 1, cycle, ("",)),
        *((f"g{of}", gram, kilogram, ("p", "n", "u", "µ", "μ", "m", "", "k")) for of in _OF_WHAT),
        *((f"t{of}", 1000, kilogram, ("", "k", "M", "G")) for of in _OF_WHAT),
    )
    table = {
        prefix + symbol: (_PREFIX[prefix] * factor, powers)
        for symbol, factor, powers, prefixes in families
        for prefix in prefixes
    }
    words: dict[str, tuple[int, _Powers]] = {
        "bits": (1, bit), "byte": (8, bit), "bytes": (8, bit), "cycles": (1, cycle),
        "min": (60, second), "h": (3600, second), "day": (86400, second), "year": (31536000, second),
    }  # fmt: skip
    return table | {word: (Fraction(factor), powers) for word, (factor, powers) in words.items()}


_SYMBOLS = _symbols()
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Quantity:
    """A value in the SI base of its dimension: bit, bit/s, Hz, J, W, mm², m, s, cycle, V, kg, or a number ("none")."""

    value: float
    dimension: str


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Quantity:
    """``"20 GB/s"`` as a `Quantity`; raises `BadInput` where number, unit or dimension is not known."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"'{text}' is not a number with a unit; write e.g. '64 KiB'")
    number, unit = match.groups()
    factor, powers = _unit(unit, number, text)
    if powers not in _BY_POWERS:
        raise BadInput(f"'{text}' has a unit Dovetail does not use; write a unit like {_examples(number)}")
    dimension = _BY_POWERS[powers]
    try:
        value = float(Fraction(number) * factor * _AREA_IN_MM2.get(powers[3], 1))
    except OverflowError as error:
        raise BadInput(f"'{text}' is too large; check the exponent and the unit") from error
    return Quantity(value, dimension)


def is_figure(text: str) -> bool:
    """Whether a text begins with a number, so that it is a quantity, perhaps a wrong one, and no name."""
    return _NUMBER.fullmatch(text.strip()) is not None


def to_si(
    value: str | float,
    dimension: str,
    *,
    minimum: float | None = 0.0,
    maximum: float = math.inf,
    positive: bool = False,
) -> float:
    """``value`` in the SI base of ``dimension``; a bare number only where ``dimension`` is "none".

    Raises `BadInput` for a missing, unknown or foreign unit, NaN or infinity, a value below ``minimum`` (None: any),
    above ``maximum``, or zero where it must be ``positive``.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput(f"'{value}' is not a quantity; write e.g. '{_example(dimension)}'")
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is None:
        what = "a number" if dimension == "none" else "a number with a unit"
        raise BadInput(f"'{value}' is not {what}; write e.g. '{_example(dimension)}'")
    quantity = _read(value, dimension) if isinstance(value, str) else Quantity(float(value), "none")
    if not math.isfinite(quantity.value):
        raise BadInput(f"'{value}' is not a finite number; write e.g. '{_example(dimension)}'")
    if quantity.dimension == "none" != dimension:
        raise BadInput(f"'{value}' has no unit; write e.g. '{_example(dimension, str(value))}'")
    if quantity.dimension != dimension:
        found, needed = _noun(quantity.dimension), _noun(dimension)
        raise BadInput(f"'{value}' is {found}, {needed} is needed; write e.g. '{_example(dimension)}'")
    if minimum is not None and quantity.value < minimum:
        raise BadInput(f"'{value}' is too small; it must be at least {format_si(minimum, _DIMENSIONS[dimension][1])}")
    if quantity.value > maximum:
        raise BadInput(f"'{value}' is too large; it must be at most {format_si(maximum, _DIMENSIONS[dimension][1])}")
    if positive and quantity.value <= 0:
        raise BadInput(f"'{value}' must be above zero")
    return quantity.value


def _read(text: str, dimension: str) -> Quantity:
    """`parse_quantity`, with advice that fits where no size in bytes is wanted."""
    try:
        return parse_quantity(text)
    except BadInput as error:
        found = _NUMBER.fullmatch(text.strip())
        number, unit = found.groups() if found else ("64", "")
        if dimension == "none" and unit:
            exponent = _EXPONENTS.get(unit[:1].lower(), "") if "e" not in number.lower() else ""
            what = f"'{text}' must be a plain number, without '{shortened(unit, 12)}'"
            raise BadInput(f"{what}; write e.g. '{number}{exponent}'") from error
        if unit.lower() in _OF_BYTES and _DIMENSIONS[dimension][0][0] == 0:
            raise BadInput(f"'{text}' has no known unit; write e.g. '{_example(dimension, number)}'") from error
        raise


def format_si(value: float, unit: str, digits: int = 3) -> str:
    """``value`` (in ``unit``, without prefix) for people: ``format_si(3.2e-3, "J") == "3.2 mJ"``.

    Units that take no prefix (mm2, cycle, %) are written plainly; the prefix of a compound unit goes to its head.
    """
    if not math.isfinite(value):
        return f"{value} {unit}".strip()
    head = unit.split("/")[0]
    prefixes = [prefix for prefix in _PREFIX if _takes_prefix(prefix, head)]
    rounded = abs(float(f"{value:.{digits}g}"))
    best = min(prefixes, key=lambda prefix: _PREFIX[prefix]) if rounded < 1 and prefixes and rounded else ""
    for prefix in prefixes:
        if _PREFIX[best] < _PREFIX[prefix] and float(_PREFIX[prefix]) <= rounded:
            best = prefix
    scaled = float(f"{value / float(_PREFIX[best]):.{digits}g}")
    return f"{scaled:.{max(digits, 6)}g} {best}{unit}".strip()


def format_size(bits: float) -> str:
    """A size for people: binary multiples of a byte where they are exact (``128 KiB``), else decimal (``0.5 MB``)."""
    for prefix in reversed(_BINARY):
        whole = bits / (8 * float(_PREFIX[prefix]))
        if whole >= 1 and whole.is_integer():
            return f"{whole:g} {prefix}B"
    return f"{bits:g} bit" if bits % 8 else format_si(bits / 8, "B")


def format_mass(kg: float, digits: int = 3) -> str:
    """A mass in kilograms for people: tonnes from 1,000 kg, ``format_mass(46_700) == "46.7 t"``, else grams."""
    if abs(float(f"{kg:.{digits}g}")) >= 1000.0:
        return format_si(kg / 1000.0, "t", digits)
    return format_si(1000.0 * kg, "g", digits)


def _unit(unit: str, number: str, text: str) -> tuple[Fraction, _Powers]:
    factor, powers = Fraction(1), [0] * 7
    for position, part in enumerate(unit.split("/") if unit else ()):
        symbol, power = _symbol_and_power(part.strip())
        if symbol not in _SYMBOLS:
            raise BadInput(f"'{text}' has no known unit; write {_suggestion(symbol, part.strip(), unit, number)}")
        sign = -1 if position else 1
        size, own = _SYMBOLS[symbol]
        factor *= size ** (sign * power)
        powers = [total + sign * power * one for total, one in zip(powers, own, strict=True)]
    return factor, (powers[0], powers[1], powers[2], powers[3], powers[4], powers[5], powers[6])


def _suggestion(symbol: str, part: str, unit: str, number: str) -> str:
    """Units a person may have meant, each written with the number; 'kb' and 'KB' could be bits, bytes, 1000 or 1024."""
    lower = symbol.lower()
    if lower in _OF_BYTES:
        letter = lower[0].upper()
        wanted = [f"{letter}iB", f"{'k' if letter == 'K' else letter}B"]
    else:
        wanted = [known for known in _SYMBOLS if known.lower() == lower]
        close = nearest(symbol, _SYMBOLS)
        wanted = wanted or ([close] if close and abs(len(close) - len(symbol)) < 2 else [])
    if not wanted:
        return f"a unit like {_examples(number)}"
    return " or ".join(f"'{number} {unit.replace(part, part.replace(symbol, name, 1), 1)}'" for name in wanted)


def _symbol_and_power(part: str) -> tuple[str, int]:
    for ending, power in (("^2", 2), ("²", 2), ("2", 2)):
        if part.endswith(ending) and part not in _SYMBOLS:
            return part[: -len(ending)], power
    return part, 1


def _takes_prefix(prefix: str, symbol: str) -> bool:
    """Counted things without a symbol of their own (op, MAC) take large prefixes."""
    if symbol in ("", "%", "mm2", "cycle") or not prefix.isascii() or prefix in ("c", *_BINARY):
        return False
    return prefix + symbol in _SYMBOLS if symbol in _SYMBOLS else prefix in ("", *_LARGE)


def _example(dimension: str, number: str = "64") -> str:
    return _DIMENSIONS[dimension][2].format(n=number)


def _examples(number: str) -> str:
    return ", ".join(f"'{_example(dimension, number)}'" for dimension in ("size", "bandwidth", "frequency", "energy"))


def _noun(dimension: str) -> str:
    if dimension == "none":
        return "a number without unit"
    name = dimension.replace("_", " ")
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
