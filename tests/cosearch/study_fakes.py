"""A search problem that costs nothing: for tests of everything around the evaluation."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.studies.load import check_shape
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.cosearch.sweep.base import SweepCosts
from dovetail.document import parse_document

STUDY = """\
name: fake <study>
description: A study & its description
network: {{space: mobilenet_ibn}}
hardware: {{accelerator: edge_tpu}}
baseline: {{network: mobilenet_v2, accelerator: edge_tpu}}
strategy: {strategy}
budget: {{trials: {trials}}}
report: {report}
seed: {seed}
"""


def study(trials=30, seed=1, strategy="{name: nsga2, population: 8}", report="{figures: false, ablation: 0}"):
    """A valid study; what it names is not looked at."""
    text = STUDY.format(trials=trials, seed=seed, strategy=strategy, report=report)
    return check_shape(parse_document(text, "fake.yaml"))


@dataclass
class FakeProblem:
    """Latency falls and area grows with hardware; error falls and latency grows with the network's width."""

    counter: Path | None = None
    crash_at: int | None = None
    space: Space = field(default=Space((
        Choice("net.resolution", (128, 160, 192, 224)), Choice("net.b01.kernel", (3, 5, 7)),
        Choice("net.b01.op", ("ibn", "fused")), Choice("net.wide", (False, True)),
        Choice("hw.pes", (1, 2, 4, 8, 16)), Choice("hw.memory", (0.5, 1, 2)),
    )))  # fmt: skip
    first: tuple = ({"net.resolution": 224, "net.b01.kernel": 3, "net.b01.op": "ibn", "net.wide": False, "hw.pes": 4,
                     "hw.memory": 1},)  # fmt: skip
    limits: dict = field(default_factory=lambda: {"area_mm2": 20.0})

    @property
    def baseline(self):
        return dict(self.evaluate(self.first[0]).metrics)

    def evaluate(self, values):
        if self.counter is not None:
            with self.counter.open("a") as file:
                file.write(".")
        if self.crash_at is not None and values["hw.pes"] == self.crash_at:
            os._exit(3)
        pes, memory, size = values["hw.pes"], values["hw.memory"], values["net.resolution"]
        area = 1.5 * pes + 2.0 * memory
        if area > self.limits["area_mm2"]:
            reason = f"area_mm2 {area} exceeds <limit>"
            known = {"area_mm2": area, "peak_ops_per_s": 1e12 * pes}
            return TrialResult("constraint", known, reason, area / self.limits["area_mm2"] - 1, 0.001)
        if memory < 1 and values["net.wide"] and values["net.b01.op"] == "fused":
            return TrialResult("infeasible", {"area_mm2": area}, "memory: too small by 3 words", 0.0, 0.001)
        work = (size / 128) ** 2 * values["net.b01.kernel"] * (1.7 if values["net.wide"] else 1.0)
        error = 40 - size / 16 - values["net.b01.kernel"] / 3 - (4 if values["net.wide"] else 0)
        latency, energy = 1e-3 * work / pes + 1e-4, 1e-3 * work * (1 + 0.05 * pes / memory)
        metrics = {
            "latency_s": latency, "energy_j": energy, "edp": latency * energy, "error_pct": error,
            "error_sigma_pct": 1.5, "area_mm2": area, "peak_ops_per_s": 1e12 * pes,
        }  # fmt: skip
        return TrialResult("ok", metrics, "", 0.0, 0.001)

    def layers(self, values):
        return pd.DataFrame({
            "name": ["conv<1>", "conv2"], "cycles": [10, 20], "latency_s": [1e-6, 2e-6],
            "energy_j": [4e-6, 3e-6], "energy_dram_j": [1e-6, 2e-6], "energy_mac_j": [3e-6, 1e-6],
        })  # fmt: skip

    def accuracy_statement(self):
        return "made up; cross-validated error 1.5 points"

    def labels(self):
        return {"hw.memory": {"0.5": "0.5 MB", "1": "1 MB", "2": "2 MB"}}


@dataclass
class SweptProblem(FakeProblem):
    """The same, with a sweep of all its hardware."""

    @property
    def sweep(self):
        return FakeSweep(self)


class FakeSweep:
    """What the problem says of each accelerator."""

    def __init__(self, problem):
        self._problem = problem
        self.hardware = Space(tuple(choice for choice in problem.space.choices if choice.name.startswith("hw.")))
        self._points = [self.hardware.point(number) for number in range(self.hardware.size)]
        self.area_mm2 = np.array([1.5 * point["hw.pes"] + 2.0 * point["hw.memory"] for point in self._points])

    def costs(self, values):
        asked = FakeProblem(limits={"area_mm2": np.inf})
        found = [asked.evaluate({**values, **point}).metrics for point in self._points]
        latency, energy = (np.array([one.get(name, np.inf) for one in found]) for name in ("latency_s", "energy_j"))
        return SweepCosts(latency, energy, self.area_mm2)
