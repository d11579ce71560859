"""NVDLA's suite: the targets, what is left without reference data, and reference data that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.cosearch.validation import Reference, SuiteResult
from dovetail.cosearch.validation.suites import nvdla
from dovetail.cosearch.validation.suites.nvdla_sheet import sheet_layers
from dovetail.errors import BadInput


def results(folder: Path | None) -> dict[str, SuiteResult]:
    return {result.quantity: result for result in nvdla.run(Reference(folder))}


def test_every_frame_rate_and_every_block_of_the_sheet_is_within_its_target(reference: Path) -> None:
    found = results(reference)
    assert all(result.met for result in found.values() if result.targets)
    assert found["frame rate"].met
    assert len(found["frame rate"].cases) == 7
    for which in ("with SRAM", "DRAM alone"):
        assert found[f"cycles per layer, {which}"].met
        assert len(found[f"DRAM traffic per layer, {which}"].cases) == 54


def test_dram_traffic_is_the_sheet_s_but_for_what_the_notes_explain(reference: Path) -> None:
    off = {
        case.name for case in results(reference)["DRAM traffic per layer, DRAM alone"].cases if abs(case.error_pct) > 4
    }
    assert off <= {"Conv1", "Res5c_branch2c"}


def test_without_reference_data_the_stated_frame_rates_are_compared() -> None:
    data = Reference(None)
    [rates] = nvdla.run(data)
    assert [case.published for case in rates.cases] == [269, 153, 93, 46, 20, 7.3, 3.6]
    assert rates.met
    assert data.missing == ["nvdla/primer_resnet50_fps.csv", "nvdla/resnet50_layers.csv"]


def test_a_frame_rate_that_is_kept_aside_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "nvdla").mkdir()
    head = "macs,conv_buffer_kB,sdram_bw_GBps,area_mm2_28nm,area_mm2_16nm,int8_resnet50_fps_1GHz,avg_power_mW_16nm\n"
    (tmp_path / "nvdla/primer_resnet50_fps.csv").write_text(head + "64,128,1,,,,\n32,128,0.5,0.85,,3.6,\n")
    found = results(tmp_path)
    assert [case.name for case in found["frame rate"].cases] == ["32 multipliers"]
    assert set(found) == {"frame rate"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("primer_resnet50_fps.csv", "macs\n2048\n", "no column 'conv_buffer_kB'"),
        (
            "primer_resnet50_fps.csv",
            "macs,conv_buffer_kB,sdram_bw_GBps,int8_resnet50_fps_1GHz,area_mm2_16nm,avg_power_mW_16nm\n77,,,,,\n",
            "fps.csv:2: 77 multipliers are none of 2048",
        ),
        ("resnet50_layers.csv", "a,b\n1,2\n", "no line with 'Layer attribute'"),
        ("resnet50_layers.csv", "Layer,Layer attribute\nConv1,conv\n", "no column '#input feature maps C'"),
    ],
)
def test_a_file_that_is_not_the_table_is_bad_input(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / "nvdla").mkdir()
    (tmp_path / "nvdla" / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        results(tmp_path)


def test_a_layer_of_the_sheet_is_its_operator_and_what_is_fused_behind_it(reference: Path) -> None:
    layers = {layer.name: layer for layer in sheet_layers(Reference(reference))}
    assert layers["Conv1"].moved == {"Conv1": (0, 64 * 56 * 56)}  # the pool behind it
    assert layers["Res2a_branch2c"].moved == {"Res2a_branch2c": (256 * 56 * 56, 256 * 56 * 56)}
    assert not layers["Res2a_branch1"].moved
    assert layers["fc1000"].op.kind == "linear"
