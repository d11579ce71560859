"""Points drawn at random or repaired always belong to the space, and the same generator gives the same points."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dt
from dovetail.mapper.constraints import Constraints, LevelConstraint
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.sampling import everything_outside, random_points, repair
from dovetail.models.op import conv2d, linear, transposed_conv2d

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
CHIPS = ("edge_tpu", "eyeriss", "gemmini", "simba")
MODES = ("none", "arrays", "all")
OPS = {
    "conv": conv2d("conv", n=2, k=12, c=6, p=7, q=5, r=3, s=3),
    "prime": linear("prime", n=197, k=31, c=13),
    "up": transposed_conv2d("up", k=4, c=6, h=5, w=5, r=2, s=2, stride=(2, 2)),
    "one": linear("one", n=1, k=1, c=1),
}


def constrained(chip: str, op: str, mode: str) -> Mapspace:
    accelerator = dt.load_accelerator(chip)
    memories, array = accelerator.memories, accelerator.arrays[0]
    levels = {
        memories[0].name: LevelConstraint(stationary="weight"),
        memories[1].name: LevelConstraint(dims=frozenset("CKN")),
        memories[-1].name: LevelConstraint(order=("S", "R"), factors={"R": 3, "P": 1}),
        array.name: LevelConstraint(axes={array.shape[0][0]: LevelConstraint(factors={"K": 3})}),
    }
    if (mode == "none" and op == "prime") or op == "up":  # 3 does not divide
        del levels[array.name], levels[memories[-1].name]
    return Mapspace(OPS[op], accelerator, Constraints(levels, mode))  # type: ignore[arg-type]


def spaces() -> list[Mapspace]:
    modes = dict.fromkeys(CHIPS, ("arrays",)) | dict.fromkeys(CHIPS[:2], MODES)
    plain = [
        Mapspace(op, dt.load_accelerator(chip), Constraints(imperfect=mode))  # type: ignore[arg-type]
        for chip in CHIPS
        for op in OPS.values()
        for mode in modes[chip]
    ]
    return plain + [constrained(chip, op, mode) for chip in CHIPS for op in ("conv", "up") for mode in modes[chip]]


SPACES = [
    pytest.param(space, id=f"{i}-{space.op.name}-{space.accelerator.name}-{space.constraints.imperfect}")
    for i, space in enumerate(spaces())
]


def all_belong(space: Mapspace, points: Points) -> bool:
    return all(space.contains(*point) for point in zip(*points, strict=True))


def same(one: Points, other: Points) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("space", SPACES)
def test_random_points_belong_and_repair_leaves_them_as_they_are(space: Mapspace) -> None:
    points = random_points(space, 40, np.random.default_rng(1))
    assert all_belong(space, points)
    assert same(repair(space, *points, np.random.default_rng(2)), points)
    assert same(random_points(space, 40, np.random.default_rng(1)), points)


@pytest.mark.parametrize("space", SPACES)
def test_anything_can_be_repaired(space: Mapspace) -> None:
    rng = np.random.default_rng(3)
    shape, skips = (40, *space.fixed.shape), (40, *space.may_bypass.shape)
    wild = rng.integers(-2, 40, shape), rng.integers(-3, 15, shape), rng.integers(-1, 3, skips)
    repaired = repair(space, *wild, np.random.default_rng(4))
    assert all_belong(space, repaired)
    assert same(repair(space, *wild, np.random.default_rng(4)), repaired)


@pytest.mark.parametrize("space", SPACES)
def test_everything_outside_belongs(space: Mapspace) -> None:
    factors, order, bypass = everything_outside(space)
    assert space.contains(factors, order, bypass)
    assert np.array_equal(bypass, space.may_bypass)


def test_without_constraints_everything_outside_is_one_loop_nest() -> None:
    space = Mapspace(OPS["conv"], dt.load_accelerator("eyeriss"))
    factors, _, _ = everything_outside(space)
    assert factors[0].tolist() == space.bounds.tolist()
    assert (factors[1:] == 1).all()


def test_no_points_are_an_empty_batch() -> None:
    space, rng = Mapspace(OPS["conv"], dt.load_accelerator("eyeriss")), np.random.default_rng(1)
    points = random_points(space, 0, rng)
    assert points[0].shape == (0, 7, 7)
    assert same(repair(space, *points, rng), points)


@pytest.mark.parametrize("mode", MODES)
def test_every_factor_of_a_small_space_is_drawn(mode: str) -> None:
    space = Mapspace(linear("fc", n=1, k=6, c=4), dt.load_accelerator("gemmini"), Constraints(imperfect=mode))  # type: ignore[arg-type]
    factors, _, _ = random_points(space, 30_000, np.random.default_rng(5))
    drawn = [len(np.unique(factors[:, :, d], axis=0)) for d in range(2)]
    assert drawn[0] * drawn[1] == space.tilings  # each column of factors of either dimension


def test_a_useful_share_of_the_points_fits() -> None:
    op = conv2d("conv", k=128, c=64, p=28, q=28, r=3, s=3)
    for chip in CHIPS:
        space = Mapspace(op, dt.load_accelerator(chip))
        costs = space.problem.evaluate(*random_points(space, 500, np.random.default_rng(6)))
        assert np.isfinite(costs[:, 0]).mean() > 0.2


def test_a_bias_of_nearly_one_leaves_nearly_all_outside() -> None:
    space = Mapspace(OPS["conv"], dt.load_accelerator("edge_tpu"))
    inner = [
        np.log(random_points(space, 300, np.random.default_rng(7), bias)[0][:, space.temporal[1:]]).sum()
        for bias in (0.0, 0.5, 0.999)
    ]
    assert inner[0] > inner[1] > 20 * inner[2]


def test_repair_changes_only_the_dimension_that_is_wrong() -> None:
    space = Mapspace(conv2d("conv", k=16, c=8, p=14, q=14, r=3, s=3), dt.load_accelerator("eyeriss"))
    factors, order, bypass = random_points(space, 200, np.random.default_rng(8))
    broken = factors.copy()
    broken[:, 1, 0] *= 3  # no power of 2, as K's factors must be
    repaired, repaired_order, _ = repair(space, broken, order, bypass, np.random.default_rng(9))
    assert np.array_equal(repaired[:, :, 1:], factors[:, :, 1:])
    assert np.array_equal(repaired_order, order)
    assert (repaired[:, space.temporal[1:], 0] <= broken[:, space.temporal[1:], 0]).all()  # tiles grow only outside


def test_factors_beyond_an_axis_become_the_nearest_that_fit() -> None:
    space = Mapspace(linear("fc", n=1, k=64, c=64), dt.load_accelerator("gemmini"))
    factors, order, bypass = everything_outside(space)
    wild = factors.copy()
    x, y = space.spatial
    wild[x, 0], wild[y, 1] = 60, 15  # of 16 columns, of 16 rows; 13 rows are as quick as 15
    repaired, _, _ = repair(space, wild[None], order[None], bypass[None], np.random.default_rng(10))
    assert (repaired[0, x, 0], repaired[0, y, 1]) == (16, 16)
    assert repaired[0, 0].tolist() == [4, 4]


def test_dimensions_that_no_memory_loops_over_find_room_on_the_arrays() -> None:
    """Here others must give way: drawing dimension by dimension alone may leave them none."""
    accelerator = dt.load_accelerator("gemmini")
    closed = LevelConstraint(dims=frozenset("KPQ"))
    rules = Constraints({memory.name: closed for memory in accelerator.memories})
    space = Mapspace(conv2d("fits", k=4, c=2, p=4, q=4, r=2, s=4), accelerator, rules)
    points = random_points(space, 50, np.random.default_rng(11))
    assert all_belong(space, points)
    assert (points[0][:, space.spatial[1], 1].tolist()) == [2] * 50
