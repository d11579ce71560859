"""The supply voltage in a spec: what it scales, what it leaves, and what is wrong with one."""

import pytest

from dovetail.accel.spec import accelerator_from_document, accelerator_to_yaml, load_accelerator
from dovetail.document import parse_document
from dovetail.energy import table_voltage_v
from dovetail.energy.scaling import logic_energy_factor
from dovetail.errors import SpecError

SPEC = """
name: trial
technology: 22 nm
{voltage}
clock: 100 MHz
{parameters}
levels:
  - {{name: dram, type: memory, component: dram, size: unbounded, keeps: [input, weight, output]}}
  - {{name: buffer, type: memory, size: 64 KiB, keeps: [input, weight, output]}}
  - {{name: pes, type: array, shape: {{x: 8}}}}
  - {{name: registers, type: memory, component: register_file, size: 64 bit, keeps: [weight], read_energy: 1 pJ/bit}}
  - {{name: mac, type: compute, clock_energy: 1 pJ}}
  - {{name: vector, type: vector, lanes: 8}}
"""


def made(voltage: str = "", parameters: str = ""):
    return accelerator_from_document(parse_document(SPEC.format(voltage=voltage, parameters=parameters), "trial.yaml"))


def test_what_the_tables_estimate_on_the_chip_is_for_the_supply() -> None:
    plain, low = made(), made("voltage: 0.65 V")
    square = (0.65 / table_voltage_v(22)) ** 2
    for index, name in ((1, "read_energy_j_per_bit"), (1, "write_energy_j_per_bit"), (2, "hop_energy_j_per_bit"),
                        (3, "write_energy_j_per_bit"), (4, "energy_j"), (5, "energy_j")):  # fmt: skip
        assert getattr(low.levels[index], name) == pytest.approx(square * getattr(plain.levels[index], name)), name
    assert low.leakage_w == pytest.approx(0.65 / table_voltage_v(22) * plain.leakage_w)
    assert low.area_mm2 == plain.area_mm2
    assert (plain.voltage_v, low.voltage_v) == (None, 0.65)


def test_what_is_stated_and_memory_outside_the_chip_stay_as_they_are() -> None:
    plain, low = made(), made("voltage: 0.65 V")
    assert low.memories[0].read_energy_j_per_bit == plain.memories[0].read_energy_j_per_bit
    assert low.memories[2].read_energy_j_per_bit == 1e-12
    assert low.compute.clock_energy_j == 1e-12


def test_an_estimates_source_says_at_which_voltage() -> None:
    low = made("voltage: 0.65 V")
    assert "at 0.65 V" in low.memories[1].origin["read_energy"]
    assert "at 0.65 V" not in low.memories[0].origin["read_energy"]


def test_the_voltage_can_be_a_parameter() -> None:
    chip = made("voltage: supply", "parameters: {supply: {default: 0.8 V, range: [0.5 V, 0.9 V]}}")
    low = chip.with_parameters(supply="500 mV")
    assert low.compute.energy_j == pytest.approx(chip.compute.energy_j * (0.5 / 0.8) ** 2)
    assert load_again(low).compute.energy_j == low.compute.energy_j


def load_again(chip):
    return accelerator_from_document(parse_document(accelerator_to_yaml(chip), "again.yaml"))


@pytest.mark.parametrize(
    ("voltage", "message"),
    [
        ("voltage: 0.2 V", r"trial\.yaml:4:1: voltage: 0\.2 V is outside 0\.41 to 1\.23 V"),
        ("voltage: 0.65", r"voltage: '0\.65' has no unit; write '0\.65 V'"),
        ("voltage: 65 mW", "'65 mW' is a power, but a voltage is needed"),
        ("voltage: 0 V", "a voltage must be more than zero"),
        ("volts: 0.65 V", "unknown key 'volts'"),
    ],
)
def test_a_wrong_voltage_is_named_with_its_place(voltage: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        made(voltage)


@pytest.mark.parametrize(("name", "voltage_v"), [("gap9", 0.8), ("syntiant_ndp120", 0.9)])
def test_a_clock_network_carried_over_from_eyeriss_costs_what_the_tables_make_of_it(
    name: str, voltage_v: float
) -> None:
    chip, eyeriss = load_accelerator(name), load_accelerator("eyeriss")
    node = chip.technology_nm
    per_cycle_at_own_voltage = eyeriss.compute.clock_energy_j * (table_voltage_v(65) / 1.0) ** 2  # measured at 1.0 V
    carried = per_cycle_at_own_voltage * logic_energy_factor(node) / logic_energy_factor(65)
    assert chip.values["clock_energy"] == pytest.approx(carried * (voltage_v / table_voltage_v(node)) ** 2, rel=0.01)


@pytest.mark.parametrize(("name", "low", "high"), [("gap9", "0.65 V", "0.8 V"), ("syntiant_ndp120", "0.9 V", "1.1 V")])
def test_all_of_a_tiny_chips_energies_follow_its_supply(name: str, low: str, high: str) -> None:
    chip = load_accelerator(name)
    lower, higher = chip.with_parameters(voltage=low), chip.with_parameters(voltage=high)
    square = (float(high.split()[0]) / float(low.split()[0])) ** 2
    assert higher.compute.energy_j == pytest.approx(square * lower.compute.energy_j)
    assert higher.compute.clock_energy_j == pytest.approx(square * lower.compute.clock_energy_j)
