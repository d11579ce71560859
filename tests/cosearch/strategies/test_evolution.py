"""Regularised evolution."""

import numpy as np
import pytest
from pydantic import ValidationError

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.evolution import RegularizedEvolution
from dovetail.cosearch.studies.trial import TrialResult

SPACE = Space(tuple(Choice(f"c{index}", tuple(range(6))) for index in range(10)))
BEST = dict.fromkeys(SPACE.names, 3)


def judge(values):
    far = sum(abs(value - 3) for value in values.values())
    if values["c0"] == 5:
        return TrialResult("constraint", {"area_mm2": 2.0}, "too large", 1.0)
    return TrialResult("ok", {"latency_s": 1.0 + far})


def search(trials, seed=1, space=SPACE, first=(), judge=judge, **options):
    task = Task(space, ("latency_s",), seed, tuple(first), {"area_mm2": 1.0})
    strategy = RegularizedEvolution(task, RegularizedEvolution.Options(**options))
    seen = []
    while len(seen) < trials:
        proposals = strategy.ask(min(strategy.batch, trials - len(seen)))
        if not proposals:
            break
        strategy.tell([p.number for p in proposals], [judge(p.values) for p in proposals])
        seen += proposals
    return seen


def test_it_finds_the_best_of_sixty_million_designs_that_chance_does_not_come_near_to():
    found = [min(judge(p.values).metrics.get("latency_s", 99) for p in search(800, seed)) for seed in range(4)]
    rng = np.random.default_rng(1)
    chance = min(judge(SPACE.sample(rng)).metrics.get("latency_s", 99) for _ in range(3200))
    assert np.mean(found) < 2.0 < chance


@pytest.mark.parametrize("form", ["hard", "product", "soft", "relu", "lagrangian", "hypervolume"])
def test_it_climbs_under_every_reward(form):
    seen = search(300, population=30, reward={"form": form})
    early, late = ([judge(p.values).metrics.get("latency_s", 50) for p in part] for part in (seen[:30], seen[-30:]))
    assert np.mean(late) < 0.6 * np.mean(early)


def test_no_design_is_tried_twice():
    seen = search(400)
    assert len({tuple(p.values.values()) for p in seen}) == 400


def test_it_ends_where_every_design_was_tried():
    small = Space((Choice("c0", (1, 2, 3)), Choice("c1", (1, 2)), Choice("c2", (7,))))
    seen = search(50, space=small, population=4, tournament=2, batch=3)
    assert len(seen) == len({tuple(p.values.values()) for p in seen}) == 6


def test_children_of_a_given_design_are_near_it():
    seen = search(13, first=[BEST], population=3, tournament=3, batch=3, changes=1)
    assert seen[0].values == BEST
    children = [sum(value != 3 for value in p.values.values()) for p in seen[3:6]]
    assert children == [1, 1, 1]


def test_a_tournament_larger_than_the_population_is_refused():
    with pytest.raises(ValidationError, match="raise population"):
        RegularizedEvolution.Options(population=5, tournament=6)
