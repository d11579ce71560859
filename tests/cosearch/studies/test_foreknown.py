"""What is known of a design before it is mapped holds for what mapping it finds."""

import pytest

from dovetail.cosearch.spaces.composed_space import parts_of
from dovetail.cosearch.studies.evaluator import StudyEvaluator
from dovetail.cosearch.studies.load import load_study
from dovetail.errors import BadInput

STUDY = """\
name: mine
network: {space: digits_cells}
hardware: {accelerator: edge_tpu, search: [pes_x, local_memory, bandwidth]}
accuracy: {source: training_free}
budget: {trials: 6}
"""
EARLY = "network: {space: mobilenet_v2, exits: {s4: {share: 0.5, loss_pct: 1}}}"


@pytest.fixture
def evaluator(tmp_path):
    def evaluator(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return StudyEvaluator(load_study(path))

    return evaluator


@pytest.mark.parametrize("hardware", [{}, {"hw.pes_x": 1, "hw.bandwidth": 5}])
def test_sizes_are_exact_and_costs_are_at_least_their_roofline(evaluator, hardware):
    study = evaluator(STUDY)
    values = {**study.networks.baseline(), "hw.pes_x": 4, "hw.local_memory": 2, "hw.bandwidth": 20, **hardware}
    known, found = study.foreknown(values), study.evaluate(values).metrics
    for name, value in known.exact.items():
        assert found[name] == value
    assert {"latency_s", "energy_j", "edp"} == set(known.least)
    for name, value in known.least.items():
        assert 0.1 * found[name] < value <= found[name]


def test_an_early_exit_is_foreknown_as_its_parts(evaluator):
    study = evaluator(
        STUDY.replace("network: {space: digits_cells}", EARLY).replace("training_free", "published_imagenet")
    )
    whole = study.first[0]
    early = {**whole, "net.exit.s4": True}
    assert len(parts_of(study.networks, study.design(early)[0], early)) == 2
    assert study.foreknown(early).least["latency_s"] < study.foreknown(whole).least["latency_s"]


def test_a_life_is_foreknown_at_the_least_cost(evaluator):
    study = evaluator(STUDY + "life_cycle: {uses: 1.0e+9, devices: 10, training: 3 kWh}\n")
    values = {**study.networks.baseline(), "hw.pes_x": 4, "hw.local_memory": 2, "hw.bandwidth": 20}
    known, found = study.foreknown(values), study.evaluate(values).metrics
    assert {"co2e_kg", "life_energy_j"} == set(known.near)
    for name, value in known.near.items():
        assert value == pytest.approx(found[name], rel=0.5)
        assert value != found[name]
    larger = study.foreknown({**values, "hw.local_memory": 4})
    assert larger.near["co2e_kg"] > known.near["co2e_kg"]  # more silicon is made
    assert evaluator(STUDY).foreknown(values).near == {}


def test_choices_that_make_no_design_are_bad_input(evaluator):
    with pytest.raises(BadInput):
        evaluator(STUDY).foreknown({"net.edge_01": "none"})
