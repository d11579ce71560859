import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from study_fakes import FakeProblem, study

from dovetail.accel.simulator.gantt import GanttInfo
from dovetail.accel.simulator.gantt_parts import COLOURS, GanttRow, OperatorBar
from dovetail.cosearch.reports.analysis.timeline import read_timeline, timeline_text
from dovetail.cosearch.reports.report import report
from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput, CannotDo, Infeasible


def gantt(bins=6):
    fill = np.zeros((COLOURS + 3, bins))
    fill[0, :3], fill[COLOURS + 1, 3:] = 1.0, 0.25
    rows = (GanttRow("mac", fill, None, 0.5, 0.125), GanttRow("dram", fill, ((0, 0.0, 3e-6),), 0.5, 0.125))
    bars = (OperatorBar("conv<1>", 0, 0, 0.0, 3e-6), OperatorBar("conv2", 0, 1, 3e-6, 6e-6))
    lanes = (GanttRow("operators", fill[: COLOURS + 1], None, 0.5, 0.0),)
    edges = np.linspace(0, 6e-6, bins + 1)
    return GanttInfo("net on chip: 6 µs", "critical path: dram 90 %", edges, lanes, bars, rows, ("input", "other"))


@dataclass
class ShownProblem(FakeProblem):
    """Also simulates, and runs other networks."""

    def timeline(self, values):
        return gantt()

    def transfer(self, values, networks):
        rows = []
        for name in networks:
            rows.append((name, "baseline", 2e-3, 2e-3, 4e-6, ""))
            rows.append((name, "chosen", 1e-3, 1e-3, 1e-6, ""))
        return pd.DataFrame(rows, columns=["network", "hardware", "latency_s", "energy_j", "edp", "reason"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    run_study(study(trials=40, report="{}"), ShownProblem(), out=out)
    return out


def test_every_figure_is_written_as_png_and_pdf(folder):
    for name in ("front", "convergence", "importance", "ablation", "layers", "timeline"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_page_has_every_section_and_links_to_it(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    names = ("front", "chosen", "ablation", "importance", "designs", "timeline", "layers", "convergence", "card")
    for name in names:
        assert f"<a href='#{name}'>" in text
        assert f"<section id='{name}'" in text
    assert "conv&lt;1&gt;" in text


def test_card_tells_transfer_and_the_searchs_own_energy(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "energy × delay 4.00 times lower" in text
    assert "resnet18 50 % of the latency, 50 % of the energy" in text
    assert "gCO₂e" in text
    assert "--repeats 5" in text


def test_ablation_ends_at_the_balanced_design_with_its_own_metrics(folder):
    ablation, front = pd.read_csv(folder / "ablation.csv"), pd.read_csv(folder / "front.csv")
    trial = pd.read_csv(folder / "layers.csv")["trial"].iloc[0]
    chosen = front[front["number"] == trial].iloc[0]
    last = ablation[ablation["kind"] == "path"].iloc[-1]
    for name in ("latency_s", "energy_j", "error_pct"):
        assert last[name] == pytest.approx(chosen[name])
    first = pd.read_csv(folder / "trials.csv").iloc[0]
    assert ablation.iloc[0]["latency_s"] == pytest.approx(first["latency_s"])


def test_a_finished_study_met_again_works_out_nothing_anew(folder):
    before = (folder / "ablation.csv").stat().st_mtime_ns
    run_study(study(trials=40, report="{}"), ShownProblem(), out=folder, resume=True)
    assert (folder / "ablation.csv").stat().st_mtime_ns == before


def test_a_study_may_do_without(tmp_path):
    part = "{figures: false, ablation: 0, timeline: false, transfer: []}"
    run_study(study(trials=20, report=part), ShownProblem(), out=tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {"front.png", "ablation.csv", "timeline.json", "transfer.csv"}
    assert "<section id='timeline'" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@dataclass
class Dear(ShownProblem):
    """Each network's accuracy has to be paid for, and the baseline's was not: its chip is too large."""

    expensive = True


def test_no_accuracy_is_paid_for_to_show_the_way_from_a_first_design_that_was_turned_away(tmp_path):
    large = {**FakeProblem().first[0], "hw.pes": 16}
    part = study(trials=20, report="{figures: false}")
    run_study(part, Dear(first=(large,)), out=tmp_path / "turned_away")
    assert not (tmp_path / "turned_away" / "ablation.csv").exists()
    run_study(part, Dear(), out=tmp_path / "known")
    assert (tmp_path / "known" / "ablation.csv").exists()


class Stuck(ShownProblem):
    """Cannot be simulated, and no other network fits."""

    def timeline(self, values):
        raise CannotDo("deadlock")

    def transfer(self, values, networks):
        raise Infeasible("no mapping fits", level="memory", missing_words=3)


def test_a_design_that_cannot_be_simulated_loses_its_timeline_and_nothing_else(tmp_path):
    run_study(study(trials=20), Stuck(), out=tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {"timeline.json", "transfer.csv"}
    assert "report.html" in names


def test_a_timeline_is_read_back_as_it_was(tmp_path):
    path = tmp_path / "timeline.json"
    path.write_text(timeline_text(gantt()), encoding="utf-8")
    back, original = read_timeline(path), gantt()
    assert (back.title, back.operators, back.causes) == (original.title, original.operators, original.causes)
    np.testing.assert_allclose(back.edges, original.edges)
    for one, other in zip(back.rows, original.rows, strict=True):
        assert (one.label, one.pieces, one.busy, one.stall) == (other.label, other.pieces, other.busy, other.stall)
        np.testing.assert_allclose(one.fill, other.fill, atol=5e-4)


@pytest.mark.parametrize("text", ["{}", "[1]", '{"bins": "many"}', "no JSON"])
def test_a_damaged_timeline_is_bad_input_that_says_what_to_do(folder, tmp_path, text):
    for name in ("study.yaml", "context.json", "trials.jsonl"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "timeline.json").write_text(text)
    with pytest.raises(BadInput, match="delete it and run the study"):
        report(tmp_path)


def test_context_keeps_what_the_trials_were_made_with(folder):
    versions = json.loads((folder / "context.json").read_text())["versions"]
    assert {"dovetail", "python", "numpy"} <= set(versions)
