"""The shipped estimator: components priced from the technology tables by the laws of `dovetail.energy.scaling`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadInput, UnknownName, nearest
from .components import Component, ComponentEstimate
from .quantities import format_size
from .scaling import (
    check_node,
    logic_area_factor,
    logic_energy_factor,
    node_uncertainty,
    operation_area_mm2,
    operation_energy_j,
    sram_access_energy_j,
    wire_energy_j_per_bit_mm,
)
from .technology import constant, constants

__all__ = ["TableEstimator", "dram_kinds"]

_PREFIX = "dram_energy_"
_KIB = 8 * 1024.0
_STATE_IT = "or state its energy and area in the spec"


def dram_kinds() -> tuple[str, ...]:
    """DRAM kinds with an energy in the tables."""
    return tuple(sorted(name.removeprefix(_PREFIX) for name in constants() if name.startswith(_PREFIX)))


@dataclass(frozen=True)
class TableEstimator:
    """Prices mac, vector, sram, register_file, dram and wire; see `Component` for their attributes."""

    name: str = "tables"

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(_KINDS)

    def supports(self, component: Component) -> bool:
        return component.kind in _KINDS

    def estimate(self, component: Component) -> ComponentEstimate:
        """Raises `BadInput` for an unknown attribute, and for a node, size or width the tables do not cover."""
        known, price = _KINDS[component.kind]
        for name, _ in component.attributes:
            if name not in known:
                close = nearest(name, known)
                remedy = f"did you mean '{close}'?" if close else f"known: {', '.join(known)}"
                raise BadInput(f"{component.kind} has no attribute '{name}'; {remedy}")
        check_node(component.technology_nm)
        return price(component)


def _within(component: Component, name: str, default: float | None, low: float, high: float) -> float:
    value = component.number(name, default)
    if not low <= value <= high:
        show = format_size if name == "size_bits" else "{:g}".format
        shown = f"{value}" if not math.isfinite(value) else show(value)
        raise BadInput(
            f"{component.kind}: {name} {shown} is outside {show(low)} to {show(high)}; change it {_STATE_IT}"
        )
    return value


def _number(component: Component) -> str:
    number = component.text("number", "int")
    if number not in ("int", "float"):
        raise UnknownName("number format", number, ("int", "float"))
    return number


def _combined(*uncertainties: float) -> float:
    return math.sqrt(sum(one * one for one in uncertainties))


def _cites(technology_nm: float, *names: str) -> tuple[str, ...]:
    """Citations of the constants, and of the scaling where the node is not one the figures were published at."""
    extra: list[str] = []
    if technology_nm > 45:
        extra.append("logic_energy_mature")
    elif technology_nm < 7:
        extra.append("logic_energy_advanced")
    return tuple(constant(name).cite() for name in dict.fromkeys((*names, *extra)))


def _operation_names(operation: str, technology_nm: float) -> list[str]:
    names = [f"{operation}_energy_45nm"] if technology_nm > 7 else []
    return [*names, *([f"{operation}_energy_7nm"] if technology_nm < 45 else []), f"{operation}_area_45nm"]


def _arithmetic(component: Component, action: str, multiply_bits: float, add_bits: float) -> ComponentEstimate:
    node, number = component.technology_nm, _number(component)
    multiply, add = f"{number}_multiply", f"{number}_add"
    area = operation_area_mm2(multiply, multiply_bits, node) + operation_area_mm2(add, add_bits, node)
    energy = operation_energy_j(multiply, multiply_bits, node) + operation_energy_j(add, add_bits, node)
    names = [*_operation_names(multiply, node), *_operation_names(add, node)]
    return ComponentEstimate(
        energy_j={action: energy},
        area_mm2=area,
        leakage_w=area * constant("logic_leakage").value,
        sources=_cites(node, *names, *_area_scaling(node), "logic_leakage"),
        uncertainty=_combined(constant(f"{multiply}_energy_45nm").uncertainty, node_uncertainty(node)),
    )


def _area_scaling(technology_nm: float) -> tuple[str, ...]:
    if technology_nm == 45:
        return ()
    return ("logic_area",) if technology_nm >= 7 else ("logic_area_advanced",)


def _mac(component: Component) -> ComponentEstimate:
    lowest = 1.0 if _number(component) == "int" else 8.0
    operand = _within(component, "operand_bits", 8, lowest, 64)
    weight = _within(component, "weight_bits", operand, lowest, 64)
    accumulator = _within(component, "accumulator_bits", 32, lowest, 128)
    return _arithmetic(component, "mac", math.sqrt(operand * weight), accumulator)


def _vector(component: Component) -> ComponentEstimate:
    """A lane multiplies and adds: the price of one scalar operation, whichever it is, is both."""
    bits = _within(component, "bits", 8, 1.0 if _number(component) == "int" else 8.0, 64)
    return _arithmetic(component, "op", bits, bits)


def _sram(component: Component) -> ComponentEstimate:
    """One bank is accessed at a time; a divided memory also pays the wire from the bank, half the macro's side.

    Per bit: ``e64(bank) / 64 * (f * 64 / max(width, 64) + 1 - f)``, ``f`` the share that does not grow with the width.
    """
    node = component.technology_nm
    size = _within(component, "size_bits", None, 64 * 8, 2**20 * _KIB)
    width = _within(component, "width_bits", 64, 1, min(size, 16384))
    banks = _within(component, "banks", 1, 1, 4096)
    bank = size / banks
    if not 64 * 8 <= bank <= 65536 * _KIB:
        raise BadInput(f"sram: a bank of {format_size(bank)} is outside 64 B to 64 MiB; change banks {_STATE_IT}")
    fixed = constant("sram_fixed_share")
    energy = sram_access_energy_j(bank, node) / 64 * (fixed.value * 64 / max(width, 64) + 1 - fixed.value)
    cells = size * constant("sram_cell_area").at(node / 1e9) / constant("sram_array_efficiency").value
    area = cells + banks * constant("sram_bank_area_45nm").value * logic_area_factor(node)
    names = [f"sram_access_energy_{at}nm" for at, used in ((45, node > 7), (7, node < 45)) if used]
    names += ["sram_fixed_share", "sram_cell_area", "sram_array_efficiency", "sram_bank_area_45nm", "sram_leakage"]
    if banks > 1:
        energy += wire_energy_j_per_bit_mm(node) * math.sqrt(area) / 2
        names.append("wire_energy")
    return ComponentEstimate(
        energy_j={"read": energy, "write": energy},
        area_mm2=area,
        leakage_w=size * constant("sram_leakage").value,
        sources=_cites(node, *names, *_area_scaling(node)),
        uncertainty=_combined(
            constant("sram_access_energy_45nm").uncertainty,
            fixed.uncertainty if width > 64 else 0.0,
            node_uncertainty(node),
        ),
    )


def _register_file(component: Component) -> ComponentEstimate:
    """The 45 nm SRAM law continued to small sizes, linear in the width, scaled as logic."""
    node = component.technology_nm
    size = _within(component, "size_bits", None, 1, 1024 * _KIB)
    _within(component, "width_bits", 16, 1, 16384)
    energy = constant("sram_access_energy_45nm").fitted(size) / 64 * logic_energy_factor(node)
    density = constant("register_file_area_45nm")
    (smallest, _), (largest, _) = density.points
    area = size * density.at(min(max(size, smallest), largest)) * logic_area_factor(node)
    names = ("sram_access_energy_45nm", "register_file_area_45nm", "logic_leakage", "logic_energy_advanced")
    return ComponentEstimate(
        energy_j={"read": energy, "write": energy},
        area_mm2=area,
        leakage_w=area * constant("logic_leakage").value,
        sources=_cites(node, *names[: 4 if node < 45 else 3], *_area_scaling(node)),
        uncertainty=_combined(constant("sram_access_energy_45nm").uncertainty, 0.3, node_uncertainty(node)),
    )


def _dram(component: Component) -> ComponentEstimate:
    """Off chip: the node of the accelerator does not matter, and no silicon is counted."""
    kind = component.text("dram_kind", "lpddr4")
    if kind not in dram_kinds():
        raise UnknownName("DRAM kind", kind, dram_kinds())
    figure = constant(_PREFIX + kind)
    energy = {"read": figure.value, "write": figure.value}
    return ComponentEstimate(energy, 0.0, 0.0, (figure.cite(),), figure.uncertainty)


def _wire(component: Component) -> ComponentEstimate:
    length = _within(component, "length_mm", 1, 0, 100)
    figure = constant("wire_energy")
    energy = wire_energy_j_per_bit_mm(component.technology_nm) * length
    return ComponentEstimate({"hop": energy}, 0.0, 0.0, (figure.cite(),), figure.uncertainty)


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Component], ComponentEstimate]]] = {
    "mac": (("operand_bits", "weight_bits", "accumulator_bits", "number"), _mac),
    "vector": (("bits", "number"), _vector),
    "sram": (("size_bits", "width_bits", "banks"), _sram),
    "register_file": (("size_bits", "width_bits"), _register_file),
    "dram": (("dram_kind",), _dram),
    "wire": (("length_mm",), _wire),
}
