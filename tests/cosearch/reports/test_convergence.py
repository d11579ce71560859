import numpy as np
import pandas as pd
import pytest

from dovetail.cosearch.reports.analysis.convergence import accuracy_evaluations, band, convergence_info
from dovetail.cosearch.reports.figures.progress import plot_convergence
from dovetail.cosearch.reports.findings import Findings
from dovetail.cosearch.studies.files import Context
from dovetail.cosearch.studies.load import load_study
from dovetail.cosearch.studies.tables import trials_frame
from dovetail.cosearch.studies.trial import Trial, TrialResult
from dovetail.errors import BadInput

TRIALS = pd.DataFrame({
    "number": range(5), "status": ["ok", "constraint", "ok", "ok", "ok"],
    "latency_s": [4.0, np.nan, 3.0, 5.0, 2.0], "error_pct": [30.0, 20.0, 28.0, 27.0, 28.0],
    "net.a": [1, 2, 3, 3, 1], "hw.x": [1, 1, 1, 2, 2],
})  # fmt: skip


def info():
    return convergence_info(TRIALS, ["latency_s", "error_pct"], [8.0, 40.0], {"latency_s": 4.0, "error_pct": 30.0})


def test_best_so_far_takes_no_trial_that_broke_a_limit():
    found = info()
    assert found.best["latency_s"].tolist() == [4.0, 4.0, 3.0, 3.0, 2.0]
    assert found.best["error_pct"].tolist() == [30.0, 30.0, 28.0, 27.0, 27.0]


def test_hypervolume_is_a_share_of_the_box_and_never_falls():
    found = info().hypervolume_pct
    assert found[0] == pytest.approx(100 * (4 * 10) / (8 * 40))
    assert (np.diff(found) >= 0).all()


def test_a_network_met_again_costs_no_accuracy():
    assert accuracy_evaluations(TRIALS).tolist() == [1, 2, 3, 3, 3]


def test_trials_turned_away_before_their_accuracy_was_asked_cost_none():
    trials = TRIALS.assign(error_pct=[30.0, np.nan, 28.0, 27.0, 28.0])
    assert accuracy_evaluations(trials).tolist() == [1, 1, 2, 2, 2]


def test_a_network_without_an_accuracy_was_asked_about_too():
    trials = TRIALS.assign(error_pct=[30.0, np.nan, 28.0, 27.0, 28.0], accuracy_macs=[0.0, 0.0, 0.0, 0.0, 0.0])
    assert accuracy_evaluations(trials).tolist() == [1, 2, 3, 3, 3]


def test_networks_that_differ_in_stated_losses_alone_are_asked_about_once(tmp_path):
    (tmp_path / "study.yaml").write_text(
        "name: mine\nnetwork: {space: mobilenet_v2, exits: {s4: {share: 0.5, loss_pct: 1}}}\n"
        "hardware: {accelerator: edge_tpu, search: [pes_x]}\naccuracy: {source: published_imagenet}\n"
        "budget: {trials: 3}\n"
    )
    spec = load_study(tmp_path / "study.yaml")
    metrics = {"latency_s": 1.0, "energy_j": 1.0, "error_pct": 30.0}
    values = [
        {"net.s1.width": width, "net.exit.s4": leaves} for width, leaves in ((1.0, False), (1.0, True), (0.5, True))
    ]
    trials = [Trial(number, point, TrialResult("ok", metrics)) for number, point in enumerate(values)]
    findings = Findings(spec, Context("0"), trials_frame(trials, spec.objectives))
    assert findings.stated == {"net.exit.s4"}
    assert findings.convergence.evaluations.tolist() == [1, 1, 2]


def test_one_network_with_stated_losses_alone_was_asked_about_once():
    assert accuracy_evaluations(TRIALS, {"net.a"}).tolist() == [1, 1, 1, 1, 1]
    assert accuracy_evaluations(TRIALS.drop(columns="net.a")).tolist() == [0, 0, 0, 0, 0]


def test_ninety_five_per_cent_of_the_hypervolume_is_reached_at_some_trial():
    assert info().reached(0.95) == 5
    assert info().reached(0.1) == 1


def test_no_trials_are_no_history():
    empty = convergence_info(TRIALS.head(0), ["latency_s", "error_pct"], [8.0, 40.0], {})
    assert len(empty.hypervolume_pct) == 0
    assert empty.reached(0.95) == 0


def test_the_band_of_several_runs_ends_where_the_shortest_does():
    found = band([np.array([1, 2, 3, 4]), np.array([1, 3])], [np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 5.0])])
    assert found.x.tolist() == [1.0, 2.0, 3.0]
    assert found.mean.tolist() == [1.0, 1.5, 4.0]
    half = 12.706 * np.std([3.0, 5.0], ddof=1) / np.sqrt(2)
    assert found.high[-1] == pytest.approx(4.0 + half, rel=1e-4)


def test_a_quantity_that_is_not_there_is_bad_input():
    with pytest.raises(BadInput, match="choose one of hypervolume, latency_s, error_pct"):
        plot_convergence([info()], "energy_j")
    with pytest.raises(BadInput, match="'trials' or 'evaluations'"):
        plot_convergence([info()], over="hours")
