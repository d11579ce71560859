"""The costs of one network on all hardware: what can be known of a design without asking for its accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..spaces.space import Space, Value

__all__ = ["Sweep", "SweepCosts"]

Column = NDArray[np.float64]


@dataclass(frozen=True)
class SweepCosts:
    """Costs of a network on ``n`` accelerators, each an array (n,); infinite where no mapping fits."""

    latency_s: Column
    energy_j: Column
    area_mm2: Column

    def metric(self, name: str) -> Column:
        """The column of a metric of a study, also ``edp``; raises ``KeyError`` for one that is not swept."""
        if name == "edp":
            return self.latency_s * self.energy_j
        if name not in ("latency_s", "energy_j", "area_mm2"):
            raise KeyError(name)
        column: Column = getattr(self, name)
        return column


class Sweep(Protocol):
    """Knows what networks of a space cost on all hardware of another; deterministic."""

    @property
    def hardware(self) -> Space:
        """The accelerators; the n-th of them is ``hardware.point(n)``."""

    @property
    def area_mm2(self) -> Column:
        """The area of each accelerator (n,), whatever it runs."""

    def costs(self, values: Mapping[str, Value]) -> SweepCosts:
        """The costs of the network with these choices on every accelerator.

        Raises `BadInput` where there is no such network.
        """
