"""Every example runs from start to end and prints what its docstring promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dovetail

EXAMPLES = Path(dovetail.__file__).resolve().parent / "examples"
# Side of the array, and twice its multipliers times 0.5 GHz in GOPS.
PEAKS = (("8", "64"), ("16", "256"), ("32", "1024"))


def run(name: str, *arguments: str, folder: Path) -> str:
    """What the example prints; it starts in an empty folder, as on a reader's machine."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir()), "an example leaves nothing behind"
    return done.stdout


@pytest.mark.slow
def test_a_torch_module_is_priced_on_three_accelerators(tmp_path: Path) -> None:
    shown = run("estimate_torch_module.py", folder=tmp_path)
    assert "SmallResNet: 21 operators, 12.50 M MACs, 77,610 parameters" in shown
    assert all(name in shown for name in ("gemmini", "nvdla", "edge_tpu", "slowest layers"))


def test_an_own_accelerator_is_swept_and_its_errors_are_shown(tmp_path: Path) -> None:
    shown = run("own_accelerator.py", folder=tmp_path)
    rows = [line.split() for line in shown.splitlines() if "GOPS" in line]
    assert [(row[0], row[3]) for row in rows] == [(side, peak) for side, peak in PEAKS for _ in range(2)]
    assert "small: side: '12' is not allowed; use one of 8, 16, 32" in shown


@pytest.mark.slow
def test_a_study_is_run_and_its_front_summarised(tmp_path: Path) -> None:
    shown = run("read_a_study.py", folder=tmp_path)
    assert shown.startswith("12 trials (")
    assert "on the front" in shown
    assert "hw." not in shown


@pytest.mark.slow
def test_the_video_pipeline_shows_its_levers_and_their_product(tmp_path: Path) -> None:
    shown = run("video_pipeline.py", "--few", folder=tmp_path)
    assert "filter + saliency + weights + engine" in shown
    lines = [line for line in shown.splitlines() if line.startswith(("all ", "product "))]
    gains = {line[:22].strip(): line[22:].split() for line in lines}
    together, product = ([float(text.rstrip("x")) for text in gains[name]] for name in sorted(gains))
    assert together[0] >= 10.0
    assert together[3] >= 8.0
    assert all(own <= most for own, most in zip(together, product, strict=True))


@pytest.mark.slow
def test_the_rank_of_pruned_digits_turns_with_how_often_they_are_used(tmp_path: Path) -> None:
    shown = run("digits_life_cycle.py", folder=tmp_path)
    rows = {line[:10].strip(): line for line in shown.splitlines() if "nJ" in line}
    assert list(rows) == ["dense", "50% pruned", "80% pruned", "95% pruned"]
    merits = {name: line.split("nJ")[1].split() for name, line in rows.items()}
    assert merits["dense"][0].endswith("*")
    assert not merits["dense"][-1].endswith("*")
    changes = [line for line in shown.splitlines() if " overtakes " in line]
    assert changes
    assert f"{len(changes)} rank reversals between 1e+03 and 1e+09 uses" in shown


@pytest.mark.slow
def test_digits_and_their_accelerator_are_searched_together(tmp_path: Path) -> None:
    shown = run("digits_cosearch.py", folder=tmp_path)
    assert "of 30 trials on the front" in shown


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []
