"""The carbon suite: what is compared, with and without the reference folder, and odd files in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.cosearch.validation import Reference, load_suite, reference_folder
from dovetail.cosearch.validation.result import SuiteResult
from dovetail.errors import BadInput

REFERENCE = reference_folder(None)


def results(folder: Path | None) -> dict[str, SuiteResult]:
    return {result.quantity: result for result in load_suite("carbon").run(Reference(folder))}


def folder(root: Path, **files: str) -> Path:
    (root / "carbon").mkdir()
    for name, text in files.items():
        (root / "carbon" / f"{name}.yaml").write_text(text)
    return root


def test_products_come_out_as_printed_and_training_runs_within_a_percent() -> None:
    found = results(None)
    assert found["products, as ACT prints them"].each_abs_error_pct < 1e-9
    assert found["energy of training runs"].met
    errors = {case.name: abs(case.error_pct) for case in found["carbon of training runs"].cases}
    assert errors["T5"] < 1.0
    assert errors["GPT-3"] < 1.0


def test_without_the_folder_its_files_are_missed_and_the_stated_figures_compared() -> None:
    reference = Reference(None)
    found = load_suite("carbon").run(reference)
    assert len(found) == 5
    assert "carbon/epa.yaml" in reference.missing


@pytest.mark.skipif(REFERENCE is None, reason="no reference data here")
def test_every_entry_of_the_reference_is_exact() -> None:
    found = results(REFERENCE)
    for quantity in ("fab electricity", "fab gases", "fab materials", "DRAM", "SSDs and drives"):
        assert found[quantity].each_abs_error_pct < 1e-9
    assert len(found["fab gases"].cases) == 16


def test_tables_that_only_some_copies_have_are_compared_too(tmp_path: Path) -> None:
    given = folder(
        tmp_path,
        epa='"22nm": 1.1 kWh / cm2',
        location_2022='"taiwan": 583 g / kWh',
        location_2023='"korea": 402 g / kWh',
        source='"hydropower": 24 g / kWh',
        hdd_consumer='"BarraCuda Pro": 2.35 g / GB',
    )
    found = results(given)
    assert found["grids"].each_abs_error_pct < 1e-9
    assert found["grids"].cases[0].name == "location_2022 taiwan"
    assert found["SSDs and drives"].each_abs_error_pct < 1e-9
    assert found["fab electricity"].cases[0].modelled == pytest.approx(1.125)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"epa": '"7nm": 2.15 g / cm2'}, r"epa\.yaml:1: 7nm: .* an energy per area is needed"),
        ({"epa": '"65nm": 1 kWh / cm2'}, r"epa\.yaml:1: 65nm: no published fab figures"),
        ({"dram_hynix": '"lpddr4": 48 g / GB\n"core": 1 g / GB'}, r"dram_hynix\.yaml:2: core: no kind of DRAM"),
    ],
)
def test_an_odd_entry_is_refused_with_its_line(files: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        results(folder(tmp_path, **files))
