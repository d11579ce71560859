"""Vectors of what is not zero, zero words of a code as steps, and instances behind queues: beside walks over masks."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from nests import random_case
from sparse_cases import sparse, with_zeros

from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory, Packed, Skipping
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.formats import Format
from dovetail.accel.queues import queued
from dovetail.accel.skipping import Savings
from dovetail.accel.sparsity import kept_bits, stored_bits, stored_words
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES, Op, linear
from dovetail.models.patterns import Measured

RUNS = Format("run_length", index_bits=2, fiber=16, offset_bits=5, along="K")


def chip(skipping: Skipping, fmt: Format | None = None) -> Accelerator:
    compression = {"weight": fmt} if fmt else {}
    memory = Memory("memory", frozenset(ROLES), compression=compression)
    array = Array("array", (("x", 4),), multicast=frozenset({"input"}))
    return Accelerator("chip", 1e9, 45.0, (memory, array, Compute("mac", skipping=skipping)))


def matrix(weight: np.ndarray) -> Op:
    """A product with one row of inputs and weights [K, C] as they are."""
    rows, columns = weight.shape
    op = linear("fc", n=1, k=rows, c=columns)
    first, second, result = op.tensors
    return replace(op, tensors=(first, replace(second, pattern=Measured.of(weight, ("K", "C"))), result))


# ---- packed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [1, 3, 4, 16])
def test_packed_words_take_the_vectors_that_a_walk_counts(lanes: int) -> None:
    weight = np.random.default_rng(lanes).random((64, 12)) < 0.3
    packed = {"weight": Packed({"K": 16}, lanes)}
    taken = Savings(matrix(weight), chip(Skipping(frozenset({"weight"}), packed=packed))).taken("weight")
    vectors = sum(
        math.ceil(int(tile.sum()) / lanes) for column in weight.T for tile in column.reshape(-1, 16)
    )  # fmt: skip
    assert taken == pytest.approx(vectors / (weight.size / 16 * math.ceil(16 / lanes)), rel=1e-12)


def test_random_zeros_are_packed_as_their_mean_over_masks() -> None:
    op = linear("fc", n=1, k=64, c=64)
    half = replace(op, tensors=(op.tensors[0], replace(op.tensors[1], density=0.4), op.tensors[2]))
    savings = Savings(half, chip(Skipping(frozenset({"weight"}), packed={"weight": Packed({"K": 32}, 8)})))
    rng, drawn = np.random.default_rng(0), []
    for _ in range(300):
        mask = np.zeros(64 * 64, dtype=bool)
        mask[rng.choice(mask.size, round(0.4 * mask.size), replace=False)] = True
        drawn.append(np.ceil(mask.reshape(-1, 32).sum(axis=1) / 8).mean() / 4)
    error = 4 * float(np.std(drawn)) / math.sqrt(len(drawn))
    assert savings.taken("weight") == pytest.approx(float(np.mean(drawn)), abs=error)
    assert savings.computed == pytest.approx(0.4)  # idle lanes multiply nothing
    assert 0.4 < savings.steps < 1.0


def test_dense_words_fill_every_vector() -> None:
    op = linear("fc", n=1, k=20, c=8)
    savings = Savings(op, chip(Skipping(frozenset({"weight"}), packed={"weight": Packed({"K": 16}, 4)})))
    assert savings.steps == savings.computed == savings.least_time == 1.0


# ---- zero words of a code ------------------------------------------------------------------------------------------


def entries(column: np.ndarray, reach: int) -> int:
    """Words that a run-length code with runs below ``reach`` stores of a list that a pointer ends."""
    stored = zeros = 0
    for word in column:
        if word:
            stored += 1 + zeros // reach
            zeros = 0
        else:
            zeros += 1
    return stored


@pytest.mark.parametrize("density", [0.05, 0.2, 0.6])
def test_zero_words_that_a_code_inserts_are_steps(density: float) -> None:
    weight = np.random.default_rng(7).random((48, 40)) < density
    op, always = matrix(weight), replace(RUNS, always=True)
    savings = Savings(op, chip(Skipping(frozenset({"weight"}), padded=frozenset({"weight"})), always))
    walked = sum(entries(part, 4) for column in weight.T for part in column.reshape(-1, 16))
    assert savings.taken("weight") == pytest.approx(walked / weight.size, rel=1e-12)
    assert stored_words(savings.accelerator.memories[0], op, "weight") == pytest.approx(walked / weight.size, rel=1e-12)


def test_words_that_stay_plain_are_all_steps() -> None:
    weight = np.random.default_rng(7).random((48, 40)) < 0.95
    savings = Savings(matrix(weight), chip(Skipping(frozenset({"weight"}), padded=frozenset({"weight"})), RUNS))
    assert savings.taken("weight") == 1.0


def test_a_code_that_is_always_taken_may_be_longer_than_plain_words() -> None:
    op = matrix(np.ones((32, 32), dtype=bool))
    plain = Memory("memory", frozenset(ROLES), compression={"weight": RUNS}, worst_case=True)
    coded = replace(plain, compression={"weight": replace(RUNS, always=True)})
    assert stored_bits(plain, op, "weight") == kept_bits(plain, op, "weight") == 8
    assert stored_bits(coded, op, "weight") == kept_bits(coded, op, "weight") == 8 + 2 + 5 / 16


# ---- queues --------------------------------------------------------------------------------------------------------


def by_events(work: np.ndarray, queue: int) -> float:
    """Cycles of instances with queues, stepped cycle by cycle; ``work[window, instance]`` cycles each."""
    windows, instances = work.shape
    waiting = [deque[int]() for _ in range(instances)]
    busy = np.zeros(instances, dtype=int)
    sent = done = cycle = 0
    while done < windows * instances:
        for one in range(instances):  # take the next window off the queue, then work on it
            if busy[one] == 0 and waiting[one]:
                busy[one] = max(int(work[waiting[one].popleft(), one]), 1)
        if sent < windows and all(len(queued_up) < queue for queued_up in waiting):
            for queued_up in waiting:
                queued_up.append(sent)
            sent += 1
        for one in range(instances):
            if busy[one]:
                busy[one] -= 1
                done += busy[one] == 0
        cycle += 1
    return float(cycle)


@pytest.mark.parametrize(
    ("window", "share", "queue", "instances"), [(16, 0.25, 2, 4), (10, 0.1, 8, 8), (64, 0.05, 4, 3)]
)
def test_queues_cost_what_stepping_through_cycles_finds(window: int, share: float, queue: int, instances: int) -> None:
    rng, windows = np.random.default_rng(3), 3000
    stepped = by_events(rng.binomial(window, share, (windows, instances)), queue) / windows / window
    assert queued(window, share, queue, instances) == pytest.approx(stepped, rel=0.03)


def test_longer_queues_and_fewer_instances_wait_less() -> None:
    for queue in (1, 2, 4, 8, 16):
        assert queued(64, 0.1, queue, 16) > queued(64, 0.1, 2 * queue, 16) >= 0.1
    for instances in (2, 4, 8):
        assert queued(64, 0.1, 4, instances) < queued(64, 0.1, 4, 2 * instances)
    assert queued(64, 0.5, 4, 1) == pytest.approx(0.5, rel=0.01)


def test_an_instance_takes_a_cycle_for_a_window_without_work() -> None:
    assert queued(4, 0.001, 8, 1) == pytest.approx(0.25, rel=0.01)


def test_a_queue_lengthens_steps_that_are_left_to_chance_alone() -> None:
    op = linear("fc", n=1, k=64, c=64)
    half = replace(op, tensors=(*(replace(tensor, density=0.5) for tensor in op.tensors[:2]), op.tensors[2]))
    free = Skipping(frozenset({"input", "weight"}), common=frozenset({"input"}), window=16)
    behind = replace(free, queue=4)
    assert Savings(half, chip(behind)).least_time == pytest.approx(0.5 * queued(16, 0.5, 4, 4), rel=1e-12)
    assert Savings(half, chip(behind)).steps == Savings(half, chip(free)).steps == 0.25
    assert Savings(op, chip(behind)).least_time == 1.0
    together = replace(behind, common=frozenset({"input", "weight"}))
    assert Savings(half, chip(together)).least_time == 0.25


# ---- in every form of the model ------------------------------------------------------------------------------------


def random_sparse(seed: int) -> tuple[Op, Accelerator, Problem, tuple[np.ndarray, np.ndarray, np.ndarray]] | None:
    op, accelerator, mapping = random_case(seed)
    rng = random.Random(seed)
    op, accelerator = with_zeros(op, rng), sparse(accelerator, rng)
    skipping = Skipping(
        frozenset({"input", "weight"}),
        common=frozenset({"input"} if rng.random() < 0.5 else ()),
        packed={"input": Packed({"C": 4}, 2), "weight": Packed({"K": 4, "C": 2}, rng.choice([2, 3]))},
        padded=frozenset({"weight"}),
        window=rng.choice([4, 16]),
        queue=rng.choice([0, 3]),
    )
    skipping = skipping if rng.random() < 0.5 else replace(skipping, packed={})
    levels = tuple(
        replace(level, skipping=skipping) if isinstance(level, Compute) else level for level in accelerator.levels
    )
    accelerator = replace(accelerator, levels=levels)
    try:
        problem = Problem(op, accelerator)
        return op, accelerator, problem, problem.from_mapping(mapping)
    except BadInput:
        return None


def test_bulk_costs_equal_the_reference() -> None:
    compared = 0
    for op, accelerator, problem, matrices in filter(None, map(random_sparse, range(200))):
        energy, cycles, steps = problem.evaluate(*(matrix[None] for matrix in matrices))[0]
        try:
            cost = evaluate(op, accelerator, problem.to_mapping(*matrices))
        except Infeasible:
            assert math.isinf(energy)
            continue
        compared += 1
        assert (energy, cycles, steps) == pytest.approx((cost.energy_j, cost.cycles, cost.compute_cycles), rel=1e-12)
    assert compared > 50
