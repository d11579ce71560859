"""Edge TPUs: Coral's tables, the cells of NAS-Bench-201 and the Pixel 6 beside the model."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail as dt
from dovetail.cosearch.validation import Reference, load_suite, reference_folder
from dovetail.cosearch.validation.calibration import load_calibration
from dovetail.cosearch.validation.fitting import fit_times
from dovetail.cosearch.validation.suites import edge_tpu, nasbench201_edge, pixel6
from dovetail.errors import BadInput
from dovetail.models.zoo.nasbench201 import nasbench201

REFERENCE = reference_folder(None)
measured = pytest.mark.skipif(REFERENCE is None, reason="no reference data here")
UNITS = {"ms": 1e-3, "us": 1e-6, "GB/s": 8e9, "GHz": 1e9}


def si(value: str | int | float) -> float:
    if not isinstance(value, str):
        return float(value)
    number, unit = value.split()
    return float(number) * UNITS[unit]


@pytest.mark.parametrize("name", ["coral_usb", "coral_devboard", "nasbench201_edge"])
def test_the_accelerator_has_the_calibrated_values(name):
    record = load_calibration(name)
    for accelerator in record.accelerators:
        values = dt.load_accelerator(accelerator).values
        assert {one.name: pytest.approx(values[one.name]) for one in record.constants} == {
            one.name: si(one.value) for one in record.constants
        }


def test_the_chip_is_the_same_behind_both_links():
    usb, board = dt.load_accelerator("coral_usb"), dt.load_accelerator("coral_devboard")
    own = {"call_overhead", "bandwidth", "host_rate"}
    assert {name for name, value in usb.values.items() if value != board.values[name]} <= own
    assert usb.levels[1:] == board.levels[1:]


@pytest.mark.parametrize("name", ["coral_usb", "coral_devboard"])
def test_the_link_carries_no_more_than_its_code_lets_through(name):
    assert dt.load_accelerator(name).values["bandwidth"] <= 8 * 500e6


def test_the_arrays_peak_is_the_published_one():
    assert dt.load_accelerator("coral_usb").peak_ops_per_s == pytest.approx(4e12, rel=0.03)
    assert dt.load_accelerator("pixel6").peak_ops_per_s == pytest.approx(8.73e12, rel=0.01)


def test_parameters_beyond_the_chips_memory_cross_the_link_in_every_inference():
    usb = dt.load_accelerator("coral_usb")
    small, large = (edge_tpu.on_edge_tpu(dt.load_network(name), usb) for name in ("squeezenet1_1", "alexnet"))
    assert small.schedule.plan.streamed_bits == 0.0
    streamed_s = large.schedule.plan.streamed_bits / usb.values["bandwidth"]
    assert large.schedule.plan.streamed_bits > 8 * 52e6
    assert streamed_s < large.latency_s < 1.3 * streamed_s


def test_operators_left_to_the_host_cost_its_time_and_their_inputs_the_links():
    usb = dt.load_accelerator("coral_usb")
    found = edge_tpu.on_edge_tpu(dt.load_network("deeplab_v3_mobilenet_v2", resolution=129), usb)
    rows = {row["name"]: row for row in found.rows()}
    operations = next(op.operations for op in found.network.ops if op.name == "resize")
    assert rows["resize"]["latency_s"] == pytest.approx(operations / usb.values["host_rate"])
    assert (rows["resize"]["bound"], rows["resize"]["overhead_s"]) == ("host", 0.0)
    assert rows["logits"]["output_at"] == "host_memory"
    assert any("left to the host of coral_usb: argmax, resize" in note for note in found.notes)


def test_cells_of_the_same_operators_take_equally_long():
    cells = nasbench201_edge.Cells(dt.load_accelerator("coral_devboard"))
    one, other = (
        "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
        "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
    )
    apart = [edge_tpu.latency_ms(nasbench201(arch), cells.accelerator) for arch in (one, other)]
    assert cells.latency_ms(one) == cells.latency_ms(other) == pytest.approx(apart[0]) == pytest.approx(apart[1])


def test_without_tables_the_stated_figures_are_compared():
    missing = Reference(None)
    (cells,) = nasbench201_edge.run(missing)
    assert len(missing.missing) == 1
    assert cells.mape_pct < 10.0


def test_a_fit_needs_its_rows():
    for suite in (edge_tpu, nasbench201_edge):
        for fit in suite.CALIBRATES.values():
            with pytest.raises(BadInput, match="give --reference"):
                fit(Reference(None))


@pytest.mark.parametrize(("module", "name", "header", "known"), [
    (edge_tpu, "coral_latency_ms", "model,desktop_cpu_plus_usb_edgetpu_ms,devboard_edgetpu_ms", "MobileNet v1"),
    (pixel6, "pixel6_latency_ms", "model,pixel6_edgetpu_latency_ms,x", "MobileNetEdgeTPU dm1.0"),
])
def test_a_model_without_a_network_is_left_out(tmp_path, module, name, header, known):
    (tmp_path / "edge_tpu").mkdir()
    (tmp_path / f"edge_tpu/{name}.csv").write_text(f"{header}\nLeNet,1,1\n{known},2,2\n")
    for result in module.run(Reference(Path(tmp_path))):
        assert [case.name for case in result.cases] == [known]


def test_the_fit_finds_constants_in_spite_of_an_outlier():
    calls, words = (1.0, 1.0, 1.0, 1.0, 1.0), (1.0, 2.0, 5.0, 9.0, 20.0)

    def times(now):
        return [now["call"] * call + now["word"] * word for call, word in zip(calls, words, strict=True)]

    exact = times({"call": 0.3, "word": 2.0})
    found = fit_times(times, {"call": 1.0, "word": 1.0}, [*exact[:2], 3.0 * exact[2], *exact[3:]])
    assert found == {"call": pytest.approx(0.3), "word": pytest.approx(2.0)}
    assert fit_times(times, {"call": 1.0, "word": 1.0}, exact, least={"word": 2.5})["word"] == pytest.approx(2.5)


def test_the_order_of_the_phones_networks_is_the_measured_one():
    missing = Reference(None)
    (stated,) = pixel6.run(missing)
    assert len(missing.missing) == 1
    assert stated.met
    if REFERENCE is not None:
        (result,) = load_suite("pixel6").run(Reference(REFERENCE))
        assert len(result.cases) == 9
        assert result.spearman == 1.0


@measured
@pytest.mark.slow
def test_the_suites_keep_their_targets():
    for name in ("edge_tpu", "nasbench201_edge"):
        assert all(result.met is not False for result in load_suite(name).run(Reference(REFERENCE)))


@measured
@pytest.mark.slow
def test_the_cells_fit_gives_the_record():
    fitted = nasbench201_edge.fit(Reference(REFERENCE))
    assert fitted.constants == load_calibration("nasbench201_edge").constants
