"""Constraints are read from YAML, checked against themselves, the accelerator and the operator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dovetail as dt
from dovetail.document import parse_document
from dovetail.errors import BadInput, SpecError, UnknownName
from dovetail.mapper.constraint_file import (
    constraints_from_document,
    constraints_schema,
    list_constraints,
    load_constraints,
)
from dovetail.mapper.constraints import Constraints, LevelConstraint
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.sampling import everything_outside, random_points
from dovetail.models.op import Op, Rank, Tensor, conv2d, linear

CONV = conv2d("conv", k=32, c=16, p=14, q=14, r=3, s=3)


def read(text: str) -> Constraints:
    return constraints_from_document(parse_document(text, "mine.yaml"))


def space(text: str, op: Op = CONV, accelerator: str = "eyeriss") -> Mapspace:
    return Mapspace(op, dt.load_accelerator(accelerator), read(text))


def column(found: Mapspace, dim: str) -> list[int]:
    return [int(factor) for factor in found.fixed[:, found.problem.dims.index(dim)]]


def test_a_file_says_what_each_level_may_do(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "imperfect: all\n"
        "levels:\n"
        "  glb: {stationary: input}\n"
        "  pe_array:\n"
        "    axes: {x: {dims: [P, K]}, y: {dims: [R, C], factors: {R: 3}}}\n"
        "  psum_spad: {order: [Q, K], factors: {K: 4}, dims: [K, Q]}\n"
    )
    axes = {
        "x": LevelConstraint(dims=frozenset("PK")),
        "y": LevelConstraint(factors={"R": 3}, dims=frozenset("RC")),
    }
    levels = {
        "glb": LevelConstraint(stationary="input"),
        "pe_array": LevelConstraint(axes=axes),
        "psum_spad": LevelConstraint(("Q", "K"), factors={"K": 4}, dims=frozenset("KQ")),
    }
    assert load_constraints(file) == load_constraints(str(file)) == Constraints(levels, "all")


def test_what_is_fixed_allowed_and_ordered_reaches_the_space() -> None:
    found = space(
        "levels:\n"
        "  glb: {order: [P, K]}\n"
        "  pe_array: {axes: {y: {dims: [R], factors: {R: 3}}}}\n"
        "  weight_spad: {dims: []}\n"
        "  psum_spad: {factors: {K: 4}}\n"
    )
    assert found.problem.dims == ("K", "C", "P", "Q", "R", "S")
    assert column(found, "R") == [0, 0, 1, 3, 0, 1, 0]
    assert column(found, "K") == [0, 0, 0, 1, 0, 1, 4]
    assert found.phases[1].tolist() == [0, 2, 1, 2, 2, 2]


BAD_TEXTS = [
    ("levls: {}", 1, "unknown key 'levls'; did you mean 'levels'?"),
    ("imperfect: some", 1, "imperfect: 'some' is not allowed here"),
    ("levels: [glb]", 1, "levels: a list is not a mapping"),
    ("levels:\n  glb: {orders: [K]}", 2, "levels.glb.orders: unknown key 'orders'; did you mean 'order'?"),
    ("levels:\n  glb: {order: [K, M]}", 2, "levels.glb.order[1]: 'M' is not allowed here; known: N, G, K"),
    ("levels:\n  glb: {order: [K, C, K]}", 2, "levels.glb.order[2]: 'K' stands twice in this list; keep one of them"),
    ("levels:\n  glb: {dims: [K, K]}", 2, "levels.glb.dims: 'K' stands twice"),
    ("levels:\n  glb:\n    dims:\n", 3, "levels.glb.dims: nothing is written here; write [] to allow no dimension"),
    ("levels:\n  glb: {stationary: weights}", 2, "'weights' is not allowed here; did you mean 'weight'?"),
    ("levels:\n  glb:\n    factors: {Z: 3}", 3, "levels.glb.factors.Z: 'Z' is not allowed here; known: N, G, K"),
    ("levels:\n  glb:\n    factors: {K: 0}", 3, "levels.glb.factors.K: '0' is out of bounds; write at least 1"),
    ("levels:\n  glb:\n    factors: {K: 2.5}", 3, "levels.glb.factors.K: '2.5' is not a whole number"),
    ("levels:\n  glb:\n    factors: {K: true}", 3, "levels.glb.factors.K: 'true' is not a whole number"),
    (
        "levels:\n  glb:\n    order: [K]\n    stationary: input",
        3,
        "levels.glb.order: stands beside 'stationary'; keep one of them",
    ),
    (
        "levels:\n  glb:\n    dims: [C]\n    factors: {K: 4}",
        4,
        "levels.glb.factors.K: K has the factor 4 but is not among 'dims'; add K to 'dims'",
    ),
    (
        "levels:\n  a:\n    axes:\n      x: {dims: [C], factors: {K: 4}}",
        4,
        "levels.a.axes.x.factors.K: K has the factor 4 but is not among 'dims'",
    ),
]


@pytest.mark.parametrize(("text", "line", "message"), BAD_TEXTS, ids=[message[:40] for _, _, message in BAD_TEXTS])
def test_a_wrong_file_is_answered_with_its_line_and_a_remedy(text: str, line: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)
    assert str(caught.value).startswith(f"mine.yaml:{line}:")
    assert message in str(caught.value)


MISFITS = [
    ("glob: {dims: [K]}", "'glob' is no level of 'eyeriss'; did you mean 'glb'?"),
    ("xyz: {dims: [K]}", "memories and arrays: dram, glb, pe_array, ifmap_spad, weight_spad, psum_spad"),
    ("mac: {dims: [K]}", "'mac' has no loops"),
    ("glb: {axes: {x: {dims: [K]}}}", "levels.glb.axes: 'glb' is a memory and has no axes"),
    ("pe_array: {axes: {z: {dims: [K]}}}", "levels.pe_array.axes.z: 'pe_array' has no axis 'z'; its axes: x, y"),
    ("pe_array: {order: [K]}", "levels.pe_array.order: 'pe_array' is an array: its loops run at once, in no order"),
    ("pe_array: {stationary: input}", "levels.pe_array.stationary: 'pe_array' is an array"),
    ("pe_array: {factors: {K: 4}}", "levels.pe_array.factors: an array has them by axis; write 'axes: {x: {factors"),
    ("pe_array: {dims: []}", "levels.pe_array.dims: an array has them by axis"),
    ("pe_array: {axes: {y: {factors: {C: 16}}}}", "16 instances are asked of 12; lower it to 12 or less"),
    ("pe_array: {axes: {y: {factors: {P: 2}}}}", "P may not be spread along this axis; the spec allows C, G, K, R, S"),
]


@pytest.mark.parametrize(("level", "message"), MISFITS, ids=[level for level, _ in MISFITS])
def test_what_does_not_fit_the_accelerator_is_named_where_it_is_written(level: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        space(f"levels:\n  {level}")
    assert str(caught.value).startswith("mine.yaml:2:")
    assert message in str(caught.value)


EMPTY = [
    ("psum_spad: {factors: {C: 5}}", "no loops cover C = 16 beside 5 at psum_spad; use factors that divide it"),
    (
        "pe_array: {axes: {x: {factors: {K: 6}}, y: {factors: {C: 4, K: 4}}}}",
        "conv on 'eyeriss': K 4 · C 4 ask 16 instances of 12; lower one of them",
    ),
    ("; ".join(("dram", "glb", "ifmap_spad", "weight_spad", "psum_spad")), "no loops cover C = 16; leave C free in a"),
]


@pytest.mark.parametrize(("levels", "message"), EMPTY, ids=["does not divide", "too many instances", "nowhere"])
def test_constraints_that_leave_nothing_name_the_level_and_the_dimension(levels: str, message: str) -> None:
    lines = [level if ":" in level else f"{level}: {{dims: [K, P, Q, R, S]}}" for level in levels.split("; ")]
    with pytest.raises(SpecError, match="mine") as caught:
        space("levels:\n  " + "\n  ".join(lines))
    assert message in str(caught.value)


def test_dimensions_that_only_the_arrays_may_hold_must_fit_them_together() -> None:
    memories = ("dram", "scratchpad", "accumulator", "pe_register")
    text = "levels:\n" + "".join(f"  {name}: {{dims: [K, P, Q]}}\n" for name in memories)
    assert space(text, conv2d("fits", k=4, c=2, p=4, q=4, r=2, s=4), "gemmini").size > 0
    with pytest.raises(SpecError, match="what memories may not loop over of C, R, S is more than the arrays hold"):
        space(text, conv2d("large", k=4, c=2, p=4, q=4, r=3, s=3), "gemmini")


def test_partial_tiles_in_time_take_factors_that_do_not_divide() -> None:
    text = "levels:\n  psum_spad: {factors: {C: 5}}\n"
    with pytest.raises(SpecError, match="'imperfect: all'"):
        space(text)
    assert space("imperfect: all\n" + text).size > 0


def test_what_concerns_dimensions_that_an_operator_lacks_is_passed_over() -> None:
    text = "levels:\n  pe_array: {axes: {y: {factors: {R: 3, C: 4}}}}\n  glb: {order: [R, P, K], dims: [R, K, C]}\n"
    found = space(text, linear("fc", n=8, k=32, c=16))
    assert column(found, "C") == [0, 0, 1, 4, 0, 0, 0]
    assert column(found, "N") == [0, 1, 0, 1, 0, 0, 0]
    assert found.phases[1].tolist() == [3, 0, 3]


def test_without_a_file_the_place_is_named_in_words() -> None:
    chip = dt.load_accelerator("eyeriss")
    wrong = Constraints({"glb": LevelConstraint(("K", "X"), factors={"K": 0})}, imperfect="some")  # type: ignore[arg-type]
    with pytest.raises(BadInput) as caught:
        Mapspace(CONV, chip, wrong)
    assert str(caught.value).splitlines() == [
        "constraints: imperfect: 'some' is not known; use one of none, arrays, all",
        "constraints: levels.glb.factors.K: '0' is no loop bound; write a whole number from 1; 1 means no loop",
        "constraints: levels.glb.order[1]: no dimension named 'X'; known: N, G, K, C, P, Q, R, S",
    ]
    tensor = Constraints({"glb": LevelConstraint(stationary="bias")})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="'bias' is no tensor; use one of input, weight, output"):
        Mapspace(CONV, chip, tensor)


def test_a_contraction_with_letters_of_its_own_may_be_constrained_by_them() -> None:
    ranks = {"input": "ab", "weight": "bc", "output": "ac"}
    tensors = [Tensor(role, tuple(Rank(((dim, 1),)) for dim in dims)) for role, dims in ranks.items()]  # type: ignore[arg-type]
    op = Op("own", (("a", 4), ("b", 4), ("c", 4)), (tensors[0], tensors[1], tensors[2]))
    rules = Constraints({"dram": LevelConstraint(order=("a", "b"))})
    assert Mapspace(op, dt.load_accelerator("eyeriss"), rules).phases[0].tolist() == [1, 0, 2]


def test_an_unknown_name_is_answered_with_the_nearest_and_a_missing_file_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'eyeriss_row_stationary'"):
        load_constraints("eyeris_row_stationary")
    with pytest.raises(BadInput, match=r"none\.yaml: no such file"):
        load_constraints(tmp_path / "none.yaml")


def test_the_schema_knows_the_keys() -> None:
    assert set(constraints_schema()["properties"]) == {"description", "source", "imperfect", "levels"}


@pytest.mark.parametrize("name", list_constraints())
def test_shipped_constraints_leave_every_layer_mappings_that_fit(name: str) -> None:
    rules, accelerator = load_constraints(name), dt.load_accelerator(name.rsplit("_", 2)[0])
    network = dt.load_network("mobilenet_v2")
    for op in {op.shape_key: op for op in network.contractions}.values():
        found = Mapspace(op, accelerator, rules)
        points = random_points(found, 30, np.random.default_rng(1))
        plain = tuple(part[None] for part in everything_outside(found))
        costs = np.concatenate([found.problem.evaluate(*points), found.problem.evaluate(*plain)])
        assert np.isfinite(costs[:, 0]).sum() > 10
        assert np.isfinite(costs[-1, 0])


def test_row_stationary_puts_filter_rows_beside_output_rows() -> None:
    found = Mapspace(CONV, dt.load_accelerator("eyeriss"), load_constraints("eyeriss_row_stationary"))
    free = {s: {dim for dim, f in zip(found.problem.dims, found.fixed[s], strict=True) if not f} for s in range(7)}
    assert free[2] == {"K", "P"}
    assert free[3] == {"K", "C", "R"}
    assert free[4] == set()
    assert (free[5], free[6]) == ({"C", "S"}, {"K"})
