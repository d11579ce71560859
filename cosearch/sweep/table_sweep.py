"""The sweep of a whole hardware space by tables: a network costs what its operators cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Accelerator
from ...errors import BadInput, Infeasible
from ...mapper.estimate import Estimate, Schedule, estimate_schedule
from ...models.network import Network
from ...models.op import Op
from ..spaces.hardware import hardware_values
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Space, Value
from .base import SweepCosts
from .groups import Group, check_costs_add_up, groups_of
from .portfolio import Question
from .tables import HardwareTables

__all__ = ["TableSweep"]

F64 = NDArray[np.float64]


class TableSweep:
    """What every network of a space costs on every accelerator of another: exact sums over `HardwareTables`.

    The tables of an operator are made when a network first needs it, which takes seconds to minutes, and remembered.
    Raises `CannotDo` for accelerators on which operators' costs do not add up.
    """

    def __init__(
        self, networks: NetworkSpace, accelerator: Accelerator, hardware: Space, question: Question | None = None, *,
        cache: bool = True, workers: int | None = None,
    ) -> None:  # fmt: skip
        check_costs_add_up(networks.build(networks.baseline()), accelerator)
        self.networks, self.accelerator = networks, accelerator
        self.tables = HardwareTables(accelerator, hardware, question, cache=cache, workers=workers)

    @property
    def hardware(self) -> Space:
        """The accelerators."""
        return self.tables.hardware

    @property
    def area_mm2(self) -> F64:
        """Each accelerator's area (n,)."""
        return self.tables.chips["area_mm2"]

    def prepare(self, points: Sequence[Mapping[str, Value]]) -> None:
        """Make the tables that these networks need in one go; those that are no networks are passed over."""
        needed: dict[Group, None] = {}
        for values in points:
            try:
                needed |= dict.fromkeys(groups_of(self.networks.build(values)))
            except BadInput:
                continue
        self.tables.tables(list(needed))

    def costs(self, values: Mapping[str, Value]) -> SweepCosts:
        """The costs of one network on all accelerators; `BadInput` where the choices make none."""
        return self.network_costs(self.networks.build(values))

    def network_costs(self, network: Network) -> SweepCosts:
        """The same for a network at hand."""
        counts = groups_of(network)
        latency, energy = np.zeros(self.hardware.size), np.zeros(self.hardware.size)
        for table, count in zip(self.tables.tables(list(counts)), counts.values(), strict=True):
            latency += count * table.latency_s
            energy += count * table.energy_j
        chips = self.tables.chips
        started = sum(count for group, count in counts.items() if self._starts(group))
        overhead = chips["call_s"] + started * chips["operator_s"]
        return SweepCosts(latency + overhead, energy + overhead * chips["standing_w"], chips["area_mm2"])

    def _starts(self, group: Group) -> bool:
        return isinstance(group.head, Op) or not (group.head.fused or self.accelerator.on_host(group.head))

    def estimate(self, network: Network, hardware: Mapping[str, Value]) -> Estimate:
        """One design in full, with the tables' mappings: layers, breakdown, schedule.

        Raises `Infeasible` where an operator fits nothing there.
        """
        number = self.hardware.number(hardware)
        chip = self.accelerator.with_parameters(**hardware_values(self.hardware.point(number)))
        groups = {group.head.shape_key: group for group in groups_of(network) if isinstance(group.head, Op)}
        mappings = {}
        for key, table in zip(groups, self.tables.tables(list(groups.values())), strict=True):
            place = int(table.places[number])
            if place < 0 or table.portfolio is None:
                raise Infeasible(f"{groups[key].head.name}: no mapping fits {chip.name} with these parameters")
            mappings[key] = table.portfolio.mapping(place, chip)
        schedule = Schedule(tuple(mappings[op.shape_key] if isinstance(op, Op) else None for op in network.ops))
        return estimate_schedule(network, chip, schedule)
