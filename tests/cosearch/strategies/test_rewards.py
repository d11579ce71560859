"""What a trial is worth under each form of reward."""

import math

import pytest
from pydantic import ValidationError

from dovetail.cosearch.strategies.registry import strategy_class
from dovetail.cosearch.strategies.rewards import RewardOptions, make_reward
from dovetail.cosearch.studies.trial import TrialResult

LIMITS = {"latency_s": 1e-3, "area_mm2": 50.0}
FORMS = ["hard", "product", "soft", "relu", "lagrangian", "hypervolume"]


def reward(form="hard", objectives=("error_pct",), limits=LIMITS, baseline=None, **options):
    chosen = RewardOptions.model_validate({"form": form, **options})
    return make_reward(chosen, objectives, limits, baseline or {})


def ok(error=30.0, latency=0.9e-3, area=40.0, energy=1e-3):
    return TrialResult(
        "ok", {"error_pct": error, "latency_s": latency, "area_mm2": area, "energy_j": energy}
    )  # fmt: skip


def broken(error=30.0, latency=2e-3, area=40.0):
    violation = max(0.0, latency / 1e-3 - 1) + max(0.0, area / 50 - 1)
    metrics = {"error_pct": error, "latency_s": latency, "area_mm2": area}
    return TrialResult("constraint", metrics, "too slow", violation)


TOO_LARGE = TrialResult("constraint", {"area_mm2": 75.0}, "too large", 0.5)
NONE = TrialResult("infeasible", {}, "no mapping")


@pytest.mark.parametrize("form", ["hard", "hypervolume"])
def test_no_design_that_breaks_a_limit_is_preferred_to_one_that_keeps_all(form):
    one = reward(form)
    one.learn([ok(10.0)])
    worst = one.score(ok(error=99.9, latency=1e-3))
    assert worst > one.score(broken(error=0.0, latency=1.0000001e-3)) > one.score(broken(error=0.0))
    assert one.score(TrialResult("constraint", {"error_pct": 0.0}, "?", 0.0)) < worst


@pytest.mark.parametrize("form", FORMS)
def test_every_form_prefers_the_better_of_two_feasible_designs(form):
    one = reward(form)
    assert one.score(ok(20.0)) >= one.score(ok(30.0))
    one.learn([ok(25.0)])
    assert one.score(ok(20.0)) > one.score(ok(30.0))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_finite_numbers_and_puts_no_design_at_all_last(form):
    one = reward(form)
    for _ in range(5):
        results = [ok(), broken(), TOO_LARGE, NONE, broken(latency=1e6), ok(100.0, 0.0, 0.0)]
        scores = [one.score(result) for result in results]
        assert all(math.isfinite(score) for score in scores)
        assert min(scores) == scores[3]
        one.learn(results)


@pytest.mark.parametrize("form", FORMS)
def test_a_smaller_violation_is_never_worse(form):
    one = reward(form)
    one.learn([broken(latency=3e-3)] * 3)
    assert one.score(broken(latency=1.1e-3)) >= one.score(broken(latency=2e-3))


def test_the_product_with_q_of_minus_one_is_nahas_hard_reward():
    one = reward("product")
    assert one.score(ok(error=30.0)) == pytest.approx(0.70)
    assert one.score(broken(error=30.0, latency=2e-3)) == pytest.approx(0.70 / 2)


def test_the_soft_exponent_rewards_being_within_the_target_and_barely_punishes_beyond():
    one = reward("soft")
    assert one.score(ok(30.0, latency=0.5e-3, area=50.0)) == pytest.approx(0.70 * 0.5**-0.07)
    assert one.score(broken(error=10.0)) > one.score(ok(error=30.0, latency=1e-3, area=50.0))


def test_relu_is_one_sided():
    one = reward("relu", penalty=2.0)
    assert one.score(ok(30.0, latency=0.1e-3)) == one.score(ok(30.0, latency=1e-3)) == pytest.approx(0.7)
    assert one.score(broken(30.0, latency=1.5e-3)) == pytest.approx(0.7 - 2.0 * 0.5)


def test_multipliers_climb_while_a_limit_is_broken_and_fall_back_to_zero():
    one = reward("lagrangian")
    slow, quick = broken(error=10.0, latency=2e-3), ok(error=30.0, latency=0.5e-3)
    assert one.score(slow) > one.score(quick)
    for _ in range(10):
        one.learn([slow])
    assert one.multipliers["latency_s"] > 1
    assert one.multipliers["area_mm2"] == 0
    assert one.score(slow) < one.score(quick)
    for _ in range(20):
        one.learn([quick])
    assert one.multipliers["latency_s"] == 0


def test_hypervolume_rewards_what_extends_the_front():
    one = reward("hypervolume", objectives=("error_pct", "latency_s"))
    one.learn([ok(20.0, 1e-3), ok(40.0, 0.25e-3)])
    between, dominated = ok(28.0, 0.5e-3), ok(41.0, 0.5e-3)
    assert one.score(between) > 0 > one.score(dominated) > one.score(ok(45.0, 0.9e-3)) > -1
    one.learn([between])
    assert one.score(ok(26.0, 0.45e-3)) < one.score(ok(22.0, 0.3e-3))


def test_costs_are_compared_by_ratio_and_scales_do_not_change_the_order():
    plain = reward(objectives=("error_pct", "latency_s", "energy_j"), limits={})
    scaled = reward(
        objectives=("error_pct", "latency_s", "energy_j"), limits={},
        baseline={"error_pct": 28.0, "latency_s": 1e-3, "energy_j": 2e-3},
    )  # fmt: skip
    results = [ok(e, la, energy=en) for e, la, en in [(20, 1e-3, 1e-3), (22, 4e-4, 2e-3), (40, 1e-4, 1e-3)]]
    orders = [sorted(range(3), key=[one.score(r) for r in results].__getitem__) for one in (plain, scaled)]
    assert orders[0] == orders[1]
    assert plain.score(ok(20.0, 0.5e-3)) / plain.score(ok(20.0, 1e-3)) == pytest.approx(2**0.07)


def test_weights_replace_the_usual_ones():
    one = reward(objectives=("error_pct", "latency_s"), weights={"latency_s": 1.0})
    assert one.score(ok(20.0, 0.5e-3)) / one.score(ok(20.0, 1e-3)) == pytest.approx(2.0)


def test_a_name_is_enough_and_a_key_of_another_form_is_refused():
    assert RewardOptions.model_validate("soft").form == "soft"
    with pytest.raises(ValidationError, match=r"'penalty' has no part in the reward 'hard'.*form: relu"):
        RewardOptions.model_validate({"penalty": 2.0})
    with pytest.raises(ValidationError, match="did you mean 'latency_s'"):
        RewardOptions.model_validate({"weights": {"latency": 1.0}})
    with pytest.raises(ValidationError, match="zero or more"):
        RewardOptions.model_validate({"weights": {"latency_s": -1.0}})
    with pytest.raises(ValidationError, match="no part in the reward 'hypervolume'"):
        RewardOptions.model_validate({"form": "hypervolume", "weights": {"latency_s": 1.0}})


@pytest.mark.parametrize(
    ("weights", "said"), [({"latency": 1.0}, "did you mean 'latency_s'"), ({"energy_j": -0.1}, "zero or more")]
)
def test_gradients_take_weights_of_metrics_alone(weights, said):
    options = strategy_class("differentiable").Options
    with pytest.raises(ValidationError, match=said):
        options.model_validate({"weights": weights})
    assert options.model_validate({"weights": {"energy_j": 0.1}}).weights == {"energy_j": 0.1}
