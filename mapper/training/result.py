"""What a training takes and spends, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ...accel.accelerator import Accelerator
from ...errors import ImpossibleResult
from ...models.network import Network
from ...models.training import TrainingStep
from ..estimate import Estimate
from .links import Link
from .parallel import Exchange, ring_bits
from .recipes import Recipe
from .schedule import seconds_of

__all__ = ["PARTS", "TrainingEstimate"]

PARTS = ("forward", "backward", "update", "communication", "standing")
_STANDING = ("leakage", "clock")


@dataclass(frozen=True)
class TrainingEstimate:
    """A training of ``network`` (one sample) by ``recipe`` on ``devices`` of ``accelerator`` each.

    ``training`` are the operators of one step on one device, ``step`` costs one micro-batch of them and the update;
    ``exchange`` is the timeline of the gradients on ``link`` (None: one device). Energies are those of the accelerators
    and their links, without hosts, cooling or supplies: multiply by a data centre's PUE for these. Times leave out
    reading samples, evaluation and checkpoints. Raises `ImpossibleResult` where the parts do not sum to the whole.
    """

    network: Network
    accelerator: Accelerator
    recipe: Recipe
    devices: int
    training: TrainingStep
    step: Estimate
    exchange: Exchange
    link: Link | None = None
    mapper: str = ""

    def __post_init__(self) -> None:
        total = math.fsum(self.breakdown().values())
        if not math.isclose(total, self.energy_j, rel_tol=1e-9):
            raise ImpossibleResult(f"{self.training.name}: the parts sum to {total} J of {self.energy_j} J")
        if not 0.0 <= self.utilization <= 1.0 + 1e-9:
            raise ImpossibleResult(f"{self.training.name}: utilization {self.utilization} is above the peak")

    def __repr__(self) -> str:
        run = f"{self.recipe.name} on {self.devices} x {self.accelerator.name}"
        figures = f"{self.time_s / 3600:.4g} h, {self.energy_j / 3.6e6:.4g} kWh"
        return f"<TrainingEstimate {self.network.name}, {run}: {figures}>"

    # ---- time ------------------------------------------------------------------------------------------------------

    @cached_property
    def _computed(self) -> dict[str, tuple[float, float]]:
        """(seconds, joules without standing power) of one device's step by part."""
        seconds, forward, update = seconds_of(self.step), *self._names
        found = {part: ([0.0], [0.0]) for part in PARTS[:3]}
        for op, cost in zip(self.step.network.ops, self.step.costs, strict=True):
            part = "forward" if op.name in forward else "update" if op.name in update else "backward"
            standing = math.fsum(joules for (name, _), joules in cost.energy.items() if name in _STANDING)
            found[part][0].append(seconds[op.name])
            found[part][1].append(cost.energy_j - standing)
        again = {"forward": self.training.micro_batches * self.training.forward_passes, "update": 1.0}
        times = {part: again.get(part, float(self.training.micro_batches)) for part in found}
        return {part: (math.fsum(s) * times[part], math.fsum(j) * times[part]) for part, (s, j) in found.items()}

    @cached_property
    def _names(self) -> tuple[frozenset[str], frozenset[str]]:
        forward, update = (
            frozenset(op.name for op in part.ops) for part in (self.training.forward, self.training.update)
        )
        return forward, update

    @cached_property
    def times(self) -> dict[str, float]:
        """Seconds of one step by part, "communication" being what is exposed, "overhead" the call's; sums to step_s."""
        parts = {part: seconds for part, (seconds, _) in self._computed.items()}
        return parts | {"communication": self.exchange.exposed_s, "overhead": self.accelerator.call_overhead_s}

    @property
    def step_s(self) -> float:
        """Seconds of one step, the gradients' exchange included."""
        return math.fsum(self.times.values())

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.recipe.steps

    @property
    def time_s(self) -> float:
        """Seconds of the whole training."""
        return self.steps * self.step_s

    @property
    def device_hours(self) -> float:
        """Hours of all devices together."""
        return self.devices * self.time_s / 3600.0

    @property
    def samples_per_s(self) -> float:
        """Samples per second over all devices."""
        return self.recipe.batch / self.step_s

    @property
    def communication_s(self) -> float:
        """Seconds of a step in which devices wait for gradients of others."""
        return self.exchange.exposed_s

    @property
    def exposed_share(self) -> float:
        """Share of the link's time that the backward pass does not hide."""
        return self.exchange.exposed_share

    @property
    def utilization(self) -> float:
        """Multiply-accumulates of the training over those at peak, recomputed ones not counted (as MFU is)."""
        done = self.training.macs - self.training.recomputed_macs
        return done / (self.step_s * self.accelerator.clock_hz * self.accelerator.peak_macs_per_cycle)

    # ---- energy ----------------------------------------------------------------------------------------------------

    @cached_property
    def _step_parts(self) -> dict[str, float]:
        """Joules of one step of one device."""
        found = {part: joules for part, (_, joules) in self._computed.items()}
        sent = ring_bits(math.fsum(bucket.bits for bucket in self.exchange.buckets), self.devices)
        memory, wire = self.accelerator.memories[0], self.link.energy_j_per_bit if self.link else 0.0
        found["communication"] = sent * (wire + memory.read_energy_j_per_bit + memory.write_energy_j_per_bit)
        return found | {"standing": self.accelerator.standing_w * self.step_s}

    @property
    def step_j(self) -> float:
        """Joules of one step, all devices together."""
        return self.devices * math.fsum(self._step_parts.values())

    @property
    def energy_j(self) -> float:
        """Joules of the whole training, all devices together, before any PUE."""
        return self.steps * self.step_j

    @property
    def power_w(self) -> float:
        """Mean power of one device."""
        return self.step_j / self.devices / self.step_s

    def breakdown(self) -> dict[str, float]:
        """Joules of the whole training by part, `PARTS`; "standing" flows all the time. Sums to ``energy_j``."""
        return {part: self.steps * self.devices * joules for part, joules in self._step_parts.items()}

    # ---- what it rests on ------------------------------------------------------------------------------------------

    @property
    def memory_bytes(self) -> int:
        """The most that a device holds at once."""
        return self.training.peak_bytes

    def sources(self) -> tuple[str, ...]:
        """Where the recipe, the optimiser, the link, the network and the accelerator's constants come from."""
        lines = [f"recipe {self.recipe.name}: {self.recipe.source}"]
        rule, words = self.training.optimizer, self.training.precision
        lines += [f"{what.name}: {what.source}" for what in (rule, words) if what.source]
        if self.link is not None and self.link.source:
            lines.append(f"link {self.link.name}: {self.link.source}")
        return tuple(dict.fromkeys((*lines, *self.step.sources())))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the recipe, the operators, the accelerator and this estimate leave out."""
        own = ["reading samples, evaluation, checkpoints and hosts are not counted"]
        if self.mapper == "roofline":
            own.append("contractions at their lower bound: no mapping may reach it")
        if self.training.micro_batches > 1:
            own.append(f"a device runs its share of a step in {self.training.micro_batches} micro-batches")
        if self.link is not None:
            own.append("gradients on the link take no bandwidth of the memory from the backward pass")
        return tuple(dict.fromkeys((*self.recipe.notes, *self.step.notes, *own)))
