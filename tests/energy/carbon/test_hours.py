"""The hours to run in: against brute force, and the carbon saved."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.energy.carbon import Grid, grid
from dovetail.errors import BadInput

HOUR = 3600.0
series = st.lists(st.integers(0, 900).map(float), min_size=24, max_size=24).map(tuple)
durations = st.floats(0.05, 60)


def of(hourly: tuple[float, ...]) -> Grid:
    return Grid("test", math.fsum(hourly) / len(hourly), hourly)


def brute_mean(hourly: tuple[float, ...], start: float, hours: float) -> float:
    """The integral by the edges it crosses."""
    edges = [start, *range(math.floor(start) + 1, math.ceil(start + hours)), start + hours]
    return sum((b - a) * hourly[math.floor((a + b) / 2) % len(hourly)] for a, b in pairwise(edges)) / hours


@given(series, st.floats(0, 100), durations)
def test_a_window_has_the_mean_of_its_hours(hourly: tuple[float, ...], start: float, hours: float) -> None:
    found = of(hourly).average(start, hours * HOUR)
    assert found == pytest.approx(brute_mean(hourly, start, hours), rel=1e-6, abs=1e-6)


@given(series, durations)
def test_no_start_is_better_than_the_best(hourly: tuple[float, ...], hours: float) -> None:
    found = of(hourly).best_hours(hours * HOUR)
    assert found.kg_per_j == pytest.approx(brute_mean(hourly, found.start_hour, hours), rel=1e-6, abs=1e-6)
    anywhere = [brute_mean(hourly, start, hours) for start in np.linspace(0, 24, 97)]
    assert found.kg_per_j <= min(anywhere) * (1 + 1e-9) + 1e-9


@given(series, st.floats(0.05, 24))
def test_pausing_is_never_worse_and_runs_as_long_as_asked(hourly: tuple[float, ...], hours: float) -> None:
    split = of(hourly).best_hours(hours * HOUR, pausing=True)
    assert split.kg_per_j <= of(hourly).best_hours(hours * HOUR).kg_per_j * (1 + 1e-9) + 1e-9
    assert sum(length for _, length in split.runs) == pytest.approx(hours)
    paid = sum(length * brute_mean(hourly, start, length) for start, length in split.runs)
    assert paid / hours == pytest.approx(split.kg_per_j, rel=1e-6, abs=1e-6)
    assert all(a + b <= c + 1e-9 for (a, b), (c, _) in pairwise(split.runs))


def test_a_solar_day_is_cleanest_at_noon() -> None:
    hourly = tuple(500.0 if abs(hour - 12) > 3 else 100.0 for hour in range(24))
    found = of(hourly).best_hours(4 * HOUR)
    assert found.runs == ((9.0, 4.0),)
    assert found.kg_per_j == 100.0
    mean = (17 * 500 + 7 * 100) / 24
    assert found.saved_share == pytest.approx(1 - 100 / mean)
    assert found.saved_kg(2.0) == pytest.approx(2 * (mean - 100))


def test_the_night_may_reach_over_midnight() -> None:
    hourly = tuple(50.0 if hour in (23, 0, 1) else 400.0 for hour in range(24))
    assert of(hourly).best_hours(3 * HOUR).runs == ((23.0, 3.0),)
    assert of(hourly).best_hours(3 * HOUR, pausing=True).runs == ((0.0, 2.0), (23.0, 1.0))


def test_a_flat_grid_saves_nothing_and_one_without_carbon_neither() -> None:
    assert of((5.0,) * 24).best_hours(2.5 * HOUR).saved_share == pytest.approx(0.0, abs=1e-12)
    assert of((5.0,) * 24).best_hours(2.5 * HOUR).start_hour == 0.0
    assert of((0.0,) * 24).best_hours(HOUR).saved_share == 0.0


def test_a_run_longer_than_the_series_goes_round() -> None:
    hourly = tuple(float(hour) for hour in range(24))
    assert of(hourly).average(7, 48 * HOUR) == pytest.approx(11.5)
    with pytest.raises(BadInput, match="25 hours do not fit into a series of 24"):
        of(hourly).best_hours(25 * HOUR, pausing=True)


def test_without_a_series_there_are_no_best_hours_but_a_mean() -> None:
    assert grid("FRA").average(3, HOUR) == grid("FRA").kg_per_j
    with pytest.raises(BadInput, match="grid France 2023 has no hourly series; give a CSV file"):
        grid("FRA").best_hours(HOUR)


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf])
def test_a_duration_that_is_none_is_refused(duration: float) -> None:
    with pytest.raises(BadInput, match="give more than 0"):
        of((1.0,) * 24).best_hours(duration)
