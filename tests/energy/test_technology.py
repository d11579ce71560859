"""The tables: every constant has a unit, a source and a validity, and agrees with the published figures."""

import csv
from pathlib import Path

import pytest

import dovetail
from dovetail.energy import constant, constants, dram_kinds, load_constants
from dovetail.errors import BadInput, SpecError, UnknownName

REFERENCE = (
    Path(dovetail.__file__).resolve().parent.parent
    / "shared"
    / "reference"
    / "technology"
    / "horowitz45nm_and_dram.csv"
)
RATIOS = {
    "sram_fixed_share", "sram_array_efficiency", "sram_port_area", "register_file_law", "number_format_law",
    "node_interpolation", "special_interpolation",
} | {f"logic_{of}" for of in (
    "energy_mature", "energy_advanced", "area", "area_advanced")}  # fmt: skip
TABLES = {
    "int add": "int_add_energy_45nm",
    "int mul": "int_multiply_energy_45nm",
    "add": "float_add_energy_45nm",
    "mul": "float_multiply_energy_45nm",
}


def test_every_constant_has_a_unit_a_source_and_a_validity() -> None:
    assert len(constants()) > 25
    for name, one in constants().items():
        assert one.source, name
        assert one.valid, name
        assert 0 < one.uncertainty <= 1, name
        assert one.status in ("published", "derived", "inferred"), name
        assert (one.dimension == "none") == (name in RATIOS), name
        assert name in one.cite()
        assert one.source in one.cite()


def test_points_are_met_exactly_and_joined_in_between() -> None:
    table = constant("int_add_energy_45nm")
    assert table.at(8) == 0.03e-12
    assert table.at(16) == 0.05e-12
    assert table.at(8) < table.at(12) < table.at(16) < table.at(24) < table.at(32) < table.at(64)


def test_a_multiplier_grows_nearly_with_the_product_of_the_widths() -> None:
    table = constant("int_multiply_energy_45nm")
    assert table.at(16) == pytest.approx(0.8e-12, rel=0.03)
    assert table.at(4) == pytest.approx(0.05e-12, rel=0.05)


@pytest.mark.parametrize(("name", "residual"), [("sram_access_energy_45nm", 0.025), ("sram_access_energy_7nm", 0.06)])
def test_the_sram_law_meets_its_points_within_the_stated_residual(name: str, residual: float) -> None:
    table = constant(name)
    assert f"residuals below {residual * 100:g} %" in table.valid
    assert f"b = {table.power_law[1]:.2f}" in table.valid
    for size_bits, energy_j in table.points:
        assert table.fitted(size_bits) == pytest.approx(energy_j, rel=residual)


def test_advanced_nodes_follow_the_geometric_mean_of_the_published_operations() -> None:
    product, count = 1.0, 0
    for operation, widths in {"int_add": (8, 32), "int_multiply": (8, 32), "float_add": (16, 32),
                              "float_multiply": (16, 32)}.items():  # fmt: skip
        for bits in widths:
            product *= constant(f"{operation}_energy_7nm").at(bits) / constant(f"{operation}_energy_45nm").at(bits)
            count += 1
    assert constant("logic_energy_advanced").at(7e-9) == pytest.approx(product ** (1 / count), rel=0.01)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not here")
def test_constants_equal_the_reference_table() -> None:
    rows = list(csv.DictReader(REFERENCE.open()))
    compared = 0
    for row in rows:
        item, expected = row["item"], float(row["value"]) * 1e-12
        if item.startswith(("int", "fp")):
            words = item.split()
            integer = words[0] == "int"
            bits = float(words[2].removesuffix("b") if integer else words[0].removeprefix("fp"))
            figure = constant(TABLES[f"int {words[1]}" if integer else words[1]]).at(bits)
        elif "alt" in item:
            hbm2 = constant("dram_energy_hbm2")
            assert abs(expected - hbm2.value) <= hbm2.uncertainty * hbm2.value + 1e-15
            continue
        else:
            figure = constant(f"dram_energy_{item.lower()}").value
        assert figure == pytest.approx(expected, rel=1e-12), item
        compared += 1
    assert compared >= 15


@pytest.mark.parametrize(
    ("name", "figures"),
    [  # Jouppi et al., ISCA 2021, Table 2, pJ
        ("int_add_energy_7nm", {8: 0.007, 32: 0.03}),
        ("int_multiply_energy_7nm", {8: 0.07, 32: 1.48}),
        ("float_add_energy_7nm", {16: 0.16, 32: 0.38}),
        ("float_multiply_energy_7nm", {16: 0.34, 32: 1.31}),
        ("bfloat16_add_energy_7nm", {1: 0.11}),
        ("bfloat16_multiply_energy_7nm", {1: 0.21}),
        ("sram_access_energy_7nm", {8 * 2**13: 7.5, 32 * 2**13: 8.5, 1024 * 2**13: 14}),
        # Horowitz, ISSCC 2014, pJ
        ("sram_access_energy_45nm", {8 * 2**13: 10, 32 * 2**13: 20, 1024 * 2**13: 100}),
        # Keckler et al., IEEE Micro 2011, Table 1: pJ; half of 240 and 150 fJ/bit/mm, which is nJ/bit/m
        ("double_fma_energy", {40e-9: 50, 10e-9: 8.7}),
        ("wire_energy", {40e-9: 120, 10e-9: 75}),
    ],
)
def test_tables_hold_what_was_published(name: str, figures: dict[float, float]) -> None:
    assert {key: value * 1e12 for key, value in constant(name).points} == pytest.approx(figures)


def test_dram_kinds_come_from_the_table() -> None:
    assert {"lpddr4", "ddr3", "gddr5", "hbm2", "hbm3", "hmc"} <= set(dram_kinds())


def test_an_unknown_constant_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'wire_energy'"):
        constant("wire_energ")


HEAD = "name: t\ndescription: d\nsources: {s: Someone 2020}\nconstants:\n"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("  c: {value: 3 pj, source: s, valid: v, uncertainty: 0.1}", "'3 pj' has no known unit; write '3 pJ'"),
        ("  c: {value: 3 pJ, source: z, valid: v, uncertainty: 0.1}", "no source 'z' in this file; known: s"),
        ("  c: {value: -3 pJ, source: s, valid: v, uncertainty: 0.1}", "is not above zero"),
        ("  c: {value: 3 pJ, valid: v, uncertainty: 0.1}", "source"),
        ("  c: {source: s, valid: v, uncertainty: 0.1}", "either 'value' or 'points'"),
        ("  c: {points: {1 bit: 1 pJ, 2 bit: 1 W}, source: s, valid: v, uncertainty: 0.1}", "different dimensions"),
        ("  c: {valu: 3 pJ, source: s, valid: v, uncertainty: 0.1}", "did you mean 'value'"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(tmp_path: Path, entry: str, message: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + entry + "\n")
    with pytest.raises(SpecError) as caught:
        load_constants([path])
    assert message in str(caught.value)
    assert "t.yaml:" in str(caught.value)


def test_a_constant_may_be_defined_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(HEAD + "  c: {value: 3 pJ, source: s, valid: v, uncertainty: 0.1}\n")
    with pytest.raises(BadInput, match="defined twice"):
        load_constants(sorted(tmp_path.glob("*.yaml")))
