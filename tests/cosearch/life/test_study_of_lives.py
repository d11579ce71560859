"""Whole-life energy and carbon as objectives of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail as dt
from dovetail.cosearch.cli import main
from dovetail.cosearch.studies.evaluator import StudyEvaluator
from dovetail.cosearch.studies.load import load_study, study_text
from dovetail.errors import SpecError

GOOD = """\
name: mine
network: {space: mobilenet_ibn}
hardware: {accelerator: edge_tpu, search: [pes_x, bandwidth]}
objectives: [co2e_kg, latency_s]
life_cycle:
  uses: 1.0e+9
  devices: 10
  training: imagenet_300
  search: {trials: 20, trial: 1 kJ, training_share: 0.01}
mapper: {name: annealing}
budget: {trials: 2}
"""


def read(tmp_path: Path, text: str) -> dt.StudyResult:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_study(path)


def test_a_trials_carbon_is_its_life_cycles(tmp_path: Path) -> None:
    spec = read(tmp_path, GOOD)
    evaluator = StudyEvaluator(spec)
    values = evaluator.first[0]
    metrics = evaluator.evaluate(values).metrics
    network, chip = evaluator.design(values)
    estimate = dt.estimate(network, chip, mapper="annealing")
    training = dt.estimate_training(network, "a100", recipe="imagenet_300", devices=8, mapper="roofline")
    from dovetail.cosearch.life.spent import SearchCost

    life = dt.life_cycle(
        estimate, 1e9, training=training, search=SearchCost(20, 1000.0, 0.01), deployment=dt.Deployment(devices=10)
    )
    assert metrics["co2e_kg"] == pytest.approx(life.total.co2e_kg, rel=1e-12)
    assert metrics["life_energy_j"] == pytest.approx(life.total.energy_j, rel=1e-12)


def test_the_section_reads_back_the_same(tmp_path: Path) -> None:
    spec = read(tmp_path, GOOD)
    assert read(tmp_path, study_text(spec)) == spec
    assert load_study("carbon_edge").life_cycle is not None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("life_cycle:\n  uses: 1.0e+9\n  devices: 10\n  training: imagenet_300\n  search: {trials: 20, trial: 1 kJ, "
         "training_share: 0.01}\n", "", "co2e_kg is that of a whole life"),
        ("uses: 1.0e+9", "uses: -1", "mine.yaml:6:"),
        ("uses: 1.0e+9", "uses: 1.0e+9\n  grid: atlantis", "no grid named 'atlantis'"),
        ("uses: 1.0e+9", "uses: 1.0e+9\n  idle_power: 5", "idle_power"),
        ("uses: 1.0e+9", "uses: 1.0e+9\n  dram: 5 W", "dram"),
        ("devices: 10", "devices: few", "devices"),
        ("devices: 10", "device: 10", "devices"),
        ("imagenet_300", "imagenet_301", "did you mean 'imagenet_300'"),
        ("imagenet_300", "3 km", "'3 km' has no known unit"),
        ("uses: 1.0e+9", "uses: 1.0e+9\n  standby_power: 1 mW", "flows for no time"),
        ("uses: 1.0e+9", "uses: 1.0e+300", "mine.yaml:6:"),
        ("imagenet_300", "imagenet_300\n  training_devices: 7", "7 do not divide the recipe's batch of 256"),
        ("imagenet_300", "imagenet_300\n  training_hardware: edge_tpu", "no link between edge_tpus is known"),
        ("imagenet_300", "none", "training_share is a share of no training"),
        ("trial: 1 kJ", "trial: 1 kW", "energy"),
        ("training: imagenet_300", "training: imagenet_300\n  training_hardware: a1000", "did you mean 'a100'"),
    ],
)  # fmt: skip
def test_a_wrong_section_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SpecError) as told:
        read(tmp_path, GOOD.replace(old, new))
    assert message in str(told.value)
    assert "mine.yaml:" in str(told.value)


def test_a_front_shows_what_the_study_minimised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("trials: 2}", "trials: 1}"))
    assert main(["cosearch", "run", str(path), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert "life carbon" in capsys.readouterr().out


def test_a_life_that_no_design_can_have_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("imagenet_300", "imagenet_300\n  training_hardware: gap9\n  training_devices: 1"))
    assert main(["cosearch", "run", str(path), "--out", str(tmp_path / "out"), "--workers", "1", "--trials", "1"]) == 1
    assert "do not fit into l2 of gap9" in capsys.readouterr().err
