"""Ports, links, special functions, the clock and leakage: by their laws, within what was published, or refused."""

import math

import pytest

from dovetail.energy import (
    PROCESSES,
    SPECIAL_FUNCTIONS,
    Component,
    ComponentEstimate,
    constant,
    dram_kinds,
    estimate_component,
    link_kinds,
)
from dovetail.errors import BadInput

KIB = 8 * 1024


def price(kind: str, technology_nm: float = 45, **attributes: float | str) -> ComponentEstimate:
    return estimate_component(Component.of(kind, technology_nm, **attributes))


def test_a_second_port_doubles_the_cells_and_lengthens_the_lines() -> None:
    one, two, four = (price("sram", size_bits=64 * KIB, ports=ports) for ports in (1, 2, 4))
    assert one == price("sram", size_bits=64 * KIB)
    cells = 64 * KIB * constant("sram_cell_area").at(45e-9) / 0.6
    assert two.area_mm2 - one.area_mm2 == pytest.approx(1.014 * cells, rel=1e-3)
    assert two.energy_j["read"] / one.energy_j["read"] == pytest.approx(math.sqrt(2.014), rel=1e-3)
    assert four.energy_j["read"] > two.energy_j["read"]


@pytest.mark.parametrize("ports", [1, 2, 3, 4, 8, 16])
def test_cells_grow_by_two_wires_a_port_in_each_direction(ports: int) -> None:
    """CACTI: 10 x 14.6 F, wires of 2.5 F."""
    grown = (10 + 5 * (ports - 1)) * (14.6 + 5 * (ports - 1)) / 146
    assert constant("sram_port_area").at(ports) == pytest.approx(grown, rel=1e-3)


def test_a_register_file_has_two_ports_unless_stated() -> None:
    assert price("register_file", size_bits=512) == price("register_file", size_bits=512, ports=2)
    wider = price("register_file", size_bits=512, ports=6)
    assert wider.area_mm2 > 2 * price("register_file", size_bits=512).area_mm2


# What was published for each kind: pJ/bit from ... to ...
DRAM_RANGES = {
    "lpddr": (40, 40),  # Malladi et al., ISCA 2012
    "lpddr4": (4, 14),  # Accelergy's public data 8; DramDSE 14
    "lpddr5": (4, 20),  # 4 in many models, 20 in PIM-AI (arXiv:2411.17309)
    "lpddr5x": (3, 10),  # 10 in PIM-AI
    "ddr3": (9, 70),  # Vogelsang, MICRO 2010 (device alone); Chatterjee et al.
    "ddr4": (4.5, 20.4),  # Vogelsang (device alone); Jouppi et al. 1300 pJ a 64-bit access
    "ddr5": (4.5, 20.4),
    "gddr5": (14, 14),  # O'Connor et al., MICRO 2017
    "gddr6": (5.4, 7.5),  # Jouppi et al., ISCA 2021: 350 to 480 pJ
    "hmc": (4.2, 10.5),
    "hbm2": (3.9, 7.1),  # O'Connor et al., MICRO 2017; Jouppi et al., ISCA 2021: 250 to 450 pJ
    "hbm2e": (3.9, 7.1),
    "hbm3": (3.5, 7.1),
    "hbm3e": (3.5, 7.1),
}


def test_every_dram_lies_within_what_was_published() -> None:
    assert set(DRAM_RANGES) == set(dram_kinds())
    for kind, (low, high) in DRAM_RANGES.items():
        assert low <= price("dram", dram_kind=kind).energy_j["read"] * 1e12 <= high, kind


LINK_RANGES = {
    "interposer": (0.1, 0.5),  # UCIe's target for advanced packages 0.25
    "die_to_die": (0.3, 1.75),  # UCIe 0.5; Simba's links 0.82 to 1.75 (Zimmer et al., VLSI 2019)
    "nvlink_c2c": (1.3, 1.3),  # Wei et al., ISSCC 2023
    "pcie": (5.5, 12),  # 112G SerDes 5.5
    "nvlink": (5.5, 12),  # MCM-GPU's board
    "ethernet": (60, 250),  # MCM-GPU's system
}


def test_links_lie_within_what_was_published_and_cost_more_the_further_they_reach() -> None:
    assert set(LINK_RANGES) == set(link_kinds())
    found = {kind: price("link", link_kind=kind).energy_j["transfer"] * 1e12 for kind in LINK_RANGES}
    for kind, (low, high) in LINK_RANGES.items():
        assert low <= round(found[kind], 9) <= high, kind
    assert list(found.values()) == sorted(found.values())
    assert price("wire", 40, length_mm=2).energy_j["hop"] * 1e12 < found["die_to_die"]


@pytest.mark.parametrize("function", SPECIAL_FUNCTIONS)
def test_a_special_function_costs_a_few_multiply_adds(function: str) -> None:
    one = price("special", 7, function=function, number="fp16")
    pair = price("vector", 7, bits=16, number="fp16")
    assert 3 <= one.energy_j["op"] / pair.energy_j["op"] <= 4
    assert one.area_mm2 == pytest.approx(3 * pair.area_mm2)


def test_the_clock_of_an_eyeriss_element_is_of_the_size_calibrated_on_the_chip() -> None:
    """576 bits of scratchpads and about 200 of pipeline; 4 pJ a cycle were calibrated."""
    clock = price("clock", 65, flip_flops=776)
    assert 2 < clock.energy_j["cycle"] * 1e12 < 8
    assert clock.area_mm2 == clock.leakage_w == 0


@pytest.mark.parametrize("node", [90, 65, 45, 32, 22, 7])
def test_leakage_grows_from_low_standby_to_high_performance(node: float) -> None:
    low, default, high = (
        price("sram", node, size_bits=64 * KIB, process=process).leakage_w
        for process in ("low_standby", "low_leakage", "high_performance")
    )
    assert low < 3 * default
    assert default < high
    macs = [price("mac", node, process=process).leakage_w for process in ("low_standby", "low_leakage")]
    assert macs[0] < macs[1] < price("mac", node, process="high_performance").leakage_w


def test_a_process_changes_nothing_but_leakage() -> None:
    for kind, attributes in (("mac", {}), ("sram", {"size_bits": 64.0 * KIB}), ("dram", {}), ("wire", {})):
        found = [price(kind, 28, process=process, **attributes) for process in PROCESSES]
        assert all(one.energy_j == found[0].energy_j and one.area_mm2 == found[0].area_mm2 for one in found)


def test_itrs_leakage_is_the_voltage_times_the_off_current_of_the_cell() -> None:
    """45 nm, 350 K: high performance 1.0 V and 569 nA/um, low standby power 1.1 V and 90.2 pA/um; 3.9 F are off."""
    width_um = 3.9 * 0.045
    assert constant("sram_leakage_high_performance").at(45e-9) == pytest.approx(1.0 * 569e-9 * width_um, rel=0.01)
    assert constant("sram_leakage_low_standby").at(45e-9) == pytest.approx(1.1 * 90.2e-12 * width_um, rel=0.01)


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (Component.of("sram", 45, size_bits=8 * KIB, ports=17), "ports 17 is outside 1 to 16"),
        (Component.of("sram", 45, size_bits=8 * KIB, ports=1.5), "ports 1.5 is not a whole number"),
        (Component.of("register_file", 45, size_bits=64, ports=1), "ports 1 is outside 2 to 16"),
        (Component.of("link", 45, link_kind="pci"), "no link named 'pci'; did you mean 'pcie'"),
        (Component.of("dram", 45, dram_kind="hbm4"), "no DRAM kind named 'hbm4'; did you mean 'hbm"),
        (Component.of("special", 45, function="expp"), "no special function named 'expp'; did you mean 'exp'"),
        (Component.of("special", 2, function="exp"), "technology 2 nm is outside the tables"),
        (Component.of("clock", 45), "clock needs flip_flops"),
        (Component.of("mac", 45, process="high_perf"), "no process named 'high_perf'; did you mean 'high_performance'"),
        (Component.of("mac", 190), "technology 190 nm is outside the tables; give a node from 3 nm to 180 nm"),
    ],
)
def test_what_is_not_covered_is_refused_with_a_remedy(component: Component, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        estimate_component(component)
    assert message in str(caught.value)
