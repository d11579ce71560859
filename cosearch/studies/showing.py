"""What is shown of a design beyond its metrics: its run in time, and other networks on its hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...accel.accelerator import Accelerator
from ...errors import Infeasible
from ...models.network import Network
from .costs import MappedCosts
from .spec import TABLES, MapperPart

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...accel.simulator.gantt import GanttInfo
    from ...mapper.estimate import Estimate

__all__ = ["gantt_of", "transfer_frame"]


def gantt_of(network: Network, accelerator: Accelerator, estimate: Estimate) -> GanttInfo:
    """The simulated run of a network as the analytic model mapped it."""
    from ...accel.simulator.gantt import gantt_info
    from ...mapper.simulation import simulate
    from ..reports.analysis.timeline import BINS

    return gantt_info(simulate(network, accelerator, estimate.schedule), bins=BINS)


def transfer_frame(names: Sequence[str], hardware: Mapping[str, Accelerator], mapper: MapperPart) -> DataFrame:
    """Other networks on each hardware: ``network``, ``hardware``, ``latency_s``, ``energy_j``, ``edp``, ``reason``."""
    import pandas as pd

    from ...models.load import load_network

    # Tables are of one space of networks; of others a mapper is asked.
    own = MappedCosts(mapper if mapper.name != TABLES else MapperPart(objective=mapper.objective))
    rows = []
    for name in names:
        network = load_network(name)
        for side, accelerator in hardware.items():
            row: dict[str, float | str] = {"network": name, "hardware": side, "reason": ""}
            try:
                found = own.estimate(network, accelerator, None)
            except Infeasible as error:
                rows.append(row | {"reason": " ".join(str(error).split())})
                continue
            rows.append(row | {"latency_s": found.latency_s, "energy_j": found.energy_j, "edp": found.edp})
    return pd.DataFrame(rows, columns=["network", "hardware", "latency_s", "energy_j", "edp", "reason"])
