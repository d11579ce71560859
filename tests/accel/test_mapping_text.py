"""Mappings as one line of text: read, written, and what is said of wrong ones."""

from __future__ import annotations

import random

import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.errors import BadInput
from dovetail.mapper.base import Limits
from dovetail.models.op import ROLES, conv2d, linear

ALL = frozenset(ROLES)
GEMMINI = "L3[WIO] K48 - L2[WI] N1 K16X - L1[O] C48 P16 C16X - L0[W] P8"


def test_groups_are_memories_and_loops_with_x_go_to_the_arrays_between_them():
    mapping = dt.parse_mapping(GEMMINI, dt.load_accelerator("gemmini_timeloop"))
    assert mapping == Mapping(
        (
            LevelMapping("dram", (Loop("K", 48),)),
            LevelMapping("scratchpad"),
            LevelMapping("columns", (Loop("K", 16, "x"),)),
            LevelMapping("accumulator", (Loop("C", 48), Loop("P", 16))),
            LevelMapping("rows", (Loop("C", 16, "y"),)),
            LevelMapping("register", (Loop("P", 8),)),
        )
    )


def test_the_text_of_a_mapping_is_read_back_as_the_same_mapping():
    accelerator = dt.load_accelerator("gemmini_timeloop")
    mapping = dt.parse_mapping(GEMMINI, accelerator)
    assert dt.format_mapping(mapping, accelerator) == GEMMINI.replace("N1 ", "")
    for name in ("eyeriss", "edge_tpu", "nvdla", "simba", "tpu_v1", "gemmini"):
        accelerator = dt.load_accelerator(name)
        op = conv2d("conv", k=24, c=12, p=14, q=14, r=3, s=3)
        found = dt.best_mapping(op, accelerator, mapper="random", limits=Limits(evaluations=200)).mapping
        assert dt.parse_mapping(dt.format_mapping(found, accelerator), accelerator) == found, name


def two_axes() -> Accelerator:
    array = Array("pes", (("x", 4), ("y", 8)), {"x": frozenset({"K", "C"})})
    outer, inner = Memory("dram", ALL), Memory("spad", ALL, may_bypass=frozenset({"weight"}))
    return Accelerator("toy", 1e9, 45.0, (outer, array, inner, Compute("mac")))


def test_a_loop_goes_to_the_first_axis_with_room_or_to_the_one_it_names():
    accelerator = two_axes()

    def spread(words: str) -> list[tuple[str, str]]:
        text = f"L1[WIO] {words} - L0[WIO] P2"
        return [(loop.dim, loop.axis) for loop in dt.parse_mapping(text, accelerator).levels[1].loops]

    assert spread("K4X C8X") == [("K", "x"), ("C", "y")]
    assert spread("P2X K4X") == [("P", "y"), ("K", "x")]
    assert spread("K4@y C4@pes.x") == [("K", "y"), ("C", "x")]
    mapping = dt.parse_mapping("L1[WIO] K4@y C4@pes.x - L0[WIO] P2", accelerator)
    assert dt.format_mapping(mapping, accelerator) == "L1[WIO] K4@pes.y C4X - L0[WIO] P2"
    assert dt.parse_mapping(dt.format_mapping(mapping, accelerator), accelerator) == mapping


def test_evaluate_takes_text():
    accelerator = dt.load_accelerator("gemmini_timeloop")
    op = linear("fc", n=1, k=768, c=768)
    text = "L3[WIO] K48 - L2[WI] K16X - L1[O] C48 C16X - L0[W] N1"
    assert dt.evaluate(op, accelerator, text) == dt.evaluate(op, accelerator, dt.parse_mapping(text, accelerator))


def test_what_the_brackets_leave_out_bypasses_the_memory():
    accelerator = two_axes()
    mapping = dt.parse_mapping("dram K2 - spad[IO] N1", accelerator)
    assert mapping.levels[2] == LevelMapping("spad", (), frozenset({"weight"}))
    assert dt.format_mapping(mapping, accelerator) == "L1[WIO] K2 - L0[IO] N1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "L3[WIO] K48",
            "1 memories, 'gemmini_timeloop' has 4; write one group for each, outermost first: L3 - L2 - L1",
        ),
        (GEMMINI.replace("L2", "L5"), r":15: 'L5' is not the memory expected here in 'L5\[WI\].*is L2, 'scratchpad'"),
        (GEMMINI.replace("WIO", "WIQ"), r":1: 'Q' stands for no tensor.*use W, I and O"),
        (GEMMINI.replace("L1[O]", "L1[OW]"), "'accumulator' cannot keep the weight.*it keeps output"),
        (GEMMINI.replace("L2[WI]", "L2[W]"), "the input cannot bypass 'scratchpad'.*add I to the brackets"),
        (GEMMINI.replace("P16", "16P"), ":42: '16P' is no loop.*write a dimension and a bound, as K16"),
        (GEMMINI.replace("P16", "P0"), "'P0' is no loop"),
        (GEMMINI.replace("K16X", "K32X"), r"no axis below 'scratchpad' can take K32X.*its axes are columns.x \(16\)"),
        (GEMMINI.replace("K16X", "C16X"), "no axis below 'scratchpad' can take C16X"),
        (GEMMINI.replace("K16X", "K16@y"), "can take K16@y"),
        (GEMMINI.replace("P8", "P8X"), "no axis below 'register' can take P8X.*write the loop without X"),
        ("L3[WIO] K48 -  - L1[O] - L0[W]", "a group is empty.*write 'L2"),
        ("=== - L2 - L1 - L0", "'===' names no memory.*begin the group with L3"),
    ],
)
def test_wrong_texts_are_answered_with_column_rule_and_remedy(text: str, message: str):
    with pytest.raises(BadInput, match=message):
        dt.parse_mapping(text, dt.load_accelerator("gemmini_timeloop"))


def test_any_text_is_read_or_refused():
    accelerator, rng = dt.load_accelerator("gemmini_timeloop"), random.Random(7)
    for _ in range(2000):
        letters = list(GEMMINI)
        for _ in range(rng.randint(1, 4)):
            letters[rng.randrange(len(letters))] = rng.choice("LKX[]@- 0199WIO\n\x00é.")
        message = ""
        try:
            dt.parse_mapping("".join(letters), accelerator)
        except BadInput as error:
            message = str(error)
        assert "\x00" not in message


def test_a_mapping_of_other_levels_is_not_written():
    mapping = dt.parse_mapping(GEMMINI, dt.load_accelerator("gemmini_timeloop"))
    with pytest.raises(BadInput, match="the mapping has 'register' where 'gemmini' has 'pe_register'"):
        dt.format_mapping(mapping, dt.load_accelerator("gemmini"))
