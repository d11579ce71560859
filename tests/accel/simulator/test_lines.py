"""Whole lines: what narrow tiles cost in the simulator, and what they change nowhere."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from nests import random_case

from dovetail.accel.accelerator import Accelerator, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.simulator.operators import simulate_operator
from dovetail.accel.simulator.plan import plan_tiles
from dovetail.accel.spec import accelerator_from_document
from dovetail.document import parse_document
from dovetail.errors import SpecError
from dovetail.models.op import ROLES, conv2d

CHIP = """\
name: lined
technology: 22 nm
clock: 1 GHz
levels:
  - name: dram
    type: memory
    component: dram
    size: unbounded
    keeps: [input, weight, output]
    bandwidth: 1 B/cycle
    line: 64 B
    along: {input: C, weight: K, output: K}
  - {name: buffer, type: memory, size: 64 KiB, keeps: [input, weight, output], double_buffered: true}
  - {name: mac, type: compute}
"""
MATMUL = conv2d("product", k=64, c=64, p=8, q=1, r=1, s=1, bias=False)


def chip(text: str = CHIP) -> Accelerator:
    return accelerator_from_document(parse_document(text, "t.yaml"))


def nest(outer: list[Loop]) -> Mapping:
    inner = [Loop(dim, MATMUL.bounds[dim] // math.prod(one.bound for one in outer if one.dim == dim)) for dim in "KCP"]
    return Mapping((LevelMapping("dram", tuple(outer)), LevelMapping("buffer", tuple(inner))))


def without_lines(accelerator: Accelerator) -> Accelerator:
    levels = [replace(one, line_bits=0.0, along={}) if isinstance(one, Memory) else one for one in accelerator.levels]
    return replace(accelerator, levels=tuple(levels))


def test_a_tile_of_sixteen_bytes_of_a_row_takes_a_line_of_sixty_four():
    lined, mapping = chip(), nest([Loop("K", 4)])
    plan, plain = plan_tiles(MATMUL, lined, mapping), plan_tiles(MATMUL, without_lines(lined), mapping)
    by_role = {stream.role: stream for stream in plan.streams}
    for old in plain.streams:
        new, waste = by_role[old.role], {"input": 1.0, "weight": 4.0, "output": 4.0}[old.role]
        assert new.down_parent.tolist() == pytest.approx((waste * old.down_parent).tolist())
        assert new.up_parent.tolist() == pytest.approx((waste * old.up_parent).tolist())
    fills = {edge.role: edge.source_cycles for edge in plan.fills}
    assert (fills["weight"], fills["input"]) == (4 * 64 * 16, 8 * 64)
    assert plan.drains[0].target_cycles == 4 * 8 * 16


def test_rows_that_a_tile_covers_whole_lose_nothing():
    lined, mapping = chip(), nest([Loop("P", 4)])
    assert simulate_operator(plan_tiles(MATMUL, lined, mapping)).cycles == pytest.approx(
        simulate_operator(plan_tiles(MATMUL, without_lines(lined), mapping)).cycles
    )


def test_a_row_of_eighty_bytes_takes_two_lines():
    op = conv2d("wide", k=160, c=4, p=1, q=1, r=1, s=1, bias=False)
    mapping = Mapping((LevelMapping("dram", (Loop("K", 2),)), LevelMapping("buffer", (Loop("K", 80), Loop("C", 4)))))
    plan = plan_tiles(op, chip(), mapping)
    assert next(edge for edge in plan.fills if edge.role == "weight").source_cycles == pytest.approx(4 * 128)


def test_lines_move_the_same_words_never_take_less_time_and_are_unknown_to_the_model():
    rng = random.Random(5)
    for seed in range(25):
        op, accelerator, mapping = random_case(seed)
        dims = {role: sorted(op.tensor(role).dims)[0] for role in ROLES}
        levels = tuple(
            replace(one, line_bits=rng.choice([8.0, 64.0, 512.0]), along=dims) if isinstance(one, Memory) else one
            for one in accelerator.levels
        )
        lined = replace(accelerator, levels=levels)
        cost = evaluate(op, lined, mapping)
        assert cost.cycles == evaluate(op, accelerator, mapping).cycles
        plan, plain = plan_tiles(op, lined, mapping), plan_tiles(op, accelerator, mapping)
        assert plan.moved == plain.moved
        cycles = simulate_operator(plan).cycles
        assert cycles >= simulate_operator(plain).cycles * (1.0 - 1e-9)
        assert cycles >= cost.cycles * (1.0 - 1e-9)


def test_lines_of_an_unlimited_memory_take_no_time():
    free = chip(CHIP.replace("    bandwidth: 1 B/cycle\n", ""))
    for mapping in (nest([Loop("K", 4)]), nest([Loop("C", 8), Loop("K", 2)])):
        cycles = simulate_operator(plan_tiles(MATMUL, free, mapping)).cycles
        assert cycles == pytest.approx(evaluate(MATMUL, free, mapping).cycles)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    along: {input: C, weight: K, output: K}\n", "", "levels[0].line: stands without 'along'"),
        ("    line: 64 B\n", "", "levels[0].along: stands without 'line'"),
        ("along: {input: C,", "along: {input: X,", "levels[0].along.input"),
        ("along: {input: C,", "along: {inputs: C,", "levels[0].along"),
        ("line: 64 B", "line: 0 B", "levels[0].line"),
        ("line: 64 B", "line: 64 GHz", "levels[0].line"),
        (
            "double_buffered: true}",
            "double_buffered: true}\n  - {name: sums, type: memory, size: 1 KiB, keeps: [output], line: 8 B, "
            "along: {input: C}}",
            "levels[2].along: 'input' is not kept here",
        ),
    ],
)
def test_wrong_lines_are_answered_with_their_place(old: str, new: str, message: str):
    with pytest.raises(SpecError) as caught:
        chip(CHIP.replace(old, new))
    assert message in str(caught.value)
