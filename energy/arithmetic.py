"""Prices of arithmetic: multiply-accumulators, vector lanes and units for special functions."""

from __future__ import annotations

import math

from .attributes import chosen, process_of, width_of, within
from .components import Component, ComponentEstimate
from .figures import estimate_of
from .number_formats import NUMBER_FORMATS, number_format
from .operations import multiply_add_area_mm2, multiply_add_energy_j, operation_energy_j
from .scaling import logic_leakage_w_per_mm2
from .technology import constant

__all__ = ["SPECIAL_FUNCTIONS", "mac", "special", "vector"]

# Interpolations, and multiplications and additions besides: exp and log change the base and split off the exponent, a
# division multiplies by a reciprocal, the square root by the argument, gelu and silu by theirs; sines reduce the range.
SPECIAL_FUNCTIONS: dict[str, tuple[int, int, int]] = {
    "exp": (1, 1, 1),
    "log": (1, 1, 1),
    "reciprocal": (1, 0, 0),
    "divide": (1, 1, 0),
    "rsqrt": (1, 0, 0),
    "sqrt": (1, 1, 0),
    "sin": (1, 1, 1),
    "cos": (1, 1, 1),
    "tanh": (1, 0, 0),
    "sigmoid": (1, 0, 0),
    "erf": (1, 0, 0),
    "gelu": (1, 1, 0),
    "silu": (1, 1, 0),
}


def _number(component: Component) -> tuple[str, float]:
    """The number format, and the narrowest word it may have."""
    number = chosen(component, "number", "int", tuple(NUMBER_FORMATS), "number format")
    return number, 1.0 if number_format(number).is_integer else 8.0


def mac(component: Component) -> ComponentEstimate:
    """A multiplier and the adder that accumulates: the price of both."""
    number, lowest = _number(component)
    operand = width_of(component, "operand_bits", number, 8, lowest, 64)
    weight = width_of(component, "weight_bits", number, operand, lowest, 64)
    accumulator = within(component, "accumulator_bits", max(32.0, number_format(number).bits), lowest, 128)
    return _multiply_add(component, "mac", number, math.sqrt(operand * weight), accumulator)


def vector(component: Component) -> ComponentEstimate:
    """A lane multiplies and adds: the price of one scalar operation, whichever it is, is both."""
    number, lowest = _number(component)
    bits = width_of(component, "bits", number, 8, lowest, 64)
    return _multiply_add(component, "op", number, bits, bits)


def _multiply_add(
    component: Component, action: str, number: str, multiply_bits: float, add_bits: float
) -> ComponentEstimate:
    node, process = component.technology_nm, process_of(component)

    def energy() -> float:
        return multiply_add_energy_j(number, multiply_bits, add_bits, node)

    def area() -> float:
        return multiply_add_area_mm2(number, multiply_bits, add_bits, node)

    def leakage() -> float:
        return area() * logic_leakage_w_per_mm2(node, process)

    return estimate_of({action: energy}, area=area, leakage=leakage)


def special(component: Component) -> ComponentEstimate:
    """A unit that interpolates a function quadratically from a table, after Oberman and Siu (ARITH-17, 2005)."""
    number, lowest = _number(component)
    bits = width_of(component, "bits", number, 16, lowest, 64)
    function = chosen(component, "function", "exp", tuple(SPECIAL_FUNCTIONS), "special function")
    interpolations, multiplies, adds = SPECIAL_FUNCTIONS[function]
    node, process = component.technology_nm, process_of(component)

    def energy() -> float:
        pair = multiply_add_energy_j(number, bits, bits, node)
        least = min(multiplies, adds)
        joules = (interpolations * constant("special_interpolation").value + least) * pair
        for operation, count in (("multiply", multiplies - least), ("add", adds - least)):
            joules += count * operation_energy_j(operation, number, bits, node) if count else 0.0
        return joules

    def area() -> float:
        return constant("special_interpolation").value * multiply_add_area_mm2(number, bits, bits, node)

    def leakage() -> float:
        return area() * logic_leakage_w_per_mm2(node, process)

    return estimate_of({"op": energy}, area=area, leakage=leakage)
