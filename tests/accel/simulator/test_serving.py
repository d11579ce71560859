"""Serving by hand: who is served when, who is dropped, what it costs, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dovetail.accel.simulator.arrivals import ClosedLoop, FixedRate, Merged, Poisson, Trace, read_trace
from dovetail.accel.simulator.power import PowerModel
from dovetail.accel.simulator.profiles import Profile, Stage
from dovetail.accel.simulator.queueing import Batching
from dovetail.accel.simulator.served import NOT_SERVED
from dovetail.accel.simulator.serving import serve_requests
from dovetail.accel.simulator.workload import FrameFilter, Workload
from dovetail.errors import BadInput, CannotDo, UnknownName


def network(name="net", seconds=1.0, **given):
    return Profile(name, (Stage("op", (seconds,), 10.0),), **given)


def trace(*times, networks=()):
    return Trace(np.array(times, float), tuple(networks))


def serve(profiles=None, arrivals=None, **given):
    return serve_requests(profiles or [network()], arrivals or trace(0, 0.5, 4), **given)


def test_one_after_the_other():
    run = serve()
    assert run.start_s.tolist() == [0.0, 1.0, 4.0]
    assert run.finish_s.tolist() == [1.0, 2.0, 5.0]
    assert run.latency_s.tolist() == [1.0, 1.5, 1.0]
    assert run.end_s == 5.0
    assert run.utilization == pytest.approx(3 / 5)
    assert run.throughput_per_s == pytest.approx(3 / 5)
    assert run.mean_waiting == pytest.approx(0.5 / 5)
    assert run.mean_in_system == pytest.approx(3.5 / 5)
    assert run.percentiles() == {
        "mean": 3.5 / 3, "p50": 1.0, "p90": 1.5, "p95": 1.5, "p99": 1.5, "p99.9": 1.5, "max": 1.5,
    }  # fmt: skip
    assert run.percentiles("wait")["max"] == 0.5


def test_servers_share_one_queue_and_the_last_to_become_free_goes_first():
    run = serve(arrivals=trace(0, 0.1, 0.2, 5, 6.5), servers=2)
    assert run.server.tolist() == [0, 1, 0, 0, 0]
    assert run.start_s.tolist() == [0.0, 0.1, 1.0, 5.0, 6.5]


def test_the_overhead_holds_the_device():
    run = serve([network(overhead_s=0.25)], trace(0, 0))
    assert run.finish_s.tolist() == [1.25, 2.5]
    assert [(one.kind, one.start, one.end) for one in run.log[:2]] == [("overhead", 0.0, 0.25), ("compute", 0.25, 1.25)]


LONG, SHORT = network("long", 3.0, priority=1, deadline_s=10.0), network("short", 1.0, priority=2, deadline_s=9.0)


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        ("fifo", [0, 1, 2, 3, 4]),
        ("priority", [0, 2, 4, 1, 3]),
        ("sjf", [0, 2, 4, 1, 3]),
        ("edf", [0, 2, 1, 4, 3]),
    ],
)
def test_policies_order_those_that_wait(policy, order):
    # Deadlines of 1 to 4: 10.1, 9.2, 11.5, 10.5.
    names = ["long", "long", "short", "long", "short"]
    run = serve([LONG, SHORT], trace(0, 0.1, 0.2, 1.5, 1.5, networks=names), policy=policy)
    assert np.argsort(run.start_s).tolist() == order


def test_a_run_once_begun_is_not_interrupted():
    run = serve([LONG, SHORT], trace(0, 1, networks=["long", "short"]), policy="priority")
    assert run.start_s.tolist() == [0.0, 3.0]


@pytest.mark.parametrize(
    ("drop", "starts", "dropped"),
    [
        ("drop_new", [0.0, 1.0, 2.0, None, None], {"full": 2, "displaced": 0, "late": 0}),
        ("drop_oldest", [0.0, None, None, 1.0, 2.0], {"full": 0, "displaced": 2, "late": 0}),
        ("drop_late", [0.0, 1.0, None, None, None], {"full": 2, "displaced": 0, "late": 1}),
    ],
)
def test_a_full_queue_drops_as_it_is_told(drop, starts, dropped):
    run = serve(arrivals=trace(0, 0.1, 0.2, 0.3, 0.4), capacity=2, drop=drop, deadline_s=1.5)
    assert [None if math.isnan(one) else one for one in run.start_s] == starts
    assert run.drops == dropped
    assert run.finished + sum(run.drops.values()) + run.unfinished == 5


def test_a_deadline_met_to_the_moment_is_met():
    run = serve(arrivals=trace(0, 0, 0), deadline_s=1.0, drop="drop_late")
    assert run.finished == 2
    assert run.drops["late"] == 1
    assert run.late == 1


def test_a_server_that_ends_as_a_request_comes_is_free_for_it():
    run = serve(arrivals=trace(0, 1, 2, 3), capacity=0)
    assert run.finished == 4
    assert serve(arrivals=FixedRate(1.0), requests=50, capacity=0).finished == 50


def test_without_a_queue_only_free_servers_take_requests():
    run = serve(arrivals=trace(0, 0.5, 1.0, 1.5), capacity=0, drop="drop_oldest")
    assert run.drops == {"full": 2, "displaced": 0, "late": 0}
    assert run.wait_s[np.isfinite(run.start_s)].tolist() == [0.0, 0.0]


def test_a_cut_run_loses_nothing():
    run = serve(arrivals=trace(0, 0.5, 4), until_s=1.25)
    assert len(run.arrival_s) == 2
    assert (run.finished, run.unfinished) == (1, 1)
    assert run.exit_stage.tolist() == [0, NOT_SERVED]
    assert run.work_j.tolist() == [10.0, 2.5]
    assert run.end_s == 1.25
    assert run.seconds["active"] == 1.25
    assert run.log[-1].end == 1.25


def test_a_run_until_later_than_its_work_waits_for_the_end():
    run = serve(until_s=20.0, power=PowerModel(leakage_w=1.0))
    assert run.end_s == 20.0
    assert run.breakdown() == {"work": 30.0, "leakage": 20.0}


def test_what_comes_at_the_end_is_left_out():
    assert len(serve(arrivals=FixedRate(1.0), until_s=3.0).arrival_s) == 3


def test_clients_wait_for_their_answers_and_think():
    run = serve(arrivals=ClosedLoop(2, 0.5), requests=5)
    assert run.arrival_s.tolist() == [0.0, 0.0, 1.5, 2.5, 3.5]
    assert run.finish_s.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_refused_clients_come_again():
    run = serve(arrivals=ClosedLoop(2, 0.4), capacity=0, until_s=1.5)
    assert run.arrival_s.tolist() == pytest.approx([0.0, 0.0, 0.4, 0.8, 1.2, 1.4])
    assert run.drops["full"] == 4


def test_a_closed_loop_that_stands_still_is_told_apart_from_a_slow_one():
    with pytest.raises(CannotDo, match=r"closed loop .* without time passing"):
        serve(arrivals=ClosedLoop(2), capacity=0, until_s=1.0)
    with pytest.raises(CannotDo, match="closed loop"):
        serve([network(seconds=0.0)], ClosedLoop(1), until_s=1.0)


def test_several_networks_come_on_their_own():
    run = serve([LONG, SHORT], Merged((("long", FixedRate(0.1)), ("short", FixedRate(0.5)))), until_s=10.0)
    rows = {row["network"]: row for row in run.rows()}
    assert rows["long"]["requests"] == 1
    assert rows["short"]["requests"] == 5
    assert rows["short"]["latency_max_s"] == run.percentiles(network="short")["max"]


def test_the_mix_shares_out_requests_without_a_name():
    run = serve([LONG, SHORT], Poisson(1.0), mix={"long": 1, "short": 3}, requests=8000)
    assert np.mean(run.profile == 1) == pytest.approx(0.75, abs=0.02)
    assert np.mean(serve([LONG, SHORT], Poisson(1.0), requests=8000).profile) == pytest.approx(0.5, abs=0.02)


# ---- batches


def test_one_after_the_other_in_a_batch_shares_the_overhead():
    run = serve([network(overhead_s=0.5)], trace(0, 0.1, 0.2, 0.3), batching=Batching(3))
    assert run.start_s.tolist() == [0.0, 1.5, 1.5, 1.5]
    assert run.finish_s.tolist() == [1.5, 5.0, 5.0, 5.0]


def test_a_batch_runs_on_the_smallest_profile_that_holds_it():
    profiles = [network(), network(seconds=1.5, batch=4), network(seconds=1.2, batch=2)]
    run = serve(profiles, trace(0, 0.1, 0.2, 1.3, 1.4, 1.5), batching=Batching(4))
    assert run.start_s.tolist() == [0.0, 1.0, 1.0, 2.2, 2.2, 2.2]
    assert run.finish_s.tolist() == pytest.approx([1.0, 2.2, 2.2, 3.7, 3.7, 3.7])
    assert run.work_j.tolist() == pytest.approx([10.0, 5.0, 5.0, *[10 / 3] * 3])


def test_a_free_server_waits_for_a_batch_to_fill_but_not_too_long():
    run = serve(arrivals=trace(0, 0.1, 5, 5.1, 5.2, 5.3), batching=Batching(3, 0.7))
    assert run.start_s.tolist() == [0.7, 0.7, 5.2, 5.2, 5.2, 8.2]


def test_a_batch_is_of_one_network():
    names = ["long", "short", "long", "short"]
    run = serve([LONG, SHORT], trace(0, 0, 0, 0, networks=names), batching=Batching(4, 0.1))
    assert run.start_s.tolist() == [0.1, 6.1, 0.1, 6.1]


def test_the_slowest_member_holds_a_batch_up():
    frames = Workload(frame_filter=FrameFilter(every=2, seconds=0.25))
    run = serve([network(), network(seconds=2.0, batch=2)], trace(0, 0, 0, 0), workload=frames, batching=Batching(2))
    # The first arrival finds a free server and goes alone; of the next two, one is kept, in a run of two.
    assert run.finish_s.tolist() == [1.25, 3.5, 3.5, 3.75]


# ---- energy


SLEEPY = PowerModel(
    leakage_w=2.0, clock_w=3.0, gate_clock_after_s=1.0, gate_power_after_s=4.0, retained_leakage=0.25,
    clock_wake_s=0.5, clock_wake_j=7.0, power_wake_s=2.0, power_wake_j=11.0,
)  # fmt: skip


def test_energy_is_exact_by_hand():
    # Works 0-1; idle 1-2, clock gated 2-4, wakes 4-4.5; works 4.5-5.5; idle, clock gated 6.5-9.5, power gated 9.5-15.5,
    # wakes 15.5-17.5; works 17.5-19.5 as the second one waits; idle to 20.
    run = serve(arrivals=trace(0, 4, 15.5, 16), power=SLEEPY, until_s=20.0)
    assert run.start_s.tolist() == [0.0, 4.5, 17.5, 18.5]
    assert run.seconds == {"active": 4.0, "idle": 2.5, "clock_gated": 5.0, "power_gated": 6.0, "waking": 2.5}
    assert run.breakdown() == {
        "work": 40.0,
        "leakage": 2.0 * 14.0 + 0.5 * 6.0,
        "clock": 3.0 * 9.0,
        "wake_up": 18.0,
    }
    assert run.energy_j == 40.0 + 31.0 + 27.0 + 18.0
    assert math.fsum(run.breakdown("state").values()) == run.energy_j
    assert run.breakdown("state")["active"] == 40.0 + 5.0 * 4.0
    assert [one.kind for one in run.log] == ["compute", "wake", "compute", "wake", "compute", "compute"]
    assert run.energy_per_request_j == run.energy_j / 4


def test_each_server_sleeps_on_its_own():
    run = serve(arrivals=trace(0, 0.5, 2.0), servers=2, power=SLEEPY)
    # Server 1 works 0.5-1.5, is the last to become free and takes the third at 2; server 0 sleeps from 2 on.
    assert run.server.tolist() == [0, 1, 1]
    assert run.end_s == 3.0
    assert run.seconds["clock_gated"] == 1.0
    assert math.fsum(run.seconds.values()) == 6.0


def test_a_run_cut_while_waking_counts_the_wait():
    run = serve(arrivals=trace(10), power=SLEEPY, until_s=11.0)
    assert run.unfinished == 1
    assert run.seconds["waking"] == 1.0
    assert run.mean_waiting == pytest.approx(1.0 / 11.0)
    assert run.breakdown()["wake_up"] == 11.0
    assert math.isinf(run.energy_per_request_j)
    assert run.summary()["energy_per_request_j"] is None
    assert run.percentiles() == {}


# ---- tables, log, progress


def test_tables_name_everything():
    frames = Workload(frame_filter=FrameFilter(every=2))
    run = serve(arrivals=trace(0, 1, 1.5, 1.6), workload=frames, capacity=0)
    table = run.requests()
    assert table["left_after"].tolist() == ["op", "filtered", "op", ""]
    assert table["dropped"].tolist() == ["", "", "", "full"]
    assert table["network"].tolist() == ["net"] * 4
    assert run.summary()["dropped_full"] == 1
    with pytest.raises(UnknownName):
        run.percentiles(network="other")
    with pytest.raises(BadInput):
        run.percentiles("energy")
    with pytest.raises(BadInput):
        run.breakdown("server")


def test_the_log_is_capped_and_says_so():
    run = serve(arrivals=FixedRate(0.5), requests=21_000)
    assert len(run.log) == 20_000
    assert not run.log_complete
    assert serve().log_complete


def test_progress_goes_up_to_the_end():
    seen = []
    serve(arrivals=FixedRate(0.5), requests=1000, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1000, 1000)
    assert seen == sorted(seen)
    by_time = []
    serve(arrivals=FixedRate(0.5), until_s=100.0, progress=lambda done, total: by_time.append(done / total))
    assert by_time[0] == 0.0
    assert by_time[-1] == 1.0
    assert by_time == sorted(by_time)


# ---- what cannot be


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profiles": [], "arrivals": FixedRate(1.0), "requests": 1}, "profiles"),
        ({"profiles": [network(), network()]}, "two of batch 1"),
        ({"arrivals": FixedRate(1.0)}, "never end"),
        ({"arrivals": Merged((("net", FixedRate(1.0)),))}, "never end"),
        ({"arrivals": "100/s"}, "parse_arrivals"),
        ({"servers": 0}, "servers"),
        ({"servers": 1.5}, "servers"),
        ({"seed": -1}, "seed"),
        ({"requests": 0}, "requests"),
        ({"until_s": 0.0}, "until_s"),
        ({"until_s": math.inf}, "until_s"),
        ({"policy": "lifo"}, "queue policy"),
        ({"drop": "drop_all"}, "drop policy"),
        ({"capacity": -1}, "capacity"),
        ({"capacity": 3, "drop": "none"}, "must drop"),
        ({"policy": "edf"}, "deadline"),
        ({"drop": "drop_late"}, "deadline"),
        ({"deadline_s": 0.0}, "deadline_s"),
        ({"mix": {"other": 1.0}}, "other"),
        ({"mix": {"net": 0.0}}, "mix"),
        ({"mix": {"net": -1.0}}, "mix"),
        ({"workload": {"other": Workload()}}, "other"),
        ({"workload": Workload(early_exit={"conv": 0.5})}, "conv"),
        ({"arrivals": Merged((("other", FixedRate(1.0)),)), "requests": 1}, "other"),
        ({"batching": Batching(4, 0.1), "capacity": 2}, "never holds a batch"),
        ({"profiles": [network(), network(batch=2)], "batching": Batching(4)}, "larger than the profiles"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    arguments = {"profiles": [network()], "arrivals": trace(0, 1)} | given
    with pytest.raises(BadInput, match=message):
        serve_requests(**arguments)


@pytest.mark.parametrize("make", [lambda: Batching(0), lambda: Batching(2, -1.0), lambda: Batching(2, math.inf)])
def test_batches_that_cannot_be_are_refused(make):
    with pytest.raises(BadInput):
        make()


def test_a_network_that_a_trace_names_wrongly_is_answered_with_its_line(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("time_s,network\n0,net\n1,nett\n")
    with pytest.raises(BadInput, match=r"trace\.csv:3: no network .* 'nett'; did you mean 'net'"):
        serve(arrivals=read_trace(path))
