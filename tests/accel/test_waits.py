"""Tiles' latencies and the passes of systolic arrays: all forms of the model agree, and the figures are the hand's."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from nests import random_accelerator, random_case, random_mapping, random_op, with_waits
from oracle import Walk
from test_batch import dressed

from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory, Systolic
from dovetail.accel.analytic import check_invariants, evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.clock import Clock
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.nest import Nest
from dovetail.accel.residence import Residence, with_residence
from dovetail.accel.systolic import Dataflow, pass_overhead_cycles
from dovetail.accel.traffic import Traffic
from dovetail.errors import BadInput, ImpossibleResult, Infeasible
from dovetail.models.op import ROLES, Op, linear

ALL = frozenset(ROLES)


def waiting_case(seed: int) -> tuple[Op, Accelerator, Mapping]:
    op, accelerator, mapping = random_case(seed)
    return op, with_waits(accelerator, random.Random(seed)), mapping


def walked_cycles(op: Op, accelerator: Accelerator, mapping: Mapping) -> float:
    """Cycles of a walk whose words take no time."""
    walk = Walk(op, accelerator, mapping)
    waits = walk.latencies()
    longest, edges, busy = walk.steps, 0.0, 0.0
    for place, level in enumerate(walk.order):
        if isinstance(level, Memory) and place:
            edge = level.latency_cycles * sum(place in walk.keepers(role)[1:] for role in ROLES)
            edges += edge
            if level.double_buffered:
                busy = max(busy, waits[level.name] - edge)
            else:
                longest += waits[level.name] - edge
        elif isinstance(level, Array) and level.systolic:
            edges += level.systolic.overhead_cycles
            longest += walk.passes()[level.name] - level.systolic.overhead_cycles
    return edges + max(longest, busy)


@pytest.mark.parametrize("block", range(4))
def test_tiles_and_waits_equal_the_oracle_on_random_nests(block: int) -> None:
    compared = 0
    for seed in range(block * 150, block * 150 + 150):
        op, accelerator, mapping = waiting_case(seed)
        if op.macs > 1000:
            continue
        compared += 1
        walk, nest = Walk(op, accelerator, mapping), Nest(op, accelerator, mapping)
        for place in range(len(nest.places) + 1):
            for role in ROLES:
                changes, returns = walk.tile_changes(role, place)
                assert nest.tile_changes(role, place) == changes, (seed, place, role)
                assert nest.distinct_tiles(role, place) == changes - returns, (seed, place, role)
        expected = walked_cycles(op, accelerator, mapping)
        assert evaluate(op, accelerator, mapping).cycles == pytest.approx(expected, rel=1e-12), seed
    assert compared >= 100


@pytest.mark.parametrize("block", range(4))
def test_bulk_costs_with_waits_equal_the_reference(block: int) -> None:
    compared = 0
    for seed in range(block * 200, block * 200 + 200):
        op, accelerator, mapping = waiting_case(seed)
        accelerator = dressed(accelerator, random.Random(seed))
        problem = Problem(op, accelerator)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
            cost = evaluate(op, accelerator, mapping)
        except (BadInput, Infeasible):
            continue
        compared += 1
        found = problem.evaluate(factors[None], order[None], bypass[None])[0]
        expected = (cost.energy_j, cost.cycles, cost.compute_cycles)
        assert tuple(found) == pytest.approx(expected, rel=1e-12, abs=0), seed
    assert compared > 50


def test_a_memory_in_which_a_tensor_stays_takes_none_of_its_tiles() -> None:
    compared = 0
    for seed in range(120):
        rng = random.Random(seed)
        op, plain = random_op(rng), random_accelerator(rng)
        shared = Memory("shared", ALL, may_reside=ALL)
        plain = with_waits(replace(plain, levels=(plain.levels[0], shared, *plain.levels[1:])), rng)
        homes = tuple((role, "shared") for role in ROLES if rng.random() < 0.5)
        accelerator = with_residence(plain, Residence(homes))
        mapping = random_mapping(rng, op, accelerator)
        if op.macs > 1000:
            continue
        expected = walked_cycles(op, accelerator, mapping)
        assert evaluate(op, accelerator, mapping).cycles == pytest.approx(expected, rel=1e-12), seed
        problem = Problem(op, accelerator)
        try:
            matrices = problem.from_mapping(mapping)
        except BadInput:
            continue
        compared += 1
        assert problem.evaluate(*(one[None] for one in matrices))[0, 1] == pytest.approx(expected, rel=1e-12), seed
    assert compared > 50


def test_more_latency_and_longer_passes_are_never_faster() -> None:
    slower = 0
    for seed in range(150):
        op, accelerator, mapping = waiting_case(seed)
        accelerator = dressed(accelerator, random.Random(seed))
        levels = [replace(one, size_bits=math.inf) if isinstance(one, Memory) else one for one in accelerator.levels]
        before = evaluate(op, replace(accelerator, levels=tuple(levels)), mapping)
        for place, level in enumerate(levels):
            if isinstance(level, Memory):
                longer: Memory | Array = replace(level, latency_cycles=2.0 * level.latency_cycles + 1.0)
            elif isinstance(level, Array) and level.systolic:
                longer = replace(level, systolic=replace(level.systolic, rows=2 * level.systolic.rows))
            else:
                continue
            after = evaluate(op, replace(accelerator, levels=(*levels[:place], longer, *levels[place + 1 :])), mapping)
            assert after.cycles >= before.cycles * (1.0 - 1e-12), (seed, level.name)
            unleaked = [{k: v for k, v in cost.energy.items() if k[0] != "leakage"} for cost in (before, after)]
            assert unleaked[0] == unleaked[1], seed
            slower += after.cycles > before.cycles
    assert slower > 50


def test_passes_that_overlap_are_never_slower() -> None:
    for seed in range(100):
        op, accelerator, mapping = waiting_case(seed)
        cycles = []
        for overlapped in (True, False):
            levels = [
                replace(one, systolic=replace(one.systolic, overlapped=overlapped))
                if isinstance(one, Array) and one.systolic
                else one
                for one in accelerator.levels
            ]
            cycles.append(evaluate(op, replace(accelerator, levels=tuple(levels)), mapping).cycles)
        assert cycles[0] <= cycles[1], seed


# ---- by hand ---------------------------------------------------------------------------------------------------------


def chip(*inner: Memory | Array) -> Accelerator:
    return Accelerator("chip", 1e9, 45.0, (Memory("dram", ALL), *inner, Compute("mac")))


def loops(**levels: str) -> Mapping:
    """``loops(dram="K4 C2", array="K2x C2y")``: loops of one-letter dimensions, along an axis where one follows."""
    mapped = []
    for name, text in levels.items():
        parts = [(one[0], one[1:].rstrip("xy"), one[-1] if one[-1] in "xy" else "") for one in text.split()]
        mapped.append(LevelMapping(name, tuple(Loop(dim, int(bound), axis) for dim, bound, axis in parts)))
    return Mapping(tuple(mapped))


def square(dataflow: Dataflow, *, overlapped: bool = False) -> Accelerator:
    """Three rows and two columns, whose elements hold one word of the stationary tensor."""
    systolic = Systolic(dataflow, 3, 2, overlapped)
    array = Array("array", (("x", 2), ("y", 3)), systolic=systolic)
    return chip(array, Memory("register", frozenset({systolic.stationary})))


GEMM = linear("gemm", n=5, k=4, c=6)
FOLDS: list[tuple[Dataflow, Mapping, int, int]] = [
    ("weight_stationary", loops(dram="K2 C2", array="K2x C3y", register="N5"), 2 * 2, 5),
    ("input_stationary", loops(dram="N3 C2", array="N2x C3y", register="K4"), 3 * 2, 4),
    ("output_stationary", loops(dram="N2 K2", array="K2x N3y", register="C6"), 2 * 2, 6),
]


@pytest.mark.parametrize(("dataflow", "mapping", "folds", "steps"), FOLDS)
def test_a_fold_takes_what_scale_sim_says(dataflow: Dataflow, mapping: Mapping, folds: int, steps: int) -> None:
    """Folds of 2R + C + T − 2 cycles, those with a remainder as long as the others."""
    cost = evaluate(GEMM, square(dataflow), mapping)
    assert cost.compute_cycles == folds * steps
    assert cost.cycles == folds * (2 * 3 + 2 + steps - 2)
    assert cost.bound == ("array" if 6 * (folds - 1) > folds * steps else "compute")
    assert evaluate(GEMM, square(dataflow, overlapped=True), mapping).cycles == folds * steps + 3 + 2 - 2


def test_a_pass_goes_on_while_loops_leave_the_stationary_tile() -> None:
    """Inputs pass over two tiles of weights either five at a time or one after the other."""
    array = square("weight_stationary")
    inside, outside = (loops(dram=text, array="K2x C3y", register="") for text in ("K2 C2 N5", "N5 K2 C2"))
    assert evaluate(GEMM, array, inside).cycles == 4 * (6 + 5)
    assert evaluate(GEMM, array, outside).cycles == 20 * (6 + 1)


@pytest.mark.parametrize("dataflow", ["weight_stationary", "output_stationary", "input_stationary"])
def test_a_single_element_takes_a_cycle_to_be_loaded_and_nothing_more(dataflow: Dataflow) -> None:
    assert pass_overhead_cycles(dataflow, 1, 1) == 1
    assert pass_overhead_cycles(dataflow, 1, 1, overlapped=True) == 0
    assert pass_overhead_cycles(dataflow, 16, 8) == 2 * 16 + 8 - 2


@pytest.mark.parametrize(("double_buffered", "steps"), [(False, 8), (True, 0)])
def test_every_tile_takes_its_latency(double_buffered: bool, steps: int) -> None:
    """Two tiles of inputs, four of weights; four of sums leave, of which two had been there before.

    With two buffers the eight steps are over meanwhile.
    """
    buffer = Memory("buffer", ALL, double_buffered=double_buffered, latency_cycles=10.0)
    cost = evaluate(linear("fc", n=1, k=4, c=2), chip(buffer), loops(dram="C2 K2", buffer="K2"))
    assert cost.cycles == steps + 10 * (2 + 4 + 4 + 2)


def test_a_cut_off_tile_that_stays_takes_no_latency_again() -> None:
    """Of K in tiles of 1, 2 × 2 of them for three: around the last one the loop over N changes nothing."""
    op, nest_of = linear("fc", n=3, k=3, c=1), chip(Memory("buffer", frozenset({"weight"}), latency_cycles=10.0))
    mapping = Mapping((LevelMapping("dram", (Loop("K", 2), Loop("N", 3), Loop("K", 2))), LevelMapping("buffer", ())))
    assert Nest(op, nest_of, mapping).tile_changes("weight", 1) == 6 + 1
    assert evaluate(op, nest_of, mapping).cycles == 9 + 70


@pytest.mark.parametrize(
    ("double_buffered", "message"),
    [(False, "the compute takes 128.0 cycles with buffer"), (True, "buffer moves its w")],
)
def test_a_run_shorter_than_its_tiles_take_is_impossible(double_buffered: bool, message: str) -> None:
    buffer = Memory("buffer", ALL, double_buffered=double_buffered, latency_cycles=10.0)
    op, accelerator, mapping = linear("fc", n=1, k=4, c=2), chip(buffer), loops(dram="C2 K2", buffer="K2")
    cost, traffic = evaluate(op, accelerator, mapping), Traffic(Nest(op, accelerator, mapping))
    check_invariants(cost, Clock(traffic, accelerator))
    with pytest.raises(ImpossibleResult, match=message):
        check_invariants(replace(cost, cycles=cost.cycles - 1.0), Clock(traffic, accelerator))
