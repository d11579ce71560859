"""Predictors learn what can be learnt, say how sure they are, and say how far they can be trusted."""

import numpy as np
import pytest

from dovetail.cosearch.predictors.base import Inputs
from dovetail.cosearch.predictors.encoding import Encoding
from dovetail.cosearch.predictors.registry import make_predictor, predictor_names
from dovetail.cosearch.predictors.statistics import NETWORK_STATISTICS, free_statistics, network_statistics
from dovetail.cosearch.predictors.trust import cross_validated, kendall
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.errors import BadInput, UnknownName
from dovetail.models.load import load_network

SPACE = Space(tuple(Choice(f"net.c{index}", (0, 1, 2, 3)) for index in range(5)))


def _truth(values):
    numbers = np.array([values[f"net.c{index}"] for index in range(5)], dtype=float)
    return 60.0 + 3.0 * numbers.sum() - 1.5 * abs(numbers[0] - numbers[1])


def _statistics(values):
    return np.array([float(sum(values.values())), float(values["net.c0"] == values["net.c1"]), 7.0])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    points = [SPACE.sample(rng) for _ in range(300)]
    return Encoding(SPACE, _statistics).inputs(points), np.array([_truth(point) for point in points])


@pytest.mark.parametrize("name", predictor_names())
def test_every_predictor_ranks_what_it_has_not_seen(name, data):
    inputs, labels = data
    predictor = make_predictor(name, seed=1)
    predictor.prepare(inputs)
    predictor.fit(inputs.rows(np.arange(100)), labels[:100])
    mean, sigma = predictor.predict(inputs.rows(np.arange(100, 300)))
    assert mean.shape == sigma.shape == (200,)
    assert (sigma >= 0).all()
    assert kendall(mean, labels[100:]) > 0.6


@pytest.mark.parametrize("name", predictor_names())
def test_every_predictor_gives_the_same_answer_twice(name, data):
    inputs, labels = data

    def answer():
        predictor = make_predictor(name, seed=3)
        predictor.prepare(inputs)
        predictor.fit(inputs.rows(np.arange(30)), labels[:30])
        return np.stack(predictor.predict(inputs.rows(np.arange(30, 60))))

    np.testing.assert_array_equal(answer(), answer())


def test_a_gaussian_process_is_surer_near_its_labels(data):
    inputs, labels = data
    predictor = make_predictor("gaussian_process")
    predictor.prepare(inputs)
    predictor.fit(inputs.rows(np.arange(40)), labels[:40])
    near = predictor.predict(inputs.rows(np.arange(40)))[1]
    far = predictor.predict(inputs.rows(np.arange(40, 300)))[1]
    assert near.mean() < far.mean()


def test_statistics_the_pool_never_varies_say_nothing(data):
    inputs, labels = data
    changed = inputs.statistics.copy()
    changed[200:, 2] = 1e6
    predictor = make_predictor("gaussian_process")
    predictor.prepare(inputs)
    predictor.fit(inputs.rows(np.arange(100)), labels[:100])
    same = predictor.predict(inputs)[0]
    np.testing.assert_array_equal(predictor.predict(Inputs(inputs.codes, changed))[0], same)


def test_pretraining_on_free_statistics_helps_after_few_labels(data):
    inputs, labels = data
    known, held = np.arange(25), np.arange(100, 300)
    taus = {}
    for name in ("mlp", "mlp_pretrained"):
        predictor = make_predictor(name, seed=0)
        predictor.prepare(inputs)
        predictor.fit(inputs.rows(known), labels[known])
        taus[name] = kendall(predictor.predict(inputs.rows(held))[0], labels[held])
    assert taus["mlp_pretrained"] > taus["mlp"]


@pytest.mark.parametrize("name", ["forest", "gaussian_process", "ridge"])
def test_a_space_without_statistics_is_learnt_from_choices(name, data):
    inputs, labels = data
    bare = Inputs(inputs.codes, np.zeros((len(inputs), 0)))
    predictor = make_predictor(name)
    predictor.fit(bare.rows(np.arange(200)), labels[:200])
    assert kendall(predictor.predict(bare.rows(np.arange(200, 300)))[0], labels[200:]) > 0.5


def test_labels_that_cannot_be_learnt_are_refused(data):
    inputs, labels = data
    for name in predictor_names():
        with pytest.raises(BadInput, match="at least two"):
            make_predictor(name).fit(inputs.rows(np.arange(1)), labels[:1])
        with pytest.raises(BadInput, match="finite"):
            make_predictor(name).fit(inputs.rows(np.arange(3)), np.array([1.0, np.nan, 2.0]))


@pytest.mark.parametrize("name", predictor_names())
def test_a_prediction_does_not_depend_on_what_else_is_asked_about(name):
    space = Space((
        Choice("net.depth", (1, 2, 3)),
        *(Choice(f"net.kernel{at}", (3, 5), {"net.depth": (2, 3) if at < 4 else (3,)}) for at in range(8)),
    ))  # fmt: skip
    rng = np.random.default_rng(1)
    points = [space.sample(rng) for _ in range(30)]
    encoding, predictor = Encoding(space), make_predictor(name, 1)
    inputs = encoding.inputs(points)
    predictor.prepare(inputs)
    predictor.fit(inputs, np.array([30.0 - values["net.depth"] for values in points]))
    shallow, deep = (next(one for one in points if one["net.depth"] == depth) for depth in (1, 3))
    alone, beside = (predictor.predict(encoding.inputs(asked))[0][0] for asked in ([shallow], [shallow, deep]))
    assert alone == pytest.approx(beside, abs=1e-9)


def test_an_unknown_predictor_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="gaussian_process"):
        make_predictor("gaussian")


def test_an_inactive_choice_has_no_code():
    space = Space((Choice("net.depth", (1, 2)), Choice("net.b2", ("x", "y"), {"net.depth": [2]})))
    inputs = Encoding(space).inputs([{"net.depth": 1}, {"net.depth": 2, "net.b2": "y"}])
    assert inputs.codes.tolist() == [[1, 0, 0, 0], [0, 1, 0, 1]]
    assert inputs.statistics.shape == (2, 0)


def test_statistics_of_different_length_are_refused():
    encoding = Encoding(SPACE, lambda values: np.zeros(1 + int(values["net.c0"])))
    with pytest.raises(BadInput, match="different numbers"):
        encoding.inputs([SPACE.point(0), SPACE.point(SPACE.size - 1)])


def test_trust_tells_a_useful_predictor_from_noise(data):
    inputs, labels = data
    few = inputs.rows(np.arange(80))
    useful = cross_validated(lambda: make_predictor("gaussian_process"), few, labels[:80])
    noise = cross_validated(
        lambda: make_predictor("gaussian_process"), few, np.random.default_rng(0).normal(size=80)
    )
    assert useful.tau > 0.6 > 0.3 > noise.tau
    assert "80 labels" in useful.statement


def test_too_few_labels_to_cross_validate_are_refused(data):
    with pytest.raises(BadInput, match="folds"):
        cross_validated(lambda: make_predictor("ridge"), data[0].rows(np.arange(6)), data[1][:6])


def test_free_statistics_are_the_spaces_own_or_the_networks():
    cells = network_space("nasbench201")
    assert free_statistics(cells)(cells.baseline()).tolist() == cells.statistics(cells.baseline()).tolist()
    blocks = network_space("mobilenet_ibn")
    numbers = free_statistics(blocks)(blocks.baseline())
    np.testing.assert_array_equal(numbers, network_statistics(blocks.build(blocks.baseline())))
    assert len(numbers) == len(NETWORK_STATISTICS)


def test_network_statistics_tell_depthwise_from_full_convolutions():
    mobile = dict(zip(NETWORK_STATISTICS, network_statistics(load_network("mobilenet_v2")), strict=True))
    residual = dict(zip(NETWORK_STATISTICS, network_statistics(load_network("resnet18")), strict=True))
    assert mobile["depthwise_share"] > 0.03 > residual["depthwise_share"] == 0.0
    assert mobile["pointwise_share"] > 0.8 > residual["pointwise_share"]
    assert residual["additions"] == 8
    assert residual["log_macs"] > mobile["log_macs"]
