import io
import sys

import numpy as np
import pytest
from payers import PayingProblem, paying_study
from rich.console import Console
from study_fakes import FakeProblem, study

from dovetail.cosearch.cli import study_progress as progress_module
from dovetail.cosearch.cli.study_progress import standing_text, study_progress
from dovetail.cosearch.studies.pareto import hypervolume
from dovetail.cosearch.studies.run import run_study
from dovetail.cosearch.studies.spec import Budget
from dovetail.cosearch.studies.standing import Scoreboard, Standing
from dovetail.cosearch.studies.trial import Trial, TrialResult

OBJECTIVES = ["latency_s", "energy_j", "error_pct"]


def standings(problem, spec):
    seen = []
    result = run_study(spec, problem, watch=seen.append)
    return result, seen


def test_the_last_standing_is_the_result():
    result, seen = standings(FakeProblem(), study(30))
    front, last = result.front(), seen[-1]
    assert [standing.done for standing in seen] == list(range(1, 31))
    assert sorted(map(tuple, last.front)) == sorted(map(tuple, front[OBJECTIVES].to_numpy()))
    assert last.best == {name: front[name].min() for name in OBJECTIVES}
    corner = [2 * result.baseline[name] for name in OBJECTIVES]
    assert last.hypervolume == pytest.approx(hypervolume(front[OBJECTIVES], corner) / np.prod(corner))


def test_hypervolume_and_best_never_get_worse():
    _, seen = standings(FakeProblem(), study(30))
    assert np.all(np.diff([standing.hypervolume for standing in seen]) >= 0)
    assert np.all(np.diff([standing.best["latency_s"] for standing in seen]) <= 0)


def test_accuracies_are_counted_as_they_are_paid_for(tmp_path):
    _, seen = standings(PayingProblem(tmp_path / "asked"), paying_study(5))
    assert (seen[-1].accuracies, seen[-1].most) == (5, 5)
    assert "accuracies found: 5 of 5" in standing_text(seen[-1])


def test_without_a_feasible_design_there_is_nothing_to_show():
    board = Scoreboard(OBJECTIVES, {}, Budget(trials=3))
    standing = board.show(Trial(0, {}, TrialResult("infeasible")), 0)
    assert (standing.hypervolume, standing_text(standing)) == (0.0, "no feasible design yet")


def test_without_a_baseline_the_first_feasible_design_sets_the_corner():
    board = Scoreboard(["latency_s"], {}, Budget(trials=3))
    standing = board.show(Trial(0, {}, TrialResult("ok", {"latency_s": 4.0})), 0)
    assert (standing.reference, standing.hypervolume) == ((8.0,), 0.5)


def test_a_standing_is_one_line_with_units():
    best = {"latency_s": 1e-3, "energy_j": 5e-3, "error_pct": 27.5}
    standing = Standing(3, 10, 0, None, np.array([list(best.values())]), best, (2e-3, 1e-2, 55.0))
    assert standing_text(standing) == "front: 1; hypervolume: 12.50%; best: latency 1 ms, energy 5 mJ, error 27.5 %"


def test_a_terminal_shows_the_bar_and_the_standing(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress_module, "console", lambda _: Console(file=screen, force_terminal=True, width=120))
    with study_progress("my [study]") as watch:
        run_study(study(12), FakeProblem(), watch=watch)
    assert "my [study]" in screen.getvalue()
    assert "hypervolume:" in screen.getvalue()


def test_what_is_no_terminal_gets_no_bar(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    with study_progress("study") as watch:
        assert watch is None
