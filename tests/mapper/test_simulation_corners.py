"""Corners of the simulator: units that rest, latencies that hide, cores that come together, sizes beyond reason."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from simulated_networks import FEW, check, estimated

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Memory
from dovetail.accel.simulator.arbitration import Policy as Arbitration
from dovetail.accel.simulator.arrivals import ClosedLoop
from dovetail.accel.simulator.dispatch import Queue
from dovetail.accel.simulator.jobs import Job
from dovetail.accel.simulator.queueing import Batching
from dovetail.accel.simulator.workload import Density
from dovetail.errors import BadInput
from dovetail.mapper.jobs import Policy
from dovetail.models.builder import NetworkBuilder


def pooled() -> dt.Network:
    """A pooling on the vector unit, and behind it a convolution with a fused ReLU that hides there."""
    builder = NetworkBuilder("pooled", channels=8, height=16, width=16)
    builder.conv("first", 8, 3, stride=1, padding=1)
    builder.max_pool("pool", 2, stride=2)
    builder.conv("second", 16, 3, stride=1, padding=1, activation="relu")
    return builder.build()


def test_fused_operators_are_shown_alike_whether_steps_are_walked_or_not() -> None:
    chip, network = dt.load_accelerator("edge_tpu"), pooled()
    schedule = dt.estimate(network, chip, "random", limits=FEW, cache=False).schedule
    stepped, walked = (dt.simulate(network, chip, schedule, stepping=stepping) for stepping in (True, False))
    assert sum(run.walked for run in stepped.operators) < sum(run.walked for run in walked.operators)
    one, other = ({share.track: share.busy for share in line.shares} for line in (stepped, walked))
    assert one == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize("cycles", [40.5, 1000.0])
def test_latencies_of_hidden_first_and_last_tiles_hold_their_memory(cycles: float) -> None:
    found = estimated("gemmini")
    levels = [
        replace(one, latency_cycles=cycles, double_buffered=True) if isinstance(one, Memory) and at else one
        for at, one in enumerate(found.accelerator.levels)
    ]
    chip = replace(found.accelerator, levels=tuple(levels), back_to_back=True)
    timeline = dt.simulate(found.network, chip, found.schedule)
    check(timeline, found.network)
    for run in timeline.operators:
        assert run.cycles >= run.analytic * (1 - 1e-9), run.name


@pytest.mark.parametrize("arbitration", ["round_robin", "priority"])
@pytest.mark.parametrize("policy", ["branches", "pipeline"])
def test_stepping_changes_nothing_where_cores_come_and_go_at_an_arbitrated_memory(
    arbitration: Arbitration, policy: Policy
) -> None:
    found, other = estimated("edge_tpu"), estimated("edge_tpu", "chain")
    lines = [
        dt.simulate(
            [found.network, other.network], found.accelerator, [found.schedule, other.schedule],
            cores=2, policy=policy, runs=2, arbitration=arbitration, stepping=stepping,
        )
        for stepping in (True, False)
    ]  # fmt: skip
    assert lines[0].cycles == lines[1].cycles
    assert [(run.start, run.end) for run in lines[0].operators] == [(run.start, run.end) for run in lines[1].operators]


def test_prefetch_adds_nothing_on_a_chip_that_runs_operators_back_to_back() -> None:
    found = estimated("gemmini", "chain")
    chip = replace(found.accelerator, back_to_back=True)
    plain, ahead = (dt.simulate(found.network, chip, found.schedule, prefetch=prefetch) for prefetch in (False, True))
    assert plain.cycles == ahead.cycles


def test_a_run_may_be_cut_before_anything_has_taken_time() -> None:
    found = estimated("edge_tpu")
    timeline = dt.simulate(found.network, found.accelerator, found.schedule, until_s=1e-18)
    assert not timeline.complete
    assert timeline.latency_s == pytest.approx(1e-18)


def test_a_bandwidth_beyond_measure_is_no_impossible_result() -> None:
    found = estimated("edge_tpu")
    levels = [replace(one, read_bandwidth_bits_per_s=1e40) if isinstance(one, Memory) else one
              for one in found.accelerator.levels]  # fmt: skip
    chip: Accelerator = replace(found.accelerator, levels=tuple(levels))
    check(dt.simulate(found.network, chip, found.schedule))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runs": 10**12}, "runs 1,000,000,000,000 of 9 operators .* give runs up to 22,222"),
        ({"cores": 10**9, "policy": "branches"}, "cores: 1,000,000,000 is above 1,024; give fewer"),
    ],
)
def test_sizes_that_no_memory_holds_are_refused_at_once(settings: dict[str, Any], message: str) -> None:
    found = estimated("gemmini")
    with pytest.raises(BadInput, match=message):
        dt.simulate(found.network, found.accelerator, found.schedule, **settings)


def test_more_devices_clients_and_requests_together_than_make_sense_are_refused() -> None:
    found = estimated("gemmini")
    with pytest.raises(BadInput, match="servers: 1,000,000,000 is above 100,000"):
        dt.serve(found.network, found.accelerator, "100/s", found.schedule, requests=1, servers=10**9)
    with pytest.raises(BadInput, match="batch size: 1,000,000,000 is above 4,096"):
        Batching(10**9)
    with pytest.raises(BadInput, match="clients: 999,999,999 is above 1,000,000"):
        ClosedLoop(999_999_999)


def test_zeros_save_no_time_that_memories_inside_the_array_need() -> None:
    chip, network = dt.load_accelerator("edge_tpu"), pooled()
    innermost = max(at for at, one in enumerate(chip.levels) if isinstance(one, Memory))
    slow = replace(chip.levels[innermost], read_bandwidth_bits_per_s=1e8, write_bandwidth_bits_per_s=1e8)
    narrow = replace(chip, levels=(*chip.levels[:innermost], slow, *chip.levels[innermost + 1 :]))
    schedule = dt.estimate(network, narrow, "random", limits=FEW, cache=False).schedule
    dense, sparse = (dt.simulate(network, narrow, schedule, density=density) for density in (None, Density(0.1)))
    check(sparse, network)
    assert dense.cycles == pytest.approx(sparse.cycles, rel=1e-3)
    assert dt.simulate(network, narrow, schedule, density=Density(1.0)).cycles == dense.cycles


# ---- who is next ---------------------------------------------------------------------------------------------------


def job(network: int, after: tuple[int, ...] = (), core: int | None = 0) -> Job:
    return Job("job", "call", network, 0, after, 0.0, core)


def test_the_network_that_has_begun_the_fewest_jobs_is_next_then_the_first_in_order() -> None:
    queue = Queue([job(0), job(0), job(1), job(1), job(1, (3,))])
    assert [queue.take(0) for _ in range(5)] == [0, 2, 1, 3, None]
    queue.over(3)
    assert (queue.take(0), queue.waiting) == (4, set())


def test_a_core_takes_its_own_jobs_and_those_of_nobody() -> None:
    queue = Queue([job(0, core=1), job(0, core=None), job(0, (0, 1), core=None)])
    assert [queue.take(0), queue.take(0), queue.take(1), queue.take(1)] == [1, None, 0, None]
    queue.over(0)
    assert queue.take(0) is None
    queue.over(1)
    assert queue.take(1) == 2


def test_many_runs_take_time_in_proportion() -> None:
    found = estimated("gemmini", "chain")
    one = dt.simulate(found.network, found.accelerator, found.schedule)
    many = dt.simulate(found.network, found.accelerator, found.schedule, runs=200)
    assert math.isclose(many.cycles, 200 * one.cycles, rel_tol=1e-9)
