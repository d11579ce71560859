"""Every shipped mapper keeps the promises of the protocol, and each baseline does what it is named after."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.mapping import Loop
from dovetail.mapper.base import Limits
from dovetail.mapper.baselines.bandit import Bandit
from dovetail.mapper.baselines.common import values
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.registry import mapper_class, mapper_names
from dovetail.models.op import ROLES, conv2d, linear
from dovetail.testing import check_mapper

BASELINES = ("annealing", "genetic", "lns", "random")
CONV = conv2d("conv", k=32, c=16, p=14, q=14, r=3, s=3)


# hasty twins of "gradient" and "milp" have tests of their own
@pytest.mark.parametrize("name", [name for name in mapper_names() if name not in ("gradient", "milp", "plain")])
def test_every_registered_mapper_keeps_its_promises(name: str) -> None:
    check_mapper(mapper_class(name))


@pytest.mark.parametrize("name", BASELINES)
def test_the_budget_is_spent_but_never_exceeded(name: str) -> None:
    space = Mapspace(CONV, dt.load_accelerator("eyeriss"))
    spent = mapper_class(name)().map(space, Objective.parse("edp"), 1, Limits(evaluations=1000)).certificate.evaluated
    assert 800 <= spent <= 1000


@pytest.mark.parametrize("name", ["annealing", "genetic", "lns"])
def test_learning_from_what_was_costed_beats_drawing_at_random(name: str) -> None:
    space, edp = Mapspace(CONV, dt.load_accelerator("eyeriss")), Objective.parse("edp")
    limits = Limits(evaluations=5000)
    drawn = mapper_class("random")().map(space, edp, 1, limits).certificate.optimum
    assert mapper_class(name)().map(space, edp, 1, limits).certificate.optimum < 0.8 * drawn


@pytest.mark.parametrize("name", BASELINES)
def test_a_gap_that_is_reached_ends_the_search(name: str) -> None:
    space = Mapspace(CONV, dt.load_accelerator("edge_tpu"))
    result = mapper_class(name)().map(space, Objective.parse("energy"), 1, Limits(gap=0.98))
    assert result.certificate.gap <= 0.98
    assert result.certificate.evaluated < 2000


@pytest.mark.parametrize("name", BASELINES)
def test_the_history_begins_with_the_first_mapping_and_counts_upwards(name: str) -> None:
    space = Mapspace(CONV, dt.load_accelerator("gemmini"))
    result = mapper_class(name)().map(space, Objective.parse("edp"), 1, Limits(evaluations=500))
    counts = [count for count, _ in result.history]
    assert counts[0] == 1
    assert len(set(counts)) == len(counts)
    assert counts[-1] <= result.certificate.evaluated


@pytest.mark.parametrize("name", BASELINES)
def test_what_fits_only_with_the_reduction_inside_is_found(name: str) -> None:
    """Two words of each operand and a finished sum take 40 bits, one of each and a partial sum 48."""
    keeps = frozenset(ROLES)
    memories = (Memory("dram", keeps), Memory("buffer", keeps, size_bits=40.0), Memory("register", keeps))
    levels = (*memories, Compute("mac", accumulator_bits=32))
    op = linear("fc", n=4, k=6, c=2)
    result = dt.best_mapping(op, Accelerator("narrow", 1e9, 45.0, levels), "edp", mapper=name, cache=False)
    assert Loop("C", 2) in result.mapping.levels[2].loops


def test_a_mapper_is_registered_under_its_own_name() -> None:
    assert [mapper_class(name).name for name in mapper_names()] == list(mapper_names())


def test_objectives_of_arrays_are_those_of_numbers() -> None:
    energy, latency = np.asarray([1e-3, 2e-4, np.inf]), np.asarray([1e-5, 3e-4, np.nan])
    for text in ("energy", "latency", "edp", "ed2p", "energy^0.5*latency", "2*energy + 3*latency"):
        objective = Objective.parse(text)
        found = values(objective, energy, latency)
        assert found[:2].tolist() == pytest.approx([objective.value(1e-3, 1e-5), objective.value(2e-4, 3e-4)])
        assert found[2] == np.inf


def test_a_bandit_comes_to_prefer_the_arm_that_pays_and_notices_when_it_no_longer_does() -> None:
    rng = np.random.default_rng(0)
    bandit = Bandit(3, rng, memory=40)
    for paying in (1, 2):
        plays = []
        for _ in range(300):
            arm = bandit.choose()
            bandit.learn(arm, float(rng.random() < (0.8 if arm == paying else 0.1)))
            plays.append(arm)
        assert plays[-100:].count(paying) > 60
