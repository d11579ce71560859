"""Accelerators from YAML: what ships, what parameters do, and that nothing is lost on the way back to YAML."""

import itertools
import math
import pickle

import numpy as np
import pytest

from dovetail.accel.accelerator import Compute, Memory
from dovetail.accel.spec import (
    accelerator_from_document,
    accelerator_schema,
    accelerator_to_yaml,
    list_accelerators,
    load_accelerator,
    with_parameters,
)
from dovetail.document import load_document, parse_document, shipped
from dovetail.errors import BadInput, SpecError, UnknownName

SHIPPED = (
    "a100", "h100", "h200", "tpu_v4", "coral_devboard", "coral_usb",
    "edge_tpu", "eyeriss", "eyeriss_chip", "gemmini", "nvdla", "nvdla_large",
    "pixel6", "simba", "tpu_v1",
)

SMALL = """
name: small
technology: 45 nm
clock: 1 GHz
parameters:
  width: {default: 4, choices: [2, 4]}
  buffer: {default: 8 KiB, range: [1 KiB, 16 KiB]}
levels:
  - {name: dram, type: memory, component: dram, size: unbounded, keeps: [input, weight, output]}
  - {name: sram, type: memory, size: buffer, keeps: [input, weight, output], bandwidth: width * 1 B/cycle, STATED}
  - {name: row, type: array, shape: {x: width}}
  - {name: mac, type: compute}
"""


def small(stated: str = "banks: 1"):
    return accelerator_from_document(parse_document(SMALL.replace("STATED", stated), "small.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_accelerator_loads_with_costs_and_sources(name):
    accelerator = load_accelerator(name)
    assert accelerator.area_mm2 > 0
    assert accelerator.source
    assert accelerator.notes
    assert accelerator.memories[0].keeps >= {"input", "output"}
    assert accelerator.compute.energy_j > 0
    for level in accelerator.levels:
        assert all(text for text in level.origin.values()), level.name
        if isinstance(level, Memory):
            assert 0 < level.read_energy_j_per_bit < 1e-9
            assert level.origin["read_energy"].startswith(("estimated: ", "stated: "))
    assert {parameter.name for parameter in accelerator.parameters} >= {"bandwidth"}


def test_the_shipped_names_are_listed():
    assert set(list_accelerators()) >= set(SHIPPED)


@pytest.mark.parametrize(
    ("name", "tops"),
    [
        ("edge_tpu", 26.2144), ("tpu_v1", 91.7504), ("gemmini", 0.512), ("simba", 4.01), ("nvdla", 4.096),
        ("eyeriss", 0.0672),
    ],
)
def test_peaks_are_the_published_ones(name, tops):
    assert load_accelerator(name).peak_ops_per_s / 1e12 == pytest.approx(tops, rel=2e-3)


def test_the_edge_template_spans_fifty_thousand_accelerators():
    parameters = load_accelerator("edge_tpu").parameters
    assert len(parameters) == 7
    assert math.prod(len(parameter.choices) for parameter in parameters) == 50_000


def test_eyeriss_has_168_elements_and_its_published_scratchpads():
    eyeriss = load_accelerator("eyeriss")
    words = {memory.name: memory.size_bits / 16 for memory in eyeriss.memories}
    assert eyeriss.peak_macs_per_cycle == 168
    assert (words["ifmap_spad"], words["weight_spad"], words["psum_spad"]) == (12, 224, 24)
    assert words["glb"] * 2 == 100 * 1024
    assert eyeriss.memories[0].read_bandwidth_bits_per_s == pytest.approx(64 * 60e6)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_choice_of_every_parameter_makes_an_accelerator(name):
    accelerator = load_accelerator(name)
    for parameter in accelerator.parameters:
        for value in parameter.choices:
            changed = accelerator.with_parameters(**{parameter.name: as_input(parameter, value)})
            assert changed.values[parameter.name] == value


def as_input(parameter, value):
    if not parameter.unit:
        return value
    return f"{value!r} bit/s" if parameter.unit.endswith("/s") else f"{value!r} bit"


def test_the_extreme_corners_of_the_edge_template_make_accelerators():
    accelerator = load_accelerator("edge_tpu")
    ends = [{parameter.choices[0], parameter.choices[-1]} for parameter in accelerator.parameters]
    for corner in itertools.product(*ends):
        pairs = zip(accelerator.parameters, corner, strict=True)
        values = {parameter.name: as_input(parameter, value) for parameter, value in pairs}
        assert accelerator.with_parameters(**values).area_mm2 > 0


def test_parameters_change_what_refers_to_them_and_nothing_else():
    before = load_accelerator("eyeriss")
    after = before.with_parameters(pes_x=8, bandwidth="20 GB/s")
    assert after.arrays[0].shape == (("x", 8), ("y", 12))
    assert after.memories[0].read_bandwidth_bits_per_s == 160e9
    assert after.memories[1] == before.memories[1]
    assert before.arrays[0].shape == (("x", 14), ("y", 12))


def test_a_bare_number_has_the_unit_of_the_default():
    edge = load_accelerator("edge_tpu")
    with_units = edge.with_parameters(bandwidth="5 GB/s", local_memory="500 kB")
    assert edge.with_parameters(bandwidth=5, local_memory=0.5) == with_units


def test_numpy_numbers_are_numbers():
    changed = load_accelerator("edge_tpu").with_parameters(pes_x=np.int64(8), local_memory=np.float32(0.5))
    assert (changed.values["pes_x"], changed.values["local_memory"]) == (8, 4e6)


def test_changes_add_up():
    edge = load_accelerator("edge_tpu")
    assert edge.with_parameters(pes_x=8).with_parameters(pes_y=2) == edge.with_parameters(pes_y=2, pes_x=8)


def test_a_range_takes_any_value_within_it():
    assert small().with_parameters(buffer="5 KiB").memories[1].size_bits == 5 * 8192
    with pytest.raises(BadInput, match="stay within 1 KiB to 16 KiB"):
        small().with_parameters(buffer="17 KiB")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pesx": 8}, "eyeriss: pesx: no such parameter; did you mean 'pes_x'?"),
        ({"pes_x": 9}, "eyeriss: pes_x: '9' is not allowed; use one of 4, 7, 8, 12, 14, 16, 28"),
        ({"pes_x": True}, "neither a number nor a text"),
        ({"pes_x": math.nan}, "not a finite number"),
        ({"pes_x": None}, "neither a number nor a text"),
        ({"pes_x": "8 KiB"}, "'8 KiB' is a size"),
        ({"bandwidth": "20"}, "'20' is a plain number; use one of 0.48 GB/s"),
        ({"bandwidth": "20 GHz"}, "'20 GHz' is a frequency"),
        ({"bandwidth": "fast"}, "not a number with a unit"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(values, message):
    with pytest.raises(BadInput) as caught:
        with_parameters(load_accelerator("eyeriss"), values)
    assert message in str(caught.value)


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(SpecError) as caught:
        load_accelerator("eyeriss").with_parameters(pes_x=0, bandwidth="x")
    assert len(caught.value.problems) == 2


def test_a_combination_that_makes_a_level_impossible_is_refused():
    text = SMALL.replace("STATED", "banks: 1").replace("size: buffer", "size: buffer / width - 256 B")
    accelerator = accelerator_from_document(parse_document(text, "small.yaml"))
    with pytest.raises(SpecError, match=r"small: levels\[1\]\.size: .* must be more than zero"):
        accelerator.with_parameters(buffer="1 KiB")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_spec_survives_the_way_to_yaml_and_back(name):
    accelerator = load_accelerator(name)
    assert accelerator_from_document(parse_document(accelerator_to_yaml(accelerator), "back.yaml")) == accelerator


def test_yaml_carries_the_present_values():
    changed = load_accelerator("edge_tpu").with_parameters(local_memory="0.5 MB", pes_x=1)
    back = accelerator_from_document(parse_document(accelerator_to_yaml(changed), "back.yaml"))
    assert (back.values, back.levels) == (changed.values, changed.levels)


def test_equal_accelerators_are_equal_and_hash_alike_also_after_pickling():
    one, other = load_accelerator("simba"), load_accelerator("simba")
    assert one == other == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(other) == hash(pickle.loads(pickle.dumps(one)))
    assert one != one.with_parameters(lanes=4)
    assert pickle.loads(pickle.dumps(one)).with_parameters(lanes=4) == one.with_parameters(lanes=4)


def test_stated_energies_win_over_estimates_and_say_so():
    plain, stated = small().memories[1], small("read_energy: 3 pJ/bit, area: 2 mm2").memories[1]
    assert (stated.read_energy_j_per_bit, stated.area_mm2) == (3e-12, 2.0)
    assert stated.origin["read_energy"].startswith("stated: ")
    assert stated.write_energy_j_per_bit == plain.write_energy_j_per_bit
    assert stated.origin["write_energy"].startswith("estimated: sram")


def test_one_bandwidth_is_a_shared_port_and_follows_the_clock():
    sram = small().memories[1]
    assert sram.shared_port
    assert sram.read_bandwidth_bits_per_s == 4 * 8 * 1e9
    assert not small("banks: 2").memories[0].shared_port
    assert math.isinf(small().memories[0].read_bandwidth_bits_per_s)


def test_a_file_is_loaded_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SMALL.replace("STATED", "banks: 1"))
    assert load_accelerator(path) == load_accelerator(str(path)) == small()


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'eyeriss'"):
        load_accelerator("eyeris")


@pytest.mark.parametrize("name", ["none.yaml", "folder/none", "./eyeriss"])
def test_what_looks_like_a_path_is_one(name):
    with pytest.raises(BadInput, match="no such file"):
        load_accelerator(name)


def test_the_schema_knows_every_key_of_the_shipped_files():
    schema = accelerator_schema()
    definitions = [definition["properties"] for definition in schema["$defs"].values()]
    kinds = {keys["type"]["const"]: keys for keys in definitions if "type" in keys}
    for path in shipped("accelerators").values():
        data = load_document(path).data
        assert data.keys() <= schema["properties"].keys()
        assert set(schema["required"]) <= data.keys()
        for level in data["levels"]:
            assert level.keys() <= kinds[level["type"]].keys()


def test_a_vector_unit_counts_once_and_compute_in_every_instance():
    edge = load_accelerator("edge_tpu")
    counts = dict(zip((level.name for level in edge.levels), edge.instances, strict=True))
    assert counts["mac"] == 4 * 4 * 4 * 64 * 4
    assert counts["vector"] == 1
    assert isinstance(edge.compute, Compute)


def test_what_may_stay_and_the_overheads_are_read_and_follow_parameters() -> None:
    text = shipped("accelerators")["tpu_v1"].read_text()
    text = text.replace("clock: 700 MHz", "clock: 700 MHz\ncall_overhead: call\noperator_overhead: 5 us")
    text = text.replace("parameters:", "parameters:\n  call: {default: 1 ms, choices: [1 ms, 2 ms]}")
    kept = "keeps: [input, weight, output]\n    resident: [weight]\n    resident_size: unified_buffer / 2"
    text = text.replace("keeps: [input, output]\n    resident: [input, output]", kept)
    chip = accelerator_from_document(parse_document(text, "t.yaml"))
    assert (chip.call_overhead_s, chip.operator_overhead_s) == (pytest.approx(1e-3), pytest.approx(5e-6))
    assert chip.with_parameters(call="2 ms").call_overhead_s == pytest.approx(2e-3)
    home = chip.residence("weight")
    assert home is not None
    assert (home.name, home.may_reside, home.weight_room_bits) == ("unified_buffer", {"weight"}, 12 * 2**23)
    assert chip.residence("input") is None
    assert accelerator_from_document(parse_document(accelerator_to_yaml(chip), "u.yaml")).levels == chip.levels


def test_a_host_takes_kinds_of_operators_at_its_rate():
    host = load_accelerator("coral_usb").with_parameters(host_rate="2 GHz").host
    assert host.operators == {"resize", "argmax", "detection_post_process"}
    assert host.operations_per_s == 2e9


@pytest.mark.parametrize(("host", "where", "said"), [
    ("{operators: [argmax], rate: 5 mm2}", r"host\.rate", "area"),
    ("{operators: [], rate: 1 GHz}", r"host\.operators", "at least 1"),
    ("{operators: [argmax]}", r"host\.rate", "is missing"),
])
def test_a_wrong_host_is_refused_with_its_place(tmp_path, host, where, said):
    text = shipped("accelerators")["gemmini"].read_text()
    path = tmp_path / "chip.yaml"
    path.write_text(f"{text}\nhost: {host}\n")
    with pytest.raises(SpecError, match=f"{where}.*{said}"):
        load_accelerator(path)
