"""Gemmini's measured mappings in the simulator: what becomes of a mapping, and how near its cycles come."""

from __future__ import annotations

import pytest

import dovetail as dt
from dovetail.accel.analytic import evaluate
from dovetail.accel.mapping import Loop
from dovetail.cosearch.validation import reference_folder
from dovetail.cosearch.validation.reference import Reference
from dovetail.cosearch.validation.suites import gemmini
from dovetail.cosearch.validation.suites.gemmini_tiles import Program, chip, program, simulated_cycles
from dovetail.models.op import Op, conv2d

FOLDER = reference_folder(None)
needs_data = pytest.mark.skipif(
    FOLDER is None or not (FOLDER / "gemmini_rtl/firesim_cycles.csv").is_file(), reason="reference data not at hand"
)
ROOM = {"scratchpad": "4 MiB", "accumulator": "4 MiB"}


def written(text: str, op: Op) -> Program:
    accelerator = dt.load_accelerator("gemmini_rtl_tiles").with_parameters(**ROOM)
    return program(op, gemmini.rtl_mapping(text, op, accelerator), accelerator)


def test_words_that_all_fit_the_cache_are_there_already():
    one = written(
        "L3[WIO] K2 P7 - L2[WI] K16X - L1[O] K4 C8 Q4 C16X - L0[W] P4",
        conv2d("small", k=128, c=128, p=28, q=4, r=1, s=1),
    )
    assert one.warm
    assert [level.level for level in one.mapping.levels][:3] == ["dram", "system_cache", "scratchpad"]
    assert [level.loops for level in one.mapping.levels][:2] == [(), (Loop("K", 2), Loop("P", 7))]


def test_as_many_loops_as_fit_run_from_the_cache_and_sums_run_inside():
    op = conv2d("large", k=512, c=1024, p=54, q=54, r=3, s=3)
    one = written("L3[WIO] C2 Q6 P2 S3 R3 K32 - L2[WI] K16X - L1[O] C32 Q3 P3 C16X - L0[W] Q3 P9", op)
    assert not one.warm
    outside, inside = one.mapping.levels[0].loops, one.mapping.levels[1].loops
    assert (*outside, *inside) == tuple(
        Loop(dim, bound) for dim, bound in (("Q", 6), ("P", 2), ("K", 32), ("C", 2), ("S", 3), ("R", 3))
    )
    assert [loop.dim for loop in outside] == ["Q", "P", "K"]  # the filters alone are larger than the cache


def test_a_kernel_narrower_than_the_stride_brings_in_the_positions_between():
    text = "L3[WIO] P2 - L2[WI] K16X - L1[O] C4 Q7 C16X - L0[W] P4"
    strided = conv2d("strided", k=16, c=64, p=8, q=7, r=1, s=1, stride=(2, 2))
    assert written(text, strided).op.tensor("input").bits == 4 * 8
    assert written(text, conv2d("plain", k=16, c=64, p=8, q=7, r=1, s=1)).op.tensor("input").bits == 8
    wide = "L3[WIO] P2 - L2[WI] K16X - L1[O] S3 R3 C4 Q7 C16X - L0[W] P4"
    filtered = conv2d("wide", k=16, c=64, p=8, q=7, r=3, s=3, stride=(2, 2))
    assert written(wide, filtered).op.tensor("input").bits == 8
    assert written(wide.replace("S3 R3 ", "R3 ").replace("P2 -", "P2 S3 -"), filtered).op.tensor("input").bits == 16


@needs_data
def test_no_row_is_simulated_faster_than_the_model_has_it():
    on = chip(ROOM)
    for row in gemmini._rows(Reference(FOLDER))[::6]:
        one = gemmini._program(row, on)
        model = evaluate(one.op, on.warm if one.warm else on.cold, one.mapping).cycles
        assert simulated_cycles(one, on) >= model * (1.0 - 1e-9), row.line
