import pickle
from types import SimpleNamespace

import pytest

from dovetail.cosearch.studies.evaluator import StudyEvaluator
from dovetail.cosearch.studies.load import load_study
from dovetail.errors import ImpossibleResult, Infeasible


@pytest.fixture
def mapped(monkeypatch):
    """Replaces mapping by a roofline; lists what was mapped."""
    seen = []

    def estimate(self, network, accelerator):
        seen.append((network, accelerator))
        latency = network.macs / (accelerator.peak_ops_per_s / 2)
        return SimpleNamespace(latency_s=latency, energy_j=1e-12 * network.macs, edp=1e-12 * network.macs * latency,
                               cycles=latency * accelerator.clock_hz, utilization=1.0)  # fmt: skip

    monkeypatch.setattr(StudyEvaluator, "_estimate", estimate)
    return seen


@pytest.fixture
def evaluator():
    return StudyEvaluator(load_study("edge_imagenet"))


def test_first_design_is_the_baseline_itself(evaluator, mapped):
    (first,) = evaluator.first
    assert evaluator.evaluate(first).metrics == evaluator.baseline


def test_space_holds_networks_and_the_seven_hardware_parameters(evaluator):
    hardware = [name for name in evaluator.space.names if name.startswith("hw.")]
    assert len(hardware) == 7
    assert evaluator.space.size > 10**20


def test_a_design_over_the_area_limit_is_never_mapped(evaluator, mapped):
    assert evaluator.limits["area_mm2"] == evaluator.baseline["area_mm2"]
    mapped.clear()
    result = evaluator.evaluate({**evaluator.first[0], "hw.pes_x": 8, "hw.pes_y": 8})
    assert result.status == "constraint"
    assert "area_mm2" in result.reason
    assert result.violation > 0
    assert mapped == []
    assert "latency_s" not in result.metrics


def test_hardware_choices_reach_the_accelerator_in_their_units(evaluator):
    _, accelerator = evaluator.design({**evaluator.first[0], "hw.bandwidth": 5, "hw.local_memory": 0.5})
    assert accelerator.values["bandwidth"] == 5e9 * 8
    assert accelerator.values["local_memory"] == 0.5e6 * 8
    assert evaluator.labels()["hw.local_memory"]["0.5"] == "0.5 MB"


def test_a_design_that_no_mapping_fits_is_a_result_with_its_reason(evaluator, mapped, monkeypatch):
    point = evaluator.first[0]
    assert evaluator.limits

    def fail(self, network, accelerator):
        raise Infeasible("register_file: 12 words are missing")

    monkeypatch.setattr(StudyEvaluator, "_estimate", fail)
    result = evaluator.evaluate(point)
    assert (result.status, result.reason) == ("infeasible", "register_file: 12 words are missing")


def test_a_defect_is_no_result(evaluator, mapped, monkeypatch):
    point = evaluator.first[0]
    assert evaluator.limits
    wrong = SimpleNamespace(latency_s=-1.0, energy_j=1.0, edp=1.0, cycles=1.0, utilization=1.0)
    monkeypatch.setattr(StudyEvaluator, "_estimate", lambda *_: wrong)
    with pytest.raises(ImpossibleResult, match=r"latency_s = -1\.0"):
        evaluator.evaluate(point)


def test_an_evaluator_sent_to_a_worker_judges_alike_without_the_baseline_again(evaluator, mapped):
    assert evaluator.limits
    copy = pickle.loads(pickle.dumps(evaluator))
    mapped.clear()
    assert copy.evaluate(evaluator.first[0]).metrics == evaluator.baseline
    assert len(mapped) == 1
