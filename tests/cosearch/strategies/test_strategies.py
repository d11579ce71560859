import numpy as np
import pytest

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.registry import strategy_class, strategy_names
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.errors import UnknownName

SPACE = Space((
    Choice("a", (1, 2, 4, 8)), Choice("b", ("x", "y", "z")), Choice("fixed", (True,)), *(
        Choice(f"c{index}", tuple(range(6))) for index in range(8)
    ),
))  # fmt: skip
FIRST = SPACE.decode((3, 2, 0, *[5] * 8))


def make(name, seed=1, first=(FIRST,), **options):
    chosen = strategy_class(name)
    return chosen(Task(SPACE, ("latency_s", "energy_j"), seed, tuple(first)), chosen.Options(**options))


def judge(values):
    total = sum(values[f"c{index}"] for index in range(8))
    if values["b"] == "z":
        return TrialResult("constraint", {"area_mm2": 3.0}, "too large", 0.5)
    if values["a"] == 8:
        return TrialResult("infeasible", {}, "no mapping")
    return TrialResult("ok", {"latency_s": total / values["a"], "energy_j": total * values["a"]})


def drive(strategy, trials):
    seen = []
    while len(seen) < trials:
        proposals = strategy.ask(min(strategy.batch, trials - len(seen)))
        strategy.tell([p.number for p in proposals], [judge(p.values) for p in proposals])
        seen += proposals
    return seen


@pytest.mark.parametrize("name", ["evolution", "nsga2", "random"])
class TestEveryStrategy:
    def test_proposes_points_of_the_space_numbered_from_zero(self, name):
        proposals = drive(make(name), 100)
        assert [p.number for p in proposals] == list(range(100))
        assert all(SPACE.validate(p.values) == p.values for p in proposals)

    def test_repeats_itself_for_one_seed_and_differs_for_another(self, name):
        runs = [[p.values for p in drive(make(name, seed), 100)] for seed in (1, 1, 2)]
        assert runs[0] == runs[1] != runs[2]

    def test_tries_the_given_designs_first(self, name):
        assert drive(make(name), 10)[0].values == FIRST
        assert drive(make(name, first=()), 10)[0].values != FIRST

    def test_a_longer_budget_only_adds_trials(self, name):
        short, long = drive(make(name), 50), drive(make(name), 90)
        assert short == long[:50]


def test_evolution_ends_nearer_to_the_optimum_than_chance():
    def last_mean(name, **options):
        final = [judge(p.values) for p in drive(make(name, first=(), **options), 300)][-40:]
        return np.mean([r.metrics["latency_s"] * r.metrics["energy_j"] for r in final if r.status == "ok"])

    assert last_mean("nsga2", population=20) < 0.5 * last_mean("random")


def test_evolution_learns_to_keep_the_constraints():
    results = [judge(p.values) for p in drive(make("nsga2", population=20), 200)]
    broken = [result.status != "ok" for result in results]
    assert sum(broken[-40:]) < 0.5 * sum(broken[:40])


def test_unknown_strategy_is_answered_with_the_nearest():
    assert {"nsga2", "random"} <= set(strategy_names())
    with pytest.raises(UnknownName, match="'nsga2'"):
        strategy_class("nsga3")


def test_part_of_the_first_generation_varies_the_given_design():
    def shared(proposal):
        return np.mean([proposal.values[name] == FIRST[name] for name in SPACE.names])

    proposals = make("nsga2", population=40, around_first=0.5).ask(40)
    assert np.mean([shared(p) for p in proposals[:20]]) > 0.6
    assert np.mean([shared(p) for p in proposals[20:]]) < 0.5
    assert len({tuple(p.values.items()) for p in proposals}) > 35
