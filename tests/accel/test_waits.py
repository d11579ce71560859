"""Tiles' latencies and the passes of systolic arrays: all forms of the model agree, and the figures are the hand's."""

from __future__ import annotations

import random

import pytest
from nests import random_case, with_waits
from oracle import Walk
from test_batch import dressed

from dovetail.accel.accelerator import Accelerator, Array, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.mapping import Mapping
from dovetail.accel.nest import Nest
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES, Op

ALL = frozenset(ROLES)


def waiting_case(seed: int) -> tuple[Op, Accelerator, Mapping]:
    op, accelerator, mapping = random_case(seed)
    return op, with_waits(accelerator, random.Random(seed)), mapping


def walked_cycles(op: Op, accelerator: Accelerator, mapping: Mapping) -> float:
    """Cycles of a walk whose words take no time."""
    walk = Walk(op, accelerator, mapping)
    waits, kept = walk.latencies(), [level.bypass for level in mapping.levels]
    longest, edges, busy = walk.steps, 0.0, 0.0
    for place, level in enumerate(walk.order):
        if isinstance(level, Memory) and place:
            edge = level.latency_cycles * len(level.keeps - kept[place])
            edges += edge
            if level.double_buffered:
                busy = max(busy, waits[level.name] - edge)
            else:
                longest += waits[level.name] - edge
        elif isinstance(level, Array) and level.systolic:
            if level.systolic.overlapped:
                edges += walk.passes()[level.name]
            else:
                longest += walk.passes()[level.name]
    return edges + max(longest, busy)


@pytest.mark.parametrize("block", range(4))
def test_tiles_and_waits_equal_the_oracle_on_random_nests(block: int) -> None:
    compared = 0
    for seed in range(block * 150, block * 150 + 150):
        op, accelerator, mapping = waiting_case(seed)
        if op.macs > 1000:
            continue
        compared += 1
        walk, nest = Walk(op, accelerator, mapping), Nest(op, accelerator, mapping)
        for place in range(len(nest.places) + 1):
            for role in ROLES:
                changes, returns = walk.tile_changes(role, place)
                assert nest.tile_changes(role, place) == changes, (seed, place, role)
                assert nest.distinct_tiles(role, place) == changes - returns, (seed, place, role)
        expected = walked_cycles(op, accelerator, mapping)
        assert evaluate(op, accelerator, mapping).cycles == pytest.approx(expected, rel=1e-12), seed
    assert compared >= 100


@pytest.mark.parametrize("block", range(4))
def test_bulk_costs_with_waits_equal_the_reference(block: int) -> None:
    compared = 0
    for seed in range(block * 200, block * 200 + 200):
        op, accelerator, mapping = waiting_case(seed)
        accelerator = dressed(accelerator, random.Random(seed))
        problem = Problem(op, accelerator)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
            cost = evaluate(op, accelerator, mapping)
        except (BadInput, Infeasible):
            continue
        compared += 1
        found = problem.evaluate(factors[None], order[None], bypass[None])[0]
        expected = (cost.energy_j, cost.cycles, cost.compute_cycles)
        assert tuple(found) == pytest.approx(expected, rel=1e-12, abs=0), seed
    assert compared > 50
