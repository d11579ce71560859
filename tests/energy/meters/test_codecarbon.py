"""CodeCarbon's file: columns by name, measured apart from estimated, and what is wrong with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.energy.meters import read_codecarbon
from dovetail.errors import BadInput, SpecError

# Titles of CodeCarbon 2.4; newer versions add columns between them.
TITLES = [
    "timestamp", "project_name", "run_id", "duration", "emissions", "emissions_rate", "cpu_power", "gpu_power",
    "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "country_name", "country_iso_code",
    "region", "cloud_provider", "cloud_region", "os", "python_version", "codecarbon_version", "cpu_count",
    "cpu_model", "gpu_count", "gpu_model", "longitude", "latitude", "ram_total_size", "tracking_mode", "on_cloud",
    "pue",
]  # fmt: skip
# One hour: 65.3 W of processor, 300 W of GPU, 3 W of memory.
ROW = {
    "timestamp": "2025-01-02T03:04:05", "project_name": "digits", "duration": "3600", "emissions": "0.02",
    "cpu_power": "65.3127", "cpu_energy": "0.0653", "gpu_energy": "0.3", "ram_energy": "0.003",
    "energy_consumed": "0.3683", "country_iso_code": "FRA", "gpu_count": "1", "gpu_model": "1 x A100",
    "tracking_mode": "machine", "pue": "1.0",
}  # fmt: skip


def log(folder: Path, *rows: dict[str, str], titles: list[str] = TITLES) -> Path:
    path = folder / "emissions.csv"
    lines = [titles, *([{**ROW, **row}.get(title, "") for title in titles] for row in rows)]
    path.write_text("\n".join(",".join(cells) for cells in lines) + "\n")
    return path


def test_gpus_are_measured_memory_estimated_and_the_processor_unknown(tmp_path: Path) -> None:
    found = read_codecarbon(log(tmp_path, {}))
    (run,) = found.runs
    assert run.measured_energy_j == pytest.approx(0.3 * 3.6e6)
    assert run.estimated_energy_j == pytest.approx(0.003 * 3.6e6)
    assert run.unknown_energy_j == pytest.approx(0.0653 * 3.6e6)
    assert (run.line, run.project, run.country, run.co2e_kg) == (2, "digits", "FRA", 0.02)
    assert any("does not say whether the processor's energy was counted or is a TDP" in note for note in found.notes)


@pytest.mark.parametrize(("cpu", "measured", "estimated"), [("measured", 0.3653, 0.003), ("estimated", 0.3, 0.0683)])
def test_who_knows_where_the_processors_energy_came_from_says_so(
    tmp_path: Path, cpu: str, measured: float, estimated: float
) -> None:
    found = read_codecarbon(log(tmp_path, {}), cpu=cpu)
    assert found.measured_energy_j == pytest.approx(measured * 3.6e6)
    assert found.estimated_energy_j == pytest.approx(estimated * 3.6e6)
    assert found.unknown_energy_j == 0.0


def test_a_constant_of_half_the_tdp_is_recognised(tmp_path: Path) -> None:
    row = {"cpu_power": "42.5", "cpu_energy": "0.0425", "energy_consumed": "0.3455"}
    found = read_codecarbon(log(tmp_path, row))
    assert found.runs[0].cpu_origin == "estimated"
    assert any("a constant 42.5 W, half of a catalogue's TDP" in note for note in found.notes)


def test_the_pue_in_the_energies_is_taken_out(tmp_path: Path) -> None:
    row = {"cpu_energy": "0.0816", "gpu_energy": "0.375", "ram_energy": "0.00375", "energy_consumed": "0.46035"}
    found = read_codecarbon(log(tmp_path, {**row, "pue": "1.25"}))
    assert found.measured_energy_j == pytest.approx(0.3 * 3.6e6)
    assert any("a PUE of 1.25; it is taken out" in note for note in found.notes)


def test_columns_go_by_their_names_in_any_order_and_number(tmp_path: Path) -> None:
    plain = read_codecarbon(log(tmp_path, {}))
    turned = read_codecarbon(log(tmp_path, {}, titles=["water_consumed", *reversed(TITLES)]))
    assert turned.measured_energy_j == plain.measured_energy_j
    old = read_codecarbon(log(tmp_path, {}, titles=[title for title in TITLES if title != "pue"]))
    assert old.measured_energy_j == plain.measured_energy_j


def test_without_a_gpu_its_cells_may_be_empty(tmp_path: Path) -> None:
    row = {"gpu_energy": "", "gpu_count": "", "gpu_model": "", "energy_consumed": "0.0683"}
    assert read_codecarbon(log(tmp_path, row)).measured_energy_j == 0.0


def test_several_runs_are_summed_and_shown_in_rows(tmp_path: Path) -> None:
    found = read_codecarbon(log(tmp_path, {}, {"tracking_mode": "process"}))
    assert found.measured_energy_j == pytest.approx(2 * 0.3 * 3.6e6)
    table = found.table()
    assert list(table["line"]) == [2, 3]
    assert table["estimated_energy_j"].sum() == pytest.approx(found.estimated_energy_j)
    assert any("tracking_mode is 'process'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"cpu_energy": "much"}, "emissions.csv:3:1: cpu_energy: 'much' is no number of at least 0"),
        ({"duration": "-1725969928.7"}, "emissions.csv:3:1: duration: '-1725969928.7' is no number of at least 0"),
        ({"ram_energy": "nan"}, "emissions.csv:3:1: ram_energy: 'nan' is no number"),
        ({"cpu_energy": ""}, "emissions.csv:3:1: cpu_energy: '' is no number"),
        ({"energy_consumed": "1.0"}, "emissions.csv:3:1: energy_consumed: 1 kWh is not the sum"),
        ({"pue": "0.5"}, "emissions.csv:3:1: pue: 0.5 is below 1"),
        ({"project_name": "a,b"}, "emissions.csv:3:1: 32 cells below 31 titles"),
    ],
)
def test_a_wrong_row_is_named_with_file_line_and_column(tmp_path: Path, row: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as error:
        read_codecarbon(log(tmp_path, {}, row))
    assert said in str(error.value)


def test_every_wrong_row_is_listed(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        read_codecarbon(log(tmp_path, {"duration": "x"}, {}, {"pue": "y"}))
    assert [problem.line for problem in error.value.problems] == [2, 4]


def test_another_table_is_refused_with_the_columns_missing(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text("timestamp,durations,energy\n1,2,3\n")
    with pytest.raises(SpecError) as error:
        read_codecarbon(path)
    assert "emissions.csv:1:1: duration: there is no such column; is it 'durations'?" in str(error.value)
    path.write_text("duration," + ",".join(TITLES) + "\n")
    with pytest.raises(SpecError, match="duration: two columns have this name"):
        read_codecarbon(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is no such column"),
        (",".join(TITLES).encode() + b"\n", "no run below the titles"),
        (b"\xff\xfe\x00", ":1:1: not UTF-8 text"),
        (b'"timestamp', "not a table"),
    ],
)
def test_files_that_are_no_log_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "emissions.csv"
    path.write_bytes(content)
    with pytest.raises(SpecError) as error:
        read_codecarbon(path)
    assert said in str(error.value)


def test_a_path_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; give the path of CodeCarbon's"):
        read_codecarbon(tmp_path / "nothing.csv")
    with pytest.raises(BadInput, match="this is a folder"):
        read_codecarbon(tmp_path)
    with pytest.raises(BadInput, match="did you mean 'measured'"):
        read_codecarbon(log(tmp_path, {}), cpu="measure")
