"""Energy and area of one addition, multiplication or fused multiply-add, by number format, width and node."""

from __future__ import annotations

import math

from .number_formats import number_format
from .scaling import between_anchors, logic_area_factor
from .technology import constant

__all__ = ["ieee_width", "multiply_add_area_mm2", "multiply_add_energy_j", "operation_area_mm2", "operation_energy_j"]

_HALF, _SINGLE = (16.0, 11.0), (32.0, 24.0)  # width and significand of the IEEE formats with published figures
_KEPT = ("fp16", "fp32", "tf32")  # whose figures are published, or another's with the same significand


def ieee_width(significand: float) -> float:
    """Width at which an IEEE format has so long a significand: 16 bit at 11, 32 at 24, straight on logarithmic axes."""
    slope = math.log(_SINGLE[0] / _HALF[0]) / math.log(_SINGLE[1] / _HALF[1])
    if significand in (_HALF[1], _SINGLE[1]):
        return _HALF[0] if significand == _HALF[1] else _SINGLE[0]
    return float(_HALF[0] * (significand / _HALF[1]) ** slope)


def _table_key(number: str, bits: float) -> tuple[str, float, bool]:
    """The table ("int" or "float"), the width to look up, and whether that stands in for another format."""
    chosen = number_format(number)
    if chosen.is_integer:
        return "int", bits, False
    if not chosen.significand:
        return "float", bits, False
    return "float", ieee_width(chosen.significand), number not in _KEPT


def operation_energy_j(operation: str, number: str, bits: float, technology_nm: float) -> float:
    """Energy of an "add" or a "multiply" in the format ``number`` on ``bits``-wide operands.

    Integer tables are read at the width, two widths going in as their geometric mean: a multiplier's energy follows
    their product. Other floating-point formats are read at the IEEE width with as long a significand, as the
    significands' product is most of a multiplier and their alignment most of an adder; bfloat16's figures at 7 nm are
    published themselves.
    """
    table, key, stands_in = _table_key(number, bits)

    def at_45nm() -> float:
        return constant(f"{table}_{operation}_energy_45nm").at(key) * _stand_in(stands_in)

    def at_7nm() -> float:
        if number == "bf16":
            return constant(f"bfloat16_{operation}_energy_7nm").value
        return constant(f"{table}_{operation}_energy_7nm").at(key) * _stand_in(stands_in)

    return between_anchors(technology_nm, at_45nm, at_7nm)


def _stand_in(needed: bool) -> float:
    return constant("number_format_law").value if needed else 1.0


def multiply_add_energy_j(number: str, multiply_bits: float, accumulator_bits: float, technology_nm: float) -> float:
    """Energy of a multiply-accumulate; double precision's is published as a whole, at 40 and at 10 nm."""
    if number == "fp64":
        return _double_j(technology_nm)
    multiply = operation_energy_j("multiply", number, multiply_bits, technology_nm)
    return multiply + operation_energy_j("add", _sum_format(number, accumulator_bits), accumulator_bits, technology_nm)


def _double_j(technology_nm: float) -> float:
    """Straight on logarithmic axes between 40 and 10 nm; beyond them as single precision scales."""
    table = constant("double_fma_energy")
    low, high = table.range
    nearest = min(max(technology_nm / 1e9, low), high)
    here, there = (
        sum(operation_energy_j(operation, "fp32", 32, node) for operation in ("multiply", "add"))
        for node in (technology_nm, nearest * 1e9)
    )
    return table.at(nearest) * (1.0 if nearest == technology_nm / 1e9 else here / there)


def _sum_format(number: str, accumulator_bits: float) -> str:
    """Sums as wide as the operands keep their format; wider ones, and those of tf32, are IEEE's, or integers."""
    chosen = number_format(number)
    keeps = chosen.is_integer or (accumulator_bits == chosen.bits and number != "tf32")
    return number if keeps else "float"


def operation_area_mm2(operation: str, number: str, bits: float, technology_nm: float) -> float:
    """Area of the unit for one ``operation``, formats taken as in `operation_energy_j`."""
    table, key, stands_in = _table_key(number, bits)
    area = constant(f"{table}_{operation}_area_45nm").at(key) * _stand_in(stands_in)
    return area * logic_area_factor(technology_nm)


def multiply_add_area_mm2(number: str, multiply_bits: float, accumulator_bits: float, technology_nm: float) -> float:
    """Area of a multiplier and the adder behind it."""
    added = operation_area_mm2("add", _sum_format(number, accumulator_bits), accumulator_bits, technology_nm)
    return operation_area_mm2("multiply", number, multiply_bits, technology_nm) + added
