"""What the simulator is asked to run: one job per operator and run, with what it needs and what it follows."""

from __future__ import annotations

from dataclasses import dataclass

from .machine import Way
from .plan import TilePlan

__all__ = ["Carry", "Job", "PortWork"]


@dataclass(frozen=True)
class PortWork:
    """Words that pass one port of a memory: bits, and cycles at its full rate."""

    memory: str
    way: Way
    bits: float
    cycles: float


@dataclass(frozen=True)
class Carry:
    """A tensor that stays in a core's memory: where its producer ran on another core, these words move first.

    ``out`` leaves the producer's core, ``back`` comes into the consumer's.
    """

    producer: int
    out: tuple[PortWork, ...]
    back: tuple[PortWork, ...]


@dataclass(frozen=True)
class Job:
    """One operator of one run; ``after`` are the numbers of the jobs it waits for, ``core`` where it has to run.

    A contraction has a ``plan``; a vector operator ``computing`` cycles of its unit beside its ``words``; what is left
    to the host, ``hosted`` cycles; a transfer over the host's link, ``linked`` cycles. ``overhead`` cycles of the host
    come first. ``fused`` operators (name, cycles of the vector unit) hide behind it. ``analytic`` cycles are the
    model's, overhead not included.
    """

    name: str
    kind: str
    network: int
    run: int
    after: tuple[int, ...]
    analytic: float
    core: int | None = None
    plan: TilePlan | None = None
    words: tuple[PortWork, ...] = ()
    computing: float = 0.0
    hosted: float = 0.0
    linked: float = 0.0
    overhead: float = 0.0
    fused: tuple[tuple[str, float], ...] = ()
    carried: tuple[Carry, ...] = ()
