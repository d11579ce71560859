"""The compiled model equals the readable one."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from nests import random_case

from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.kernel import evaluate_one
from dovetail.accel.kernel_nest import HOPS0, workspace
from dovetail.accel.nest import Nest
from dovetail.accel.traffic import Traffic
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES

COUNTS = ("reads", "fills", "updates", "drains", "partial_updates", "partial_drains")  # as the compiled model has them


def dressed(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """The accelerator with random sizes, bandwidths, ports, widths and energies."""
    levels = []
    for level in accelerator.levels:
        if isinstance(level, Memory):
            level = replace(
                level,
                size_bits=rng.choice([math.inf, 400.0, 2000.0]) if level.name != "dram" else math.inf,
                read_bandwidth_bits_per_s=rng.choice([math.inf, rng.uniform(1e9, 1e11)]),
                write_bandwidth_bits_per_s=rng.choice([math.inf, rng.uniform(1e9, 1e11)]),
                shared_port=rng.random() < 0.3,
                double_buffered=rng.random() < 0.5,
                read_energy_j_per_bit=rng.random(),
                write_energy_j_per_bit=rng.random(),
                word_bits={} if rng.random() < 0.7 else {"output": 16},
            )
        elif isinstance(level, Array):
            level = replace(level, hop_energy_j_per_bit=rng.random())
        elif isinstance(level, Compute):
            level = replace(level, energy_j=rng.random(), leakage_w=rng.random(), pipeline_cycles=3)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


@pytest.mark.parametrize("block", range(10))
def test_bulk_costs_equal_the_reference_on_random_nests(block: int) -> None:
    compared = 0
    for seed in range(block * 200, block * 200 + 200):
        op, accelerator, mapping = random_case(seed)
        accelerator = dressed(accelerator, random.Random(seed))
        problem = Problem(op, accelerator)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
        except BadInput:
            continue  # a dimension split within one memory: only the reference takes it
        compared += 1
        energy, cycles, steps = problem.evaluate(factors[None], order[None], bypass[None])[0]
        try:
            cost = evaluate(op, accelerator, mapping)
        except Infeasible:
            assert math.isinf(energy), seed
            continue
        expected = (cost.energy_j, cost.cycles, cost.compute_cycles)
        assert (energy, cycles, steps) == pytest.approx(expected, rel=1e-12, abs=0), seed
        assert problem.to_mapping(factors, order, bypass).check(op, accelerator) is None
    assert compared > 50


def test_every_count_of_the_compiled_model_equals_the_reference() -> None:
    compared = 0
    for seed in range(2000, 2800):
        op, accelerator, mapping = random_case(seed)
        problem, ws = Problem(op, accelerator), cast("Any", workspace())
        try:
            matrices = problem.from_mapping(mapping)
        except BadInput:
            continue
        compared += 1
        evaluate_one(problem.arrays, *matrices, ws)
        traffic = Traffic(Nest(op, accelerator, mapping))
        for place in range(len(problem.places)):
            for role, name in enumerate(ROLES):
                count = traffic.counts[place, name]
                expected = [getattr(count, column) for column in COUNTS]
                assert list(ws["counts"][place, role]) == pytest.approx(expected, rel=1e-12, abs=0), (seed, place, name)
                assert ws["places"][place, HOPS0 + role] == traffic.hops[place, name], (seed, place, name)
    assert compared > 200


def large_case(seed: int) -> tuple[Problem, tuple[np.ndarray, np.ndarray, np.ndarray]] | None:
    op, accelerator, mapping = random_case(seed)
    problem = Problem(op, accelerator)
    try:
        return (problem, problem.from_mapping(mapping)) if op.macs > 500 else None
    except BadInput:
        return None


def test_bulk_result_does_not_depend_on_threads() -> None:
    problem, matrices = next(filter(None, map(large_case, range(99))))
    batch = [np.repeat(matrix[None], 7, axis=0) for matrix in matrices]
    assert np.array_equal(problem.evaluate(*batch, threads=1), problem.evaluate(*batch, threads=2))


def test_a_batch_longer_than_a_chunk_costs_each_row_like_alone() -> None:
    problem, matrices = next(filter(None, map(large_case, range(99))))
    alone = problem.evaluate(*(matrix[None] for matrix in matrices))
    batch = [np.repeat(matrix[None], 5000, axis=0) for matrix in matrices]
    assert np.array_equal(problem.evaluate(*batch), np.repeat(alone, 5000, axis=0))
    kept = problem.evaluate(*batch[:2], np.zeros_like(batch[2]))
    assert np.array_equal(problem.evaluate(*batch[:2]), kept)


def test_a_batch_of_another_shape_is_refused() -> None:
    problem, (factors, order, bypass) = next(filter(None, map(large_case, range(99))))
    slots, dims = factors.shape
    with pytest.raises(BadInput, match=rf"order: \[1, {slots - 1}, {dims}\].* give \[1, {slots}, {dims}\]"):
        problem.evaluate(factors[None], order[None, 1:], bypass[None])
    with pytest.raises(BadInput, match="bypass"):
        problem.evaluate(factors[None], order[None], bypass)
