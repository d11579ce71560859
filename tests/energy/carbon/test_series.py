"""Hourly series from CSV files: what is read, and every bad line with its place."""

from pathlib import Path

import pytest

from dovetail.energy.carbon import read_series
from dovetail.errors import BadInput, SpecError

G_PER_KWH = 1e-3 / 3.6e6


def written(folder: Path, text: str) -> Path:
    path = folder / "grid.csv"
    path.write_text(text, encoding="utf-8")
    return path


def day(header: str, line: str, **changes: str) -> str:
    lines = [changes.get(f"at{hour}", line.format(hour=hour, value=100 + hour)) for hour in range(24)]
    return header + "\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("intensity (g/kWh)", "{value}"),
        ("hour,gCO2e/kWh", "{hour},{value}.0"),
        ("Datetime (UTC),Zone,Carbon intensity gCO₂eq/kWh", "2023-01-01T{hour:02d}:00,FR,{value}"),
        ("timestamp,carbon_intensity_g_per_kwh", "2023-01-01 {hour:02d}:00:00+00:00,{value}"),
        ("gCO2eq/kWh (direct),Carbon intensity gCO2eq/kWh (Life cycle)", "7,{value}"),
        ("kgCO2/MWh", "{value}"),
        (
            "Datetime (UTC),Country,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle),"
            "Renewable energy percentage (RE%)",
            "2023-01-01 {hour:02d}:00:00,France,9,{value},50",
        ),
        ("t/GWh", "{value}"),
    ],
)
def test_a_day_is_read_with_the_unit_its_header_names(header: str, line: str, tmp_path: Path) -> None:
    found = read_series(written(tmp_path, day(header, line)))
    assert found == pytest.approx([G_PER_KWH * (100 + hour) for hour in range(24)])


def test_a_year_of_either_length_is_read(tmp_path: Path) -> None:
    for hours in (8760, 8784):
        assert len(read_series(written(tmp_path, "g/kWh\n" + "5\n" * hours))) == hours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "grid.csv:1:1: the file is empty"),
        (day("intensity", "{value}"), "grid.csv:1:1: no column names a carbon intensity: 'intensity'; name it with"),
        (day("a g/kWh,b g/kWh", "1,{value}"), "several intensities: 'a g/kWh', 'b g/kWh'; keep one"),
        (day("g/kWh", "{value}", at3="much"), "grid.csv:5:1: 'much' is not a number; give the intensity in g/kWh"),
        (day("hour,g/kWh", "{hour},{value}", at4="4,"), "grid.csv:6:1: an empty cell is not a number"),
        (day("g/kWh", "{value}", at0="-3"), "grid.csv:2:1: an intensity of -3; give a finite figure, 0 or more"),
        (day("g/kWh", "{value}", at0="nan"), "grid.csv:2:1: an intensity of nan"),
        (day("hour,g/kWh", "{hour},{value}", at9="9"), "grid.csv:11:1: 1 cells, the header has 2"),
        (day("hour,g/kWh", "{hour},{value}", at9="8,5"), "grid.csv:11:1: '8' is not one hour after the line before"),
        (day("hour,g/kWh", "{hour},{value}", at9="x,5"), "grid.csv:11:1: 'x' in column 'hour' is no time"),
        (day("time,g/kWh", "2023-01-01T{hour:02d}:30,{value}", at9="2023-01-01T09:00,5"), "grid.csv:11:1:"),
        ("g/kWh\n" + "5\n" * 23, "grid.csv:24:1: 23 hours; give 24 (a day) or 8760 (a year; leap: 8784)"),
        ("g/kWh\n", "grid.csv:1:1: 0 hours"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_series(written(tmp_path, text))
    assert message in str(caught.value)


def test_every_bad_line_is_named_up_to_ten(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_series(written(tmp_path, day("g/kWh", "?")))
    assert len(caught.value.problems) == 10


def test_blank_lines_are_passed_over_and_lines_still_counted(tmp_path: Path) -> None:
    text = day("g/kWh", "{value}").replace("102\n", "102\n\n")
    assert len(read_series(written(tmp_path, text))) == 24
    with pytest.raises(SpecError, match=r"grid\.csv:7:1"):
        read_series(written(tmp_path, text.replace("104", "?")))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "odd.csv"
    binary.write_bytes(b"\xff\xfe\x00g")
    with pytest.raises(BadInput, match=r"odd\.csv: cannot be read as a table"):
        read_series(binary)
    with pytest.raises(BadInput, match="no such file"):
        read_series(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="cannot be read as a table"):
        read_series(tmp_path)
