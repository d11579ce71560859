"""Latency and energy of the readable model: what must hold of any mapping, whatever the counts."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from nests import random_case
from test_batch import dressed

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.accel.analytic import Cost, check_invariants, evaluate
from dovetail.accel.clock import Clock
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.nest import Nest
from dovetail.accel.traffic import Traffic
from dovetail.errors import ImpossibleResult, Infeasible
from dovetail.mapper.bounds import roofline
from dovetail.mapper.objective import Objective
from dovetail.models.op import ROLES, Op, linear, transposed_conv2d

ALL = frozenset(ROLES)
SEEDS = range(150)


def changed(accelerator: Accelerator, **fields: object) -> Accelerator:
    """The accelerator with these fields set on every memory."""
    levels = [replace(one, **fields) if isinstance(one, Memory) else one for one in accelerator.levels]
    return replace(accelerator, levels=tuple(levels))


def roomy_case(seed: int) -> tuple[Op, Accelerator, Mapping]:
    """A random nest with random ports and energies, and room for any tile."""
    op, accelerator, mapping = random_case(seed)
    return op, changed(dressed(accelerator, random.Random(seed)), size_bits=math.inf), mapping


def chip(*inner: Memory | Array, dram: Memory | None = None) -> Accelerator:
    outermost = dram or Memory("dram", ALL, write_bandwidth_bits_per_s=8e9)
    return Accelerator("chip", 1e9, 45.0, (outermost, *inner, Compute("mac", accumulator_bits=32, energy_j=1e-13)))


def loops(**levels: str) -> Mapping:
    """``loops(dram="K4 C2", buffer="")``: loops of one-letter dimensions, an array's along x."""
    mapped = []
    for name, text in levels.items():
        axis = "x" if name == "array" else ""
        mapped.append(LevelMapping(name, tuple(Loop(one[0], int(one[1:]), axis) for one in text.split())))
    return Mapping(tuple(mapped))


def test_with_unlimited_bandwidth_cycles_are_the_steps_and_the_pipeline() -> None:
    unlimited = {"read_bandwidth_bits_per_s": math.inf, "write_bandwidth_bits_per_s": math.inf}
    for seed in SEEDS:
        op, accelerator, mapping = roomy_case(seed)
        cost = evaluate(op, changed(accelerator, **unlimited), mapping)
        assert cost.cycles == cost.compute_cycles + accelerator.compute.pipeline_cycles, seed
        assert cost.bound == "compute"


def test_more_bandwidth_is_never_slower() -> None:
    for seed in SEEDS:
        op, accelerator, mapping = roomy_case(seed)
        slow = evaluate(op, accelerator, mapping)
        for place, level in enumerate(accelerator.levels):
            if isinstance(level, Memory):
                wider = replace(level, read_bandwidth_bits_per_s=3 * level.read_bandwidth_bits_per_s)
                levels = (*accelerator.levels[:place], wider, *accelerator.levels[place + 1 :])
                fast = evaluate(op, replace(accelerator, levels=levels), mapping)
                assert fast.cycles <= slow.cycles * (1 + 1e-12), (seed, level.name)


def test_a_single_buffer_is_never_faster_than_a_double_one() -> None:
    slower = 0
    for seed in SEEDS:
        op, accelerator, mapping = roomy_case(seed)
        single = evaluate(op, changed(accelerator, double_buffered=False), mapping).cycles
        double = evaluate(op, changed(accelerator, double_buffered=True), mapping).cycles
        assert single >= double * (1 - 1e-12), seed
        slower += single > double
    assert slower > 10


def test_every_cost_is_at_least_the_roofline() -> None:
    for seed in SEEDS:
        op, accelerator, mapping = roomy_case(seed)
        cost = evaluate(op, accelerator, mapping)
        for objective in ("latency", "energy", "edp"):
            least = roofline(op, accelerator, Objective.parse(objective))
            assert cost.objective(objective) >= least * (1 - 1e-12), (seed, objective)


def test_the_breakdown_sums_to_the_energy() -> None:
    for seed in SEEDS:
        cost = evaluate(*roomy_case(seed))
        assert math.fsum(cost.energy.values()) == pytest.approx(cost.energy_j, rel=1e-12)


def test_a_tile_too_large_names_its_memory_and_the_words_missing() -> None:
    small = chip(Memory("buffer", ALL, size_bits=10 * 8.0))
    op = linear("fc", n=1, k=4, c=1)
    assert evaluate(op, small, loops(dram="", buffer="K4")).cycles > 0  # 1 + 4 + 4 words
    with pytest.raises(Infeasible, match="buffer of 'chip' holds 80 bit") as caught:
        evaluate(linear("fc", n=1, k=5, c=1), small, loops(dram="", buffer="K5"))  # 1 + 5 + 5 words
    assert (caught.value.level, caught.value.missing_words) == ("buffer", 1)


def test_a_double_buffered_memory_gives_each_tile_half_its_size() -> None:
    op, mapping = linear("fc", n=1, k=4, c=1), loops(dram="", buffer="K4")
    evaluate(op, chip(Memory("buffer", ALL, size_bits=18 * 8.0, double_buffered=True)), mapping)
    with pytest.raises(Infeasible):
        evaluate(op, chip(Memory("buffer", ALL, size_bits=17 * 8.0, double_buffered=True)), mapping)


def test_unfinished_sums_are_as_wide_as_the_accumulator_and_finished_ones_as_the_tensor() -> None:
    """Four sums of two products: spilled once at 32 bits, read back at 32, written at the end with 8."""
    dram = Memory("dram", ALL, read_energy_j_per_bit=1.0, write_energy_j_per_bit=100.0)
    accelerator = chip(Memory("buffer", ALL), dram=dram)
    op = linear("fc", n=1, k=4, c=2)
    spilled = evaluate(op, accelerator, loops(dram="C2 K4", buffer="")).energy["dram", "output"]
    assert spilled == 4 * (100 * 32 + 32 + 100 * 8)
    kept = evaluate(op, accelerator, loops(dram="K4 C2", buffer="")).energy["dram", "output"]
    assert kept == 4 * 100 * 8


def test_the_last_drain_moves_finished_words() -> None:
    """Four sums in one tile leave at the end, 8 bits each through a port of 8 bits a cycle."""
    cost = evaluate(linear("fc", n=1, k=4, c=2), chip(Memory("buffer", ALL)), loops(dram="", buffer="K4 C2"))
    assert cost.cycles == 8 + 4


def test_shares_of_one_sum_are_wide_wherever_they_lie_apart() -> None:
    """Two instances each hold half of a sum: what they write and drain has the accumulator's width."""
    per_bit = {"read_energy_j_per_bit": 1.0, "write_energy_j_per_bit": 100.0}
    accelerator = chip(Array("array", (("x", 2),)), Memory("sums", frozenset({"output"}), **per_bit))
    cost = evaluate(linear("fc", n=1, k=4, c=2), accelerator, loops(dram="K4", array="C2", sums=""))
    assert cost.energy["sums", "output"] == 2 * 4 * (100 * 32 + 32)


def test_a_tile_of_unfinished_sums_takes_the_room_of_wide_ones() -> None:
    """Two sums take 16 bits where no product is added later, 64 where the reduction is outside or spread."""
    accelerator = chip(Array("array", (("x", 2),)), Memory("sums", frozenset({"output"}), size_bits=63.0))
    evaluate(linear("fc", n=1, k=4, c=1), accelerator, loops(dram="", array="K2", sums="K2"))
    summed = linear("fc", n=1, k=2, c=2)
    for unfinished in (
        loops(dram="C2", array="", sums="K2"),
        loops(dram="", array="", sums="C2 K2"),
        loops(dram="", array="C2", sums="K2"),
    ):
        with pytest.raises(Infeasible, match="need 64"):
            evaluate(summed, accelerator, unfinished)


def test_overlapping_windows_of_an_output_are_unfinished_sums() -> None:
    """Two rows of three taps at stride 2 share an output row; with one tap there is nothing to share."""
    accelerator = chip(Memory("sums", frozenset({"output"}), size_bits=3 * 32.0 - 1))
    split = loops(dram="P2", sums="R3")
    with pytest.raises(Infeasible, match="need 96"):
        evaluate(transposed_conv2d("up", k=1, c=1, h=2, w=1, r=3, s=1, stride=(2, 1)), accelerator, split)
    evaluate(transposed_conv2d("up", k=1, c=1, h=6, w=1, r=1, s=1), accelerator, loops(dram="P2", sums="P3"))


def test_a_single_buffer_that_halts_the_compute_is_named_as_the_bound() -> None:
    slow = Memory("buffer", ALL, write_bandwidth_bits_per_s=1e9)
    assert evaluate(linear("fc", n=1, k=4, c=2), chip(slow), loops(dram="K4 C2", buffer="")).bound == "buffer"


def test_one_memory_alone_serves_every_product() -> None:
    """Each product reads two operands; each second one also reads the sum it adds to."""
    dram = Memory("dram", ALL, read_energy_j_per_bit=1.0)
    cost = evaluate(linear("fc", n=1, k=4, c=2), chip(dram=dram), loops(dram="K4 C2"))
    assert (cost.energy["dram", "input"], cost.energy["dram", "weight"]) == (64, 64)
    assert cost.energy["dram", "output"] == 4 * 32


def impossible(cost: Cost, traffic: Traffic, accelerator: Accelerator) -> str:
    with pytest.raises(ImpossibleResult) as caught:
        check_invariants(cost, Clock(traffic, accelerator))
    return str(caught.value)


def test_an_impossible_result_is_an_exception_and_no_number() -> None:
    op, accelerator = linear("fc", n=1, k=4, c=2), chip(Memory("buffer", ALL))
    mapping = loops(dram="", buffer="K4 C2")
    cost, traffic = evaluate(op, accelerator, mapping), Traffic(Nest(op, accelerator, mapping))
    check_invariants(cost, Clock(traffic, accelerator))
    assert "above peak" in impossible(replace(cost, utilization=1.1), traffic, accelerator)
    assert "above peak" in impossible(replace(cost, compute_cycles=99), traffic, accelerator)
    assert "negative or infinite" in impossible(replace(cost, cycles=math.nan), traffic, accelerator)
    assert "breakdown sums" in impossible(replace(cost, energy_j=2 * cost.energy_j), traffic, accelerator)
    slow = changed(accelerator, write_bandwidth_bits_per_s=1e9)
    narrow = Traffic(Nest(op, slow, mapping))
    assert "dram moves its words in 32.0 cycles" in impossible(cost, narrow, slow)
    traffic.boundaries[0].served += 1
    assert "words of input are lost on the way to buffer" in impossible(cost, traffic, accelerator)
    traffic.counts[1, "weight"].fills = -1
    assert "negative count of weight at buffer" in impossible(cost, traffic, accelerator)


@pytest.mark.parametrize("name", ["edge_tpu", "eyeriss"])
def test_larger_memories_cost_more_per_access(name: str) -> None:
    """Energies not stated are estimated again for changed parameters."""
    base = dt.load_accelerator(name)
    parameter, level = {"edge_tpu": ("local_memory", "local_memory"), "eyeriss": ("glb_size", "glb")}[name]
    sizes = next(one.choices for one in base.parameters if one.name == parameter)
    chips = [base.with_parameters(**{parameter: f"{size / 8:g} B"}) for size in sizes]
    energies = [m.read_energy_j_per_bit for one in chips for m in one.memories if m.name == level]
    assert energies == sorted(set(energies))
    assert [one.area_mm2 for one in chips] == sorted({one.area_mm2 for one in chips})
