"""The suite of sparse engines: each part beside its targets, with and without the reference tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dovetail.cosearch.validation import Reference, load_suite, reference_folder
from dovetail.cosearch.validation.result import SuiteResult
from dovetail.cosearch.validation.suites.sparse_engines import eie_times, engine_results, outer_product_time
from dovetail.cosearch.validation.suites.sparse_scnn import scnn_results
from dovetail.cosearch.validation.suites.sparse_sparseloop import (
    crossover,
    layer_cost,
    product_cost,
    sparseloop_results,
)
from dovetail.cosearch.validation.suites.sparse_stated import stated
from dovetail.errors import BadInput

REFERENCE = reference_folder(None)
needs_reference = pytest.mark.skipif(REFERENCE is None, reason="no reference data here")
PUBLISHED = "case,density,quantity,dense,sparse,unit,note\n"


@pytest.fixture(scope="module")
def results() -> dict[str, SuiteResult]:
    reference = Reference(REFERENCE)
    return {one.quantity: one for one in (*sparseloop_results(reference), *engine_results(reference))}


def table(folder: Path, name: str, text: str) -> Reference:
    (folder / "sparse").mkdir(exist_ok=True)
    (folder / "sparse" / name).write_text(text)
    return Reference(folder)


def run(reference: Reference) -> dict[str, Sequence[str]]:
    return {one.quantity: [case.name for case in one.cases] for one in load_suite("sparse").run(reference)}


# ---- Sparseloop ----------------------------------------------------------------------------------------------------


@needs_reference
@pytest.mark.parametrize("column", ["dense", "sparse"])
def test_alexnet_on_eyeriss_takes_sparseloops_cycles_and_energy(results: dict[str, SuiteResult], column: str) -> None:
    cycles, energy = results[f"Eyeriss cycles, {column}"], results[f"Eyeriss energy, {column}"]
    assert cycles.each_abs_error_pct < 0.4
    assert energy.each_abs_error_pct < 4.0
    assert cycles.met
    assert energy.met


def test_a_layer_with_few_inputs_takes_half_its_steps_and_never_less() -> None:
    for name, share in (("conv2", 0.6), ("conv3", 0.5), ("conv4", 0.5), ("conv5", 0.5)):
        dense, sparse = layer_cost(name, sparse=False), layer_cost(name, sparse=True)
        assert sparse.cycles / dense.cycles == pytest.approx(share, abs=2e-3)
        assert sparse.macs == dense.macs
        assert sparse.effectual_macs == pytest.approx(dense.macs * stated().eyeriss.layers[name].input)


@needs_reference
def test_both_formats_cost_what_sparseloop_says_at_eight_densities(results: dict[str, SuiteResult]) -> None:
    for fmt, energy, cycles in (("bitmask", 1.0, 1.0), ("coordinates", 6.0, 0.1)):
        assert results[f"SpMSpM energy, {fmt}"].each_abs_error_pct < energy
        assert results[f"SpMSpM cycles, {fmt}"].each_abs_error_pct < cycles


def test_formats_change_places_between_the_published_densities() -> None:
    def found(low: float, high: float) -> float | None:
        energy = [{at: product_cost(fmt, at).energy_j for at in (low, high)} for fmt in ("coordinate", "bitmask")]
        return crossover(*energy)

    assert found(0.04, 0.08) == pytest.approx(0.071, abs=0.002)
    cycles = [{at: product_cost(fmt, at).cycles for at in (0.4, 0.8)} for fmt in ("coordinate", "bitmask")]
    at = crossover(*cycles)
    assert at is not None
    assert 0.4 < at < 0.8


def test_curves_that_do_not_cross_have_no_crossover() -> None:
    assert crossover({0.1: 1.0, 0.2: 2.0}, {0.1: 2.0, 0.2: 3.0}) is None
    assert crossover({0.1: 1.0}, {0.2: 1.0}) is None
    assert crossover({0.1: 1.0, 0.3: 5.0}, {0.1: 2.0, 0.3: 4.0}) == pytest.approx(0.2)


# ---- the engines' papers -------------------------------------------------------------------------------------------


@needs_reference
def test_eies_times_are_off_by_what_the_notes_say(results: dict[str, SuiteResult]) -> None:
    theoretical, actual = results["EIE theoretical time"], results["EIE actual time"]
    assert theoretical.within(5.0) >= 5
    assert theoretical.mape_pct < 7.0
    assert actual.within(15.0) >= 7
    assert actual.mape_pct < 10.0
    assert results["EIE actual over theoretical time"].met


def test_eies_power_and_area_come_out_within_a_third(results: dict[str, SuiteResult]) -> None:
    assert results["EIE power"].each_abs_error_pct < 33.0
    assert results["EIE area"].each_abs_error_pct < 33.0


def test_an_element_of_eie_waits_more_where_it_has_little_work() -> None:
    times = {name: eie_times(layer) for name, layer in stated().eie.layers.items()}
    over = {name: one["Actual Time"] / one["Theoretical Time"] for name, one in times.items()}
    assert all(1.0 < share < 1.6 for share in over.values())
    assert max(over, key=lambda name: over[name]) == "NT-We"


def test_n_of_m_weights_have_exactly_their_throughput(results: dict[str, SuiteResult]) -> None:
    found = results["math throughput of n:m weights"]
    assert found.met
    assert found.each_abs_error_pct == 0.0
    assert found.cases[0].modelled == 2.0


def test_the_element_errs_as_sparseloop_does_with_zeros_at_random(results: dict[str, SuiteResult]) -> None:
    found = results["Eyeriss v2 element"]
    for case, layer in zip(found.cases, stated().eyeriss_v2_pe.layers.values(), strict=True):
        assert case.modelled == pytest.approx(layer.sparseloop, rel=1e-4)


def test_partly_empty_vectors_explain_a_dual_side_tensor_core(results: dict[str, SuiteResult]) -> None:
    assert results["dual-side tensor core"].met
    assert outer_product_time(0.5, 0.4) > 1.5 * outer_product_time(0.5, 0.4, packed=False)
    assert outer_product_time(1.0, 1.0) == outer_product_time(1.0, 1.0, packed=False)


@needs_reference
def test_scnn_is_faster_by_about_what_is_published(tmp_path: Path) -> None:
    assert REFERENCE is not None
    rows = (REFERENCE / "sparse/layer_densities.csv").read_text().splitlines()
    alexnet = "".join(f"{row}\n" for row in rows if row.startswith("ALEX"))
    (found,) = scnn_results(table(tmp_path, "layer_densities.csv", alexnet))
    assert [case.name for case in found.cases] == ["alexnet"]  # no densities of the other network here
    assert found.each_abs_error_pct < 20.0


# ---- tables --------------------------------------------------------------------------------------------------------


def test_without_tables_the_stated_figures_are_compared() -> None:
    reference = Reference(None)
    found = run(reference)
    assert set(found) == {
        "EIE power",
        "EIE area",
        "math throughput of n:m weights",
        "Eyeriss v2 element",
        "dual-side tensor core",
    }
    files = ("sparseloop_published", "eie_layers_us", "layer_densities")
    assert reference.missing == [f"sparse/{name}.csv" for name in files]


def test_figures_kept_aside_are_left_out(tmp_path: Path) -> None:
    rows = (
        "alexnet_conv2_eyeriss,,cycles,6881280,,cycles,\nspmspm128_bitmask,0.04,energy,,1.62,uJ,\n"
        "spmspm128_coordinate,0.04,energy,,,uJ,\n"
    )
    found = run(table(tmp_path, "sparseloop_published.csv", PUBLISHED + rows))
    assert found["Eyeriss cycles, dense"] == ["conv2"]
    assert found["SpMSpM energy, bitmask"] == ["density 0.04"]
    assert not {"Eyeriss cycles, sparse", "SpMSpM energy, coordinates", "SpMSpM crossover density"} & set(found)


def test_a_layer_of_eie_with_one_time_has_no_ratio(tmp_path: Path) -> None:
    text = "Layer,AlexNet FC6,NT- We\nTheoretical Time,28.1,5.2\nActual Time,,8.0\n"
    found = run(table(tmp_path, "eie_layers_us.csv", text))
    assert found["EIE theoretical time"] == ["AlexNet FC6", "NT-We"]
    assert found["EIE actual time"] == found["EIE actual over theoretical time"] == ["NT-We"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("eie_layers_us.csv", "Layer,LeNet FC1\nActual Time,3\n", "column 'LeNet FC1' is no layer of EIE's paper"),
        ("eie_layers_us.csv", "Layer,NT- We\nActual Time,fast\n", "NT- We is 'fast', not a number"),
        ("sparseloop_published.csv", "case,density\n", "no column 'quantity'"),
        ("layer_densities.csv", "a,0.5,0.5,0.5\nb,0.5,2,0.5\n", "layer_densities.csv:2: a layer and three densities"),
        ("layer_densities.csv", "a,0.5,0.5\n", "layer_densities.csv:1: a layer and three densities"),
        (
            "sparseloop_published.csv",
            PUBLISHED + "alexnet_conv2_eyeriss,,cycles,many,,cycles,\n",
            "sparse/sparseloop_published.csv:2: dense is 'many', not a number",
        ),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        load_suite("sparse").run(table(tmp_path, name, text))
    assert message in str(error.value)
