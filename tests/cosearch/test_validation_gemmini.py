"""Gemmini beside Timeloop and its RTL: the suites' own rules, their calibrations, and their figures on the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import dovetail as dt
from dovetail.accel.mapping import Loop
from dovetail.cosearch.validation import reference_folder
from dovetail.cosearch.validation.calibration import load_calibration
from dovetail.cosearch.validation.reference import Reference
from dovetail.cosearch.validation.suites import gemmini, timeloop
from dovetail.errors import BadInput
from dovetail.models.op import conv2d

FOLDER = reference_folder(None)
RTL, MAPPINGS = "gemmini_rtl/firesim_cycles.csv", "timeloop_gemmini/timeloop_results.csv"
needs_data = pytest.mark.skipif(
    FOLDER is None or not (FOLDER / RTL).is_file() or not (FOLDER / MAPPINGS).is_file(),
    reason="reference data not at hand",
)


@pytest.mark.parametrize("name", ["gemmini_rtl", "gemmini_rtl_tiles", "gemmini_timeloop_area"])
def test_the_record_of_a_fit_equals_the_accelerators_defaults(name: str):
    record = load_calibration(name)
    accelerator = dt.load_accelerator(record.accelerators[0])
    defaults = {parameter.name: parameter.default for parameter in accelerator.parameters}
    stated = {
        constant.name: accelerator.with_parameters(**{constant.name: constant.value}) for constant in record.constants
    }
    for name, other in stated.items():
        assert other.values[name] == defaults[name], name
    assert len(record.constants) <= 4


def test_a_tile_becomes_blocks_of_at_most_sixteen_positions_that_cut_nothing_off():
    op = conv2d("conv", k=128, c=64, p=282, q=12, r=3, s=3)
    text = "L3[WIO] Q2 P2 K8 - L2[WI] N1 K16X - L1[O] S3 R3 C4 Q6 P47 C16X - L0[W] P3"
    mapping = gemmini.rtl_mapping(text, op, dt.load_accelerator("gemmini_rtl"))
    assert mapping.levels[3].loops == (Loop("S", 3), Loop("R", 3), Loop("C", 4), Loop("Q", 6), Loop("P", 9))
    assert mapping.levels[6].loops == (Loop("P", 16),)
    for bound, outside, along, expected in (
        (198, 11, 18, (2, 9)),
        (54, 2, 27, (2, 14)),
        (388, 1, 388, (25, 16)),
        (7, 1, 7, (1, 7)),
    ):
        assert gemmini._blocks(bound, outside, along, 16) == expected
    op = conv2d("fc", k=1000, c=2048, p=1, q=1, r=1, s=1)
    mapping = gemmini.rtl_mapping(
        "L3[WIO] C8 - L2[WI] K10X - L1[O] K100 C16 C16X - L0[W] N1", op, dt.load_accelerator("gemmini_rtl")
    )
    assert mapping.levels[6].loops == ()


def test_without_the_files_only_the_published_peak_is_compared(tmp_path: Path):
    reference = Reference(tmp_path)
    results = gemmini.run(reference)
    assert [(one.quantity, one.met) for one in results] == [("peak", True)]
    assert timeloop.run(reference) == []
    assert reference.missing == [RTL, "timeloop_counts/cases.json", MAPPINGS]
    for fit in (gemmini.fit_rtl, gemmini.fit_rtl_tiles, timeloop.fit_areas):
        with pytest.raises(BadInput, match=r"fitted to .*csv; give --reference"):
            fit(Reference(tmp_path))


def copied(folder: Path, name: str, rows: int) -> list[str]:
    """The first rows of a file in a folder of their own; returns its lines."""
    assert FOLDER is not None
    lines = (FOLDER / name).read_text().splitlines()[: rows + 1]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines))
    return lines


@needs_data
def test_gemminis_rtl_cycles_keep_the_target_and_simulated_ones_beat_the_analytic_ones():
    results = {one.quantity: one for one in gemmini.run(Reference(FOLDER))}
    assert {"cycles", "cycles, rows not fitted"} < set(results)
    assert all(one.met for one in results.values())
    assert results["cycles"].mape_pct < 0.6 * (results["cycles"].published_pct or 0.0)
    simulated, rest = (results[f"simulated cycles, RTL{kind}"] for kind in ("", ", rows not fitted"))
    assert simulated.mape_pct <= min(12.0, results["cycles"].mape_pct)
    assert simulated.calibration == "gemmini_rtl_tiles"
    assert len(rest.cases) == len(results["cycles, rows not fitted"].cases)


@needs_data
def test_timeloops_figures_keep_the_targets_on_its_first_rows(tmp_path: Path):
    assert FOLDER is not None
    copied(tmp_path, MAPPINGS, 150)
    if (FOLDER / "timeloop_counts").is_dir():
        shutil.copytree(FOLDER / "timeloop_counts", tmp_path / "timeloop_counts")
    results = timeloop.run(Reference(tmp_path))
    assert [one.quantity for one in results][-4:] == ["cycles", "latency", "energy", "area"]
    assert all(one.met is not False for one in results if one.quantity != "latency")


@needs_data
@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("mapping.mapping", "L3[WIO] K48 - nonsense", "firesim_cycles.csv:2: mapping text: 2 memories"),
        ("arch.meshX", "32", "firesim_cycles.csv:2: arch.meshX is '32'; the RTL is a 16 x 16 array"),
        ("prob.C", "0", "firesim_cycles.csv:2: prob.C is '0'; a whole number of at least 1 is needed"),
        ("target.gemmini_cycle", "many", "firesim_cycles.csv:2: target.gemmini_cycle is 'many', not a number"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, column: str, text: str, message: str):
    head, row = copied(tmp_path, RTL, 1)
    cells = row.split(",")
    cells[head.split(",").index(column)] = text
    (tmp_path / RTL).write_text("\n".join([head, ",".join(cells)]))
    with pytest.raises(BadInput, match=message):
        gemmini.run(Reference(tmp_path))


@needs_data
def test_a_row_kept_aside_is_left_out(tmp_path: Path):
    head, *rows = copied(tmp_path, RTL, 3)
    cells = rows[0].split(",")
    cells[head.split(",").index("target.gemmini_cycle")] = ""
    (tmp_path / RTL).write_text("\n".join([head, ",".join(cells), *rows[1:]]))
    results = {one.quantity: one for one in gemmini.run(Reference(tmp_path))}
    assert [case.name for case in results["cycles"].cases] == ["line 3", "line 4"]
