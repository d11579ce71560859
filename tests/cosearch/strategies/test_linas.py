"""LINAS: NSGA-II on predictions, few measurements."""

import numpy as np
import pytest

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.inner_nsga2 import crowding, evolve, ranks
from dovetail.cosearch.strategies.linas import Linas, LinasOptions
from dovetail.cosearch.strategies.random_search import RandomSearch
from dovetail.cosearch.studies.pareto import hypervolume
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.testing import STRATEGY_PROMISES, check_strategy


def test_ranks_peel_fronts_and_put_broken_limits_last():
    points = np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 3.0], [0.0, 0.0], [0.0, 0.0]])
    violation = np.array([0.0, 0.0, 0.0, 0.5, 0.2])
    assert ranks(points, violation).tolist() == [0, 0, 1, 3, 2]


def test_the_ends_of_a_front_are_never_crowded():
    points = np.array([[0.0, 4.0], [1.0, 3.0], [1.1, 2.9], [4.0, 0.0]])
    distance = crowding(points, np.zeros(4, dtype=np.int64))
    assert np.isinf(distance[[0, 3]]).all()
    assert np.isfinite(distance[1:3]).all()


def test_the_inner_search_finds_the_front_of_a_known_function():
    def judge(codes):
        total = codes.sum(axis=1).astype(float)
        return np.stack([total, 30.0 - total + 5.0 * (codes[:, 0] != 0)], axis=1), np.zeros(len(codes))

    rng = np.random.default_rng(0)
    found = evolve([6] * 6, rng.integers(6, size=(40, 6)), judge, 40, rng)
    values = judge(found[:20])[0]
    assert (values[:, 0] + values[:, 1] == 30.0).all()


SPACE = Space((*(Choice(f"net.c{index}", tuple(range(6))) for index in range(6)), Choice("hw.size", (1, 2, 4, 8))))


def _result(values):
    total = sum(values[f"net.c{index}"] for index in range(6))
    metrics = {"error_pct": 60.0 - total, "latency_s": (1.0 + total) / values["hw.size"], "area_mm2": values["hw.size"]}
    if values["hw.size"] > 4:
        return TrialResult("constraint", metrics, "too large", 1.0)
    return TrialResult("ok", metrics)


def _volume(strategy, trials=200):
    points = []
    for _ in range(trials // 50):
        asked = []
        while len(asked) < 50:
            asked += (more := strategy.ask(50 - len(asked)))
            strategy.tell([one.number for one in more], [_result(one.values) for one in more])
        points += [
            [found.metrics["error_pct"], found.metrics["latency_s"]]
            for found in map(_result, (one.values for one in asked)) if found.status == "ok"
        ]  # fmt: skip
    return hypervolume(points, [61.0, 32.0])


def test_it_finds_more_of_the_front_than_chance():
    task = Task(SPACE, ("error_pct", "latency_s"), 1, limits={"area_mm2": 4.0})
    found = _volume(Linas(task, LinasOptions()))
    assert found > _volume(RandomSearch(task, None))
    assert found > 0.95 * hypervolume([[60.0 - total, (1.0 + total) / 4.0] for total in range(31)], [61.0, 32.0])


@pytest.mark.parametrize("promise", STRATEGY_PROMISES)
def test_linas_keeps_the_promises_of_a_strategy(promise):
    check_strategy(Linas, promise)
