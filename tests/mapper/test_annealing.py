"""The annealing mapper finds good mappings, always the same ones, and never better than the bound."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.accel.kernel_nest import ProblemArrays, Stack, Table, entry
from dovetail.accel.mapping import LevelMapping, Mapping
from dovetail.errors import BadInput, Infeasible, UnknownName
from dovetail.mapper.base import Limits
from dovetail.mapper.baselines.annealing import AnnealingMapper
from dovetail.mapper.baselines.kernel_moves import Rules, change, rules_of
from dovetail.mapper.bounds import roofline
from dovetail.mapper.constraints import Constraints, Imperfect, LevelConstraint
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.sampling import everything_outside
from dovetail.models.op import ROLES, Op, conv2d, linear

ENERGY = {"read_energy_j_per_bit": 1e-12, "write_energy_j_per_bit": 1e-12}


def small_chip(words: int = 64) -> Accelerator:
    keeps = frozenset(ROLES)
    return Accelerator(
        "small",
        1e9,
        45.0,
        (
            Memory(
                "dram",
                keeps,
                read_bandwidth_bits_per_s=16e9,
                shared_port=True,
                read_energy_j_per_bit=8e-12,
                write_energy_j_per_bit=8e-12,
            ),
            Memory("buffer", keeps, size_bits=words * 8.0, double_buffered=True, **ENERGY),
            Array("array", (("x", 2),), {"x": frozenset({"K", "C"})}),
            Compute("mac", accumulator_bits=8, energy_j=1e-13),
        ),
    )


def exhaustive(op: Op, chip: Accelerator, objective: str) -> float:
    """The best objective over every exact tiling and order."""
    space = Mapspace(op, chip)
    problem, dims = space.problem, space.problem.dims
    splits = []
    for d, dim in enumerate(dims):
        bound = op.bounds[dim]
        splits.append(
            [
                f
                for f in itertools.product(range(1, bound + 1), repeat=3)
                if math.prod(f) == bound and (space.allowed[2, d] or f[2] == 1)
            ]
        )
    orders = list(itertools.permutations(range(len(dims))))
    points = [np.array(point).T for point in itertools.product(*splits) if math.prod(f[2] for f in point) <= 2]
    factors = np.repeat(np.array(points), len(orders) ** 2, axis=0)
    pairs = np.array([[a, b, range(len(dims))] for a in orders for b in orders])
    order = np.tile(pairs, (len(points), 1, 1))
    result = problem.evaluate(np.ascontiguousarray(factors), np.ascontiguousarray(order), threads=2)
    energy, latency = result[:, 0], result[:, 1] / chip.clock_hz
    return float({"energy": energy, "latency": latency, "edp": energy * latency}[objective].min())


@pytest.mark.parametrize("objective", ["energy", "latency", "edp"])
@pytest.mark.parametrize(
    "op",
    [linear("fc", n=4, k=8, c=6), linear("odd", n=9, k=4, c=8), conv2d("conv", k=4, c=2, p=4, q=1, r=3, s=1)],
    ids=lambda op: op.name,
)
def test_small_spaces_are_searched_to_their_best_exact_tiling(op: Op, objective: str) -> None:
    result = dt.best_mapping(op, small_chip(), objective, cache=False)
    assert result.cost.objective(objective) <= exhaustive(op, small_chip(), objective) * (1 + 1e-9)


def test_the_same_question_has_the_same_answer() -> None:
    op = conv2d("conv", k=16, c=8, p=14, q=14, r=3, s=3)
    first, second = (dt.best_mapping(op, dt.load_accelerator("eyeriss"), cache=False) for _ in range(2))
    assert first.mapping == second.mapping
    assert first.cost == second.cost


def test_threads_side_by_side_do_not_change_the_answer() -> None:
    space = Mapspace(conv2d("conv", k=16, c=8, p=14, q=14, r=3, s=3), dt.load_accelerator("eyeriss"))

    def ask(seed: int) -> Mapping:
        return AnnealingMapper().map(space, Objective.parse("edp"), seed, Limits(evaluations=4000)).mapping

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, [1, 2, 1, 2, 1, 2]))
    assert together == [ask(1), ask(2)] * 3


@pytest.mark.parametrize("chip", ["edge_tpu", "eyeriss", "gemmini", "nvdla", "simba", "tpu_v1"])
def test_every_shipped_accelerator_is_mapped_above_the_bound_and_within_its_memories(chip: str) -> None:
    accelerator = dt.load_accelerator(chip)
    for op in (
        conv2d("strided", k=64, c=3, p=56, q=56, r=7, s=7, stride=(2, 2)),
        conv2d("depthwise", g=96, k=1, c=1, p=28, q=28, r=3, s=3),
        linear("tokens", n=197, k=768, c=768),
    ):
        result = AnnealingMapper().map(Mapspace(op, accelerator), Objective.parse("edp"), seed=1)
        assert result.certificate.lower_bound <= result.cost.edp  # evaluate() has checked capacities and invariants
        assert result.certificate.gap >= 0.0


def test_a_longer_search_gains_little() -> None:
    """Reliable means that ten times the effort is not worth waiting for."""
    op = conv2d("conv", k=128, c=128, p=28, q=28, r=3, s=3)
    space, edp = Mapspace(op, dt.load_accelerator("edge_tpu")), Objective.parse("edp")
    quick = AnnealingMapper().map(space, edp, seed=3).cost.edp
    thorough = AnnealingMapper().map(space, edp, seed=1, limits=Limits(evaluations=200_000)).cost.edp
    assert quick <= 1.15 * thorough


def test_factors_that_fill_an_axis_together_are_found() -> None:
    """Fourteen instances take 7 x 2 of two dimensions; neither factor alone is worth a step there."""
    keeps, energy = frozenset(ROLES), {"read_energy_j_per_bit": 1e-12, "write_energy_j_per_bit": 1e-12}
    chip = Accelerator(
        "row", 1e9, 45.0, (Memory("dram", keeps, **energy), Array("array", (("x", 14), ("y", 15))), Compute("mac"))
    )
    op = conv2d("conv", k=10, c=6, p=7, q=1, r=1, s=1)
    result = dt.best_mapping(op, chip, "latency", mapper="annealing", cache=False)
    assert result.cost.compute_cycles == 7 * 10 * 6 // (14 * 15)


@entry
def one_change(pr: ProblemArrays, rules: Rules, loops: Stack, bypass: Table, seed: int) -> int:
    np.random.seed(seed)
    return change(pr, rules, loops, bypass)


@pytest.mark.parametrize("imperfect", ["none", "arrays", "all"])
@pytest.mark.parametrize("constrained", [False, True])
def test_every_move_stays_in_the_space(imperfect: Imperfect, constrained: bool) -> None:
    levels = {
        "dram": LevelConstraint(stationary="weight"),
        "buffer": LevelConstraint(factors={"K": 2}, order=("P", "C")),
        "array": LevelConstraint(axes={"y": LevelConstraint(factors={"R": 3})}),
    }
    op, chip = conv2d("conv", k=12, c=7, p=9, q=4, r=3, s=1), small_chip()
    wide = Array("array", (("x", 5), ("y", 4)))
    bypassed = replace(chip.memories[1], may_bypass=frozenset({"input"}))
    chip = replace(chip, levels=(chip.levels[0], bypassed, wide, Memory("register", frozenset(ROLES)), chip.levels[-1]))
    space = Mapspace(op, chip, Constraints(levels if constrained else {}, imperfect))
    rules, changes = rules_of(space, Objective.parse("edp"), 0.0), 0
    factors, order, bypass = everything_outside(space)
    loops = np.ascontiguousarray(np.stack([factors, order]))
    for seed in range(3000):
        before = loops.copy()
        outcome = one_change(space.problem.arrays, rules, loops, bypass, seed)
        if outcome < 0:
            loops = before
        assert space.contains(loops[0], loops[1], bypass)
        changes += outcome > 0
    assert changes > 500


def test_an_operator_that_fits_nowhere_names_the_memory_and_the_words() -> None:
    op = linear("fc", n=4, k=8, c=6, bits=64)
    with pytest.raises(Infeasible, match="buffer of 'small'") as caught:
        dt.best_mapping(op, small_chip(words=32), cache=False)
    assert caught.value.level == "buffer"
    assert caught.value.missing_words > 0


def test_an_unknown_objective_or_mapper_is_answered_with_the_nearest() -> None:
    op, chip = linear("fc", n=2, k=2, c=2), small_chip()
    with pytest.raises(BadInput, match="did you mean 'energy'"):
        dt.best_mapping(op, chip, "enrgy", cache=False)
    with pytest.raises(UnknownName, match="did you mean 'annealing'"):
        dt.best_mapping(op, chip, mapper="anealing", cache=False)


def test_the_roofline_is_reached_by_an_operator_of_one_step() -> None:
    op, chip = linear("one", n=1, k=1, c=1), small_chip()
    result = dt.best_mapping(op, chip, "latency", cache=False)
    assert result.mapping == Mapping(tuple(LevelMapping(name) for name in ("dram", "buffer", "array")))
    assert result.cost.latency_s >= roofline(op, chip, Objective.parse("latency")) > 0


def test_a_memory_too_small_for_all_tensors_is_bypassed_where_the_spec_allows() -> None:
    """One word holds a sum; the operands pass by."""
    chip = small_chip()
    buffer = replace(chip.memories[1], size_bits=8.0, double_buffered=False, may_bypass=frozenset(ROLES))
    chip = replace(chip, levels=(chip.levels[0], buffer, *chip.levels[2:]))
    result = dt.best_mapping(linear("fc", n=4, k=8, c=6), chip, cache=False)
    assert len(result.mapping.levels[1].bypass) >= 2
