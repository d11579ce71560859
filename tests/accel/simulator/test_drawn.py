"""Zeros drawn for each tile: in the mean the model's time, exact where nothing is left to chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory, Skipping
from dovetail.accel.analytic import evaluate
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.simulator.drawn import with_drawn_zeros
from dovetail.accel.simulator.operators import simulate_operator
from dovetail.accel.simulator.plan import TilePlan, plan_tiles
from dovetail.models.op import ROLES, Op, linear
from dovetail.models.patterns import NofM, Pattern, Uniform

ALL = frozenset(ROLES)


def layer(pattern: Pattern, inputs: float = 1.0) -> Op:
    op = linear("fc", n=16, k=64, c=512)
    first, second, result = op.tensors
    return replace(op, tensors=(replace(first, density=inputs), replace(second, pattern=pattern), result))


def chip(skipping: Skipping, elements: int = 16) -> Accelerator:
    memories = Memory("dram", ALL), Memory("buffer", ALL, double_buffered=True)
    array = Array("array", (("x", elements),))
    return Accelerator("chip", 1e9, 45.0, (*memories, array, Compute("mac", skipping=skipping)))


MAPPING = Mapping(
    (
        LevelMapping("dram", (Loop("K", 4), Loop("N", 16))),
        LevelMapping("buffer", (Loop("C", 512),)),
        LevelMapping("array", (Loop("K", 16, "x"),)),
    )
)


def plan(op: Op, accelerator: Accelerator) -> TilePlan:
    return plan_tiles(op, accelerator, MAPPING)


def test_drawn_zeros_take_the_model_s_time_in_the_mean() -> None:
    op, accelerator = layer(Uniform(0.3), 0.5), chip(Skipping(frozenset({"input", "weight"}), window=64))
    whole, expected = plan(op, accelerator), evaluate(op, accelerator, MAPPING).cycles
    runs = [simulate_operator(with_drawn_zeros(whole, np.random.default_rng(seed))).cycles for seed in range(40)]
    assert np.mean(runs) == pytest.approx(expected, rel=0.01)
    assert np.std(runs) > 0.0


def test_many_windows_of_a_stretch_are_drawn_together() -> None:
    op, accelerator = layer(Uniform(0.3)), chip(Skipping(frozenset({"weight"}), window=8))
    whole, expected = plan(op, accelerator), evaluate(op, accelerator, MAPPING).cycles
    runs = [simulate_operator(with_drawn_zeros(whole, np.random.default_rng(seed))).cycles for seed in range(20)]
    assert np.mean(runs) == pytest.approx(expected, rel=0.01)


def test_structured_zeros_leave_nothing_to_chance() -> None:
    op, accelerator = layer(NofM(2, 4)), chip(Skipping(frozenset({"weight"}), structured=(2, 4)))
    drawn = simulate_operator(with_drawn_zeros(plan(op, accelerator), np.random.default_rng(1)))
    assert drawn.cycles == pytest.approx(evaluate(op, accelerator, MAPPING).cycles, rel=1e-7)


def test_without_zeros_the_plan_is_the_same() -> None:
    dense = plan(layer(Uniform(1.0)), chip(Skipping(frozenset({"weight"}), window=64)))
    assert with_drawn_zeros(dense, np.random.default_rng(1)) is dense


def test_instances_that_wait_for_each_other_take_longer_than_the_mean_of_them() -> None:
    op, free = layer(Uniform(0.3)), chip(Skipping(frozenset({"weight"})))
    waiting = chip(Skipping(frozenset({"weight"}), window=16))
    apart, together = (
        simulate_operator(with_drawn_zeros(plan(op, one), np.random.default_rng(1))).cycles for one in (free, waiting)
    )
    assert together > 1.2 * apart
