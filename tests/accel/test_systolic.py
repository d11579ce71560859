"""Closed forms of systolic arrays: equal to the program that moves every operand, and to hand-counted cycles."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import systolic_array

import dovetail as dt
from dovetail.accel import systolic
from dovetail.accel.systolic import Gemm, SystolicArray, gemms, scalesim_cycles
from dovetail.models.op import batched_matmul, conv2d, linear, transposed_conv2d

DATAFLOWS: tuple[systolic.Dataflow, ...] = ("weight_stationary", "output_stationary", "input_stationary")


def sizes(rows: int, columns: int) -> list[tuple[int, int, int]]:
    """(m, k, n): one element, one full fold, and remainders in every direction."""
    return [(1, 1, 1), (rows, rows, columns), (rows + 2, rows + 1, columns + 1), (max(rows, columns) + 1, 5, 3)]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("rows", range(1, 9))
def test_closed_forms_equal_the_array_element_by_element_on_all_arrays_up_to_8_x_8(
    dataflow: systolic.Dataflow, rows: int
) -> None:
    words = np.random.default_rng(rows)
    for columns, (m, k, n) in ((c, size) for c in range(1, 9) for size in sizes(rows, c)):
        left, right = words.integers(-9, 9, (m, k)), words.integers(-9, 9, (k, n))
        product, cycles = systolic_array.simulate(left, right, rows, columns, dataflow, "shifted")
        np.testing.assert_array_equal(product, left @ right)
        assert SystolicArray(rows, columns, dataflow).cycles(Gemm(m, k, n)) == cycles, (columns, m, k, n)


@pytest.mark.parametrize("rows", range(1, 9))
def test_results_taken_where_they_are_finished_save_a_cycle_a_row(rows: int) -> None:
    words = np.random.default_rng(rows)
    for columns, (m, k, n) in ((c, size) for c in range(1, 9) for size in sizes(rows, c)[1:3]):
        left, right = words.integers(-9, 9, (m, k)), words.integers(-9, 9, (k, n))
        product, cycles = systolic_array.simulate(left, right, rows, columns, "output_stationary", "direct")
        np.testing.assert_array_equal(product, left @ right)
        direct = SystolicArray(rows, columns, "output_stationary", "direct")
        assert direct.cycles(Gemm(m, k, n)) == cycles
        shifted = SystolicArray(rows, columns, "output_stationary").run(Gemm(m, k, n))
        assert shifted.cycles == cycles + rows * shifted.fold_count


def test_a_single_element_takes_a_cycle_a_multiplication_and_one_for_each_weight_it_loads() -> None:
    work = Gemm(5, 3, 2)
    assert SystolicArray(1, 1, "output_stationary", "direct").cycles(work) == work.macs
    assert SystolicArray(1, 1, "weight_stationary").cycles(work) == work.macs + 3 * 2
    assert SystolicArray(1, 1, "input_stationary").cycles(work) == work.macs + 5 * 3


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_folds_with_remainders_hold_all_the_work(dataflow: systolic.Dataflow) -> None:
    work = Gemm(37, 29, 23, passes=3, count=2)
    for rows, columns in itertools.product((1, 4, 7, 32, 64), repeat=2):
        run = SystolicArray(rows, columns, dataflow).run(work)
        assert run.macs == work.macs
        assert 0.0 < run.utilization <= run.mapping_efficiency <= 1.0
        assert len(run.folds) <= 4
        assert all(fold.rows <= rows and fold.columns <= columns for fold in run.folds)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_one_full_fold_maps_perfectly_and_a_long_stream_uses_the_array_fully(dataflow: systolic.Dataflow) -> None:
    long = {"weight_stationary": "m", "output_stationary": "k", "input_stationary": "n"}[dataflow]
    run = SystolicArray(8, 8, dataflow).run(Gemm(**({"m": 8, "k": 8, "n": 8} | {long: 10**6})))
    assert run.fold_count == 1
    assert run.mapping_efficiency == 1.0
    assert run.utilization > 0.9999


def test_a_convolution_is_a_product_of_its_pixels_windows_and_channels() -> None:
    op = conv2d("conv", n=2, k=64, c=16, p=7, q=5, r=3, s=3, stride=(2, 2), dilation=(2, 2))
    assert gemms(op) == (Gemm(m=2 * 7 * 5, k=16 * 9, n=64),)
    assert gemms(op, "direct") == (Gemm(m=70, k=16, n=64, passes=9),)


def test_groups_and_depthwise_channels_are_products_of_their_own() -> None:
    grouped = conv2d("grouped", g=4, k=8, c=6, p=5, q=5, r=3, s=3)
    depthwise = conv2d("depthwise", g=32, k=1, c=1, p=5, q=5, r=3, s=3)
    assert gemms(grouped) == (Gemm(25, 54, 8, count=4),)
    assert gemms(depthwise) == (Gemm(25, 9, 1, count=32),)
    assert gemms(depthwise, "direct") == (Gemm(25, 1, 1, passes=9, count=32),)


def test_linear_layers_and_batched_products_are_what_they_say() -> None:
    assert gemms(linear("fc", n=3, k=10, c=20)) == gemms(linear("fc", n=3, k=10, c=20), "direct") == (Gemm(3, 20, 10),)
    assert gemms(batched_matmul("scores", g=12, n=7, k=9, c=64)) == (Gemm(7, 64, 9, count=12),)


def test_a_transposed_convolution_spreads_its_taps_over_the_outputs() -> None:
    op = transposed_conv2d("up", k=8, c=16, h=4, w=4, r=3, s=3, stride=(2, 2))
    assert gemms(op) == (Gemm(m=16, k=16, n=8 * 9),)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_every_operator_keeps_its_multiplications(dataflow: systolic.Dataflow) -> None:
    array = SystolicArray(16, 12, dataflow)
    for op in dt.load_network("mobilenet_v2").ops:
        if isinstance(op, dt.Op):
            assert array.run(gemms(op)).macs == array.run(gemms(op, "direct")).macs == op.macs


def test_taps_without_im2col_cost_folds_where_weights_stay_and_none_where_outputs_stay() -> None:
    op = conv2d("conv", k=32, c=16, p=10, q=10, r=3, s=3)
    stationary, outputs = SystolicArray(32, 32, "weight_stationary"), SystolicArray(32, 32, "output_stationary")
    assert stationary.run(gemms(op)).fold_count == 5  # 144 rows of windows
    assert stationary.run(gemms(op, "direct")).fold_count == 9  # one per tap, 16 of 32 rows at work
    assert outputs.cycles(gemms(op)) == outputs.cycles(gemms(op, "direct"))


def test_scale_sim_reports_the_number_of_the_last_cycle() -> None:
    # 54 x 54 pixels, 576 words a window, 64 channels on 32 x 32: 36 folds of 64 + 2916 + 30 cycles
    assert scalesim_cycles(SystolicArray(32, 32, "weight_stationary"), Gemm(2916, 576, 64)) == 36 * 3010 - 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SystolicArray(0, 4, "weight_stationary"), "array.rows: 0 is not a count"),
        (lambda: SystolicArray(4, 4, "row_stationary"), "'row_stationary' is not known; use one of"),
        (lambda: SystolicArray(4, 4, "output_stationary", "drained"), "readout: 'drained' is not known"),
        (lambda: Gemm(4, 0, 4), "gemm.k: 0 is not a count"),
        (lambda: Gemm(4, 2.5, 4), "gemm.k: 2.5 is not a count"),
        (lambda: SystolicArray(4, 4, "weight_stationary").run(()), "no matrix product to run"),
        (lambda: gemms(linear("fc", n=1, k=2, c=3), "winograd"), "convolution: 'winograd' is not known"),
        (lambda: gemms("conv"), "op"),
        (lambda: systolic.convolution_output(3, 5, 1), "larger than the input's 3"),
    ],
)  # fmt: skip
def test_bad_input_is_named_with_a_remedy(make: Any, message: str) -> None:
    with pytest.raises(dt.BadInput, match=message.replace(".", r"\.")):
        make()


def test_dimensions_of_one_tensor_alone_are_refused() -> None:
    op = linear("fc", n=2, k=3, c=4)
    inputs, weights, outputs = op.tensors
    odd = dt.Op(
        "odd", (*op.dims, ("R", 5)), (inputs, type(weights)("weight", (*weights.ranks, systolic_rank())), outputs)
    )
    with pytest.raises(dt.BadInput, match="belong to one tensor only"):
        gemms(odd)


def systolic_rank() -> Any:
    """A rank of a dimension that only the weights have."""
    from dovetail.models.op import Rank

    return Rank((("R", 1),))


SPEC = """
name: systolic_{dataflow}
technology: 28 nm
clock: 1 GHz
levels:
  - {{name: memory, type: memory, component: dram, size: 1 GiB, keeps: [input, weight, output]}}
  - name: elements
    type: array
    shape: {{rows: {rows}, columns: {columns}}}
    systolic: {{dataflow: {dataflow}, rows: rows, columns: columns}}
  - {{name: register, type: memory, component: register_file, size: 32 bit, keeps: [{held}]}}
  - {{name: mac, type: compute}}
"""
# which dimension of a linear layer (N x C by C x K) lies along rows and columns, and which one streams
LAID: dict[str, tuple[str, str, str]] = {
    "weight_stationary": ("C", "K", "N"), "output_stationary": ("N", "K", "C"), "input_stationary": ("C", "N", "K"),
}  # fmt: skip


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (8, 8), (32, 16)])
def test_the_model_of_any_accelerator_gives_the_closed_form_where_memory_is_not_waited_for(
    tmp_path: Path, dataflow: systolic.Dataflow, rows: int, columns: int
) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text(
        SPEC.format(dataflow=dataflow, rows=rows, columns=columns, held=dataflow.split("_")[0]), encoding="utf-8"
    )
    chip = dt.load_accelerator(path)
    along, across, stream = LAID[dataflow]
    for n, c, k in [(1, 1, 1), (8, 8, 8), (33, 65, 34), (50, 3, 33), (100, 27, 10)]:
        op = linear("fc", n=n, k=k, c=c)
        sides = {along: rows, across: columns}
        folds = tuple(dt.Loop(dim, -(-op.bounds[dim] // size)) for dim, size in sides.items())
        used = tuple(
            dt.Loop(dim, min(size, op.bounds[dim]), axis)
            for (dim, size), axis in zip(sides.items(), ("rows", "columns"), strict=True)
        )
        inner = dt.LevelMapping("register", (dt.Loop(stream, op.bounds[stream]),))
        mapping = dt.Mapping((dt.LevelMapping("memory", folds), dt.LevelMapping("elements", used), inner))
        assert dt.evaluate(op, chip, mapping).cycles == SystolicArray(rows, columns, dataflow).cycles(gemms(op))
