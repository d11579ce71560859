"""Forecasts: what is known of designs is not guessed, and what is guessed keeps to it."""

import numpy as np
import pytest

from dovetail.cosearch.predictors.registry import predictor_names
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.forecast import FEWEST, Forecast
from dovetail.cosearch.strategies.greedy_volume import most_volume
from dovetail.cosearch.strategies.linas import Linas, LinasOptions
from dovetail.cosearch.studies.foreknown import Foreknown
from dovetail.cosearch.studies.pareto import hypervolume
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.errors import BadInput

SPACE = Space((
    Choice("net.depth", tuple(range(1, 9))), Choice("net.kind", ("a", "b")), Choice("hw.size", (1, 2, 4, 8, 16)),
))  # fmt: skip


def least(values):
    return values["net.depth"] / values["hw.size"]


def foreknown(values):
    if values["net.depth"] == 8 and values["net.kind"] == "b":
        raise BadInput("no such network")
    return Foreknown({"area_mm2": float(values["hw.size"])}, {"latency_s": least(values)})


def result(values):
    slow = {"a": 1.2, "b": 1.5}[values["net.kind"]]
    metrics = {
        "area_mm2": float(values["hw.size"]), "latency_s": slow * least(values),
        "error_pct": 50.0 - 3.0 * values["net.depth"] - 4.0 * (values["net.kind"] == "b"),
    }  # fmt: skip
    over = metrics["area_mm2"] > 8.0
    return TrialResult("constraint" if over else "ok", metrics, "too large" if over else "", 1.0 if over else 0.0)


TASK = Task(SPACE, ("latency_s", "error_pct"), 1, limits={"area_mm2": 8.0}, foreknown=foreknown)


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return [SPACE.sample(rng) for _ in range(2 * FEWEST)]


def test_costs_are_forecast_in_proportion_to_what_is_known(points):
    forecast = Forecast(TASK)
    assert forecast.fit(points, [result(values) for values in points], "ridge")
    objectives, violation = forecast.of([{"net.depth": 8, "net.kind": "a", "hw.size": 8}])
    assert np.exp(objectives[0, 0]) == pytest.approx(1.2, rel=0.05)  # a constant factor above the least
    assert violation.tolist() == [0.0]


def test_no_forecast_is_below_the_least(points):
    forecast = Forecast(TASK)
    liars = [TrialResult("ok", {**result(values).metrics, "latency_s": 0.1 * least(values)}) for values in points]
    assert forecast.fit(points, liars, "ridge")
    objectives, _ = forecast.of(points)
    known = [values for values in points if (values["net.depth"], values["net.kind"]) != (8, "b")]
    for values, (latency, _) in zip(points, objectives, strict=True):
        if values in known:
            assert np.exp(latency) >= least(values) * (1 - 1e-12)


@pytest.mark.parametrize("predictor", ["gaussian_process", "ridge"])
def test_an_error_is_learnt_of_the_network_alone(points, predictor):
    forecast = Forecast(TASK)
    assert forecast.fit(points, [result(values) for values in points], predictor)
    objectives, _ = forecast.of([{"net.depth": 3, "net.kind": "a", "hw.size": size} for size in (1, 4, 16)])
    assert len(set(objectives[:, 1])) == 1
    assert len(set(objectives[:, 0])) == 3


@pytest.mark.parametrize("predictor", predictor_names())
def test_hardware_alone_is_forecast_too(predictor):
    space = Space((Choice("net.kind", ("a",)), Choice("hw.size", tuple(2**power for power in range(12)))))
    points = [space.point(number) for number in range(space.size)]
    results = [TrialResult("ok", {"latency_s": 1.0 / values["hw.size"], "error_pct": 20.0}) for values in points]
    forecast = Forecast(Task(space, ("latency_s", "error_pct"), 1))
    assert forecast.fit(points, results, predictor)
    objectives, _ = forecast.of(points)
    assert objectives[:, 1] == pytest.approx(np.full(len(points), 20.0), abs=0.1)


def test_sizes_of_hardware_are_numbers_so_that_those_never_tried_are_forecast_too():
    space = Space((Choice("net.kind", ("a", "b")), Choice("hw.size", tuple(2**power for power in range(12)))))
    task = Task(space, ("latency_s", "energy_j"), 1)
    known = [space.point(number) for number in range(space.size) if number % 3]

    def costs(values):
        return {"latency_s": 1.0 / values["hw.size"], "energy_j": values["hw.size"] ** 0.5}

    forecast = Forecast(task)
    assert forecast.fit(known, [TrialResult("ok", costs(values)) for values in known], "gaussian_process")
    asked = [space.point(number) for number in (3, 6, 9, 15, 18, 21)]
    found, _ = forecast.of(asked)
    assert np.exp(found) == pytest.approx(np.array([list(costs(values).values()) for values in asked]), rel=0.1)


def test_what_is_known_to_break_a_limit_and_what_is_no_design_is_told_without_a_trial():
    forecast = Forecast(TASK)
    assert forecast.excess({"net.depth": 1, "net.kind": "a", "hw.size": 8}) == 0.0
    assert forecast.excess({"net.depth": 1, "net.kind": "a", "hw.size": 16}) == pytest.approx(np.log(2.0))
    assert forecast.excess({"net.depth": 8, "net.kind": "b", "hw.size": 1}) > 100.0


def test_no_trial_is_spent_on_a_design_that_is_known_to_break_a_limit():
    strategy = Linas(TASK, LinasOptions(population=8, generations=5))
    seen = []
    for _ in range(4):
        asked = strategy.ask(8)
        strategy.tell([one.number for one in asked], [result(one.values) for one in asked])
        seen += [one.values for one in asked]
    assert len(seen) == 32
    assert all(values["hw.size"] <= 8 for values in seen)
    assert {"net.depth": 7, "net.kind": "b", "hw.size": 8} in seen  # of least error, and as fast as that can be


def test_a_task_without_a_design_within_its_limits_is_searched_all_the_same():
    task = Task(SPACE, ("latency_s", "error_pct"), 1, limits={"area_mm2": 0.5}, foreknown=foreknown)
    assert len(Linas(task, LinasOptions(population=8)).ask(8)) == 8


def test_the_greedy_choice_is_that_of_looking_at_all_each_time():
    rng = np.random.default_rng(3)
    front, offered, reference = rng.random((5, 3)), 0.9 * rng.random((12, 3)), np.ones(3)
    wanted, taken = [], front
    for _ in range(4):
        volumes = [hypervolume(np.vstack([taken, one]), reference) for one in offered]
        best = int(np.argmax(volumes))
        if volumes[best] <= hypervolume(taken, reference):
            break
        wanted.append(best)
        taken = np.vstack([taken, offered[best]])
    assert most_volume(front, offered, 4, reference) == wanted
    assert most_volume(front, front, 4, reference) == []
    assert most_volume(np.zeros((0, 2)), np.array([[0.5, 0.5], [2.0, 0.1]]), 3, np.ones(2)) == [0]
