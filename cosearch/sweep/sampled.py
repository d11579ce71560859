"""The sweep of a sample of the hardware: for accelerators and networks of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Accelerator
from ...errors import BadInput, Infeasible
from ...models.network import Network
from ..spaces.composed_space import parts_of
from ..spaces.dataflow import DATAFLOW, FREE
from ..spaces.hardware import hardware_defaults, hardware_values
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Space, Value
from .base import SweepCosts

if TYPE_CHECKING:
    from ...mapper.estimate import Estimate

__all__ = ["Estimator", "SampledSweep"]

F64 = NDArray[np.float64]
_LARGEST = 5_000_000  # accelerators of a space: its columns are held whole
_DRAWS = 50  # for each accelerator wanted, before there are held to be no more within the area


class Estimator(Protocol):
    """What a network costs on an accelerator, a point of the hardware space; `Infeasible` where it does not fit."""

    def __call__(self, network: Network, accelerator: Accelerator, hardware: Mapping[str, Value]) -> Estimate:
        """An estimate."""


class SampledSweep:
    """What networks cost on some accelerators of a space, each mapped as a study maps it; infinite on the others.

    ``estimate(network, accelerator, point)`` finds out what one of them costs; a sweep takes as long as that many
    estimates. The sample is the default where the space holds it, and ``points`` accelerators drawn by ``seed``, all of
    at most ``area_mm2``; where none of those drawn is, the smallest of them. Raises `BadInput` for a space of more than
    five million accelerators, and where none of those drawn can be built.
    """

    def __init__(
        self, networks: NetworkSpace, accelerator: Accelerator, hardware: Space, estimate: Estimator, *,
        points: int = 64, seed: int = 1, area_mm2: float = np.inf,
    ) -> None:  # fmt: skip
        if hardware.size > _LARGEST:
            raise BadInput(f"a sweep holds {_LARGEST:,} accelerators at most, not {hardware.size:,}; search fewer")
        if points < 1:
            raise BadInput(f"points: {points} accelerators are no sample; give at least 1")
        self._networks, self._accelerator, self._hardware = networks, accelerator, hardware
        self._points, self._seed, self._most = points, seed, area_mm2
        self._estimate = estimate

    @property
    def hardware(self) -> Space:
        """The accelerators' space."""
        return self._hardware

    @cached_property
    def sample(self) -> dict[int, Accelerator]:
        """The accelerators that are swept, by number, the default first."""
        drawn: dict[int, Accelerator] = {}
        rng = np.random.default_rng(self._seed)
        known = {DATAFLOW: FREE, **hardware_defaults(self._accelerator)}
        default = {name: value for name, value in known.items() if name in self._hardware.names}
        try:
            numbers = [self._hardware.number(default)]
        except BadInput:
            numbers = []
        smallest: tuple[float, int, Accelerator] | None = None
        numbers += rng.integers(self._hardware.size, size=_DRAWS * self._points).tolist()
        for number in dict.fromkeys(numbers):
            if len(drawn) > self._points:
                break
            try:
                chip = self._accelerator.with_parameters(**hardware_values(self._hardware.point(number)))
            except (BadInput, Infeasible):
                continue
            if chip.area_mm2 <= self._most:
                drawn[number] = chip
            elif smallest is None or chip.area_mm2 < smallest[0]:
                smallest = chip.area_mm2, number, chip
        if drawn:
            return drawn
        if smallest is None:
            raise BadInput(f"none of {len(numbers)} accelerators drawn can be built; search other parameters")
        return {smallest[1]: smallest[2]}

    @cached_property
    def area_mm2(self) -> F64:
        """Area (n,), infinite for what is not in the sample."""
        area = np.full(self._hardware.size, np.inf)
        for number, chip in self.sample.items():
            area[number] = chip.area_mm2
        return area

    def costs(self, values: Mapping[str, Value]) -> SweepCosts:
        """The costs of one network (n,), known on the sample; `BadInput` where the choices make no network."""
        parts = parts_of(self._networks, self._networks.build(values), values)
        latency, energy = np.full(self._hardware.size, np.inf), np.full(self._hardware.size, np.inf)
        for number, chip in self.sample.items():
            try:
                point = self._hardware.point(number)
                found = [(share, self._estimate(run, chip, point)) for share, run in parts]
            except Infeasible:
                continue
            latency[number] = sum(share * one.latency_s for share, one in found)
            energy[number] = sum(share * one.energy_j for share, one in found)
        return SweepCosts(latency, energy, self.area_mm2)
