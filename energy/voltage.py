"""Costs at another supply voltage than the one the technology tables hold for.

Switching charges and discharges capacitances, so that its energy follows the square of the voltage (Weste and Harris,
"CMOS VLSI Design", 4th edition, 2010, section 5.2). Leakage power is a current times the voltage; that the current
itself falls with the voltage (drain-induced barrier lowering) is left out, so that low voltages keep too much of it.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import BadInput
from .components import ComponentEstimate
from .scaling import check_node
from .technology import constant

__all__ = ["at_voltage", "check_voltage", "table_voltage_v"]

_RANGE = (0.5, 1.5)  # below, transistors no longer switch fully; above, they do not last


def table_voltage_v(technology_nm: float) -> float:
    """Supply voltage in V at which the tables' energies of this node hold; raises `BadInput` for an unknown node."""
    return constant("table_voltage").at(check_node(technology_nm) / 1e9)


def check_voltage(voltage_v: float, technology_nm: float) -> float:
    """``voltage_v`` over the tables' voltage; raises `BadInput` below half or above one and a half times that."""
    nominal_v = table_voltage_v(technology_nm)
    ratio = voltage_v / nominal_v
    if not _RANGE[0] <= ratio <= _RANGE[1]:
        low, high = (f"{share * nominal_v:.2f}" for share in _RANGE)
        raise BadInput(
            f"{voltage_v:g} V is outside {low} to {high} V, for which energies at {technology_nm:g} nm are known; "
            "change it, or state energies in the spec and leave the voltage out"
        )
    return ratio


def at_voltage(estimate: ComponentEstimate, technology_nm: float, voltage_v: float) -> ComponentEstimate:
    """An estimate from the tables at ``voltage_v``: energies with its square, leakage in proportion, the area as it is.

    Raises `BadInput` for a voltage that `check_voltage` refuses.
    """
    ratio = check_voltage(voltage_v, technology_nm)
    told = f"at {voltage_v:g} V, energies x {ratio**2:.3g}: {constant('table_voltage').cite()}"
    return replace(
        estimate,
        energy_j={action: energy * ratio**2 for action, energy in estimate.energy_j.items()},
        leakage_w=estimate.leakage_w * ratio,
        sources=(*estimate.sources, told),
    )
