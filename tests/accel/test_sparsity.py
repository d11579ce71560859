"""Zeros: run-length codes beside an encoder, gating, and the same figures in every form of the model."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from nests import random_case
from sparse_cases import sparse, with_zeros

from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.formats import RUN_LENGTH
from dovetail.accel.skipping import Savings
from dovetail.accel.sparsity import stored_bits
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES, Op, conv2d, linear


def test_words_whose_code_would_be_longer_stay_plain() -> None:
    coded = Memory("dram", frozenset(ROLES), compression={"input": RUN_LENGTH})
    dense = linear("fc", n=4, k=4, c=4, bits=16)
    half = replace(dense, tensors=(*(replace(tensor, density=0.5) for tensor in dense.tensors[:2]), dense.tensors[2]))
    assert stored_bits(coded, dense, "input") == 16
    assert stored_bits(coded, half, "input") == pytest.approx(64 / 3 / 2, rel=1e-6)
    assert stored_bits(coded, half, "weight") == 16


def sparse_case(seed: int) -> tuple[Op, Accelerator, Problem, tuple[np.ndarray, np.ndarray, np.ndarray]] | None:
    op, accelerator, mapping = random_case(seed)
    rng = random.Random(seed)
    op, accelerator = with_zeros(op, rng), sparse(accelerator, rng)
    problem = Problem(op, accelerator)
    try:
        return op, accelerator, problem, problem.from_mapping(mapping)
    except BadInput:
        return None


def test_bulk_costs_of_sparse_operators_equal_the_reference() -> None:
    compared = 0
    for case in filter(None, map(sparse_case, range(1000))):
        op, accelerator, problem, matrices = case
        energy, cycles, steps = problem.evaluate(*(matrix[None] for matrix in matrices))[0]
        try:
            cost = evaluate(op, accelerator, problem.to_mapping(*matrices))
        except Infeasible:
            assert math.isinf(energy)
            continue
        compared += 1
        expected = (cost.energy_j, cost.cycles, cost.compute_cycles)
        assert (energy, cycles, steps) == pytest.approx(expected, rel=1e-12, abs=0)
        assert math.fsum(cost.energy.values()) == pytest.approx(cost.energy_j, rel=1e-12)
        assert 0 < cost.effectual_macs <= op.macs
    assert compared > 300


def test_gating_saves_the_multiplications_and_reads_of_zeros_and_no_time() -> None:
    op = conv2d("conv", k=4, c=3, p=5, q=5, r=3, s=3, bits=16)
    half = replace(op, tensors=(replace(op.tensors[0], density=0.5), *op.tensors[1:]))
    spad = Memory("spad", frozenset(ROLES), read_energy_j_per_bit=1.0)
    chip = Accelerator("one", 1e9, 65.0, (Memory("dram", frozenset(ROLES)), spad, Compute("mac", 16, 16, energy_j=1.0)))
    gated = replace(chip, levels=(*chip.levels[:2], replace(chip.compute, gating=frozenset({"input"}))))
    problem = Problem(op, chip)
    factors = np.ones((len(problem.slots), len(problem.dims)), np.int64)
    factors[-1] = [op.bounds[dim] for dim in problem.dims]
    mapping = problem.to_mapping(factors, np.tile(np.arange(len(problem.dims)), (len(problem.slots), 1)))
    plain, saved = evaluate(half, chip, mapping), evaluate(half, gated, mapping)
    assert saved.energy["mac", ""] == plain.energy["mac", ""] / 2 == op.macs / 2
    assert saved.energy["spad", "weight"] == plain.energy["spad", "weight"] / 2 == op.macs * 8
    assert saved.energy["spad", "input"] == plain.energy["spad", "input"]
    drained = op.words("output") * 16  # by the memory above, whatever the multipliers do
    assert saved.energy["spad", "output"] == (plain.energy["spad", "output"] - drained) / 2 + drained
    assert saved.cycles == plain.cycles
    assert Savings(half, gated).computed == Savings(half, gated).used(spad, "weight") == 0.5
