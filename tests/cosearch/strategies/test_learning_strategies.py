"""Parzen estimators, Gaussian processes, PPO controllers and gradient search."""

import numpy as np
import pytest
import torch

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.additive import AdditiveTables
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.controller import Controller
from dovetail.cosearch.strategies.modes import make_strategy
from dovetail.cosearch.strategies.registry import strategy_class
from dovetail.cosearch.strategies.tpe import _kernel
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.cosearch.sweep.base import SweepCosts
from dovetail.errors import BadInput
from dovetail.testing import STRATEGY_PROMISES, check_strategy

SPACE = Space((
    *(Choice(f"net.c{index}", tuple(range(5))) for index in range(6)), Choice("net.kind", ("x", "y", "z")),
    Choice("hw.size", (1, 2, 4, 8)),
))  # fmt: skip
CONDITIONAL = Space((Choice("net.depth", (1, 2)), Choice("net.c1", (3, 5, 7), {"net.depth": [2]})))
LIMITS = {"latency_s": 1.0}


def judge(values):
    far = sum((values[f"net.c{index}"] - 3) ** 2 for index in range(6)) + 4 * (values["net.kind"] == "x")
    latency = (1.0 + sum(values[f"net.c{index}"] for index in range(6))) / (4.0 * values["hw.size"])
    over = max(0.0, latency - 1.0)
    metrics = {"error_pct": 10.0 + far, "latency_s": latency, "energy_j": 1e-3 * values["hw.size"]}
    return TrialResult("constraint" if over else "ok", metrics, "too slow" if over else "", over)


def search(name, trials, seed=1, objectives=("error_pct",), sweep=None, **options):
    chosen = strategy_class(name)
    strategy = chosen(Task(SPACE, objectives, seed, limits=LIMITS, sweep=sweep), chosen.Options(**options))
    seen = []
    while len(seen) < trials:
        proposals = strategy.ask(min(strategy.batch, trials - len(seen)))
        strategy.tell([p.number for p in proposals], [judge(p.values) for p in proposals])
        seen += proposals
    return seen


def best(proposals):
    results = [judge(p.values) for p in proposals]
    return min(r.metrics["error_pct"] for r in results if r.status == "ok")


@pytest.mark.parametrize("promise", STRATEGY_PROMISES)
@pytest.mark.parametrize("name", ["differentiable", "ppo", "tpe"])
def test_learning_strategies_keep_their_promises(name, promise):
    check_strategy(strategy_class(name), promise)


@pytest.mark.parametrize("promise", ["has options and a batch", "ends with its space, or repeats"])
def test_gaussian_processes_keep_the_quick_promises(promise):
    check_strategy(strategy_class("gp"), promise)


@pytest.mark.slow
def test_gaussian_processes_repeat_themselves_past_their_startup():
    """A proposal takes most of a second, so that the other promises are kept by construction and not run."""
    runs = [search("gp", 26, 3) for _ in range(2)]
    assert [p.values for p in runs[0]] == [p.values for p in runs[1]]
    assert [p.number for p in runs[0]] == list(range(26))


def test_parzen_estimators_and_gradients_come_nearer_to_the_best_than_chance():
    chance = np.mean([best(search("random", 200, seed)) for seed in (1, 2, 3)])
    for name in ("tpe", "differentiable"):
        found = np.mean([best(search(name, 200, seed)) for seed in (1, 2, 3)])
        assert found - 10.0 < 0.5 * (chance - 10.0), name


def test_a_policy_draws_better_designs_the_longer_it_learns():
    quick = {"batch": 16, "learning_rate": 0.01, "entropy": 0.01}
    seen = [judge(p.values).metrics["error_pct"] for p in search("ppo", 480, **quick)]
    assert np.mean(seen[-48:]) < 0.7 * np.mean(seen[:48])


def test_parzen_estimators_follow_several_objectives_at_once():
    seen = search("tpe", 200, objectives=("error_pct", "energy_j"))[-60:]
    sizes = {p.values["hw.size"] for p in seen}
    assert len(sizes) > 1
    assert np.mean([judge(p.values).metrics["error_pct"] for p in seen]) < 25


def test_a_kernel_spreads_numbers_to_their_neighbours_and_names_nowhere():
    assert np.allclose(_kernel(4, True).sum(axis=1), 1.0)
    assert _kernel(4, True)[0, 1] > _kernel(4, True)[0, 2] > 0
    assert np.array_equal(_kernel(3, False), np.eye(3))


@pytest.mark.parametrize("kind", ["lstm", "independent"])
def test_a_controller_gives_probabilities_that_sum_to_one_over_all_points(kind):
    controller = Controller(Space(SPACE.choices[5:]), kind, 8, seed=3)
    with torch.no_grad():
        controller.bias += torch.randn(controller.bias.shape, dtype=torch.float64, generator=_generator())
    space = Space(SPACE.choices[5:])
    codes, active = controller.encode([space.point(number) for number in range(space.size)])
    chances = controller.log_chances(codes).gather(2, torch.from_numpy(codes).unsqueeze(2)).squeeze(2)
    assert active.all()
    assert float(chances.sum(dim=1).exp().sum().detach()) == pytest.approx(1.0, abs=1e-12)


def _generator():
    generator = torch.Generator()
    generator.manual_seed(5)
    return generator


@pytest.mark.parametrize("kind", ["lstm", "independent"])
def test_a_controller_draws_as_often_as_it_says(kind):
    space = Space(SPACE.choices[6:])
    controller = Controller(space, kind, 8, seed=3)
    with torch.no_grad():
        controller.bias += torch.randn(controller.bias.shape, dtype=torch.float64, generator=_generator())
    codes, _ = controller.encode([space.point(number) for number in range(space.size)])
    chances = controller.log_chances(codes).gather(2, torch.from_numpy(codes).unsqueeze(2)).squeeze(2)
    said = chances.sum(dim=1).exp().detach().numpy()
    drawn = np.zeros(space.size)
    for values in controller.sample(20_000, np.random.default_rng(1)):
        drawn[space.number(values)] += 1 / 20_000
    assert np.abs(drawn - said).max() < 0.015


def test_torch_keeps_its_own_random_state():
    before = torch.get_rng_state()
    search("ppo", 40)
    assert torch.equal(before, torch.get_rng_state())


class TestAdditiveTables:
    def tables(self):
        tables = AdditiveTables(SPACE, ridge=1e-6)
        rng = np.random.default_rng(1)
        truth = {name: rng.normal(size=5) for name in SPACE.names}
        points = [SPACE.sample(rng) for _ in range(400)]
        for point in points:
            total = sum(truth[c.name][c.index(point[c.name])] for c in SPACE.choices)
            tables.add(point, {"latency_s": total})
        tables.fit()
        return tables, truth

    def test_a_sum_over_options_is_learnt_exactly(self):
        tables, truth = self.tables()
        point = SPACE.point(12_345)
        total = sum(truth[c.name][c.index(point[c.name])] for c in SPACE.choices)
        assert tables.expected("latency_s", tables.one_hot(point)) == pytest.approx(total, abs=1e-4)

    def test_the_expectation_equals_the_mean_of_draws(self):
        tables, _ = self.tables()
        rng = np.random.default_rng(2)
        chances = tables.softmax(rng.normal(size=tables.width))
        drawn = [tables.expected("latency_s", tables.one_hot(tables.draw(chances, rng))) for _ in range(4000)]
        error = np.std(drawn) / len(drawn) ** 0.5
        assert abs(np.mean(drawn) - tables.expected("latency_s", chances)) < 4 * error

    def test_the_gradient_through_the_softmax_equals_finite_differences(self):
        tables, _ = self.tables()
        logits = np.random.default_rng(3).normal(size=tables.width)
        exact = tables.through_softmax(tables.table("latency_s"), tables.softmax(logits))
        for at in range(tables.width):
            step = np.zeros(tables.width)
            step[at] = 1e-5
            up, down = (tables.expected("latency_s", tables.softmax(logits + sign * step)) for sign in (1, -1))
            assert exact[at] == pytest.approx((up - down) / 2e-5, abs=1e-6)

    def test_inactive_choices_add_nothing(self):
        tables = AdditiveTables(CONDITIONAL)
        assert tables.one_hot({"net.depth": 1}).tolist() == [1, 0, 0, 0, 0]
        assert tables.active(np.array([tables.one_hot({"net.depth": 1})])).tolist() == [[1, 1, 0, 0, 0]]


class FreeCosts:
    """All hardware for any network, as the judge has it."""

    hardware = Space((SPACE.choice("hw.size"),))
    asked, wrong = 0, None

    @property
    def area_mm2(self):
        return np.ones(4)

    def costs(self, values):
        assert all(name.startswith("net.") for name in values)
        self.asked += 1
        if values["net.kind"] == self.wrong:
            raise BadInput("the choices make no network")
        results = [judge({**values, **self.hardware.point(place)}).metrics for place in range(4)]
        latency, energy = (np.array([r[name] for r in results]) for name in ("latency_s", "energy_j"))
        return SweepCosts(latency, energy, np.ones(4))


def test_free_costs_are_learnt_before_the_first_trial():
    chosen, sweep = strategy_class("differentiable"), FreeCosts()
    strategy = chosen(Task(SPACE, ("error_pct",), 1, limits=LIMITS, sweep=sweep), chosen.Options())
    assert sweep.asked == 64
    of_size = strategy._tables.table("latency_s")[-4:]
    assert np.allclose(np.diff(of_size), -np.log(2), atol=0.05)


def test_choices_that_make_no_network_have_no_free_costs():
    chosen, sweep = strategy_class("differentiable"), FreeCosts()
    sweep.wrong = "x"
    strategy = chosen(Task(SPACE, ("error_pct",), 1, limits=LIMITS, sweep=sweep), chosen.Options())
    assert len(strategy.ask(4)) == 4


@pytest.mark.parametrize("mode", ["nas_only", "hw_only"])
def test_free_costs_are_learnt_of_the_side_that_is_searched_alone(mode):
    sweep, first = FreeCosts(), SPACE.sample(np.random.default_rng(3))
    task = Task(SPACE, ("error_pct",), 1, (first,), LIMITS, sweep=sweep)
    strategy = make_strategy(mode, "differentiable", task)
    fixed = "hw." if mode == "nas_only" else "net."
    for _ in range(3):
        proposals = strategy.ask(4)
        strategy.tell([one.number for one in proposals], [judge(one.values) for one in proposals])
        assert all(one.values[name] == first[name] for one in proposals for name in first if name.startswith(fixed))
    assert sweep.asked == 64
