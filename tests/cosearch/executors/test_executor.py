import pandas as pd
import pytest
from payers import PayingProblem, paying_study

from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.cosearch.executors.executor import Executor
from dovetail.cosearch.executors.pool import Pool
from dovetail.cosearch.executors.workers import Here
from dovetail.cosearch.studies.run import run_study
from dovetail.cosearch.studies.trial import REFUSED, Proposal, Trial, TrialResult
from dovetail.errors import BadInput


def proposals(*points):
    return [Proposal(number, {"net.a": a, "hw.b": b}) for number, (a, b) in enumerate(points)]


def finished(problem, points, workers=None, learn=()):
    with Executor(workers or Here(problem), problem.network_key) as executor:
        executor.learn(learn)
        return sorted(executor.run(proposals(*points)), key=lambda trial: trial.number)


def paid(trials):
    return [trial.result.metrics.get("accuracy_macs") for trial in trials]


def test_a_networks_accuracy_is_paid_for_once(tmp_path):
    problem = PayingProblem(tmp_path / "asked")
    trials = finished(problem, [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)])
    assert paid(trials) == [1e6, 2e6, 0.0, 0.0, 0.0]
    assert problem.asked() == ["1", "2"]
    assert len({trial.result.metrics["error_pct"] for trial in trials}) == 2


def test_a_design_turned_away_before_its_accuracy_pays_nothing_and_the_next_one_does(tmp_path):
    problem = PayingProblem(tmp_path / "asked")
    assert paid(finished(problem, [(1, 9), (1, 1), (1, 2)])) == [None, 1e6, 0.0]


def test_a_design_met_again_costs_nothing(tmp_path):
    problem = PayingProblem(tmp_path / "asked")
    assert paid(finished(problem, [(1, 1), (1, 1), (1, 1)])) == [1e6, 0.0, 0.0]
    assert problem.asked() == ["1"]


def test_who_pays_does_not_depend_on_the_number_of_workers(tmp_path):
    points = [(n % 3, m) for m in (9, 1, 2, 3) for n in range(6)]
    alone = finished(PayingProblem(tmp_path / "alone"), points)
    problem = PayingProblem(tmp_path / "side by side")
    beside = finished(problem, points, Pool(problem, 3))
    assert [trial.result.metrics for trial in alone] == [trial.result.metrics for trial in beside]
    assert sorted(problem.asked()) == ["0", "1", "2"]


def test_what_an_earlier_run_paid_for_is_known(tmp_path):
    problem = PayingProblem(tmp_path / "asked")
    first = Trial(-1, {"net.a": 1, "hw.b": 5}, problem.evaluate({"net.a": 1, "hw.b": 5}))
    trials = finished(problem, [(1, 1), (1, 5)], learn=[first])
    assert paid(trials) == [0.0, 0.0]
    assert problem.asked() == ["1"]


def test_a_known_accuracy_is_passed_on_to_the_digit(tmp_path):
    problem = PayingProblem(tmp_path / "asked")
    result = problem.evaluate({"net.a": 1, "hw.b": 5}, Accuracy(100 - 33.3333, 1 / 3))
    assert (result.metrics["error_pct"], result.metrics["error_sigma_pct"]) == (33.3333, 1 / 3)


@pytest.mark.parametrize(("most", "workers"), [(1, 1), (4, 1), (7, 1), (7, 2)])
def test_no_more_accuracies_are_paid_for_than_the_budget_allows(tmp_path, most, workers):
    problem = PayingProblem(tmp_path / "asked")
    result = run_study(paying_study(most), problem, workers=workers)
    assert len(problem.asked()) == len(set(problem.asked())) == most
    alone = run_study(paying_study(most), PayingProblem(tmp_path / "alone"))
    left, right = (each.trials().drop(columns="wall_s") for each in (result, alone))
    assert left.equals(right)
    assert left["number"].tolist() == list(range(len(left)))


def test_a_budget_of_accuracies_ends_at_the_same_trial_after_a_resume(tmp_path):
    whole = run_study(paying_study(9), PayingProblem(tmp_path / "1")).trials().drop(columns="wall_s")
    problem = PayingProblem(tmp_path / "2")
    run_study(paying_study(4), problem, out=tmp_path / "out")
    resumed = run_study(paying_study(9), problem, out=tmp_path / "out", resume=True).trials().drop(columns="wall_s")
    assert resumed.equals(whole)
    assert len(problem.asked()) == 9


def test_a_study_without_accuracies_has_none_to_count(tmp_path):
    class Without(PayingProblem):
        def network_key(self, values):
            return None

    with pytest.raises(BadInput, match=r"budget\.accuracy_evaluations: this study asks for no network's accuracy"):
        run_study(paying_study(3), Without(tmp_path / "asked"))


def test_a_smaller_budget_of_accuracies_reports_only_its_trials_and_loses_none(tmp_path):
    problem = PayingProblem(tmp_path / "asked")
    run_study(paying_study(9), problem, out=tmp_path / "out")
    logged = (tmp_path / "out" / "trials.jsonl").read_text()
    smaller = run_study(paying_study(4), problem, out=tmp_path / "out", resume=True)
    assert len(pd.read_csv(tmp_path / "out" / "trials.csv")) == len(smaller.finished) < len(logged.splitlines())
    assert (tmp_path / "out" / "trials.jsonl").read_text() == logged


class Refusing(PayingProblem):
    """No network of an odd number has an accuracy."""

    def evaluate(self, values, accuracy=None):
        if values["net.a"] % 2 and values["hw.b"] <= 7:
            if accuracy is None:
                super().evaluate(values)
            reason = accuracy.reason if accuracy else f"no accuracy for {values['net.a']}"
            return TrialResult("infeasible", {"area_mm2": 1.0, **REFUSED}, reason)
        return super().evaluate(values, accuracy)


def test_a_refused_accuracy_is_asked_for_once_and_counts(tmp_path):
    problem = Refusing(tmp_path / "asked")
    trials = finished(problem, [(1, 9), (1, 1), (1, 2), (2, 1), (1, 3)])
    assert sorted(problem.asked()) == ["1", "2"]
    assert [trial.result.reason for trial in trials if trial.result.status == "infeasible"] == 3 * ["no accuracy for 1"]
    again = Refusing(tmp_path / "again")
    finished(again, [(3, 9), (3, 9), (3, 9), (3, 9), (3, 9), (1, 4)], learn=trials)
    assert again.asked() == []
    counted = Refusing(tmp_path / "counted")
    run_study(paying_study(5), counted)
    assert len(counted.asked()) == len(set(counted.asked())) == 5
