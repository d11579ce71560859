"""What a study's folder goes through between two runs."""

import errno
import json
import os
import shutil

import pandas as pd
import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.cli import main
from dovetail.cosearch.reports.findings import Findings
from dovetail.cosearch.spaces.compose import networks_of
from dovetail.cosearch.spaces.network_part import NetworkPart
from dovetail.cosearch.studies import run as run_module
from dovetail.cosearch.studies.folder import claim
from dovetail.cosearch.studies.load import study_text
from dovetail.cosearch.studies.log import TrialLog, read_trials, write_atomically
from dovetail.cosearch.studies.repeats import search_repeats
from dovetail.cosearch.studies.run import run_study, search
from dovetail.cosearch.studies.spec import AccuracyPart
from dovetail.cosearch.studies.trial import Trial, TrialResult
from dovetail.document import shipped
from dovetail.errors import BadInput, CannotDo


@pytest.fixture(autouse=True)
def _no_report(monkeypatch):
    """These tests are about the log; the report has its own."""
    monkeypatch.setattr(run_module, "_write_results", lambda *_: None)


@pytest.fixture
def folder(tmp_path):
    run_study(study(12), FakeProblem(), out=tmp_path / "study")
    return tmp_path / "study"


def trial(number):
    return Trial(number, {"net.a": 1}, TrialResult("ok", {"latency_s": 1.0}))


def edit_json(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


class FullDisk:
    """Takes half a line, then nothing."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        if len(data) > 40:
            return self._file.write(data[:40])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_and_leaves_whole_lines(tmp_path):
    path = tmp_path / "trials.jsonl"
    with TrialLog(path) as log:
        log.append(trial(0))
        log._file = FullDisk(log._file)
        with pytest.raises(CannotDo, match=r"No space left.*trial 1 is lost.*free some space and go on with --resume"):
            log.append(trial(1))
    assert [each.number for each in read_trials(path)] == [0]
    assert path.read_bytes().endswith(b"\n")


def test_a_study_on_a_disk_that_was_full_goes_on_as_if_it_never_was(folder, tmp_path, monkeypatch):
    whole = run_study(study(30), FakeProblem()).trials().drop(columns="wall_s")
    append = TrialLog.append

    def full_after_twenty(self, trial):
        if trial.number == 20:
            raise CannotDo("full")
        append(self, trial)

    monkeypatch.setattr(TrialLog, "append", full_after_twenty)
    with pytest.raises(CannotDo, match="full"):
        run_study(study(30), FakeProblem(), out=folder, resume=True)
    monkeypatch.setattr(TrialLog, "append", append)
    assert run_study(study(30), FakeProblem(), out=folder, resume=True).trials().drop(columns="wall_s").equals(whole)


def test_a_real_full_disk_if_there_is_one(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    (tmp_path / "trials.jsonl").symlink_to("/dev/full")
    with TrialLog(tmp_path / "trials.jsonl") as log, pytest.raises(CannotDo, match="No space left"):
        log.append(trial(0))


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "front.csv"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotDo, match=r"front\.csv: cannot be written \(No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["front.csv"]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (study(12, seed=2), "seed is 2, was 1"),
        (study(12, strategy="{name: nsga2, population: 9}"), "strategy.population is 9, was 8"),
        (study(12, strategy="{name: random}"), "strategy.name is random, was nsga2; .*population is not set, was 8"),
    ],
)
def test_an_edited_study_is_told_what_was_edited(folder, other, told):
    with pytest.raises(BadInput, match=rf"another study or seed \(.*{told}.*\); undo the change, or name another"):
        run_study(other, FakeProblem(), out=folder, resume=True)


def test_only_the_prose_and_the_budget_may_be_edited(folder):
    edited = study(14).model_copy(update={"name": "other", "description": "words"})
    assert len(run_study(edited, FakeProblem(), out=folder, resume=True).finished) == 14


def test_a_study_edited_in_its_own_folder_is_refused(folder):
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("seed: 1", "seed: 2"))
    with pytest.raises(BadInput, match=r"another study or seed \(study\.yaml there was edited\)"):
        run_study(study(12, seed=2), FakeProblem(), out=folder, resume=True)


@pytest.mark.parametrize("edit", ["seed: 2", "seed: 1\n# a word"])
def test_a_study_edited_in_its_folder_alone_is_refused_and_stays_as_it_is(folder, edit):
    kept = (folder / "study.yaml").read_text().replace("seed: 1", edit)
    (folder / "study.yaml").write_text(kept)
    with pytest.raises(BadInput, match=r"study\.yaml there was edited\); undo the change, or name another folder"):
        run_study(study(14), FakeProblem(), out=folder, resume=True)
    assert (folder / "study.yaml").read_text() == kept


def test_a_study_whose_run_was_killed_between_two_files_goes_on(folder):
    (folder / "study.yaml").write_text(study_text(study(14)))  # the context is still that of 12 trials
    assert len(run_study(study(14), FakeProblem(), out=folder, resume=True).finished) == 14


def test_a_study_that_was_edited_is_noted_by_its_report(folder, capsys):
    assert Findings.read(folder).note == ""
    (folder / "study.yaml").write_text((folder / "study.yaml").read_text().replace("seed: 1", "seed: 2"))
    assert main(["cosearch", "report", str(folder)]) == 0
    assert "study.yaml was edited after these trials were made" in " ".join(capsys.readouterr().out.split())
    assert "study.yaml was edited after these trials were made" in (folder / "report.html").read_text()
    assert main(["cosearch", "compare", str(folder), str(folder)]) == 0
    assert capsys.readouterr().out.count(f"{folder.name}: study.yaml was edited") == 2


def edit_line(folder, change, line=3):
    """Change the trial on a line of the log."""
    lines = (folder / "trials.jsonl").read_text().splitlines()
    data = json.loads(lines[line - 1])
    change(data)
    lines[line - 1] = json.dumps(data)
    (folder / "trials.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["metrics"].update(latency_s=float("nan")), "'latency_s' is nan, no finite number"),
        (lambda data: data["metrics"].update(energy_j=-1.0), r"'energy_j' is -1\.0, below zero"),
        (lambda data: data["metrics"].update(area_mm2="wide"), "'area_mm2' is 'wide', no finite number"),
        (lambda data: data["metrics"].update(area_mm2=True), "'area_mm2' is True, no finite number"),
        (lambda data: data.update(violation=-0.5), r"'violation' is -0\.5, below zero"),
        (lambda data: (data.update(status="ok"), data["metrics"].pop("latency_s", 0)), "is 'ok' and has no 'lat"),
    ],
)
def test_a_logged_trial_that_cannot_be_is_refused_by_line(folder, change, told):
    edit_line(folder, change)
    with pytest.raises(BadInput, match=rf"trials\.jsonl:3:1: not a logged trial: .*{told}.*; delete this line"):
        run_study(study(12), FakeProblem(), out=folder, resume=True)
    with pytest.raises(BadInput, match=r"trials\.jsonl:3:1: .*delete this line"):
        Findings.read(folder)


def test_a_logged_trial_of_another_design_is_refused_by_line(folder):
    edit_line(folder, lambda data: data["values"].pop("net.wide"))
    told = r"jsonl:3: trial 2 is another design .*net\.wide is not chosen, not .*line was edited.*delete the line"
    with pytest.raises(BadInput, match=told):
        run_study(study(12), FakeProblem(), out=folder, resume=True)


def test_a_folder_of_a_study_and_one_of_several_seeds_are_not_mixed(folder, tmp_path):
    with pytest.raises(BadInput, match=r"holds a study's trials already.*name another folder"):
        search_repeats("edge_imagenet", 2, out=folder)
    seeds = tmp_path / "seeds"
    run_study(study(3), FakeProblem(), out=seeds / "seed_1")
    for resume in (False, True):
        with pytest.raises(BadInput, match=r"holds a repeated study's trials already.*go on with --repeats"):
            run_study(study(3), FakeProblem(), out=seeds, resume=resume)
    assert [path.name for path in seeds.iterdir()] == ["seed_1"]


def test_a_folder_of_a_version_with_fewer_settings_is_taken_over(folder):
    whole = (folder / "trials.jsonl").read_text()

    def older(data):
        data["fingerprint"] = "made of fewer settings"
        for name in ("study_digest", "files"):
            del data[name]
        del data["baseline"]["edp"]

    edit_json(folder / "context.json", older)
    run_study(study(12), FakeProblem(), out=folder, resume=True)
    assert (folder / "trials.jsonl").read_text() == whole
    assert json.loads((folder / "context.json").read_text())["fingerprint"] == study(12).fingerprint()


def test_a_log_without_a_metric_of_today_is_read(folder):
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    for line in lines:
        line["metrics"].pop("edp", None)
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    trials = run_study(study(30), FakeProblem(), out=folder, resume=True).trials()
    assert trials["edp"].isna()[:12].all()
    assert trials["edp"].notna()[12:].any()


def test_a_log_of_a_version_that_kept_other_things_is_refused_by_line(folder):
    lines = (folder / "trials.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    first["generation"] = 0
    (folder / "trials.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    with pytest.raises(BadInput, match=r"jsonl:1:1: .*has another version's 'generation'; delete this line"):
        run_study(study(12), FakeProblem(), out=folder, resume=True)


def test_a_context_of_another_version_is_a_clear_error(folder):
    edit_json(folder / "context.json", lambda data: data.update(colour="blue"))
    with pytest.raises(BadInput, match="cannot be read as a study's context"):
        run_study(study(12), FakeProblem(), out=folder, resume=True)


def test_a_lost_context_is_a_clear_error(folder):
    (folder / "context.json").unlink()
    with pytest.raises(BadInput, match=r"no study's folder \(context\.json is missing\)"):
        run_study(study(12), FakeProblem(), out=folder, resume=True)


def test_a_file_the_study_names_may_not_change_between_runs(tmp_path):
    chip = tmp_path / "chip.yaml"
    chip.write_text("one")
    hardware = study().hardware.model_copy(update={"accelerator": str(chip)})
    spec = study(4).model_copy(update={"hardware": hardware})
    problem, out = FakeProblem(), tmp_path / "out"
    run_study(spec, problem, out=out)
    run_study(spec, problem, out=out, resume=True)
    chip.write_text("two")
    with pytest.raises(BadInput, match=r"chip\.yaml was edited since these trials were made"):
        run_study(spec, problem, out=out, resume=True)


def refuses_an_edit(spec, edited, tmp_path):
    """Whether a study goes on as long as a file stays, and no longer."""
    run_study(spec, FakeProblem(), out=tmp_path / "out")
    run_study(spec, FakeProblem(), out=tmp_path / "out", resume=True)
    edited.write_text(edited.read_text() + "\n# a word\n")
    with pytest.raises(BadInput, match=rf"{edited.name} was edited since these trials were made"):
        run_study(spec, FakeProblem(), out=tmp_path / "out", resume=True)


def test_a_file_in_a_list_may_not_change_between_runs(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("one")
    hardware = study().hardware.model_copy(update={"dataflow": ["free", str(rules)]})
    refuses_an_edit(study(4).model_copy(update={"hardware": hardware}), rules, tmp_path)


def test_a_recipe_may_not_change_between_runs(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("one")
    network = NetworkPart(space="mobilenet_ibn", recipe={"name": ["imagenet_90", str(recipe)]})
    refuses_an_edit(study(4).model_copy(update={"network": network}), recipe, tmp_path)


def test_a_table_of_the_reference_data_may_not_change_between_runs_but_may_be_moved(tmp_path, monkeypatch):
    here, there = tmp_path / "here" / "mine.csv", tmp_path / "there" / "mine.csv"
    here.parent.mkdir()
    here.write_text("one")
    monkeypatch.setenv("DOVETAIL_REFERENCE", str(here.parent))
    accuracy = AccuracyPart(source="table", path="reference:mine.csv", key="arch", accuracy="top1")
    spec = study(4).model_copy(update={"accuracy": accuracy})
    run_study(spec, FakeProblem(), out=tmp_path / "out")
    here.parent.rename(there.parent)
    monkeypatch.setenv("DOVETAIL_REFERENCE", str(there.parent))
    run_study(spec, FakeProblem(), out=tmp_path / "out", resume=True)
    there.write_text("two")
    with pytest.raises(BadInput, match=r"reference:mine\.csv was edited since these trials were made"):
        run_study(spec, FakeProblem(), out=tmp_path / "out", resume=True)


@pytest.mark.parametrize("edited", ["top.yaml", "below.yaml", "recipe.yaml"])
def test_no_file_that_a_space_is_made_of_may_change_between_runs(tmp_path, edited):
    (tmp_path / "top.yaml").write_text("{name: top, space: middle.yaml, only: {net.resolution: [160]}}")
    (tmp_path / "middle.yaml").write_text("{name: middle, space: below.yaml}")
    (tmp_path / "below.yaml").write_text("{name: below, space: mobilenet_ibn, recipe: {name: [recipe.yaml]}}")
    (tmp_path / "recipe.yaml").write_text(shipped("training")["imagenet_90"].read_text())
    network = NetworkPart(space=str(tmp_path / "top.yaml"))
    assert networks_of(network).space.choice("net.recipe.name").options == (str(tmp_path / "recipe.yaml"),)
    refuses_an_edit(study(4).model_copy(update={"network": network}), tmp_path / edited, tmp_path)


@pytest.mark.parametrize("place", ["own_watched:top1", "own_package.inner:top1"])
def test_the_module_a_study_calls_may_not_change_between_runs(tmp_path, monkeypatch, place):
    (tmp_path / "own_package").mkdir()
    for name in ("own_watched.py", "own_package/__init__.py", "own_package/inner.py"):
        (tmp_path / name).write_text("def top1(network, values):\n    return 70.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = study(4).model_copy(update={"accuracy": AccuracyPart(source="function", function=place)})
    refuses_an_edit(spec, tmp_path / f"{place.partition(':')[0].replace('.', '/')}.py", tmp_path)


class Wandering(FakeProblem):
    """Leaves the working directory while it judges."""

    def evaluate(self, values):
        os.chdir("/")
        return super().evaluate(values)


def test_what_changes_the_working_directory_moves_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "_problem", lambda spec: Wandering())
    (tmp_path / "mine.yaml").write_text(study_text(study(4)))
    assert search("mine.yaml", out="out").out == tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    search_repeats("mine.yaml", 2, out="seeds")
    monkeypatch.chdir(tmp_path)
    assert main(["cosearch", "run", "mine.yaml", "--out", "third", "--workers", "1", "--json", "told.json"]) == 0
    assert sorted(path.name for path in (tmp_path / "seeds").glob("seed_*")) == ["seed_1", "seed_2"]
    assert (tmp_path / "told.json").is_file()


@pytest.mark.parametrize("where", [0.1, 0.35, 0.5, 0.77, 0.999])
def test_a_log_cut_anywhere_ends_like_an_unbroken_one(folder, where):
    whole = run_study(study(12), FakeProblem()).trials().drop(columns="wall_s")
    content = (folder / "trials.jsonl").read_bytes()
    (folder / "trials.jsonl").write_bytes(content[: int(where * len(content))])
    resumed = run_study(study(12), FakeProblem(), out=folder, resume=True).trials().drop(columns="wall_s")
    assert resumed.equals(whole)
    assert len((folder / "trials.jsonl").read_text().splitlines()) == 12


def test_a_folder_may_be_moved(folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    assert len(run_study(study(14), FakeProblem(), out=tmp_path / "elsewhere", resume=True).finished) == 14


def test_claiming_nothing_asks_for_nothing(tmp_path):
    context = run_study(study(2), FakeProblem()).context
    claim(tmp_path, study(2), context, [])
    assert pd.Series(sorted(path.name for path in tmp_path.iterdir())).tolist() == ["context.json", "study.yaml"]
