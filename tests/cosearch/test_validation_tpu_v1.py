"""The first TPU's applications: how they are built, and what the model says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.cosearch.validation import Reference, load_suite, reference_folder
from dovetail.cosearch.validation.suites import tpu_v1
from dovetail.errors import BadInput
from dovetail.models.op import Op, VectorOp

REFERENCE = reference_folder(None)
APPS = {app.name: app for app in tpu_v1.applications()}
HEADER = "app,tops_measured,array_active_pct,weight_stall_pct,weight_shift_pct\n"


def table(folder: Path, *rows: str) -> Reference:
    (folder / "tpu_v1").mkdir()
    (folder / "tpu_v1/tpuv1_isca17.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return Reference(folder)


@pytest.mark.parametrize("name", APPS)
def test_an_application_has_the_published_layers_weights_and_operations(name: str) -> None:
    app = APPS[name]
    network, macs = tpu_v1.network(app)
    vectors = [op for op in network.ops if isinstance(op, VectorOp)]
    assert len(vectors) == app.vectors + app.pools
    if app.matrix is None:
        assert len(network.contractions) == app.fully_connected + app.convolutions
    # rounded widths and a whole number of pixels
    assert macs == pytest.approx(app.weights * (app.ops_per_weight_byte or app.batch), rel=0.02)


def test_weights_fill_whole_tiles_and_wide_activations_enter_twice() -> None:
    network, _ = tpu_v1.network(APPS["LSTM1"])
    first = network.contractions[0]
    assert (first.bounds["N"], first.bounds["K"], first.bounds["C"]) == (2 * 96, 768, 768)
    assert len(network.contractions) == 94  # 34 million weights in matrices of 600 x 600
    pixels = tpu_v1.network(APPS["CNN0"])[0].contractions[0].bounds
    assert (pixels["P"], pixels["Q"], pixels["K"], pixels["C"]) == (19, 19, 256, 236)


def test_a_matrix_takes_as_long_as_the_paper_says_on_both_sizes() -> None:
    assert 1e6 * tpu_v1.matrix_time_s(APPS["LSTM1"], 256) == pytest.approx(18.0, rel=0.05)
    assert 1e6 * tpu_v1.matrix_time_s(APPS["LSTM1"], 512) == pytest.approx(32.0, rel=0.05)


def test_an_application_that_waits_for_weights_moves_at_their_bandwidth() -> None:
    app = APPS["MLP0"]
    found = tpu_v1.predict(app)
    tiles = sum(op.words("weight") for op in tpu_v1.network(app)[0].ops if isinstance(op, Op))
    most = 2e-12 * 20e6 * 200 / (tiles / 34e9)
    assert 0.9 * most < found.tops < most
    assert found.active_pct + found.weights_pct <= 100.0


@pytest.mark.skipif(REFERENCE is None, reason="no reference data here")
def test_mlps_and_the_first_lstm_are_within_fifteen_percent_and_nothing_is_fitted() -> None:
    results = load_suite("tpu_v1").run(Reference(REFERENCE))
    errors = {case.name: case.error_pct for case in results[0].cases}
    assert max(abs(errors[name]) for name in ("MLP0", "MLP1", "LSTM0")) <= 15.0
    assert all(result.calibration is None for result in results)
    assert [result.quantity.split()[0] for result in results] == ["achieved", "achieved", "time", "matrix", "matrix"]


def test_without_the_table_the_tops_on_record_are_compared() -> None:
    reference = Reference(None)
    results = load_suite("tpu_v1").run(reference)
    assert [len(result.cases) for result in results] == [4, 2, 2]
    assert reference.missing == ["tpu_v1/tpuv1_isca17.csv"]


def test_figures_kept_aside_are_left_out(tmp_path: Path) -> None:
    results = load_suite("tpu_v1").run(table(tmp_path, "MLP0,12.3,12.7,,", "CNN0,,78.2,0.0,0.0"))
    cases = {result.quantity: [case.name for case in result.cases] for result in results}
    assert cases["achieved operations, MLPs and LSTMs"] == ["MLP0"]
    assert cases["matrix unit active"] == ["MLP0", "CNN0"]
    assert not any("waits" in quantity or "CNNs" in quantity for quantity in cases)


def test_an_unknown_application_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tpuv1_isca17\.csv:2: no application 'RNN0'; described are MLP0, MLP1"):
        load_suite("tpu_v1").run(table(tmp_path, "RNN0,1,1,1,1"))


def test_convolutions_without_their_operations_per_byte_are_refused() -> None:
    odd = APPS["CNN0"].model_copy(update={"ops_per_weight_byte": None})
    with pytest.raises(BadInput, match="convolutions need ops_per_weight_byte"):
        tpu_v1.network(odd)
