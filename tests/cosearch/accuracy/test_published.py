import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

import dovetail
from dovetail.cosearch.accuracy import published, scaling_law
from dovetail.cosearch.accuracy.features import network_features
from dovetail.cosearch.accuracy.published import PublishedPredictor, load_published
from dovetail.cosearch.accuracy.registry import accuracy_names, accuracy_source
from dovetail.cosearch.spaces.networks import network_space
from dovetail.document import load_document
from dovetail.errors import BadInput, UnknownName
from dovetail.models.load import load_network
from dovetail.models.network import Layer, Network
from dovetail.models.op import linear
from dovetail.models.zoo.mobilenet import mobilenet_edgetpu, mobilenet_v2
from dovetail.models.zoo.resnet import resnet18, resnet50

REFERENCE = Path(dovetail.__file__).parent.parent / "shared" / "reference" / "imagenet" / "timm_top1.csv"
SPACE = network_space("mobilenet_ibn")


@pytest.fixture(scope="module")
def predictor():
    return accuracy_source("published_imagenet").predictor


def _varied(**options):
    """The baseline with every choice of a kind (``kernel=7``) or one choice (``b03_op="fused"``) changed."""
    values = SPACE.baseline()
    for name in values:
        for key, option in options.items():
            if name.endswith("." + key.replace("_", ".")):
                values[name] = option
    return SPACE.build({name: SPACE.space.choice(name).options[-1] if value == "most" else value
                        for name, value in values.items()})


# ---- the table -----------------------------------------------------------------------------------------------------


def test_the_table_states_a_known_source_and_recipe_for_every_row():
    described = load_document(published._TABLE.with_suffix(".yaml")).data
    rows = load_published()
    assert len(rows) >= 80
    assert {row.source for row in rows} == set(described["sources"])
    assert {row.recipe for row in rows} == set(described["recipes"]) == set(published.RECIPES)
    header = published._TABLE.read_text().splitlines()[0].split(",")
    assert header == list(described["columns"])


def test_no_result_is_typed_twice():
    rows = [(row.model, row.recipe, row.top1_pct, row.features.resolution) for row in load_published()]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("model", "resolution", "network"),
    [
        ("mobilenet_v2 1", 224, mobilenet_v2()),
        ("mobilenet_v2 0.35", 96, mobilenet_v2(width=0.35, resolution=96)),
        ("mobilenet_v2 1.4", 224, mobilenet_v2(width=1.4)),
        ("mobilenet_edgetpu 1", 224, mobilenet_edgetpu()),
        ("resnet18", 224, resnet18()),
        ("resnet50", 224, resnet50()),
    ],
)
def test_features_of_a_network_are_those_its_row_states(model, resolution, network):
    row = next(row for row in load_published() if row.model == model and row.features.resolution == resolution)
    found = replace(network_features(network), uncounted=0.0)
    for name, value in vars(row.features).items():
        assert getattr(found, name) == pytest.approx(value, rel=2e-3, abs=2e-3), name


def test_features_are_per_image_whatever_the_batch():
    assert network_features(mobilenet_v2(batch=4)) == network_features(mobilenet_v2())


def test_a_network_without_convolutions_is_refused():
    network = Network("mlp", (Layer(linear("fc", n=1, k=10, c=10)),))
    with pytest.raises(BadInput, match="mlp: it has no convolution"):
        network_features(network)


# ---- the law -------------------------------------------------------------------------------------------------------


def test_the_law_recovers_a_known_power_law():
    rng = np.random.default_rng(5)
    sizes, kinds = rng.normal(size=(120, 2)), np.zeros((120, 4))
    log_error = 3.0 - sizes @ [0.2, 0.05] + rng.normal(scale=0.01, size=120)
    scales = scaling_law.Scales(local=0.01, family=0.001, row=0.01)
    found = scaling_law.fit(sizes, kinds, np.arange(120), log_error, scales)
    assert found.coefficients[1:3] / found.spread == pytest.approx([0.2, 0.05], abs=0.01)
    mean, _ = found.predict(np.array([[1.0, 1.0]]), np.zeros((1, 4)))
    assert mean == pytest.approx(2.75, abs=0.02)


def test_the_law_never_lets_more_of_a_size_raise_the_error():
    rng = np.random.default_rng(6)
    sizes = rng.normal(size=(50, 2))
    found = scaling_law.fit(sizes, np.zeros((50, 4)), np.arange(50), 3.0 + 0.3 * sizes[:, 0] - 0.2 * sizes[:, 1])
    assert np.all(found.coefficients[1:3] >= 0.0)


@pytest.mark.parametrize("name", ["local", "length", "family", "row"])
def test_the_scales_are_near_the_most_likely_ones(predictor, name):
    def likelihood(scales):
        return scaling_law.fit(
            predictor._sizes, predictor._kinds, predictor._families, predictor._log_error, scales
        ).log_likelihood

    chosen = scaling_law.Scales()
    for factor in (0.7, 1.4):
        assert likelihood(replace(chosen, **{name: factor * getattr(chosen, name)})) < likelihood(chosen) + 1.0


# ---- the predictor -------------------------------------------------------------------------------------------------


def test_mobilenet_v2_is_predicted_within_a_point_and_a_half(predictor):
    assert predictor.predict(SPACE.build(SPACE.baseline())).top1_pct == pytest.approx(71.9, abs=1.5)


def test_cross_validation_by_family_ranks_unseen_families_and_is_reported(predictor):
    report = predictor.report()
    assert report.by_family.rmse_pct < 3.0
    assert report.by_family.mae_pct < 2.2
    assert report.by_family.spearman > 0.9
    assert report.by_family.kendall > 0.75
    assert report.by_row.rmse_pct < report.by_family.rmse_pct
    assert f"RMSE {report.by_family.rmse_pct:.1f}" in predictor.statement()


def test_mobilenet_v2_variants_are_ranked_right_by_a_predictor_that_never_saw_one():
    rows = load_published()
    unseen = [row for row in rows if row.family == "mobilenet_v2" and row.recipe == "basic"]
    blind = PublishedPredictor([row for row in rows if row.family != "mobilenet_v2"])
    found = blind.predict_features([row.features for row in unseen])
    assert kendalltau([each.top1_pct for each in found], [row.top1_pct for row in unseen]).statistic > 0.9
    assert all(abs(each.top1_pct - row.top1_pct) < 3 * each.sigma_pct for each, row in zip(found, unseen, strict=True))


def test_sigma_covers_the_errors_of_families_left_out(predictor):
    mean, sigma = predictor._left_out
    standardised = (mean - predictor._log_error) / (predictor._widening * sigma)
    assert np.mean(standardised**2) == pytest.approx(1.0)
    assert np.mean(np.abs(standardised) < 3) > 0.97


def test_more_macs_at_one_resolution_are_never_predicted_to_hurt(predictor):
    found = [predictor.predict(mobilenet_v2(width=width)).top1_pct for width in np.arange(0.35, 1.45, 0.05)]
    assert np.all(np.diff(found) > -0.1)
    assert found[-1] - found[-6] < found[5] - found[0]


def test_accuracy_grows_with_resolution(predictor):
    found = [predictor.predict(mobilenet_v2(resolution=side)).top1_pct for side in range(96, 257, 32)]
    assert np.all(np.diff(found) > 0.0)


def test_a_larger_kernel_or_expansion_is_not_predicted_to_hurt(predictor):
    base, five, seven = (predictor.predict(_varied(kernel=kernel)).top1_pct for kernel in (3, 5, 7))
    assert base < five < seven < base + 2
    assert predictor.predict(_varied(expansion=3)).top1_pct < base


def test_large_full_convolutions_buy_uncertainty_instead_of_accuracy(predictor):
    small, large = predictor.predict(_varied(op="fused")), predictor.predict(_varied(op="fused", kernel=7))
    assert large.top1_pct == pytest.approx(small.top1_pct, abs=0.05)
    assert large.sigma_pct > small.sigma_pct + 1.0


def test_no_point_of_the_space_gets_an_absurd_prediction(predictor):
    rng = np.random.default_rng(11)
    extremes = [
        _varied(width="most", resolution="most", kernel=7, op="fused"), _varied(width="most", resolution="most"),
        _varied(resolution=160, expansion=3), _varied(op="fused", kernel=7, resolution=160),
    ]
    networks = extremes + [SPACE.build(SPACE.space.sample(rng)) for _ in range(150)]
    found = predictor.predict_features([network_features(network) for network in networks])
    assert all(60.0 < each.top1_pct < 80.0 for each in found)
    assert all(1.0 < each.sigma_pct < 8.0 for each in found)


def test_outside_the_table_accuracy_stays_within_bounds_and_sigma_grows(predictor):
    inside = network_features(mobilenet_v2())
    huge, tiny = (replace(inside, effective_gmacs=macs, body_params_m=macs) for macs in (1e6, 1e-6))
    best = max(row.top1_pct for row in predictor.rows if row.recipe == "basic")
    at, up, down = predictor.predict_features([inside, huge, tiny])
    assert 0.0 <= down.top1_pct < at.top1_pct < up.top1_pct <= best
    assert up.sigma_pct > 2 * at.sigma_pct
    assert down.sigma_pct > 2 * at.sigma_pct


def test_a_better_recipe_predicts_more(predictor):
    network = resnet50()
    tops = [PublishedPredictor(recipe=recipe).predict(network).top1_pct for recipe in published.RECIPES]
    assert tops == sorted(tops)
    assert tops[0] == pytest.approx(76.1, abs=2.5)
    assert tops[2] == pytest.approx(80.7, abs=2.5)
    with pytest.raises(BadInput, match="recipe: 'secret' is unknown; use one of basic"):
        PublishedPredictor(recipe="secret")


def test_one_by_one_and_in_a_batch_the_prediction_is_the_same(predictor):
    networks = [mobilenet_v2(width=width) for width in (0.5, 1.0, 1.4)]
    batch = predictor.predict_features([network_features(network) for network in networks])
    again = PublishedPredictor()
    assert [again.predict(network) for network in networks] == batch
    assert batch[0].top1_error == 100.0 - batch[0].top1_pct


def test_sources_are_found_by_name():
    assert "published_imagenet" in accuracy_names()
    with pytest.raises(UnknownName, match="did you mean 'published_imagenet'"):
        accuracy_source("published_imagnet")


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is not here")
def test_typed_figures_are_those_of_their_sources():
    with REFERENCE.open(newline="") as text:
        timm = {(float(row[1]), float(row[2])) for row in list(csv.reader(text))[1:]}
    with (REFERENCE.parent / "torchvision_imagenet_weights.csv").open(newline="") as text:
        torchvision = {float(row["acc1"]) for row in csv.DictReader(text) if row["acc1"]}
    for row in load_published():
        if row.source == "timm_results":
            assert (row.features.resolution, row.top1_pct) in timm, row
        if row.source == "torchvision_weights":
            assert row.top1_pct in torchvision, row


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is not here")
@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("mobilenetv2_050.lamb_in1k", mobilenet_v2(width=0.5)),
        ("mobilenetv2_100.ra_in1k", mobilenet_v2()),
        ("mobilenetv2_140.ra_in1k", mobilenet_v2(width=1.4)),
        ("resnet18.gluon_in1k", resnet18()),
        ("resnet50.bt_in1k", resnet50()),
        ("resnet50.ra_in1k", resnet50()),
    ],
)
def test_results_that_are_not_in_the_table_lie_within_three_sigma(name, network):
    with REFERENCE.open(newline="") as text:
        published = {(row[0], row[1]): float(row[2]) for row in list(csv.reader(text))[1:]}
    found = PublishedPredictor(recipe="augmented").predict(network)
    assert abs(found.top1_pct - published[name, "224"]) < 3 * found.sigma_pct
    assert abs(found.top1_pct - published[name, "224"]) < 3.5


def test_a_network_that_is_mostly_no_convolutions_is_left_to_other_sources():
    space = network_space("vit")
    with pytest.raises(BadInput, match=r"vit: only \d+% of its MACs are convolutions'"):
        network_features(space.build(space.baseline()))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (load_network("nasbench201"), "nasbench201: 10 outputs are not ImageNet's 1000 classes; take another source"),
        (load_network("deeplab_v3_mobilenet_v2"), "21 outputs are not"),
        (mobilenet_v2(resolution=64), r"images of 64 pixels to a side are smaller than any published \(96\); take"),
    ],
)
def test_networks_of_other_data_sets_have_no_prediction(predictor, network, message):
    with pytest.raises(BadInput, match=message):
        predictor.predict(network)


def test_imagenets_classes_may_have_one_more_for_the_background(predictor):
    assert predictor.predict(mobilenet_edgetpu()).top1_pct == pytest.approx(75.6, abs=3.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits_cells", "published_imagenet' on the space 'digits_cells': 10 outputs are not ImageNet's 1000 classes"),
        ("digits_ibn", "10 outputs"),
        ("nasbench201", "10 outputs"),
        ("nasbench201_imagenet16", "120 outputs"),
        ("vit", r"only \d+% of its MACs are convolutions'"),
        ("bert", "no convolution"),
    ],
)
def test_spaces_of_other_data_sets_are_refused_at_once(name, message):
    with pytest.raises(BadInput, match=message):
        accuracy_source("published_imagenet", name)


def test_a_space_is_refused_for_small_images_only_where_it_has_no_others():
    spaces = [replace(SPACE, resolutions=sides) for sides in ((64, 224), (32, 64))]
    source = accuracy_source("published_imagenet", spaces[0])
    values = spaces[0].baseline()
    assert source.predict(spaces[0].build({**values, "net.resolution": 224})).top1_pct > 65
    with pytest.raises(BadInput, match="images of 64 pixels"):
        source.predict(spaces[0].build({**values, "net.resolution": 64}))
    with pytest.raises(BadInput, match="on the space 'mobilenet_ibn': images of 64 pixels"):
        accuracy_source("published_imagenet", spaces[1])


@pytest.mark.parametrize("name", ["mobilenet_ibn", "mobilenet_v2", "mobilenet_s3", "efficientnet_edge"])
def test_the_shipped_spaces_of_imagenets_networks_have_predictions(name):
    space = network_space(name)
    assert 60 < accuracy_source("published_imagenet", name).predict(space.build(space.baseline())).top1_pct < 81
