"""Quantities and units, technology tables, and what a component costs in energy, area and static power."""

from .arithmetic import SPECIAL_FUNCTIONS
from .components import Component, ComponentEstimate, Estimator, Figure
from .estimators import estimate_component, known_estimators, register_estimator
from .memories import dram_kinds
from .number_formats import NUMBER_FORMATS, NumberFormat, number_format
from .quantities import Quantity, format_mass, format_si, format_size, parse_quantity, to_si
from .scaling import NODE_RANGE_NM, PROCESSES
from .technology import Constant, constant, constants, load_constants
from .voltage import at_voltage, table_voltage_v
from .wiring import link_kinds

__all__ = [
    "NODE_RANGE_NM",
    "NUMBER_FORMATS",
    "PROCESSES",
    "SPECIAL_FUNCTIONS",
    "Component",
    "ComponentEstimate",
    "Constant",
    "Estimator",
    "Figure",
    "NumberFormat",
    "Quantity",
    "at_voltage",
    "constant",
    "constants",
    "dram_kinds",
    "estimate_component",
    "format_mass",
    "format_si",
    "format_size",
    "known_estimators",
    "link_kinds",
    "load_constants",
    "number_format",
    "parse_quantity",
    "register_estimator",
    "table_voltage_v",
    "to_si",
]
