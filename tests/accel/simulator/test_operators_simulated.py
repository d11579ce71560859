"""One operator alone: never faster than the model, as fast without limits, all of its words, and stepped as walked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from simulated_cases import (
    Case,
    alike,
    bits_by_memory,
    expected_bits,
    overlaps,
    regular_case,
    skipping_case,
    small_case,
)  # fmt: skip

from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.simulator.operators import simulate_operator
from dovetail.accel.simulator.plan import MOST_STEPS, TilePlan, plan_tiles, with_density
from dovetail.accel.simulator.recorder import expanded
from dovetail.accel.simulator.workload import Density
from dovetail.errors import CannotDo, Infeasible
from dovetail.models.op import ROLES, linear

ALL = frozenset(ROLES)
GRID = 1e-7  # steps are rounded up to 2^-24 cycles


def plans(make: Callable[[int], Case], seeds: range, *, limited: bool) -> Iterator[tuple[int, TilePlan, float]]:
    """(seed, plan, analytic cycles) of random cases; every third one walks its outermost loops alone."""
    for seed in seeds:
        op, accelerator, mapping = make(seed)
        chip = accelerator if limited else accelerator.unlimited()
        plan = plan_tiles(op, chip, mapping, most_steps=3 if seed % 3 == 0 else MOST_STEPS)
        if plan.count < 3000:
            yield seed, plan, evaluate(op, chip, mapping).cycles


# ---- the model's time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "seeds"), [(small_case, range(150)), (regular_case, range(40)), (skipping_case, range(80))]
)
def test_without_limits_an_operator_takes_the_model_s_cycles(make: Callable[[int], Case], seeds: range) -> None:
    for seed, plan, cycles in plans(make, seeds, limited=False):
        run = simulate_operator(plan)
        assert run.cycles == pytest.approx(cycles, rel=GRID, abs=plan.count * 2.0**-24), seed
        assert run.cycles >= cycles * (1.0 - 1e-12), seed


@pytest.mark.parametrize(
    ("make", "seeds"), [(small_case, range(150)), (regular_case, range(40)), (skipping_case, range(80))]
)
def test_an_operator_never_takes_less_than_the_model_s_cycles(make: Callable[[int], Case], seeds: range) -> None:
    slower = 0
    for seed, plan, cycles in plans(make, seeds, limited=True):
        run = simulate_operator(plan)
        assert run.cycles >= cycles * (1.0 - 1e-12), seed
        slower += run.cycles > cycles * 1.001
    assert slower > 5


@pytest.mark.parametrize("limited", [True, False])
def test_memories_move_the_model_s_words(limited: bool) -> None:
    for seed, plan, _ in plans(small_case, range(1000, 1060), limited=limited):
        run = simulate_operator(plan)
        assert alike(bits_by_memory(run), expected_bits(plan)), seed
    for seed, plan, _ in plans(regular_case, range(1000, 1020), limited=limited):
        run = simulate_operator(plan)
        assert alike(bits_by_memory(run), expected_bits(plan)), seed
    for seed, plan, _ in plans(skipping_case, range(1000, 1040), limited=limited):
        run = simulate_operator(plan)
        assert alike(bits_by_memory(run), expected_bits(plan)), seed


# ---- stepping --------------------------------------------------------------------------------------------------------


def check_stepping(plan: TilePlan, seed: int) -> bool:
    """Compare a run with stepping and without; whether there was anything to step over."""
    stepped, walked = simulate_operator(plan), simulate_operator(plan, stepping=False)
    assert walked.walked == plan.count, seed
    assert stepped.cycles == walked.cycles, seed
    assert sorted(expanded(stepped.log)) == sorted(expanded(walked.log)), seed
    assert alike(stepped.stalls, walked.stalls), seed
    assert alike(stepped.path, walked.path), seed
    assert math.fsum(stepped.path.values()) == pytest.approx(stepped.cycles, rel=1e-9), seed
    for one, other in zip(stepped.resources, walked.resources, strict=True):
        one.account(), other.account()
        assert one.name == other.name
        assert alike({"busy": one.busy, "bits": one.bits}, {"busy": other.busy, "bits": other.bits}), (seed, one.name)
        assert alike(one.held, other.held), (seed, one.name)
    return stepped.walked < walked.walked


@pytest.mark.parametrize("limited", [True, False])
def test_stepping_over_regular_loops_changes_nothing(limited: bool) -> None:
    stepped = [check_stepping(plan, seed) for seed, plan, _ in plans(regular_case, range(40), limited=limited)]
    assert sum(stepped) > 10


def test_stepping_over_small_nests_changes_nothing() -> None:
    stepped = [check_stepping(plan, seed) for seed, plan, _ in plans(small_case, range(130), limited=True)]
    assert sum(stepped) > 10


@pytest.mark.parametrize(("make", "seed"), [(regular_case, 1216), (small_case, 2373), (small_case, 3187)])
def test_a_period_is_compared_with_the_ones_ahead_from_its_beginning(make: Callable[[int], Case], seed: int) -> None:
    """Cases whose tiles ahead are alike among themselves, but not like those of the period that has passed."""
    op, accelerator, mapping = make(seed)
    for chip in (accelerator, accelerator.unlimited()):
        check_stepping(plan_tiles(op, chip, mapping), seed)


def test_steps_drawn_at_random_are_walked_as_they_are() -> None:
    compared = 0
    for seed, plan, _ in plans(regular_case, range(12), limited=True):
        drawn = with_density(plan, Density(0.5, 0.2), np.random.default_rng(seed))
        check_stepping(drawn, seed)
        compared += 1
    assert compared > 5


def long_loops() -> TilePlan:
    """A product of 1000 x 64 steps, all of whose tiles are alike."""
    memories = (
        Memory("dram", ALL, read_bandwidth_bits_per_s=16e9, write_bandwidth_bits_per_s=16e9),
        Memory("buffer", ALL, double_buffered=True, size_bits=4096.0),
    )
    chip = Accelerator("chip", 1e9, 45.0, (*memories, Compute("mac")))
    loops = (Loop("N", 64), Loop("K", 1000))
    op = linear("fc", n=64, k=2000, c=8)
    return plan_tiles(
        op, chip, Mapping((LevelMapping("dram", loops), LevelMapping("buffer", (Loop("K", 2), Loop("C", 8)))))
    )


def test_what_is_walked_does_not_grow_with_the_loops() -> None:
    plan = long_loops()
    run = simulate_operator(plan)
    assert plan.count == 64_000
    assert run.walked < 300
    assert len(run.log) < 10_000


# ---- shares, paths and the log ---------------------------------------------------------------------------------------


def test_slices_of_one_track_never_overlap() -> None:
    for seed, plan, _ in plans(small_case, range(60), limited=True):
        assert not overlaps(simulate_operator(plan)), seed
    for seed, plan, _ in plans(regular_case, range(20), limited=True):
        assert not overlaps(simulate_operator(plan)), seed


def test_the_compute_works_or_waits_all_the_time() -> None:
    for seed, plan, _ in plans(small_case, range(90), limited=True):
        run = simulate_operator(plan)
        compute = next(one for one in run.resources if one.name == "mac")
        assert compute.busy + math.fsum(run.stalls.values()) == pytest.approx(run.cycles, rel=1e-9, abs=1e-5), seed
        assert math.fsum(run.path.values()) == pytest.approx(run.cycles, rel=1e-9, abs=1e-5), seed
        for one in run.resources:
            one.account()
            assert one.busy + math.fsum(one.held.values()) <= run.cycles * (1 + 1e-9) + 1e-5, (seed, one.name)


def test_more_bandwidth_is_never_slower_where_nothing_halts() -> None:
    """Not true in general: with one port for several tensors, an earlier request may delay one that matters more."""
    base = long_loops()
    cycles = []
    for rate in (4e9, 16e9, 64e9, math.inf):
        levels = tuple(
            replace(one, read_bandwidth_bits_per_s=rate, write_bandwidth_bits_per_s=rate) if one.name == "dram" else one
            for one in base.accelerator.levels
        )
        chip = replace(base.accelerator, levels=levels)  # type: ignore[arg-type]
        loops = Mapping(
            (
                LevelMapping("dram", (Loop("N", 64), Loop("K", 1000))),
                LevelMapping("buffer", (Loop("K", 2), Loop("C", 8))),
            )
        )
        cycles.append(simulate_operator(plan_tiles(base.op, chip, loops)).cycles)
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] == 64 * 2000 * 8


# ---- bad input -------------------------------------------------------------------------------------------------------


def small_plan() -> TilePlan:
    rates = {"read_bandwidth_bits_per_s": 8e9, "write_bandwidth_bits_per_s": 8e9}
    levels = (Memory("dram", ALL, **rates), Memory("buffer", ALL, double_buffered=True), Compute("mac"))  # type: ignore[arg-type]
    loops = (LevelMapping("dram", (Loop("K", 4), Loop("C", 4))), LevelMapping("buffer", (Loop("N", 4),)))
    return plan_tiles(linear("fc", n=4, k=4, c=4), Accelerator("chip", 1e9, 45.0, levels), Mapping(loops))


def test_a_deadlock_names_the_processes_and_what_they_wait_for() -> None:
    plan = small_plan()
    stuck = replace(plan, streams=tuple(replace(one, copies=0) for one in plan.streams))
    with pytest.raises(
        CannotDo, match="deadlock: fc: the compute, for input tiles in buffer; fc: the fetch of input"
    ) as e:
        simulate_operator(stuck)
    assert "fc: the fetch of weight tile 1 waits for room in buffer" in str(e.value)
    outputs = replace(
        plan, streams=tuple(replace(one, copies=0 if one.role == "output" else 2) for one in plan.streams)
    )
    with pytest.raises(CannotDo, match="deadlock: fc: the compute, for output tiles out of buffer"):
        simulate_operator(outputs)


def test_a_tile_that_does_not_fit_names_its_memory() -> None:
    plan = small_plan()
    levels = tuple(replace(one, size_bits=16.0) if one.name == "buffer" else one for one in plan.accelerator.levels)  # type: ignore[call-arg]
    loops = (LevelMapping("dram", (Loop("K", 4), Loop("C", 4))), LevelMapping("buffer", (Loop("N", 4),)))
    with pytest.raises(Infeasible, match="fc: buffer of 'chip' holds 8 bit") as e:
        plan_tiles(plan.op, replace(plan.accelerator, levels=levels), Mapping(loops))
    assert e.value.level == "buffer"


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_hundreds_of_random_operators_keep_to_it_all(block: int) -> None:
    for make, seeds in (
        (small_case, range(block * 300, block * 300 + 300)),
        (regular_case, range(block * 60, block * 60 + 60)),
    ):
        for limited in (True, False):
            for seed, plan, cycles in plans(make, seeds, limited=limited):
                run = simulate_operator(plan)
                assert run.cycles >= cycles * (1.0 - 1e-12), seed
                assert limited or run.cycles == pytest.approx(cycles, rel=GRID), seed
                assert alike(bits_by_memory(run), expected_bits(plan)), seed
                assert not overlaps(run), seed
                check_stepping(plan, seed)
