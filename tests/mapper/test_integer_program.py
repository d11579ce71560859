"""The integer program foresees what its mappings cost, and its mapper keeps every mapper's promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dovetail.accel import load_accelerator
from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.analytic import evaluate
from dovetail.mapper.base import Limits
from dovetail.mapper.baselines.integer_program import ROOMS, IntegerProgramMapper, _sizes, _smooth
from dovetail.mapper.baselines.linear_model import Program
from dovetail.mapper.baselines.random_search import RandomMapper
from dovetail.mapper.constraints import Constraints
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.sampling import repair
from dovetail.models.op import ROLES, conv2d, linear
from dovetail.testing import check_mapper

EDP = Objective.parse("edp")


class Hasty(IntegerProgramMapper):
    """Half the programs."""

    def __init__(self) -> None:
        super().__init__(rounds=1, rooms=(1.0, 1.5))


def test_the_milp_mapper_keeps_every_promise() -> None:
    check_mapper(Hasty)


@pytest.mark.parametrize("name", ["eyeriss", "edge_tpu", "simba", "gemmini"])
def test_energy_and_cycles_come_out_as_the_program_foresees(name: str) -> None:
    op, accelerator = linear("gemm", n=64, k=128, c=256), load_accelerator(name)
    space = Mapspace(op, accelerator)
    for room in ROOMS[:2]:
        program = Program(space, tuple(int(bound) for bound in space.bounds), room)
        proposal = program.solve(EDP, None, math.inf)
        assert proposal is not None
        assert space.contains(*(part[0] for part in proposal))
        cost = evaluate(op, accelerator, space.to_mapping(*(part[0] for part in proposal)))
        energy_j, cycles = program.foreseen
        standing = sum(cost.energy.get((name, ""), 0.0) for name in ("leakage", "clock"))
        assert energy_j == pytest.approx(cost.energy_j - standing, rel=0.2)
        assert cycles == pytest.approx(cost.cycles, rel=0.35)


def test_a_few_mappings_beat_a_thousand_random_ones() -> None:
    space = Mapspace(conv2d("conv", k=64, c=32, p=28, q=28, r=3, s=3), load_accelerator("simba"))
    solved = IntegerProgramMapper().map(space, EDP, 1)
    drawn = RandomMapper().map(space, EDP, 1, Limits(evaluations=1000))
    assert solved.certificate.evaluated < 400
    assert solved.certificate.optimum < 0.9 * drawn.certificate.optimum


@pytest.mark.parametrize("objective", ["latency", "energy", "energy + 3*latency"])
def test_a_spec_without_energies_can_be_mapped(objective: str) -> None:
    levels = (Memory("dram", frozenset(ROLES)), Memory("buffer", frozenset(ROLES), size_bits=4096.0), Compute("mac"))
    space = Mapspace(linear("gemm", n=8, k=8, c=8), Accelerator("free", 1e9, 45.0, levels))
    result = IntegerProgramMapper().map(space, Objective.parse(objective), 1)
    assert result.cost.energy_j == 0.0
    assert result.cost.cycles >= 512


def test_dimensions_that_fit_no_array_are_padded() -> None:
    space = Mapspace(linear("gemm", n=13, k=101, c=96), load_accelerator("gemmini"))
    sizes = list(_sizes(space))
    assert sizes[0] == tuple(int(bound) for bound in space.bounds)
    assert (16, 108, 96) in sizes
    assert all(size >= bound for one in sizes for size, bound in zip(one, space.bounds, strict=True))
    assert len(list(_sizes(Mapspace(space.op, space.accelerator, Constraints(imperfect="none"))))) == 1


def test_smooth_sizes_are_the_least_without_large_primes() -> None:
    smooth = sorted(2**i * 3**j for i, j in itertools.product(range(12), range(8)))
    for bound in range(1, 700):
        assert _smooth(bound) == next(size for size in smooth if size >= bound)


def test_proposals_fit_the_memories_without_repair() -> None:
    space = Mapspace(conv2d("conv", k=48, c=24, p=14, q=14, r=3, s=3), load_accelerator("eyeriss"))
    for room in ROOMS[:2]:
        proposal = Program(space, tuple(int(bound) for bound in space.bounds), room).solve(EDP, None, math.inf)
        assert proposal is not None
        repaired = repair(space, *proposal, np.random.default_rng(0))
        assert all(np.array_equal(one, other) for one, other in zip(proposal, repaired, strict=True))
        assert np.isfinite(space.problem.evaluate(*repaired)).all()
