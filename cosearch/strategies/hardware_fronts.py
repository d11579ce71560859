"""The hardware of each network in a nested search: swept, held against the limits, reduced to what is worth trying."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput, Infeasible
from ...models.network import Network
from ..spaces.space import Space, Value
from ..studies.trial import Dropped
from ..sweep.base import Sweep, SweepCosts
from ..sweep.sampled import SampledSweep
from .base import Task

__all__ = ["ERROR", "HardwareFront", "HardwareFronts"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

ERROR = "error_pct"
_SWEPT = ("latency_s", "energy_j", "edp", "area_mm2")
_TIE_BREAK = "energy_j"  # among hardware that is equal in all objectives
_MOST_POINTS = 64  # of a network's front, evenly spaced along it
_PATIENCE, _PATIENCE_SAMPLED = 300, 60  # networks without hardware, by tables and by a sample of the hardware
_LATER = 10  # times as many in a row, once a network had hardware: the most promising are often the largest
_OF_NETWORK: dict[str, Callable[[Network], float]] = {
    "params": lambda network: float(network.params),
    "macs": lambda network: float(network.macs),
}


@dataclass(frozen=True)
class HardwareFront:
    """The accelerators that are best for one network within the limits.

    ``numbers`` (k,) are points of the sweep's hardware, ``costs`` (k, m) what they cost in the objectives but the
    error; no accelerator is left where the network has none. ``margin`` is the logarithm of the least factor by which
    the worst limit is exceeded: above 0 for a network without hardware. ``least`` is then what could be had of each
    limited metric, as far as it is known.
    """

    numbers: I64
    costs: F64
    margin: float
    least: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)


class HardwareFronts:
    """Sweeps networks for a task and remembers what is left of each.

    A network that is itself over a limit (parameters, MACs) is not swept. ``patience`` is how many networks may be
    without hardware before the search is given up (None: 300, and 60 where the sweep is a sample), ten times as many in
    a row once one had some.

    Raises `BadInput` for a task without a sweep, with hardware the sweep does not know, without the error as an
    objective, or with one that cannot be swept.
    """

    def __init__(self, task: Task, patience: int | None = None) -> None:
        if task.sweep is None:
            raise BadInput(
                "a nested search sweeps the hardware of each network, and this task has no sweep; "
                "write 'mode: nested' in the study, or give Task(sweep=...)"
            )
        self.task = task
        self.sweep: Sweep = task.sweep
        self.costs = tuple(name for name in task.objectives if name != ERROR)
        unknown = [name for name in self.costs if name not in _SWEPT]
        if unknown:
            raise BadInput(
                f"objective {unknown[0]}: a nested search knows {', '.join(_SWEPT)} of all hardware and the error; "
                "use mode 'joint' for others"
            )
        if ERROR not in task.objectives:
            raise BadInput(
                "a nested search saves accuracy evaluations, and the error is no objective; add error_pct to the "
                "objectives, or use mode 'hw_only'"
            )
        usual = _PATIENCE_SAMPLED if isinstance(self.sweep, SampledSweep) else _PATIENCE
        self._patience = usual if patience is None else patience
        self._rejected = self._in_vain = 0  # networks without hardware, in all and in a row
        self._least: dict[str, float] = {}
        self._limits = {name: most for name, most in task.limits.items() if name in _SWEPT}
        self._known: dict[tuple[tuple[str, Value], ...], HardwareFront] = {}
        self._alike: dict[bytes, HardwareFront] = {}  # many networks run the same operators and cost the same

    @cached_property
    def networks(self) -> Space:
        """The task's choices that are no hardware."""
        hardware = self.sweep.hardware
        lost = [name for name in hardware.names if name not in self.task.space.names]
        if lost:
            raise BadInput(f"{lost[0]}: the sweep varies it, the space does not; sweep the hardware that is searched")
        return Space(tuple(choice for choice in self.task.space.choices if choice.name not in hardware.names))

    @property
    def swept(self) -> int:
        """How many networks were swept."""
        return len(self._known)

    @property
    def rejected(self) -> int:
        """How many of them have no hardware within the limits: their accuracy was never asked for."""
        return self._rejected

    @property
    def dropped(self) -> Dropped:
        """Those networks, and the least of each limited metric that could be had of them."""
        return Dropped(self.rejected, dict(self._least))

    @property
    def given_up(self) -> bool:
        """Whether no accelerator is within the area's limit, or too many networks in a row had no hardware."""
        hopeless = "area_mm2" in self._limits and not len(self._allowed)
        any_had = self.rejected < self.swept
        return hopeless or self._in_vain >= self._patience * (_LATER if any_had else 1)

    @cached_property
    def _allowed(self) -> I64:
        """Numbers of the accelerators that the space offers and whose area is within its limit."""
        hardware, space = self.sweep.hardware, self.task.space
        numbers = np.arange(hardware.size)
        if any(set(hardware.choice(name).options) != set(space.choice(name).options) for name in hardware.names):
            offered = [
                all(value in space.choice(name).options for name, value in hardware.point(int(number)).items())
                for number in numbers
            ]
            numbers = numbers[np.array(offered, dtype=bool)]
        areas = self.sweep.area_mm2[numbers]
        within = numbers[areas <= self._limits.get("area_mm2", np.inf)]
        if not len(within) and np.isfinite(areas).any():
            self._least["area_mm2"] = float(areas.min())
        return within

    def network(self, design: Mapping[str, Value]) -> dict[str, Value]:
        """The network's part of a point of the task's space."""
        return {name: design[name] for name in self.networks.names if name in design}

    def design(self, network: Mapping[str, Value], number: int) -> dict[str, Value]:
        """A network on one of the sweep's accelerators, as a point of the task's space."""
        both = {**network, **self.sweep.hardware.point(number)}
        return {name: both[name] for name in self.task.space.names if name in both}

    def of(self, network: Mapping[str, Value]) -> HardwareFront:
        """The front of one network, swept once."""
        key = tuple(network.items())
        if key not in self._known:
            found = self._known[key] = self._sweep(network)
            self._in_vain = 0 if len(found) else self._in_vain + 1
            self._rejected += not len(found)
            for name, value in found.least.items():
                self._least[name] = min(value, self._least.get(name, np.inf))
        return self._known[key]

    def swept_networks(self) -> tuple[tuple[dict[str, Value], HardwareFront], ...]:
        """Every network swept so far, and what was found."""
        return tuple((dict(key), front) for key, front in self._known.items())

    def _sweep(self, network: Mapping[str, Value]) -> HardwareFront:
        try:
            sizes = self._own_excesses(network)
            if sizes:
                worst = max(math.log(size / self.task.limits[name]) for name, size in sizes.items())
                return self._none(worst, sizes)
            found = self.sweep.costs(network)
        except (BadInput, Infeasible):
            return self._none(np.inf, {})
        digest = hashlib.blake2b(found.latency_s.tobytes() + found.energy_j.tobytes(), digest_size=16).digest()
        if digest not in self._alike:
            self._alike[digest] = self._front(found)
        return self._alike[digest]

    def _own_excesses(self, network: Mapping[str, Value]) -> dict[str, float]:
        """What is over its limit of the network itself, where the task says what networks are."""
        limited = [name for name in _OF_NETWORK if name in self.task.limits]
        if not limited or self.task.networks is None:
            return {}
        built = self.task.networks.build(network)
        sizes = {name: _OF_NETWORK[name](built) for name in limited}
        return {name: size for name, size in sizes.items() if size > self.task.limits[name]}

    def _none(self, margin: float, least: Mapping[str, float]) -> HardwareFront:
        return HardwareFront(np.zeros(0, np.int64), np.zeros((0, len(self.costs))), margin, least)

    def _front(self, found: SweepCosts) -> HardwareFront:
        """What the limits and the objectives leave of all hardware."""
        numbers = self._allowed
        excess = np.full(len(numbers), -np.inf)
        for name, most in self._limits.items():
            if name != "area_mm2":
                with np.errstate(divide="ignore"):
                    excess = np.maximum(excess, np.log(found.metric(name)[numbers] / most))
        excess = np.where(np.isfinite(found.latency_s[numbers]), excess, np.inf)
        within = numbers[excess <= 0.0]
        margin = float(excess.min(initial=np.inf))
        if not len(within):
            names = [name for name in self._limits if name != "area_mm2"]
            least = {name: float(found.metric(name)[numbers].min(initial=np.inf)) for name in names}
            return self._none(margin, {name: value for name, value in least.items() if np.isfinite(value)})
        kept = self._best(found, within)
        costs = np.stack([found.metric(name)[kept] for name in self.costs], axis=1) if self.costs else None
        return HardwareFront(kept, np.zeros((len(kept), 0)) if costs is None else costs, margin)

    def _best(self, found: SweepCosts, numbers: I64) -> I64:
        """The non-dominated of some accelerators, or the one of least energy where the error alone counts."""
        if not self.costs:
            return numbers[[int(np.argmin(found.metric(_TIE_BREAK)[numbers]))]]
        costs = np.stack([found.metric(name)[numbers] for name in self.costs], axis=1)
        front = _non_dominated(costs)
        if len(front) > _MOST_POINTS:
            front = front[np.unique(np.linspace(0, len(front) - 1, _MOST_POINTS).round().astype(int))]
        return numbers[front]


def _non_dominated(costs: F64) -> I64:
    """Places of the points (n, m) that no other dominates, by the first cost: fast where few of many are left."""
    order: I64 = np.lexsort(costs.T[::-1])
    if costs.shape[1] == 1:
        return order[:1]
    if costs.shape[1] == 2:
        second = costs[order, 1]
        best_before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
        steps: I64 = order[second < best_before]
        return steps
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        order = order[np.any(costs[order] < costs[first], axis=1)]
    return np.array(kept)
