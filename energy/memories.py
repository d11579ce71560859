"""Prices of memories: SRAM and register files by size, width, banks and ports, and DRAM by kind."""

from __future__ import annotations

import math

from ..errors import BadInput
from .attributes import STATE_IT, chosen, process_of, whole_within, within
from .components import Component, ComponentEstimate
from .figures import estimate_of
from .quantities import format_size
from .scaling import (
    between_anchors,
    logic_area_factor,
    logic_energy_factor,
    logic_leakage_w_per_mm2,
    sram_leakage_w_per_bit,
    wire_energy_j_per_bit_mm,
)
from .technology import constant, constants

__all__ = ["dram", "dram_kinds", "register_file", "sram", "sram_access_energy_j"]

_DRAM = "dram_energy_"
_KIB = 8 * 1024.0
MOST_PORTS = 16


def dram_kinds() -> tuple[str, ...]:
    """DRAM kinds with an energy in the tables."""
    return tuple(sorted(name.removeprefix(_DRAM) for name in constants() if name.startswith(_DRAM)))


def sram_access_energy_j(size_bits: float, technology_nm: float) -> float:
    """Energy of one 64-bit access to an undivided SRAM: ``a * size ** b``, fitted at 45 nm and at 7 nm.

    Below the smallest published size the 7 nm law continues with the 45 nm exponent: its own, 0.13, comes from large
    arrays and would let a tiny memory cost more at 7 nm than at 45 nm.
    """

    def at_45nm() -> float:
        return constant("sram_access_energy_45nm").fitted(size_bits)

    def at_7nm() -> float:
        new = constant("sram_access_energy_7nm")
        smallest = new.range[0]
        joules = new.fitted(max(size_bits, smallest))
        if size_bits < smallest:
            old = constant("sram_access_energy_45nm")  # its exponent alone
            joules *= old.fitted(size_bits) / old.fitted(smallest)
        return joules

    return between_anchors(technology_nm, at_45nm, at_7nm)


def _port_area(ports: int) -> float:
    """Area of a cell with so many ports relative to one; the lines across it grow as the square root."""
    return constant("sram_port_area").at(float(ports)) if ports > 1 else 1.0


def sram(component: Component) -> ComponentEstimate:
    """One bank is accessed at a time; a divided memory also pays the wire from the bank, half the macro's side.

    Per bit: ``e64(bank) / 64 * (f * 64 / max(width, 64) + 1 - f)``, ``f`` the share that does not grow with the width,
    times the length of the lines across cells with so many ports.
    """
    node, process = component.technology_nm, process_of(component)
    size = within(component, "size_bits", None, 64 * 8, 2**20 * _KIB)
    width = within(component, "width_bits", 64, 1, min(size, 16384))
    banks = within(component, "banks", 1, 1, 4096)
    ports = whole_within(component, "ports", 1, 1, MOST_PORTS)
    bank = size / banks
    if not 64 * 8 <= bank <= 65536 * _KIB:
        raise BadInput(f"sram: a bank of {format_size(bank)} is outside 64 B to 64 MiB; change banks {STATE_IT}")

    def area() -> float:
        cells = size * constant("sram_cell_area").at(node / 1e9) / constant("sram_array_efficiency").value
        periphery = banks * constant("sram_bank_area_45nm").value * logic_area_factor(node)
        return cells * _port_area(ports) + periphery

    def energy() -> float:
        fixed = constant("sram_fixed_share").value
        joules = sram_access_energy_j(bank, node) / 64 * (fixed * 64 / max(width, 64) + 1 - fixed)
        joules *= math.sqrt(_port_area(ports))
        return joules + wire_energy_j_per_bit_mm(node) * math.sqrt(area()) / 2 if banks > 1 else joules

    def leakage() -> float:
        return size * sram_leakage_w_per_bit(node, process)

    return estimate_of({"read": energy, "write": energy}, per_bit=True, area=area, leakage=leakage)


def register_file(component: Component) -> ComponentEstimate:
    """The 45 nm SRAM law continued to small sizes, linear in the width, scaled as logic.

    The tables' area is that of one read and one write port; more of them lengthen the lines as in an SRAM.
    """
    node, process = component.technology_nm, process_of(component)
    size = within(component, "size_bits", None, 1, 1024 * _KIB)
    within(component, "width_bits", 16, 1, 16384)
    ports = whole_within(component, "ports", 2, 2, MOST_PORTS)

    def grown() -> float:
        return _port_area(ports) / _port_area(2) if ports > 2 else 1.0

    def energy() -> float:
        joules = constant("sram_access_energy_45nm").fitted(size) / 64 * logic_energy_factor(node)
        return joules * constant("register_file_law").value * math.sqrt(grown())

    def area() -> float:
        density = constant("register_file_area_45nm")
        smallest, largest = density.range
        return size * density.at(min(max(size, smallest), largest)) * logic_area_factor(node) * grown()

    def leakage() -> float:
        return area() * logic_leakage_w_per_mm2(node, process)

    return estimate_of({"read": energy, "write": energy}, per_bit=True, area=area, leakage=leakage)


def dram(component: Component) -> ComponentEstimate:
    """Off chip: the node of the accelerator does not matter, and no silicon is counted."""
    kind = chosen(component, "dram_kind", "lpddr4", dram_kinds(), "DRAM kind")

    def energy() -> float:
        return constant(_DRAM + kind).value

    return estimate_of({"read": energy, "write": energy}, per_bit=True)
