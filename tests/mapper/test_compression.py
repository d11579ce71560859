"""Levels of compression by what they cost on an accelerator."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import pytest

import dovetail as dt
from dovetail.errors import BadInput, CannotDo
from dovetail.mapper.compression import choose_levels, level_costs
from dovetail.models import Network, NetworkBuilder, with_densities, with_layer_bits
from dovetail.models.patterns import NofM

DENSITIES = [0.1, 0.4, 1.0]
DISTORTION = {"one": [4.0, 2.0, 0.0], "two": [2.0, 1.0, 0.0], "fc": [5.0, 0.5, 0.0]}


@pytest.fixture(scope="module")
def network() -> Network:
    builder = NetworkBuilder("small", channels=8, height=6, width=6)
    builder.conv("one", 8, 3, activation="relu")
    builder.conv("two", 16, 3, stride=2, activation="relu")
    builder.global_average_pool("pool")
    builder.linear("fc", 12)
    return builder.build()


@pytest.fixture(scope="module")
def engine() -> dt.Accelerator:
    return dt.load_accelerator("eyeriss_v2_pe")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def cost(network: Network, engine: dt.Accelerator, objective: str, cache: Path) -> float:
    found = dt.estimate(network, engine, objective=objective, cache=cache)
    return found.energy_j if objective == "energy" else found.latency_s


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_costs_of_layers_add_up_to_the_networks(network, engine, cache, objective):
    costs = level_costs(network, engine, DENSITIES, objective, cache=cache)
    assert list(costs) == ["one", "two", "fc"]
    assert all(sparse < half < dense for sparse, half, dense in costs.values())
    whole = [
        cost(with_densities(network, {layer: {"weight": share} for layer in costs}), engine, objective, cache)
        for share in DENSITIES
    ]
    others = [total - sum(one[at] for one in costs.values()) for at, total in enumerate(whole)]
    assert others == pytest.approx([others[0]] * 3, rel=1e-9)


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_the_choice_is_the_best_of_all_estimates(network, engine, cache, objective):
    budget = 0.6 * cost(network, engine, objective, cache)
    found = choose_levels(network, engine, DENSITIES, DISTORTION, budget, objective, cache=cache)
    best = float("inf")
    for levels in product(range(3), repeat=3):
        chosen = dict(zip(DISTORTION, levels, strict=True))
        sparse = with_densities(network, {layer: {"weight": DENSITIES[at]} for layer, at in chosen.items()})
        if cost(sparse, engine, objective, cache) <= budget:
            best = min(best, sum(DISTORTION[layer][at] for layer, at in chosen.items()))
    assert found.distortion == best
    assert {op.name: op.tensor("weight").density for op in found.network.contractions} == dict(found.levels)
    spent = found.estimate.energy_j if objective == "energy" else found.estimate.latency_s
    assert spent == pytest.approx(found.expected_cost, rel=1e-9)
    assert spent <= budget


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_a_budget_of_what_the_dense_network_costs_leaves_it_dense(network, engine, cache, objective):
    dense = dt.estimate(network, engine, objective=objective, cache=cache)
    for budget in (dense.energy_j if objective == "energy" else dense.latency_s, math.inf):
        found = choose_levels(network, engine, DENSITIES, DISTORTION, budget, objective, cache=cache)
        assert set(found.levels.values()) == {1.0}


def test_layers_without_a_distortion_stay_as_they_are(network, engine, cache):
    budget = 0.95 * cost(network, engine, "energy", cache)
    found = choose_levels(network, engine, DENSITIES, {"one": DISTORTION["one"]}, budget, cache=cache)
    assert found.levels == {"one": 0.4}
    assert [op.tensor("weight").density for op in found.network.contractions] == [0.4, 1.0, 1.0]


def test_levels_may_be_widths_or_patterns(network, engine, cache):
    gemmini = dt.load_accelerator("gemmini")
    widths = level_costs(network, gemmini, [4, 8], how="bits", layers=["fc"], cache=cache)
    narrow = with_layer_bits(network, {"fc": {"weight": 4}})
    saved = cost(network, gemmini, "energy", cache) - cost(narrow, gemmini, "energy", cache)
    assert widths["fc"][1] - widths["fc"][0] == pytest.approx(saved)
    cores = dt.load_accelerator("sparse_tensor_core")
    found = choose_levels(
        network, cores, [NofM(2, 4), 1.0], {"one": [1.0, 0.0], "two": [3.0, 0.0]},
        0.999 * cost(network, cores, "energy", cache), cache=cache,
    )  # fmt: skip
    assert dict(found.levels) == {"one": NofM(2, 4), "two": 1.0}
    assert found.network.contractions[0].tensor("weight").pattern == NofM(2, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"objective": "edp"}, "objective 'edp' does not add up over layers; use energy, latency"),
        ({"levels": [0.1, 1.5, 1.0]}, r"levels: density 1.5 is outside \(0, 1\]"),
        ({"levels": [2, 4.5, 8], "how": "bits"}, "levels: 4.5 is no width of words"),
        ({"levels": []}, "no levels to choose from"),
        ({"how": "blocks"}, "how 'blocks': choose 'density' or 'bits'"),
        ({"distortion": {"three": [1.0, 0.5, 0.0]}}, "small: no layer 'three' with weights; layers with weights are"),
        ({"distortion": {"one": [1.0, 0.0]}}, "one: 2 distortions and 3 costs"),
        ({"distortion": {}}, "small: no layer may be compressed"),
        ({"budget": "1 uJ"}, "budget '1 uJ' is no number of joules or seconds"),
        ({"budget": float("nan")}, "budget nan is no number"),
        ({"budget": 1e-12}, "the cheapest levels cost .* above the budget|above the budget of 1e-12"),
    ],
)
def test_what_cannot_be_chosen_is_named(network, engine, cache, changed, message):
    given = {"levels": DENSITIES, "distortion": DISTORTION, "budget": 1.0, "cache": cache} | changed
    with pytest.raises((BadInput, CannotDo), match=message):
        choose_levels(network, engine, **given)


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_simulated_costs_are_the_simulators(network, engine, cache, objective):
    simulated = level_costs(network, engine, DENSITIES, objective, simulated=True, cache=cache)
    modelled = level_costs(network, engine, DENSITIES, objective, cache=cache)
    for layer, costs in simulated.items():
        assert all(time >= model * (1.0 - 1e-9) for time, model in zip(costs, modelled[layer], strict=True))
    dense = dt.simulate(network, engine, dt.estimate(network, engine, objective=objective, cache=cache).schedule)
    budget = 0.7 * (dense.energy_j if objective == "energy" else dense.latency_s)
    found = choose_levels(network, engine, DENSITIES, DISTORTION, budget, objective, simulated=True, cache=cache)
    again = dt.simulate(found.network, engine, found.estimate.schedule)
    assert found.cost == pytest.approx(again.energy_j if objective == "energy" else again.latency_s, rel=1e-9)
    assert found.cost <= budget
