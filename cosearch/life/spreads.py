"""How uncertain the parts of a life cycle are: relative standard deviations by "phase.part"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...energy.carbon.tables import carbon_tables
from .deployment import Deployment

if TYPE_CHECKING:
    from ...mapper.estimate import Estimate

__all__ = ["spreads_of"]

# Modelled runs are 18 % from vendors' tuned ones in the mean and twice as fast as public scripts (suite `training`).
MODELLED_TRAINING = 0.5
_OWN = {"die": "fab_energy", "packages": "package", "storage": "ssd_nand"}


def spreads_of(
    estimate: Estimate, deployment: Deployment, made: Iterable[str], modelled: Iterable[str] = ()
) -> dict[str, float]:
    """Of inference, waiting, ``modelled`` trainings and the parts a device is ``made`` of; what is stated has none.

    Energy and area are as uncertain as the technology's constants leave them (`Estimate.uncertainty`, to first order),
    footprints as ACT's tables are.
    """
    known = estimate.uncertainty() if estimate.accelerator.spec is not None else None
    spreads = {"inference.uses": known.energy_j.relative} if known else {}
    if known and deployment.idle_power is None:
        spreads["idle.idle"] = known.leakage_w.relative
    spreads |= {f"training.{name}": MODELLED_TRAINING for name in modelled}
    for part in made:
        table = carbon_tables()[_OWN.get(part, "dram")].uncertainty
        area = known.area_mm2.relative if known and part == "die" else 0.0
        if not (part == "die" and deployment.die is not None):
            spreads[f"embodied.{part}"] = math.hypot(table, area)
    return spreads
