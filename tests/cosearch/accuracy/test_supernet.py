import numpy as np
import pytest
import torch

from dovetail.cosearch.accuracy.registry import accuracy_source
from dovetail.cosearch.accuracy.supernet.expected_cost import LinearCost, fit_linear_cost
from dovetail.cosearch.accuracy.supernet.gates import (
    GateOptions,
    Gates,
    binary_gates,
    cost_loss,
    drop_shift,
    train_gates,
)
from dovetail.cosearch.accuracy.supernet.single_path import fair_paths, random_path, training_macs
from dovetail.cosearch.accuracy.supernet.source import Supernet, SupernetOptions
from dovetail.cosearch.accuracy.trained.data import load_data
from dovetail.cosearch.accuracy.trained.loop import Recipe
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.slots import slot_values
from dovetail.cosearch.torch_threads import repeatable
from dovetail.errors import BadInput

CELLS, BLOCKS = network_space("digits_cells"), network_space("digits_ibn")
LINES = load_data("own_data:lines")


def some_cost(slots, seed=0):
    rng = np.random.default_rng(seed)
    return LinearCost(2.0, {slot.name: rng.uniform(0, 3, len(slot.candidates)) for slot in slots})


def some_gates(slots, seed=0):
    gates, generator = Gates.uniform(slots), torch.Generator().manual_seed(seed)
    for alpha in gates.alphas.values():
        with torch.no_grad():
            alpha += torch.randn(len(alpha), generator=generator, dtype=torch.float64)
    return gates


@pytest.mark.parametrize("space", [CELLS, BLOCKS], ids=lambda space: space.name)
def test_gradient_of_expected_costs_equals_finite_differences(space):
    gates = some_gates(space.slots)
    costs = {"latency_s": some_cost(space.slots, 1), "energy_j": some_cost(space.slots, 2)}
    references, strengths = {"latency_s": 7.0, "energy_j": 3.0}, {"latency_s": 0.3, "energy_j": 1.2}

    def loss():
        return cost_loss(gates.probabilities(), costs, references, strengths)

    loss().backward()
    for alpha in gates.alphas.values():
        for place in range(len(alpha)):
            step = 1e-5
            with torch.no_grad():
                alpha[place] += step
                above = float(loss())
                alpha[place] -= 2 * step
                below = float(loss())
                alpha[place] += step
            assert float(alpha.grad[place]) == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-9)


def test_expected_cost_is_the_mean_of_networks_drawn():
    gates, cost = some_gates(BLOCKS.slots), some_cost(BLOCKS.slots)
    torch.manual_seed(0)
    drawn = np.array([cost.of(gates.draw()) for _ in range(4000)])
    expected = float(cost.expected(gates.probabilities()).detach())
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / len(drawn) ** 0.5


def test_macs_of_bottlenecks_add_up_over_slots_exactly():
    fitted = fit_linear_cost(BLOCKS.slots, lambda values: float(BLOCKS.build(values).macs), samples=64)
    assert fitted.residual < 1e-9
    rng = np.random.default_rng(5)
    for _ in range(20):
        path = {slot.name: int(rng.integers(len(slot.candidates))) for slot in BLOCKS.slots}
        assert fitted.of(path) == pytest.approx(BLOCKS.build(slot_values(BLOCKS.slots, path)).macs)


def test_macs_of_cells_add_up_but_for_edges_on_no_path():
    fitted = fit_linear_cost(CELLS.slots, lambda values: float(CELLS.build(values).macs), samples=200)
    assert 0.01 < fitted.residual < 0.2


def test_too_few_networks_for_a_linear_cost_are_told():
    with pytest.raises(BadInput, match="raise samples above 29"):
        fit_linear_cost(BLOCKS.slots, lambda values: 1.0, samples=10)


def test_the_gradient_through_binary_gates_is_that_of_the_paper():
    alpha = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    (first, second), gates = binary_gates(alpha)
    assert sorted(gates.tolist()) == [0.0, 1.0]
    upstream = torch.tensor([2.0, -0.7], dtype=torch.float64)
    gates.backward(upstream)
    p = torch.softmax(alpha.detach()[[first, second]], 0)
    for i, place in enumerate((first, second)):
        wanted = sum(upstream[j] * p[j] * (float(i == j) - p[i]) for j in range(2))
        assert float(alpha.grad[place]) == pytest.approx(float(wanted), rel=1e-12)
    assert float(alpha.grad[3 - first - second]) == 0.0


def test_updating_two_gates_leaves_all_other_probabilities():
    alpha = torch.tensor([0.3, -0.2, 0.9, 0.1], dtype=torch.float64)
    before = alpha.clone()
    alpha[[0, 2]] += torch.tensor([0.5, -0.1], dtype=torch.float64)
    drop_shift(alpha, before, (0, 2))
    old, new = torch.softmax(before, 0), torch.softmax(alpha, 0)
    assert new[[1, 3]].tolist() == pytest.approx(old[[1, 3]].tolist())
    assert new[0] > old[0]


def test_a_cost_in_the_loss_moves_the_gates_to_cheap_candidates():
    cost = fit_linear_cost(BLOCKS.slots, lambda values: float(BLOCKS.build(values).macs))
    recipe, found = Recipe(epochs=2, batch=8), {}
    for strength in (0.0, 50.0):
        with repeatable(0):
            module = BLOCKS.shared_module(LINES.shape, LINES.classes)
            options = GateOptions({"macs": strength}, learning_rate=0.3, warm_up=0.0)
            found[strength] = train_gates(module, BLOCKS.slots, LINES, recipe, {"macs": cost}, options)
    assert found[50.0].expected["macs"] < 0.8 * found[0.0].expected["macs"]
    assert cost.of(found[50.0].path) == pytest.approx(min(
        cost.of({slot.name: place for slot in BLOCKS.slots}) for place in range(8)
    ))  # fmt: skip


def test_a_strength_without_its_cost_is_refused():
    module = CELLS.shared_module(LINES.shape, LINES.classes)
    with pytest.raises(BadInput, match="no cost 'power'"):
        train_gates(module, CELLS.slots, LINES, Recipe(epochs=1), {}, GateOptions({"power": 1.0}))


@pytest.mark.parametrize("space", [CELLS, BLOCKS], ids=lambda space: space.name)
def test_a_picked_path_computes_what_the_network_built_alone_does(space):
    """With the weights of the supernet's candidates copied, and batch statistics on both sides."""
    torch.manual_seed(0)
    values = space.baseline()
    shared = space.shared_module((1, 8, 8), 10)
    shared.pick({slot.name: slot.index(values) for slot in space.slots})
    alone = space.module(values, (1, 8, 8), 10)
    used = [name for name, part in shared.named_parameters() if _active(shared, name)]
    theirs = dict(shared.named_parameters())
    assert len(used) == len(list(alone.parameters()))
    with torch.no_grad():
        for part, name in zip(alone.parameters(), used, strict=True):
            part.copy_(theirs[name])
    images = torch.rand(16, 1, 8, 8)
    assert torch.allclose(alone.train()(images), shared.train()(images), atol=1e-5)


def _active(shared, name):
    parts = name.split(".")
    for place, part in enumerate(parts):
        if part == "candidates":
            mixed = shared.get_submodule(".".join(parts[:place]))
            return int(parts[place + 1]) == mixed.active[0][0]
    return True


def test_every_candidate_stands_equally_often_in_fair_paths():
    torch.manual_seed(0)
    paths = fair_paths(CELLS.slots)
    for slot in CELLS.slots:
        assert sorted(path[slot.name] for path in paths) == list(range(5))


def test_training_counts_its_multiply_accumulates():
    module = CELLS.shared_module(LINES.shape, LINES.classes)
    recipe = Recipe(epochs=1, batch=32)
    torch.manual_seed(0)
    once = training_macs(module, CELLS.slots, LINES, recipe)
    assert 96 * 3 * 10_000 < once < 96 * 3 * 200_000
    torch.manual_seed(0)
    assert training_macs(module, CELLS.slots, LINES, recipe, fair=True) == 5 * once


def test_shared_weights_answer_alike_in_any_order_and_better_than_by_chance():
    options = SupernetOptions(dataset="own_data:lines", epochs=12, batch=16)
    source, again = Supernet(CELLS, options), Supernet(CELLS, options)
    points = [CELLS.baseline(), dict.fromkeys(CELLS.baseline(), "nor_conv_1x1")]
    answers = [source.predict(None, values) for values in points]
    assert answers == [again.predict(None, values) for values in points[::-1]][::-1]
    assert max(answer.top1_pct for answer in answers) > 70
    assert source.preparation_macs > 10 * answers[0].macs


def test_spaces_without_slots_and_points_without_values_are_refused():
    with pytest.raises(BadInput, match="has no supernet"):
        accuracy_source("supernet", "mobilenet_ibn")
    with pytest.raises(BadInput, match="a point of the space"):
        Supernet(CELLS, SupernetOptions()).predict(None)
    module = CELLS.shared_module((1, 8, 8), 10)
    with pytest.raises(BadInput, match="the slots are"):
        module.pick({"net.edge_01": 0})


def test_random_paths_reach_every_candidate():
    torch.manual_seed(0)
    seen = {random_path(CELLS.slots)["net.edge_01"] for _ in range(100)}
    assert seen == set(range(5))
