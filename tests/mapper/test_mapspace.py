"""The mapspace is what its definition says, and its size is the number of its points."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import numpy as np
import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.errors import BadInput
from dovetail.mapper.constraints import Constraints, LevelConstraint
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.space_size import covering_splits, minimal_tuples
from dovetail.models.op import ROLES, Op, conv2d, linear, transposed_conv2d

ALL = frozenset(ROLES)
MODES = ("none", "arrays", "all")


def chip(*, extent: int = 4, open_bypass: bool = False) -> Accelerator:
    return Accelerator(
        "small",
        1e9,
        45.0,
        (
            Memory("dram", ALL),
            Array("array", (("x", extent),), {"x": frozenset({"K", "C"})}),
            Memory("buffer", ALL, ALL if open_bypass else frozenset()),
            Compute("mac"),
        ),
    )


def square(x: int, y: int) -> Accelerator:
    """An array of two axes above a memory; any dimension may run along x, only K and C along y."""
    levels = (
        Memory("dram", ALL),
        Array("array", (("x", x), ("y", y)), {"y": frozenset({"K", "C"})}),
        Memory("buffer", ALL),
        Compute("mac"),
    )
    return Accelerator("square", 1e9, 45.0, levels)


def grid(space: Mapspace) -> Iterator[np.ndarray]:
    """All matrices of factors that cover every dimension with none larger than it."""
    columns = []
    for bound in space.bounds.tolist():
        every = itertools.product(range(1, bound + 1), repeat=len(space.extents))
        columns.append([column for column in every if math.prod(column) >= bound])
    for point in itertools.product(*columns):
        yield np.asarray(point, np.int64).T


def belongs(space: Mapspace, factors: np.ndarray) -> bool:
    """The definition of the space, written down once more without regard to speed."""
    spatial, temporal = space.extents > 0, space.extents == 0
    if (factors[spatial].prod(axis=1) > space.extents[spatial]).any():
        return False
    if ((space.fixed != 0) & (factors != space.fixed)).any():
        return False
    for d, bound in enumerate(space.bounds.tolist()):
        column, free = factors[:, d], (space.fixed[:, d] == 0) & (factors[:, d] > 1)
        across, time = math.prod(column[spatial]), math.prod(column[temporal])
        passes = math.ceil(bound / across)
        if space.constraints.imperfect == "none" and bound % across:
            return False
        lowered = [across // column[s] * (column[s] - 1) for s in np.flatnonzero(free & spatial)]
        if space.constraints.imperfect != "none" and any(math.ceil(bound / less) == passes for less in lowered):
            return False
        if space.constraints.imperfect != "all" and time != passes:
            return False
        lowered = [time // column[s] * (column[s] - 1) for s in np.flatnonzero(free & temporal)]
        if time < passes or any(less >= passes for less in lowered):
            return False
    return True


def drawn_constraints(draw: random.Random, names: tuple[str, ...]) -> dict[str, LevelConstraint]:
    """For each memory or axis perhaps a demanded factor, perhaps a limit on the dimensions."""
    found = {}
    for name in names:
        dims = frozenset(draw.sample("NKC", draw.randint(1, 3))) if draw.random() < 0.3 else None
        factors = {draw.choice(sorted(dims or "NKC")): draw.randint(1, 3)} if draw.random() < 0.4 else {}
        found[name] = LevelConstraint(factors=factors, dims=dims)
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(12))
def test_the_size_is_the_number_of_matrices_that_belong(mode: str, seed: int) -> None:
    draw = random.Random(seed)
    bounds = draw.sample([1, 2, 3, 4], 2)
    op = linear("fc", n=1, k=max(bounds), c=min(bounds)) if seed % 2 else linear("fc", n=bounds[0], k=bounds[1], c=1)
    accelerator = square(draw.randint(1, 5), draw.randint(1, 5))
    asked = drawn_constraints(draw, ("dram", "buffer", "x", "y")) if seed > 3 else {}
    axes = {axis: asked.pop(axis) for axis in ("x", "y") if axis in asked}
    constraints = Constraints({**asked, "array": LevelConstraint(axes=axes)} if asked else {}, mode)
    try:
        space = Mapspace(op, accelerator, constraints)
        expected = space.tilings
    except BadInput as error:
        if "no loops cover" not in str(error):
            return  # a contradiction, whatever the operator
        space = Mapspace.__new__(Mapspace)
        space.__dict__.update(vars(Mapspace(op, accelerator)), constraints=constraints)
        expected = 0
    found = [factors for factors in grid(space) if belongs(space, factors)]
    assert len(found) == expected
    if expected:
        order, bypass = np.tile(np.arange(len(space.bounds)), (len(space.extents), 1)), np.zeros_like(space.may_bypass)
        assert all(space.contains(factors, order, bypass) for factors in found)
        others = itertools.islice(grid(space), 0, None, 97)
        assert all(space.contains(factors, order, bypass) == belongs(space, factors) for factors in others)


@pytest.mark.parametrize("mode", MODES)
def test_small_spaces_are_counted_point_by_point(mode: str) -> None:
    """Factors, orders and bypasses together; loops of bound 1 take part in the orders, as the size counts them."""
    levels = {"buffer": LevelConstraint(stationary="weight")}
    space = Mapspace(linear("fc", n=2, k=3, c=1), chip(extent=2, open_bypass=True), Constraints(levels, mode))
    orders = [
        np.asarray([a, (0, 1), b]) for a in itertools.permutations((0, 1)) for b in itertools.permutations((0, 1))
    ]
    skips = [np.asarray([[0, 0, 0], [0, 0, i], bits]) for i in (0, 1) for bits in itertools.product((0, 1), repeat=3)]
    points = [(f, o, b) for f in grid(space) for o in orders for b in skips]
    weight_outside = [point for point in points if space.contains(*point) and list(point[1][2]) == [1, 0]]
    assert len(weight_outside) == space.size
    inverted = [point for point in points if space.contains(*point) and list(point[1][2]) == [0, 1]]
    assert all((factors[2] == 1).any() for factors, _, _ in inverted)  # N outside K only where one of them is no loop


def test_open_bypasses_double_the_space_each() -> None:
    op = linear("fc", n=2, k=2, c=2)
    assert Mapspace(op, chip(open_bypass=True)).size == 8 * Mapspace(op, chip()).size


def test_phases_divide_the_orders() -> None:
    op = linear("fc", n=2, k=2, c=2)
    ordered = Constraints({"dram": LevelConstraint(order=("K", "C"))})  # N outermost, then K, then C
    still = Constraints({"dram": LevelConstraint(stationary="output")})  # N and K in any order outside C
    assert [Mapspace(op, chip(), c).orders for c in (None, ordered, still)] == [36, 6, 12]
    assert Mapspace(op, chip(), ordered).phases[0].tolist() == [2, 1, 0]


def test_an_order_outside_the_phases_or_of_a_dimension_twice_is_no_member() -> None:
    space = Mapspace(linear("fc", n=2, k=2, c=1), chip(), Constraints({"dram": LevelConstraint(order=("N", "K"))}))
    factors, bypass = np.asarray([[2, 2], [1, 1], [1, 1]]), np.zeros((3, 3), np.int64)
    for outermost, expected in (((0, 1), True), ((1, 0), False), ((0, 0), False)):
        assert space.contains(factors, np.asarray([outermost, (0, 1), (0, 1)]), bypass) is expected
    assert not space.contains(factors, np.tile(np.arange(2), (3, 1)), bypass + 1)


@pytest.mark.parametrize("name", ["edge_tpu", "eyeriss", "gemmini", "nvdla", "simba", "tpu_v1"])
def test_shipped_accelerators_give_spaces_of_many_digits_that_nest(name: str) -> None:
    op, accelerator = conv2d("conv", k=128, c=64, p=28, q=28, r=3, s=3), dt.load_accelerator(name)
    none, arrays, everything = (Mapspace(op, accelerator, Constraints(imperfect=mode)).size for mode in MODES)
    assert 10**12 < none <= arrays < everything
    assert isinstance(everything, int)


def test_a_size_beyond_floating_point_is_still_exact() -> None:
    levels = (Memory("dram", ALL), *(Memory(f"m{i}", ALL, ALL) for i in range(30)), Compute("mac"))
    op = conv2d("conv", n=2, g=2, k=2, c=2, p=2, q=2, r=2, s=2)
    space = Mapspace(op, Accelerator("deep", 1e9, 45.0, levels))
    assert space.size == 31**8 * math.factorial(8) ** 31 * 2**90
    assert "6.23e181 mappings" in space.describe()


@pytest.mark.parametrize("parts", range(5))
def test_covering_splits_are_counted_like_one_by_one(parts: int) -> None:
    for number in (1, 2, 3, 4, 6, 7, 9, 12, 13):
        count = 0
        for factors in itertools.product(range(1, number + 1), repeat=parts):
            product = math.prod(factors)
            count += product >= number and all(f == 1 or product // f * (f - 1) < number for f in factors)
        assert covering_splits(number, parts)[number] == count


@pytest.mark.parametrize("perfect", [False, True])
def test_factors_on_axes_are_those_that_no_smaller_one_replaces(perfect: bool) -> None:
    draw = random.Random(7)
    for _ in range(150):
        axes, bound = draw.randint(0, 3), draw.randint(2, 60)
        limits, fixed = (
            [draw.randint(1, 9) for _ in range(axes)],
            [draw.choice([0, 0, 0, 1, 2, 3]) for _ in range(axes)],
        )
        expected = []
        for row in itertools.product(*([f] if f else range(1, top + 1) for top, f in zip(limits, fixed, strict=True))):
            product, free = (
                math.prod(row),
                [f for f, demanded in zip(row, fixed, strict=True) if f > 1 and not demanded],
            )
            fewer = [math.ceil(bound / (product // f * (f - 1))) > math.ceil(bound / product) for f in free]
            if bound % product == 0 if perfect else all(fewer):
                expected.append(row)
        found = minimal_tuples(bound, limits, fixed, perfect=perfect)
        assert [tuple(row) for row in found.tolist()] == expected


def test_a_demanded_factor_is_cut_to_what_the_dimension_has_left() -> None:
    """One set of constraints serves layers of all sizes."""
    demands = {"array": LevelConstraint(axes={"x": LevelConstraint(factors={"K": 4, "R": 3})})}
    demands["buffer"] = LevelConstraint(factors={"K": 4})
    accelerator = square(16, 2)

    def fixed(op: Op) -> tuple[int, int]:
        space = Mapspace(op, accelerator, Constraints(demands))
        column = space.fixed[:, space.problem.dims.index("K")]
        return int(column[1]), int(column[3])

    assert fixed(linear("large", n=1, k=64, c=2)) == (4, 4)
    assert fixed(linear("middle", n=1, k=8, c=2)) == (4, 2)
    assert fixed(linear("small", n=1, k=3, c=2)) == (3, 1)


def test_a_window_of_the_output_is_never_spread_over_an_array() -> None:
    op = transposed_conv2d("up", k=2, c=2, h=4, w=4, r=2, s=2)
    accelerator = Accelerator("any", 1e9, 45.0, (Memory("dram", ALL), Array("a", (("x", 4),)), Compute("mac")))
    demand = LevelConstraint(axes={"x": LevelConstraint(factors={"P": 2})})
    for constraints in (None, Constraints({"a": demand})):
        space = Mapspace(op, accelerator, constraints)
        spread = {dim for dim, open_here in zip(space.problem.dims, space.allowed[1], strict=True) if open_here}
        assert spread == {"K", "C"}
        assert space.size > 0


def test_an_operator_without_loops_has_one_mapping() -> None:
    space = Mapspace(linear("one", n=1, k=1, c=1), chip())
    assert space.size == 1
    assert space.contains(np.ones((3, 0), np.int64), np.zeros((3, 0), np.int64), np.zeros((3, 3), np.int64))


def test_the_description_says_what_is_free_and_what_is_fixed() -> None:
    levels = {
        "dram": LevelConstraint(stationary="weight"),
        "array": LevelConstraint(axes={"x": LevelConstraint(factors={"K": 2})}),
        "buffer": LevelConstraint(dims=frozenset({"N"})),
    }
    text = Mapspace(linear("fc", n=4, k=4, c=3), chip(open_bypass=True), Constraints(levels)).describe()
    assert text.splitlines() == [
        "fc on 'small': 576 mappings: 6 tilings x 12 orders x 8 bypasses; partial tiles on arrays",
        "  dram     free: N K C; order: K C > N",
        "  array.x  4 instances; free: C; fixed: K2",
        "  buffer   free: N; may skip: input weight output",
    ]
