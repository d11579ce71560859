"""Nested search: all hardware is swept for each network, and no accuracy is asked for where there is none."""

import numpy as np
import pytest

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.attainment import Attainment, expected_improvement
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.hardware_fronts import HardwareFronts
from dovetail.cosearch.strategies.modes import make_strategy
from dovetail.cosearch.strategies.nested import NestedOptions
from dovetail.cosearch.strategies.predictor import PredictorOptions
from dovetail.cosearch.strategies.registry import strategy_class
from dovetail.cosearch.studies.foreknown import Foreknown
from dovetail.cosearch.studies.pareto import hypervolume, non_dominated
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.cosearch.sweep.base import SweepCosts
from dovetail.errors import BadInput

NETWORKS = Space((Choice("net.kind", ("x", "y", "z")), *(Choice(f"net.c{index}", (0, 1, 2, 3)) for index in range(4))))
HARDWARE = Space((Choice("hw.size", (1, 2, 4, 8)), Choice("hw.rate", (0.5, 1.0, 1.5))))
LIMITS = {"area_mm2": 8.0, "latency_s": 2.0}


class ToySweep:
    """More work takes longer, larger and faster hardware less long at more energy; kind z makes no network."""

    hardware = HARDWARE
    size, rate = (
        np.array([HARDWARE.point(n)[name] for n in range(HARDWARE.size)], dtype=float)
        for name in ("hw.size", "hw.rate")
    )
    area_mm2 = 1.0 + size * rate
    asked = 0

    def costs(self, values):
        self.asked += 1
        if values["net.kind"] == "z":
            raise BadInput("no network")
        work = 1.0 + sum(values[f"net.c{index}"] for index in range(4))
        energy_j = work * (1.0 + 0.2 * self.rate * self.size**0.5)
        return SweepCosts(work / (self.size * self.rate), energy_j, self.area_mm2)


def error_of(values):
    numbers = [values[f"net.c{index}"] for index in range(4)]
    return 40.0 - 2.0 * sum(numbers) + abs(numbers[0] - numbers[2]) + (1.0 if values["net.kind"] == "x" else 0.0)


def result_of(values, sweep):
    found, place = sweep.costs(values), HARDWARE.number({name: values[name] for name in HARDWARE.names})
    metrics = {name: float(found.metric(name)[place]) for name in ("latency_s", "energy_j", "area_mm2")}
    return TrialResult("ok", {**metrics, "error_pct": error_of(values)})


def statistics(values):
    total = sum(values[f"net.c{index}"] for index in range(4))
    return np.array([float(total), float(values["net.c0"] - values["net.c2"])])


def task(objectives=("error_pct",), limits=LIMITS, seed=1, **more):
    return Task(NETWORKS + HARDWARE, objectives, seed, limits=limits, sweep=ToySweep(), statistics=statistics, **more)


def searched(given, name="predictor", networks=40, piece=None, **options):
    chosen = strategy_class(name).Options.model_validate(options)
    strategy = make_strategy("nested", name, given, chosen, NestedOptions(designs=4))
    proposals, paid, judge = [], set(), ToySweep()
    while len(paid) < networks:
        asked = strategy.ask(piece or strategy.batch)
        while piece and asked and len(asked) % strategy.batch:
            more = strategy.ask(piece)
            if not more:
                break
            asked += more
        if not asked:
            break
        strategy.tell([one.number for one in asked], [result_of(one.values, judge) for one in asked])
        proposals += asked
        paid |= {tuple(one.values[name] for name in NETWORKS.names) for one in asked}
    return strategy, proposals


def best_possible(limits=LIMITS):
    sweep = ToySweep()
    errors = []
    for number in range(NETWORKS.size):
        values = NETWORKS.point(number)
        if values["net.kind"] != "z":
            fits = sweep.costs(values).latency_s[sweep.area_mm2 <= limits["area_mm2"]] <= limits["latency_s"]
            errors += [error_of(values)] if fits.any() else []
    return min(errors)


def test_what_is_known_of_designs_is_not_asked_of_networks_alone():
    def foreknown(values):
        if "hw.size" not in values:
            raise BadInput("no design")
        return Foreknown({"area_mm2": 1.0}, {"latency_s": 1e-3})

    (_, plain), (_, known) = (searched(given, "linas", population=8) for given in (task(), task(foreknown=foreknown)))
    assert [one.values for one in known] == [one.values for one in plain]
    (_, drawn) = searched(task(), "random")
    assert min(error_of(one.values) for one in known) < min(error_of(one.values) for one in drawn)


@pytest.mark.parametrize("name", ["predictor", "evolution", "random"])
def test_every_trial_keeps_the_limits(name):
    strategy, proposals = searched(task(), name)
    for one in proposals:
        metrics = result_of(one.values, ToySweep()).metrics
        assert all(metrics[limited] <= most for limited, most in LIMITS.items())
        assert one.values["net.kind"] != "z"
    assert strategy.rejected > 0


def test_the_predictor_finds_the_optimum_of_512_networks_in_forty():
    strategy, proposals = searched(task(), start=12, batch=4)
    assert min(error_of(one.values) for one in proposals) == best_possible()
    assert strategy.trust().tau > 0.5


def test_where_the_error_alone_counts_a_network_is_tried_once_on_the_hardware_of_least_energy():
    _, proposals = searched(task())
    sweep = ToySweep()
    assert len({tuple(one.values[name] for name in NETWORKS.names) for one in proposals}) == len(proposals)
    for one in proposals:
        costs = sweep.costs(one.values)
        fits = (costs.latency_s <= LIMITS["latency_s"]) & (sweep.area_mm2 <= LIMITS["area_mm2"])
        assert result_of(one.values, sweep).metrics["energy_j"] == costs.energy_j[fits].min()


@pytest.mark.parametrize("name", ["predictor", "evolution", "random"])
def test_asking_in_pieces_gives_the_same_search(name):
    assert searched(task(), name)[1] == searched(task(), name, piece=3)[1]


def test_another_seed_searches_elsewhere():
    assert searched(task())[1] != searched(task(seed=2))[1]


def test_a_search_ends_when_every_network_was_tried():
    strategy, proposals = searched(task(), networks=10_000, batch=50)
    feasible = {tuple(one.values[name] for name in NETWORKS.names) for one in proposals}
    assert len(feasible) + strategy.rejected == NETWORKS.size


def test_a_search_without_any_feasible_network_ends():
    strategy, proposals = searched(task(limits={"latency_s": 1e-6}))
    assert proposals == []
    assert strategy.rejected > 0


def test_three_objectives_are_searched_along_each_networks_front():
    objectives = ("latency_s", "energy_j", "error_pct")
    sweep, points = ToySweep(), []
    for number in range(NETWORKS.size):
        values = NETWORKS.point(number)
        if values["net.kind"] != "z":
            costs = sweep.costs(values)
            points += [[a, b, error_of(values)] for a, b in zip(costs.latency_s, costs.energy_j, strict=True)]
    truth = np.array(points)
    worst = truth[non_dominated(truth)].max(axis=0) * 1.01
    _, proposals = searched(task(objectives, {}), networks=80)
    found = [[result_of(one.values, sweep).metrics[name] for name in objectives] for one in proposals]
    assert hypervolume(found, worst) >= 0.95 * hypervolume(truth, worst)


def test_the_given_first_design_comes_first_and_its_network_stays_open():
    first = {"net.kind": "y", **{f"net.c{index}": 3 for index in range(4)}, "hw.size": 1, "hw.rate": 0.5}
    _, proposals = searched(task(first=(first,)))
    assert dict(proposals[0].values) == first


def test_a_task_without_a_sweep_is_told_what_to_write():
    with pytest.raises(BadInput, match="mode: nested"):
        HardwareFronts(Task(NETWORKS + HARDWARE, ("error_pct",)))


def test_objectives_that_cannot_be_swept_are_refused():
    with pytest.raises(BadInput, match="co2e_kg"):
        HardwareFronts(task(("error_pct", "co2e_kg")))
    with pytest.raises(BadInput, match="hw_only"):
        HardwareFronts(task(("latency_s", "energy_j")))


def test_hardware_the_space_does_not_offer_is_left_out():
    space = NETWORKS + HARDWARE.restrict({"hw.size": [1, 2]})
    fronts = HardwareFronts(Task(space, ("latency_s", "error_pct"), sweep=ToySweep()))
    front = fronts.of({"net.kind": "y", **{f"net.c{index}": 1 for index in range(4)}})
    assert [HARDWARE.point(int(number))["hw.size"] for number in front.numbers] == [2]


def test_a_large_space_is_searched_by_samples():
    networks = Space(tuple(Choice(f"net.c{index}", tuple(range(8))) for index in range(12)))

    class Wide(ToySweep):
        def costs(self, values):
            work = 1.0 + sum(float(value) for name, value in values.items() if name.startswith("net.")) / 10.0
            return SweepCosts(work / self.size, work * self.size, self.area_mm2)

    given = Task(networks + HARDWARE, ("error_pct",), limits={"latency_s": 1.2}, sweep=Wide())
    strategy = make_strategy("nested", "predictor", given, PredictorOptions(candidates=200), NestedOptions())
    errors = []
    for _ in range(6):
        asked = strategy.ask(strategy.batch)
        told = [50.0 - sum(float(one.values[f"net.c{index}"]) for index in range(12)) / 4.0 for one in asked]
        strategy.tell([one.number for one in asked], [TrialResult("ok", {"error_pct": error}) for error in told])
        errors.append(float(np.mean(told)))
    assert errors[-1] < errors[0]


def test_expected_improvement_equals_its_sampled_mean():
    rng = np.random.default_rng(0)
    for best, mean, sigma in ((10.0, 11.0, 2.0), (10.0, 8.0, 1.0), (10.0, 10.0, 0.5)):
        sampled = np.maximum(best - rng.normal(mean, sigma, 400_000), 0.0).mean()
        exact = expected_improvement(np.array(best), np.array(mean), np.array(sigma))
        assert float(exact) == pytest.approx(sampled, rel=0.02)
    assert float(expected_improvement(np.array(10.0), np.array(8.5), np.array(0.0))) == 1.5


def test_a_cell_is_reached_by_whoever_keeps_its_budget():
    surface = Attainment(np.array([1.0, 1.0]), np.array([16.0, 16.0]), 50.0)
    surface.add(np.array([[4.0, 4.0]]), 30.0)
    share = (surface.error == 30.0).mean()
    assert share == pytest.approx(0.25, abs=0.05)  # the upper half of either axis, in the logarithm
    gains = surface.gains([surface.reached(np.array([[1.0, 1.0]]))], np.array([30.0]), np.array([0.0]))
    assert gains[0] == pytest.approx((1.0 - share) * 20.0)
