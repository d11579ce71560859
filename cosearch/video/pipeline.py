"""The pipeline in time: camera → filter → saliency → DMA → array → tracker, with bounded queues between them.

Each stage takes one frame at a time, in order, and works for as long as its part of that frame takes; a frame that the
filter does not keep passes through the rest without work. A stage that cannot hand a frame on waits with it, or one of
the waiting frames is lost, as the policy says. Discrete events with simpy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import simpy

from ...accel.simulator.checks import checked_number, checked_whole
from ...accel.simulator.power import PowerMeter, PowerModel, total_energy
from ...errors import BadInput, UnknownName
from .cost import Work
from .perception import Focus, Perception
from .run import FrameRecord, PipelineRun, Slice, StageRecord

if TYPE_CHECKING:
    from collections.abc import Generator

    Process = Generator[simpy.Event, Any, None]

__all__ = ["POLICIES", "STAGES", "Costs", "Flow", "Policy", "run_pipeline"]

Policy = Literal["drop_oldest", "drop_new", "wait"]
POLICIES: tuple[Policy, ...] = ("drop_oldest", "drop_new", "wait")
STAGES = ("filter", "saliency", "dma", "array", "tracker")


@dataclass(frozen=True)
class Flow:
    """How frames come and wait: each queue holds ``queue`` frames.

    A frame that meets a full queue displaces the one that waits longest ("drop_oldest"), is lost itself ("drop_new")
    or holds up the stage that hands it over ("wait"). ``recorded``: frames come from a file, as fast as they are taken,
    and not from a camera; only "wait" goes with it. Raises `BadInput`.
    """

    queue: int = 2
    policy: Policy = "drop_oldest"
    recorded: bool = False

    def __post_init__(self) -> None:
        checked_whole(self.queue, "pipeline: queue", remedy="a queue holds at least one frame")
        if self.policy not in POLICIES:
            raise UnknownName("queue policy", str(self.policy), POLICIES)
        if self.recorded and self.policy != "wait":
            raise BadInput(f"pipeline: policy: '{self.policy}' would lose frames of a recorded video; choose 'wait'")


@dataclass(frozen=True)
class Costs:
    """What the stages take. ``filter`` is per frame that comes, the others per frame that is kept; ``tracker`` always.

    ``dma`` and ``array`` depend on what of the frame is computed. ``camera_w`` is drawn all the time (its chip's, or 0
    to leave it out), ``power`` by the array beside its work.
    """

    filter: Work
    saliency: Work
    dma: Callable[[Focus], Work]
    array: Callable[[Focus], Work]
    tracker: Work
    power: PowerModel = field(default_factory=PowerModel)
    camera_w: float = 0.0

    def __post_init__(self) -> None:
        checked_number(self.camera_w, "pipeline: camera_w", remedy="watts, at least 0")


@dataclass
class _Frame:
    record: FrameRecord
    focus: Focus | None = None
    found: Any = None

    @property
    def number(self) -> int:
        return self.record.number


class _Queue:
    """Frames that wait before a stage, and the stage before it, if the policy makes that wait."""

    def __init__(self, env: simpy.Environment, flow: Flow, lose: Callable[[_Frame], None]) -> None:
        self._env, self._flow, self._lose = env, flow, lose
        self._frames: deque[tuple[_Frame, float]] = deque()
        self._there: simpy.Event | None = None
        self._room: simpy.Event | None = None
        self.longest = 0

    def put(self, frame: _Frame) -> Process:
        """Hand over a frame; ends when it is in the queue or lost."""
        while len(self._frames) >= self._flow.queue:
            if self._flow.policy == "drop_new":
                self._lose(frame)
                return
            if self._flow.policy == "drop_oldest":
                self._lose(self._frames.popleft()[0])
                continue
            self._room = self._env.event()
            yield self._room
        self._frames.append((frame, float(self._env.now)))
        self.longest = max(self.longest, len(self._frames))
        if self._there is not None:
            self._there.succeed()
            self._there = None

    def get(self) -> Generator[simpy.Event, Any, tuple[_Frame, float]]:
        """The next frame, and since when it has waited."""
        while not self._frames:
            self._there = self._env.event()
            yield self._there
        taken = self._frames.popleft()
        if self._room is not None:
            self._room.succeed()
            self._room = None
        return taken


class _Pipeline:
    def __init__(self, perception: Perception, costs: Costs, flow: Flow) -> None:
        self.env = simpy.Environment()
        self.perception, self.costs, self.flow = perception, costs, flow
        self.frames: list[FrameRecord] = []
        self.slices: list[Slice] = []
        self.stages = {name: StageRecord(name) for name in STAGES}
        self.queues = {name: _Queue(self.env, flow, self._lose) for name in STAGES}
        self.meter = PowerMeter(costs.power)
        self.gone = 0

    def run(self) -> PipelineRun:
        done = self.env.event()
        self._done = done
        self.env.process(self._camera())
        for at, name in enumerate(STAGES):
            after = self.queues[STAGES[at + 1]] if at + 1 < len(STAGES) else None
            self.env.process(self._stage(name, self.queues[name], after))
        self.env.run(done)
        end_s = float(self.env.now)
        self.meter.enter("idle", end_s)
        dynamic_j = self.stages["array"].energy_j
        array_j, _ = total_energy(self.costs.power, dynamic_j, self.meter.seconds, self.meter.wakes)
        energy = {name: stage.energy_j for name, stage in self.stages.items() if name != "array"}
        energy |= {"array": dynamic_j, "array standing": array_j - dynamic_j, "camera": self.costs.camera_w * end_s}
        for name, queue in self.queues.items():
            self.stages[name].longest_queue = queue.longest
        shown = self.perception.finish()
        return PipelineRun(
            tuple(self.frames),
            tuple(self.stages.values()),
            tuple(self.slices),
            energy,
            end_s,
            shown,
            self.flow.recorded,
        )

    def _camera(self) -> Process:
        scene = self.perception.video.scene
        for number in range(scene.frames):
            if not self.flow.recorded:
                yield self.env.timeout(max(0.0, number / scene.frames_per_s - self.env.now))
            frame = _Frame(FrameRecord(number, float(self.env.now)))
            self.frames.append(frame.record)
            yield from self.queues[STAGES[0]].put(frame)

    def _stage(self, name: str, queue: _Queue, after: _Queue | None) -> Process:
        record = self.stages[name]
        while True:
            frame, since_s = yield from queue.get()
            record.waits_s.append(self.env.now - since_s)
            if name == "array" and frame.record.kept:
                _, wake_s = self.meter.call(self.env.now)
                if wake_s:
                    yield self.env.timeout(wake_s)
                self.meter.enter("active", self.env.now)
            work = self._work(name, frame)
            start_s = float(self.env.now)
            if work.seconds:
                yield self.env.timeout(work.seconds)
                self.slices.append(Slice(name, frame.number, start_s, float(self.env.now)))
            record.busy_s += work.seconds
            record.energy_j += work.energy_j
            if name == "array" and frame.record.kept:
                self.meter.enter("idle", self.env.now)
            handed_s = float(self.env.now)
            if after is not None:
                yield from after.put(frame)
                record.blocked_s += self.env.now - handed_s
            else:
                self.perception.track(frame.number, frame.found)
                frame.record.answered_s = handed_s
                self._through()

    def _work(self, name: str, frame: _Frame) -> Work:
        """What a stage does with a frame, done in pixels, and what that takes."""
        perception, costs, record = self.perception, self.costs, frame.record
        if name == "filter":
            record.kept = perception.keeps(frame.number)
            return costs.filter if perception.filters is not None else Work()
        if name == "tracker":
            return costs.tracker
        if not record.kept:
            return Work()
        if name == "saliency":
            frame.focus = perception.focus(frame.number)
            record.tiles, record.area = frame.focus.tiles, float(frame.focus.tiles.mean())
            return costs.saliency if perception.saliency is not None else Work()
        if frame.focus is None:
            raise BadInput(f"pipeline: frame {frame.number} has reached the {name} without its saliency")
        if name == "dma":
            return costs.dma(frame.focus)
        frame.found = perception.detect(frame.number, frame.focus)
        return costs.array(frame.focus)

    def _lose(self, frame: _Frame) -> None:
        frame.record.lost = True
        if frame.record.kept:
            self.perception.lose(frame.number)
        self._through()

    def _through(self) -> None:
        self.gone += 1
        if self.gone == self.perception.video.scene.frames:
            self._done.succeed()


def run_pipeline(perception: Perception, costs: Costs, flow: Flow | None = None) -> PipelineRun:
    """Run a whole video through the pipeline; the end is when its last frame is answered or lost."""
    return _Pipeline(perception, costs, flow or Flow()).run()
