"""An operator whose tensors stay on the chip: the model equals the walk, and staying never costs more."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from nests import random_accelerator, random_mapping, random_op, with_waits
from oracle import Walk
from test_batch import dressed

from dovetail.accel.accelerator import Accelerator, Compute, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.batch import Problem
from dovetail.accel.capacity import tile_bits
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.nest import Nest
from dovetail.accel.relaxed import RelaxedModel
from dovetail.accel.residence import Residence, with_residence
from dovetail.accel.traffic import Traffic
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES, Op, Role, linear

ALL = frozenset(ROLES)
KINDS = ("reads", "fills", "updates", "drains")


def with_shared(accelerator: Accelerator) -> Accelerator:
    """The accelerator with a memory below the DRAM, above all arrays, in which everything may stay."""
    first, *rest = accelerator.levels
    shared = Memory("shared", ALL, may_bypass=ALL, may_reside=ALL)
    return replace(accelerator, levels=(first, shared, *rest))


def staying(*roles: Role, room: float | None = None) -> Residence:
    return Residence(tuple((role, "shared") for role in roles), () if room is None else (("shared", room),))


def random_case(seed: int) -> tuple[Op, Accelerator, Mapping]:
    rng = random.Random(seed)
    op, accelerator = random_op(rng), with_shared(random_accelerator(rng))
    roles = [role for role in ROLES if rng.random() < 0.6] or [rng.choice(ROLES)]
    variant = with_residence(accelerator, staying(*roles))
    return op, variant, random_mapping(rng, op, variant)


@pytest.mark.parametrize("block", range(4))
def test_counts_equal_the_oracle_where_tensors_stay(block: int) -> None:
    compared = 0
    for seed in range(block * 100, block * 100 + 100):
        op, accelerator, mapping = random_case(seed)
        if op.macs > 1500:
            continue
        compared += 1
        walk, traffic = Walk(op, accelerator, mapping), Traffic(Nest(op, accelerator, mapping))
        places = [level.name for level in traffic.nest.places]
        for place, level in enumerate(places):
            for role in ROLES:
                counts, modelled = walk.counts[level, role], traffic.counts[place, role]
                assert [counts.get(kind, 0) for kind in KINDS] == [getattr(modelled, kind) for kind in KINDS], seed
        for (name, role), hops in walk.hops.items():
            assert sum(hops.values()) == traffic.hops[places.index(name), role], (seed, name, role)
    assert compared > 60


def test_the_compiled_model_equals_the_readable_one_where_tensors_stay() -> None:
    fitting = 0
    for seed in range(400):
        op, accelerator, mapping = random_case(seed)
        rng = random.Random(seed)
        accelerator = with_waits(dressed(accelerator, rng), rng)
        levels = [
            replace(one, refetch=rng.random() < 0.2) if isinstance(one, Memory) else one for one in accelerator.levels
        ]
        accelerator = replace(accelerator, levels=tuple(levels))
        problem = Problem(op, accelerator)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
        except BadInput:
            continue
        energy, cycles, steps = problem.evaluate(factors[None], order[None], bypass[None])[0]
        try:
            cost = evaluate(op, accelerator, mapping)
        except Infeasible:
            assert np.isinf(energy), seed
            continue
        fitting += 1
        assert (energy, cycles, steps) == pytest.approx((cost.energy_j, cost.cycles, cost.compute_cycles), rel=1e-12)
    assert fitting > 60


def test_the_relaxed_model_takes_the_same_room() -> None:
    torch = pytest.importorskip("torch")
    compared = 0
    for seed in range(60):
        op, accelerator, mapping = random_case(seed)
        problem = Problem(op, accelerator)
        try:
            factors, order, bypass = problem.from_mapping(mapping)
        except BadInput:
            continue
        if not problem.dims or (np.prod(factors, axis=0) != [op.bounds[dim] for dim in problem.dims]).any():
            continue
        tables = [torch.as_tensor(cast(Any, table)[None]) for table in (factors, order, bypass)]
        relaxed = RelaxedModel(problem).evaluate(*tables)
        nest = Nest(op, accelerator, mapping)
        expected = [tile_bits(nest, accelerator, place) for place in range(len(problem.places))]
        assert relaxed.bits[0].tolist() == pytest.approx(expected), seed
        compared += 1
    assert compared > 10


def costly(levels: list[Any]) -> Accelerator:
    dram = Memory("dram", ALL, read_bandwidth_bits_per_s=8e9, shared_port=True,
                  read_energy_j_per_bit=1e-11, write_energy_j_per_bit=1e-11)  # fmt: skip
    shared = Memory("shared", ALL, may_reside=ALL, read_bandwidth_bits_per_s=64e9, write_bandwidth_bits_per_s=64e9,
                    read_energy_j_per_bit=1e-12, write_energy_j_per_bit=1e-12)  # fmt: skip
    return Accelerator("costly", 1e9, 45.0, (dram, shared, *levels, Compute("mac", energy_j=1e-13, leakage_w=1e-4)))


def test_a_tensor_that_stays_never_costs_energy_or_time() -> None:
    rng = random.Random(5)
    accelerator = costly([Memory("buffer", ALL), Memory("register", frozenset(["weight"]))])
    for _ in range(150):
        op = random_op(rng)
        mapping = random_mapping(rng, op, accelerator)
        roles = list(ROLES)
        rng.shuffle(roles)
        before = evaluate(op, accelerator, mapping)
        for count in (1, 2, 3):
            after = evaluate(op, with_residence(accelerator, staying(*roles[:count])), mapping)
            assert after.energy_j <= before.energy_j * (1 + 1e-12)
            assert after.cycles <= before.cycles * (1 + 1e-12)
            assert not any(name == "dram" and role in roles[:count] for name, role in after.energy)
            before = after


def plain(*loops: tuple[str, Loop]) -> Mapping:
    return Mapping(
        tuple(LevelMapping(name, tuple(loop for at, loop in loops if at == name)) for name in ("dram", "shared"))
    )


def test_the_tile_of_a_resident_tensor_takes_no_room() -> None:
    op, accelerator = linear("l", n=1, k=8, c=8), costly([])
    inside = plain(("shared", Loop("C", 8)), ("shared", Loop("K", 8)))
    evaluate(op, with_residence(accelerator, staying("input", "weight", room=256.0)), inside)
    with pytest.raises(Infeasible, match="1 word too many"):
        evaluate(op, with_residence(accelerator, staying("input", "weight", room=248.0)), inside)


def test_unfinished_sums_of_a_resident_output_take_their_extra_width_for_all_its_words() -> None:
    op, accelerator = linear("l", n=1, k=8, c=8), costly([])
    outside = plain(("dram", Loop("K", 8)), ("dram", Loop("C", 8)))
    evaluate(op, with_residence(accelerator, staying(*ROLES, room=8 * 24.0)), outside)
    with pytest.raises(Infeasible, match="shared"):
        evaluate(op, with_residence(accelerator, staying(*ROLES, room=8 * 24.0 - 8)), outside)


def test_memories_outside_the_home_do_not_keep_the_tensor_and_the_home_always_does() -> None:
    accelerator = with_shared(random_accelerator(random.Random(1)))
    dram, shared, *_ = with_residence(accelerator, staying("weight", room=100.0)).memories
    assert (dram.keeps, dram.resident) == (frozenset(["input", "output"]), frozenset())
    assert (shared.keeps, shared.resident, shared.size_bits) == (ALL, frozenset(["weight"]), 100.0)
    assert shared.may_bypass == frozenset(["input", "output"])


def test_no_residence_is_the_accelerator_itself() -> None:
    accelerator = costly([])
    assert with_residence(accelerator, Residence()) is accelerator


@pytest.mark.parametrize(
    ("residence", "message"),
    [
        (Residence((("input", "dram"),)), "'input' cannot stay in 'dram'; the spec lets it stay in 'shared'"),
        (Residence((), (("shared", 0.0),)), "no 0 bits can be left of 'shared'"),
        (Residence((), (("nowhere", 8.0),)), "no 8 bits can be left of 'nowhere'"),
    ],
)
def test_a_residence_that_the_spec_does_not_allow_is_refused(residence: Residence, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        with_residence(costly([]), residence)
