"""The log plays its repeats, nested ones too, and counts them without playing."""

from __future__ import annotations

import pytest

from dovetail.accel.simulator.recorder import Log, Repeat, Slice, count, expanded, weighted
from dovetail.errors import ImpossibleResult


def slice_at(start: float, track: str = "mac") -> Slice:
    return Slice(track, start, start + 1.0, "step", "compute", "conv1")


def nested() -> Log:
    """Steps at 0, 2, 4 and 10, 12, 14 and 20, 22, 24; between them dram at 5, 15, 25; a last step at 30."""
    return [slice_at(0.0), Repeat(0, 2, 2.0), slice_at(5.0, "dram"), Repeat(0, 2, 10.0), slice_at(30.0)]


def test_a_nested_repeat_is_played_inside_each_recurrence() -> None:
    starts = {track: [s.start for s in expanded(nested()) if s.track == track] for track in ("mac", "dram")}
    assert starts == {"mac": [0, 2, 4, 10, 12, 14, 20, 22, 24, 30], "dram": [5, 15, 25]}


def test_two_repeats_in_one_place_multiply() -> None:
    log: Log = [slice_at(0.0), Repeat(0, 1, 1.0), Repeat(0, 1, 2.0)]
    assert [s.start for s in expanded(log)] == [0, 1, 2, 3]


def test_playing_stops_at_the_limit() -> None:
    log: Log = [slice_at(0.0), Repeat(0, 10**12, 1.0)]
    assert [s.end for s in expanded(log, 3)] == [1, 2, 3]
    assert not list(expanded(log, 0))


def test_counting_needs_no_playing() -> None:
    assert count(nested()) == len(list(expanded(nested()))) == 13
    assert [(s.start, n) for s, n in weighted(nested())] == [(30, 1), (5, 3), (0, 9)]
    assert count([slice_at(0.0), Repeat(0, 10**15, 1.0)]) == 10**15 + 1
    assert count([]) == 0


@pytest.mark.parametrize(
    "wrong", [Repeat(3, 1, 1.0), Repeat(0, -1, 1.0), Repeat(0, 1, -1.0), Repeat(0, 1, float("nan"))]
)
def test_a_repeat_of_what_does_not_precede_it_is_an_impossible_result(wrong: Repeat) -> None:
    log: Log = [slice_at(0.0), slice_at(1.0), wrong]
    with pytest.raises(ImpossibleResult, match="place 2"):
        list(expanded(log))
    with pytest.raises(ImpossibleResult, match="place 2"):
        count(log)


def test_repeats_that_cross_are_an_impossible_result() -> None:
    log: Log = [slice_at(0.0), slice_at(1.0), Repeat(0, 1, 5.0), slice_at(20.0), Repeat(1, 1, 30.0)]
    with pytest.raises(ImpossibleResult):
        list(expanded(log))
    with pytest.raises(ImpossibleResult):
        count(log)
