"""The exact answer: every network of a small space on every accelerator, so that a search can be held against it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput
from ..spaces.space import Space, Value
from ..studies.pareto import non_dominated
from .base import SweepCosts
from .groups import Group, groups_of
from .table_sweep import TableSweep

__all__ = ["Truth", "enumerate_networks"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """All networks of a space in classes that cost the same on any hardware.

    ``kind`` (networks,) is each network's class in the order of the space's points, −1 where the choices make no
    network; ``latency_s`` and ``energy_j`` are (classes, hardware), ``area_mm2`` (hardware,).
    """

    sweep: TableSweep
    kind: I64
    latency_s: F64
    energy_j: F64
    area_mm2: F64

    @property
    def points(self) -> int:
        """How many designs are scored."""
        return len(self.kind) * len(self.area_mm2)

    def costs(self, values: Mapping[str, Value]) -> SweepCosts:
        """As `Sweep.costs`, by look-up."""
        kind = int(self.kind[self.sweep.networks.space.number(values)])
        if kind < 0:
            raise BadInput("the choices make no network")
        return SweepCosts(self.latency_s[kind], self.energy_j[kind], self.area_mm2)

    @property
    def hardware(self) -> Space:
        """The accelerators."""
        return self.sweep.hardware

    def best(self, accuracy: F64, allowed: NDArray[np.bool_], latency_s: float) -> tuple[int, int]:
        """The most accurate network (and among its accelerators the one of least energy) within the limits.

        ``accuracy`` (networks,), ``allowed`` (hardware,). Raises `BadInput` where nothing is within them.
        """
        fits: NDArray[np.bool_] = np.logical_and(self.latency_s <= latency_s, allowed)
        possible = np.asarray(fits.any(axis=1), dtype=bool)
        score = np.where((self.kind >= 0) & possible[self.kind], accuracy, -np.inf)
        network = int(np.argmax(score))
        if not np.isfinite(score[network]):
            raise BadInput("no design is within the limits")
        row = self.kind[network]
        return network, int(np.argmin(np.where(fits[row], self.energy_j[row], np.inf)))

    def front(self, error: F64, allowed: NDArray[np.bool_]) -> F64:
        """The Pareto front (points, 3) of seconds, joules and ``error`` (networks,), on ``allowed`` hardware."""
        best = np.full(len(self.latency_s), np.inf)
        real = self.kind >= 0
        np.minimum.at(best, self.kind[real], error[real])
        parts = []
        for row in range(len(self.latency_s)):
            costs = np.stack([self.latency_s[row][allowed], self.energy_j[row][allowed]], axis=1)
            kept = costs[non_dominated(costs)]
            parts.append(np.column_stack([kept, np.full(len(kept), best[row])]))
        points = np.concatenate(parts)
        front: F64 = points[non_dominated(points)]
        return front


def enumerate_networks(sweep: TableSweep) -> Truth:
    """Score every network of the sweep's space on all of its hardware; what was scored before is remembered."""
    name = f"truth-{_digest(sweep)}"
    kept = sweep.tables.remembered(name)
    if kept is None:
        kept = _scored(sweep)
        sweep.tables.remember(name, kept)
    return Truth(sweep, kept["kind"], kept["latency_s"], kept["energy_j"], sweep.area_mm2)


def _scored(sweep: TableSweep) -> dict[str, NDArray[Any]]:
    space = sweep.networks.space
    kinds: dict[frozenset[tuple[Group, int]], int] = {}
    example: list[int] = []
    kind = np.full(space.size, -1, np.int64)
    for number in range(space.size):
        try:
            counts = groups_of(sweep.networks.build(space.point(number)))
        except BadInput:
            continue
        key = frozenset(counts.items())
        if key not in kinds:
            kinds[key] = len(kinds)
            example.append(number)
        kind[number] = kinds[key]
    sweep.prepare([space.point(number) for number in example])
    costs = [sweep.costs(space.point(number)) for number in example]
    latency, energy = (np.stack([cost.metric(name) for cost in costs]) for name in ("latency_s", "energy_j"))
    return {"kind": kind, "latency_s": latency, "energy_j": energy}


def _digest(sweep: TableSweep) -> str:
    """Of the space and of the programs that make networks of its points."""
    digest = hashlib.sha256(repr(sweep.networks).encode())
    digest.update(repr([(choice.name, choice.options) for choice in sweep.networks.space.choices]).encode())
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "models", package / "cosearch" / "spaces"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:24]
