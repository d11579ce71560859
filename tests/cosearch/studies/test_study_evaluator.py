import pickle
from types import SimpleNamespace

import pytest

from dovetail.cosearch.accuracy.published import PublishedImagenet
from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.cosearch.studies.costs import MappedCosts
from dovetail.cosearch.studies.evaluator import StudyEvaluator
from dovetail.cosearch.studies.load import load_study
from dovetail.errors import ImpossibleResult, Infeasible


@pytest.fixture
def mapped(monkeypatch):
    """Replaces mapping by a roofline; lists what was mapped."""
    seen = []

    def estimate(self, network, accelerator, hardware):
        seen.append((network, accelerator))
        latency = network.macs / (accelerator.peak_ops_per_s / 2)
        return SimpleNamespace(latency_s=latency, energy_j=1e-12 * network.macs, edp=1e-12 * network.macs * latency,
                               cycles=latency * accelerator.clock_hz, utilization=1.0)  # fmt: skip

    monkeypatch.setattr(MappedCosts, "estimate", estimate)
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

    def fail(self, network, accelerator, hardware):
        raise Infeasible("register_file: 12 words are missing")

    monkeypatch.setattr(MappedCosts, "estimate", fail)
    result = evaluator.evaluate(point)
    assert (result.status, result.reason) == ("infeasible", "register_file: 12 words are missing")


def test_a_defect_is_no_result(evaluator, mapped, monkeypatch):
    point = evaluator.first[0]
    assert evaluator.limits
    wrong = SimpleNamespace(latency_s=-1.0, energy_j=1.0, edp=1.0, cycles=1.0, utilization=1.0)
    monkeypatch.setattr(MappedCosts, "estimate", lambda *_: wrong)
    with pytest.raises(ImpossibleResult, match=r"latency_s = -1\.0"):
        evaluator.evaluate(point)


def test_an_evaluator_sent_to_a_worker_judges_alike_without_the_baseline_again(evaluator, mapped):
    assert evaluator.limits
    copy = pickle.loads(pickle.dumps(evaluator))
    mapped.clear()
    assert copy.evaluate(evaluator.first[0]).metrics == evaluator.baseline
    assert len(mapped) == 1


@pytest.fixture
def asked(monkeypatch):
    """Lists the networks whose accuracy was asked for."""
    seen = []

    def predict(self, network, values=None):
        seen.append(network)
        return Accuracy(72.0, 0.5, 1e12)

    monkeypatch.setattr(PublishedImagenet, "predict", predict)
    return seen


def test_a_known_accuracy_is_not_asked_for_again_and_costs_nothing(evaluator, mapped, asked):
    first = evaluator.evaluate(evaluator.first[0])
    asked.clear()
    again = evaluator.evaluate(evaluator.first[0], Accuracy(72.0, 0.5))
    assert asked == []
    assert (first.metrics["accuracy_macs"], again.metrics["accuracy_macs"]) == (1e12, 0.0)
    assert {**first.metrics, "accuracy_macs": 0.0} == again.metrics


@pytest.mark.parametrize("expensive", [False, True])
def test_a_dear_accuracy_is_asked_for_last(evaluator, mapped, asked, monkeypatch, expensive):
    point = evaluator.first[0]
    monkeypatch.setattr(PublishedImagenet, "expensive", expensive)
    monkeypatch.setattr(StudyEvaluator, "limits", {"latency_s": 1e-9, "error_pct": 0.01})
    result = evaluator.evaluate(point)
    assert result.status == "constraint"
    assert (len(mapped), len(asked)) == ((1, 0) if expensive else (0, 1))
    assert ("error_pct" in result.metrics, "latency_s" in result.metrics) == (not expensive, expensive)


def test_a_dear_baselines_accuracy_is_taken_from_the_run_that_is_continued(evaluator, mapped, asked, monkeypatch):
    monkeypatch.setattr(PublishedImagenet, "expensive", True)
    known = {"error_pct": 27.5, "error_sigma_pct": 0.3, "accuracy_macs": 5e9}
    evaluator.recall(known)
    assert known.items() <= evaluator.baseline.items()
    assert asked == []


def test_networks_of_one_key_may_run_on_any_hardware(evaluator):
    point = evaluator.first[0]
    assert evaluator.network_key(point) == evaluator.network_key({**point, "hw.pes_x": 2})
    assert evaluator.network_key(point) != evaluator.network_key({**point, "net.resolution": 160})


def test_options_that_are_equal_but_of_another_type_are_networks_of_their_own(tmp_path, monkeypatch):
    (tmp_path / "flagged.py").write_text(
        "from dovetail.cosearch.spaces.networks import network_space\n"
        "from dovetail.cosearch.spaces.space import Choice, Space\n"
        "CELLS = network_space('digits_cells')\n"
        "class Flagged:\n"
        "    name = 'flagged'\n"
        "    space = Space((Choice('net.edge', (1, True)),))\n"
        "    def build(self, values):\n"
        "        edge = 'none' if values['net.edge'] is True else 'nor_conv_3x3'\n"
        "        return CELLS.build({**CELLS.baseline(), 'net.edge_03': edge})\n"
        "    def baseline(self):\n"
        "        return {'net.edge': 1}\n"
        "    def key(self, values):\n"
        "        return repr(values['net.edge'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nnetwork: {space: 'flagged:Flagged'}\nhardware: {accelerator: gemmini, search: [pes_x]}\n"
        "accuracy: {source: training_free, indicators: [macs]}\nbudget: {trials: 2}\n"
    )
    study = StudyEvaluator(load_study(tmp_path / "mine.yaml"))
    found = [study.design({"net.edge": edge, "hw.pes_x": 8})[0].macs for edge in (1, True, 1)]
    assert found[0] == found[2] != found[1]
