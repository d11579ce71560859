import numpy as np
import pytest
from pydantic import ValidationError

from dovetail.cosearch.accuracy.curves.ensemble import forecast
from dovetail.cosearch.accuracy.curves.stopping import Stopping, unlikely_to_beat
from dovetail.errors import BadInput

EPOCHS = 60


def artificial(rng):
    """A rise to a limit with noise; two of the five shapes are in none of the families that are fitted."""
    x = np.arange(1.0, EPOCHS + 1.0)
    top, start = rng.uniform(60, 98), rng.uniform(5, 40)
    rises = (
        lambda: x ** -rng.uniform(0.3, 1.5),
        lambda: np.exp(-rng.uniform(0.03, 0.4) * x),
        lambda: np.exp(-((rng.uniform(0.03, 0.4) * x) ** rng.uniform(0.5, 1.2))),
        lambda: 1 / (1 + (rng.uniform(0.05, 1) * x) ** rng.uniform(0.8, 2)),
        lambda: 1 / np.log(x + 1.7) ** rng.uniform(1, 2),
    )
    curve = top - (top - start) * rises[rng.integers(len(rises))]()
    return np.clip(curve + rng.normal(0, rng.uniform(0.1, 1.0), EPOCHS), 0, 100)


def race(curves):
    """Each curve runs until it will not beat the best so far: how much shorter it all is, and how many were wronged."""
    best, used, wronged = 0.0, 0, 0
    for curve in curves:
        epochs = len(curve)
        end = next((n for n in range(1, epochs) if unlikely_to_beat(curve[:n], epochs, best)), epochs)
        used += end
        wronged += end < epochs and curve[-1] > best
        best = max(best, curve[-1]) if end == epochs else best
    return sum(map(len, curves)) / used, wronged / len(curves)


def test_artificial_curves_stop_more_than_twice_as_early_and_one_in_a_hundred_is_wronged():
    rng = np.random.default_rng(0)
    races = [race([artificial(rng) for _ in range(50)]) for _ in range(16)]
    faster, wronged = np.mean(races, axis=0)
    assert faster > 4
    assert wronged <= 0.01


def test_five_in_six_artificial_curves_end_within_two_deviations_of_their_forecast():
    rng = np.random.default_rng(1)
    curves = [artificial(rng) for _ in range(200)]
    for seen in (6, 12, 24):
        ahead = [forecast(curve[:seen], EPOCHS) for curve in curves]
        scores = [(curve[-1] - each.mean_pct) / each.sigma_pct for curve, each in zip(curves, ahead, strict=True)]
        assert np.mean(np.abs(scores) > 2) < 1 / 6
        assert 0.3 < np.median(np.abs(scores)) < 1.0


def test_real_curves_of_small_classifiers_stop_more_than_twice_as_early():
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier

    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(2)
    curves = []
    for _ in range(20):
        rate, alpha, used = 10 ** rng.uniform(-6, -2), 10 ** rng.uniform(-5, 1), rng.integers(4, 65)
        model = SGDClassifier(alpha=alpha, learning_rate="constant", eta0=rate, random_state=0)
        curve = []
        for _ in range(40):
            model.partial_fit(images[:100, :used], labels[:100], classes=np.arange(10))
            curve.append(100 * model.score(images[1400:, :used], labels[1400:]))
        curves.append(curve)
    races = [race([curves[place] for place in rng.permutation(len(curves))]) for _ in range(5)]
    faster, wronged = np.mean(races, axis=0)
    assert faster > 2
    assert wronged <= 0.01


def test_a_power_law_without_noise_is_continued():
    curve = 90 - 60 * np.arange(1, 21) ** -0.8
    ahead = forecast(curve[:12], 20)
    assert ahead.mean_pct == pytest.approx(curve[-1], abs=0.5)
    assert ahead.above(curve[-1] + 5) < 0.02
    assert ahead.above(curve[-1] - 5) > 0.98


def test_a_falling_curve_is_taken_as_flat():
    ahead = forecast([80, 70, 60, 50, 40, 30, 20], 40)
    assert ahead.mean_pct < 50


def test_nothing_is_said_of_a_few_points_and_of_epochs_already_seen():
    with pytest.raises(BadInput, match="at least 4 are needed"):
        forecast([50, 60, 70], 40)
    with pytest.raises(BadInput, match="ask for a later one"):
        forecast([50, 60, 70, 75], 4)
    assert not unlikely_to_beat([1, 1, 1], 40, 99)
    assert not unlikely_to_beat([1] * 40, 40, 99)


def test_stopping_needs_a_reason():
    with pytest.raises(ValidationError, match="aim_pct: 95"):
        Stopping()


def test_a_settled_curve_ends_and_an_unsettled_one_goes_on():
    rule = Stopping(settled_pct=0.5).rule(60)
    assert rule([90 - 60 * 0.4**x for x in range(1, 13)])
    assert not rule([10 + 3.0 * x for x in range(1, 13)])
