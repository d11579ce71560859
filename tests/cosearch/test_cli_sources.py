"""`estimate --cite` and `--uncertainty`: the constants used, and what they leave uncertain, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dovetail.cosearch.cli import main

ASK = ("estimate", "autoencoder_ad", "gemmini")


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main([*ASK, *argv]) == 0
    return capsys.readouterr().out


def test_the_table_shows_figure_uncertainty_source_and_validity(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    text = said(capsys, "--cite")
    row = next(line for line in text.splitlines() if line.strip().startswith("dram_energy_lpddr4"))
    assert all(text in row for text in ("8 pJ/bit", "30%", "dram.read_energy", "published:"))
    assert "for: LPDDR4 devices" in text
    assert "accelerator gemmini: H. Genc" in text


def test_a_narrow_terminal_gets_a_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = said(capsys, "--cite")
    assert "dram_energy_lpddr4 ± 30%" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_json_has_a_record_for_each_constant_and_the_spreads(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main([*ASK, "--uncertainty", "50", "--json", str(out)]) == 0
    data = json.loads(out.read_text())
    keys = {"name", "value", "status", "source", "validity", "uncertainty", "used_by"}
    assert data["constants"]
    assert all(set(one) == keys for one in data["constants"])
    found = data["uncertainty"]
    assert found["samples"] == 50
    assert found["energy_j"]["p05"] < data["energy_j"] < found["energy_j"]["p95"]
    assert found["energy_j"]["value"] == data["energy_j"]
    assert found["area_mm2"]["value"] == data["area_mm2"]


def test_zero_samples_are_the_first_order(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--uncertainty", "0")
    assert "first order" in text
    assert "dram_energy_lpddr4" in text


@pytest.mark.parametrize("text", ["1", "-5", "many", "2.5"])
def test_a_number_of_samples_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASK, f"--uncertainty={text}"]) == 2
    assert "write 0 (first order), or 2 or more" in capsys.readouterr().err
