"""The gradient mapper keeps every mapper's promises and descends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dovetail.accel import load_accelerator
from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.relaxed import RelaxedModel
from dovetail.errors import Infeasible
from dovetail.mapper.base import Limits
from dovetail.mapper.baselines.common import Search
from dovetail.mapper.baselines.gradient import PRESENT, GradientMapper, _Logs, _loss, _onto_simplex, _starts
from dovetail.mapper.baselines.random_search import RandomMapper
from dovetail.mapper.constraints import Constraints, LevelConstraint
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.models.op import ROLES, conv2d, linear
from dovetail.testing import check_mapper

EDP = Objective.parse("edp")
CONV = conv2d("conv", k=32, c=32, p=28, q=28, r=3, s=3)


class Hasty(GradientMapper):
    """Few steps of descent."""

    def __init__(self) -> None:
        super().__init__(steps=4, rounds=2)


def test_the_gradient_mapper_keeps_every_promise() -> None:
    check_mapper(Hasty)


def test_descent_beats_as_many_random_points() -> None:
    space = Mapspace(CONV, load_accelerator("eyeriss"))
    limits = Limits(evaluations=5000)
    descended = GradientMapper().map(space, EDP, 1, limits)
    drawn = RandomMapper().map(space, EDP, 1, limits)
    assert descended.certificate.evaluated == drawn.certificate.evaluated == 5000
    assert descended.certificate.optimum < 0.9 * drawn.certificate.optimum


def test_descent_lowers_the_objective_of_the_relaxed_points() -> None:

    space = Mapspace(CONV, load_accelerator("simba"))
    search = Search(space, EDP, Limits(evaluations=100_000))
    model = RelaxedModel(space.problem, least=PRESENT)
    points = _starts(search, 16, np.random.default_rng(0))
    after = torch.as_tensor(GradientMapper(steps=40)._descend(search, model, points))
    order, bypass = torch.as_tensor(points[1]), torch.as_tensor(points[2])
    before = _loss(model.evaluate(torch.as_tensor(points[0]).double(), order, bypass), model, search)
    reached = _loss(model.evaluate(after, order, bypass), model, search)
    assert (reached < before).double().mean() > 0.8
    assert (reached - before).mean() < -0.1


def test_relaxed_factors_keep_to_bounds_arrays_and_constraints() -> None:
    fixed = Constraints({"glb": LevelConstraint(factors={"K": 4})})
    space = Mapspace(CONV, load_accelerator("eyeriss"), fixed)
    logs = _Logs(space, "cpu")
    wild = 3.0 * torch.randn((50, *space.fixed.shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    factors = logs.factors(logs.projected(wild))
    assert torch.allclose(factors.prod(1), torch.as_tensor(space.bounds).double().expand(50, -1))
    assert (
        factors[:, space.spatial].prod(2) <= torch.as_tensor(space.extents[space.spatial]).double() * (1 + 1e-9)
    ).all()
    assert (factors >= 1.0 - 1e-12).all()
    named = [space.problem.places[slot.place].name for slot in space.problem.slots]
    assert torch.allclose(factors[:, named.index("glb"), space.problem.dims.index("K")], torch.tensor(4.0).double())


def test_projection_is_the_nearest_point_within_the_sum() -> None:
    values = torch.tensor([[3.0, 1.0, 0.2], [0.1, 0.2, 0.3]], dtype=torch.float64)
    found = _onto_simplex(values, torch.tensor([2.0, 2.0], dtype=torch.float64))
    assert found.tolist() == [pytest.approx([2.0, 0.0, 0.0]), pytest.approx([0.1, 0.2, 0.3])]


def test_threads_of_torch_are_left_as_they_are() -> None:
    before = torch.get_num_threads()
    GradientMapper().map(
        Mapspace(linear("gemm", n=16, k=16, c=16), load_accelerator("gemmini")), EDP, 1, Limits(evaluations=200)
    )
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_a_spec_without_energies_is_descended_without_them(objective: str) -> None:
    levels = (Memory("dram", frozenset(ROLES)), Memory("buffer", frozenset(ROLES), size_bits=4096.0), Compute("mac"))
    space = Mapspace(linear("gemm", n=8, k=8, c=8), Accelerator("free", 1e9, 45.0, levels))
    result = GradientMapper().map(space, Objective.parse(objective), 1, Limits(evaluations=300))
    assert result.cost.energy_j == 0.0
    assert result.cost.cycles >= 512


def test_what_fits_nowhere_is_said() -> None:
    eyeriss = load_accelerator("eyeriss")
    levels = tuple(replace(one, size_bits=8.0) if one.name == "glb" else one for one in eyeriss.levels)
    with pytest.raises(Infeasible, match="words too many"):
        GradientMapper().map(Mapspace(CONV, replace(eyeriss, levels=levels)), EDP, 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_can_run_the_descent() -> None:
    space = Mapspace(CONV, load_accelerator("eyeriss"))
    result = GradientMapper(device="cuda").map(space, EDP, 1, Limits(evaluations=2000))
    assert math.isfinite(result.certificate.optimum)
