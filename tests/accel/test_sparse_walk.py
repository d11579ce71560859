"""Gating and skipping beside a walk with actual masks: counts, energy and cycles."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from nests import random_case
from sparse_cases import sparse
from sparse_oracle import Encoder, draw
from sparse_walk import SparseWalk, drawn, independent

from dovetail.accel.accelerator import Accelerator, Array, Compute, Level, Memory, Packed, Skipping
from dovetail.accel.analytic import evaluate
from dovetail.accel.formats import Format
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.errors import BadInput, Infeasible
from dovetail.models.op import ROLES, Op, Role, linear
from dovetail.models.patterns import Blocks, Measured, NofM, Pattern, Uniform

ALL = frozenset(ROLES)
DRAWS = 64


def agrees(found: np.ndarray, expected: float) -> bool:
    """Whether the mean of the draws is ``expected`` within what chance allows; what is rare may not have happened."""
    error = float(np.std(found)) / math.sqrt(len(found))
    return abs(float(np.mean(found)) - expected) <= 5.0 * error + 2e-3 * abs(expected)


def at_most(found: np.ndarray, expected: float) -> bool:
    error = float(np.std(found)) / math.sqrt(len(found))
    return float(np.mean(found)) <= expected * (1 + 2e-3) + 5.0 * error


def unlimited(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """Random features; nothing but the multipliers takes time or room, and a word is as wide in any state."""
    levels: list[Level] = []
    for level in sparse(accelerator, rng).levels:
        if isinstance(level, Memory):
            free = dict.fromkeys(("size_bits", "read_bandwidth_bits_per_s", "write_bandwidth_bits_per_s"), math.inf)
            level = replace(level, **free, prefetched=True, word_bits={"output": 32.0}, compression={})
        elif isinstance(level, Array):
            level = replace(level, lockstep=False)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def with_some_zeros(op: Op, rng: random.Random) -> Op:
    """The operator with a whole number of words that are not zero in each tensor, or with structured weights."""
    shares = [rng.randint(1, tensor.words(op.bounds)) / tensor.words(op.bounds) for tensor in op.tensors]
    first, second, result = (replace(tensor, density=share) for tensor, share in zip(op.tensors, shares, strict=True))
    shape = [op.bounds[rank.terms[0][0]] for rank in second.ranks]
    mask = np.random.default_rng(rng.randrange(100)).random(shape) < 0.5
    mask.flat[0] = True
    sides = (("K", min(2, op.bounds["K"])), ("C", min(2, op.bounds["C"])))
    patterns: list[Pattern | None] = [
        None,
        Blocks(0.5, sides),
        Blocks(0.75, sides, 0.5),
        Measured.of(mask, tuple(rank.terms[0][0] for rank in second.ranks)),
        NofM(1, 2, "K") if op.bounds["K"] % 2 == 0 else None,
    ]
    pattern = rng.choice(patterns)
    if pattern is not None:
        second = replace(second, density=1.0, pattern=pattern)
    return replace(op, tensors=(first, second, result))


def truthful(op: Op, accelerator: Accelerator, mapping: Mapping) -> Accelerator:
    """The accelerator with only those leaders in common that are the same word in all instances."""
    spread = {loop.dim for level in mapping.levels for loop in level.loops if loop.axis}
    levels: list[Level] = []
    for level in accelerator.levels:
        if isinstance(level, Compute) and level.skipping:
            common = frozenset(role for role in level.skipping.common if not op.tensor(role).dims & spread)
            level = replace(level, skipping=replace(level.skipping, common=common))
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


@lru_cache(maxsize=512)
def walked(seed: int) -> tuple[Op, Accelerator, Mapping, SparseWalk] | None:
    op, accelerator, mapping = random_case(seed)
    if op.macs > 400:
        return None
    rng = random.Random(seed)
    op = with_some_zeros(op, rng)
    accelerator = truthful(op, unlimited(accelerator, rng), mapping)
    try:
        evaluate(op, accelerator, mapping)
    except (BadInput, Infeasible):
        return None
    return op, accelerator, mapping, SparseWalk(op, accelerator, mapping, drawn(op, DRAWS, seed))


def without_savings(accelerator: Accelerator) -> Accelerator:
    """The accelerator that neither gates nor skips nor compresses, but for what is no matter of zeros."""
    levels: list[Level] = []
    for level in accelerator.levels:
        if isinstance(level, Memory):
            tables = {role: fmt for role, fmt in level.compression.items() if fmt.kind == "codebook"}
            level = replace(level, gating={}, skipping={}, compression=tables, worst_case=False)
        elif isinstance(level, Array):
            level = replace(level, lockstep=False)
        elif isinstance(level, Compute):
            level = replace(level, gating=frozenset(), skipping=None)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def joules(walk: SparseWalk, role: Role) -> np.ndarray:
    """What the innermost memory of a tensor spends less than without zeros, by draw."""
    memory, width = walk.order[walk.keepers(role)[-1]], 32 if role == "output" else 8
    missing = walk.asked[role] - walk.words[role]
    if role != "output":
        return missing * width * memory.read_energy_j_per_bit
    unread = missing - (walk.first_touches(walk.keepers(role)[-1]) - walk.first_done)
    return width * (missing * memory.write_energy_j_per_bit + unread * memory.read_energy_j_per_bit)


def test_energies_of_random_nests_are_those_of_a_walk_with_masks() -> None:
    compared = shared = 0
    for op, accelerator, mapping, walk in filter(None, map(walked, range(160))):
        cost, plain = evaluate(op, accelerator, mapping), evaluate(op, without_savings(accelerator), mapping)
        assert agrees(walk.macs_done * accelerator.compute.energy_j, cost.energy["mac", ""])
        for role in ROLES:
            if role == "output" and isinstance(op.tensor("weight").pattern, Measured):
                continue  # how many sums begin with a zero depends on where the mask's first ones are
            place = walk.keepers(role)[-1]
            name = walk.order[place].name
            found, expected = (
                plain.energy.get((name, role), 0.0) - joules(walk, role),
                cost.energy.get((name, role), 0.0),
            )
            arrays = [array for array in walk.order[place:] if isinstance(array, Array)]
            spent = {array.name: walk.moved[array.name, role] * (32 if role == "output" else 8) for array in arrays}
            if any(array.reduces if role == "output" else role in array.multicast for array in arrays):
                shared += 1  # what several ask for is read if any of them does, and counted as if always
                assert at_most(found, expected)
                for array in arrays:
                    found = spent[array.name] * array.hop_energy_j_per_bit
                    assert at_most(found, cost.energy.get((array.name, role), 0.0))
                continue
            compared += 1
            assert agrees(found, expected)
            for array in arrays:
                found = spent[array.name] * array.hop_energy_j_per_bit
                assert agrees(found, cost.energy.get((array.name, role), 0.0))
    assert min(compared, shared) > 150


def test_cycles_of_one_instance_are_the_steps_that_a_walk_takes() -> None:
    compared = 0
    for op, accelerator, mapping, walk in filter(None, map(walked, range(160))):
        skipping = accelerator.compute.skipping
        if any(loop.axis for level in mapping.levels for loop in level.loops) or (skipping and skipping.scan):
            continue
        compared += 1
        assert agrees(walk.cycles(), evaluate(op, accelerator, mapping).compute_cycles)
    assert compared > 20


def test_without_zeros_all_features_cost_exactly_what_none_costs() -> None:
    compared = 0
    for seed in range(400):
        op, accelerator, mapping = random_case(seed)
        featured = sparse(accelerator, random.Random(seed))
        try:
            plain = evaluate(op, without_savings(featured), mapping)
        except (BadInput, Infeasible):
            continue
        compared += 1
        assert evaluate(op, featured, mapping) == plain
    assert compared > 200


# ---- how long instances wait for each other, and what structure leaves to chance -------------------------------------


def chip(skipping: Skipping | None, *arrays: Array, gating: frozenset[Role] = frozenset()) -> Accelerator:
    memories = Memory("dram", ALL), Memory("buffer", ALL, read_energy_j_per_bit=1.0)
    return Accelerator("chip", 1e9, 45.0, (*memories, *arrays, Compute("mac", gating=gating, skipping=skipping)))


def nest(buffer: list[Loop], **spatial: Loop) -> Mapping:
    arrays = [LevelMapping(name, (loop,)) for name, loop in spatial.items()]
    return Mapping((LevelMapping("dram", ()), LevelMapping("buffer", tuple(buffer)), *arrays))


def layer(weight: object = None, inputs: object = None, n: int = 4, k: int = 8, c: int = 64) -> Op:
    op = linear("fc", n=n, k=k, c=c)
    first, second, result = op.tensors
    first = replace(first, pattern=inputs) if inputs else first
    return replace(op, tensors=(first, replace(second, pattern=weight) if weight else second, result))


PES = Array("pes", (("x", 4),))
LANES = Array("lanes", (("y", 4),), lockstep=True)
WEIGHT, INPUT, BOTH = frozenset[Role]({"weight"}), frozenset[Role]({"input"}), frozenset[Role]({"input", "weight"})
OVER_K = nest([Loop("N", 4), Loop("K", 2), Loop("C", 64)], pes=Loop("K", 4, "x"))


@pytest.mark.parametrize("window", [1, 4, 16, 64])
@pytest.mark.parametrize("density", [0.15, 0.5, 0.9])
def test_instances_wait_for_the_slowest_of_them_in_each_window(window: int, density: float) -> None:
    op, accelerator = layer(Uniform(density)), chip(Skipping(WEIGHT, window=window), PES)
    walk = SparseWalk(op, accelerator, OVER_K, independent(op, 200, 1))
    expected = evaluate(op, accelerator, OVER_K).compute_cycles
    assert agrees(walk.cycles(), expected)
    if 1 < window < 64:
        assert expected > 1.05 * 512 * density


def test_zeros_of_common_leaders_are_skipped_before_windows_are_made() -> None:
    op = layer(Uniform(0.4), NofM(2, 4))
    accelerator = chip(Skipping(BOTH, common=INPUT, window=16), PES)
    masks = independent(op, 200, 2) | {"input": drawn(op, 200, 2)["input"]}
    walk = SparseWalk(op, accelerator, OVER_K, masks)
    assert agrees(walk.cycles(), evaluate(op, accelerator, OVER_K).compute_cycles)


def test_instances_in_lockstep_that_share_a_leader_are_one() -> None:
    op, accelerator = layer(Uniform(0.4)), chip(Skipping(WEIGHT, window=16), PES, LANES)
    mapping = nest([Loop("K", 2), Loop("C", 64)], pes=Loop("K", 4, "x"), lanes=Loop("N", 4, "y"))
    walk = SparseWalk(op, accelerator, mapping, independent(op, 200, 3))
    assert agrees(walk.cycles(), evaluate(op, accelerator, mapping).compute_cycles)
    alone = chip(Skipping(WEIGHT, window=16), PES, replace(LANES, lockstep=False))
    assert evaluate(op, alone, mapping).compute_cycles > evaluate(op, accelerator, mapping).compute_cycles


@pytest.mark.parametrize("pattern", [Uniform(0.3), Blocks(0.5, (("K", 4),)), Blocks(0.5, (("K", 4), ("C", 8)), 0.5)])
def test_blocks_are_skipped_by_lanes_that_share_them(pattern: Uniform | Blocks) -> None:
    op, accelerator = layer(pattern, k=16), chip(Skipping(WEIGHT, blocks={"K": 4}), LANES)
    mapping = nest([Loop("N", 4), Loop("K", 4), Loop("C", 64)], lanes=Loop("K", 4, "y"))
    walk = SparseWalk(op, accelerator, mapping, drawn(op, 100, 4))
    cost = evaluate(op, accelerator, mapping)
    assert agrees(walk.cycles(), cost.compute_cycles)
    if isinstance(pattern, Blocks) and pattern.inside == 1.0:  # so many blocks are kept, whichever they are
        assert set(walk.cycles()) == {cost.compute_cycles}


@pytest.mark.parametrize("rate", [0.25, 4.0])
def test_a_scan_looks_at_what_one_operand_leaves_over(rate: float) -> None:
    op = layer(Uniform(0.5), Uniform(0.5))
    accelerator = chip(Skipping(BOTH, scan=INPUT, scan_rate=rate))
    mapping = nest([Loop("N", 4), Loop("K", 8), Loop("C", 64)])
    walk = SparseWalk(op, accelerator, mapping, drawn(op, 50, 5))
    cost = evaluate(op, accelerator, mapping)
    assert agrees(walk.cycles(), cost.compute_cycles)
    assert cost.compute_cycles == pytest.approx(op.macs * max(0.25, 0.5 / rate))


@pytest.mark.parametrize("pattern", [NofM(2, 4), NofM(1, 4), NofM(1, 2), NofM(3, 4), Uniform(0.25)])
def test_structured_zeros_take_exactly_their_steps(pattern: NofM | Uniform) -> None:
    op, accelerator = layer(pattern), chip(Skipping(WEIGHT, structured=(2, 4), window=16), PES)
    walk = SparseWalk(op, accelerator, OVER_K, drawn(op, 5, 6))
    cost = evaluate(op, accelerator, OVER_K)
    half = isinstance(pattern, NofM) and pattern != NofM(3, 4)
    assert set(walk.cycles()) == {cost.compute_cycles} == {256.0 if half else 512.0}


def test_a_measured_mask_skips_and_gates_exactly_its_zeros() -> None:
    mask = np.random.default_rng(7).random((8, 64)) < 0.3
    op = layer(Measured.of(mask, ("K", "C")))
    mapping = nest([Loop("N", 4), Loop("K", 8), Loop("C", 64)])
    for accelerator in (chip(Skipping(WEIGHT)), chip(None, gating=WEIGHT)):
        walk = SparseWalk(op, accelerator, mapping, drawn(op, 2, 7))
        cost = evaluate(op, accelerator, mapping)
        taken = mask.sum() * 4
        assert set(walk.macs_done) == set(walk.words["input"]) == set(walk.words["output"]) == {taken}
        assert cost.energy["buffer", "input"] == pytest.approx(taken * 8)
        assert cost.compute_cycles == pytest.approx(walk.cycles()[0])
        assert walk.cycles()[0] == (taken if accelerator.compute.skipping else op.macs)


@pytest.mark.parametrize("density", [0.1, 0.4, 0.8])
def test_the_last_vector_of_a_packed_tile_has_idle_lanes(density: float) -> None:
    op = layer(Uniform(density), k=16)
    accelerator = chip(Skipping(WEIGHT, packed={"weight": Packed({"K": 16}, 4)}), LANES)
    mapping = nest([Loop("N", 4), Loop("C", 64), Loop("K", 4)], lanes=Loop("K", 4, "y"))
    masks = drawn(op, 200, 8)["weight"]  # [draws, K, C]
    vectors = -(-masks.sum(axis=1) // 4)
    cost = evaluate(op, accelerator, mapping)
    assert agrees(4 * vectors.sum(axis=1), cost.compute_cycles)
    assert cost.energy["mac", ""] == 0.0
    working = replace(accelerator, levels=(*accelerator.levels[:-1], replace(accelerator.compute, energy_j=1.0)))
    assert agrees(4 * masks.sum(axis=(1, 2)), evaluate(op, working, mapping).energy["mac", ""])


@pytest.mark.parametrize("index", [1, 3])
def test_zeros_that_a_code_stores_are_steps_of_a_padded_leader(index: int) -> None:
    op, fmt = layer(Uniform(0.1)), Format("run_length", index_bits=index, fiber=64, along="C", offset_bits=8)
    accelerator = chip(Skipping(WEIGHT, padded=WEIGHT))
    buffer = replace(accelerator.memories[1], compression={"weight": fmt})
    accelerator = replace(accelerator, levels=(accelerator.levels[0], buffer, accelerator.levels[2]))
    mapping, rng = nest([Loop("N", 4), Loop("K", 8), Loop("C", 64)]), np.random.default_rng(9)
    stored = np.array([Encoder(fmt, op, "weight", draw(op, "weight", rng), 8).words for _ in range(100)])
    assert agrees(4 * stored, evaluate(op, accelerator, mapping).compute_cycles)


def behind_queues(work: np.ndarray, queue: int) -> int:
    """Cycles of elements with queues for ``work`` [windows, elements], looked at cycle by cycle.

    One window is sent each cycle in which all queues have room; an element that is free takes the next one from its
    queue, and is busy with it for as many cycles as it has work, at least one.
    """
    waiting: list[list[int]] = [[] for _ in range(work.shape[1])]
    free = [0] * work.shape[1]
    cycle, sent = 0, 0

    def take() -> None:
        for element, listed in enumerate(waiting):
            if listed and free[element] <= cycle:
                free[element] = cycle + max(1, listed.pop(0))

    while sent < len(work) or any(waiting):
        take()
        if sent < len(work) and all(len(listed) < queue for listed in waiting):
            for element, listed in enumerate(waiting):
                listed.append(int(work[sent, element]))
            sent += 1
            take()
        cycle += 1
    return max(free)


@pytest.mark.parametrize("queue", [1, 2, 8])
@pytest.mark.parametrize("density", [0.1, 0.4])
def test_elements_behind_queues_take_as_long_as_cycle_by_cycle(queue: int, density: float) -> None:
    op = layer(Uniform(density), k=64, c=3000, n=1)
    accelerator = chip(Skipping(WEIGHT, window=16, queue=queue), PES)
    mapping = nest([Loop("C", 3000), Loop("K", 16)], pes=Loop("K", 4, "x"))
    work = independent(op, 1, 10)["weight"][0].reshape(4, 16, 3000).sum(axis=1).T
    assert evaluate(op, accelerator, mapping).compute_cycles == pytest.approx(behind_queues(work, queue), rel=0.02)


@pytest.mark.parametrize("room", [650, 670, 700])
def test_as_many_drawn_tiles_overflow_as_the_chance_says(room: int) -> None:
    op, fmt = layer(Uniform(0.5), c=32), Format("bitmask")
    dram, buffer, compute = chip(None).levels
    buffer = replace(buffer, size_bits=room, keeps=WEIGHT, compression={"weight": fmt})
    accelerator = replace(chip(None), levels=(dram, buffer, compute))
    mapping = Mapping(
        (LevelMapping("dram", (Loop("K", 2), Loop("N", 4))), LevelMapping("buffer", (Loop("K", 4), Loop("C", 32))))
    )
    masks = drawn(op, 3000, 11)["weight"]
    bits = masks[:, :4].sum(axis=(1, 2)) * 8 + 4 * 32
    chance = evaluate(op, accelerator, mapping).overflow["buffer"]
    assert abs(np.mean(bits > room) - chance) <= 5 * math.sqrt(chance * (1 - chance) / 3000) + 1e-3
