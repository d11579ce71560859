"""A `LifeCycle`: all phases of a design's life, as a function of how often it is used."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real

from ...errors import BadInput, ImpossibleResult, shortened
from .accounts import PHASES, QUANTITIES, Amount, Once, Phase, PhaseName, Service, check_quantity
from .crossing import BreakEven, Line, crossings
from .delay import DelayMetrics

__all__ = ["MUI_PHASES", "LifeCycle"]

MOST_USES = 1e24  # a million million devices, each used a million times a second for ten days; more is a slip
MUI_PHASES: tuple[PhaseName, ...] = ("search", "training", "inference")


@dataclass(frozen=True)
class LifeCycle:
    """What a design costs over its life, by phase, at a number of ``uses`` (inferences).

    ``once`` lists what is spent whatever the uses, ``service`` what they cost. ``accuracy`` is a share (0 to 1) or None
    where nobody knows it; ``tau`` its exponent in `g_mui`. ``spreads`` are relative standard deviations of parts, by
    "phase.part" (absent: nobody knows, or it was stated). ``notes`` say what was assumed, ``sources`` what the figures
    rest on. All amounts are modelled; measured ones come from `dovetail.energy.meters` and are never mixed in.
    """

    name: str
    once: tuple[Once, ...]
    service: Service
    uses: float
    accuracy: float | None = None
    tau: float = 1.0
    spreads: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        remedy = f"give how often the network runs in its life, a number from 0 to {MOST_USES:g}"
        _check("uses", self.uses, MOST_USES, remedy)
        if self.accuracy is not None:
            _check("accuracy", self.accuracy, 1.0, "give a share from 0 to 1, such as 0.72")
        _check("tau", self.tau, sys.float_info.max, "give an exponent from 0 on")
        for quantity in QUANTITIES:
            line, whole = self.line(quantity), getattr(self.total, quantity)
            least = 1e-12 * line.fixed  # the closed form is a small difference of it where waiting takes almost all
            if not math.isclose(whole, line.at(self.uses), rel_tol=1e-9, abs_tol=max(least, 1e-300)):
                closed = line.at(self.uses)
                raise ImpossibleResult(f"{self.name}: phases sum to {whole} ({quantity}), in closed form to {closed}")

    def __repr__(self) -> str:
        total = self.total
        return f"<LifeCycle {self.name}: {self.uses:.4g} uses, {total.energy_kwh:.4g} kWh, {total.co2e_kg:.4g} kg CO2e>"

    def at(self, uses: float) -> LifeCycle:
        """The same design used so often."""
        return replace(self, uses=uses)

    @cached_property
    def phases(self) -> dict[PhaseName, Phase]:
        """Each phase's amount with its parts, in the order of a life."""
        parts: dict[PhaseName, dict[str, Amount]] = {phase: {} for phase in PHASES}
        for entry in self.once:
            into = parts[entry.phase]
            into[entry.name] = into.get(entry.name, Amount()) + entry.total
        parts["inference"]["uses"] = self.service.use * self.uses
        parts["idle"].update(self.service.waited(self.uses))
        for name, amount in self.service.written_off(self.uses).items():
            parts["embodied"][name] = parts["embodied"].get(name, Amount()) + amount
        return {phase: Phase.of(found) for phase, found in parts.items()}

    @cached_property
    def total(self) -> Phase:
        """All phases together."""
        return Phase.of({phase: one.amount for phase, one in self.phases.items()})

    def sd(self, quantity: str, phases: tuple[PhaseName, ...] = PHASES) -> float:
        """Standard deviation of a quantity of some phases, the parts' `spreads` taken as independent."""
        name = check_quantity(quantity)
        parts = ((f"{phase}.{part}", amount) for phase in phases for part, amount in self.phases[phase].parts.items())
        return math.hypot(*(self.spreads.get(key, 0.0) * getattr(amount, name) for key, amount in parts))

    def line(self, quantity: str, phases: tuple[PhaseName, ...] = PHASES) -> Line:
        """A quantity of some phases as a function of the uses, in closed form."""
        name, service = check_quantity(quantity), self.service
        once = math.fsum(getattr(entry.total, name) for entry in self.once if entry.phase in phases)
        use = getattr(service.use, name) if "inference" in phases else 0.0
        idle = math.fsum(getattr(amount, name) for amount in service.waits.values()) if "idle" in phases else 0.0
        made = math.fsum(getattr(amount, name) for amount in service.made.values()) if "embodied" in phases else 0.0
        standing = service.devices * service.service_s * (idle + made / service.lifetime_s)
        return Line(
            fixed=once + standing,
            slope=use - service.latency_s * idle,
            knee=service.most_uses,
            fixed_beyond=once,
            slope_beyond=use + service.latency_s * made / service.lifetime_s,
        )

    def g_mui(self, tau: float | None = None, quantity: str = "energy_j") -> float:
        """``accuracy ** tau / (uses * IEC + TEC)``, in 1/J (or 1/kg with ``quantity="co2e_kg"``); larger is better.

        B. Li et al., "Full-Cycle Energy Consumption Benchmark for Low-Carbon Computer Vision", arXiv:2108.13465, 2021:
        IEC the energy of an inference, TEC that of training with compression and retraining; the search counts here,
        too. Raises `BadInput` where no accuracy is known.
        """
        spent = self.line(quantity, MUI_PHASES).at(self.uses)
        merit = self._merit(tau)
        return merit / spent if spent else math.inf

    def _merit(self, tau: float | None) -> float:
        if self.accuracy is None:
            raise BadInput(f"{self.name}: G(MUI) needs an accuracy; give accuracy=0.72, say")
        exponent = self.tau if tau is None else tau
        _check("tau", exponent, sys.float_info.max, "give an exponent from 0 on")
        return float(self.accuracy**exponent)

    def break_even(self, other: LifeCycle, quantity: str = "energy_j", *, tau: float | None = None) -> BreakEven:
        """Between which numbers of uses this design or the ``other`` is better, in closed form.

        By the total ``quantity`` of all phases; with ``tau`` by `g_mui` (the larger G is better, phases as there).
        """
        if not isinstance(other, LifeCycle):
            raise BadInput(f"break_even compares with another LifeCycle, not with {type(other).__name__}")
        check_quantity(quantity)
        if tau is None:
            lines, weights = (self.line(quantity), other.line(quantity)), (1.0, 1.0)
        else:
            lines = (self.line(quantity, MUI_PHASES), other.line(quantity, MUI_PHASES))
            weights = (other._merit(tau), self._merit(tau))
        found = crossings(*lines, *weights)
        mine, others = _told_apart(self.name, other.name)
        names = {-1: mine, 0: "", 1: others}
        return BreakEven(
            quantity if tau is None else f"G(MUI) by {quantity}",
            tuple(uses for uses, _ in found[1:]),
            tuple(names[sign] for _, sign in found),
        )

    def delay_metrics(self) -> DelayMetrics:
        """Carbon-delay products of one device and one use; the total carbon is that per use."""
        embodied = math.fsum(amount.co2e_kg for amount in self.service.made.values())
        per_use = self.total.co2e_kg / self.uses if self.uses else self.total.co2e_kg
        return DelayMetrics(embodied, self.service.use.energy_j, self.service.latency_s, per_use)


def _check(what: str, value: object, most: float, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) <= most:
        raise BadInput(f"{what} is {shortened(value)}; {remedy}")


def _told_apart(name: str, other: str) -> tuple[str, str]:
    return (name, other) if name != other else (f"{name} (this)", f"{other} (other)")
