"""Requests for whole networks: service times are the simulator's, queues keep to theory, energy adds up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from simulated_networks import FEW, estimated

import dovetail as dt
from dovetail.accel.simulator.power import PowerModel
from dovetail.accel.simulator.queueing import Batching
from dovetail.accel.simulator.workload import Density, Workload
from dovetail.mapper.serving import profile


def run_s(chip: str = "edge_tpu", kind: str = "branchy") -> float:
    """Simulated seconds of one run."""
    found = estimated(chip, kind)
    return dt.simulate(found.network, found.accelerator, found.schedule).latency_s


def dynamic_j(chip: str = "edge_tpu", kind: str = "branchy") -> float:
    """Joules of one run but for leakage and clock."""
    found = estimated(chip, kind)
    return math.fsum(
        joules for cost in found.costs for (what, _), joules in cost.energy.items() if what not in ("leakage", "clock")
    )


@pytest.mark.parametrize("chip", ["edge_tpu", "coral_usb", "nvdla"])
def test_a_request_alone_takes_the_simulated_time(chip: str) -> None:
    found, service = estimated(chip), run_s(chip)
    served = dt.serve(found.network, found.accelerator, f"{0.1 / service}/s", found.schedule, requests=5)
    assert served.latency_s == pytest.approx(np.full(5, service))
    assert served.wait_s == pytest.approx(np.zeros(5), abs=1e-12)


def test_stages_of_a_profile_sum_to_the_run() -> None:
    for chip in ("edge_tpu", "coral_usb"):
        found = estimated(chip)
        timeline = dt.simulate(found.network, found.accelerator, found.schedule)
        made = profile(found, timeline)
        assert made.mean_s == pytest.approx(timeline.latency_s)
        assert made.energy_j == pytest.approx(dynamic_j(chip))


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_waiting_is_that_of_a_queue_with_poisson_arrivals_and_one_service_time(load: float) -> None:
    """M/D/1 (Pollaczek and Khinchine): load / (2 (1 - load)) of a service time."""
    found, service = estimated("edge_tpu"), run_s()
    served = dt.serve(
        found.network, found.accelerator, f"poisson:{load / service!r}/s", found.schedule, requests=60_000, seed=1
    )
    assert float(np.mean(served.wait_s)) == pytest.approx(load / (2 * (1 - load)) * service, rel=0.03)
    rate = served.finished / served.end_s
    assert served.mean_in_system == pytest.approx(rate * float(np.mean(served.latency_s)), rel=0.02)
    assert served.utilization == pytest.approx(load, rel=0.02)


def test_energy_is_the_work_and_the_standing_power() -> None:
    found, service = estimated("edge_tpu"), run_s()
    served = dt.serve(found.network, found.accelerator, f"{0.5 / service}/s", found.schedule, requests=40)
    assert served.work_j == pytest.approx(np.full(40, dynamic_j()))
    standing = found.accelerator.standing_w * served.end_s
    assert served.energy_j == pytest.approx(40 * dynamic_j() + standing, rel=1e-9)


def test_a_gated_supply_saves_what_leaks_and_waking_costs() -> None:
    found, service = estimated("edge_tpu"), run_s()
    power = PowerModel(leakage_w=0.5, clock_w=0.1, gate_power_after_s=0.0, power_wake_s=service, power_wake_j=1e-6)
    plain = PowerModel(leakage_w=0.5, clock_w=0.1)
    arrivals = f"{0.05 / service}/s"
    gated, awake = (
        dt.serve(found.network, found.accelerator, arrivals, found.schedule, requests=20, power=one)
        for one in (power, plain)
    )
    assert gated.energy_j < awake.energy_j
    assert gated.wakes["power_gated"] > 0
    assert float(np.max(gated.latency_s)) == pytest.approx(2 * service)


def test_nothing_happens_after_the_end() -> None:
    found, service = estimated("edge_tpu"), run_s()
    until = 10.5 * service
    served = dt.serve(found.network, found.accelerator, f"{2.0 / service}/s", found.schedule, until_s=until)
    assert served.end_s == pytest.approx(until)
    assert served.finished == 10
    assert served.unfinished > 0
    assert float(np.nanmax(served.finish_s)) <= until
    assert served.utilization == pytest.approx(1.0)


def test_two_servers_are_never_slower() -> None:
    found, service = estimated("edge_tpu"), run_s()
    one, two = (
        dt.serve(
            found.network, found.accelerator, f"poisson:{0.9 / service!r}/s", found.schedule,
            requests=3000, servers=servers, seed=5,
        )
        for servers in (1, 2)
    )  # fmt: skip
    assert np.all(two.latency_s <= one.latency_s + 1e-12)
    assert float(np.mean(two.wait_s)) < 0.5 * float(np.mean(one.wait_s))


def test_one_seed_gives_one_run() -> None:
    found, service = estimated("edge_tpu"), run_s()
    one, same, other = (
        dt.serve(
            found.network, found.accelerator, f"poisson:{0.5 / service!r}/s", found.schedule,
            requests=500, seed=seed, density=Density(0.3, 0.1),
        )
        for seed in (1, 1, 2)
    )  # fmt: skip
    assert np.array_equal(one.finish_s, same.finish_s)
    assert not np.array_equal(one.finish_s, other.finish_s)


def test_sparse_data_takes_less_time_on_an_array_that_skips_zeros() -> None:
    found, service = estimated("edge_tpu"), run_s()
    arrivals = f"{0.1 / service}/s"
    dense, sparse = (
        dt.serve(found.network, found.accelerator.unlimited(), arrivals, found.schedule, requests=50, density=density)
        for density in (Density(1.0), Density(0.05, 0.02))
    )
    assert float(np.mean(sparse.latency_s)) < float(np.mean(dense.latency_s))
    assert len(set(sparse.latency_s.tolist())) > 1


def test_requests_that_leave_early_take_less_time_and_energy() -> None:
    found, service = estimated("edge_tpu"), run_s()
    served = dt.serve(
        found.network, found.accelerator, f"{0.1 / service}/s", found.schedule,
        requests=400, workload=Workload(early_exit={"b": 0.5}),
    )  # fmt: skip
    early = served.exit_stage == served.stages[0].index("b")
    assert 0.4 < float(np.mean(early)) < 0.6
    assert np.all(served.latency_s[early] < service)
    assert float(np.mean(served.work_j[early])) < dynamic_j()


def test_two_networks_take_their_own_times() -> None:
    one, other = estimated("edge_tpu"), estimated("edge_tpu", "chain")
    slow = 0.05 / max(run_s(), run_s(kind="chain"))
    served = dt.serve(
        [one.network, other.network], one.accelerator, f"branchy={slow}/s; chain={0.7 * slow}/s",
        [one.schedule, other.schedule], requests=30, queue="priority", priorities={"chain": 1.0},
    )  # fmt: skip
    for number, kind in enumerate(("branchy", "chain")):
        own = served.profile == number
        assert own.any()
        assert np.all(served.latency_s[own] >= run_s(kind=kind) * (1 - 1e-9))
        assert float(np.min(served.latency_s[own])) == pytest.approx(run_s(kind=kind))


def test_batches_serve_more_requests_in_the_same_time() -> None:
    found, service = estimated("edge_tpu"), run_s()
    settings = {"requests": 200, "seed": 1}
    arrivals = f"{20.0 / service}/s"
    single = dt.serve(found.network, found.accelerator, arrivals, found.schedule, **settings)  # type: ignore[arg-type]
    batched = dt.serve(
        found.network, found.accelerator, arrivals, found.schedule,
        batching=Batching(8), mapper="random", limits=FEW, **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    assert batched.finished == single.finished == 200
    assert batched.end_s < single.end_s
