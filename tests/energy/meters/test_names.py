"""Measured and modelled figures never share a name, so that no table can mix them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import dovetail
from dovetail.energy import meters
from dovetail.energy.meters import CodeCarbonLog, CodeCarbonRun, Idle, Measured, Part, Run

PACKAGE = Path(dovetail.__file__).resolve().parent
QUANTITY = re.compile(r"(energy|power|duration|latency)\w*_(j|w|s)$")
LOGGED = re.compile(r"(measured|estimated|unknown|logged)_")


def example() -> Measured:
    runs = (Run(1.0, {"chip": 2.0}), Run(1.0, {"chip": 3.0}))
    return Measured("x", (Part("chip", "bench", "a chip", "counter"),), runs, Idle(({"chip": 0.1},) * 2, 1.0))


def test_every_measured_quantity_says_that_it_is_measured() -> None:
    found = example()
    summary = found.summary()
    nested = [name for row in (*summary["parts"], *summary["runs"]) for name in row]
    names = [*found.table(), *found.runs_table(), *summary, *nested, *vars(Measured)]
    names += [field.name for kind in (Run, Idle, meters.Comparison) for field in dataclasses.fields(kind)]
    quantities = [name for name in names if QUANTITY.search(name)]
    assert "measured_energy_j" in quantities
    assert [name for name in quantities if not name.startswith("measured_")] == []


def test_a_log_keeps_each_kind_of_figure_in_a_column_of_its_own() -> None:
    run = CodeCarbonRun(2, "now", "p", 1.0, 1.0, 2.0, 3.0, "unknown", 0.1)
    table = CodeCarbonLog("x.csv", (run,)).table()
    quantities = [name for name in table if QUANTITY.search(name)]
    assert [name for name in quantities if not LOGGED.match(name)] == []
    row = table.iloc[0]
    assert (row["measured_energy_j"], row["estimated_energy_j"], row["unknown_energy_j"]) == (2.0, 3.0, 1.0)


def test_no_model_calls_its_figures_measured() -> None:
    """Outside the meters and their command, nothing in the package is named as a meter's figure is."""
    own = {PACKAGE / "cosearch" / "cli" / "measure.py", *(PACKAGE / "energy" / "meters").glob("*.py")}
    floors = ("models", "energy", "accel", "mapper", "cosearch")
    for path in (path for floor in floors for path in (PACKAGE / floor).rglob("*.py") if path not in own):
        assert not re.search(r"\bmeasured_(energy|power|total_energy|idle)", path.read_text(encoding="utf-8")), path


def test_a_modelled_estimate_has_no_measured_column() -> None:
    fields = {field.name for field in dataclasses.fields(dovetail.Estimate)} | set(vars(dovetail.Estimate))
    assert "energy_j" in fields
    assert not any(name.startswith("measured") for name in fields)
    assert not hasattr(Measured, "energy_j")
