import json

import pandas as pd
import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput, SpecError


def same_trials(left, right):
    a, b = (pd.read_csv(folder / "trials.csv").drop(columns="wall_s") for folder in (left, right))
    return a.equals(b)


@pytest.fixture
def finished(tmp_path):
    run_study(study(), FakeProblem(), out=tmp_path / "whole")
    return tmp_path / "whole"


def evaluations(counter):
    return len(counter.read_text()) if counter.exists() else 0


def test_folder_holds_what_a_study_promises(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"study.yaml", "trials.jsonl", "trials.csv", "front.csv", "report.html"} <= names
    trials = pd.read_csv(finished / "trials.csv")
    assert trials["number"].tolist() == list(range(30))
    assert set(trials["status"]) <= {"ok", "constraint", "infeasible"}
    assert trials.loc[trials["status"] != "ok", "reason"].str.len().gt(0).all()


@pytest.mark.parametrize("strategy", ["{name: nsga2, population: 8}", "{name: random}"])
def test_two_workers_find_what_one_finds(tmp_path, strategy):
    for workers in (1, 2):
        run_study(study(strategy=strategy), FakeProblem(), out=tmp_path / str(workers), workers=workers)
    assert same_trials(tmp_path / "1", tmp_path / "2")


def test_first_trial_is_the_baseline_so_that_the_front_never_loses_to_it(finished):
    result = run_study(study(), FakeProblem())
    assert result.trials().iloc[0]["latency_s"] == result.baseline["latency_s"]
    assert result.front()["latency_s"].min() <= result.baseline["latency_s"]


@pytest.mark.parametrize("kept_bytes", [0, 1, 700, 1500, 4000, 6001])
def test_a_run_killed_anywhere_in_the_log_ends_like_an_unbroken_one(finished, tmp_path, kept_bytes):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("study.yaml", "context.json"):
        (broken / name).write_text((finished / name).read_text())
    (broken / "trials.jsonl").write_bytes((finished / "trials.jsonl").read_bytes()[:kept_bytes])
    run_study(study(), FakeProblem(), out=broken, resume=True, workers=2 if kept_bytes == 1500 else 1)
    assert same_trials(finished, broken)
    assert len((broken / "trials.jsonl").read_text().splitlines()) == 30


def test_trials_that_ended_out_of_order_are_replayed_in_order(finished, tmp_path):
    lines = (finished / "trials.jsonl").read_text().splitlines(keepends=True)
    shuffled = [lines[index] for index in (3, 0, 12, 2, 9)]
    (finished / "trials.jsonl").write_text("".join(shuffled))
    before = pd.read_csv(finished / "trials.csv").drop(columns="wall_s")
    run_study(study(), FakeProblem(), out=finished, resume=True)
    assert pd.read_csv(finished / "trials.csv").drop(columns="wall_s").equals(before)


def test_resuming_a_finished_run_evaluates_nothing_again(finished, tmp_path):
    counter = tmp_path / "count"
    run_study(study(), FakeProblem(counter), out=finished, resume=True)
    assert evaluations(counter) == 1  # the baseline, to see that the model is still the same


def test_a_design_met_again_is_not_evaluated_again(tmp_path):
    counter = tmp_path / "count"
    result = run_study(study(trials=120, strategy="{name: random}"), FakeProblem(counter))
    distinct = result.trials().filter(regex=r"^(hw|net)\.").drop_duplicates()
    assert len(distinct) < 120
    assert evaluations(counter) == len(distinct) + 1


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(finished, tmp_path):
    counter = tmp_path / "count"
    run_study(study(trials=50), FakeProblem(counter), out=finished, resume=True)
    run_study(study(trials=50), FakeProblem(), out=tmp_path / "long")
    assert same_trials(finished, tmp_path / "long")
    assert evaluations(counter) <= 21


def test_a_smaller_budget_shows_only_its_trials_and_loses_none(finished):
    result = run_study(study(trials=10), FakeProblem(), out=finished, resume=True)
    assert len(result.trials()) == len(pd.read_csv(finished / "trials.csv")) == 10
    assert len((finished / "trials.jsonl").read_text().splitlines()) == 30


def test_resuming_nothing_starts(tmp_path):
    run_study(study(trials=8), FakeProblem(), out=tmp_path / "new" / "folder", resume=True)
    assert len(pd.read_csv(tmp_path / "new" / "folder" / "trials.csv")) == 8


def test_a_folder_with_trials_needs_resume(finished):
    with pytest.raises(BadInput, match="--resume, or name another folder"):
        run_study(study(), FakeProblem(), out=finished)


@pytest.mark.parametrize("other", [study(seed=2), study(strategy="{name: random}")])
def test_trials_of_another_study_are_not_continued(finished, other):
    with pytest.raises(BadInput, match="another study or seed"):
        run_study(other, FakeProblem(), out=finished, resume=True)


def test_trials_of_another_model_are_not_continued(finished):
    with pytest.raises(BadInput, match="has changed"):
        run_study(study(), FakeProblem(limits={"area_mm2": 19.0}), out=finished, resume=True)


def test_a_log_of_other_designs_is_refused(finished):
    lines = (finished / "trials.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    first["values"]["hw.pes"] = 16
    (finished / "trials.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    told = r"jsonl:1: trial 0 is another design .*hw\.pes is 16, not 4.*line was edited.*delete the line"
    with pytest.raises(BadInput, match=told):
        run_study(study(), FakeProblem(), out=finished, resume=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [("{broken", "no JSON"), ('{"number": 3}', "keys"), ("\x00\x01", "no JSON"), (None, "stands already on line 1")],
)
def test_a_corrupt_line_is_named_and_nothing_is_lost(finished, line, message):
    log = finished / "trials.jsonl"
    lines = log.read_text().splitlines()
    lines[4] = lines[0] if line is None else line
    log.write_text("\n".join(lines) + "\n")
    before = log.read_bytes()
    with pytest.raises(SpecError, match=rf"trials\.jsonl:5:\d+: .*{message}"):
        run_study(study(), FakeProblem(), out=finished, resume=True)
    assert log.read_bytes() == before


def test_two_runs_cannot_share_a_folder(tmp_path):
    from dovetail.cosearch.studies.log import TrialLog

    with TrialLog(tmp_path / "trials.jsonl"), pytest.raises(BadInput, match="another run"):
        run_study(study(), FakeProblem(), out=tmp_path)


def test_a_file_in_the_folders_place_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="name another folder"):
        run_study(study(), FakeProblem(), out=tmp_path / "file")


def test_progress_counts_every_trial(tmp_path):
    seen = []
    run_study(study(trials=12), FakeProblem(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(1, 13)]


def test_no_worker_at_all_is_bad_input():
    with pytest.raises(BadInput, match="workers = 0"):
        run_study(study(), FakeProblem(), workers=0)
