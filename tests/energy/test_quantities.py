"""Units: what is read, what is refused and with which words, and that what is written can be read again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.energy import format_mass, format_si, format_size, parse_quantity, to_si
from dovetail.errors import BadInput


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("128 KiB", 2**20, "size"),
        ("0.5 MB", 4e6, "size"),
        ("16 B", 128, "size"),
        ("64 bit", 64, "size"),
        ("3 kbit", 3000, "size"),
        ("20 GB/s", 1.6e11, "bandwidth"),
        ("16 Gbit/s", 1.6e10, "bandwidth"),
        ("8 B/cycle", 64, "bits_per_cycle"),
        ("800 MHz", 8e8, "frequency"),
        ("6 pJ", 6e-12, "energy"),
        ("1 Wh", 3600, "energy"),
        ("8 pJ/bit", 8e-12, "energy_per_bit"),
        ("8 pJ/B", 1e-12, "energy_per_bit"),
        ("1 mW", 1e-3, "power"),
        ("1.2 mm2", 1.2, "area"),
        ("1.2 mm^2", 1.2, "area"),
        ("3 um²", 3e-6, "area"),
        ("0.525 um2/bit", 5.25e-7, "area_per_bit"),
        ("5 mW/mm2", 5e-3, "power_per_area"),
        ("65 nm", 6.5e-8, "length"),
        ("5 µs", 5e-6, "time"),
        ("1 cycle", 1, "cycle"),
        ("150 g", 0.15, "mass"),
        ("46.7 t", 46_700, "mass"),
        ("552 tCO2e", 552_000, "mass"),
        ("3.6 g/kWh", 1e-9, "carbon_intensity"),
        ("481 g / kWh", 0.481 / 3.6e6, "carbon_intensity"),
        ("0.429 kgCO2/kWh", 0.429 / 3.6e6, "carbon_intensity"),
        ("500 g / cm2", 0.005, "mass_per_area"),
        ("0.9 kWh / cm2", 32_400, "energy_per_area"),
        ("8 g/GB", 1e-12, "mass_per_bit"),
        ("3.6 kg/h", 1e-3, "mass_per_time"),
        ("1e3", 1000, "none"),
        (" 2.5e-1  MHz ", 2.5e5, "frequency"),
    ],
)
def test_a_text_becomes_the_exact_si_value(text: str, value: float, dimension: str) -> None:
    quantity = parse_quantity(text)
    assert quantity.value == value
    assert quantity.dimension == dimension


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("64 kb", "size", "'64 kb' has no known unit; write '64 KiB' or '64 kB'"),
        ("64 KB", "size", "'64 KB' has no known unit; write '64 KiB' or '64 kB'"),
        ("64", "size", "'64' has no unit; write e.g. '64 KiB'"),
        ("soon", "time", "'soon' is not a number with a unit; write e.g. '64 ns'"),
        (64, "size", "'64' has no unit; write e.g. '64 KiB'"),
        ("8 GB/s", "size", "'8 GB/s' is a bandwidth, a size is needed; write e.g. '64 KiB'"),
        ("20 gb/s", "bandwidth", "'20 gb/s' has no known unit; write '20 GiB/s' or '20 GB/s'"),
        ("3 ghz", "frequency", "'3 ghz' has no known unit; write '3 GHz'"),
        ("5 mw", "power", "'5 mw' has no known unit; write '5 mW' or '5 MW'"),
        ("-1 pJ", "energy", "'-1 pJ' is too small; it must be at least 0 J"),
        ("0 KiB", "size", "'0 KiB' must be above zero"),
        ("inf", "size", "'inf' is not a number with a unit"),
        (math.nan, "none", "'nan' is not a finite number"),
        (math.inf, "none", "'inf' is not a finite number"),
        (True, "none", "'True' is not a quantity"),
        ("1e999 pJ", "energy", "'1e999 pJ' is too large"),
        ("5 J/J/J", "energy", "has a unit Dovetail does not use"),
        ("", "size", "is not a number with a unit"),
        ("3 /s", "frequency", "has no known unit"),
        ("300", "carbon_intensity", "'300' has no unit; write e.g. '300 g/kWh'"),
        ("300 g/kwh", "carbon_intensity", "'300 g/kwh' has no known unit; write '300 g/kWh'"),
        ("300 kWh", "carbon_intensity", "'300 kWh' is an energy, a carbon intensity is needed"),
        ("300 g/kWh", "mass", "'300 g/kWh' is a carbon intensity, a mass is needed; write e.g. '64 g'"),
        ("-1 g", "mass", "'-1 g' is too small; it must be at least 0 kg"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_write(text: str | float, dimension: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        to_si(text, dimension, positive=True)
    assert message in str(caught.value)


def test_a_pure_number_needs_no_unit() -> None:
    assert to_si(3, "none") == 3.0
    assert to_si("0.25", "none") == 0.25


def test_bounds_are_named_in_the_refusal() -> None:
    with pytest.raises(BadInput, match="at most 1 GHz"):
        to_si("2 GHz", "frequency", maximum=1e9)
    assert to_si("-3 pJ", "energy", minimum=None) == -3e-12


UNITS = ["J", "J/bit", "W", "Hz", "s", "bit", "bit/s", "B", "B/s", "m", "mm2", "cycle", "V"]
UNITS += ["g", "t", "kg", "g/kWh", "g/cm2"]


@given(st.floats(1e-15, 1e15), st.sampled_from(UNITS))
def test_what_is_formatted_reads_back_within_its_digits(value: float, unit: str) -> None:
    expected = parse_quantity(f"1 {unit}")
    back = parse_quantity(format_si(value, unit, digits=6))
    assert back.dimension == expected.dimension
    assert math.isclose(back.value, value * expected.value, rel_tol=1e-5)


@given(st.integers(1, 2**50))
def test_a_size_reads_back(bits: int) -> None:
    assert math.isclose(parse_quantity(format_size(bits)).value, bits, rel_tol=5e-3)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1e-6, "s", "1 us"),
        (3.2e-3, "J", "3.2 mJ"),
        (999.9e6, "Hz", "1 GHz"),
        (26.2e12, "op/s", "26.2 Top/s"),
        (0.0, "J", "0 J"),
        (-3e-9, "s", "-3 ns"),
        (3700, "s", "3700 s"),
        (0.0123, "mm2", "0.0123 mm2"),
        (8e-12, "J/bit", "8 pJ/bit"),
        (12, "%", "12 %"),
        (math.inf, "bit/s", "inf bit/s"),
    ],
)
def test_numbers_are_written_for_people(value: float, unit: str, text: str) -> None:
    assert format_si(value, unit) == text


@pytest.mark.parametrize(
    ("kg", "text"),
    [(1e-6, "1 mg"), (0.15, "150 g"), (1.5, "1.5 kg"), (999.9, "1 t"), (46_700, "46.7 t"), (0, "0 g"), (5e8, "500 kt")],
)
def test_a_mass_is_written_in_grams_or_tonnes(kg: float, text: str) -> None:
    assert format_mass(kg) == text


def test_exact_binary_sizes_stay_binary() -> None:
    assert format_size(2**20) == "128 KiB"
    assert format_size(4e6) == "500 kB"
    assert format_size(3) == "3 bit"
