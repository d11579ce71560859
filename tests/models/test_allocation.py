"""Levels by dynamic programming against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dovetail.errors import BadInput, CannotDo
from dovetail.models.allocation import allocate, allocation_front

Curves = dict[str, list[float]]


def every_choice(distortion: Curves, cost: Curves) -> list[tuple[float, float, tuple[int, ...]]]:
    """Distortion, cost and levels of all choices, summed up layer by layer."""
    found = []
    for levels in product(*(range(len(curve)) for curve in distortion.values())):
        sums = [0.0, 0.0]
        for layer, level in zip(distortion, levels, strict=True):
            sums[0] += distortion[layer][level]
            sums[1] += cost[layer][level]
        found.append((sums[0], sums[1], levels))
    return found


def random_curves(seed: int) -> tuple[Curves, Curves, float]:
    """Up to five layers of six levels: falling and rising curves, any curves, and small whole numbers with ties."""
    rng = np.random.default_rng(seed)
    layers, kind = int(rng.integers(1, 6)), seed % 3
    distortion, cost = {}, {}
    for at in range(layers):
        down, up = np.sort(rng.random(6))[::-1], np.sort(rng.random(6))
        drawn = [(down, up), (rng.random(6), rng.random(6)), (rng.integers(0, 5, 6), rng.integers(0, 5, 6))][kind]
        distortion[f"layer{at}"], cost[f"layer{at}"] = ([float(one) for one in curve] for curve in drawn)
    least, most = (sum(pick(curve) for curve in cost.values()) for pick in (min, max))
    return distortion, cost, least if seed % 7 == 0 else least + (most - least) * float(rng.random())


@pytest.mark.parametrize("seed", range(60))
def test_the_choice_equals_brute_force(seed):
    distortion, cost, budget = random_curves(seed)
    best = min(one[:2] for one in every_choice(distortion, cost) if one[1] <= budget)
    found = allocate(distortion, cost, budget)
    assert (found.distortion, found.cost) == best
    assert sum(distortion[layer][level] for layer, level in found.levels.items()) == pytest.approx(best[0])


@pytest.mark.parametrize("seed", range(30))
def test_the_front_equals_brute_force(seed):
    distortion, cost, _ = random_curves(seed)
    every = {one[:2] for one in every_choice(distortion, cost)}
    unbeaten = sorted(one for one in every if not any(o[0] <= one[0] and o[1] <= one[1] and o != one for o in every))
    assert [(one.distortion, one.cost) for one in allocation_front(distortion, cost)] == unbeaten[::-1]


@pytest.mark.parametrize("seed", range(10))
def test_a_coarse_front_is_nearly_as_good_as_every_choice(seed):
    distortion, cost, _ = random_curves(seed)
    front = allocation_front(distortion, cost, resolution=0.1)
    dearest = sum(max(curve) for curve in cost.values())
    assert len(front) <= len(allocation_front(distortion, cost))
    for worse, more, _ in every_choice(distortion, cost):
        assert any(one.distortion <= worse + 1e-12 and one.cost <= more + 0.1 * dearest for one in front)


def test_costs_may_come_from_a_function():
    distortion, cost, budget = random_curves(5)
    assert allocate(distortion, lambda layer, at: cost[layer][at], budget) == allocate(distortion, cost, budget)


def test_fifty_layers_of_ten_levels_are_no_matter():
    rng = np.random.default_rng(1)
    distortion = {f"layer{at}": sorted(rng.lognormal(0, 2, 10), reverse=True) for at in range(50)}
    cost = {f"layer{at}": sorted(rng.lognormal(0, 2, 10)) for at in range(50)}
    budget = 0.5 * sum(max(curve) for curve in cost.values())
    found = allocate(distortion, cost, budget)
    assert found.cost <= budget
    assert found.distortion < sum(curve[4] for curve in distortion.values())


@pytest.mark.parametrize(
    ("distortion", "cost", "budget", "message"),
    [
        ({"a": [1.0]}, {"a": [2.0]}, 1.0, "the cheapest levels cost 2, above the budget of 1"),
        ({"a": [1.0]}, {"b": [2.0]}, 1.0, "a: costs and distortions are for different layers"),
        ({"a": [1.0, 0.0]}, {"a": [2.0]}, 1.0, "a: 2 distortions and 1 costs"),
        ({"a": [float("nan")]}, {"a": [2.0]}, 1.0, "a: distortion nan is not a number of 0 or more"),
        ({"a": [1.0]}, {"a": [2.0]}, float("nan"), "budget nan: give a cost of 0 or more"),
        ({}, {}, 1.0, "no layer to allocate levels to"),
    ],
)
def test_what_cannot_be_is_named(distortion, cost, budget, message):
    with pytest.raises((BadInput, CannotDo), match=message):
        allocate(distortion, cost, budget)
