import json

import pandas as pd
import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.cli import main
from dovetail.cosearch.reports.repeats import repeats_report
from dovetail.cosearch.studies import run
from dovetail.cosearch.studies.repeats import search_repeats
from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput

STUDY = """\
name: tiny
network: {space: mobilenet_ibn, only: {net.resolution: [160]}}
hardware: {accelerator: edge_tpu}
baseline: {network: mobilenet_v2, accelerator: edge_tpu}
strategy: {name: random}
budget: {trials: 12}
report: {figures: false, ablation: 0}
seed: 4
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A study whose designs cost nothing to judge."""
    monkeypatch.setattr(run, "_problem", lambda spec: FakeProblem())
    (tmp_path / "tiny.yaml").write_text(STUDY)
    return tmp_path / "tiny.yaml"


def test_every_seed_has_its_folder_and_a_row(path, tmp_path):
    repeated = search_repeats(path, 3, out=tmp_path / "out")
    seeds = repeated.seeds()
    assert seeds["seed"].tolist() == [4, 5, 6]
    assert seeds["trials"].tolist() == [12, 12, 12]
    assert [result.spec.seed for result in repeated.results] == [4, 5, 6]
    for seed in (4, 5, 6):
        assert (tmp_path / "out" / f"seed_{seed}" / "report.html").is_file()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "3 seeds: hypervolume" in page
    assert "href='seed_5/report.html'" in page


def test_a_seeds_own_card_tells_how_stable_the_search_is(path, tmp_path):
    search_repeats(path, 2, out=tmp_path / "out")
    assert "points over 2 seeds" in (tmp_path / "out" / "seed_4" / "report.html").read_text(encoding="utf-8")


def test_repeats_go_on_where_they_were_stopped(path, tmp_path):
    search_repeats(path, 1, out=tmp_path / "out")
    told = []
    search_repeats(path, 2, out=tmp_path / "out", resume=True, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (24, 24)
    with pytest.raises(BadInput, match="go on with --resume"):
        search_repeats(path, 2, out=tmp_path / "out")


def test_mean_and_interval_of_the_seeds_are_drawn(path, tmp_path):
    ax = search_repeats(path, 3, out=tmp_path / "out").plot_convergence("latency_s", "evaluations")
    assert "mean of 3 seeds" in [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("repeats", [0, -1, 1.5, True, 10**6])
def test_a_number_of_repeats_that_makes_no_sense_is_bad_input(path, tmp_path, repeats):
    with pytest.raises(BadInput, match="whole number from 1 to 1000"):
        search_repeats(path, repeats, out=tmp_path / "out")


def test_command_line_prints_a_row_per_seed_and_reports_again(path, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["cosearch", "run", str(path), "--out", str(out), "--repeats", "2", "--workers", "1"]) == 0
    assert "2 seeds" in capsys.readouterr().out
    (out / "report.html").unlink()
    assert main(["cosearch", "report", str(out), "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["seed"] for row in data["seeds"]] == [4, 5]
    assert (out / "report.html").is_file()


def test_seeds_of_different_studies_are_not_mixed(tmp_path):
    run_study(study(trials=8), FakeProblem(), out=tmp_path / "seed_1")
    run_study(study(trials=8, seed=2), FakeProblem(), out=tmp_path / "seed_2")
    text = (tmp_path / "seed_2" / "study.yaml").read_text().replace("fake <study>", "other")
    (tmp_path / "seed_2" / "study.yaml").write_text(text)
    with pytest.raises(BadInput, match="different studies"):
        repeats_report(tmp_path)


@pytest.mark.parametrize(
    ("again", "told"),
    [
        ({"patches": "strategy?name=nsga2"}, r"seed_4: holds trials of another study \(.*strategy.name is nsga2, was "),
        ({"patches": "hardware?accelerator=eyeriss", "seed": 9}, "seed_4: .*accelerator is eyeriss, was edge_tpu"),
        ({"trials": 6, "seed": 5}, "seed_4: holds .*budget.trials is 6, was 12.*undo the change, or name another"),
    ],
)
def test_seeds_of_another_study_are_refused_before_a_trial_is_made(path, tmp_path, again, told):
    search_repeats(path, 2, out=tmp_path / "out")
    kept = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}
    with pytest.raises(BadInput, match=told):
        search_repeats(path, 2, out=tmp_path / "out", resume=True, **again)
    assert kept == {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}


def test_seeds_may_all_be_made_longer(path, tmp_path):
    search_repeats(path, 2, out=tmp_path / "out")
    seeds = search_repeats(path, 3, out=tmp_path / "out", resume=True, trials=16).seeds()
    assert seeds["trials"].tolist() == [16, 16, 16]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (study(trials=9, seed=2), "in seed_2 budget.trials is 9, was 8"),
        (study(trials=8, seed=2, strategy="{name: random}"), "in seed_2 strategy.name is random, was nsga2"),
    ],
)
def test_a_folder_of_different_studies_is_not_reported(tmp_path, other, told):
    run_study(study(trials=8), FakeProblem(), out=tmp_path / "seed_1")
    run_study(other, FakeProblem(), out=tmp_path / "seed_2")
    with pytest.raises(BadInput, match=f"different studies: {told}"):
        repeats_report(tmp_path)
    assert not (tmp_path / "repeats.csv").exists()


def test_a_folder_without_seeds_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no repeated study's folder"):
        repeats_report(tmp_path)


def test_seeds_without_a_feasible_design_are_told_too(tmp_path):
    for seed in (1, 2):
        run_study(study(trials=6, seed=seed), FakeProblem(limits={"area_mm2": 0.1}), out=tmp_path / f"seed_{seed}")
    assert "No seed has found a feasible design" in repeats_report(tmp_path).read_text(encoding="utf-8")
    assert pd.read_csv(tmp_path / "repeats.csv")["feasible"].tolist() == [0, 0]
