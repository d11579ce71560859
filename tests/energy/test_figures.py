"""Figures: what each number of an estimate was computed from, how uncertain that leaves it, and drawing constants."""

import math

import pytest

from dovetail.energy import Component, constant, constants, estimate_component
from dovetail.energy.draws import is_drawing, multiplied, recording

KIB = 8 * 1024
COMPONENTS = (
    Component.of("mac", 28, number="bf16"),
    Component.of("vector", 65, bits=16),
    Component.of("special", 16, function="gelu", number="fp16"),
    Component.of("sram", 28, size_bits=256 * KIB, width_bits=512, banks=4, ports=2),
    Component.of("register_file", 16, size_bits=512),
    Component.of("dram", 7, dram_kind="hbm2e"),
    Component.of("wire", 7, length_mm=2.0),
    Component.of("link", 7, link_kind="nvlink"),
    Component.of("clock", 16, flip_flops=1000),
)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: one.kind)
def test_every_number_is_a_figure_with_unit_source_validity_and_uncertainty(component: Component) -> None:
    one = estimate_component(component)
    values = {**one.energy_j, "area": one.area_mm2, "leakage": one.leakage_w}
    assert {figure.name: figure.value for figure in one.figures} == values
    for figure in one.figures:
        assert figure.unit == {"area": "mm2", "leakage": "W"}.get(figure.name, figure.unit)
        assert figure.unit in ("J", "J/bit", "mm2", "W")
        if figure.value:
            assert figure.constants
            assert 0 < figure.uncertainty < 2
            assert all(constants()[name].source in figure.source for name in figure.constants)
            assert all(constants()[name].valid in figure.validity for name in figure.constants)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: one.kind)
def test_a_figure_changes_with_its_constants_and_with_no_other(component: Component) -> None:
    figures = estimate_component(component).figures
    for name in constants():
        with multiplied({name: 1.05}):
            changed = estimate_component(component)
        now = {**changed.energy_j, "area": changed.area_mm2, "leakage": changed.leakage_w}
        for figure in figures:
            moved = not math.isclose(now[figure.name], figure.value, rel_tol=1e-9)
            assert moved == (name in figure.constants), (name, figure.name)


def test_the_uncertainty_of_a_sum_is_that_of_its_terms_in_quadrature() -> None:
    mac = estimate_component(Component.of("mac", 45, operand_bits=8, accumulator_bits=32)).figure("mac")
    assert mac.constants == ("int_multiply_energy_45nm", "int_add_energy_45nm")
    assert mac.uncertainty == pytest.approx(math.hypot(0.2 * 0.2, 0.2 * 0.1) / 0.3, rel=1e-3)


def test_the_uncertainty_of_a_product_is_that_of_its_factors_in_quadrature() -> None:
    file = estimate_component(Component.of("register_file", 16, size_bits=512)).figure("read")
    assert file.uncertainty == pytest.approx(math.sqrt(0.3**2 + 0.3**2 + 0.3**2), rel=1e-3)


def test_a_relative_table_is_known_at_its_anchors_and_felt_in_full_an_octave_away() -> None:
    nominal = constant("logic_energy_mature")
    with multiplied({"logic_energy_mature": 1.5}):
        drawn = constant("logic_energy_mature")
    assert drawn.at(45e-9) == nominal.at(45e-9)
    assert drawn.at(90e-9) == pytest.approx(1.5 * nominal.at(90e-9))
    assert drawn.at(180e-9) == pytest.approx(1.5 * nominal.at(180e-9))
    assert 1.0 < drawn.at(65e-9) / nominal.at(65e-9) < 1.5


def test_a_share_never_exceeds_one() -> None:
    with multiplied({"sram_fixed_share": 2.0, "sram_array_efficiency": 2.0}):
        assert constant("sram_fixed_share").value == 1.0
        assert constant("sram_array_efficiency").value == 1.0
        wide = estimate_component(Component.of("sram", 45, size_bits=64 * KIB, width_bits=1024))
    assert wide.energy_j["read"] > 0


def test_multiplied_constants_are_forgotten_afterwards_and_not_remembered() -> None:
    component = Component.of("dram", 45, dram_kind="lpddr4")
    before = estimate_component(component)
    with multiplied({"dram_energy_lpddr4": 3.0}):
        assert is_drawing()
        assert estimate_component(component).energy_j["read"] == pytest.approx(24e-12)
    assert not is_drawing()
    assert estimate_component(component) == before


def test_recording_lists_the_constants_that_were_asked_for() -> None:
    with recording() as outer:
        constant("wire_energy")
        with recording() as inner:
            constant("logic_leakage")
    assert list(outer) == ["wire_energy", "logic_leakage"]
    assert list(inner) == ["logic_leakage"]
