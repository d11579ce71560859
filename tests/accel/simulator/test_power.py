"""Power states: the energy of hand-made waits, exact, and what a model may not say."""

from __future__ import annotations

import math

import pytest

from dovetail.accel.simulator.power import STATES, PowerMeter, PowerModel, total_energy
from dovetail.errors import BadInput, ImpossibleResult

MODEL = PowerModel(
    leakage_w=2.0,
    clock_w=3.0,
    gate_clock_after_s=1.0,
    gate_power_after_s=4.0,
    retained_leakage=0.25,
    clock_wake_s=0.5,
    clock_wake_j=7.0,
    power_wake_s=2.0,
    power_wake_j=11.0,
)


@pytest.mark.parametrize(
    ("gap_s", "state", "split"),
    [
        (0.5, "idle", (0.5, 0.0, 0.0)),
        (1.0, "idle", (1.0, 0.0, 0.0)),
        (3.0, "clock_gated", (1.0, 2.0, 0.0)),
        (4.0, "clock_gated", (1.0, 3.0, 0.0)),
        (10.0, "power_gated", (1.0, 3.0, 6.0)),
    ],
)
def test_a_wait_is_split_over_the_states_it_goes_through(gap_s, state, split):
    assert MODEL.asleep(gap_s) == state
    assert tuple(MODEL.split(gap_s).values()) == split


def test_supply_may_go_with_the_clock_or_without_it():
    alone = PowerModel(leakage_w=1.0, gate_power_after_s=2.0)
    assert alone.split(5.0) == {"idle": 2.0, "clock_gated": 0.0, "power_gated": 3.0}
    never = PowerModel(leakage_w=1.0)
    assert never.split(5.0) == {"idle": 5.0, "clock_gated": 0.0, "power_gated": 0.0}
    at_once = PowerModel(gate_clock_after_s=0.0, gate_power_after_s=0.0)
    assert at_once.split(5.0) == {"idle": 0.0, "clock_gated": 0.0, "power_gated": 5.0}


def test_a_meter_books_every_second_once():
    meter = PowerMeter(MODEL)
    assert meter.call(10.0) == ("power_gated", 2.0)
    meter.enter("active", 12.0)
    meter.enter("idle", 15.0)
    assert meter.call(17.0) == ("clock_gated", 0.5)
    meter.enter("active", 17.5)
    meter.enter("idle", 18.0)
    meter.enter("idle", 20.0)
    seconds = {
        "active": 3.5,
        "idle": 1.0 + 1.0 + 1.0,
        "clock_gated": 3.0 + 1.0 + 1.0,
        "power_gated": 6.0,
        "waking": 2.5,
    }
    assert meter.seconds == seconds
    assert math.fsum(meter.seconds.values()) == 20.0
    assert (meter.wakes["clock_gated"], meter.wakes["power_gated"]) == (1, 1)


def test_energy_is_power_times_time_plus_work_plus_wakes():
    seconds = {"active": 3.5, "idle": 3.0, "clock_gated": 5.0, "power_gated": 6.0, "waking": 2.5}
    wakes = dict.fromkeys(STATES, 0) | {"clock_gated": 1, "power_gated": 2}
    total_j, parts = total_energy(MODEL, 100.0, seconds, wakes)
    assert total_j == 100.0 + 5.0 * (3.5 + 3.0 + 2.5) + 2.0 * 5.0 + 0.5 * 6.0 + 7.0 + 2 * 11.0
    assert math.fsum(parts.values()) == total_j
    assert parts["leakage", "power_gated"] == 3.0
    assert parts["wake_up", "waking"] == 29.0
    assert ("clock", "clock_gated") not in parts


def test_negative_energy_is_impossible():
    with pytest.raises(ImpossibleResult):
        total_energy(MODEL, -1.0, dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, 0))
    with pytest.raises(ImpossibleResult):
        total_energy(MODEL, math.nan, dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, 0))


@pytest.mark.parametrize(
    "given",
    [
        {"leakage_w": -1.0},
        {"clock_w": math.nan},
        {"clock_w": "3 W"},
        {"retained_leakage": 1.5},
        {"gate_clock_after_s": -1.0},
        {"gate_power_after_s": math.inf},
        {"gate_clock_after_s": 2.0, "gate_power_after_s": 1.0},
        {"power_wake_s": -1.0},
        {"clock_wake_j": -1.0},
    ],
)
def test_a_power_model_that_cannot_be_is_refused(given):
    with pytest.raises(BadInput, match=r"power\.\w+: .*; "):
        PowerModel(**given)
