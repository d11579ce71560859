"""The shipped estimator: components priced from the technology tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadInput, suggestion
from .arithmetic import mac, special, vector
from .components import Component, ComponentEstimate
from .memories import dram, register_file, sram
from .scaling import check_node
from .wiring import clock, link, wire

__all__ = ["TableEstimator"]


@dataclass(frozen=True)
class TableEstimator:
    """Prices mac, vector, special, sram, register_file, dram, wire, link and clock; see `Component`."""

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
                remedy = suggestion(name, known)
                raise BadInput(f"{component.kind} has no attribute '{name}'; {remedy}")
        check_node(component.technology_nm)
        return price(component)


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Component], ComponentEstimate]]] = {
    "mac": (("operand_bits", "weight_bits", "accumulator_bits", "number", "process"), mac),
    "vector": (("bits", "number", "process"), vector),
    "special": (("function", "bits", "number", "process"), special),
    "sram": (("size_bits", "width_bits", "banks", "ports", "process"), sram),
    "register_file": (("size_bits", "width_bits", "ports", "process"), register_file),
    "dram": (("dram_kind", "process"), dram),
    "wire": (("length_mm", "process"), wire),
    "link": (("link_kind", "process"), link),
    "clock": (("flip_flops", "process"), clock),
}
