import pytest
from payers import PayingProblem, paying_study

from dovetail.cosearch.life.deployment import Deployment
from dovetail.cosearch.life.search_energy import search_energy, training_j_per_mac
from dovetail.cosearch.life.spent import SearchCost, search_entries
from dovetail.cosearch.studies.files import Context
from dovetail.cosearch.studies.run import run_study
from dovetail.cosearch.studies.trial import Trial, TrialResult
from dovetail.errors import BadInput, UnknownName


def trial(number, macs, status="ok", design=None, wall_s=3.0):
    metrics = {"accuracy_macs": macs} | ({"latency_s": 1.0} if status == "ok" else {})
    return Trial(number, {"net.a": number if design is None else design}, TrialResult(status, metrics, wall_s=wall_s))


def test_each_mapped_design_takes_the_host_once_and_accuracies_the_training_hardware():
    trials = [trial(0, 2e15), trial(1, 1e15), trial(2, 0.0, design=1), trial(3, 0.0, "constraint")]
    cost = search_energy(trials, {"accuracy_macs": 4e15}, host_power_w=50.0, trial_s=3.0)
    assert cost.trials * cost.trial_j == pytest.approx(2 * 3.0 * 50.0)
    assert cost.accuracy_j == pytest.approx(7e15 * training_j_per_mac("a100"))


def test_measured_seconds_are_counted_when_asked_for():
    cost = search_energy([trial(0, 0.0), trial(1, 0.0)], {}, trial_s=None)
    assert (cost.trials * cost.trial_j, cost.accuracy_j) == (600.0, 0.0)


def test_no_trials_cost_nothing():
    assert search_energy([], {}) == SearchCost(0)


def test_a_multiply_accumulate_of_training_takes_about_a_picojoule_on_todays_hardware():
    assert 0.5e-12 < training_j_per_mac("h100") < training_j_per_mac("a100") < 5e-12


def test_two_runs_of_one_study_cost_the_same(tmp_path):
    first, second = (run_study(paying_study(6), PayingProblem(tmp_path / name)) for name in "ab")
    assert first.search_cost() == second.search_cost()
    assert first.search_cost().accuracy_j > 0


class PreparedProblem(PayingProblem):
    preparation_macs = 5e15


def test_what_came_before_the_first_accuracy_is_counted_once_and_kept_in_the_folder(tmp_path):
    plain = run_study(paying_study(6), PayingProblem(tmp_path / "a")).search_cost().accuracy_j
    out, problem = tmp_path / "out", PreparedProblem(tmp_path / "b")
    prepared = run_study(paying_study(6), problem, out=out).search_cost().accuracy_j
    assert prepared - plain == pytest.approx(5e15 * training_j_per_mac("a100"))
    assert Context.read(out / "context.json").preparation_macs == 5e15
    assert "kWh on an A100" in (out / "report.html").read_text()


def test_accuracies_are_in_the_life_cycles_search_phase():
    deployment = Deployment(pue=1.5)
    (entry,), (note,) = search_entries(SearchCost(10, 2.0, accuracy_j=3.6e6), (), deployment)
    assert entry.phase == "search"
    assert entry.amount.energy_j == pytest.approx(1.5 * (20.0 + 3.6e6))
    assert note == "search: 10 trials of 2 J and 3.6 MJ for accuracies"


def test_wrong_powers_and_unknown_hardware_are_refused():
    with pytest.raises(BadInput, match=r"host_power_w = -1\.0"):
        search_energy([], {}, host_power_w=-1.0)
    with pytest.raises(BadInput, match=r"host_power_w = 'a'"):
        search_energy([], {}, host_power_w="a")
    with pytest.raises(UnknownName, match="nosuch"):
        search_energy([], {}, training_hardware="nosuch")
    with pytest.raises(UnknownName, match="nosuch"):
        search_energy([trial(0, 1.0)], {}, training_hardware="nosuch")
