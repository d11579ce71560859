"""The picture shows the work that the log holds, as single slices where they are few, as shares where they are many."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from timelines import network, random_log, timeline

from dovetail.accel.simulator.gantt import gantt_info, plot_gantt
from dovetail.accel.simulator.gantt_parts import OVERHEAD, seconds
from dovetail.accel.simulator.recorder import Log, Slice, expanded
from dovetail.accel.simulator.timeline import ResourceShare, Timeline
from dovetail.errors import BadInput, UnknownName


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("bins", [3, 1600])
def test_rows_hold_all_work_and_all_stalls(seed: int, bins: int) -> None:
    line = timeline(random_log(seed))
    info = gantt_info(line, bins=bins)
    if not line.cycles:
        return
    for row, share in zip(info.rows, line.shares, strict=True):
        assert row.busy * line.cycles == pytest.approx(share.busy, abs=1e-6)
        assert row.stall * line.cycles == pytest.approx(share.stall, abs=1e-6)
        assert row.fill.sum(axis=0).max() <= 1.0 + 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_a_window_holds_the_work_inside_it(seed: int) -> None:
    line = timeline(random_log(seed, most_times=30, depth=2))
    if not line.cycles:
        return
    first, last = 0.2 * line.cycles, 0.7 * line.cycles
    info = gantt_info(line, window_s=(first / line.clock_hz, last / line.clock_hz))
    slack = 15 * (last - first) / 1600  # what is finer than a pixel is spread over a few of them
    for row, share in zip(info.rows, line.shares, strict=True):
        parts = [s for s in expanded(line.log) if s.track == share.track and not s.cause]
        work = sum(max(0.0, min(s.end, last) - max(s.start, first)) for s in parts)
        assert row.busy * (last - first) == pytest.approx(work, abs=slack)


def test_few_slices_are_kept_and_many_become_shares() -> None:
    log, runs = network(2, 4)
    few = gantt_info(timeline(log, runs))
    assert [len(row.pieces or ()) for row in few.rows] == [10, 14]
    log, runs = network(2, 100_000)
    many = gantt_info(timeline(log, runs))
    assert [row.pieces for row in many.rows] == [None, None]
    dram = many.rows[0].fill
    assert dram[0, 300] == pytest.approx(0.4, abs=1e-3)
    assert dram[1, 1200] == pytest.approx(1.0, abs=1e-3)
    mac = many.rows[1].fill
    assert mac[1, 1200] == pytest.approx(0.8, abs=1e-3)
    assert mac[OVERHEAD + 1, 1200] == pytest.approx(0.2, abs=1e-3)


def test_billions_of_slices_are_not_played_out() -> None:
    log, runs = network(4, 10**10)
    assert gantt_info(timeline(log, runs)).rows[0].busy == pytest.approx((0.4 * 100 + 125) / 225, rel=1e-3)


def test_slices_that_are_written_singly_are_shares_where_they_are_finer_than_pixels() -> None:
    log, runs = network(2, 3000)
    played: Log = list(expanded(log))
    rows = [gantt_info(timeline(each, runs)).rows for each in (log, played)]
    for repeated, single in zip(*rows, strict=True):
        assert single.pieces is None
        assert np.abs(repeated.fill - single.fill).mean() < 0.01


def test_neighbouring_operators_have_other_colours() -> None:
    log, runs = network(9, 3)
    bars = gantt_info(timeline(log, runs)).operators
    assert all(one.colour != other.colour for one, other in pairwise(bars))


def test_operators_at_once_have_lanes_and_cores_their_own() -> None:
    first, runs = network(2, 5, core=0)
    second, more = network(2, 5, core=1, name="other")
    line = timeline([*first, *expanded(second)], [*runs, *more])
    info = gantt_info(line)
    assert [row.label for row in info.lanes] == ["core 0: toy", "core 1: other"]
    assert {bar.label for bar in info.operators} == {"layer0.conv", "layer1.conv"}
    one_core = gantt_info(replace(line, operators=tuple(replace(run, core=0) for run in line.operators)))
    assert [row.label for row in one_core.lanes] == ["operators", ""]
    assert {bar.label for bar in one_core.operators} == {
        f"{n}: layer{i}.conv" for n in ("toy", "other") for i in (0, 1)
    }


def test_unused_tracks_are_left_out_and_work_without_slices_counts() -> None:
    log, runs = network(2, 5)
    line = timeline(log, runs)
    inside = ResourceShare("glb read", 0.25 * line.cycles, 0.0, 0.75 * line.cycles)
    unused = ResourceShare("vector", 0.0, 0.0, line.cycles)
    rows = gantt_info(replace(line, shares=(*line.shares, inside, unused))).rows
    assert [row.label for row in rows] == ["dram", "mac", "glb read"]
    assert rows[2].busy == pytest.approx(0.25)


def test_tracks_are_chosen_and_unknown_ones_told() -> None:
    log, runs = network(2, 5)
    line = timeline(log, runs)
    assert [row.label for row in gantt_info(line, tracks=["mac"]).rows] == ["mac"]
    assert gantt_info(line, tracks=["dram"]).causes == ()
    with pytest.raises(UnknownName, match="did you mean 'dram'"):
        gantt_info(line, tracks=["drum"])


@pytest.mark.parametrize("window", [(5e-6, 1e-6), (1.0, 2.0), (float("nan"), 1.0), (-2.0, -1.0)])
def test_a_window_that_shows_nothing_is_bad_input(window: tuple[float, float]) -> None:
    log, runs = network(2, 5)
    with pytest.raises(BadInput, match="window_s"):
        gantt_info(timeline(log, runs), window_s=window)


def test_totals_without_a_log_cannot_be_drawn() -> None:
    log, runs = network(2, 5)
    with pytest.raises(BadInput, match="log kept"):
        gantt_info(replace(timeline(log, runs), log=[]))


def test_more_causes_than_can_be_told_apart_are_one() -> None:
    log: Log = [Slice("mac", n, n + 1.0, "waits", "stall", "a", f"cause {n}") for n in range(9)]
    info = gantt_info(timeline(log))
    assert info.causes == ("cause 0", "cause 1", "cause 2", "cause 3", "cause 4", "other")
    assert info.rows[0].fill[OVERHEAD + 6].sum() == pytest.approx(4 * 1600 / 9)


def test_causes_are_those_of_slices_and_the_legend_names_those_in_the_window() -> None:
    log: Log = [Slice("mac", n, n + 1.0, "waits", "stall", "a", f"cause {n}") for n in range(3)]
    line = timeline(log)
    waits = ResourceShare("dram", 0.0, line.cycles, 0.0, {"room below": line.cycles})
    line = replace(line, shares=(*line.shares, waits))
    assert "room below" not in gantt_info(line).causes
    info = gantt_info(line, window_s=(0.0, 0.9 / line.clock_hz))
    assert [cause for _, cause in info.shown_causes] == ["cause 0"]


def test_what_belongs_to_no_operator_is_overhead() -> None:
    log: Log = [Slice("host", 0.0, 3.0, "call", "overhead", "")]
    info = gantt_info(timeline(log))
    assert info.has_overhead
    assert not gantt_info(timeline(network(1, 3)[0])).has_overhead


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_picture_is_written(tmp_path: Path, kind: str) -> None:
    log, runs = network(3, 40)
    path = tmp_path / f"gantt.{kind}"
    axes = timeline(log, runs).gantt(path)
    assert path.stat().st_size > 5000
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["operators", "dram", "mac"]
    assert axes.get_legend().get_texts()[0].get_text() == "stall: weight from dram"


def test_a_picture_is_drawn_into_given_axes() -> None:
    from matplotlib.figure import Figure

    log, runs = network(60, 2000)
    axes = Figure().subplots()
    assert plot_gantt(gantt_info(timeline(log, runs)), axes) is axes


def test_an_empty_run_is_drawn(tmp_path: Path) -> None:
    Timeline("none", "toy_chip", 1e9, 0.0, 0.0, [], (), (), {}, {}).gantt(tmp_path / "none.png")
    assert (tmp_path / "none.png").exists()


def test_a_picture_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    log, runs = network(1, 3)
    line = timeline(log, runs)
    with pytest.raises(BadInput, match="cannot write the picture"):
        line.gantt(tmp_path / "missing" / "gantt.png")
    with pytest.raises(BadInput, match="end its name in one of"):
        line.gantt(tmp_path / "gantt.doc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0.0, "0 ns"), (1.5, "1.50 s"), (0.0123, "12.3 ms"), (4.56e-6, "4.56 µs"), (123e-9, "123 ns"), (7.0e3, "7000 s")],
)
def test_times_have_their_unit(time_s: float, text: str) -> None:
    assert seconds(time_s) == text
