"""The study of levers on a small video: what each brings, and what it costs in quality."""

from __future__ import annotations

import pytest

import dovetail as dt
from dovetail import BadInput
from dovetail.cosearch.video import ALL, COMBINATIONS, DENSE, SINGLE, Levers, VideoResult, plot_study, video_study
from dovetail.cosearch.video.figures import frame_info, gain_info
from dovetail.models.builder import NetworkBuilder


def small_network(height: int, width: int) -> dt.Network:
    """Three convolutions at strides of 8 and 16, large enough that fixed costs do not rule."""
    builder = NetworkBuilder("small", channels=64, height=-(-height // 8), width=-(-width // 8))
    builder.conv("first", 128, 3, activation="relu")
    builder.conv("second", 128, 3, stride=2, activation="relu")
    builder.conv("answer", 128, 3)
    return builder.build()


@pytest.fixture(scope="module")
def result(video) -> VideoResult:
    return video_study(
        video.scene, combinations=[*SINGLE, ALL, Levers(weights=True), Levers(engine=True)], network=small_network,
        shares=(1.0, 0.25), detector_scenes=5,
    )  # fmt: skip


def test_there_are_sixteen_combinations_each_once():
    assert len(set(COMBINATIONS)) == 16
    assert {DENSE, ALL, *SINGLE} <= set(COMBINATIONS)


def test_dense_is_once_as_good_as_itself_and_loses_no_quality(result):
    assert set(result.gains(DENSE).values()) == {1.0}
    assert result.row(DENSE).live.lost == 0
    assert result.row(DENSE).quality == result.study.reference
    assert result.study.reference.f1 > 0.9


def test_each_lever_gains_and_all_together_gain_less_than_their_product(result):
    for levers in SINGLE:
        assert result.gains(levers)["latency_s"] > 1.1
        assert result.gains(levers)["energy_j"] > 1.1
    gains, product = result.gains(ALL), result.product()
    for name in ("latency_s", "energy_j", "frames_per_s", "power_w"):
        assert max(result.gains(levers)[name] for levers in SINGLE) < gains[name] < product[name]


def test_sparse_weights_and_the_engine_need_each_other(result):
    assert result.gains(Levers(weights=True))["latency_s"] == pytest.approx(1.0)
    assert result.gains(Levers(engine=True))["latency_s"] == pytest.approx(1.0, rel=0.02)


def test_what_is_salient_is_found_as_in_the_whole_frame(result):
    losses = result.row(Levers(saliency=True)).quality.loss_pct(result.study.reference)
    assert abs(losses["f1"]) < 2.0


def test_the_table_has_a_row_per_combination_and_the_losses_beside_the_gains(result):
    table = result.table()
    assert table["levers"].tolist()[0] == "dense"
    assert len(table) == 7
    assert {"latency_gain", "energy_gain", "power_gain", "f1_loss_pct", "iou_loss_pct", "switches"} <= set(table)


def test_the_picture_shows_the_gains_a_frame_and_the_timeline(result, tmp_path):
    info = gain_info(result)
    assert info.combinations[-1] == "filter + saliency + weights + engine"
    assert 0 < frame_info(result).tiles.mean() < 1
    assert plot_study(result, tmp_path / "study.png").stat().st_size > 10_000


def test_what_was_not_run_and_cannot_be_is_refused(result):
    with pytest.raises(BadInput, match=r"no run of filter \+ saliency"):
        result.row(Levers(filter=True, saliency=True))
    with pytest.raises(BadInput, match="frame 1000 was not computed"):
        frame_info(result, number=1000)
    with pytest.raises(BadInput, match="weight density"):
        video_study(result.study.video.scene, density=0.0)
