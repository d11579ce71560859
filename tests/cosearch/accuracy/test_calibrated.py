import itertools
import math

import numpy as np
import pytest

from dovetail.cosearch.accuracy.calibrated import Calibrated, rank_correlation
from dovetail.errors import BadInput


def learned(fit="monotone", count=200, noise=2.0, seed=0, **options):
    """Scores x and −x³ + noise of networks whose accuracy is 60 + 10·tanh(x) plus noise."""
    rng = np.random.default_rng(seed)
    made = Calibrated([1, -1], fit=fit, **options)
    for x in rng.standard_normal(count):
        made.add([x, -(x**3) + 0.1 * rng.standard_normal()], 60 + 10 * math.tanh(x) + noise * rng.standard_normal())
    return made


@pytest.mark.parametrize("fit", ["monotone", "ridge"])
def test_accuracy_is_recovered_to_the_noise_of_the_labels(fit):
    made = learned(fit)
    assert made.predict([1.0, -1.0]).top1_pct == pytest.approx(60 + 10 * math.tanh(1.0), abs=1.5)
    report = made.report()
    assert report.rmse_pct == pytest.approx(2.0, rel=0.2)
    assert report.kendall > 0.7
    assert report.kendall_top < report.kendall


@pytest.mark.parametrize("fit", ["monotone", "ridge"])
def test_sigma_covers_two_thirds_of_networks_not_seen(fit):
    made, other = learned(fit), learned(fit, seed=1)
    found = [made.predict(scores * np.array([1, -1])) for scores in other._scores]
    covered = [abs(one.top1_pct - top1) < one.sigma_pct for one, top1 in zip(found, other._top1, strict=True)]
    assert 0.55 < np.mean(covered) < 0.8


def test_left_out_errors_are_those_of_fits_without_the_label():
    whole = learned(count=30)
    index = 7
    without = Calibrated([1, -1])
    for place, (scores, top1) in enumerate(zip(whole._scores, whole._top1, strict=True)):
        if place != index:
            without.add(scores * np.array([1, -1]), top1)
    alone = without.predict(whole._scores[index] * np.array([1, -1])).top1_pct
    assert whole._left_out[0][index] == pytest.approx(alone, abs=1e-3)


def test_a_monotone_fit_never_orders_against_the_scores():
    made = Calibrated([1])
    rng = np.random.default_rng(3)
    for x in range(40):
        made.add([x], float(rng.uniform(20, 80)))
    predicted = [made.predict([x]).top1_pct for x in np.linspace(-5, 45, 60)]
    assert all(b >= a for a, b in itertools.pairwise(predicted))


def test_a_score_that_says_nothing_is_reported_as_such():
    rng = np.random.default_rng(0)
    made = Calibrated([1])
    for _ in range(100):
        made.add([rng.standard_normal()], float(rng.uniform(20, 80)))
    assert abs(made.report().kendall) < 0.3


def test_too_few_labels_are_refused_and_more_make_it_trusted():
    made = learned(count=19)
    with pytest.raises(BadInput, match="19 labels, 20 are needed"):
        made.predict([0.0, 0.0])
    assert not made.report().trusted
    assert math.isnan(made.report().kendall_top)
    made.add([0.0, 0.0], 60.0)
    assert made.report().trusted
    assert made.predict([0.0, 0.0]).sigma_pct > 0


def test_a_score_that_is_not_a_number_ranks_last():
    made = learned()
    assert made.predict([math.nan, math.nan]).top1_pct <= made.predict([-2.0, 8.0]).top1_pct


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Calibrated([]), "at least one score"),
        (lambda: Calibrated([0]), "which way is better"),
        (lambda: Calibrated([1], least_labels=2), "from three labels on"),
        (lambda: Calibrated([1]).add([1.0, 2.0], 50.0), "1 scores here, not 2"),
        (lambda: Calibrated([1]).add([1.0], 150.0), "between 0 and 100"),
    ],
)
def test_what_is_no_score_or_label_is_bad_input(call, message):
    with pytest.raises(BadInput, match=message):
        call()


def test_a_constant_has_no_rank_correlation():
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))
    assert rank_correlation([1, 2, 3], [1, 2, 3]) == pytest.approx(1.0)
