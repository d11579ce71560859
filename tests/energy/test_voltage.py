"""Costs at another supply voltage than the tables'."""

import math

import pytest

from dovetail.energy import Component, at_voltage, constant, estimate_component, table_voltage_v
from dovetail.energy.draws import multiplied
from dovetail.errors import BadInput


def sram(technology_nm: float = 22):
    return estimate_component(Component.of("sram", technology_nm, size_bits=2**20))


def test_the_tables_hold_at_the_voltages_their_sources_state() -> None:
    assert table_voltage_v(45) == pytest.approx(0.9)  # Horowitz
    assert table_voltage_v(65) == pytest.approx(1.1)  # Stillmaker and Baas
    assert table_voltage_v(22) == pytest.approx(0.8, rel=0.05)  # nominal in 22 nm FD-SOI


def test_the_tables_voltage_never_rises_with_a_finer_node() -> None:
    voltages = [table_voltage_v(node) for node in (180, 130, 90, 65, 45, 32, 22, 16, 10, 7, 5, 3)]
    assert voltages == sorted(voltages, reverse=True)


def test_energy_follows_the_square_of_the_voltage_and_leakage_the_voltage() -> None:
    own, nominal_v = sram(), table_voltage_v(22)
    low = at_voltage(own, 22, 0.8 * nominal_v)
    for action, energy in own.energy_j.items():
        assert low.energy_j[action] == pytest.approx(0.64 * energy)
    assert low.leakage_w == pytest.approx(0.8 * own.leakage_w)
    assert low.area_mm2 == own.area_mm2


def test_the_tables_own_voltage_changes_nothing_but_the_citation() -> None:
    own = sram()
    same = at_voltage(own, 22, table_voltage_v(22))
    assert dict(same.energy_j) == pytest.approx(dict(own.energy_j))
    assert same.sources[:-1] == own.sources
    assert "table_voltage" in same.sources[-1]


def test_every_figure_is_for_the_voltage_and_as_uncertain_as_the_tables_voltage_leaves_it() -> None:
    own, low = sram(), at_voltage(sram(), 22, 0.65)
    assert {one.name: one.value for one in low.figures} == {
        **low.energy_j, "area": low.area_mm2, "leakage": low.leakage_w}  # fmt: skip
    spread = constant("table_voltage").uncertainty
    for name, power in (("read", 2), ("leakage", 1), ("area", 0)):
        assert low.figure(name).uncertainty == pytest.approx(math.hypot(own.figure(name).uncertainty, power * spread))
        assert ("table_voltage" in low.figure(name).constants) == (power > 0)


def test_a_drawn_voltage_of_the_tables_moves_energies_and_is_never_refused() -> None:
    own = sram()
    plain = at_voltage(own, 22, 0.8)
    with multiplied({"table_voltage": 0.5}):
        assert at_voltage(own, 22, 0.8).energy_j["read"] == pytest.approx(4 * plain.energy_j["read"])


@pytest.mark.parametrize("voltage_v", [0.3, 1.5])
def test_a_voltage_at_which_no_energy_is_known_is_refused(voltage_v: float) -> None:
    with pytest.raises(BadInput, match=r"outside 0\.41 to 1\.23 V.*change it"):
        at_voltage(sram(), 22, voltage_v)


def test_an_unknown_node_has_no_voltage() -> None:
    with pytest.raises(BadInput, match="outside the tables"):
        table_voltage_v(250)
