"""Memories that fetch every tile anew: the forms of the model agree, and the figures are the hand's."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from nests import random_case, with_waits
from oracle import Walk
from test_batch import dressed

from dovetail import best_mapping, load_accelerator
from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.nest import Nest
from dovetail.accel.traffic import Traffic
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES, Op, linear

KINDS = ("reads", "fills", "updates", "drains")


def case(seed: int) -> tuple[Op, Accelerator, Mapping]:
    op, accelerator, mapping = random_case(seed)
    rng = random.Random(seed)
    levels = tuple(
        replace(level, refetch=rng.random() < 0.7) if isinstance(level, Memory) and place else level
        for place, level in enumerate(accelerator.levels)
    )
    return op, with_waits(replace(accelerator, levels=levels), rng), mapping


@pytest.mark.parametrize("block", range(4))
def test_counts_equal_the_oracle_on_random_nests(block: int) -> None:
    compared = 0
    for seed in range(block * 120, block * 120 + 120):
        op, accelerator, mapping = case(seed)
        if op.macs > 1500:
            continue
        compared += 1
        walk, traffic = Walk(op, accelerator, mapping), Traffic(Nest(op, accelerator, mapping))
        places = [level.name for level in traffic.nest.places]
        for (name, role), counts in walk.counts.items():
            modelled = traffic.counts[places.index(name), role]
            found = [getattr(modelled, kind) for kind in KINDS]
            assert [counts.get(kind, 0) for kind in KINDS] == found, (seed, name, role)
        for (name, role), hops in walk.hops.items():
            assert sum(hops.values()) == traffic.hops[places.index(name), role], (seed, name, role)
        for place, level in enumerate(walk.order):
            for role in ROLES:
                if isinstance(level, Memory) and place and role in level.keeps:
                    assert walk.tile_changes(role, place)[0] == traffic.nest.tile_changes(role, place), (seed, place)
    assert compared > 60


def test_the_compiled_model_equals_the_reference_on_random_nests() -> None:
    compared = left = 0
    for seed in range(1200):
        op, accelerator, mapping = case(seed)
        accelerator = dressed(accelerator, random.Random(seed))
        problem = Problem(op, accelerator)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
        except BadInput:
            continue
        try:
            cost = evaluate(op, accelerator, mapping)
        except Infeasible:
            continue
        energy, cycles, steps = problem.evaluate(factors[None], order[None], bypass[None])[0]
        if math.isnan(energy):  # cut windows along a diagonal
            left += 1
            continue
        compared += 1
        assert (energy, cycles) == (pytest.approx(cost.energy_j, rel=1e-12), pytest.approx(cost.cycles, rel=1e-12)), (
            seed
        )
        assert steps == cost.compute_cycles
    assert compared > 400
    assert left < 0.02 * compared


def test_inputs_that_stay_are_fetched_for_every_iteration() -> None:
    op = linear("fc", n=4, k=6, c=8)
    mapping = Mapping((LevelMapping("dram", (Loop("K", 6),)), LevelMapping("buffer", (Loop("N", 4), Loop("C", 8)))))

    def fills(refetch: bool) -> int:
        buffer = Memory("buffer", frozenset(ROLES), double_buffered=True, refetch=refetch)
        levels = (Memory("dram", frozenset(ROLES)), buffer, Compute("mac"))
        return Traffic(Nest(op, Accelerator("toy", 1e9, 45.0, levels), mapping)).counts[1, "input"].fills

    assert (fills(False), fills(True)) == (4 * 8, 6 * 4 * 8)


def test_the_optimal_mapper_says_that_it_proves_nothing_of_them() -> None:
    accelerator = load_accelerator("gemmini")
    levels = tuple(
        replace(one, refetch=one.name == "scratchpad") if isinstance(one, Memory) else one for one in accelerator.levels
    )
    with pytest.raises(BadInput, match=r"'scratchpad' of 'gemmini' fetches every tile anew.*annealing"):
        best_mapping(linear("fc", n=4, k=32, c=32), replace(accelerator, levels=levels))
