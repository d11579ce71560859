import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from dovetail.cosearch.reports.analysis.fanova import leaves_of, main_effects, pair_effect
from dovetail.cosearch.reports.analysis.importance import importance_info

SIZES = (3, 4, 2, 5)


@pytest.fixture(scope="module", params=[0, 1, 2])
def tree(request):
    rng = np.random.default_rng(request.param)
    codes = np.column_stack([rng.integers(size, size=60) for size in SIZES])
    values = codes[:, 0] * codes[:, 1] + rng.normal(size=60) + 3.0 * (codes[:, 3] > 2)
    return DecisionTreeRegressor(min_samples_leaf=2, random_state=0).fit(codes, values)


def grid_shares(tree):
    """Variance of the tree's predictions over the whole grid, by averaging an array: nothing but the definition."""
    points = np.array(list(itertools.product(*map(range, SIZES))))
    values = tree.predict(points).reshape(SIZES)
    whole = values.var()
    mains = []
    for axis in range(len(SIZES)):
        others = tuple(other for other in range(len(SIZES)) if other != axis)
        mains.append(values.mean(axis=others).var() / whole)
    pair = values.mean(axis=(2, 3))
    both = pair.var() / whole - mains[0] - mains[1]
    return values.mean(), whole, mains, both


def test_leaves_hold_the_mean_and_the_variance_over_the_whole_grid(tree):
    mean, variance, _, _ = grid_shares(tree)
    np.testing.assert_allclose(leaves_of(tree.tree_, SIZES).moments, (mean, variance), rtol=1e-10)


def test_main_effects_are_those_of_the_enumerated_grid(tree):
    np.testing.assert_allclose(main_effects(leaves_of(tree.tree_, SIZES)), grid_shares(tree)[2], atol=1e-12)


def test_the_interaction_of_two_choices_is_that_of_the_enumerated_grid(tree):
    assert pair_effect(leaves_of(tree.tree_, SIZES), 0, 1) == pytest.approx(grid_shares(tree)[3], abs=1e-12)


def test_a_constant_tree_explains_nothing():
    tree = DecisionTreeRegressor().fit(np.zeros((4, 4)), np.ones(4))
    leaves = leaves_of(tree.tree_, SIZES)
    assert main_effects(leaves).tolist() == [0.0] * 4
    assert pair_effect(leaves, 0, 1) == 0.0


def trials(count, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "number": range(count), "status": "ok", "hw.big": rng.integers(4, size=count),
        "hw.small": rng.integers(4, size=count), "net.none": rng.choice(["a", "b", "c"], size=count),
        "net.fixed": "x",
    })  # fmt: skip
    frame["latency_s"] = 3.0 * frame["hw.big"] + frame["hw.small"] + 20.0
    return frame


def test_importance_finds_what_was_put_in_and_says_how_sure_it_is():
    info = importance_info(trials(300), ["latency_s"])
    [one] = info.objectives
    share = dict(zip(info.choices, one.share, strict=True))
    assert set(share) == {"hw.big", "hw.small", "net.none"}
    assert share["hw.big"] == pytest.approx(0.9, abs=0.04)
    assert share["hw.small"] == pytest.approx(0.1, abs=0.04)
    assert share["net.none"] < 0.01
    assert one.interactions == pytest.approx(0.0, abs=0.05)
    assert one.r2 > 0.95
    assert (one.error < 0.06).all()


def test_importance_of_noise_has_no_power_to_predict():
    frame = trials(200)
    frame["latency_s"] = np.random.default_rng(3).normal(20.0, 1.0, size=len(frame))
    [one] = importance_info(frame, ["latency_s"]).objectives
    assert one.r2 < 0.1


def test_importance_says_nothing_of_too_few_designs():
    info = importance_info(trials(12), ["latency_s"])
    assert info.objectives == ()
    assert info.frame()["choice"].tolist() == ["hw.big", "hw.small", "net.none"]


def test_choices_that_are_absent_from_some_designs_count_as_a_value():
    frame = trials(100)
    frame["net.none"] = frame["net.none"].where(frame["hw.big"] > 1, None)
    assert len(importance_info(frame, ["latency_s"]).objectives) == 1
