"""A nested search ends where there is nothing to find, wastes no trial, and says what it dropped."""

import numpy as np
import pytest

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.modes import make_strategy
from dovetail.cosearch.strategies.nested import NestedOptions
from dovetail.cosearch.strategies.registry import strategy_class, strategy_names
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.cosearch.sweep.base import SweepCosts

WIDE = Space(tuple(Choice(f"net.c{index}", tuple(range(6))) for index in range(8)))
TINY = Space((Choice("net.c0", (0, 1, 2)), Choice("net.c1", (0, 1))))
HARDWARE = Space((Choice("hw.size", (1, 2, 4)),))
SMALL = {"nsga2": {"population": 20}, "linas": {"population": 20, "generations": 3}, "gp": {"startup": 400}}


class Sweep:
    """Work over size; counts what it is asked."""

    hardware = HARDWARE
    area_mm2 = np.array([1.0, 2.0, 4.0])

    def __init__(self):
        self.asked = []

    def costs(self, values):
        self.asked.append(tuple(values.values()))
        work = 1.0 + sum(value for name, value in values.items() if name.startswith("net."))
        return SweepCosts(work / self.area_mm2, work * self.area_mm2, self.area_mm2)


class Networks:
    """Networks whose parameters are the sum of their choices, in thousands."""

    def build(self, values):
        total = sum(value for name, value in values.items() if name.startswith("net."))
        return type("Built", (), {"params": 1000 * total, "macs": 2000 * total})()


def result_of(values, objectives=("error_pct", "latency_s", "energy_j")):
    work = 1.0 + sum(value for name, value in values.items() if name.startswith("net."))
    size = float(values["hw.size"])
    metrics = {"error_pct": 60.0 - work, "latency_s": work / size, "energy_j": work * size, "area_mm2": size}
    return TrialResult("ok", {name: metrics[name] for name in objectives})


def made(
    name, networks=WIDE, limits=None, objectives=("error_pct",), nested=None, networks_of=None, options=None, **more
):
    given = Task(networks + HARDWARE, objectives, 1, limits=limits or {}, sweep=Sweep(), networks=networks_of, **more)
    chosen = strategy_class(name).Options.model_validate(options or SMALL.get(name, {}))
    return make_strategy("nested", name, given, chosen, NestedOptions(**(nested or {}))), given.sweep


def run(strategy, most=200, piece=None):
    proposals = []
    while len(proposals) < most:
        asked = strategy.ask(piece or strategy.batch)
        if not asked:
            break
        strategy.tell([one.number for one in asked], [result_of(one.values) for one in asked])
        proposals += asked
    return proposals


@pytest.mark.parametrize("name", strategy_names())
def test_a_search_without_hardware_within_the_limits_ends_after_its_patience(name):
    strategy, sweep = made(name, limits={"latency_s": 1e-6}, nested={"patience": 30})
    assert run(strategy) == []
    assert 30 <= len(set(sweep.asked)) <= 31
    assert strategy.dropped.networks == len(set(sweep.asked))
    assert strategy.dropped.least == {"latency_s": min((1.0 + sum(asked)) / 4.0 for asked in sweep.asked)}


@pytest.mark.parametrize("name", ["predictor", "evolution"])
def test_tables_are_searched_for_three_hundred_networks_in_vain(name):
    strategy, sweep = made(name, limits={"latency_s": 1e-6})
    assert run(strategy) == []
    assert len(set(sweep.asked)) == 300


@pytest.mark.parametrize("name", ["predictor", "nsga2"])
def test_an_area_no_accelerator_keeps_ends_the_search_before_any_network_is_swept(name):
    strategy, sweep = made(name, limits={"area_mm2": 0.5})
    assert strategy.ask(strategy.batch) == []
    assert sweep.asked == []
    assert (strategy.dropped.networks, strategy.dropped.least) == (0, {"area_mm2": 1.0})


@pytest.mark.parametrize("name", strategy_names())
def test_a_tiny_space_ends_when_all_its_networks_are_known(name):
    strategy, _ = made(name, TINY, {"latency_s": 0.8})
    proposals = run(strategy)
    tried = {(one.values["net.c0"], one.values["net.c1"]) for one in proposals}
    assert len(proposals) == len(tried)
    assert len(tried) + strategy.dropped.networks == TINY.size


@pytest.mark.parametrize("name", ["predictor", "evolution", "nsga2", "random", "ppo"])
@pytest.mark.parametrize("objectives", [("error_pct",), ("error_pct", "latency_s", "energy_j")])
def test_no_design_is_proposed_twice_not_even_the_first(name, objectives):
    first = {**{f"net.c{index}": 0 for index in range(2)}, "hw.size": 1}  # on the hardware of least energy
    strategy, _ = made(name, TINY, objectives=objectives, first=(first,))
    proposals = [tuple(one.values.values()) for one in run(strategy)]
    assert proposals[0] == tuple(first.values())
    assert len(set(proposals)) == len(proposals) >= TINY.size


def test_networks_are_swept_as_their_designs_are_asked_for():
    strategy, sweep = made("nsga2")
    assert len(strategy.ask(3)) == 3
    assert len(sweep.asked) == 3
    assert strategy.at_once == 8


@pytest.mark.parametrize("objectives", [("error_pct",), ("error_pct", "latency_s", "energy_j")])
def test_results_told_within_a_batch_do_not_change_what_is_asked(objectives):
    limits = {"latency_s": 6.0}
    whole, pieces = (
        run(made("nsga2", limits=limits, objectives=objectives)[0], 120, piece)[:120] for piece in (None, 3)
    )
    assert whole == pieces


@pytest.mark.parametrize("name", ["predictor", "nsga2"])
def test_a_network_over_a_limit_of_its_own_is_no_trial_and_is_not_swept(name):
    strategy, sweep = made(name, limits={"params": 12_000.0}, networks_of=Networks())
    assert run(strategy, 30)
    assert max(sum(asked) for asked in sweep.asked) <= 12
    assert strategy.dropped.networks
    assert strategy.dropped.least["params"] > 12_000.0


@pytest.mark.parametrize("first", [0, 5])
def test_the_strategy_is_told_what_became_of_the_given_design_though_it_is_tried_but_once(first):
    designs = ({**{f"net.c{index}": first for index in range(8)}, "hw.size": 1},)
    strategy, _ = made("evolution", first=designs, options={"batch": 1, "population": 2, "tournament": 2})
    told = []
    tell = strategy._inner.tell
    strategy._inner.tell = lambda numbers, results: (told.extend(results), tell(numbers, results))
    run(strategy, 4)
    assert [result.status for result in told[:3]] == ["ok"] * 3
    assert told[0].metrics["error_pct"] == result_of(designs[0]).metrics["error_pct"]
