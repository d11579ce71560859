"""Laws over process node, width and capacity; each function states its law, the constants hold the figures.

Node scaling of logic energy: Stillmaker & Baas' equations from 45 nm up to 180 nm; between the two published sets of
per-operation figures (Horowitz 45 nm, Jouppi et al. 7 nm) straight on logarithmic axes; below 7 nm the foundry's
announced power. A pure gate model would promise 15 times less from 45 to 7 nm; the published operations show 2 to 4.
"""

from __future__ import annotations

import math

from ..errors import BadInput
from .technology import Constant, constant

__all__ = [
    "NODE_RANGE_NM",
    "between_anchors",
    "check_node",
    "logic_area_factor",
    "logic_energy_factor",
    "node_uncertainty",
    "operation_area_mm2",
    "operation_energy_j",
    "sram_access_energy_j",
    "wire_energy_j_per_bit_mm",
]

NODE_RANGE_NM = (3.0, 180.0)
_OLD_NM, _NEW_NM = 45.0, 7.0


def check_node(technology_nm: float) -> float:
    """``technology_nm`` itself; raises `BadInput` where the tables do not reach."""
    low, high = NODE_RANGE_NM
    if not low <= technology_nm <= high:
        raise BadInput(
            f"technology {technology_nm:g} nm is outside the tables; give a node from {low:g} nm to {high:g} nm "
            "or state energies and areas in the spec"
        )
    return technology_nm


def _at_node(table: Constant, technology_nm: float) -> float:
    return table.at(technology_nm / 1e9)


def logic_energy_factor(technology_nm: float) -> float:
    """Energy of the same logic relative to 45 nm."""
    mature = check_node(technology_nm) >= _OLD_NM
    return _at_node(constant("logic_energy_mature" if mature else "logic_energy_advanced"), technology_nm)


def logic_area_factor(technology_nm: float) -> float:
    """Area of the same logic relative to 45 nm."""
    known = check_node(technology_nm) >= _NEW_NM
    return _at_node(constant("logic_area" if known else "logic_area_advanced"), technology_nm)


def node_uncertainty(technology_nm: float) -> float:
    """Relative standard deviation that scaling adds: none where figures were published (45 and 7 nm)."""
    if technology_nm in (_OLD_NM, _NEW_NM):
        return 0.0
    return 0.15 if _NEW_NM < technology_nm < _OLD_NM else constant("logic_energy_mature").uncertainty


def between_anchors(technology_nm: float, at_45nm: float, at_7nm: float) -> float:
    """A figure known at 45 and 7 nm at another node: log-log between them, logic scaling beyond them."""
    check_node(technology_nm)
    if technology_nm >= _OLD_NM:
        return at_45nm * logic_energy_factor(technology_nm)
    if technology_nm <= _NEW_NM:
        return at_7nm * logic_energy_factor(technology_nm) / logic_energy_factor(_NEW_NM)
    share = math.log(_OLD_NM / technology_nm) / math.log(_OLD_NM / _NEW_NM)
    return math.exp((1 - share) * math.log(at_45nm) + share * math.log(at_7nm))


def operation_energy_j(operation: str, bits: float, technology_nm: float) -> float:
    """Energy of "int_add", "int_multiply", "float_add" or "float_multiply" on ``bits``-wide operands.

    Two widths go in as their geometric mean: an integer multiplier's energy follows the product of the widths.
    """
    old, new = constant(f"{operation}_energy_45nm"), constant(f"{operation}_energy_7nm")
    return between_anchors(technology_nm, old.at(bits), new.at(bits))


def operation_area_mm2(operation: str, bits: float, technology_nm: float) -> float:
    """Area of the unit for one ``operation``."""
    return constant(f"{operation}_area_45nm").at(bits) * logic_area_factor(technology_nm)


def sram_access_energy_j(size_bits: float, technology_nm: float) -> float:
    """Energy of one 64-bit access to an undivided SRAM: ``a * size ** b``, fitted at 45 nm and at 7 nm.

    Below the smallest published size the 7 nm law continues with the 45 nm exponent: its own, 0.13, comes from large
    arrays and would let a tiny memory cost more at 7 nm than at 45 nm.
    """
    old, new = constant("sram_access_energy_45nm"), constant("sram_access_energy_7nm")
    at_45nm, smallest = old.fitted(size_bits), new.points[0][0]
    at_7nm = new.fitted(max(size_bits, smallest))
    if size_bits < smallest:
        at_7nm *= at_45nm / old.fitted(smallest)
    return between_anchors(technology_nm, at_45nm, at_7nm)


def wire_energy_j_per_bit_mm(technology_nm: float) -> float:
    """Energy to move one bit one mm over a repeated wire, half the bits changing."""
    return _at_node(constant("wire_energy"), check_node(technology_nm)) / 1e3
