"""Prices of what connects: wires by length, links between chips by kind, and the clock network."""

from __future__ import annotations

from .attributes import chosen, process_of, within
from .components import Component, ComponentEstimate
from .figures import estimate_of
from .scaling import logic_energy_factor, wire_energy_j_per_bit_mm
from .technology import constant, constants

__all__ = ["clock", "link", "link_kinds", "wire"]

_LINK = "link_energy_"


def link_kinds() -> tuple[str, ...]:
    """Kinds of links between chips with an energy in the tables."""
    return tuple(sorted(name.removeprefix(_LINK) for name in constants() if name.startswith(_LINK)))


def wire(component: Component) -> ComponentEstimate:
    """A repeated wire; its repeaters' area and leakage are taken as the logic's below it."""
    length = within(component, "length_mm", 1, 0, 100)
    process_of(component)

    def energy() -> float:
        return wire_energy_j_per_bit_mm(component.technology_nm) * length

    return estimate_of({"hop": energy}, per_bit=True)


def link(component: Component) -> ComponentEstimate:
    """Off chip, as a DRAM: no node and no silicon; both ends' transmitters and receivers are in the energy."""
    kind = chosen(component, "link_kind", "pcie", link_kinds(), "link")

    def energy() -> float:
        return constant(_LINK + kind).value

    return estimate_of({"transfer": energy}, per_bit=True)


def clock(component: Component) -> ComponentEstimate:
    """The clock network of so many flip-flops, scaled as logic; its buffers' area is taken as the logic's."""
    flip_flops = within(component, "flip_flops", None, 0, 1e12)
    process_of(component)

    def energy() -> float:
        return flip_flops * constant("flip_flop_clock_energy_45nm").value * logic_energy_factor(component.technology_nm)

    return estimate_of({"cycle": energy})
