"""Validation suites: what their figures mean, and what the first one says of the zoo."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.cosearch.cli import main
from dovetail.cosearch.validation import (
    Case,
    SuiteReport,
    SuiteResult,
    Target,
    load_suite,
    reference_folder,
    run_suites,
)
from dovetail.cosearch.validation.page import page_text, write_page
from dovetail.errors import BadInput, UnknownName

CONTRACT = {
    "suite", "rows", "quantity", "mape_pct", "median_error_pct", "spearman", "kendall", "published_bar",
    "calibrated_constants",
}  # fmt: skip


def suite(*pairs: tuple[float, float], targets: tuple[Target, ...] = ()) -> SuiteResult:
    cases = tuple(Case(f"case {index}", published, modelled) for index, (published, modelled) in enumerate(pairs))
    return SuiteResult("trial", "cycles", cases, "none", targets=targets)


def test_errors_are_relative_to_the_published_figure():
    result = suite((100, 110), (100, 80), (200, 200))
    assert result.mape_pct == pytest.approx(10)
    assert result.median_error_pct == pytest.approx(0)
    assert result.median_abs_error_pct == pytest.approx(10)
    assert result.p90_abs_error_pct == pytest.approx(18)
    assert (result.worst.name, result.within(10)) == ("case 1", 2)


def test_a_target_is_met_or_missed():
    kept, missed = Target("mape_pct", 10.0), Target("each_abs_error_pct", 10.0)
    assert suite((100, 110), (100, 90), targets=(kept, missed)).met is True
    assert suite((100, 120), (100, 100), targets=(kept, missed)).met is False
    assert suite((100, 120)).met is None


def test_equality_is_a_target_of_nothing_off():
    assert suite((7, 7), targets=(Target("each_abs_error_pct", 0.0),)).met
    assert not suite((7, 7.01), targets=(Target("each_abs_error_pct", 0.0),)).met


def test_an_undefined_rank_correlation_meets_no_target():
    assert suite((1, 1), (2, 1), targets=(Target("spearman", 0.5),)).met is False


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
        run_suites("network")


def test_a_named_reference_folder_must_exist(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no folder"):
        reference_folder(tmp_path / "none")
    monkeypatch.setenv("DOVETAIL_REFERENCE", str(tmp_path))
    assert reference_folder(None) == tmp_path


def test_a_figure_that_cannot_be_compared_is_refused():
    with pytest.raises(BadInput, match="more than zero"):
        suite((0, 1))
    with pytest.raises(BadInput, match="cannot compare inf"):
        suite((1, float("inf")))


def networks(reference: Path | None = None) -> tuple[SuiteResult, ...]:
    return run_suites("networks", reference=reference)[0].results


def test_every_published_count_is_compared_once():
    for result in networks():
        compared = [(case.name, case.remark) for case in result.cases]
        assert len(set(compared)) == len(compared)


def test_the_zoo_agrees_with_torchvision_within_one_percent(reference):
    for result in networks(reference):
        cases = [case for case in result.cases if "torchvision" in case.remark]
        assert len(cases) >= 5
        assert max(abs(case.error_pct) for case in cases) < 1


def test_the_report_uses_the_contracts_names(capsys):
    assert main(["validate", "networks", "--json", "-"]) == 0
    suites = json.loads(capsys.readouterr().out)
    assert all(set(entry) >= CONTRACT for entry in suites)


def test_strict_exits_with_1_where_a_target_is_missed(capsys):
    assert main(["validate", "networks", "--strict", "--json", "-"]) == 1
    assert "missed: networks macs" in capsys.readouterr().err


def test_absent_reference_files_are_said_and_published_figures_still_checked(tmp_path, capsys):
    assert main(["validate", "networks", "--reference", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "torchvision_imagenet_weights.csv" in printed
    assert "published figures only" in printed


def test_a_broken_reference_table_is_named_with_its_file(tmp_path, capsys):
    table = tmp_path / "imagenet" / "torchvision_imagenet_weights.csv"
    table.parent.mkdir()
    table.write_text("a,b\n1,2\n")
    assert main(["validate", "networks", "--reference", str(tmp_path)]) == 2
    assert str(table) in capsys.readouterr().err


def test_a_suite_that_fits_nothing_cannot_be_calibrated(tmp_path, capsys):
    assert main(["validate", "networks", "--calibrate", str(tmp_path)]) == 2
    assert "fits nothing" in capsys.readouterr().err


def test_the_page_is_for_all_suites_and_into_a_folder(tmp_path, capsys):
    assert main(["validate", "networks", "--docs", str(tmp_path)]) == 2
    assert main(["validate", "--docs", str(tmp_path / "none")]) == 2
    assert "create it first" in capsys.readouterr().err


def test_the_page_has_a_picture_and_a_section_for_each_suite_and_says_what_is_absent(tmp_path):
    reports = run_suites("networks", reference=tmp_path)
    write_page(reports, tmp_path)
    page = (tmp_path / "validation.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((img/[^)]+)\)", page)
    assert len(pictures) == 2
    assert all((tmp_path / picture).stat().st_size > 2000 for picture in pictures)
    assert "## Networks of the zoo" in page
    assert "Not in the reference folder: `imagenet/" in page


def test_a_table_of_the_page_survives_bars_in_names(tmp_path):
    reports = [SuiteReport(load_suite("networks"), (replace(suite((1, 1)), quantity="a|b"),), ())]
    assert "a\\|b" in page_text(reports)
