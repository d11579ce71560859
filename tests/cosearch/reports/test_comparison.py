from dataclasses import replace

import numpy as np
import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.cli import main
from dovetail.cosearch.reports.comparison import _run, compare_runs, plot_comparison
from dovetail.cosearch.reports.findings import Findings
from dovetail.cosearch.studies.log import TrialLog
from dovetail.cosearch.studies.pareto import hypervolume
from dovetail.cosearch.studies.run import run_study
from dovetail.cosearch.studies.trial import Trial
from dovetail.errors import BadInput


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for name, trials, seed in (("long", 60, 1), ("short", 12, 2)):
        run_study(study(trials=trials, seed=seed), FakeProblem(), out=root / name)
    return root / "long", root / "short"


def test_a_runs_share_is_its_fronts_hypervolume_over_the_box(folders):
    comparison = compare_runs(folders, draws=20)
    for run in comparison.runs:
        exact = 100 * hypervolume(run.points, comparison.reference) / np.prod(comparison.reference)
        assert run.volume_pct == pytest.approx(exact)
    long, short = comparison.rows()
    assert long["of_first_pct"] == 100.0
    assert short["hypervolume_pct"] < long["hypervolume_pct"]
    assert (long["trials"], short["trials"]) == (60, 12)
    assert long["low_pct"] <= long["drawn_pct"] <= long["high_pct"]


def test_errors_are_drawn_within_their_uncertainty_and_alike_for_one_network(folders):
    twice = compare_runs([folders[0], folders[0]], draws=50)
    first, again = twice.runs
    assert np.array_equal(first.drawn_pct, again.drawn_pct)  # the same networks move together
    assert first.drawn_pct.std() > 0
    assert abs(first.drawn_pct.mean() - first.volume_pct) < 10 * first.drawn_pct.std()
    assert twice.rows()[1]["first_is_larger_pct"] == 0.0


def test_the_picture_has_a_line_for_each_run(folders):
    fronts, volumes = plot_comparison(compare_runs(folders, draws=5))
    assert [text.get_text() for text in fronts.get_legend().get_texts()] == ["baseline", "long", "short"]
    assert len(volumes.patches) == 2


def test_every_run_of_many_has_a_line_and_a_bar_of_its_own(folders):
    fronts, volumes = plot_comparison(compare_runs([folders[0]] * 9, draws=2))
    lines = [lines[0] for lines in fronts.containers]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 9
    assert len(volumes.patches) == 9


class Strict(FakeProblem):
    """Turns designs away by their accuracy."""

    def evaluate(self, values):
        result = super().evaluate(values)
        if result.status != "ok" or result.metrics["error_pct"] < 28:
            return result
        return replace(result, status="constraint", reason="error_pct", violation=0.1)


def test_accuracies_of_designs_turned_away_are_counted_as_in_the_reports(tmp_path):
    run_study(study(trials=40), Strict(), out=tmp_path)
    found = Findings.read(tmp_path)
    kept = found.trials[found.trials["status"] == "ok"]
    for row in compare_runs([tmp_path, tmp_path], draws=2).rows():
        assert row["accuracy_evaluations"] == found.convergence.evaluations[-1]
        assert row["accuracy_evaluations"] > len(kept.drop_duplicates([n for n in kept if n.startswith("net.")]))


class Exiting(FakeProblem):
    """Designs that turn one choice on have another."""

    def evaluate(self, values):
        return super().evaluate({name: value for name, value in values.items() if name != "net.exit"})


def test_a_network_is_the_same_in_runs_where_a_choice_is_always_seldom_and_never_active(tmp_path):
    plain = Exiting().first[0]
    exits = {**plain, "net.exit": 6}
    names = {}
    for name, points in (("always", [exits]), ("seldom", [exits, plain]), ("never", [plain])):
        run_study(study(trials=2), Exiting(), out=tmp_path / name)
        (tmp_path / name / "trials.jsonl").unlink()
        with TrialLog(tmp_path / name / "trials.jsonl") as log:
            for number, values in enumerate(points):
                log.append(Trial(number, values, Exiting().evaluate(values)))
        names[name] = _run(tmp_path / name, Findings.read(tmp_path / name), ["latency_s"])[2]
    assert names["seldom"] == names["always"] + names["never"]
    assert len(set(names["seldom"])) == 2


def test_the_command_prints_and_draws(folders, tmp_path, capsys):
    picture = tmp_path / "c.png"
    assert main(["cosearch", "compare", *map(str, folders), "--figure", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "long" in shown
    assert "short" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("arguments", "complaint"), [
    (["{long}"], "two runs or more"),
    (["{long}", "{long}/nowhere"], "no study's folder"),
    (["{long}", "{short}", "--figure", "c.txt"], "must end in"),
    (["{long}", "{short}", "--figure", "/nowhere/c.png"], "cannot be written"),
])  # fmt: skip
def test_what_cannot_be_compared_is_said(folders, capsys, arguments, complaint):
    given = [text.format(long=folders[0], short=folders[1]) for text in arguments]
    assert main(["cosearch", "compare", *given]) == 2
    assert complaint in capsys.readouterr().err


def test_other_objectives_are_refused(folders, tmp_path):
    other = study(trials=5).model_copy(update={"objectives": ["latency_s", "error_pct"]})
    run_study(other, FakeProblem(), out=tmp_path / "other")
    with pytest.raises(BadInput, match="other objectives"):
        compare_runs([folders[0], tmp_path / "other"])
