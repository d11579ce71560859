"""What a spec's keys make of the tables: number formats, ports, links, the clock, the process; and where it is from."""

from __future__ import annotations

import math

import pytest

import dovetail as dt
from dovetail.accel.citations import citations, redrawn, uncertainties
from dovetail.accel.spec import accelerator_from_document, list_accelerators, load_accelerator
from dovetail.document import parse_document
from dovetail.energy import Component, constant, estimate_component
from dovetail.errors import BadInput, SpecError

CHIP = """
name: chip
technology: 7 nm
clock: 1 GHz
levels:
  - {name: dram, type: memory, component: dram, dram_kind: hbm2e, size: unbounded, keeps: [input, weight, output]DRAM}
  - {name: buffer, type: memory, size: 256 KiB, banks: 4, width: 512 bit, keeps: [input, weight, output]BUFFER}
  - {name: pes, type: array, shape: {x: 8, y: 8}ARRAY}
  - {name: file, type: memory, component: register_file, size: 64 B, banks: 2, keeps: [weight]FILE}
  - {name: mac, type: computeMAC}
  - {name: lanes, type: vector, lanes: 32VECTOR}
"""


def chip(top: str = "", **keys: str) -> dt.Accelerator:
    text = CHIP.replace("clock: 1 GHz\n", f"clock: 1 GHz\n{top}\n" if top else "clock: 1 GHz\n")
    for level in ("DRAM", "BUFFER", "ARRAY", "FILE", "MAC", "VECTOR"):
        text = text.replace(level, f", {keys[level.lower()]}" if level.lower() in keys else "")
    return accelerator_from_document(parse_document(text, "chip.yaml"))


def refused(top: str = "", **keys: str) -> str:
    with pytest.raises(SpecError) as caught:
        chip(top, **keys)
    return str(caught.value)


@pytest.mark.parametrize(
    ("number", "bits", "pj"),
    [("bf16", 16, 0.21 + 0.38), ("fp16", 16, 0.34 + 0.38), ("fp32", 32, 1.31 + 0.38), ("tf32", 32, 0.34 + 0.38)],
)
def test_a_number_format_brings_its_width_and_its_price(number: str, bits: int, pj: float) -> None:
    compute = chip(mac=f"number: {number}").compute
    assert (compute.number, compute.operand_bits, compute.accumulator_bits) == (number, bits, 32)
    assert compute.energy_j == pytest.approx(pj * 1e-12)
    assert chip(mac=f"number: {number}, operand: {bits} bit").compute == compute


def test_words_are_as_wide_as_the_format() -> None:
    """A register file of one byte holds no word of bfloat16."""
    text = CHIP.replace("size: 64 B", "size: 1 B").replace("MAC", ", number: bf16")
    for level in ("DRAM", "BUFFER", "ARRAY", "FILE", "VECTOR"):
        text = text.replace(level, "")
    with pytest.raises(SpecError, match="make it at least 16 bits"):
        accelerator_from_document(parse_document(text, "chip.yaml"))


def test_a_double_accumulates_in_double() -> None:
    assert chip(mac="number: fp64").compute.accumulator_bits == 64


def test_lanes_have_the_computes_format_unless_they_state_their_own() -> None:
    inherited = chip(mac="number: bf16").vector
    assert inherited is not None
    assert inherited.bits == 16
    assert inherited.energy_j == pytest.approx((0.21 + 0.11) * 1e-12)
    wider = chip(mac="number: bf16", vector="bits: 32 bit").vector
    assert wider is not None
    assert wider.energy_j == pytest.approx((1.31 + 0.38) * 1e-12)
    own = chip(vector="number: fp16").vector
    assert own is not None
    assert own.bits == 16
    assert own.energy_j == pytest.approx((0.34 + 0.16) * 1e-12)


def test_ports_cost_area_and_energy() -> None:
    plain, ported = chip(), chip(buffer="ports: 2", file="ports: 4")
    for one, other in zip(plain.memories[1:], ported.memories[1:], strict=True):
        assert other.area_mm2 > one.area_mm2
        assert other.read_energy_j_per_bit > one.read_energy_j_per_bit
    assert chip(buffer="ports: 1", file="ports: 2").levels == plain.levels


def test_a_link_comes_on_top_of_the_dram_behind_it() -> None:
    plain, linked = chip().memories[0], chip(dram="link: pcie").memories[0]
    assert linked.read_energy_j_per_bit - plain.read_energy_j_per_bit == pytest.approx(6.5e-12)
    assert linked.figures["read_energy"].constants == ("dram_energy_hbm2e", "link_energy_pcie")
    assert "link_energy_pcie" in linked.origin["read_energy"]
    mixed = chip(dram="link: pcie, read_energy: 5 pJ/bit").memories[0]
    assert mixed.read_energy_j_per_bit == pytest.approx(5e-12)
    assert mixed.write_energy_j_per_bit == pytest.approx((3.9 + 6.5) * 1e-12)


def test_dies_of_an_array_may_be_linked_in_place_of_wired() -> None:
    wired, linked = chip().arrays[0], chip(array="link: die_to_die").arrays[0]
    assert linked.hop_energy_j_per_bit == pytest.approx(0.5e-12)
    assert wired.hop_energy_j_per_bit < 0.1e-12


def test_flip_flops_let_the_tables_price_the_clock() -> None:
    clocked = chip(mac="flip_flops: 100")
    cycle = estimate_component(Component.of("clock", 7, flip_flops=100)).energy_j["cycle"]
    assert clocked.compute.clock_energy_j == pytest.approx(cycle)
    assert clocked.compute.figures["clock_energy"].constants
    assert chip().compute.clock_energy_j == 0.0


def test_the_process_decides_the_leakage_alone() -> None:
    low, high = chip(), chip("process: high_performance")
    assert high.leakage_w > 10 * low.leakage_w
    assert high.area_mm2 == low.area_mm2
    assert high.compute.energy_j == low.compute.energy_j


@pytest.mark.parametrize(
    ("top", "keys", "message"),
    [
        ("", {"mac": "number: bf17"}, "levels[4].number: 'bf17' is not allowed here; did you mean 'bf16'?"),
        ("", {"vector": "number: fp15"}, "did you mean 'fp16'"),
        ("", {"mac": "number: bf16, operand: 8 bit"}, "levels[4].operand: bf16 has words of 16 bit, not 8"),
        ("", {"vector": "number: fp32, bits: 16 bit"}, "levels[5].bits: fp32 has words of 32 bit, not 16"),
        ("", {"mac": "number: float, operand: 4 bit"}, "operand_bits 4 is outside 8 to 64"),
        ("", {"dram": "link: pci"}, "levels[0].link: no link named 'pci'"),
        ("", {"array": "link: nvlnk"}, "did you mean 'nvlink'"),
        ("", {"buffer": "link: pcie"}, "levels[1].link: 'buffer' is on the chip; only a dram lies behind a link"),
        ("", {"array": "link: pcie, hop_energy: 1 pJ/bit"}, "keep one of the two"),
        ("", {"mac": "flip_flops: 10, clock_energy: 1 pJ"}, "levels[4].flip_flops: 'clock_energy' is stated, too"),
        ("", {"buffer": "ports: 40"}, "ports 40 is outside 1 to 16"),
        ("", {"buffer": "ports: 2 bit"}, "levels[1].ports"),
        ("process: fast", {}, "process: 'fast'"),
    ],
)
def test_wrong_keys_are_refused_with_their_place(top: str, keys: dict[str, str], message: str) -> None:
    assert message in refused(top, **keys)


@pytest.mark.parametrize("name", list_accelerators())
def test_every_cost_of_a_shipped_accelerator_has_a_figure_and_a_source(name: str) -> None:
    accelerator = load_accelerator(name)
    for level in accelerator.levels:
        costs = {
            field: value
            for field, value in vars(level).items()
            if field.endswith(("_j", "_j_per_bit", "_w", "_mm2")) and value
        }
        keys = {field.removesuffix("_per_bit").rsplit("_", 1)[0] for field in costs}
        assert keys <= set(level.figures), level.name
        assert keys <= set(level.origin), level.name
        for key in keys:
            figure = level.figures[key]
            assert figure.source
            assert figure.validity
            assert bool(figure.constants) != level.origin[key].startswith("stated")
            assert all(constant(one).cite() in level.origin[key] for one in figure.constants)


def test_citations_list_each_constant_once_with_its_users_and_then_what_is_stated() -> None:
    found = citations(load_accelerator("eyeriss"))
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    dram = next(one for one in found if one.name == "dram_energy_lpddr4")
    assert (dram.value, dram.status, dram.uncertainty) == ("8 pJ/bit", "published", 0.3)
    assert dram.used_by == ("dram.read_energy", "dram.write_energy")
    clock = next(one for one in found if one.name == "mac.clock_energy")
    assert (clock.value, clock.status, clock.uncertainty) == ("4 pJ", "stated", 0.0)
    assert [one.value for one in found if one.name.endswith(".energy_scale")] == ["2.65"] * 3


def costs_of(accelerator: dt.Accelerator) -> list[dict[str, float]]:
    ends = ("_j", "_j_per_bit", "_w", "_mm2")
    return [{name: value for name, value in vars(one).items() if name.endswith(ends)} for one in accelerator.levels]


def test_drawing_a_constant_moves_what_it_enters_through_the_whole_spec() -> None:
    plain = load_accelerator("eyeriss")
    drawn = redrawn(plain, {"sram_cell_area": 2.0, "stated.mac.clock_energy": 1.5})
    assert drawn.area_mm2 > plain.area_mm2
    assert drawn.arrays[0].hop_energy_j_per_bit > plain.arrays[0].hop_energy_j_per_bit  # its wires are longer
    assert drawn.compute.clock_energy_j == pytest.approx(1.5 * plain.compute.clock_energy_j)
    assert drawn.compute.energy_j == plain.compute.energy_j
    assert costs_of(redrawn(plain, {})) == costs_of(plain)


def test_a_factor_that_a_spec_states_can_be_uncertain_too() -> None:
    eyeriss = load_accelerator("eyeriss")
    assert not any(name.startswith("stated.") for name in uncertainties(eyeriss))
    stated = {name for name in uncertainties(eyeriss, 0.1) if name.startswith("stated.")}
    assert {"stated.mac.clock_energy", "stated.weight_spad.energy_scale"} <= stated
    scaled = redrawn(eyeriss, {"stated.weight_spad.energy_scale": 2.0})
    energies = [
        next(one for one in found.memories if one.name == "weight_spad").read_energy_j_per_bit
        for found in (eyeriss, scaled)
    ]
    assert energies[1] == pytest.approx(2 * energies[0])


def test_uncertainties_are_those_of_the_tables() -> None:
    for name, spread in uncertainties(load_accelerator("gemmini")).items():
        assert spread == constant(name).uncertainty
        assert 0 < spread < math.inf


def test_an_accelerator_without_a_spec_cannot_be_drawn_anew() -> None:
    with pytest.raises(BadInput, match="was not built from a spec"):
        redrawn(load_accelerator("gemmini").unlimited(), {})
