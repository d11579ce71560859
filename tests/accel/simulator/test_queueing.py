"""Queueing theory: the recursions exactly, the formulas within their sampling error, the accounting always."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.accel.simulator.arrivals import ClosedLoop, Poisson, Trace
from dovetail.accel.simulator.power import PowerModel
from dovetail.accel.simulator.profiles import Profile, Stage
from dovetail.accel.simulator.queueing import DROPS, POLICIES, Batching
from dovetail.accel.simulator.serving import serve_requests
from dovetail.accel.simulator.workload import FrameFilter, Workload


def network(seconds, name="net", **given):
    return Profile(name, (Stage("op", seconds, 1.0),), **given)


def work_s(run):
    return run.finish_s - run.start_s


@pytest.mark.parametrize("servers", [1, 3])
def test_waits_equal_the_recursion_of_kiefer_and_wolfowitz(servers):
    run = serve_requests([network((0.2, 0.5, 3.0))], Poisson(0.7 * servers), servers=servers, requests=5000, seed=3)
    free_s = np.zeros(servers)
    for arrival, start, seconds in zip(run.arrival_s, run.start_s, work_s(run), strict=True):
        expected = max(arrival, free_s.min())
        assert start == pytest.approx(expected, abs=1e-9)
        free_s[free_s.argmin()] = expected + seconds


# Sampling error of the mean wait (standard deviation over seeds): 1.1 % at 0.3, 1.2 % at 0.6, 1.4 % at 0.8.
@pytest.mark.parametrize(
    ("load", "requests"), [(0.3, 100_000), (0.6, 150_000), pytest.param(0.8, 400_000, marks=pytest.mark.slow)]
)
def test_deterministic_service_waits_as_m_d_1_does(load, requests):
    run = serve_requests([network((1.0,))], Poisson(load), requests=requests)
    assert run.percentiles("wait")["mean"] == pytest.approx(load / (2 * (1 - load)), rel=0.03)
    assert run.utilization == pytest.approx(load, rel=0.01)
    assert run.mean_in_system == pytest.approx(load + load**2 / (2 * (1 - load)), rel=0.03)


EXPONENTIAL = tuple(-np.log1p(-(np.arange(2000) + 0.5) / 2000))


@pytest.mark.parametrize("samples", [(0.5, 0.5, 0.5, 2.5), pytest.param(EXPONENTIAL, marks=pytest.mark.slow)])
def test_sampled_service_waits_as_pollaczek_and_khinchine_say(samples):
    first, second = np.mean(samples), np.mean(np.square(samples))
    rate = 0.5 / first
    # Four seeds of 50 000: a sampling error of 1.1 %.
    runs = [serve_requests([network(samples)], Poisson(rate), requests=50_000, seed=seed) for seed in range(4)]
    mean_s = np.mean([run.percentiles("wait")["mean"] for run in runs])
    assert mean_s == pytest.approx(rate * second / (2 * (1 - rate * first)), rel=0.03)


def test_a_queueless_station_loses_as_erlang_says():
    # The loss does not depend on the distribution of the service (insensitivity), so fixed durations will do.
    servers, offered = 4, 3.0
    run = serve_requests([network((1.0,))], Poisson(offered), servers=servers, capacity=0, requests=60_000)
    terms = [offered**n / math.factorial(n) for n in range(servers + 1)]
    assert run.drops["full"] / 60_000 == pytest.approx(terms[-1] / sum(terms), rel=0.03)


def test_a_closed_loop_obeys_the_response_time_law():
    run = serve_requests([network((0.3, 0.9, 1.8))], ClosedLoop(6, 2.0), requests=20_000)
    assert run.throughput_per_s * (run.percentiles()["mean"] + 2.0) == pytest.approx(6, rel=0.005)


def test_littles_law_holds():
    run = serve_requests([network((0.2, 1.4))], Poisson(0.9), requests=20_000)
    rate = len(run.arrival_s) / run.end_s
    assert run.mean_in_system == pytest.approx(rate * run.latency_s.mean(), rel=1e-9)
    assert run.mean_waiting == pytest.approx(rate * run.wait_s.mean(), rel=1e-9)
    assert run.utilization == pytest.approx(rate * work_s(run).mean(), rel=1e-9)


def test_shortest_first_shortens_the_mean_wait():
    nets = [network((0.1,), "short"), network((2.0,), "long")]
    waits = {
        policy: serve_requests(nets, Poisson(0.75), policy=policy, requests=20_000).percentiles("wait")["mean"]
        for policy in ("fifo", "sjf")
    }
    assert waits["sjf"] < 0.8 * waits["fifo"]


def left_waiting_beside_a_free_server(run):
    """The longest time in which a request waited while a server was free, from the record alone."""
    points, changes = [], []
    end_s = run.end_s
    for arrival, start, finish, left in zip(run.arrival_s, run.start_s, run.finish_s, run.left_s, strict=True):
        gone = left if not math.isnan(left) else end_s
        begun = start if not math.isnan(start) else gone
        points += [arrival, begun]
        changes += [(1, 0), (-1, 0)]
        if not math.isnan(start):
            points += [start, finish if not math.isnan(finish) else end_s]
            changes += [(0, 1), (0, -1)]
    if not points:
        return 0.0
    order = np.argsort(points, kind="stable")
    times = np.array(points)[order]
    waiting, busy = np.cumsum(np.array(changes)[order], axis=0).T
    gaps = np.diff(times)
    idle = (waiting[:-1] > 0) & (busy[:-1] < run.servers)
    assert busy[:-1][gaps > 0].max(initial=0) <= run.servers  # at one instant the record does not order the events
    return float(gaps[idle].max(initial=0.0))


@st.composite
def stations(draw):
    number = st.integers(1, 8).map(lambda n: n / 4)
    nets = [
        network(tuple(draw(st.lists(number, min_size=1, max_size=3))), name, priority=draw(st.integers(0, 2)))
        for name in ("a", "b")[: draw(st.integers(1, 2))]
    ]
    capacity = draw(st.none() | st.integers(0, 4))
    drops = [drop for drop in DROPS if drop != "none" or capacity is None]
    arrivals = draw(
        st.builds(Poisson, st.sampled_from([0.3, 1.0, 4.0]))
        | st.builds(ClosedLoop, st.integers(1, 5), st.sampled_from([0.5, 1.0]))
        | st.lists(number, min_size=1, max_size=60).map(lambda gaps: Trace(np.cumsum(gaps) - gaps[0]))
    )
    return {
        "profiles": nets,
        "arrivals": arrivals,
        "servers": draw(st.integers(1, 3)),
        "policy": draw(st.sampled_from(POLICIES)),
        "capacity": capacity,
        "drop": draw(st.sampled_from(drops)),
        "deadline_s": draw(st.sampled_from([0.5, 2.0, 10.0])),
        "requests": draw(st.integers(1, 80)),
        "until_s": draw(st.none() | st.sampled_from([0.75, 5.0, 50.0])),
        "seed": draw(st.integers(0, 5)),
    }


@settings(max_examples=150, deadline=None)
@given(stations())
def test_random_stations_lose_nothing_and_leave_no_server_idle(station):
    run = serve_requests(**station)
    assert run.finished + run.unfinished + sum(run.drops.values()) == len(run.arrival_s)
    assert left_waiting_beside_a_free_server(run) < 1e-9
    if station["until_s"] is None:
        assert run.unfinished == 0
    if station["capacity"] is not None:
        assert run.mean_waiting <= station["capacity"] + 1e-9
    tracks = {}
    for one in run.log:
        tracks.setdefault(one.track, []).append((one.start, one.end))
    for slices in tracks.values():
        assert all(start <= end for start, end in slices)
        assert all(before[1] <= after[0] for before, after in pairwise(slices))
    assert math.fsum(one.end - one.start for one in run.log) == pytest.approx(run.seconds["active"], abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(stations(), st.integers(2, 4), st.sampled_from([0.0, 0.3]), st.booleans())
def test_random_batches_are_of_one_network_and_lose_nothing(station, size, wait_s, profiles_by_size):
    if station["capacity"] is not None:
        station["capacity"] = max(station["capacity"], size)
    if profiles_by_size:
        station["profiles"] += [replace(one, batch=size) for one in station["profiles"]]
    run = serve_requests(**station, batching=Batching(size, wait_s))
    assert run.finished + run.unfinished + sum(run.drops.values()) == len(run.arrival_s)
    batches = {}
    for at in np.flatnonzero(run.server >= 0):
        batches.setdefault((int(run.server[at]), float(run.start_s[at])), []).append(at)
    for members in batches.values():
        assert len(members) <= size
        assert len(set(run.profile[members])) == 1
    ends = {key: run.finish_s[members[0]] for key, members in batches.items()}
    for (server, start_s), (other, later_s) in pairwise(sorted(ends)):
        assert server != other or ends[server, start_s] <= later_s


SLEEPY = PowerModel(1.0, 1.0, 0.2, 2.0, 0.1, 0.05, 0.3, 0.4, 2.0)


@settings(max_examples=60, deadline=None)
@given(stations())
def test_one_seed_gives_one_run(station):
    first, second = (serve_requests(**station, power=SLEEPY) for _ in range(2))
    for name in ("arrival_s", "start_s", "finish_s", "left_s", "dropped", "server", "exit_stage", "work_j", "profile"):
        assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=name.endswith("_s")), name
    assert first.energy == second.energy
    assert first.log == second.log
    assert math.fsum(first.breakdown().values()) == pytest.approx(first.energy_j, rel=1e-12)


def test_requests_ask_for_the_same_work_whatever_the_policy():
    nets = [network((0.1, 0.3, 0.7), "a", priority=1), network((0.2, 1.0), "b")]
    frames = {"a": Workload(frame_filter=FrameFilter(keep=0.6, seconds=0.01))}
    runs = [
        serve_requests(
            nets, Poisson(1.2), policy=policy, servers=servers, requests=6000, seed=5, workload=frames, deadline_s=1
        )
        for policy, servers in (("fifo", 1), ("priority", 1), ("sjf", 2), ("edf", 4))
    ]
    for run in runs[1:]:
        assert np.array_equal(run.arrival_s, runs[0].arrival_s)
        assert np.array_equal(run.profile, runs[0].profile)
        assert np.array_equal(run.exit_stage, runs[0].exit_stage)
        assert work_s(run) == pytest.approx(work_s(runs[0]), abs=1e-9)
    assert not np.array_equal(runs[0].start_s, runs[1].start_s)
