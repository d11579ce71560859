"""Quantities and units, technology tables, and what a component costs in energy, area and static power."""

from .components import Component, ComponentEstimate, Estimator
from .estimators import estimate_component, known_estimators, register_estimator
from .quantities import Quantity, format_mass, format_si, format_size, parse_quantity, to_si
from .scaling import NODE_RANGE_NM
from .tables import dram_kinds
from .technology import Constant, constant, constants, load_constants

__all__ = [
    "NODE_RANGE_NM",
    "Component",
    "ComponentEstimate",
    "Constant",
    "Estimator",
    "Quantity",
    "constant",
    "constants",
    "dram_kinds",
    "estimate_component",
    "format_mass",
    "format_si",
    "format_size",
    "known_estimators",
    "load_constants",
    "parse_quantity",
    "register_estimator",
    "to_si",
]
