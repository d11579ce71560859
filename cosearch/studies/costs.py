"""What a design costs: by a mapper for each network, or from tables made for the whole hardware space at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from ...accel.accelerator import Accelerator
from ...models.network import Network
from ..spaces.dataflow import DATAFLOW, FREE, dataflow_constraints
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Space, Value
from .spec import TABLES, MapperPart

if TYPE_CHECKING:
    from ...mapper.estimate import Estimate
    from ..sweep.base import Sweep
    from ..sweep.table_sweep import TableSweep

__all__ = ["CostSource", "MappedCosts", "TabledCosts", "cost_source"]


class CostSource(Protocol):
    """Finds out what a network costs on an accelerator."""

    def estimate(self, network: Network, accelerator: Accelerator, hardware: Mapping[str, Value] | None) -> Estimate:
        """The network's estimate; ``hardware`` is the accelerator's point, None for one that is none of the space.

        Raises `Infeasible` where an operator fits nothing.
        """

    @property
    def sweep(self) -> Sweep | None:
        """The costs of a network on all hardware, where they are to be had."""


class MappedCosts:
    """A mapper is asked about every layer of every network."""

    def __init__(self, mapper: MapperPart) -> None:
        self._mapper = mapper

    def estimate(self, network: Network, accelerator: Accelerator, hardware: Mapping[str, Value] | None) -> Estimate:
        """As `dovetail.estimate`, within the point's dataflow."""
        from ...mapper.estimate import estimate

        constraints = dataflow_constraints((hardware or {}).get(DATAFLOW, FREE), accelerator)
        return estimate(network, accelerator, self._mapper.name, self._mapper.objective, constraints=constraints)

    @property
    def sweep(self) -> None:
        """A mapper is too slow for that."""
        return None


class TabledCosts:
    """`TableSweep`: every operator is costed on all hardware when a network first needs it."""

    def __init__(self, mapper: MapperPart, networks: NetworkSpace, accelerator: Accelerator, hardware: Space) -> None:
        self._objective, self._networks = mapper.objective, networks
        self._accelerator, self._hardware = accelerator, hardware

    @cached_property
    def sweep(self) -> TableSweep:
        """The tables."""
        from ..sweep.portfolio import Question
        from ..sweep.table_sweep import TableSweep

        question = Question(objective=self._objective)
        return TableSweep(self._networks, self._accelerator, self._hardware, question)

    def estimate(self, network: Network, accelerator: Accelerator, hardware: Mapping[str, Value] | None) -> Estimate:
        """From the tables' mappings; a mapper is asked about an accelerator that is none of the space."""
        if hardware is None:
            return MappedCosts(MapperPart(objective=self._objective)).estimate(network, accelerator, None)
        return self.sweep.estimate(network, hardware)


def cost_source(mapper: MapperPart, networks: NetworkSpace, accelerator: Accelerator, hardware: Space) -> CostSource:
    """The one a study asks for."""
    if mapper.name == TABLES:
        return TabledCosts(mapper, networks, accelerator, hardware)
    return MappedCosts(mapper)
