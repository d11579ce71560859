"""The Eyeriss chip's measurements beside the model."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail
from dovetail.cosearch.validation.calibration import load_calibration
from dovetail.cosearch.validation.reference import Reference
from dovetail.cosearch.validation.suites.eyeriss import TABLE, calibrate, layer_runs, run
from dovetail.errors import BadInput

FOLDER = Path(dovetail.__file__).resolve().parents[1] / "shared" / "reference"
measured = pytest.mark.skipif(not (FOLDER / TABLE).is_file(), reason="the reference folder is absent")


@pytest.mark.parametrize("name", load_calibration("eyeriss").accelerators)
def test_the_accelerators_have_the_calibrated_values(name: str) -> None:
    values = dovetail.load_accelerator(name).values
    constants = {constant.name: constant.value for constant in load_calibration("eyeriss").constants}
    assert constants == {"clock_energy": f"{values['clock_energy'] * 1e12:g} pJ", "spad_energy": values["spad_energy"]}


def test_without_the_table_the_published_totals_are_compared() -> None:
    missing = Reference(None)
    results = run(missing)
    assert missing.missing == [TABLE]
    assert all([case.name for case in result.cases] == ["total"] for result in results)
    assert all(result.met is not False for result in results)
    with pytest.raises(BadInput, match="no power of conv1"):
        calibrate(missing)


def test_the_parameters_of_table_iii_ask_more_of_the_buffer_in_conv3_than_was_measured() -> None:
    assert layer_runs()["conv3"].buffer_mb > 66
    assert layer_runs(as_measured=True)["conv3"].buffer_mb == pytest.approx(50.2, abs=0.05)


@measured
def test_every_layer_is_within_its_target_but_for_the_buffer_in_conv3() -> None:
    *results, chosen = run(Reference(FOLDER))
    assert [result.quantity for result in results if result.met is False] == ["buffer accesses"]
    assert {len(result.cases) for result in results} == {6}
    buffer = results[4]
    others = [abs(case.error_pct) for case in buffer.cases if case.name not in ("conv3", "total")]
    assert max(others) < 0.4  # the figures have three digits
    assert buffer.worst.name == "conv3"
    assert chosen.each_abs_error_pct < 0.4


@measured
def test_the_fit_gives_the_record() -> None:
    assert calibrate(Reference(FOLDER)).constants == load_calibration("eyeriss").constants
