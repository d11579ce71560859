"""`dovetail measure` on a machine whose meters are files that the measured command itself turns."""

from __future__ import annotations

import csv
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dovetail.cosearch.cli.app import main
from dovetail.energy.meters import find_meters
from dovetail.errors import CannotDo

# Adds so many microjoules to the count in a file, and says something.
BURN = "import sys; p = sys.argv[1]; n = int(open(p).read()) + 3000000; open(p, 'w').write(str(n)); print('worked')"


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a package's energy count; all meters of the machine there are."""
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    for name, content in (("name", "package-0"), ("max_energy_range_uj", "262143328850"), ("energy_uj", "5")):
        (zone / name).write_text(f"{content}\n")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(import_module("dovetail.energy.meters.measuring"), "find_meters", lambda: find_meters(tmp_path))
    return zone / "energy_uj"


def burn(count: Path, *options: str) -> int:
    return main(["measure", "--idle", "0", *options, "--", sys.executable, "-c", BURN, str(count)])


def test_a_command_is_measured_and_its_figures_written(count: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    assert burn(count, "--repetitions", "2", "--warmup", "1", "--json", str(file)) == 0
    found = json.loads(file.read_text())
    assert found["measured_energy_j"] == pytest.approx(3.0)
    assert (found["repetitions"], found["warmup"]) == (2, 1)
    assert found["command"][0] == sys.executable
    assert [run["measured_energy_j"] for run in found["runs"]] == pytest.approx([3.0, 3.0])
    assert any("nvidia-ml-py is not installed" in reason for reason in found["missing"])
    assert int(count.read_text()) == 5 + 3 * 3_000_000


def test_people_get_a_table_and_the_commands_words_stay_out_of_it(count: Path, capfd: pytest.CaptureFixture) -> None:
    assert burn(count, "--repetitions", "1", "--warmup", "0") == 0
    said = capfd.readouterr()
    assert "measured in 1 repetition" in " ".join(said.out.split())
    assert "no interval from one repetition; idle power included" in said.out
    assert "worked" not in said.out
    assert "worked" in said.err
    assert "not measured: NVML" in said.out


def test_quiet_drops_what_the_command_prints(count: Path, capfd: pytest.CaptureFixture) -> None:
    assert burn(count, "--repetitions", "1", "--warmup", "0", "--quiet", "--csv", "-") == 0
    said = capfd.readouterr()
    assert "worked" not in said.err
    (row,) = csv.DictReader(said.out.splitlines())
    assert float(row["measured_energy_j"]) == pytest.approx(3.0)


def test_idle_power_is_taken_off_unless_told_otherwise(count: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    assert burn(count, "--repetitions", "2", "--idle", "20 ms", "--json", str(file)) == 0
    assert json.loads(file.read_text())["measured_idle_power_w"] == 0.0


def test_a_run_is_tested_against_an_earlier_one(count: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file, again = tmp_path / "before.json", tmp_path / "after.json"
    assert burn(count, "--repetitions", "2", "--json", str(file)) == 0
    assert burn(count, "--repetitions", "2", "--against", str(file), "--json", str(again)) == 0
    found = json.loads(again.read_text())["comparison"]
    assert (found["measured_difference"], found["p_value"], found["significant"]) == (0.0, 1.0, False)
    assert found["verdict"].startswith("no difference in energy between this run and the earlier one can be told")
    assert burn(count, "--against", str(tmp_path)) == 2
    assert burn(count, "--against", str(file), "--repetitions", "1") == 2
    file.write_text("{}")
    assert burn(count, "--against", str(file)) == 2
    assert "there is no measurement in it; give a file that dovetail measure --json wrote" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "said"),
    [("sys.exit(3)", "ended with exit code 3"), ("import os; os.kill(os.getpid(), 9)", "ended by signal 9 (SIGKILL)")],
)
@pytest.mark.usefixtures("count")
def test_a_command_that_fails_is_told_and_nothing_measured(code: str, said: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["measure", "--idle", "0", "--", sys.executable, "-c", f"import sys; {code}"]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no command to measure; write dovetail measure -- COMMAND ..."),
        (["--", "no-such-command"], "'no-such-command' is no command that can be run; check its name"),
        (["--", "--json", "x"], "options of dovetail stand before --"),
        (["--repetitions", "0", "--", "ls"], "'0' is not a whole number of at least 1"),
        (["--idle", "5", "--", "ls"], "'5' has no unit"),
    ],
)
def test_bad_input_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["measure", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_a_meter_it_says_what_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def none() -> None:
        raise CannotDo("no energy meter works on this machine")

    monkeypatch.setattr(import_module("dovetail.energy.meters.measuring"), "find_meters", none)
    assert main(["measure", "--", sys.executable, "--version"]) == 1
    assert "error: no energy meter works on this machine" in capsys.readouterr().err
