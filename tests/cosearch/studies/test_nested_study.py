"""Studies in mode nested: the same trials however they are run, and a word on what never became one."""

import pandas as pd
import pytest
from study_fakes import STUDY, SweptProblem

from dovetail.cosearch.cli.app import main
from dovetail.cosearch.studies.files import Context
from dovetail.cosearch.studies.load import check_shape
from dovetail.cosearch.studies.run import run_study
from dovetail.document import parse_document

TIGHT = """\
name: tight
network: {{space: digits_cells}}
hardware: {{accelerator: gemmini, search: [pes_x, pes_y]}}
accuracy: {{source: trained, dataset: digits}}
mode: {{name: nested, points: 2, patience: 4}}
strategy: {{name: {strategy}}}
objectives: [error_pct]
constraints: {{{limit}}}
budget: {{trials: 9}}
report: {{figures: false, ablation: 0}}
"""


def nested(trials=20, strategy="{name: nsga2, population: 8}"):
    text = STUDY.format(trials=trials, seed=1, strategy=strategy, report="{figures: false, ablation: 0}")
    return check_shape(parse_document(text + "mode: {name: nested, designs: 3}\n", "fake.yaml"))


def designs(folder):
    return pd.read_csv(folder / "trials.csv").drop(columns="wall_s")


@pytest.mark.parametrize("strategy", ["{name: nsga2, population: 8}", "{name: predictor, start: 4}"])
def test_a_nested_run_that_is_stopped_and_resumed_by_two_workers_is_the_unbroken_one(tmp_path, strategy):
    limits = {"area_mm2": 20.0, "latency_s": 1.5e-3}
    whole = run_study(nested(20, strategy), SweptProblem(limits=limits), out=tmp_path / "whole")
    run_study(nested(7, strategy), SweptProblem(limits=limits), out=tmp_path / "broken")
    run_study(nested(20, strategy), SweptProblem(limits=limits), out=tmp_path / "broken", resume=True, workers=2)
    assert len(whole.trials()) == 20
    assert designs(tmp_path / "whole").equals(designs(tmp_path / "broken"))
    chosen = [name for name in whole.trials() if name.startswith(("net.", "hw."))]
    assert not whole.trials()[chosen].duplicated().any()
    assert Context.read(tmp_path / "whole" / "context.json").dropped == whole.context.dropped > 0
    assert Context.read(tmp_path / "broken" / "context.json").dropped == whole.context.dropped


@pytest.mark.parametrize(
    ("strategy", "limit", "said"),
    [
        ("nsga2", "latency_s: {max: 1 ns}", "4 networks were dropped before a trial"),
        ("predictor", "latency_s: {max: 1 ns}", "(latency at most 1 ns, the least found is 1"),
        ("evolution", "params: {max: 10}", "parameters at most 10, the least found is "),
        ("evolution", "area_mm2: {max: 0.001 mm2}", "no accelerator swept keeps the limits (area at most 0.001 mm2"),
    ],
)
def test_a_nested_search_without_hardware_says_what_it_dropped_also_when_resumed(
    tmp_path, capsys, strategy, limit, said
):
    (tmp_path / "tight.yaml").write_text(TIGHT.format(strategy=strategy, limit=limit))
    asked = ["cosearch", "run", str(tmp_path / "tight.yaml"), "--out", str(tmp_path / "out"), "--workers", "1"]
    for more in ([], ["--resume"]):
        assert main([*asked, *more]) == 1
        assert said in capsys.readouterr().err
    report = (tmp_path / "out" / "report.html").read_text()
    assert "fell away" in report or "No accelerator swept" in report
