"""The optimal mapper is optimal: held against every point of small mapspaces, and its bounds against the model."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from exhaustive import exhaustive, tables
from nests import random_op

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory, Systolic
from dovetail.errors import Infeasible
from dovetail.mapper.base import UNLIMITED, Certificate, Limits
from dovetail.mapper.constraints import Constraints, LevelConstraint
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.optimal.kernel_instance import instance
from dovetail.mapper.optimal.kernel_trace import price
from dovetail.mapper.optimal.mapper import OptimalMapper
from dovetail.mapper.registry import mapper_class
from dovetail.mapper.sampling import random_points
from dovetail.models.op import ROLES, Op, Role, batched_matmul, conv2d, linear, transposed_conv2d
from dovetail.testing import check_mapper

ALL = frozenset(ROLES)
ROUNDING = 1e-9


def memory(
    name: str,
    words: float = math.inf,
    keeps: str = "iwo",
    *,
    skips: str = "",
    pj: float = 1.0,
    bandwidth: tuple[float, float] = (math.inf, math.inf),
    shared: bool = False,
    double: bool = False,
    wide: dict[Role, int] | None = None,
    leakage_w: float = 0.0,
    latency: float = 0.0,
) -> Memory:
    """``words`` of 8 bits, tensors by their first letters, pJ per bit, bits a cycle at 1 GHz, cycles per tile."""
    reads, writes = (rate * 1e9 for rate in bandwidth)
    return Memory(
        name,
        frozenset(role for role in ROLES if role[0] in keeps),
        frozenset(role for role in ROLES if role[0] in skips),
        words * 8.0,
        reads,
        writes,
        shared,
        double,
        latency_cycles=latency,
        word_bits=wide or {},
        read_energy_j_per_bit=pj * 1e-12,
        write_energy_j_per_bit=pj * 1.1e-12,
        leakage_w=leakage_w,
    )


def array(
    *extents: int,
    dims: tuple[str, ...] = (),
    multicast: str = "iwo",
    reduces: bool = True,
    hop_pj: float = 0.0,
    name: str = "array",
    systolic: Systolic | None = None,
) -> Array:
    axes = ("x", "y")[: len(extents)]
    return Array(
        name,
        tuple(zip(axes, extents, strict=True)),
        {axis: frozenset(names) for axis, names in zip(axes, dims, strict=False)},
        frozenset(role for role in ROLES if role[0] in multicast),
        reduces,
        systolic,
        hop_pj * 1e-12,
    )


def chip(*levels: Memory | Array, accumulator: int = 8, pipeline: int = 0, mac_pj: float = 0.1) -> Accelerator:
    compute = Compute("mac", accumulator_bits=accumulator, pipeline_cycles=pipeline, energy_j=mac_pj * 1e-12)
    return Accelerator("small", 1e9, 45.0, (*levels, compute))


def dram(pj: float = 20.0, rate: float = 16.0) -> Memory:
    return memory("dram", pj=pj, bandwidth=(rate, rate), shared=True)


CHIPS: dict[str, Accelerator] = {
    "one memory": chip(dram()),
    "one memory over an array": chip(dram(), array(2, 2)),
    "two memories": chip(dram(), memory("buffer", 14, bandwidth=(16, 16))),
    "three memories": chip(dram(), memory("outer", 20, pj=5.0), memory("inner", 7, pj=0.5)),
    "four memories": chip(dram(), memory("a", 30, pj=6.0), memory("b", 14, "io", pj=2.0), memory("c", 5, pj=0.3)),
    "two axes": chip(dram(), memory("buffer", 24, double=True), array(3, 2, hop_pj=0.3), memory("register", 4)),
    "axes of their own dimensions": chip(
        dram(), memory("buffer", 40), array(3, 2, dims=("KPG", "CR"), hop_pj=0.1), memory("register", 6, pj=0.2)
    ),
    "a memory for each tensor below an array": chip(
        dram(),
        memory("buffer", 40, "io", pj=3.0, bandwidth=(32, 32), shared=True),
        array(2, 2, hop_pj=0.5),
        memory("inputs", 4, "i", pj=0.2, bandwidth=(8, 8)),
        memory("weights", 5, "w", pj=0.2),
        memory("sums", 3, "o", pj=0.2),
        accumulator=16,
    ),
    "windows along a diagonal": chip(
        dram(2.0), memory("buffer", 40, pj=4.0), array(4, 3, dims=("P", "R")), memory("register", 5)
    ),
    "windows along a diagonal straight to the multipliers": chip(
        dram(0.1, math.inf), memory("buffer", pj=4.0), array(4, 4, multicast="i", reduces=False)
    ),
    "neither multicast nor reduction": chip(
        dram(), memory("buffer", 40), array(3, multicast="", reduces=False), memory("register", 6), accumulator=16
    ),
    "arrays in two places": chip(
        dram(), array(2, name="outer"), memory("buffer", 30, pj=2.0), array(2, name="inner"), memory("register", 6)
    ),
    "arrays side by side": chip(
        dram(2.0),
        memory("buffer", 60, bandwidth=(16, 16)),
        array(2, 2, name="outer"),
        array(2, multicast="w", name="inner"),
        memory("register", 5, bandwidth=(16, 8)),
    ),
    "halting while it fills": chip(
        memory("dram", pj=20.0, bandwidth=(8, 4)),
        memory("buffer", 16, bandwidth=(8, 16), pj=2.0),
        memory("register", 5, bandwidth=(16, 8)),
        pipeline=3,
    ),
    "leaking": chip(
        memory("dram", pj=1.0, bandwidth=(8, 8), shared=True, leakage_w=0.1),
        memory("buffer", 30, double=True, bandwidth=(24, 8), leakage_w=0.05),
        array(3),
    ),
    "sums wider than words": chip(dram(), memory("buffer", 30, pj=3.0), memory("register", 11, pj=0.5), accumulator=32),
    "words of several widths": chip(
        dram(), memory("buffer", 40, wide={"input": 16, "output": 24}), array(2), memory("register", 9)
    ),
    "open bypasses": chip(dram(), memory("buffer", 16, skips="iwo", pj=5.0), memory("register", 4, skips="w")),
    "weights alone below an array": chip(
        memory("dram", pj=0.1, bandwidth=(16, math.inf)),
        memory("buffer", 14, "io", double=True),
        array(2, 2, multicast="iw"),
        memory("register", 1, "w", pj=0.1),
        accumulator=16,
    ),
    "sums alone below an array": chip(
        dram(), memory("buffer", 40, double=True, bandwidth=(32, 16)), array(2, 2), memory("register", 2, "o")
    ),
    "passes of stationary weights": chip(
        dram(),
        memory("buffer", 40, "io", double=True, bandwidth=(32, 16)),
        array(2, 2, dims=("KPG", "CR"), systolic=Systolic("weight_stationary", 2, 2)),
        memory("register", 1, "w"),
    ),
    "passes of stationary sums": chip(
        dram(4.0, 64.0),
        memory("buffer", 60, bandwidth=(32, 32)),
        array(2, 2, systolic=Systolic("output_stationary", 2, 2)),
        memory("register", 2, "o"),
        accumulator=16,
    ),
    "passes of stationary inputs": chip(
        dram(0.5, 64.0),
        memory("buffer", 60),
        array(3, systolic=Systolic("input_stationary", 3, 1)),
        memory("register", 3, "i", latency=2.0),
    ),
    "passes over two arrays": chip(
        dram(),
        array(2, reduces=False, name="columns"),
        memory("sums", 8, "o", double=True, latency=5.0, bandwidth=(16, 16)),
        array(2, name="rows", systolic=Systolic("weight_stationary", 2, 2)),
        memory("register", 4, "w", double=True, bandwidth=(8, 4)),
    ),
    "passes without a gap": chip(
        dram(),
        memory("buffer", 40, latency=9.0, double=True),
        array(2, 2, systolic=Systolic("weight_stationary", 2, 2, overlapped=True)),
        memory("register", 2, "w", double=True, latency=3.0),
    ),
    "passes of what nothing holds": chip(
        dram(2.0), array(3, systolic=Systolic("input_stationary", 2, 2)), memory("register", 4, "wo")
    ),
    "tiles with latencies": chip(
        memory("dram", pj=1.0, bandwidth=(16, 16)),
        memory("buffer", 24, bandwidth=(16, 8), double=True, latency=6.0),
        memory("register", 6, bandwidth=(math.inf, 16), latency=1.5),
        pipeline=3,
    ),
    "tiles with latencies and words without": chip(
        memory("dram", pj=1.0), memory("buffer", 24, double=True, latency=4.0), memory("register", 5, skips="io")
    ),
}
OPS: dict[str, Op] = {
    "gemm": linear("gemm", n=4, k=6, c=2),
    "odd gemm": linear("gemm", n=3, k=5, c=7),
    "gemv": linear("gemv", n=1, k=6, c=8),
    "batched": batched_matmul("batched", g=2, n=3, k=2, c=4),
    "row": conv2d("row", k=1, c=1, p=7, q=1, r=4, s=1),
    "long row": conv2d("row", k=2, c=1, p=6, q=1, r=6, s=1),
    "strided": conv2d("strided", k=2, c=2, p=4, q=1, r=3, s=1, stride=(2, 1)),
    "strided further": conv2d("strided", k=1, c=1, p=5, q=1, r=6, s=1, stride=(3, 1)),
    "dilated": conv2d("dilated", k=2, c=1, p=6, q=1, r=3, s=1, dilation=(3, 1)),
    "two windows": conv2d("plane", k=1, c=2, p=3, q=2, r=2, s=2),
    "depthwise": conv2d("depthwise", g=3, k=1, c=1, p=4, q=1, r=4, s=1),
    "grouped": conv2d("grouped", g=2, k=2, c=2, p=3, q=1, r=2, s=1),
    "transposed": transposed_conv2d("up", k=2, c=2, h=3, w=1, r=4, s=1, stride=(2, 1)),
}
GOALS = ("energy", "latency", "edp", "ed2p", "energy + 0.05*latency", "energy*latency^0.5")


def proven(space: Mapspace, goal: str, limits: Limits = UNLIMITED, workers: int = 1) -> Certificate:
    return OptimalMapper(workers).map(space, Objective.parse(goal), 0, limits).certificate


def check_against_all(space: Mapspace, goal: str) -> None:
    """The mapper's optimum is the least of all points, and it knows."""
    least, count = exhaustive(space, Objective.parse(goal), 400_000)
    assert count > 0
    if math.isinf(least):
        with pytest.raises(Infeasible):
            proven(space, goal)
        return
    found = proven(space, goal)
    assert found.optimum == pytest.approx(least, rel=ROUNDING, abs=0.0)
    assert found.lower_bound <= found.optimum
    assert found.gap == 0.0


# ---- against every point ---------------------------------------------------------------------------------------------

CASES = [
    pytest.param(accelerator, op, GOALS[(i + j) % len(GOALS)], id=f"{op} on {accelerator}")
    for i, accelerator in enumerate(CHIPS)
    for j, op in enumerate(OPS)
]


@pytest.mark.parametrize(("accelerator", "op", "goal"), CASES)
def test_no_mapping_of_a_small_space_is_better(accelerator: str, op: str, goal: str) -> None:
    check_against_all(Mapspace(OPS[op], CHIPS[accelerator]), goal)


RULES: dict[str, Constraints] = {
    "an order": Constraints({"dram": LevelConstraint(order=("C", "K")), "buffer": LevelConstraint(order=("P", "R"))}),
    "stationary tensors": Constraints(
        {"dram": LevelConstraint(stationary="weight"), "buffer": LevelConstraint(stationary="output")}
    ),
    "fixed factors": Constraints(
        {
            "buffer": LevelConstraint(factors={"K": 2}),
            "array": LevelConstraint(axes={"y": LevelConstraint(factors={"C": 2})}),
        }
    ),
    "limited dimensions": Constraints(
        {"buffer": LevelConstraint(dims=frozenset("KR")), "register": LevelConstraint(dims=frozenset("P"))}
    ),
    "factors that divide": Constraints(imperfect="none"),
}
CONSTRAINED = {
    "gemm": linear("gemm", n=3, k=4, c=4),
    "primes": linear("primes", n=1, k=5, c=7),
    "row": conv2d("row", k=2, c=2, p=6, q=1, r=4, s=1),
    "dilated": conv2d("dilated", k=2, c=1, p=6, q=1, r=2, s=1, dilation=(3, 1)),
}


@pytest.mark.parametrize("op", CONSTRAINED)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("goal", ["energy", "edp"])
def test_no_mapping_within_the_constraints_is_better(op: str, rule: str, goal: str) -> None:
    check_against_all(Mapspace(CONSTRAINED[op], CHIPS["two axes"], RULES[rule]), goal)


@pytest.mark.parametrize("accelerator", ["two memories", "three memories", "neither multicast nor reduction"])
@pytest.mark.parametrize("bounds", [(7, 1, 7), (5, 5, 5), (3, 7, 2)])
def test_with_partial_tiles_in_time_the_bound_holds_if_wide(accelerator: str, bounds: tuple[int, int, int]) -> None:
    """A prime dimension fills a memory only if its last tile may be partial; that is beyond the proof."""
    n, k, c = bounds
    space = Mapspace(linear("odd", n=n, k=k, c=c), CHIPS[accelerator], Constraints(imperfect="all"))
    found = proven(space, "edp")
    least, _ = exhaustive(space, Objective.parse("edp"), 400_000)
    assert found.lower_bound <= least * (1.0 + ROUNDING)
    assert least * (1.0 - ROUNDING) <= found.optimum


def test_instances_beyond_thousands_are_told_apart() -> None:
    """4098 instances of one dimension are not taken for 2 of another."""
    levels = (memory("dram"), array(4098, multicast="", reduces=True), memory("register", 3, pj=0.0))
    check_against_all(Mapspace(linear("gemv", n=1, k=8196, c=2), chip(*levels)), "energy")


@pytest.mark.parametrize("mode", ["none", "arrays", "all"])
@pytest.mark.parametrize("op", ["odd gemm", "dilated"])
def test_the_enumeration_counts_as_the_mapspace_does(mode: str, op: str) -> None:
    space = Mapspace(OPS[op], CHIPS["two memories"], Constraints({}, mode))
    assert sum(1 for _ in tables(space)) == space.tilings


def test_diagonal_windows_far_from_full_arrays_are_not_overlooked() -> None:
    """Thousands of fuller assignments come first; none shares as many inputs as P on one axis, R on another."""
    levels = (
        memory("dram", pj=0.0),
        memory("inputs", keeps="i"),
        array(16, 16, multicast="i", reduces=False),
        memory("others", keeps="wo", pj=0.0),
    )
    op, accelerator = conv2d("conv", k=1, c=16, p=15, q=15, r=15, s=1), chip(*levels)
    axes = {"x": LevelConstraint(factors={"P": 15}), "y": LevelConstraint(factors={"R": 15})}
    diagonal = proven(Mapspace(op, accelerator, Constraints({"array": LevelConstraint(axes=axes)})), "energy")
    found = proven(Mapspace(op, accelerator), "energy")
    assert found.lower_bound <= diagonal.optimum * (1.0 + ROUNDING)
    assert found.optimum <= diagonal.optimum * (1.0 + ROUNDING)


# ---- the terms that the proof adds up --------------------------------------------------------------------------------


def intervals(space: Mapspace, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True energy and cycles of random points [n, 2], bounds [n, low or high, 2], and whether nothing is left open."""
    record, problem, scratch = space.problem.arrays, space.problem, instance()
    factors, order, bypass = random_points(space, count, np.random.default_rng(seed))
    rooms = record["reals"][:, 0].copy()
    record["reals"][:, 0] = math.inf
    true = problem.evaluate(factors, order, bypass)[:, :2]
    record["reals"][:, 0] = rooms
    bounds, exact = np.zeros((count, 2, 2)), np.zeros(count, bool)
    for i in range(count):
        spread = np.ones((len(problem.places), len(problem.dims)), np.int64)
        for slot in space.spatial:
            spread[problem.slots[slot].place] *= factors[i, slot]
        group, tau = np.zeros(len(problem.dims), np.int64), np.ones(12, np.int64)
        price(record, scratch, spread, group, factors[i], order[i], bypass[i], tau, bounds[i])
        whole = bool(scratch["perfect"][: scratch["n_dims"]].all())
        exact[i] = whole and not scratch["n_windows"].any()
    return true, bounds, exact


def check_terms(space: Mapspace, count: int, seed: int) -> int:
    """The bounds enclose the model; returns how many points had to be met exactly."""
    true, bounds, exact = intervals(space, count, seed)
    slack = ROUNDING * np.abs(true) + 1e-25
    assert (bounds[:, 0] <= true + slack).all()
    assert (bounds[:, 1] >= true - slack).all()
    assert (np.abs(bounds[exact] - true[exact][:, None]) <= slack[exact][:, None]).all()
    return int(exact.sum())


@pytest.mark.parametrize("accelerator", CHIPS)
def test_the_terms_enclose_the_model(accelerator: str) -> None:
    draw, exact = random.Random(accelerator), 0
    for seed in range(25):
        op = random_op(draw)
        if any(bound > 1 for bound in op.bounds.values()):
            exact += check_terms(Mapspace(op, CHIPS[accelerator]), 20, seed)
    assert exact > 20


@pytest.mark.parametrize("name", ["edge_tpu", "eyeriss", "gemmini", "nvdla", "simba", "tpu_v1"])
def test_the_terms_enclose_the_model_on_shipped_accelerators(name: str) -> None:
    ops = (
        conv2d("plain", k=16, c=8, p=14, q=14, r=3, s=3),
        conv2d("strided", k=64, c=3, p=28, q=28, r=7, s=7, stride=(2, 2)),
        conv2d("depthwise", g=96, k=1, c=1, p=28, q=28, r=3, s=3),
        linear("matrix", n=197, k=768, c=100),
    )
    for op in ops:
        check_terms(Mapspace(op, dt.load_accelerator(name)), 25, 1)


# ---- behaviour -------------------------------------------------------------------------------------------------------


def test_any_number_of_workers_finds_the_same_mapping() -> None:
    for op in ("two windows", "gemm", "grouped"):
        space = Mapspace(OPS[op], CHIPS["a memory for each tensor below an array"])
        answers = [OptimalMapper(workers).map(space, Objective.parse("edp"), 0) for workers in (1, 2, 3)]
        assert len({(answer.mapping, answer.certificate.evaluated) for answer in answers}) == 1


@pytest.mark.parametrize("gap", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("op", OPS)
def test_a_gap_is_kept_and_its_bound_holds(op: str, gap: float) -> None:
    for accelerator in ("two axes", "three memories", "open bypasses"):
        space = Mapspace(OPS[op], CHIPS[accelerator])
        best, found = proven(space, "edp").optimum, proven(space, "edp", Limits(gap=gap))
        assert found.lower_bound <= best * (1.0 + ROUNDING)
        assert best * (1.0 - ROUNDING) <= found.optimum
        assert found.gap <= gap + ROUNDING


@pytest.mark.parametrize("limits", [Limits(seconds=1e-9), Limits(evaluations=1), Limits(evaluations=30)])
def test_out_of_budget_it_answers_with_a_bound_that_holds(limits: Limits) -> None:
    for accelerator in ("two axes", "three memories", "open bypasses"):
        for op in ("two windows", "odd gemm", "depthwise"):
            space = Mapspace(OPS[op], CHIPS[accelerator])
            best, found = proven(space, "edp").optimum, proven(space, "edp", limits)
            assert 0.0 <= found.lower_bound <= best * (1.0 + ROUNDING)
            assert best * (1.0 - ROUNDING) <= found.optimum
            assert limits.evaluations is None or found.evaluated <= limits.evaluations


def test_a_first_search_does_not_spend_its_time_on_loading_code() -> None:
    program = """
import dovetail as dt
from dovetail.mapper.base import Limits
op, chip = dt.load_network("ds_cnn_kws").contractions[0], dt.load_accelerator("edge_tpu")
certificate = dt.best_mapping(op, chip, "latency", cache=False, limits=Limits(seconds=0.3)).certificate
print(certificate.evaluated)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 1


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(Infeasible) as caught:
        proven(Mapspace(OPS["gemm"], chip(dram(), memory("buffer", 2))), "edp")
    assert caught.value.level == "buffer"
    assert caught.value.missing_words == 1


def test_factors_that_do_not_fit_are_named() -> None:
    rule = Constraints({"buffer": LevelConstraint(factors={"K": 4, "C": 4})})
    with pytest.raises(Infeasible) as caught:
        proven(Mapspace(linear("gemm", n=2, k=4, c=4), chip(dram(), memory("buffer", 12)), rule), "edp")
    assert caught.value.level == "buffer"
    assert caught.value.missing_words == 16 + 4 + 4 - 12


@pytest.mark.parametrize("accelerator", CHIPS)
def test_an_operator_of_one_step_has_one_mapping(accelerator: str) -> None:
    result = OptimalMapper(1).map(Mapspace(linear("one", n=1, k=1, c=1), CHIPS[accelerator]), Objective.parse("edp"), 0)
    assert result.certificate.gap == 0.0
    assert not any(level.loops for level in result.mapping.levels)


@pytest.mark.parametrize("count", [7, 12])
def test_many_memories_are_searched_or_refused(count: int) -> None:
    """What it has no room for may cost the proof, not the answer."""
    deep = chip(dram(), *(memory(f"m{i}", 100, bandwidth=(8, 8)) for i in range(count)))
    space = Mapspace(linear("gemm", n=2, k=2, c=1), deep)
    found = proven(space, "energy")
    drawn = space.problem.evaluate(*random_points(space, 200, np.random.default_rng(1)))
    assert 0.0 <= found.lower_bound <= drawn[:, 0].min() * (1.0 + ROUNDING)


def test_loops_with_very_many_divisors_get_a_mapping() -> None:
    space = Mapspace(linear("gemm", n=5040, k=5040, c=5040), CHIPS["two memories"])
    found = proven(space, "edp")
    assert 0.0 <= found.lower_bound <= found.optimum


def test_it_keeps_the_promises_of_mappers() -> None:
    check_mapper(OptimalMapper)


RIVALS = ("random", "annealing", "genetic", "lns")
RIVAL_CASES: list[tuple[str, Callable[[], Op]]] = [
    ("eyeriss", lambda: conv2d("conv", k=16, c=8, p=14, q=14, r=3, s=3)),
    ("eyeriss", lambda: linear("fc", n=1, k=100, c=64)),
    ("gemmini", lambda: linear("matrix", n=49, k=96, c=64)),
    ("simba", lambda: linear("fc", n=1, k=120, c=84)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "op"), RIVAL_CASES)
def test_no_heuristic_beats_the_certificate(name: str, op: Callable[[], Op]) -> None:
    space = Mapspace(op(), dt.load_accelerator(name))
    found = proven(space, "edp")
    for rival in RIVALS:
        other = mapper_class(rival)().map(space, Objective.parse("edp"), 1, Limits(evaluations=3000))
        assert other.certificate.optimum >= found.optimum * (1.0 - ROUNDING), rival
