"""The pipeline in time, with stages of stated durations: latencies, losses, waiting, energy."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail import BadInput
from dovetail.accel.simulator.power import PowerModel
from dovetail.cosearch.video.cost import Work
from dovetail.cosearch.video.perception import Focus
from dovetail.cosearch.video.pipeline import Costs, Flow, run_pipeline
from dovetail.cosearch.video.run import FrameRecord, PipelineRun
from dovetail.cosearch.video.scene import Scene
from dovetail.errors import ImpossibleResult, UnknownName


class Blind:
    """Keeps every ``every``-th frame and sees nothing in it."""

    def __init__(self, frames: int = 40, every: int = 1, frames_per_s: float = 10.0) -> None:
        self.video = self
        self.scene = Scene(frames=frames, frames_per_s=frames_per_s)
        self.filters = self.saliency = "on"
        self.every, self.tracked, self.lost, self.computed = every, [], [], []

    def keeps(self, number: int) -> bool:
        return number % self.every == 0

    def focus(self, number: int) -> Focus:
        return Focus(np.ones((2, 2), bool), 1.0)

    def detect(self, number: int, focus: Focus) -> str:
        self.computed.append(number)
        return "found"

    def lose(self, number: int) -> None:
        self.lost.append(number)

    def track(self, number: int, found: object) -> None:
        self.tracked.append(number)

    def finish(self) -> dict[int, object]:
        return {}


def costs(array_s: float, *, power: PowerModel | None = None, camera_w: float = 0.0) -> Costs:
    return Costs(
        Work(0.001, 1.0), Work(0.002, 2.0), lambda focus: Work(0.003, 3.0), lambda focus: Work(array_s, 4.0),
        Work(0.004, 5.0), power or PowerModel(), camera_w,
    )  # fmt: skip


def test_a_frame_that_waits_nowhere_takes_the_sum_of_its_stages():
    run = run_pipeline(Blind(), costs(0.05))
    assert run.latency_s == pytest.approx(np.full(40, 0.06))
    assert run.lost == 0
    assert run.end_s == pytest.approx(3.96)


def test_filtered_frames_pass_without_work_on_the_array():
    blind = Blind(every=4)
    run = run_pipeline(blind, costs(0.05))
    assert blind.computed == list(range(0, 40, 4))
    assert run.kept_share == 0.25
    assert run.latency_s[1] == pytest.approx(0.005)
    assert run.latency_s.mean() == pytest.approx((0.06 + 3 * 0.005) / 4)


def test_a_recorded_video_runs_at_the_rate_of_the_slowest_stage():
    run = run_pipeline(Blind(frames=400), costs(0.05), Flow(policy="wait", recorded=True))
    assert run.lost == 0
    assert run.frames_per_s == pytest.approx(20.0, rel=0.01)
    assert run.stage_rows()[3]["busy"] == pytest.approx(1.0, rel=0.01)
    assert run.stage_rows()[2]["blocked"] > 0.9


def test_an_overloaded_pipeline_loses_frames_at_the_rate_it_cannot_take():
    for policy in ("drop_oldest", "drop_new"):
        blind = Blind(frames=400)
        run = run_pipeline(blind, costs(0.2), Flow(policy=policy))
        assert run.frames_per_s == pytest.approx(5.0, rel=0.03)
        assert run.lost == pytest.approx(200, abs=8)
        assert len(blind.lost) == run.lost
        assert blind.tracked == sorted(blind.tracked)


def test_dropping_the_oldest_answers_fresher_frames():
    old, new = (
        run_pipeline(Blind(frames=200), costs(0.2), Flow(policy=policy)).latency_s.mean()
        for policy in ("drop_new", "drop_oldest")
    )
    assert new < old


def test_waiting_loses_nothing_but_time():
    run = run_pipeline(Blind(frames=100), costs(0.2), Flow(policy="wait"))
    assert run.lost == 0
    assert run.latency_s[-1] > 5 * run.latency_s[0]


def test_energy_is_that_of_the_work_and_of_the_powers_that_stand():
    power = PowerModel(leakage_w=2.0, clock_w=1.0)
    run = run_pipeline(Blind(every=2), costs(0.05, power=power, camera_w=0.5))
    work = 40 * 1.0 + 20 * (2.0 + 3.0 + 4.0) + 40 * 5.0
    assert run.energy_j == pytest.approx(work + 3.5 * run.end_s)
    assert run.power_w * run.end_s == pytest.approx(run.energy_j)
    assert run.energy["array standing"] == pytest.approx(3.0 * run.end_s)


def test_a_gated_array_wakes_for_frames_that_are_kept_only():
    power = PowerModel(leakage_w=2.0, gate_power_after_s=0.01, power_wake_s=0.005, power_wake_j=0.01)
    gated = run_pipeline(Blind(every=4), costs(0.05, power=power))
    assert gated.latency_s[4] == pytest.approx(0.065)
    assert gated.energy["array standing"] < 2.0 * gated.end_s


def test_runs_that_cannot_be_are_refused():
    with pytest.raises(UnknownName, match="queue policy"):
        Flow(policy="drop")
    with pytest.raises(BadInput, match="would lose frames of a recorded video; choose 'wait'"):
        Flow(recorded=True)
    with pytest.raises(BadInput, match="queue: 0 is below 1"):
        Flow(queue=0)
    with pytest.raises(BadInput, match="camera_w"):
        costs(0.1, camera_w=-1.0)


def test_a_frame_that_is_neither_answered_nor_lost_is_impossible():
    with pytest.raises(ImpossibleResult, match="frame 0"):
        PipelineRun((FrameRecord(0, 0.0),), (), (), {"array": 0.0}, 1.0, {})
