"""Grids: names, years, sources, mixes and figures; what is refused and with which words."""

import math
from pathlib import Path

import pytest

from dovetail.energy.carbon import Grid, data_centre_energy_j, grid, grid_names
from dovetail.errors import BadInput, UnknownName


@pytest.mark.parametrize(
    ("what", "g_per_kwh"),
    [
        ("FRA", 56.04),
        ("france", 56.04),
        (" France ", 56.04),
        ("world", 481),
        ("world@2022", 301),
        ("USA", 369),
        ("united_states", 369),
        ("korea", 402),
        ("TWN@2022", 583),
        ("china", 585.82),
        ("coal", 820),
        ("Wind", 11),
        ("300 g/kWh", 300),
        ("0.429 kgCO2e/kWh", 429),
        ({"wind": 0.6, "gas": 0.4}, 202.6),
        ("wind=0.6, gas=0.4", 202.6),
        ({"FRA": 0.5, "coal": 0.5}, 438.02),
    ],
)
def test_a_grid_is_what_a_user_may_write(what: str, g_per_kwh: float) -> None:
    assert grid(what).g_per_kwh == pytest.approx(g_per_kwh, rel=1e-12)


def test_a_kilowatt_hour_costs_its_intensity() -> None:
    assert grid("coal").co2e_kg(3.6e6) == pytest.approx(0.82)
    home = grid("coal")
    assert grid(home) is home


def test_every_name_is_a_grid_with_a_source() -> None:
    names = grid_names()
    assert len(names) == len(set(names))
    for name in names:
        found = grid(name)
        assert 5 < found.g_per_kwh < 1000
        assert found.source


def test_mixed_grids_cite_each_source_once() -> None:
    assert grid({"wind": 0.5, "gas": 0.5}).source == grid("wind").source
    assert "Ember" in grid({"FRA": 0.5, "gas": 0.5}).source


def test_an_unknown_grid_gets_the_nearest_name_or_the_ways_to_say_one() -> None:
    with pytest.raises(UnknownName, match="no grid named 'frnace'; did you mean 'france'"):
        grid("frnace")
    with pytest.raises(UnknownName, match="a country's name or ISO code"):
        grid("xyzzyq")
    with pytest.raises(UnknownName, match="no grid named 'atlantis'"):
        grid("atlantis")
    with pytest.raises(UnknownName):
        grid("")


def test_a_mix_may_hold_a_figure() -> None:
    mixed = grid("wind=0.25,300 g/kWh=0.75")
    assert mixed.kg_per_j == pytest.approx(0.25 * grid("wind").kg_per_j + 0.75 * grid("300 g/kWh").kg_per_j)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("300", "'300' has no unit; write e.g. '300 g/kWh'"),
        ("3 kWh", "a carbon intensity is needed"),
        ("-5 g/kWh", "too small"),
        ("FRA@1990", "no figure of France for 1990; there is 2023"),
        ("USA@soon", "no figure of United States for soon; there is 2022, 2023"),
        ("USA@", "no figure of United States for no year"),
        ("wind=0.5,wind=0.5", "names wind twice"),
        ("wind=0.5,day.csv=0.5", "'day.csv' cannot be mixed"),
        ("coal@2022", "a source of electricity has no year; write 'coal'"),
        ({"wind": 60, "gas": 40}, "add up to 100; write shares, not percent"),
        ({"wind": 0.6}, "add up to 0.6; they must add up to 1"),
        ({"wind": 1.5, "gas": -0.5}, "the share of gas is -0.5"),
        ({"wind": math.nan}, "the share of wind is nan"),
        ({"wind": True}, "the share of wind is True"),
        ({}, "an empty mix"),
        ("wind=a", "no share of a mix; write e.g. 'wind=0.6,gas=0.4'"),
        ({"moonlight": 1.0}, "no grid named 'moonlight'"),
        ("nowhere.csv", "no such file"),
        (5, "'5' is no grid; give a place, '300 g/kWh', a mix, or a CSV file"),
        (None, "is no grid"),
    ],
)
def test_a_refusal_says_what_to_write(what: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        grid(what)
    assert message in str(caught.value)


def test_an_impossible_intensity_is_refused() -> None:
    with pytest.raises(BadInput, match="an intensity of nan"):
        Grid("odd", math.nan)
    with pytest.raises(BadInput, match="an intensity of -1"):
        Grid("odd", 1.0, (1.0, -1.0))


def test_a_file_is_a_grid_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "home.csv"
    path.write_text("hour,intensity (g/kWh)\n" + "".join(f"{hour},{100 + hour}\n" for hour in range(24)))
    for given in (path, str(path)):
        found = grid(given)
        assert found.name == "home"
        assert found.g_per_kwh == pytest.approx(111.5)
        assert len(found.hourly) == 24
        assert "home.csv" in found.source


@pytest.mark.parametrize(
    ("devices", "watts", "days", "pue", "mwh"), [(512, 310, 20, 1.12, 85.7), (10_000, 330, 14.8, 1.10, 1287)]
)
def test_published_training_runs_come_out(devices: float, watts: float, days: float, pue: float, mwh: float) -> None:
    assert data_centre_energy_j(devices, watts, 86_400 * days, pue) / 3.6e9 == pytest.approx(mwh, rel=0.01)


def test_a_data_centre_draws_at_least_what_its_computers_do() -> None:
    assert data_centre_energy_j(0, 300, 100) == 0.0
    with pytest.raises(BadInput, match=r"a PUE of 0\.9"):
        data_centre_energy_j(1, 300, 100, 0.9)
    with pytest.raises(BadInput, match="power_w is -1"):
        data_centre_energy_j(1, -1, 100)
    with pytest.raises(BadInput, match="seconds is nan"):
        data_centre_energy_j(1, 1, math.nan)
