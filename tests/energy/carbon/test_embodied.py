"""Embodied carbon: ACT's closed form and published examples, nodes between and beyond the table, bad input."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.energy import dram_kinds, parse_quantity
from dovetail.energy.carbon import (
    FAB_NODES_NM,
    Footprint,
    die_footprint,
    die_yield,
    dram_footprint,
    dram_footprint_kinds,
    grid,
    package_footprint,
    storage_footprint,
    storage_kinds,
)
from dovetail.errors import BadInput, UnknownName

GB = 8e9


def test_a_die_costs_electricity_gases_and_materials_over_its_yield() -> None:
    # ACT's own unit test: 145 mm2 at 10 nm, Taiwan 2022, 95 % abated.
    found = die_footprint(145, 10, fab_grid="TWN@2022", abatement=0.95, yield_=0.943543)
    expected_g = (1.475 * 583 + 240 + 500) * 1.45 / 0.943543
    assert found.co2e_kg == pytest.approx(1e-3 * expected_g, rel=1e-12)
    assert found.energy_j == pytest.approx(1.475 * 3.6e6 * 1.45 / 0.943543, rel=1e-12)
    assert [part.name for part in found.parts] == ["electricity", "gases", "materials"]
    assert found.part("materials").co2e_kg == pytest.approx(0.5 * 1.45 / 0.943543)
    assert any("ISCA 2022" in source for source in found.sources)
    assert any("Taiwan, 2022" in source for source in found.sources)


@pytest.mark.parametrize(("abatement", "grams"), [(0.95, 350), (0.97, 275), (0.99, 200)])
def test_gases_of_the_middle_abatement_are_the_mean(abatement: float, grams: float) -> None:
    gases = die_footprint(100, 7, abatement=abatement, yield_=1).part("gases")
    assert gases.co2e_kg == pytest.approx(1e-3 * grams, rel=1e-12)


def test_a_node_between_two_of_the_table_lies_on_a_straight_line() -> None:
    cost = {node: die_footprint(100, node, fab_grid="world").co2e_kg for node in (7, 6, 5, 22, 20, 28)}
    assert cost[6] == pytest.approx((cost[7] + cost[5]) / 2)
    assert cost[22] == pytest.approx(0.75 * cost[20] + 0.25 * cost[28])


@given(st.floats(3, 28), st.floats(0.1, 800), st.floats(0.2, 1))
def test_parts_add_up_and_area_counts_in_proportion(node: float, area: float, share: float) -> None:
    found = die_footprint(area, node, yield_=share)
    assert found.co2e_kg == pytest.approx(sum(part.co2e_kg for part in found.parts))
    assert found.co2e_kg == pytest.approx(area * die_footprint(1, node, yield_=share).co2e_kg)


def test_a_large_die_costs_more_per_area_where_defects_decide() -> None:
    small, large = (die_footprint(area, 7, yield_="negative_binomial").co2e_kg / area for area in (50, 800))
    assert large / small == pytest.approx(
        die_yield("negative_binomial", 50) / die_yield("negative_binomial", 800), rel=1e-12
    )
    assert large > small


def test_a_grid_without_carbon_leaves_gases_and_materials() -> None:
    clean = die_footprint(100, 5, fab_grid="0 g/kWh", yield_=1)
    assert clean.part("electricity").co2e_kg == 0.0
    assert clean.co2e_kg == pytest.approx(0.93)
    assert clean.energy_j == pytest.approx(2.75 * 3.6e6)


def test_the_published_phone_adds_up() -> None:
    """Fairphone 3 as in ACT's bill of materials: its own printed results."""
    made = {"fab_grid": "coal", "abatement": 0.95, "yield_": 0.875}
    others = [
        0.85, 1.2, 1.2, 35, 0.89, 0.08, 0.25, 18, 11.6, 1.44, 12.96, 1.61, 6.3, 26.88, 0.77, 11.36, 7, 8.69, 11, 9.6,
    ]  # fmt: skip
    processor = die_footprint(46.4, 28, **made).co2e_kg + package_footprint().co2e_kg
    chips = Footprint.total("chips", (die_footprint(area, 28, **made) for area in others))
    memory = dram_footprint(4 * GB, "ddr3_50nm").co2e_kg + storage_footprint(64 * GB, "nand_30nm").co2e_kg
    assert processor == pytest.approx(0.8992937142857143, rel=1e-12)
    assert chips.co2e_kg + package_footprint(len(others)).co2e_kg == pytest.approx(5.691643885714286, rel=1e-12)
    assert memory + package_footprint(2).co2e_kg == pytest.approx(5.310285714285714, rel=1e-12)


def test_every_kind_of_memory_and_storage_has_a_footprint() -> None:
    assert all(dram_footprint(GB, kind).co2e_kg > 0 for kind in dram_footprint_kinds())
    assert all(storage_footprint(GB, kind).co2e_kg > 0 for kind in storage_kinds())
    assert set(dram_kinds()) <= set(dram_footprint_kinds())


def test_names_are_read_with_spaces_and_capitals() -> None:
    assert storage_footprint(GB, "BarraCuda Pro", yield_=1).co2e_kg == pytest.approx(2.35e-3)
    assert dram_footprint(parse_quantity("1 GB").value, "LPDDR4", yield_=1).co2e_kg == pytest.approx(0.048)


def test_a_kind_nobody_published_says_what_stands_in() -> None:
    found = dram_footprint(GB, "hbm2")
    assert found.co2e_kg == dram_footprint(GB, "ddr4_10nm").co2e_kg
    assert "ddr4_10nm stands in for hbm2" in found.sources[0]
    assert "stands in" not in dram_footprint(GB, "ddr4").sources[0]


@pytest.mark.parametrize("node", [65, 2, 28.1, math.nan, math.inf])
def test_a_node_out_of_range_is_refused_with_a_remedy(node: float) -> None:
    with pytest.raises(BadInput, match="from 3 to 28 nm: state the nearest of these nodes, or the die's footprint"):
        die_footprint(10, node)


def test_texts_with_units_are_read_as_numbers_are() -> None:
    assert die_footprint("1 cm2", "7 nm").co2e_kg == pytest.approx(die_footprint(100.0, 7).co2e_kg)
    assert dram_footprint("4 GB", "lpddr4") == dram_footprint(4 * GB, "lpddr4")
    for wrong in (lambda: die_footprint("100", 7), lambda: die_footprint(100, "7"), lambda: die_footprint(None, 7),
                  lambda: dram_footprint("4 W", "lpddr4"), lambda: dram_footprint(4 * GB, 3)):  # fmt: skip
        with pytest.raises(BadInput, match=r"write e\.g\.|give"):
            wrong()


def test_bad_areas_abatements_grids_and_kinds_are_refused() -> None:
    with pytest.raises(BadInput, match="area must be above 0"):
        die_footprint(0, 7)
    with pytest.raises(BadInput, match=r"give one of 0\.95, 0\.97, 0\.99"):
        die_footprint(10, 7, abatement=0.9)
    with pytest.raises(UnknownName, match="no grid named 'atlantis'"):
        die_footprint(10, 7, fab_grid="atlantis")
    with pytest.raises(UnknownName, match="did you mean 'lpddr4'"):
        dram_footprint(GB, "lpdr4")
    with pytest.raises(BadInput, match="give a size of 0 or more"):
        storage_footprint(-1, "nand_10nm")
    with pytest.raises(BadInput, match="no die area for the yield model 'murphy'"):
        dram_footprint(GB, "ddr4", yield_="murphy")
    with pytest.raises(BadInput, match="give a whole number, 0 or more"):
        package_footprint(-1)


def test_footprints_add_and_multiply() -> None:
    board = Footprint.total("board", [die_footprint(10, 7, yield_=1), package_footprint(2)])
    double = board.times(2, "two boards")
    assert double.co2e_kg == pytest.approx(2 * board.co2e_kg)
    assert double.part("2 packages").co2e_kg == pytest.approx(0.6)
    assert len(board.sources) == len(set(board.sources))
    assert board.times(0).co2e_kg == 0.0


def test_impossible_footprints_are_refused() -> None:
    with pytest.raises(BadInput, match="finite and at least 0"):
        Footprint("debt", -1.0)
    with pytest.raises(BadInput, match="carbon of nan"):
        Footprint("nothing", math.nan)
    with pytest.raises(BadInput, match="a count of -1"):
        package_footprint().times(-1)
    with pytest.raises(BadInput, match="has no part 'lid'; it has none"):
        package_footprint().part("lid")


def test_the_fab_may_stand_on_any_grid() -> None:
    mixed = die_footprint(100, 7, fab_grid=grid({"wind": 0.5, "coal": 0.5}), yield_=1)
    assert mixed.part("electricity").co2e_kg == pytest.approx(2.15 * 415.5e-3)


def test_the_stated_range_of_nodes_is_the_tables() -> None:
    assert [die_footprint(1, node).co2e_kg > 0 for node in FAB_NODES_NM] == [True, True]
    assert die_footprint(1, 7.0000000000000009).co2e_kg == die_footprint(1, 7).co2e_kg
