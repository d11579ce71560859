import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput, CannotDo


@pytest.fixture(scope="module")
def result():
    return run_study(study(trials=60, report="{}"), FakeProblem())


def test_a_notebook_shows_the_verdict_the_front_and_its_first_designs(result):
    shown = result._repr_html_()
    assert "designs on the front" in shown
    assert "data:image/png;base64," in shown
    assert "fake &lt;study&gt;" in shown
    assert "Latency (ms)" in shown


def test_front_can_be_drawn_over_any_two_metrics(result):
    ax = result.plot_front("area_mm2", "error_pct")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Area (mm²)", "Top-1 error (%)")
    assert result.plot_front(y="error_pct").get_xlabel() == "Latency (ms)"


def test_front_of_a_metric_that_is_not_there_is_bad_input(result):
    with pytest.raises(BadInput, match="no column 'speed'; the objectives are latency_s, energy_j, error_pct"):
        result.plot_front("speed")
    with pytest.raises(BadInput, match="two different metrics"):
        result.plot_front("edp", "edp")
    with pytest.raises(BadInput, match="'status' holds words, not numbers; draw metrics such as latency_s"):
        result.plot_front("status", "latency_s")


def test_importance_is_a_table_of_shares_with_errors_the_largest_first(result):
    table = result.importance()
    assert list(table.columns[:3]) == ["choice", "latency_s", "latency_s_error"]
    assert set(table["choice"]) <= set(result.trials().columns)
    means = table[["latency_s", "energy_j", "error_pct"]].mean(axis=1)
    assert means.is_monotonic_decreasing


def test_ablation_of_a_result_in_memory_is_worked_out_when_asked_for(result):
    ablation = result.ablation()
    path = ablation[ablation["kind"].isin(["start", "path"])]
    assert path["score"].iloc[-1] < path["score"].iloc[0]


def test_ablation_without_a_feasible_design_cannot_be_had():
    nothing = run_study(study(trials=8), FakeProblem(limits={"area_mm2": 0.1}))
    with pytest.raises(CannotDo, match="no way leads"):
        nothing.ablation()
    assert "No feasible design" in nothing._repr_html_()


def test_card_has_ten_criteria_and_says_what_is_not_known(result):
    card = result.card()
    names = [row.name for row in card.rows]
    assert len(names) == len(set(names)) == 10
    assert "hypervolume" in card["Quality"].figure
    assert card["Stability"].known is False
    assert "60 trials" in card["Efficiency"].detail
    assert card.frame()["criterion"].tolist() == names
    assert "<table>" in card._repr_html_()


def test_convergence_and_importance_are_drawn_into_given_axes(result):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert result.plot_convergence("latency_s", "evaluations", ax=ax) is ax
    assert ax.get_xlabel() == "accuracies asked for"
    other = Figure().subplots()
    assert result.plot_importance(5, ax=other) is other
    assert len(other.get_yticklabels()) == 5


def test_figures_go_to_pdf_with_text_that_stays_text(result, tmp_path):
    result.plot_importance().figure.savefig(tmp_path / "importance.pdf")
    assert (tmp_path / "importance.pdf").stat().st_size > 2000
