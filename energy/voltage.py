"""Costs at another supply voltage than the one the technology tables hold for.

Switching charges and discharges capacitances, so that its energy follows the square of the voltage (Weste and Harris,
"CMOS VLSI Design", 4th edition, 2010, section 5.2). Leakage power is a current times the voltage; that the current
itself falls with the voltage (drain-induced barrier lowering) is left out, so that low voltages keep too much of it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..errors import BadInput
from .components import ComponentEstimate, Figure
from .draws import is_drawing
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
    # What is asked must be within the range, not what a draw of the tables' voltage makes of it.
    if not is_drawing() and not _RANGE[0] <= ratio <= _RANGE[1]:
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
    powers = {"area": 0, "leakage": 1}
    return replace(
        estimate,
        energy_j={action: energy * ratio**2 for action, energy in estimate.energy_j.items()},
        leakage_w=estimate.leakage_w * ratio,
        sources=(*estimate.sources, told),
        uncertainty=_with_voltage(estimate.uncertainty, 2),
        figures=tuple(_at_ratio(one, ratio, powers.get(one.name, 2)) for one in estimate.figures),
    )


def _at_ratio(figure: Figure, ratio: float, power: int) -> Figure:
    """The figure times a power of the ratio of voltages, of which the tables' one is a constant like others."""
    if power == 0 or figure.value == 0.0:
        return figure
    table = constant("table_voltage")
    return replace(
        figure,
        value=figure.value * ratio**power,
        source=f"{figure.source}; {table.source}",
        validity=f"{figure.validity}; {table.name}: {table.valid}",
        uncertainty=_with_voltage(figure.uncertainty, power),
        constants=(*figure.constants, table.name),
    )


def _with_voltage(uncertainty: float, power: int) -> float:
    return math.hypot(uncertainty, power * constant("table_voltage").uncertainty)
