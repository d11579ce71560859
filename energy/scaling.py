"""Laws over the process node, and of wires and leakage; each function states its law, the constants hold the figures.

Node scaling of logic energy: Stillmaker & Baas' equations from 45 nm up to 180 nm; between the two published sets of
per-operation figures (Horowitz 45 nm, Jouppi et al. 7 nm) straight on logarithmic axes; below 7 nm the foundry's
announced power. A pure gate model would promise 15 times less from 45 to 7 nm; the published operations show 2 to 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import BadInput, UnknownName
from .technology import Constant, constant

__all__ = [
    "NODE_RANGE_NM",
    "PROCESSES",
    "between_anchors",
    "check_node",
    "logic_area_factor",
    "logic_energy_factor",
    "logic_leakage_w_per_mm2",
    "sram_leakage_w_per_bit",
    "wire_energy_j_per_bit_mm",
]

NODE_RANGE_NM = (3.0, 180.0)
OLD_NM, NEW_NM = 45.0, 7.0
PROCESSES = ("low_leakage", "low_standby", "high_performance")


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
    mature = check_node(technology_nm) >= OLD_NM
    return _at_node(constant("logic_energy_mature" if mature else "logic_energy_advanced"), technology_nm)


def logic_area_factor(technology_nm: float) -> float:
    """Area of the same logic relative to 45 nm."""
    known = check_node(technology_nm) >= NEW_NM
    return _at_node(constant("logic_area" if known else "logic_area_advanced"), technology_nm)


def between_anchors(technology_nm: float, at_45nm: Callable[[], float], at_7nm: Callable[[], float]) -> float:
    """A figure known at 45 and 7 nm at another node: log-log between them, logic scaling beyond them."""
    check_node(technology_nm)
    if technology_nm >= OLD_NM:
        return at_45nm() * logic_energy_factor(technology_nm)
    if technology_nm <= NEW_NM:
        return at_7nm() * logic_energy_factor(technology_nm) / logic_energy_factor(NEW_NM)
    share = math.log(OLD_NM / technology_nm) / math.log(OLD_NM / NEW_NM)
    joined = math.exp((1 - share) * math.log(at_45nm()) + share * math.log(at_7nm()))
    return joined * constant("node_interpolation").value


def wire_energy_j_per_bit_mm(technology_nm: float) -> float:
    """Energy to move one bit one mm over a repeated wire, half the bits changing."""
    return _at_node(constant("wire_energy"), check_node(technology_nm)) / 1e3


def logic_leakage_w_per_mm2(technology_nm: float, process: str = PROCESSES[0]) -> float:
    """Static power of a square millimetre of logic in one of the `PROCESSES`."""
    return _leakage("logic", technology_nm, process)


def sram_leakage_w_per_bit(technology_nm: float, process: str = PROCESSES[0]) -> float:
    """Static power of an SRAM cell in one of the `PROCESSES`."""
    return _leakage("sram", technology_nm, process)


def _leakage(of: str, technology_nm: float, process: str) -> float:
    """The figure at the nearest node of its table; the low-leakage process has one for all nodes."""
    if process not in PROCESSES:
        raise UnknownName("process", process, PROCESSES)
    table = constant(f"{of}_leakage" + ("" if process == PROCESSES[0] else f"_{process}"))
    low, high = table.range
    return table.at(min(max(check_node(technology_nm) / 1e9, low), high))
