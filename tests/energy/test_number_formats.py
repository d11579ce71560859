"""Number formats: published energies are met, others lie in published ranges, wrong ones are refused."""

from typing import get_args

import pytest

from dovetail.energy import NUMBER_FORMATS, Component, ComponentEstimate, estimate_component, number_format
from dovetail.energy.number_formats import NumberName, operand_width
from dovetail.energy.operations import ieee_width
from dovetail.errors import BadInput, UnknownName

NODES = (180, 90, 65, 45, 40, 28, 16, 10, 7, 5, 3)


def mac(node: float, number: str, **attributes: float | str) -> ComponentEstimate:
    return estimate_component(Component.of("mac", node, number=number, **attributes))


def mac_pj(node: float, number: str, **attributes: float | str) -> float:
    return mac(node, number, **attributes).energy_j["mac"] * 1e12


@pytest.mark.parametrize(
    ("node", "number", "accumulator", "pj"),
    [
        (45, "fp16", 16, 1.1 + 0.4),  # Horowitz, ISSCC 2014
        (45, "fp16", 32, 1.1 + 0.9),
        (45, "fp32", 32, 3.7 + 0.9),
        (7, "fp16", 32, 0.34 + 0.38),  # Jouppi et al., ISCA 2021
        (7, "fp32", 32, 1.31 + 0.38),
        (7, "bf16", 32, 0.21 + 0.38),
        (7, "bf16", 16, 0.21 + 0.11),
        (7, "tf32", 32, 0.34 + 0.38),
        (40, "fp64", 64, 50.0),  # Keckler et al., IEEE Micro 2011
        (10, "fp64", 64, 8.7),
    ],
)
def test_published_formats_cost_what_was_published(node: float, number: str, accumulator: int, pj: float) -> None:
    assert mac_pj(node, number, accumulator_bits=accumulator) == pytest.approx(pj, rel=1e-12)


@pytest.mark.parametrize(("operation", "pj"), [("multiply", 0.21), ("add", 0.11)])
def test_the_law_of_the_significand_meets_bfloat16_within_seven_percent(operation: str, pj: float) -> None:
    from dovetail.energy import constant

    assert constant(f"float_{operation}_energy_7nm").at(ieee_width(8)) * 1e12 == pytest.approx(pj, rel=0.07)


@pytest.mark.parametrize("node", [45, 7])
def test_an_8_bit_float_costs_half_again_to_thrice_an_8_bit_integer(node: float) -> None:
    """Van Baalen et al. (arXiv:2303.17951) find 50 to 180 % more for FP8 than for INT8 multiply-accumulates."""
    for number in ("fp8_e4m3", "fp8_e5m2"):
        assert 1.5 < mac_pj(node, number, accumulator_bits=16) / mac_pj(node, "int", operand_bits=8) < 2.8


@pytest.mark.parametrize("node", NODES)
def test_a_longer_significand_costs_more_energy_and_area(node: float) -> None:
    order = ("fp8_e5m2", "fp8_e4m3", "bf16", "fp16", "fp32", "fp64")
    macs = [mac(node, number, accumulator_bits=64) for number in order]
    energies, areas = [one.energy_j["mac"] for one in macs], [one.area_mm2 for one in macs]
    assert energies == sorted(energies)
    assert areas == sorted(areas)


def test_a_fixed_point_number_costs_as_an_integer() -> None:
    fixed, whole = (mac(16, number, operand_bits=12, accumulator_bits=28) for number in ("fixed", "int"))
    assert fixed == whole


def test_an_unpublished_format_is_less_certain_than_a_published_one() -> None:
    assert mac(45, "bf16").uncertainty > mac(45, "fp16").uncertainty
    assert "number_format_law" in mac(45, "bf16").figure("mac").constants
    assert "number_format_law" not in mac(45, "fp16").figure("mac").constants


def test_the_names_of_the_formats_are_those_a_spec_may_use() -> None:
    assert set(get_args(NumberName)) == set(NUMBER_FORMATS)


def test_a_width_comes_from_the_format_or_is_stated() -> None:
    assert operand_width("bf16", None, 8) == 16
    assert operand_width("int", None, 8) == 8
    assert operand_width("int", 4, 8) == 4
    with pytest.raises(BadInput, match="bf16 has words of 16 bit, not 8; leave out the width"):
        operand_width("bf16", 8, 8)


def test_unknown_formats_and_wrong_widths_are_refused() -> None:
    with pytest.raises(UnknownName, match="no number format named 'bf17'; did you mean 'bf16'"):
        number_format("bf17")
    with pytest.raises(UnknownName, match="did you mean 'fp8_e4m3'"):
        mac(45, "fp8_e4m")
    with pytest.raises(BadInput, match="mac: operand_bits: fp32 has words of 32 bit, not 16"):
        mac(45, "fp32", operand_bits=16)
