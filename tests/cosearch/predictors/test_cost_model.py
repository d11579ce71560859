"""A learned cost model says how wrong it is, on designs it has not seen."""

import numpy as np
import pytest

from dovetail.cosearch.predictors.cost_model import LearnedCosts
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.errors import BadInput

SPACE = Space((
    Choice("net.width", (1, 2, 3, 4)), Choice("net.depth", (1, 2, 3)), Choice("hw.pes", (1, 2, 4, 8)),
    Choice("hw.bandwidth", (1, 2, 4)),
))  # fmt: skip


def _cost(values):
    work = values["net.width"] ** 2 * values["net.depth"]
    return {
        "latency_s": 1e-3 * work / values["hw.pes"] + 1e-4 / values["hw.bandwidth"],
        "energy_j": 1e-6 * work * (1 + 0.1 * values["hw.pes"]), "area_mm2": 1.0 + values["hw.pes"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def designs():
    rng = np.random.default_rng(0)
    return [SPACE.point(int(number)) for number in rng.permutation(SPACE.size)]


@pytest.mark.parametrize("predictor", ["forest", "gaussian_process", "ridge"])
def test_costs_of_designs_not_seen_are_predicted_and_the_error_is_stated(predictor, designs):
    model = LearnedCosts(SPACE, predictor=predictor)
    model.fit(designs[:100], [_cost(values) for values in designs[:100]])
    found = model.predict(designs[100:])
    for name, error in model.errors.items():
        truth = np.array([_cost(values)[name] for values in designs[100:]])
        wrong = 100 * np.abs(found[name] / truth - 1).mean()
        assert wrong < 2.5 * error.mean_pct + 2.0  # what it says of itself holds
        assert error.held_out == 20
        assert error.tau > 0.7
    assert "latency_s by" in model.statement()


def test_few_designs_are_no_model(designs):
    with pytest.raises(BadInput, match="at least 20"):
        LearnedCosts(SPACE).fit(designs[:5], [_cost(values) for values in designs[:5]])
    with pytest.raises(BadInput, match="call fit"):
        LearnedCosts(SPACE).predict(designs[:5])


def test_designs_that_cannot_be_mapped_are_refused(designs):
    costs = [_cost(values) for values in designs[:40]]
    costs[3]["latency_s"] = np.inf
    with pytest.raises(BadInput, match="latency_s"):
        LearnedCosts(SPACE).fit(designs[:40], costs)
