"""Simulated latency beside analytic, and who is to blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.accel.simulator.timeline import Contention, OperatorRun
from dovetail.accel.spec import load_accelerator
from dovetail.cosearch.contention import Comparison, compare, plot_ratios, save_ratios
from dovetail.cosearch.validation.reference import Reference
from dovetail.cosearch.validation.suites import simulator
from dovetail.errors import BadInput
from dovetail.mapper.base import Limits
from dovetail.models.load import load_network

QUICK = Limits(seconds=0.2, gap=0.2)


def operator(name: str, cycles: float, analytic: float) -> OperatorRun:
    return OperatorRun(name, "conv", "toy", 0, 0, 0.0, cycles, analytic)


def made_up(ratio: float, *late: Contention, network: str = "toy", chip: str = "chip") -> Comparison:
    return Comparison(network, chip, 1.0, ratio, 1.0, late, 3, 100, 10, 0.1)


LATE = (
    Contention(operator("a", 300.0, 100.0), "dram", "weight from dram", 200.0),
    Contention(operator("b", 300.0, 100.0), "dram", "weight from dram", 200.0),
    Contention(operator("c", 400.0, 300.0), "glb read", "", 100.0),
)


def test_a_comparison_is_never_below_the_bound_and_exact_without_limits() -> None:
    found = compare(load_network("ds_cnn_kws"), load_accelerator("edge_tpu"), limits=QUICK)
    assert found.ratio >= 1.0
    assert found.unlimited == pytest.approx(1.0, abs=1e-12)
    assert 0 < found.walked <= found.steps
    assert all(one.operator.excess > 0.0 for one in found.late)


def test_blame_goes_by_cycles_lost_and_names_equal_operators_once() -> None:
    found = made_up(1.5, *LATE)
    assert found.contended
    assert found.blamed() == [("dram", 0.8), ("glb read", 0.2)]
    assert found.blame() == (
        "dram (80 % of the cycles lost): `a` and 1 like it (+200 %, weight from dram), `c` (+33 %)"
    )
    assert made_up(1.0).blame() == ""
    assert not made_up(1.1 - 1e-9).contended


def test_the_picture_names_the_resource_where_it_is_over_ten_percent(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    found = [made_up(1.3, *LATE), made_up(1.02, *LATE, chip="other"), made_up(1.0, network="second")]
    ax = plot_ratios(found, Figure().subplots())
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["30.0", "dram", "2.0", "exact"]
    save_ratios(found, tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").stat().st_size > 1000
    with pytest.raises(BadInput, match="no comparison"):
        plot_ratios([], Figure().subplots())


def test_the_suite_compares_every_network_on_every_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "NETWORKS", ("ds_cnn_kws",))
    monkeypatch.setattr(simulator, "CHIPS", ("edge_tpu", "eyeriss"))
    monkeypatch.setattr(simulator, "LIMITS", QUICK)
    limited, free = simulator.run(Reference(None))
    assert [case.name for case in limited.cases] == ["ds_cnn_kws on edge_tpu", "ds_cnn_kws on eyeriss"]
    assert all(case.error_pct >= 0.0 for case in limited.cases)
    assert free.met
