"""Logs that end at a moment."""

from __future__ import annotations

import math

import pytest
from timelines import random_log

from dovetail.accel.simulator.cut import cut, without
from dovetail.accel.simulator.recorder import Repeat, Slice, expanded
from dovetail.accel.simulator.stretch import stretches


def length(slices: object, track: str) -> float:
    return math.fsum(one.end - one.start for one in slices if one.track == track)  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(60))
def test_what_is_before_and_what_is_beyond_are_the_whole_log(seed):
    log = random_log(seed)
    whole = stretches(log).extents
    end = max((one.end for one in whole.values()), default=0.0)
    for share in (0.0, 0.3, 0.77, 1.0):
        before, beyond = cut(log, share * end)
        assert all(extent.end <= share * end + 1e-9 for extent in stretches(before).extents.values())
        assert all(one.start >= share * end - 1e-9 for one in beyond)
        for track in whole:
            both = length(expanded(before), track) + length(beyond, track)
            assert both == pytest.approx(length(expanded(log), track), abs=1e-6)


def test_repeats_before_the_moment_stay():
    log = [
        Slice("mac", 0.0, 1.0, "s", "compute", "a"),
        Repeat(0, 9, 2.0),
        Slice("mac", 20.0, 30.0, "s", "compute", "b"),
    ]
    before, beyond = cut(log, 25.0)
    assert before[:2] == log[:2]
    assert before[2].end == 25.0
    assert [(one.start, one.end) for one in beyond] == [(25.0, 30.0)]


def test_stalls_beyond_the_moment_come_off_by_cause():
    beyond = [Slice("mac", 5.0, 8.0, "waits", "stall", "a", "weight"), Slice("mac", 8.0, 9.0, "s", "compute", "a")]
    assert without({"weight": 4.0, "input": 2.0}, beyond) == {"weight": 1.0, "input": 2.0}
    assert without({"weight": 3.0}, beyond) == {}
