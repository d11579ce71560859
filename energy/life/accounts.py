"""The entries of a life cycle: what is spent once, and what service costs by use and by time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ...errors import BadInput

__all__ = ["PHASES", "QUANTITIES", "Amount", "Once", "Phase", "PhaseName", "QuantityName", "Service", "check_quantity"]

PhaseName = Literal["search", "training", "inference", "idle", "embodied"]
QuantityName = Literal["energy_j", "co2e_kg"]
PHASES: tuple[PhaseName, ...] = get_args(PhaseName)
QUANTITIES: tuple[QuantityName, ...] = get_args(QuantityName)


@dataclass(frozen=True)
class Amount:
    """Joules of electricity and kilograms of CO2 equivalent."""

    energy_j: float = 0.0
    co2e_kg: float = 0.0

    def __post_init__(self) -> None:
        for name in QUANTITIES:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise BadInput(f"{name} is {value}; a life cycle counts finite amounts from 0 on")

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.energy_j + other.energy_j, self.co2e_kg + other.co2e_kg)

    def __mul__(self, times: float) -> Amount:
        return Amount(self.energy_j * times, self.co2e_kg * times)

    __rmul__ = __mul__

    @property
    def energy_kwh(self) -> float:
        """The same electricity in kilowatt-hours."""
        return self.energy_j / 3.6e6


@dataclass(frozen=True)
class Once:
    """Something spent once, or a few ``times`` (refreshes), whatever the number of uses.

    ``note`` says how the amount was found, ``sources`` what it rests on.
    """

    name: str
    phase: Literal["search", "training", "embodied"]
    amount: Amount
    times: float = 1.0
    note: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.phase not in ("search", "training", "embodied"):
            raise BadInput(f"{self.name}: nothing is spent once on '{self.phase}'; use search, training or embodied")
        if not (math.isfinite(self.times) and self.times >= 0.0):
            raise BadInput(f"{self.name}: {self.times} times; give a number from 0 on")

    @property
    def total(self) -> Amount:
        """All times together."""
        return self.amount * self.times


@dataclass(frozen=True)
class Service:
    """How a design serves: cost and time of one use, what flows while a device waits, what a device was made of.

    ``waits`` gives what a second of waiting takes, by state ("idle", "standby"), each for its share of the second.

    A fleet of ``devices`` is in service for ``service_s`` seconds; a device lasts ``lifetime_s``, over which ``made``
    (parts by name) is written off in equal shares. Where the uses keep the whole fleet busy all the time, it grows with
    them: as many devices as it takes, then none waits. With 0 devices it does so from the first use: the hardware is
    shared with others, who answer for the time in between (T/LT of ACT, Gupta et al., ISCA 2022, eq. 1).
    """

    use: Amount
    latency_s: float
    waits: Mapping[str, Amount] = field(default_factory=dict)
    made: Mapping[str, Amount] = field(default_factory=dict)
    devices: float = 1.0
    service_s: float = 3 * 31536000.0
    lifetime_s: float = 3 * 31536000.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.devices) and self.devices >= 0.0):
            raise BadInput(f"devices is {self.devices}; give a finite number from 0 on")
        for name in ("service_s", "lifetime_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"{name} is {value}; give a finite number above zero")
        if not (math.isfinite(self.latency_s) and self.latency_s >= 0.0):
            raise BadInput(f"latency_s is {self.latency_s}; give a finite number from 0 on")

    @property
    def most_uses(self) -> float:
        """How often the fleet can be used in its service before it must grow."""
        return self.devices * self.service_s / self.latency_s if self.latency_s else math.inf

    def fleet(self, uses: float) -> float:
        """Devices in service for so many uses; not rounded, as of a large fleet."""
        return self.devices if uses < self.most_uses else uses * self.latency_s / self.service_s

    def idle_s(self, uses: float) -> float:
        """Seconds that the fleet waits."""
        return max(0.0, self.devices * self.service_s - uses * self.latency_s)

    def waited(self, uses: float) -> dict[str, Amount]:
        """What waiting takes, by state."""
        seconds = self.idle_s(uses)
        return {state: amount * seconds for state, amount in self.waits.items()}

    def written_off(self, uses: float) -> dict[str, Amount]:
        """What was made, by part, for the share of its lifetime that the fleet serves."""
        share = self.fleet(uses) * self.service_s / self.lifetime_s
        return {name: amount * share for name, amount in self.made.items()}


@dataclass(frozen=True)
class Phase:
    """One phase's amount and what it is made of."""

    energy_j: float
    co2e_kg: float
    parts: Mapping[str, Amount] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, Amount]) -> Phase:
        """The sum of the parts."""
        return cls(
            math.fsum(part.energy_j for part in parts.values()),
            math.fsum(part.co2e_kg for part in parts.values()),
            dict(parts),
        )

    @property
    def amount(self) -> Amount:
        """Without the parts."""
        return Amount(self.energy_j, self.co2e_kg)

    @property
    def energy_kwh(self) -> float:
        """The electricity in kilowatt-hours."""
        return self.energy_j / 3.6e6


def check_quantity(quantity: str) -> QuantityName:
    """``quantity`` if a life cycle counts it; raises `BadInput`."""
    for name in QUANTITIES:
        if name == quantity:
            return name
    raise BadInput(f"a life cycle counts {' and '.join(QUANTITIES)}, not '{quantity}'; choose one of them")
