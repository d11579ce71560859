"""MLPerf Tiny's rows on GAP9 and the NDP120: which rows are compared, and the band they are in."""

from __future__ import annotations

import pytest

from dovetail.cosearch.validation import Case, Reference, SuiteResult, Target
from dovetail.cosearch.validation.suites import mlperf_tiny
from dovetail.errors import BadInput

HEADER = "version,commit,division_org,system,benchmark,mode,throughput_inf_s,latency_ms,energy,energy_unit,path\n"


def table(tmp_path, *rows: str) -> Reference:
    folder = tmp_path / "mlperf_tiny"
    folder.mkdir()
    (folder / "results.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return Reference(tmp_path)


def test_a_factor_counts_both_ways_and_names_how_many_are_within():
    cases = (Case("low", 10, 5), Case("high", 10, 21))
    result = SuiteResult("trial", "energy", cases, "none", targets=(Target("each_factor", 2.0),))
    assert [case.factor for case in cases] == [2.0, 2.1]
    assert (result.each_factor, result.within_factor(2.0), result.met) == (2.1, 1, False)
    assert Target("each_factor", 2.0).text == "each within a factor of 2"
    assert result.summary()["worst_factor"] == 2.1


def test_rows_of_both_vocabularies_are_the_same_networks():
    for short, long in (("ad", "anomaly_detection"), ("ic", "image_classification"), ("kws", "keyword_spotting"),
                        ("vww", "visual_wake_words")):  # fmt: skip
        first, second = mlperf_tiny.benchmark_network(short), mlperf_tiny.benchmark_network(long)
        assert first is not None
        assert second is not None
        assert first.macs == second.macs
    assert mlperf_tiny.benchmark_network("streaming_wakeword") is None


def test_only_rows_with_an_energy_of_a_known_system_are_compared(tmp_path):
    reference = table(
        tmp_path,
        "v1.0,c,closed/x,syntiant_9120_0v9_30mhz,kws,energy,227,4.4,0.0315,mJ,p",
        "v1.0,c,closed/x,syntiant_9120_0v9_30mhz,kws,performance,227,4.4,,,p",
        "v1.0,c,closed/x,syntiant_9120_0v9_30mhz,sww,energy,227,4.4,30,uJ,p",
        "v1.0,c,closed/x,syntiant_9120_0v9_30mhz,ic,energy,62,16,,uJ,p",  # kept aside
        "v1.0,c,closed/x,NUCLEO_U575ZI_Q,kws,energy,26,38,1004,uJ,p",
    )
    energy, latency = mlperf_tiny.run(reference)
    assert (energy.quantity, latency.quantity) == ("syntiant_ndp120 energy", "syntiant_ndp120 latency")
    assert [(case.name, case.published) for case in energy.cases] == [("v1.0 syntiant_9120_0v9_30mhz kws", 31.5)]


def test_an_energy_in_an_unknown_unit_is_refused_with_its_line(tmp_path):
    reference = table(tmp_path, "v1.0,c,closed/x,syntiant_9120_0v9_30mhz,kws,energy,227,4.4,31.5,cal,p")
    with pytest.raises(BadInput, match=r"results\.csv:2: energy_unit is 'cal', not one of uJ, mJ, J"):
        mlperf_tiny.run(reference)


def test_nothing_is_compared_without_the_table(tmp_path):
    reference = Reference(tmp_path)
    assert mlperf_tiny.run(reference) == []
    assert reference.missing == ["mlperf_tiny/results.csv"]


def test_the_higher_voltage_costs_more_energy_and_less_time():
    low, high = (mlperf_tiny.on_system(name, "kws") for name in ("syntiant_9120_0v9_30mhz", "syntiant_9120_1v1_98mhz"))
    assert low is not None
    assert high is not None
    assert 1.3 < high.energy_j / low.energy_j < 1.5
    assert high.latency_s < low.latency_s
    assert mlperf_tiny.supplied_j(low) > low.energy_j


def test_every_visible_row_is_within_the_band(reference):
    results = mlperf_tiny.run(Reference(reference))
    if not results:
        pytest.skip("the reference folder has no MLPerf Tiny results")
    energies = {result.quantity: result for result in results}
    assert {"gap9 energy", "syntiant_ndp120 energy"} <= set(energies)
    for result in results:
        assert result.within_factor(2.0) == len(result.cases), result.quantity
