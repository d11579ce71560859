"""Validation suites: what their figures mean, and what the first one says of the zoo."""

from __future__ import annotations

import json

import pytest

from dovetail.cosearch.cli import main
from dovetail.cosearch.validate import Case, SuiteResult, reference_folder, validate
from dovetail.errors import BadInput, UnknownName

CONTRACT = {
    "suite", "rows", "quantity", "mape_pct", "median_error_pct", "spearman", "kendall", "published_bar",
    "calibrated_constants",
}  # fmt: skip


def suite(*pairs: tuple[float, float], bar_pct: float | None = None) -> SuiteResult:
    cases = tuple(Case(f"case {index}", published, modelled) for index, (published, modelled) in enumerate(pairs))
    return SuiteResult("trial", "cycles", cases, "none", bar_pct=bar_pct)


def test_errors_are_relative_to_the_published_figure():
    result = suite((100, 110), (100, 80), (200, 200), bar_pct=10)
    assert result.mape_pct == pytest.approx(10)
    assert result.median_error_pct == pytest.approx(0)
    assert result.within_bar == 2


def test_rank_correlations_look_only_at_the_order():
    assert suite((1, 10), (2, 300), (3, 4000)).spearman == pytest.approx(1)
    assert suite((1, 3), (2, 2), (3, 1)).kendall == pytest.approx(-1)


def test_a_single_case_has_no_rank_correlation_and_null_in_json():
    assert suite((1, 1)).spearman != suite((1, 1)).spearman


def test_a_suite_without_cases_is_refused():
    with pytest.raises(BadInput, match="no case"):
        suite()


def test_an_unknown_suite_is_refused():
    with pytest.raises(UnknownName, match="networks"):
        validate("network")


def test_a_named_reference_folder_must_exist(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no folder"):
        reference_folder(tmp_path / "none")
    monkeypatch.setenv("DOVETAIL_REFERENCE", str(tmp_path))
    assert reference_folder(None) == tmp_path


def test_every_published_count_is_compared_once():
    for result in validate("networks"):
        compared = [(case.name, case.remark) for case in result.cases]
        assert len(set(compared)) == len(compared)


def test_the_zoo_agrees_with_torchvision_within_one_percent(reference):
    for result in validate("networks", reference=reference):
        cases = [case for case in result.cases if "torchvision" in case.remark]
        assert len(cases) >= 5
        assert max(abs(case.error_pct) for case in cases) < 1


def test_the_report_uses_the_contracts_names(capsys):
    assert main(["validate", "--json", "-"]) == 0
    suites = json.loads(capsys.readouterr().out)
    assert all(set(entry) >= CONTRACT for entry in suites)
