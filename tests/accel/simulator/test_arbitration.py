"""A shared server: work conserving, fair within a chunk, in order of priority or arrival, the same every time."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest
import simpy

from dovetail.accel.simulator.arbitration import Arbiter
from dovetail.accel.simulator.dram import DramCycles, with_refresh
from dovetail.errors import BadInput, UnknownName

POLICIES = ("fifo", "round_robin", "priority")
Pieces = list[tuple[str, float, float]]
Asked = tuple[float, str, float, int]  # when, who, how many cycles, how urgent


def run(asked: list[Asked], **options: Any) -> tuple[Arbiter, list[tuple[float, float]], Pieces]:
    """The arbiter after all requests, (first start, end) of each, and every piece of service."""
    env, pieces = simpy.Environment(), Pieces()
    arbiter = Arbiter(env, on_served=lambda client, start, end: pieces.append((str(client), start, end)), **options)
    found: list[tuple[float, float]] = [(math.nan, math.nan)] * len(asked)

    def ask(index: int, when: float, client: str, cycles: float, priority: int) -> Any:
        yield env.timeout(when)
        found[index] = yield arbiter.request(client, cycles, priority)
        assert found[index][1] == env.now

    for index, one in enumerate(asked):
        env.process(ask(index, *one))
    env.run()
    return arbiter, found, pieces


def chunked(asked: list[Asked], policy: str, chunk: float) -> list[float]:
    """Ends by a plain server that decides anew after every chunk; nobody may come just when a chunk ends."""
    left, ends = [cycles for _, _, cycles, _ in asked], [0.0] * len(asked)
    order = sorted(range(len(asked)), key=lambda i: (asked[i][0], i))
    ring, now = list[str](), 0.0  # clients that wait, the next one first
    while any(left):
        ready = [i for i in order if left[i] and asked[i][0] <= now]
        if not ready:
            now = min(asked[i][0] for i in order if left[i])
            continue
        ring = list(dict.fromkeys([*ring, *(asked[i][1] for i in ready)]))
        chosen = min(ready, key=lambda i: asked[i][3])
        if policy == "round_robin":
            client = ring.pop(0)
            chosen = next(i for i in ready if asked[i][1] == client)
        now, left[chosen] = now + min(chunk, left[chosen]), max(0, left[chosen] - chunk)
        ends[chosen] = now if not left[chosen] else 0.0
        ready = [i for i in order if left[i] and asked[i][0] <= now]
        if policy == "round_robin":  # those that came meanwhile are before the one just served
            came = [asked[i][1] for i in ready if asked[i][1] != client]
            ring = list(dict.fromkeys([*ring, *came, *(asked[i][1] for i in ready)]))
    return ends


def random_requests(rng: random.Random) -> list[Asked]:
    """Whole cycles of work, arrivals at odd moments."""
    return [
        (rng.randint(0, 200) + rng.randint(1, 99) / 128, rng.choice("abc"), rng.randint(1, 40), rng.randint(0, 2))
        for _ in range(rng.randint(1, 25))
    ]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(15))
def test_the_server_gives_all_the_work_and_idles_only_when_nobody_waits(policy: str, seed: int) -> None:
    asked = random_requests(random.Random(seed))
    arbiter, found, pieces = run(asked, policy=policy, chunk_cycles=4.0)
    assert arbiter.busy == pytest.approx(sum(cycles for _, _, cycles, _ in asked))
    assert sum(end - start for _, start, end in pieces) == pytest.approx(arbiter.busy)
    for client in "abc":
        mine = sum(cycles for _, who, cycles, _ in asked if who == client)
        assert arbiter.served.get(client, 0.0) == pytest.approx(mine)
    for (_, _, before), (_, start, _) in pairwise(pieces):
        assert start >= before
        if start > before:  # a pause: whoever had come was done
            pairs = zip(asked, found, strict=True)
            assert all(when >= start - 1e-9 or end <= before + 1e-9 for (when, *_), (_, end) in pairs)
    now = 0.0
    for when, _, cycles, _ in sorted(asked):  # all work is done when any server that never idles is done
        now = max(now, when) + cycles
    assert max(end for _, end in found) == pytest.approx(now)


@pytest.mark.parametrize("policy", ["round_robin", "priority"])
@pytest.mark.parametrize("seed", range(25))
def test_serving_in_one_go_and_cutting_late_is_serving_chunk_by_chunk(policy: str, seed: int) -> None:
    asked = random_requests(random.Random(100 + seed))
    found = run(asked, policy=policy, chunk_cycles=4.0)[1]
    assert [end for _, end in found] == pytest.approx(chunked(asked, policy, 4.0))


def test_first_come_is_first_served_and_served_whole() -> None:
    asked: list[Asked] = [(0, "a", 10, 9), (1, "b", 5, 0), (2, "a", 1, 0), (3, "c", 2, 0)]
    _, found, pieces = run(asked, policy="fifo", chunk_cycles=1.0)
    assert found == [(0, 10), (10, 15), (15, 16), (16, 18)]
    assert len(pieces) == 4


def test_in_order_of_arrival_a_request_begins_when_the_one_before_ends() -> None:
    asked = sorted(random_requests(random.Random(3)))
    free = 0.0
    for (when, _, cycles, _), found in zip(asked, run(asked, policy="fifo")[1], strict=True):
        start = max(when, free)
        free = start + cycles
        assert found == pytest.approx((start, free))


def test_turns_share_the_server_within_a_chunk() -> None:
    _, found, pieces = run([(0, "a", 100, 0), (0, "b", 100, 0), (0, "c", 30, 0)], policy="round_robin", chunk_cycles=5)
    assert found == [(0, 225), (5, 230), (10, 90)]
    for moment in range(0, 91, 5):
        given = dict.fromkeys("abc", 0.0)
        for who, start, end in pieces:
            given[who] += max(0.0, min(end, moment) - start)
        assert max(given.values()) - min(given.values()) <= 5


def test_a_client_with_many_requests_gets_no_more_than_its_turn() -> None:
    asked: list[Asked] = [*((0, "many", 4, 0) for _ in range(10)), (0, "one", 8, 0)]
    found = run(asked, policy="round_robin", chunk_cycles=4)[1]
    assert found[-1] == (4, 16)


def test_a_lone_client_is_served_in_one_go_and_cut_where_its_chunk_ends() -> None:
    _, found, pieces = run([(0, "a", 100, 0), (33, "b", 8, 0)], policy="round_robin", chunk_cycles=10)
    assert pieces == [("a", 0, 40), ("b", 40, 48), ("a", 48, 108)]
    assert found == [(0, 108), (40, 48)]


def test_the_urgent_go_first_at_the_end_of_a_chunk() -> None:
    asked: list[Asked] = [(0, "slow", 100, 2), (12, "fast", 20, 0), (13, "middle", 10, 1), (14, "equal", 10, 2)]
    _, found, pieces = run(asked, policy="priority", chunk_cycles=10)
    assert pieces == [
        ("slow", 0, 20), ("fast", 20, 40), ("middle", 40, 50), ("slow", 50, 130), ("equal", 130, 140),
    ]  # fmt: skip
    assert found == [(0, 130), (20, 40), (40, 50), (130, 140)]


def test_the_less_urgent_do_not_interrupt() -> None:
    pieces = run([(0, "a", 100, 0), (1, "b", 5, 1)], policy="priority", chunk_cycles=10)[2]
    assert pieces == [("a", 0, 100), ("b", 100, 105)]


def test_without_a_chunk_turns_are_whole_requests() -> None:
    asked: list[Asked] = [(0, "a", 10, 0), (0, "a", 10, 0), (1, "b", 10, 0)]
    assert run(asked, policy="round_robin")[1] == [(0, 10), (20, 30), (10, 20)]


def test_a_refresh_interrupts_service_without_being_service() -> None:
    timing = DramCycles(refresh_interval=50.0, refresh_time=10.0)
    arbiter, found, pieces = run(
        [(0, "a", 200, 0), (75, "b", 10, 0)],
        policy="round_robin",
        chunk_cycles=10,
        stretch=lambda start, cycles: with_refresh(timing, start, cycles),
    )
    assert pieces == [("a", 0, 80), ("b", 80, 90), ("a", 90, 250)]  # seven chunks and one refresh until 80
    assert (arbiter.busy, arbiter.served) == (210, {"a": 200, "b": 10})
    assert found == [(0, 250), (80, 90)]


@pytest.mark.parametrize("policy", POLICIES)
def test_two_runs_are_identical(policy: str) -> None:
    asked = random_requests(random.Random(7))
    assert run(asked, policy=policy, chunk_cycles=3)[1:] == run(asked, policy=policy, chunk_cycles=3)[1:]


def test_nothing_asked_is_nothing_waited_for_when_the_server_is_free() -> None:
    assert run([(3, "a", 0, 0)], policy="round_robin", chunk_cycles=2)[1] == [(3, 3)]


def test_a_long_service_takes_few_events() -> None:
    env = simpy.Environment()
    arbiter = Arbiter(env, policy="round_robin", chunk_cycles=1.0)
    arbiter.request("a", 1e9)
    steps = 0
    while env.peek() < math.inf:
        env.step()
        steps += 1
    assert env.now == 1e9
    assert steps == 2


def test_what_cannot_be_served_is_refused_with_the_names_of_who_and_what() -> None:
    env = simpy.Environment()
    with pytest.raises(BadInput, match="dram: 'weights' asks for -1 cycles; give a finite number"):
        Arbiter(env, name="dram").request("weights", -1.0)
    with pytest.raises(BadInput, match="dram: 'weights' asks for inf cycles"):
        Arbiter(env, name="dram").request("weights", math.inf)
    with pytest.raises(BadInput, match="dram: chunks of 0 cycles"):
        Arbiter(env, name="dram", chunk_cycles=0.0)
    with pytest.raises(UnknownName, match="round_robin"):
        Arbiter(env, policy="round robin")  # type: ignore[arg-type]
