"""The optimal mapper stays optimal, and knows it, where tensors stay on the chip."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from test_optimal import GOALS, OPS, array, check_against_all, chip, dram, memory

from dovetail.accel.accelerator import Accelerator, Memory, Systolic
from dovetail.accel.residence import Residence, with_residence
from dovetail.mapper.base import Limits
from dovetail.mapper.baselines.random_search import RandomMapper
from dovetail.mapper.bounds import roofline
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.optimal.mapper import OptimalMapper
from dovetail.models.op import ROLES, Role

SETS: tuple[tuple[Role, ...], ...] = tuple(
    roles for count in (1, 2, 3) for roles in itertools.combinations(ROLES, count)
)
BUFFER = memory("buffer", 40, pj=3.0, bandwidth=(24, 8))
CHIPS: dict[str, Accelerator] = {
    "two memories": chip(dram(), BUFFER),
    "over an array": chip(dram(), BUFFER, array(2, 2, hop_pj=0.3), memory("register", 5, pj=0.3)),
    "under another memory": chip(
        dram(), memory("outer", 60, pj=6.0), replace(BUFFER, double_buffered=True), memory("register", 5, pj=0.3)
    ),
    "sums wider than words": chip(
        dram(), memory("buffer", 90, pj=3.0), array(3), memory("sums", 9, "o", pj=0.4), accumulator=32
    ),
    "halting while it fills, double-buffered below": chip(
        memory("dram", pj=20.0, bandwidth=(8, 4)), BUFFER, memory("register", 8, double=True, bandwidth=(16, 8))
    ),
    "tiles that wait and a systolic array": chip(
        memory("dram", pj=20.0, bandwidth=(8, 8), shared=True),
        replace(BUFFER, latency_cycles=3.0),
        replace(array(2, 2), systolic=Systolic("weight_stationary", 2, 2)),
        replace(memory("register", 8, pj=0.3), latency_cycles=2.0, double_buffered=True),
    ),
    "bypasses": chip(dram(), replace(BUFFER, may_bypass=frozenset(ROLES)), memory("register", 5, skips="w", pj=0.3)),
}


def during(accelerator: Accelerator, roles: tuple[Role, ...], room: float) -> Accelerator:
    """The accelerator while these tensors are resident in its buffer, of which ``room`` words are left."""
    levels = tuple(
        replace(level, may_reside=frozenset(ROLES), size_bits=8e6)
        if isinstance(level, Memory) and level.name == "buffer"
        else level
        for level in accelerator.levels
    )
    homes = tuple((role, "buffer") for role in roles)
    return with_residence(replace(accelerator, levels=levels), Residence(homes, (("buffer", 8.0 * room),)))


CASES = [
    pytest.param(name, op, roles, GOALS[(i + j + k) % len(GOALS)], id=f"{op} on {name}, {'+'.join(roles)} resident")
    for i, name in enumerate(CHIPS)
    for j, op in enumerate(("odd gemm", "strided", "two windows", "grouped", "transposed"))
    for k, roles in enumerate(SETS)
    if (i + j + k) % 3 == 0
]


@pytest.mark.parametrize(("name", "op", "roles", "goal"), CASES)
def test_no_mapping_of_a_small_space_is_better(name: str, op: str, roles: tuple[Role, ...], goal: str) -> None:
    room = 34 if CHIPS[name].compute.accumulator_bits == 8 else 70
    check_against_all(Mapspace(OPS[op], during(CHIPS[name], roles, room)), goal)


@pytest.mark.parametrize("roles", SETS, ids="+".join)
def test_the_roofline_counts_what_each_memory_must_move(roles: tuple[Role, ...]) -> None:
    for name, op in itertools.product(CHIPS, OPS.values()):
        accelerator = during(CHIPS[name], roles, 300)
        space = Mapspace(op, accelerator)
        for goal in ("energy", "latency"):
            objective = Objective.parse(goal)
            found = RandomMapper().map(space, objective, 0, Limits(evaluations=50)).certificate
            assert found.optimum >= roofline(op, accelerator, objective) * (1 - 1e-9)


def test_the_optimum_falls_with_every_tensor_that_stays_where_room_is_no_matter() -> None:
    for op, goal in itertools.product(OPS.values(), ("energy", "latency", "edp")):
        costs = [
            OptimalMapper(1)
            .map(Mapspace(op, during(CHIPS["over an array"], roles, 1e6)), Objective.parse(goal), 0)
            .certificate.optimum
            for roles in ((), ("input",), ("input", "weight"), ("input", "weight", "output"))
        ]
        assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(costs))
