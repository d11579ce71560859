"""The front is the front: held against every point of small mapspaces."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from exhaustive import points
from test_optimal import CHIPS, CONSTRAINED, OPS, RULES, array, chip, dram, memory

import dovetail as dt
from dovetail.errors import BadInput, Infeasible
from dovetail.mapper.base import Limits, MappingResult
from dovetail.mapper.constraints import Constraints
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.optimal import mapper
from dovetail.mapper.pareto import pareto_front
from dovetail.mapper.search import best_mapping
from dovetail.models.op import Op, linear

ROUNDING = 1e-9
# Parallel work takes less time and, as words go far on dear wires, more energy.
FAR = chip(
    memory("dram", pj=2.0, bandwidth=(8, 32)),
    array(4, 3, hop_pj=9.0, multicast="iw"),
    memory("register", 12, pj=1.5, bandwidth=(24, 8)),
    memory("inner", 5, pj=0.1, bandwidth=(24, 4)),
)
ALL_CHIPS = {**CHIPS, "far multipliers": FAR}
CASES = [(op, "far multipliers") for op in OPS] + [
    ("gemv", "two memories"),
    ("odd gemm", "three memories"),
    ("gemv", "four memories"),
    ("strided", "two axes"),
    ("row", "axes of their own dimensions"),
    ("gemv", "a memory for each tensor below an array"),
    ("strided", "windows along a diagonal"),
    ("strided further", "neither multicast nor reduction"),
    ("dilated", "arrays in two places"),
    ("gemv", "halting while it fills"),
    ("depthwise", "leaking"),
    ("gemm", "sums wider than words"),
    ("transposed", "words of several widths"),
    ("gemm", "open bypasses"),
    ("gemm", "one memory over an array"),
]
LONG = OPS["gemv"], FAR


def brute_front(space: Mapspace) -> np.ndarray:
    """[n, 2] cycles and energy of all points that none beats in both, fastest first; equal to 1e-9 is equal."""
    costs = np.concatenate([space.problem.evaluate(*batch)[:, 1::-1] for batch in points(space)])
    costs = np.unique(costs[np.isfinite(costs).all(axis=1)], axis=0)
    front: list[np.ndarray] = []
    for pair in costs:  # by rising cycles, then energy
        if front and pair[0] <= front[-1][0] * (1.0 + ROUNDING) and pair[1] < front[-1][1]:
            front.pop()  # as fast, but for rounding, and more frugal
        if not front or pair[1] < front[-1][1] * (1.0 - ROUNDING):
            front.append(pair)
    return np.asarray(front).reshape(-1, 2)


def pairs(front: list[MappingResult]) -> np.ndarray:
    return np.asarray([(one.cost.cycles, one.cost.energy_j) for one in front])


def whole(op: str, accelerator: str) -> list[MappingResult]:
    return pareto_front(OPS[op], ALL_CHIPS[accelerator], cache=False)


@pytest.mark.parametrize(("op", "accelerator"), CASES)
def test_the_front_is_that_of_all_points(op: str, accelerator: str) -> None:
    front = whole(op, accelerator)
    assert pairs(front) == pytest.approx(brute_front(Mapspace(OPS[op], ALL_CHIPS[accelerator])), rel=ROUNDING, abs=0.0)
    assert all(one.certificate.proven for one in front)
    assert [one.certificate.optimum for one in front] == [one.cost.energy_j for one in front]


@pytest.mark.parametrize("rule", RULES)
def test_the_front_keeps_to_the_constraints(rule: str) -> None:
    op, accelerator = CONSTRAINED["row"], CHIPS["two axes"]
    front = pareto_front(op, accelerator, RULES[rule], cache=False)
    expected = brute_front(Mapspace(op, accelerator, RULES[rule]))
    assert pairs(front) == pytest.approx(expected, rel=ROUNDING, abs=0.0)


@pytest.mark.parametrize(("op", "accelerator"), [("gemv", "far multipliers"), ("dilated", "arrays in two places")])
def test_the_front_falls_and_holds_every_optimum(op: str, accelerator: str) -> None:
    front = whole(op, accelerator)
    assert len(front) > 1
    for fast, frugal in pairwise(front):
        assert fast.cost.latency_s < frugal.cost.latency_s
        assert fast.cost.energy_j > frugal.cost.energy_j
    for objective, values in {
        "latency": [one.cost.latency_s for one in front],
        "energy": [one.cost.energy_j for one in front],
        "edp": [one.cost.edp for one in front],
    }.items():
        best = best_mapping(OPS[op], ALL_CHIPS[accelerator], objective, cache=False).certificate.optimum
        assert min(values) == pytest.approx(best, rel=ROUNDING, abs=0.0)


@pytest.mark.parametrize("resolution", [0.01, 0.1, 1.0])
def test_a_coarse_front_is_nowhere_slower_by_more_than_its_resolution(resolution: float) -> None:
    every, coarse = (pairs(pareto_front(*LONG, resolution=step, cache=False)) for step in (0.0, resolution))
    assert len(coarse) <= len(every)
    assert coarse[0, 0] <= every[0, 0] * (1.0 + resolution)
    assert coarse[-1, 1] == pytest.approx(every[-1, 1], rel=ROUNDING, abs=0.0)
    for cycles, energy in every:
        near = (coarse[:, 0] <= cycles * (1.0 + resolution) * (1.0 + ROUNDING)) & (
            coarse[:, 1] <= energy * (1.0 + ROUNDING)
        )
        assert near.any()


@pytest.mark.parametrize("most", [2, 3, 5])
def test_no_more_mappings_than_asked_for(most: int) -> None:
    every, few = (pairs(pareto_front(*LONG, most=count, cache=False)) for count in (None, most))
    assert len(few) <= most < len(every)
    assert (few[0, 0], few[-1, 1]) == pytest.approx((every[0, 0], every[-1, 1]), rel=ROUNDING, abs=0.0)


def test_one_mapping_may_be_best_in_both() -> None:
    front = whole("gemm", "one memory")
    assert len(front) == 1


def test_an_operator_of_one_product_has_a_front_of_one() -> None:
    front = pareto_front(linear("one", n=1, k=1, c=1), CHIPS["two memories"], cache=False)
    assert len(front) == 1
    assert front[0].certificate.proven


def test_a_front_of_what_does_not_fit_says_so() -> None:
    tiny = chip(dram(), memory("buffer", 2))
    with pytest.raises(Infeasible) as alone:
        best_mapping(OPS["gemm"], tiny, cache=False)
    with pytest.raises(Infeasible) as front:
        pareto_front(OPS["gemm"], tiny, cache=False)
    assert str(front.value) == str(alone.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resolution": -0.1}, "give a share of the latency such as 0.01"),
        ({"resolution": math.nan}, "give a share of the latency such as 0.01"),
        ({"most": 1}, "ask for at least 2"),
        ({"limits": Limits(evaluations=5)}, "limit seconds or the gap"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        pareto_front(OPS["gemm"], CHIPS["two memories"], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [Limits(gap=0.2), Limits(seconds=1e-9)])
def test_limits_leave_bounds_that_hold(limits: Limits) -> None:
    op, accelerator = OPS["gemv"], FAR
    every = brute_front(Mapspace(op, accelerator))
    front = pareto_front(op, accelerator, limits=limits, cache=False)
    for fast, frugal in pairwise(front):
        assert fast.cost.latency_s < frugal.cost.latency_s
        assert fast.cost.energy_j > frugal.cost.energy_j
    for one in front:
        least = every[every[:, 0] <= one.cost.cycles * (1.0 + ROUNDING), 1].min()
        assert one.certificate.lower_bound <= least * (1.0 + ROUNDING)
        assert one.cost.energy_j >= least * (1.0 - ROUNDING)


def test_partial_tiles_in_time_leave_an_honest_front() -> None:
    op: Op = linear("odd", n=3, k=7, c=2)
    space = Mapspace(op, CHIPS["two memories"], Constraints(imperfect="all"))
    every = brute_front(space)
    for one in pareto_front(op, CHIPS["two memories"], space.constraints, cache=False):
        least = every[every[:, 0] <= one.cost.cycles * (1.0 + ROUNDING), 1].min()
        assert one.certificate.lower_bound <= least * (1.0 + ROUNDING)


def test_a_front_asked_again_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pareto_front(OPS["gemv"], FAR, cache=tmp_path)
    monkeypatch.delattr(mapper.OptimalMapper, "map")
    again = pareto_front(OPS["gemv"], FAR, cache=tmp_path)
    assert [(one.mapping, one.certificate) for one in again] == [(one.mapping, one.certificate) for one in first]


def test_steps_whose_quick_phase_finds_nothing_are_proven_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapper, "QUICK", 0)
    front = whole("gemv", "far multipliers")
    assert pairs(front) == pytest.approx(brute_front(Mapspace(OPS["gemv"], FAR)), rel=ROUNDING, abs=0.0)
    assert all(one.certificate.proven for one in front)


def test_the_front_is_part_of_the_face() -> None:
    assert dt.pareto_front is pareto_front
