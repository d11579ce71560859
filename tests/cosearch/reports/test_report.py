import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from study_fakes import FakeProblem, study

from dovetail.cosearch.reports.figures import front_info, plot_front
from dovetail.cosearch.reports.html_parts import chart_block
from dovetail.cosearch.reports.report import report
from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects elements and attributes, and complains about tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts, self.charts = [], [], [], 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *attr) for attr in attrs]
        self.charts += ("class", "chart") in attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.texts.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    run_study(study(trials=60), FakeProblem(), out=out)
    return out


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_page_is_whole_and_asks_for_nothing_from_elsewhere(folder, page):
    assert page.charts >= 6
    loaded = [a for a in page.attributes if a[1] in ("src", "href", "action", "data", "srcset")]
    assert [a for a in loaded if not a[2].startswith("#")] == []
    style = re.search(r"<style>.*?</style>", (folder / "report.html").read_text(), re.DOTALL).group()
    assert "url(" not in style
    assert "@import" not in style


def test_texts_of_the_study_cannot_become_markup(folder, page):
    text = "".join(page.texts)
    assert "fake <study>" in text
    assert "A study & its description" in text
    assert "conv<1>" in text
    assert "exceeds <limit>" in text
    raw = (folder / "report.html").read_text()
    assert "<study>" not in raw
    assert "<limit>" not in raw


def test_page_names_the_accuracys_error_the_seed_and_the_chosen_designs(page):
    text = "".join(page.texts)
    for expected in ("cross-validated error 1.5", "Balanced", "Fastest", "Most frugal", "Most accurate", " MB"):
        assert expected in text


def test_report_is_made_again_from_the_folder_alone(folder):
    before = {name: (folder / name).read_text() for name in ("report.html", "trials.csv", "front.csv")}
    for name in before:
        (folder / name).unlink()
    assert report(folder) == folder / "report.html"
    assert {name: (folder / name).read_text() for name in before} == before


def test_report_of_an_unfinished_study_says_so(folder, tmp_path):
    for name in ("study.yaml", "context.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "trials.jsonl").write_text("".join((folder / "trials.jsonl").read_text().splitlines(True)[:9]))
    assert "9 of 60" in "".join(Page(report(tmp_path).read_text()).texts)


def test_report_without_a_feasible_design_lists_the_reasons(tmp_path):
    problem = FakeProblem(limits={"area_mm2": 0.1})
    run_study(study(trials=9), problem, out=tmp_path)
    text = "".join(Page((tmp_path / "report.html").read_text()).texts)
    assert "No feasible design" in text
    assert "exceeds <limit>" in text
    assert len(pd.read_csv(tmp_path / "front.csv")) == 0


def test_report_of_a_folder_without_a_study_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"study\.yaml is missing"):
        report(tmp_path)


def test_front_info_holds_the_feasible_trials_in_units_for_people(folder):
    result = run_study(study(trials=20), FakeProblem())
    trials = result.trials()
    info = front_info(trials, result.spec.objectives, result.baseline)
    feasible = trials[trials["status"] == "ok"]
    np.testing.assert_allclose(info.values[0], feasible["latency_s"] * 1e3)
    assert info.baseline[0] == pytest.approx(result.baseline["latency_s"] * 1e3)
    assert info.on_front.sum() == len(result.front())


def test_front_is_drawn_into_given_axes_with_labelled_units(folder):
    from matplotlib.figure import Figure

    result = run_study(study(trials=20), FakeProblem())
    ax = Figure().subplots()
    assert plot_front(front_info(result.trials(), result.spec.objectives, result.baseline), ax) is ax
    assert ax.get_xlabel() == "Latency (ms)"


def test_front_of_other_columns_is_bad_input():
    with pytest.raises(BadInput, match="no column 'latency_s'"):
        front_info(pd.DataFrame({"status": ["ok"], "on_front": [True]}), ["latency_s"])


def test_designs_turned_away_are_shown_without_a_click(page):
    assert ("details", "open", None) in page.attributes
    assert any("exceeds <limit>" in text for text in page.texts)


class FaultlessProblem(FakeProblem):
    """No design has any error."""

    def evaluate(self, values):
        result = super().evaluate(values)
        return replace(result, metrics={**result.metrics, "error_pct": 0.0})


def test_an_objective_that_is_zero_for_every_design_is_reported(tmp_path):
    run_study(study(trials=8), FaultlessProblem(), out=tmp_path)
    assert "1 where that is 0" in (tmp_path / "report.html").read_text(encoding="utf-8")


class LookedUpProblem(FakeProblem):
    """Accuracies are known, not predicted."""

    def evaluate(self, values):
        result = super().evaluate(values)
        return replace(result, metrics={**result.metrics, "error_sigma_pct": 0.0})


def test_an_accuracy_that_is_looked_up_is_not_called_predicted(tmp_path):
    run_study(study(trials=20), LookedUpProblem(), out=tmp_path)
    text = "".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).texts)
    assert "predicted, ±" not in text
    assert "standard error of the predicted accuracy" not in text


def test_a_first_design_over_a_limit_starts_no_line_and_is_reported(tmp_path, recwarn):
    run_study(study(report="{figures: false, ablation: 40}"), FakeProblem(limits={"area_mm2": 6.0}), out=tmp_path)
    assert pd.read_csv(tmp_path / "ablation.csv").query("kind == 'start'")["latency_s"].isna().all()
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "NaN" not in "".join(re.findall(r"<script type='application/json'>(.*?)</script>", text))
    assert [one for one in recwarn if issubclass(one.category, RuntimeWarning)] == []


def test_a_chart_has_null_for_what_is_not_finite():
    assert '{"y":[1.5,null,null],"z":{"a":null}}' in chart_block(
        {"y": (1.5, float("nan"), float("inf")), "z": {"a": np.float64("nan")}}, 100
    )
