"""What a device draws while it works, waits and sleeps, and what waking it costs.

A server is *active* while it computes, *idle* while it waits with its clock running, *clock gated* with the clock
stopped (leakage remains), *power gated* with the supply cut (a share of the leakage remains), and *waking* between
either and the next request's start, when it draws what it draws idle. States and terms as in Weste and Harris, "CMOS
VLSI Design", 4th ed., chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...errors import BadInput, ImpossibleResult
from .checks import checked_number

__all__ = ["STATES", "Energy", "PowerMeter", "PowerModel", "State", "total_energy"]

State = Literal["active", "idle", "clock_gated", "power_gated", "waking"]
STATES: tuple[State, ...] = ("active", "idle", "clock_gated", "power_gated", "waking")
Energy = Mapping[tuple[str, State], float]


@dataclass(frozen=True)
class PowerModel:
    """Standing powers of one server, and when it is put to sleep.

    ``leakage_w`` and ``clock_w`` are drawn beside the work's dynamic energy. A server idle for longer than
    ``gate_clock_after_s`` loses its clock, for longer than ``gate_power_after_s`` its supply (both from the beginning
    of the wait; None: never); ``retained_leakage`` is the share of the leakage that then remains. Waking takes
    ``*_wake_s`` and ``*_wake_j`` on top of the standing powers; what was lost with the supply, weights for instance,
    has to be in them. Raises `BadInput` for numbers out of range and where the supply would go before the clock.
    """

    leakage_w: float = 0.0
    clock_w: float = 0.0
    gate_clock_after_s: float | None = None
    gate_power_after_s: float | None = None
    retained_leakage: float = 0.0
    clock_wake_s: float = 0.0
    clock_wake_j: float = 0.0
    power_wake_s: float = 0.0
    power_wake_j: float = 0.0

    def __post_init__(self) -> None:
        for name in ("leakage_w", "clock_w", "clock_wake_s", "clock_wake_j", "power_wake_s", "power_wake_j"):
            checked_number(getattr(self, name), f"power.{name}", remedy="it is at least 0")
        checked_number(self.retained_leakage, "power.retained_leakage", maximum=1.0, remedy="it is a share from 0 to 1")
        for name in ("gate_clock_after_s", "gate_power_after_s"):
            if getattr(self, name) is not None:
                checked_number(getattr(self, name), f"power.{name}", remedy="leave it out to never gate")
        clock, power = self.gate_clock_after_s, self.gate_power_after_s
        if clock is not None and power is not None and power < clock:
            raise BadInput(
                f"power.gate_power_after_s: {power:g} s is before gate_clock_after_s, {clock:g} s; the clock "
                "stops first: make that the smaller one or leave it out"
            )

    def leakage_in(self, state: State) -> float:
        """Watts of leakage in a state."""
        return self.leakage_w * (self.retained_leakage if state == "power_gated" else 1.0)

    def clock_in(self, state: State) -> float:
        """Watts of the clock network in a state."""
        return 0.0 if state in ("clock_gated", "power_gated") else self.clock_w

    def asleep(self, gap_s: float) -> State:
        """The state of a server that has waited for ``gap_s``."""
        if self.gate_power_after_s is not None and gap_s > self.gate_power_after_s:
            return "power_gated"
        if self.gate_clock_after_s is not None and gap_s > self.gate_clock_after_s:
            return "clock_gated"
        return "idle"

    def split(self, gap_s: float) -> dict[State, float]:
        """Seconds of a wait of ``gap_s`` by state; sums to it."""
        power = min(gap_s, math.inf if self.gate_power_after_s is None else self.gate_power_after_s)
        clock = min(power, math.inf if self.gate_clock_after_s is None else self.gate_clock_after_s)
        return {"idle": clock, "clock_gated": power - clock, "power_gated": gap_s - power}

    def wake_s(self, state: State) -> float:
        """How long a server needs from ``state`` until it can work."""
        return {"clock_gated": self.clock_wake_s, "power_gated": self.power_wake_s}.get(state, 0.0)

    def wake_j(self, state: State) -> float:
        """What waking it costs on top of the standing powers."""
        return {"clock_gated": self.clock_wake_j, "power_gated": self.power_wake_j}.get(state, 0.0)


@dataclass
class PowerMeter:
    """The seconds one server spends in each state, and its wake-ups. It begins idle at time 0."""

    model: PowerModel
    seconds: dict[State, float] = field(default_factory=lambda: dict.fromkeys(STATES, 0.0))
    wakes: dict[State, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    state: State = "idle"  # "idle" stands for every kind of waiting: which one follows from how long it lasts
    since_s: float = 0.0

    def call(self, now_s: float) -> tuple[State, float]:
        """End the wait: the state the server is found in and how long it takes to wake from there."""
        gap_s = now_s - self.since_s
        found = self.model.asleep(gap_s)
        self.enter("waking", now_s)
        if found != "idle":
            self.wakes[found] += 1
        return found, self.model.wake_s(found)

    def enter(self, state: State, now_s: float) -> None:
        """Book the time since the last change and go over to another state."""
        gap_s = now_s - self.since_s
        if self.state == "idle":
            for part, seconds in self.model.split(gap_s).items():
                self.seconds[part] += seconds
        else:
            self.seconds[self.state] += gap_s
        self.state, self.since_s = state, now_s


def total_energy(
    model: PowerModel, dynamic_j: float, seconds: Mapping[State, float], wakes: Mapping[State, int]
) -> tuple[float, dict[tuple[str, State], float]]:
    """Joules of a run and their breakdown by component (work, leakage, clock, wake_up) and state.

    Raises `ImpossibleResult` where a part is negative or the parts do not sum to the total.
    """
    parts: dict[tuple[str, State], float] = {("work", "active"): dynamic_j}
    for state in STATES:
        parts["leakage", state] = model.leakage_in(state) * seconds[state]
        parts["clock", state] = model.clock_in(state) * seconds[state]
    parts["wake_up", "waking"] = math.fsum(count * model.wake_j(state) for state, count in wakes.items())
    standing_w = {state: model.leakage_in(state) + model.clock_in(state) for state in STATES}
    asleep_j = math.fsum(standing_w[state] * seconds[state] for state in STATES)
    total_j = dynamic_j + asleep_j + parts["wake_up", "waking"]
    if min(parts.values()) < 0 or not math.isclose(math.fsum(parts.values()), total_j, rel_tol=1e-9, abs_tol=1e-30):
        raise ImpossibleResult(f"energy of a serving run: parts {parts} do not sum to {total_j} J")
    return total_j, {key: joules for key, joules in parts.items() if joules or key == ("work", "active")}
