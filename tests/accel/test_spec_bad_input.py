"""Every way an accelerator spec can be wrong gets one line: file:line:column, path, what, remedy."""

import re

import pytest

from dovetail.accel.spec import accelerator_from_document, load_accelerator
from dovetail.document import parse_document, shipped
from dovetail.errors import SpecError

GOOD = """\
name: tiny
technology: 45 nm
clock: 1 GHz
parameters:
  pes: {default: 4, choices: [2, 4, 8]}
  buffer: {default: 8 KiB, range: [1 KiB, 16 KiB]}
levels:
  - name: dram
    type: memory
    component: dram
    size: unbounded
    keeps: [input, weight, output]
    bandwidth: 10 GB/s
  - name: sram
    type: memory
    size: buffer / 2
    keeps: [input, output]
    word: {output: 32 bit}
  - name: row
    type: array
    shape: {x: pes}
    dims: {x: [K, C]}
  - name: mac
    type: compute
    operand: 8 bit
"""

BELOW = """\
  - name: local
    type: memory
    size: 1 KiB
    keeps: [input, output]
    resident: [input, output]
"""

WEIGHTS = """\
  - name: weights
    type: memory
    size: 1 MiB
    keeps: [weight]
    may_bypass: [weight]
"""


def lines(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        accelerator_from_document(parse_document(text, "t.yaml"))
    return str(caught.value).splitlines()


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_weights_may_come_from_a_memory_of_their_own():
    own = WEIGHTS.replace("    may_bypass: [weight]\n", "")
    text = GOOD.replace("[input, weight, output]", "[input, output]").replace("  - name: sram", own + "  - name: sram")
    chip = accelerator_from_document(parse_document(text, "t.yaml"))
    assert [chip.keeper(role).name for role in ("input", "weight", "output")] == ["dram", "weights", "dram"]
    assert [memory.resident for memory in chip.memories] == [frozenset(), {"weight"}, frozenset()]


def test_the_unedited_spec_is_good():
    assert accelerator_from_document(parse_document(GOOD, "t.yaml")).peak_macs_per_cycle == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bandwidth: 10", "bandwith: 10", "13:5: levels[0].bandwith: unknown key 'bandwith'; did you mean 'bandw"),
        ("name: tiny\n", "", "1:1: name: is missing; add 'name:'"),
        ("clock: 1 GHz", "clock: 1", "3:1: clock: '1' has no unit; write '1 MHz'"),
        ("clock: 1 GHz", "clock: 64 KiB", "3:1: clock: '64 KiB' is a size, but a frequency is needed here"),
        ("clock: 1 GHz", "clock: 0 GHz", "3:1: clock: '0 GHz' is 0; a frequency must be more than zero"),
        ("10 GB/s", "10 GB/parsec", "13:5: levels[0].bandwidth: "),
        ("10 GB/s", "-10 GB/s", "13:5: levels[0].bandwidth: '-10 GB/s' is -8e+10; a bandwidth must be more than zero"),
        ("10 GB/s", "10 GiB", "13:5: levels[0].bandwidth: '10 GiB' is a size, but a bandwidth is needed here"),
        ("10 GB/s", "", "13:5: levels[0].bandwidth: nothing is not a quantity"),
        ("10 GB/s", "[1, 2]", "13:5: levels[0].bandwidth: a list or mapping is not a quantity"),
        ("buffer / 2", "bufer / 2", "16:5: levels[1].size: 'bufer' is no parameter; did you mean 'buffer'?"),
        ("buffer / 2", "buffer / (pes - 4)", "16:5: levels[1].size: 'buffer / (pes - 4)' divides by zero"),
        ("buffer / 2", "buffer + 2", "16:5: levels[1].size: 'buffer + 2' joins a size and a plain number by '+'"),
        ("buffer / 2", "64", "16:5: levels[1].size: '64' has no unit; write '64 KiB'"),
        ("buffer / 2", "64 kb", "16:5: levels[1].size: '64 kb' has no known unit; write '64 KiB' or '64 kB'"),
        ("buffer / 2", "buffer / 65536", "16:5: levels[1].size: 1 bits cannot hold one word of each tensor"),
        ("{output: 32 bit}", "{output: 1.5 bit}", "18:12: levels[1].word.output: '1.5 bit' is 1.5, not a whole number"),
        ("{output: 32 bit}", "{weight: 32 bit}", "18:5: levels[1].word: 'weight' is not kept here"),
        ("[input, output]", "[]", "17:5: levels[1].keeps: this memory keeps no tensor"),
        ("[input, output]", "[input, input]", "17:5: levels[1].keeps: 'input' stands twice in this list"),
        ("[input, output]", "[inptu, output]", "17:13: levels[1].keeps[0]: 'inptu' is not allowed here; did you"),
        ("    word:", "    may_bypass: [weight]\n    word:", "18:5: levels[1].may_bypass: 'weight' is not kept here"),
        ("8 bit", "8 bit\n    energy: -1 J", "26:5: levels[3].energy: '-1 J' is -1; an energy must be zero or more"),
        ("{x: pes}", "{x: 0}", "21:13: levels[2].shape.x: '0' is 0; a count must be more than zero"),
        ("{x: pes}", "{x: pes / 8}", "21:13: levels[2].shape.x: 'pes / 8' is 0.5 (with pes = 4), not a whole number"),
        ("{x: pes}", "{x: 4 KiB}", "21:13: levels[2].shape.x: '4 KiB' is a size; write a whole number without unit"),
        ("{x: pes}", "{}", "21:5: levels[2].shape: "),
        ("dims: {x:", "dims: {z:", "22:12: levels[2].dims.z: the array has no axis 'z'; its axes are x"),
        ("[K, C]", "[K, Z]", "22:19: levels[2].dims.x[1]: 'Z' is not allowed here"),
        ("name: sram", "name: dram", "14:5: levels[1].name: 'dram' is also the name of levels[0]; rename one of them"),
        ("name: sram", "name: my sram", "14:5: levels[1].name: 'my sram' cannot be a name"),
        ("type: array", "type: aray", "20:5: levels[2].type: 'aray' is not a known type; did you mean 'array'?"),
        ("[input, weight, output]", "[input, weight]", "12:5: levels[0].keeps: the outermost memory does not"),
        ("[input, weight, output]", "[input, output]", "12:5: levels[0].keeps: the outermost memory does not"),
        ("operand: 8 bit", "operand: 8", "25:5: levels[3].operand: '8' has no unit; write '8 bit'"),
        ("default: 4,", "default: 5,", "5:9: parameters.pes.default: '5' is not among the choices; use one of 2, 4, 8"),
        ("[2, 4, 8]", "[2, 4, 4]", "5:37: parameters.pes.choices[2]: '4' stands twice; keep one of them"),
        ("[2, 4, 8]", "[2, 4, 8 KiB]", "5:37: parameters.pes.choices[2]: '8 KiB' has another kind of unit"),
        ("[1 KiB, 16 KiB]", "[16 KiB, 1 KiB]", "6:28: parameters.buffer.range: does not rise; write [lowest, highest]"),
        ("[1 KiB, 16 KiB]", "[9 KiB, 16 KiB]", "6:12: parameters.buffer.default: '8 KiB' is outside the range"),
        ("[1 KiB, 16 KiB]", "[1 KiB]", "6:28: parameters.buffer.range: has 1 values; write [lowest, highest]"),
        ("default: 8 KiB", "default: 8 zib", "6:12: parameters.buffer.default: '8 zib' has no known unit"),
        ("choices: [2, 4, 8]", "choices: [4], range: [1, 5]", "5:35: parameters.pes.range: stands beside 'choices'"),
        ("x: pes", "x: 4", "5:3: parameters.pes: parameter 'pes' is never used; use it in a level or remove it"),
        ("  pes:", "  min:", "5:3: parameters.min: 'min' is a word of Python or of the arithmetic"),
        ("10 GB/s", "10 GB/s\n    read_bandwidth: 1 GB/s", "14:5: levels[0].read_bandwidth: stands beside 'bandwidth'"),
        ("component: dram", "component: dram\n    dram_kind: ddr9", "8:5: levels[0]: no DRAM kind named 'ddr9'"),
        ("component: dram", "component: sram\n    dram_kind: ddr3", "11:5: levels[0].dram_kind: this memory is no"),
        ("    word:", "    latency: 40\n    word:", "18:5: levels[1].latency: '40' has no unit; write '40 cycle'"),
        ("    word:", "    latency: -1 cycle\n    word:", "18:5: levels[1].latency: '-1 cycle' is -1; a latency"),
        ("10 GB/s", "10 GB/s\n    latency: 1 cycle", "14:5: levels[0].latency: no tile comes into the outermost mem"),
        ("    word:", "    resident: [weight]\n    word:", "18:5: levels[1].resident: 'weight' is not kept here"),
        ("    word:", "    resident: [input]\n    word:", "18:5: levels[1].resident: one operator's output is"),
        ("    word:", "    resident: [inptu]\n    word:", "18:16: levels[1].resident[0]: 'inptu' is not allowed here"),
        ("    word:", "    resident_size: 1 KiB\n    word:", "18:5: levels[1].resident_size: sets room aside"),
        ("component: dram", "component: dram\n    resident: [weight]", "11:5: levels[0].resident: the outermost"),
        ("    word:", "    compression: {weight: run_length}\n    word:", "18:5: levels[1].compression: 'weight' is"),
        ("    word:", "    compression: {input: zip}\n    word:", "18:19: levels[1].compression.input: 'zip' is"),
        ("    word:", "    double_buffered: true\n    prefetched: true\n    word:", "19:5: levels[1].prefetched:"),
        ("word:", "prefetch: true\n    word:", "18:5: levels[1].prefetch: unknown key 'prefetch'; did you mean 'prefe"),
        ("    word:", "    energy_scale: 2 pJ\n    word:", "18:5: levels[1].energy_scale: '2 pJ' is an energy"),
        ("operand: 8 bit", "operand: 8 bit\n    gating: [output]", "26:14: levels[3].gating[0]: 'output' is"),
        ("operand: 8 bit", "operand: 8 bit\n    clock_energy: 3", "26:5: levels[3].clock_energy: '3' has no unit"),
        ("clock: 1 GHz", "clock: 1 GHz\ncall_overhead: 1", "4:1: call_overhead: '1' has no unit; write '1 us'"),
        ("clock: 1 GHz", "clock: 1 GHz\noperator_overhead: 1 nm", "4:1: operator_overhead: '1 nm' is a length, but a"),
        ("clock: 1 GHz", "clock: 1 GHz\ncall_overhead: -1 ms", "4:1: call_overhead: '-1 ms' is -0.001; a time must"),
        ("technology: 45 nm", "technology: 45 m", "2:1: technology: technology 4.5e+10 nm is outside"),
    ],
)
def test_a_wrong_line_is_answered_with_its_place_and_a_remedy(old, new, message):
    found = lines(edited(old, new))
    assert any(line.startswith(f"t.yaml:{message}") for line in found), "\n".join(found)
    assert all(re.match(r"t\.yaml:\d+:\d+: .+; .+", line) for line in found), "\n".join(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (edited("size: buffer / 2", "double_buffered: true\n    size: buffer - 65457 bit"), "make it at least 80 bits"),
        (
            edited("[input, output]", "[input, weight, output]\n    resident: [weight]\n    resident_size: 4 KiB"),
            "32768 of 32768 bits leave no room for the tiles of 'sram'; leave at least 48 bits",
        ),
        (
            GOOD.replace("  - name: mac", BELOW + "  - name: mac"),
            "levels[3].resident: 'local' is below the array 'row', so that each instance holds a part only",
        ),
        (
            GOOD.replace("[input, output]", "[input, output]\n    resident: [input, output]").replace(
                "  - name: row", BELOW + "  - name: row"
            ),
            "levels[2].resident: 'input' may stay in 'sram' already; name it in one memory",
        ),
        (
            GOOD.replace("[input, weight, output]", "[input, output]").replace(
                "  - name: sram", WEIGHTS + "  - name: sram"
            ),
            "levels[1].may_bypass: weights come from this memory; remove 'weight' from this list",
        ),
        (GOOD[: GOOD.index("  - name: mac")], "levels: there are 0 compute levels; write exactly one"),
        (GOOD + "  - {name: mac2, type: compute}\n", "levels: there are 2 compute levels"),
        (GOOD + "  - {name: late, type: array, shape: {x: 2}}\n", "levels[4]: stands inside the compute level"),
        (GOOD + "".join(f"  - {{name: {v}, type: vector, lanes: 1}}\n" for v in "vw"), "levels[5]: there is a second"),
        (GOOD.split("levels:")[0] + "levels: []\n", "levels: has 0 entries; write at least 1"),
        (GOOD.split("levels:")[0] + "levels: [{name: mac, type: compute}]\n", "levels: there is no memory"),
        (GOOD.split("levels:")[0], "levels: is missing"),
        (GOOD + GOOD, "name: 'name' stands twice in this mapping, on lines 1 and 26"),
        ("name: [unclosed\n", "not valid YAML"),
        ("", "the file is empty"),
        ("levels: 3\nparameters: [1]\n", "parameters: a list is not a mapping"),
    ],
)
def test_a_wrong_structure_is_answered(text, message):
    found = lines(text)
    assert any(message in line for line in found), "\n".join(found)
    assert all(re.match(r"t\.yaml:\d+:\d+: .+; .+", line) for line in found), "\n".join(found)


SYSTOLIC = edited("    dims: {x: [K, C]}", "    systolic: {dataflow: weight_stationary, rows: x, columns: y}").replace(
    "{x: pes}", "{x: pes, y: 2}"
)
FILE = "  - {name: file, type: memory, component: register_file, size: 8 bit, keeps: [weight]}\n"
HOLDING = SYSTOLIC.replace("  - name: mac", FILE + "  - name: mac")


def test_a_systolic_array_has_the_extents_of_its_axes():
    array = accelerator_from_document(parse_document(HOLDING, "t.yaml")).arrays[0]
    assert (array.systolic.dataflow, array.systolic.rows, array.systolic.columns) == ("weight_stationary", 4, 2)
    assert not array.systolic.overlapped


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight_stationary", "weight_stationry", "22:16: levels[2].systolic.dataflow: 'weight_stationry' is"),
        ("rows: x", "rows: z", "22:45: levels[2].systolic.rows: there is no axis 'z'; the axes are x, y"),
        ("rows: x", "rows: rew.x", "22:45: levels[2].systolic.rows: there is no axis 'rew.x'; the axes are x, y"),
        ("columns: y", "columns: x", "22:54: levels[2].systolic.columns: rows and columns are the same axis; an array"),
        ("columns: y", "columns: row.x", "22:54: levels[2].systolic.columns: rows and columns are the same axis"),
        ("{x: pes, y: 2}", "{x: pes}", "22:54: levels[2].systolic.columns: there is no axis 'y'; the axes are x"),
        (", columns: y", "", "22:5: levels[2].systolic.columns: is missing; add 'columns:'"),
        ("columns: y", "columns: y, overlaped: true", "22:66: levels[2].systolic.overlaped: unknown key 'overlaped'"),
        ("weight_stationary", "input_stationary", "22:5: levels[2].systolic: no memory inside the array keeps"),
        ("  - {name: file", "  - {name: inner, type: array, shape: {z: 2}}\n  - {name: file", ""),
    ],
)
def test_a_wrong_systolic_array_is_answered(old, new, message):
    assert HOLDING.count(old) == 1, old
    text = HOLDING.replace(old, new)
    if not message:
        text, message = text.replace("rows: x", "rows: inner.z"), "22:5: levels[2].systolic: one of its axes belongs to"
    found = lines(text)
    assert any(line.startswith(f"t.yaml:{message}") for line in found), "\n".join(found)
    assert all(re.match(r"t\.yaml:\d+:\d+: .+; .+", line) for line in found), "\n".join(found)


def test_a_second_systolic_array_is_refused():
    second = HOLDING[HOLDING.index("  - name: row") : HOLDING.index("  - {name: file")].replace("row", "raw", 1)
    found = lines(HOLDING.replace("  - {name: file", second + "  - {name: file"))
    assert [line.split(": ")[1] for line in found] == ["levels[3].systolic"]


def test_problems_of_every_kind_come_together_in_the_order_of_the_text():
    text = GOOD.replace("1 GHz", "1").replace("bandwidth", "bandwith").replace("buffer / 2", "64 kb")
    found = lines(text.replace("{x: pes}", "{x: 0}").replace("name: sram", "name: dram"))
    places = [tuple(map(int, line.split(":")[1:3])) for line in found]
    paths = [line.split(": ")[1] for line in found]
    assert places == sorted(places)
    assert paths == [
        "clock", "parameters.pes", "parameters.buffer", "levels[0].bandwith", "levels[1].name", "levels[1].size",
        "levels[2].shape.x",
    ]  # fmt: skip


def test_an_unreadable_parameter_is_reported_once_and_not_where_it_is_used():
    assert len(lines(edited("default: 8 KiB", "default: 8 zib"))) == 1


def test_a_name_that_is_none_is_one_problem_and_confuses_no_number():
    found = lines(edited("  pes:", '  "": {default: 3}\n  "1x": {default: 3}\n  pes:'))
    assert [line.split(": ")[1] for line in found] == ["parameters.", "parameters.1x"]


def test_an_unknown_key_in_a_shipped_spec_is_found(tmp_path):
    text = shipped("accelerators")["eyeriss"].read_text()
    path = tmp_path / "unknown.yaml"
    path.write_text(text.replace("  - name: dram", "  - colour: red\n    name: dram", 1))
    with pytest.raises(SpecError, match=r"unknown\.yaml:\d+:5: levels\[0\]\.colour: unknown key 'colour'; known"):
        load_accelerator(path)


def test_a_made_up_unit_in_a_shipped_spec_is_found(tmp_path):
    path = tmp_path / "unit.yaml"
    path.write_text(shipped("accelerators")["eyeriss"].read_text().replace("KiB", "parsecs"))
    with pytest.raises(SpecError, match=r"unit\.yaml:\d+:\d+: parameters\.glb_size\.default: .*no known unit"):
        load_accelerator(path)
