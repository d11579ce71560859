"""The shipped video study: its space, and how its designs are judged."""

from __future__ import annotations

import pickle

import pytest

from dovetail import BadInput
from dovetail.cosearch.spaces.networks import VideoLevers
from dovetail.cosearch.studies.load import load_study
from dovetail.cosearch.studies.run import run_study
from dovetail.cosearch.studies.spec import StudySpec
from dovetail.cosearch.video.evaluator import VideoEvaluator


@pytest.fixture(scope="module")
def spec() -> StudySpec:
    return load_study("video", trials=2)


@pytest.fixture
def evaluator(spec, video) -> VideoEvaluator:
    return VideoEvaluator(spec, video.scene, detector_scenes=5)


def test_the_shipped_study_varies_levers_and_engine_for_speed_energy_and_tracks(spec, evaluator):
    assert spec.objectives == ["latency_s", "energy_j", "tracking_loss_pct"]
    assert spec.limits({})["tracking_loss_pct"] == 2.0
    assert evaluator.space.names[:4] == ("net.filter", "net.longest", "net.tile", "net.density")
    assert "hw.kernels" in evaluator.space.names
    assert evaluator.first[0]["net.density"] == 0.6


def test_a_point_of_the_space_is_the_detector_with_that_share_of_its_blocks():
    levers = VideoLevers()
    network = levers.build({**levers.baseline(), "net.density": 0.3})
    assert network.contractions[0].tensor("weight").density == 0.3
    with pytest.raises(BadInput, match=r"net.density: 0.33 is not an option"):
        levers.build({**levers.baseline(), "net.density": 0.33})


def test_the_blocks_pruned_are_those_the_engine_skips(evaluator):
    point = {**evaluator.first[0], "hw.kernels": 32}
    assert evaluator.pipeline(point).design.blocks == (("K", 32), ("C", 16))


def test_another_network_than_the_pipelines_is_refused(spec, video):
    other = spec.model_copy(update={"baseline": spec.baseline.model_copy(update={"network": "resnet18"})})
    with pytest.raises(BadInput, match="the video pipeline does not run 'resnet18'; write 'detector_resnet18'"):
        VideoEvaluator(other, video.scene)


def test_no_accuracy_is_asked_for(evaluator):
    evaluator.recall({"tracking_loss_pct": 0.0, "error_pct": 30.0})
    assert (evaluator.preparation_macs, evaluator.expensive) == (0.0, False)
    assert evaluator._recalled is None


@pytest.mark.slow
def test_a_video_study_runs_to_its_report_and_goes_on(spec, evaluator, tmp_path):
    short = spec.model_copy(update={"report": spec.report.model_copy(update={"ablation": 0, "figures": False})})
    out = tmp_path / "out"
    result = run_study(short, evaluator, out=out)
    assert len(result.front()) >= 1
    assert result.search_cost().accuracy_j == 0.0
    assert "tracking loss" in (out / "report.html").read_text(encoding="utf-8").lower()
    assert (out / "layers.csv").is_file()
    again = run_study(short, VideoEvaluator(short, evaluator.scene, detector_scenes=5), out=out, resume=True)
    assert again.trials().equals(result.trials())


@pytest.mark.slow
def test_a_design_beats_the_dense_baseline_and_is_judged_alike_in_another_process(evaluator):
    point = evaluator.first[0]
    first = evaluator.evaluate(point)
    again = pickle.loads(pickle.dumps(evaluator)).evaluate(point)
    assert (first.status, first.metrics) == (again.status, again.metrics)
    for name in ("latency_s", "energy_j"):
        assert first.metrics[name] < evaluator.baseline[name] / 2
    assert evaluator.baseline["tracking_loss_pct"] == 0.0
    assert 0 < first.metrics["kept_frames"] < 1
    assert len(evaluator.layers(point)) > 20
    assert "against the dense run's" in evaluator.accuracy_statement()


@pytest.mark.slow
def test_a_design_too_large_is_turned_away_before_it_runs(spec, video):
    limited = spec.model_copy(
        update={"constraints": spec.constraints.model_copy(update={"area_mm2": _limit(spec, "0.1 mm2")})}
    )
    evaluator = VideoEvaluator(limited, video.scene, detector_scenes=5)
    result = evaluator.evaluate(evaluator.first[0])
    assert result.status == "constraint"
    assert "latency_s" not in result.metrics
    assert "area_mm2" in result.reason


def _limit(spec, text: str):
    return type(spec.constraints.tracking_loss_pct)(max=text)
