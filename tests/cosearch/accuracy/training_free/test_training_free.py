import math
import pickle

import pytest

from dovetail.cosearch.accuracy.registry import accuracy_names, accuracy_source
from dovetail.cosearch.accuracy.training_free.source import TrainingFree, TrainingFreeOptions
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.studies.evaluator import StudyEvaluator
from dovetail.cosearch.studies.load import load_study
from dovetail.errors import BadInput, SpecError
from dovetail.models.load import load_network

SPACE = network_space("digits_cells")
OWN = """
import math

from dovetail.cosearch.accuracy.source import Accuracy

def by_depth(network, values):
    return 30.0 + 5.0 * math.log(network.params)

def raises(network, values):
    raise ValueError("not to be had")

def dear(network, values):
    return Accuracy(by_depth(network, values), 1.0, 1e9)

def of_large_ones(network, values):
    return by_depth(network, values) if network.params > 9000 else raises(network, values)
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    (tmp_path / "own_depth.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)

    def made(labels=25, space=SPACE, **options):
        part = {"source": "function", "function": "own_depth:by_depth", "labels": labels}
        given = {"indicators": ["params"], "batch": 8, "calibrate": part, **options}
        return TrainingFree(space, TrainingFreeOptions.model_validate(given))

    return made


def test_a_calibrated_indicator_predicts_what_it_orders_perfectly(made):
    source = made(fit="ridge")
    values = SPACE.baseline()
    network = SPACE.build(values)
    found = source.predict(network, values)
    assert found.top1_pct == pytest.approx(30 + 5 * math.log(network.params), abs=3.0)
    assert source.report().kendall > 0.9
    assert not source.expensive
    assert found.macs == 0.0
    assert "calibrated (ridge) with 25 accuracies of the source 'function'" in source.statement()


def test_an_indicator_of_modules_is_scored_with_the_seed_and_its_cost_is_counted(made):
    source = made(indicators=["synflow", "naswot", "macs"], seed=3)
    values = SPACE.baseline()
    network = SPACE.build(values)
    scores = source.scores(network, values)
    assert list(scores) == ["synflow", "naswot", "macs"]
    assert scores == made(indicators=["synflow", "naswot", "macs"], seed=3).scores(network)  # known as the baseline
    assert source.predict(network, values).macs == 3 * network.macs * 8 * 2
    assert source.expensive


def test_repeats_average_over_weights(made):
    values = SPACE.baseline()
    network = SPACE.build(values)
    one, other, both = (
        made(indicators=["l2_norm"], seed=seed, repeats=repeats).scores(network, values)["l2_norm"]
        for seed, repeats in ((0, 1), (1, 1), (0, 2))
    )
    assert both == pytest.approx((one + other) / 2)


def test_modules_may_be_thinner_than_the_network(made):
    values = SPACE.baseline()
    network = SPACE.build(values)
    whole, thin = (made(indicators=["synflow"], thin=thin).scores(network, values) for thin in ({}, {"channels": 1}))
    assert thin["synflow"] < whole["synflow"]
    with pytest.raises(BadInput, match="'depth' is no field of the space 'digits_cells'; it has name, resolution"):
        made(thin={"depth": 3})


def test_scores_alone_are_no_accuracies():
    source = accuracy_source("training_free", "digits_cells", {"indicators": ["params"]})
    values = SPACE.baseline()
    assert source.scores(SPACE.build(values), values)["params"] > 0
    with pytest.raises(BadInput, match="a score is no accuracy until it is calibrated; add 'calibrate:"):
        source.predict(SPACE.build(values), values)
    assert "training_free" in accuracy_names()


def test_too_few_labels_are_refused(made, tmp_path):
    with pytest.raises(ValueError, match=r"5 labels are asked for and least_labels is 20; raise calibrate.labels"):
        made(labels=5)
    known = SPACE.key(SPACE.baseline())
    (tmp_path / "few.csv").write_text(f"arch_str,top1_pct\n{known},70\n")
    source = made(calibrate={"source": "table", "path": str(tmp_path / "few.csv")})
    with pytest.raises(BadInput, match=r"[01] labels, 20 are needed"):
        source.predict(SPACE.build(SPACE.baseline()))


@pytest.mark.parametrize("asked", [lambda s: s.predict(SPACE.build(SPACE.baseline())), lambda s: s.statement()])
def test_a_source_that_fails_for_most_networks_is_named_with_its_first_reason(made, asked):
    source = made(calibrate={"source": "function", "function": "own_depth:raises", "labels": 25})
    reason = r"first reason: own_depth:raises failed for nasbench201: ValueError: not to be had$"
    asked_about = r"the source 'function' was asked about (\d+) networks and failed for \1; mend"
    with pytest.raises(BadInput, match=f"0 labels, 20 are needed .*{asked_about}.*{reason}"):
        asked(source)


def test_a_source_that_fails_for_some_networks_may_still_have_labels_enough(made):
    source = made(calibrate={"source": "function", "function": "own_depth:of_large_ones", "labels": 25})
    assert source.predict(SPACE.build(SPACE.baseline())).top1_pct > 0
    assert "with 25 accuracies" in source.statement()


def test_a_space_with_too_few_networks_to_calibrate_is_said(made):
    with pytest.raises(BadInput, match=r"\d+ labels, 1000 are needed .* the space has no more networks"):
        made(labels=1000, least_labels=1000, space=_Two()).statement()


class _Two:
    """Two of the cells."""

    name = "two"
    space = SPACE.space.restrict({name: [SPACE.baseline()[name]] for name in SPACE.space.names[1:]})
    build, key, baseline = SPACE.build, SPACE.key, SPACE.baseline


def test_modules_need_a_space_that_has_them_and_a_point_of_it(made):
    with pytest.raises(BadInput, match=r"synflow looks at a torch module, and .* 'video_levers' has none"):
        made(space=network_space("video_levers"), indicators=["synflow"])
    with pytest.raises(BadInput, match="resnet18: synflow needs a point of the space"):
        made(indicators=["synflow"]).scores(load_network("resnet18"))


STUDY = """\
name: mine
network: {space: nasbench201}
hardware: {accelerator: edge_tpu, search: [pes_x]}
accuracy:
  source: training_free
  indicators: [params]
  calibrate: {source: table, path: accuracies.csv, labels: 30}
budget: {trials: 20}
"""


def test_a_study_calibrates_by_the_table_beside_it(tmp_path):
    (tmp_path / "accuracies.csv").write_text("arch_str,top1_pct\na,1\n")
    (tmp_path / "mine.yaml").write_text(STUDY)
    part = load_study(tmp_path / "mine.yaml").accuracy
    assert part.model_extra["calibrate"]["path"] == str(tmp_path / "accuracies.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (STUDY.replace("[params]", "[parms]"), r"mine.yaml:6:16: accuracy.indicators\[0\]: .*did you mean 'params'"),
        (STUDY.replace("path: accuracies.csv, ", ""), "accuracy.calibrate.path: Field required"),
        (STUDY.replace("{source: table,", "{source: tabel,"), "no accuracy source named 'tabel'"),
        (STUDY.replace("[params]", "[params]\n  batch: 1"), "accuracy.batch"),
        (
            STUDY.replace("source: table, path: accuracies.csv", "source: training_free"),
            r"mine.yaml:7:15: accuracy.calibrate.source: scores cannot be calibrated by scores; name a source",
        ),
    ],
)
def test_wrong_options_are_said_with_their_place(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SpecError, match=message):
        load_study(tmp_path / "mine.yaml")


def test_labels_are_drawn_from_the_choices_that_a_study_keeps(made):
    kept = SPACE.space.restrict({name: SPACE.space.choice(name).options[3:4] for name in SPACE.space.names[2:]})
    source = TrainingFree(SPACE, made(labels=9, least_labels=3).options, kept)
    drawn = [values for _, values, _ in source._labels]
    assert drawn
    assert all(kept.validate(values) for values in drawn)


def test_the_calibration_costs_what_its_labels_cost(made):
    whole = {"source": "function", "function": "own_depth:dear", "labels": 5}
    assert made(calibrate=whole, least_labels=3).preparation_macs == 5 * 1e9
    looked = made(calibrate=whole, least_labels=3, indicators=["synflow"])
    assert looked.preparation_macs > 5 * 1e9
    assert made(calibrate=None).preparation_macs == 0.0


def test_a_calibration_is_taken_over_without_asking_for_labels(made):
    source, other = made(), made(calibrate={"source": "function", "function": "own_depth:raises", "labels": 25})
    network = SPACE.build(SPACE.baseline())
    assert source.learnt is None
    expected = source.predict(network, SPACE.baseline())
    other.take(pickle.loads(pickle.dumps(source.learnt)))
    assert other.predict(network, SPACE.baseline()) == expected


def test_workers_are_sent_the_calibration(made, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "name: sent\nnetwork: {space: digits_cells}\nhardware: {accelerator: edge_tpu, search: [pes_x]}\n"
        "accuracy: {source: training_free, indicators: [params], least_labels: 3,\n"
        "  calibrate: {source: function, function: 'own_depth:by_depth', labels: 4}}\nbudget: {trials: 1}\n"
    )
    evaluator = StudyEvaluator(load_study(path))
    assert "4 accuracies" in evaluator.accuracy_statement()
    assert len(pickle.loads(pickle.dumps(evaluator))._learnt) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"indicators": ["naswot", "naswot"]}, "'naswot' is listed twice; remove one of them"),
        ({"thin": {"channels": -3}}, "greater than or equal to 1"),
    ],
)
def test_an_indicator_given_twice_and_a_thinning_to_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingFreeOptions.model_validate(options)
