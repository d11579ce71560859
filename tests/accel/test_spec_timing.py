"""Keys of a spec that only the simulator reads, and buffering in more than two parts."""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace
from typing import Any

import pytest
from nests import random_case

from dovetail.accel.accelerator import Accelerator, DramTiming, Host, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.spec import accelerator_from_document, accelerator_schema, accelerator_to_yaml
from dovetail.document import parse_document
from dovetail.errors import BadInput, Infeasible, SpecError
from dovetail.models.op import Op, VectorOp

TIMED = """\
name: timed
technology: 22 nm
clock: 500 MHz
parameters:
  miss: {default: 36 ns, choices: [18 ns, 36 ns]}
  channels: {default: 2, choices: [1, 2, 4]}
  tiles: {default: 3, choices: [1, 2, 3]}
  link: {default: 5 Gbit/s, range: [1 Gbit/s, 10 Gbit/s]}
  port: {default: 8 GB/s, choices: [0 GB/s, 8 GB/s]}
host: {link: link}
levels:
  - name: dram
    type: memory
    component: dram
    size: unbounded
    keeps: [input, weight, output]
    bandwidth: channels * 6.4 GB/s
    timing: {channels: channels, burst: 32 B, row: 2 KiB, row_miss: miss, banks: 8,
             refresh_interval: 3.904 us, refresh_time: 180 ns}
  - name: buffer
    type: memory
    size: 12 KiB
    keeps: [input, weight, output]
    buffers: tiles
    bandwidth: port
  - name: pes
    type: array
    shape: {x: 4}
    bandwidth: 16 B/cycle
  - {name: mac, type: compute}
"""


def chip(text: str = TIMED) -> Accelerator:
    return accelerator_from_document(parse_document(text, "t.yaml"))


def edited(*edits: tuple[str, str]) -> str:
    text = TIMED
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        chip(text)
    return str(caught.value).splitlines()


def test_the_keys_are_read_in_si_units() -> None:
    found = chip()
    dram, buffer = found.memories
    assert dram.timing == DramTiming(2, 256, 16384, pytest.approx(36e-9), 8, pytest.approx(3.904e-6), 180e-9)
    assert dram.read_bandwidth_bits_per_s == 2 * 51.2e9
    assert (buffer.double_buffered, buffer.overlaps, buffer.buffers, buffer.copies) == (True, True, 3, 3)
    assert buffer.room_bits == 4096 * 8
    assert found.arrays[0].bandwidth_bits_per_s == 16 * 8 * 500e6
    assert found.host == Host(link_bits_per_s=5e9)


def test_without_the_keys_nothing_is_limited() -> None:
    text = re.sub(r"    (timing|buffers|bandwidth): .*\n( {13}refresh.*\n)?", "", TIMED)
    text = re.sub(r"(?s)parameters:.*?levels", "levels", text)
    dram, buffer = chip(text).memories
    assert dram.timing is None
    assert (buffer.buffers, buffer.copies, buffer.overlaps, buffer.room_bits) == (1, 1, False, buffer.size_bits)
    assert chip(text).arrays[0].bandwidth_bits_per_s == math.inf
    assert chip(text).host is None


def test_parameters_reach_them() -> None:
    other = chip().with_parameters(miss="18 ns", channels=4, tiles=1, link="2 Gbit/s")
    timing = other.memories[0].timing
    assert timing is not None
    assert (timing.channels, timing.row_miss_s) == (4, pytest.approx(18e-9))
    assert (other.memories[1].buffers, other.memories[1].overlaps) == (1, False)
    assert other.host is not None
    assert other.host.link_bits_per_s == 2e9
    assert chip().with_parameters(tiles=2).memories[1].double_buffered


def test_they_survive_the_way_to_yaml_and_back() -> None:
    found = chip().with_parameters(channels=4)
    again = accelerator_from_document(parse_document(accelerator_to_yaml(found), "again.yaml"))
    assert (again.levels, again.host) == (found.levels, found.host)


def test_the_schema_knows_them() -> None:
    known = accelerator_schema()["$defs"]
    assert {"channels", "burst", "row", "row_miss", "banks"} < set(known["TimingSpec"]["properties"])
    assert "buffers" in known["MemorySpec"]["properties"]
    assert "bandwidth" in known["ArraySpec"]["properties"]
    assert "link" in known["HostSpec"]["properties"]


def test_a_link_alone_leaves_no_operator_to_the_host() -> None:
    softmax = VectorOp(name="softmax", kind="softmax", operations=10, words_in=10, words_out=10, bits=8)
    assert not chip().on_host(softmax)
    both = chip(edited(("{link: link}", "{link: link, operators: [softmax], rate: 1 GHz}")))
    assert both.on_host(softmax)
    assert both.host == Host(frozenset({"softmax"}), 1e9, 5e9)


def test_two_buffers_are_double_buffering() -> None:
    two = chip(edited(("buffers: tiles", "buffers: 2"), ("  tiles: {default: 3, choices: [1, 2, 3]}\n", "")))
    double = chip(
        edited(("buffers: tiles", "double_buffered: true"), ("  tiles: {default: 3, choices: [1, 2, 3]}\n", ""))
    )
    assert two.levels == double.levels


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("burst: 32 B", "burst: 32", "18:34: levels[0].timing.burst: '32' has no unit; write '32 B'"),
        ("burst: 32 B", "burst: 0 B", "18:34: levels[0].timing.burst: '0 B' is 0; a burst must be more than zero"),
        ("burst: 32 B", "burst: 4 KiB", "18:48: levels[0].timing.row: a row of 2048 B is smaller than a burst of"),
        ("row: 2 KiB", "row: 2 us", "18:47: levels[0].timing.row: '2 us' is a time, but a size is needed here"),
        ("row_miss: miss", "row_miss: -1 * miss", "18:59: levels[0].timing.row_miss: '-1 * miss' is -3.6e-08 (with"),
        ("banks: 8", "banks: 0", "18:75: levels[0].timing.banks: '0' is 0; a count must be more than zero"),
        ("banks: 8", "bank: 8", "18:75: levels[0].timing.bank: unknown key 'bank'; did you mean 'banks'?"),
        (
            "channels: channels,",
            "channels: 1.5 * channels / 2,",
            "18:14: levels[0].timing.channels: '1.5 * channels / 2'",
        ),
        ("180 ns}", "4 us}", "19:42: levels[0].timing.refresh_time: 4e-06 s of refresh every 3.904e-06 s leave no"),
        ("180 ns}", "3.904 us}", "19:42: levels[0].timing.refresh_time: 3.904e-06 s of refresh every"),
        (", refresh_time: 180 ns}", "}", "18:5: levels[0].timing.refresh_time: is missing; add 'refresh_time:'"),
        ("refresh_interval: 3.904 us, ", "", "18:5: levels[0].timing.refresh_interval: is missing; add 'refresh_int"),
        ("component: dram", "component: sram", "18:5: levels[0].timing: this memory is no dram; write 'component: d"),
        ("buffers: tiles", "timing: {banks: tiles}", "24:5: levels[1].timing: this memory is no dram"),
        ("buffers: tiles", "timing: 3", "24:5: levels[1].timing: "),
        ("bandwidth: channels * 6.4", "bandwidth: 0 * 6.4", "17:5: levels[0].bandwidth: '0 * 6.4 GB/s' is 0; a bandw"),
        ("bandwidth: port", "bandwidth: port - 8 GB/s", "25:5: levels[1].bandwidth: 'port - 8 GB/s' is 0 (with port"),
        ("bandwidth: 16 B/cycle", "bandwidth: -16 B/cycle", "29:5: levels[2].bandwidth: '-16 B/cycle' is -6.4e+10; a"),
        ("buffers: tiles", "buffers: tiles / 2", "24:5: levels[1].buffers: 'tiles / 2' is 1.5 (with tiles = 3), not a"),
        ("buffers: tiles", "buffers: 0 * tiles", "24:5: levels[1].buffers: '0 * tiles' is 0 (with tiles = 3); a cou"),
        (
            "buffers: tiles",
            "buffers: tiles\n    prefetched: true",
            "25:5: levels[1].prefetched: stands beside 'buffers'",
        ),
        (
            "buffers: tiles",
            "buffers: tiles - 2\n    double_buffered: true",
            "24:5: levels[1].buffers: 1 stands beside 'double_buffered: true'; keep the line that is true of it",
        ),
        (
            "buffers: tiles",
            "buffers: tiles\n    double_buffered: false",
            "24:5: levels[1].buffers: 3 stands beside 'double_buffered: false'; keep",
        ),
        ("size: 12 KiB", "size: 47 bit", "22:5: levels[1].size: 47 bits cannot hold one word of each tensor that 'bu"),
        ("{link: link}", "{link: link, rate: 1 GHz}", "10:1: host.operators: is missing; add 'operators:' or remove"),
        ("{link: link}", "{link: 5 * link / 0}", "10:8: host.link: '5 * link / 0' divides by zero"),
        ("{link: link}", "{link: 0 * link}", "10:8: host.link: '0 * link' is 0 (with link = 5e+09); a bandwidth must"),
    ],
)
def test_a_wrong_line_is_answered_with_its_place_and_a_remedy(old: str, new: str, message: str) -> None:
    found = problems(edited((old, new)))
    assert any(line.startswith(f"t.yaml:{message}") for line in found), "\n".join(found)
    assert all(re.match(r"t\.yaml:\d+:\d+: .+; .+", line) for line in found), "\n".join(found)


def test_an_empty_timing_and_an_empty_host_say_nothing() -> None:
    text = re.sub(r"timing: \{(.*\n.*)\}", "timing: {}", TIMED).replace("host: {link: link}", "host: {}")
    found = problems(text)
    assert any(re.search(r"levels\[0\]\.timing: says nothing; state some of channels, burst", line) for line in found)
    assert any("host: says nothing; state operators and their rate, a link, or remove it" in line for line in found)


def test_a_dram_below_an_array_has_no_timing() -> None:
    below = (
        "  - {name: inner, type: memory, component: dram, size: 1 MiB, keeps: [weight], timing: {banks: 8}}\n"
        "  - {name: mac, type: compute}"
    )
    found = problems(edited(("  - {name: mac, type: compute}", below)))
    assert [line.split(": ", 1)[1] for line in found] == [
        "levels[3].timing: 'inner' is below the array 'pes'; state the timing of a memory above all arrays, "
        "which exists once"
    ]


def test_a_zero_bandwidth_names_the_memory_also_where_a_parameter_makes_it() -> None:
    assert "(at 'dram')" in problems(edited(("channels * 6.4", "0 * 6.4")))[-1]
    with pytest.raises(BadInput, match=r"levels\[1\]\.bandwidth: 'port' is 0 \(with port = 0\).*\(at 'buffer'\)"):
        chip().with_parameters(port="0 GB/s")


# ---- buffering in parts, in every model ------------------------------------------------------------------------------


def folded(accelerator: Accelerator, rng: random.Random, fold: int) -> Accelerator:
    """Small memories, shared by ``fold`` tiles."""
    levels: list[Any] = []
    for level in accelerator.levels:
        if isinstance(level, Memory) and levels:
            level = replace(level, size_bits=rng.choice([400.0, 2000.0]), double_buffered=True, fold=fold)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def fits(op: Op, accelerator: Accelerator, mapping: Any) -> bool | float:
    try:
        return evaluate(op, accelerator, mapping).cycles
    except Infeasible:
        return False


@pytest.mark.parametrize("fold", [2, 3, 5])
def test_a_memory_shared_by_tiles_is_a_smaller_one_in_every_model(fold: int) -> None:
    seen = set()
    for seed in range(200):
        op, plain, mapping = random_case(seed)
        shared = folded(plain, random.Random(seed), fold)
        smaller = [
            replace(one, size_bits=one.size_bits * 2 / fold, fold=2) if isinstance(one, Memory) else one
            for one in shared.levels
        ]
        found = fits(op, shared, mapping)
        assert found == fits(op, replace(shared, levels=tuple(smaller)), mapping)
        problem = Problem(op, shared)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
        except BadInput:
            continue
        cycles = problem.evaluate(factors[None], order[None], bypass[None])[0][1]
        assert math.isinf(cycles) if found is False else cycles == pytest.approx(found, rel=1e-12)
        seen.add(found is False)
    assert seen == {True, False}


def test_an_infeasible_mapping_says_how_much_of_the_memory_a_tile_has() -> None:
    said = set()
    for fold in (2, 3):
        for seed in range(100):
            op, plain, mapping = random_case(seed)
            try:
                evaluate(op, folded(plain, random.Random(seed), fold), mapping)
            except Infeasible as error:
                said |= set(re.findall(r"\(.*buffered\)", str(error)))
    assert said == {"(half of it, as it is double-buffered)", "(1/3 of it, as it is 3-fold buffered)"}
