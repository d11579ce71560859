"""DRAM timing, array buses and arbitration in the engine: never quicker, and as long as their causes say."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import replace

import pytest
import simpy
from nests import random_case, with_waits

from dovetail.accel.accelerator import Accelerator, Array, Compute, DramTiming, Memory
from dovetail.accel.analytic import evaluate
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.simulator.arbitration import Policy
from dovetail.accel.simulator.asking import Port
from dovetail.accel.simulator.execution import Execution, Process
from dovetail.accel.simulator.machine import CHUNK_BITS, Core
from dovetail.accel.simulator.operators import OperatorResult, simulate_operator
from dovetail.accel.simulator.plan import TilePlan, plan_tiles
from dovetail.accel.simulator.recorder import Log, Slice, expanded
from dovetail.accel.simulator.resources import Clock
from dovetail.errors import Infeasible
from dovetail.models.op import ROLES, Op, linear

HERTZ = 1e9
DRAM_BITS = 8.0  # a cycle
BURST, MISS = 256.0, 10.0
LPDDR4 = DramTiming(2, 256, 16384, 36e-9, 8, 3.904e-6, 180e-9)


def chip(timing: DramTiming | None = None, dram: float = DRAM_BITS, bus: float = math.inf) -> Accelerator:
    """One multiplier below a double-buffered buffer and an array of four."""
    everything = frozenset(ROLES)
    return Accelerator(
        "toy",
        HERTZ,
        45.0,
        (
            Memory("dram", everything, read_bandwidth_bits_per_s=dram * HERTZ, shared_port=True, timing=timing),
            Memory("buffer", everything, double_buffered=True),
            Array("pes", (("x", 4),), bandwidth_bits_per_s=bus * HERTZ),
            Compute("mac"),
        ),
    )


def layer(tiles: int = 4, rows: int = 4, c: int = 100) -> tuple[Op, Mapping]:
    """A fully connected layer; its weights come in so many tiles of ``4 * rows * c`` words."""
    op = linear("fc", n=1, k=tiles * rows * 4, c=c)
    loops = (Loop("K", tiles),), (Loop("K", rows), Loop("C", c)), (Loop("K", 4, "x"),)
    levels = zip(("dram", "buffer", "pes"), loops, strict=True)
    return op, Mapping(tuple(LevelMapping(name, own) for name, own in levels))


def run(accelerator: Accelerator, *, stepping: bool = False, **sizes: int) -> OperatorResult:
    op, mapping = layer(**sizes)
    return simulate_operator(plan_tiles(op, accelerator, mapping), stepping=stepping)


def slices(result: OperatorResult | Log, track: str) -> list[Slice]:
    log = result.log if isinstance(result, OperatorResult) else result
    return [one for one in expanded(log) if one.track == track and one.kind != "stall"]


def busy(result: OperatorResult) -> dict[str, float]:
    return {resource.name: resource.busy for resource in result.resources}


# ---- DRAM timing ---------------------------------------------------------------------------------------------------


def test_a_transfer_takes_whole_bursts_and_opens_its_row() -> None:
    timing = DramTiming(1, BURST, math.inf, MISS / HERTZ)
    found = [one.end - one.start for one in slices(run(chip(timing), rows=1), "dram") if one.name == "weight tile"]
    bursts = math.ceil(400 * 8 / BURST)  # 12.5: 400 words of 8 bit
    assert found == [bursts * BURST / DRAM_BITS + MISS] * 3


def test_a_hand_made_layer_takes_its_transfers_one_after_the_other() -> None:
    found = run(chip(DramTiming(1, BURST, math.inf, MISS / HERTZ)), rows=1)
    inputs = 4 * BURST / DRAM_BITS + MISS  # 800 bits
    weights = 13 * BURST / DRAM_BITS + MISS
    outputs = BURST / DRAM_BITS + MISS  # 32 bits
    before_last = 3 * outputs  # the port is shared: outputs of a tile leave between the weights of the tiles behind
    steps = 100.0
    # the third tile of outputs is written when the fourth of weights has come, while the last step computes
    assert found.cycles == inputs + 4 * weights + before_last - outputs + max(steps, outputs) + outputs


def test_rows_of_one_bank_cost_a_miss_each() -> None:
    one_bank = run(chip(DramTiming(1, BURST, 1024, MISS / HERTZ)), rows=1)
    unlimited = run(chip(DramTiming(1, BURST, math.inf, MISS / HERTZ)), rows=1)
    rows_behind = math.ceil(13 * BURST / 1024) - 1
    assert busy(one_bank)["dram"] - busy(unlimited)["dram"] == 4 * rows_behind * MISS


def test_with_large_transfers_channels_are_as_fast_as_one_of_their_total_bandwidth() -> None:
    one, four = (run(chip(DramTiming(count, 64)), rows=16, c=128, tiles=8) for count in (1, 4))
    assert [name for name in busy(four) if "dram" in name] == [f"dram channel {k}" for k in range(4)]
    assert four.cycles == pytest.approx(one.cycles, rel=1e-3)
    assert four.path["dram"] > 0.9 * four.cycles  # all channels are one memory on the critical path


def test_small_transfers_go_to_the_channels_by_turns() -> None:
    found = run(chip(DramTiming(4, 8192)), rows=1)
    counts = [len(slices(found, f"dram channel {k}")) for k in range(4)]
    assert sum(counts) == 1 + 4 + 4  # inputs, weights, outputs: each fits into one burst
    assert max(counts) - min(counts) <= 1


def test_refresh_costs_its_share_of_the_time() -> None:
    still = replace(LPDDR4, refresh_interval_s=math.inf, refresh_time_s=0.0)
    with_it, without = (run(chip(timing), rows=16, tiles=32) for timing in (LPDDR4, still))
    share = LPDDR4.refresh_time_s / LPDDR4.refresh_interval_s
    assert with_it.cycles / without.cycles == pytest.approx(1.0 / (1.0 - share), rel=0.01)


def test_words_inside_the_steps_pay_rows_and_refresh_too() -> None:
    op, mapping = layer(tiles=1, rows=4)
    direct = Mapping(
        (
            LevelMapping("dram", (*mapping.levels[0].loops, *mapping.levels[1].loops)),
            LevelMapping("buffer", (), frozenset({"weight"})),
            mapping.levels[2],
        )
    )
    accelerator = chip()
    levels = (accelerator.levels[0], replace(accelerator.memories[1], may_bypass=frozenset(ROLES)))
    accelerator = replace(accelerator, levels=(*levels, *accelerator.levels[2:]))
    timed = replace(LPDDR4, channels=1)
    plain, slow = (
        simulate_operator(
            plan_tiles(
                op, replace(accelerator, levels=(replace(levels[0], timing=one), *accelerator.levels[1:])), direct
            )
        )
        for one in (None, timed)
    )
    assert any(one.name == "words of a step" for one in slices(plain, "dram"))
    assert slow.cycles > plain.cycles


# ---- buses ---------------------------------------------------------------------------------------------------------


def test_a_bus_holds_up_the_words_that_the_compute_takes() -> None:
    free, narrow = run(chip(dram=1e3)), run(chip(dram=1e3, bus=4.0))
    assert "pes" not in busy(free)
    words = 4 * 4 * 4 * 100  # weights: every multiplier has its own; an input word goes to all four at once
    sums = 64 * (99 * 32 + 8)  # the last of each output's is finished, and as wide as the tensor
    assert busy(narrow)["pes"] == pytest.approx(((words + words / 4) * 8 + sums) / 4.0)
    assert narrow.cycles >= busy(narrow)["pes"]
    assert "words of the step from pes" in narrow.stalls


def test_a_wide_bus_costs_no_time() -> None:
    assert run(chip(bus=1e6)).cycles == pytest.approx(run(chip()).cycles, rel=1e-3)


def test_a_bus_between_two_memories_holds_up_tiles() -> None:
    def with_registers(bus: float) -> OperatorResult:
        own = chip(dram=1e3, bus=bus)
        registers = Memory("registers", frozenset({"weight"}), double_buffered=True)
        accelerator = replace(own, levels=(*own.levels[:3], registers, own.levels[3]))
        op, mapping = layer()
        levels = (mapping.levels[0], LevelMapping("buffer", (Loop("K", 4),)), mapping.levels[2])
        return simulate_operator(
            plan_tiles(op, accelerator, Mapping((*levels, LevelMapping("registers", (Loop("C", 100),)))))
        )

    narrow = with_registers(8.0)
    assert [one.name for one in slices(narrow, "pes")].count("weight tile") == 15 * 7  # in bursts
    assert narrow.cycles > with_registers(math.inf).cycles
    assert any("pes" in cause for cause in narrow.stalls)


# ---- several cores -------------------------------------------------------------------------------------------------


def together(
    plans: list[TilePlan], policy: Policy, priorities: tuple[float, ...] = ()
) -> tuple[list[float], list[Execution], Log]:
    """The ends of operators that begin at once on cores of their own."""
    log: Log = []
    clock = Clock(simpy.Environment())
    shared: dict[str, Port] = {}
    ends, runs = [0.0] * len(plans), []

    def work(number: int, execution: Execution) -> Process:
        yield from execution.run({})
        ends[number] = clock.now

    for number, plan in enumerate(plans):
        core = Core(clock, log, plan.accelerator, shared, f"core {number}: ", client=number, arbitration=policy)
        if priorities:
            core.priority = priorities[number]
        runs.append(Execution(core, plan, f"op{number}"))
        clock.env.process(work(number, runs[number]))
    clock.env.run()
    return ends, runs, log


POLICIES: tuple[Policy, ...] = ("fifo", "round_robin", "priority")


def planned(dram: float = DRAM_BITS, timing: DramTiming | None = None, **sizes: int) -> TilePlan:
    op, mapping = layer(**sizes)
    return plan_tiles(op, chip(timing, dram), mapping)


@pytest.mark.parametrize("policy", POLICIES)
def test_two_cores_that_share_a_full_memory_take_twice_as_long(policy: Policy) -> None:
    plan = planned(rows=16, c=128, tiles=8)
    alone = simulate_operator(plan).cycles
    assert max(together([plan, plan], policy)[0]) == pytest.approx(2 * alone, rel=0.03)


@pytest.mark.parametrize("policy", POLICIES)
def test_two_cores_that_compute_take_no_longer_than_one(policy: Policy) -> None:
    plan = planned(dram=512.0, rows=16, c=128, tiles=8)
    alone = simulate_operator(plan).cycles
    assert max(together([plan, plan], policy)[0]) == pytest.approx(alone, rel=0.03)


def test_in_turns_a_small_operator_does_not_wait_for_large_tiles() -> None:
    large, small = planned(rows=256, c=128, tiles=4), planned(rows=1, c=16, tiles=4)
    ends = {policy: together([large, small], policy)[0] for policy in ("fifo", "round_robin")}
    assert ends["round_robin"][1] < 0.3 * ends["fifo"][1]
    chunks = CHUNK_BITS / DRAM_BITS
    transfers = 1 + 4 + 4
    assert ends["round_robin"][1] < simulate_operator(small).cycles + (transfers + 1) * chunks
    assert max(ends["round_robin"]) == pytest.approx(max(ends["fifo"]), rel=0.05)


def test_equal_cores_end_together_when_they_take_turns() -> None:
    plan = planned(rows=64, c=128, tiles=8)
    first, second = sorted(together([plan, plan], "round_robin")[0])
    assert second - first < 3 * CHUNK_BITS / DRAM_BITS


def test_the_smaller_priority_number_goes_first() -> None:
    plan = planned(rows=64, c=128, tiles=4)
    alone = simulate_operator(plan).cycles
    ends = together([plan, plan], "priority")[0]
    chunks = 9 * CHUNK_BITS / DRAM_BITS  # each of its transfers may wait for a chunk that is under way
    assert ends[0] < alone + chunks < 1.9 * alone < ends[1]
    turned = together([plan, plan], "priority", (2.0, 1.0))[0]
    assert turned[1] < alone + 2 * chunks < 1.9 * alone < turned[0]


def check_log(log: Log) -> None:
    last: dict[str, float] = defaultdict(float)
    for one in expanded(log):
        assert one.start >= last[one.track] - 1e-9, one
        last[one.track] = max(last[one.track], one.end)


@pytest.mark.parametrize("policy", POLICIES)
def test_hidden_ends_wait_for_their_turns_too(policy: Policy) -> None:
    op, mapping = layer()
    plan = plan_tiles(op, replace(chip(), back_to_back=True), mapping)
    ends, runs, _ = together([plan, plan], policy)
    assert [math.fsum(one.path.values()) for one in runs] == pytest.approx(ends)
    assert max(ends) >= 2 * 64 * 101 * 8 / DRAM_BITS


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_random_operators_share_a_memory_in_any_way(seed: int) -> None:
    found = random_plan(seed, refresh=seed % 8 == 0)
    if found is None:
        pytest.skip("does not fit")
    plan = found
    alone = simulate_operator(plan, stepping=False).cycles
    for policy in POLICIES:
        assert together([plan], policy)[0] == [alone]  # without rivals it makes no difference
        ends, runs, log = together([plan, plan, plan], policy)
        assert ends == together([plan, plan, plan], policy)[0]
        assert min(ends) >= alone * (1.0 - 1e-9)
        check_log(log)
        for end, one in zip(ends, runs, strict=True):
            assert math.fsum(one.path.values()) == pytest.approx(end)
        shown: dict[str, float] = defaultdict(float)
        for piece in log:
            if isinstance(piece, Slice) and piece.kind != "stall":
                shown[piece.track] += piece.end - piece.start
        for resource in {id(one): one for each in runs for one in each.core.resources}.values():
            assert resource.busy == pytest.approx(shown[resource.name])
            assert math.fsum(resource.held.values()) + resource.busy <= max(ends) * (1.0 + 1e-9)


# ---- at random -----------------------------------------------------------------------------------------------------


def random_chip(rng: random.Random, accelerator: Accelerator) -> Accelerator:
    levels = []
    for level in accelerator.levels:
        if isinstance(level, Memory):
            level = replace(
                level,
                read_bandwidth_bits_per_s=rng.choice([8e9, 16e9, 64e9, math.inf]),
                write_bandwidth_bits_per_s=rng.choice([8e9, 32e9]),
                shared_port=rng.random() < 0.5,
                double_buffered=rng.random() < 0.5,
            )
        levels.append(level)
    found = replace(accelerator, levels=tuple(levels))
    return with_waits(found, rng) if rng.random() < 0.5 else found


def random_timing(rng: random.Random, *, refresh: bool) -> DramTiming:
    when = (rng.choice([100e-9, 333.3e-9]), rng.choice([10e-9, 31.7e-9])) if refresh else (math.inf, 0.0)
    return DramTiming(
        rng.choice([1, 2, 4]),
        rng.choice([0.0, 64.0, 256.0]),
        rng.choice([math.inf, 512.0, 4096.0]),
        rng.choice([0.0, 9e-9, 36e-9]),
        rng.choice([1, 4]),
        *when,
    )


def random_plan(seed: int, *, timed: bool = True, refresh: bool = False, bus: bool = False) -> TilePlan | None:
    rng = random.Random(seed)
    op, accelerator, mapping = random_case(seed)
    accelerator = random_chip(rng, accelerator)
    levels = list(accelerator.levels)
    if timed:
        levels[0] = replace(accelerator.memories[0], timing=random_timing(rng, refresh=refresh))
    if bus:
        wide = [4e9, 16e9, 100e9]
        levels = [
            replace(one, bandwidth_bits_per_s=rng.choice(wide)) if isinstance(one, Array) else one for one in levels
        ]
    try:
        return plan_tiles(op, replace(accelerator, levels=tuple(levels)), mapping)
    except Infeasible:
        return None


@pytest.mark.parametrize("kind", [{}, {"refresh": True}, {"bus": True}, {"refresh": True, "bus": True}])
@pytest.mark.parametrize("seed", range(0, 40, 20))
def test_stepping_gives_the_walked_result_and_nothing_is_quicker_than_the_model(
    seed: int, kind: dict[str, bool]
) -> None:
    stepped_over = 0
    for number in range(seed, seed + 20):
        plan = random_plan(number, **kind)
        if plan is None:
            continue
        walked, stepped = simulate_operator(plan, stepping=False), simulate_operator(plan)
        assert stepped.cycles == walked.cycles
        assert busy(stepped) == pytest.approx(busy(walked))
        stepped_over += walked.walked - stepped.walked
        levels = plan.accelerator.levels
        plain = replace(plan.accelerator, levels=(replace(plan.accelerator.memories[0], timing=None), *levels[1:]))
        mapping = random_case(number)[2]
        assert walked.cycles >= evaluate(plan.op, plain, mapping).cycles * (1.0 - 1e-9)
        if "bus" not in kind:
            assert walked.cycles >= simulate_operator(plan_tiles(plan.op, plain, mapping)).cycles * (1.0 - 1e-9)
        check_log(stepped.log)
        assert math.fsum(stepped.path.values()) == pytest.approx(stepped.cycles)
    assert stepped_over > 0


def test_between_refreshes_short_steps_are_stepped_over() -> None:
    op, mapping = layer(tiles=2000, rows=1, c=2)
    found = {
        stepping: simulate_operator(plan_tiles(op, chip(LPDDR4), mapping), stepping=stepping)
        for stepping in (False, True)
    }
    assert found[True].cycles == found[False].cycles
    assert busy(found[True]) == pytest.approx(busy(found[False]))
    assert found[True].walked < 0.5 * found[False].walked
