"""What a mapper is and what it returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from ..accel.analytic import Cost
from ..accel.mapping import Mapping
from ..errors import BadInput
from .mapspace import Mapspace
from .objective import Objective

__all__ = ["UNLIMITED", "Certificate", "Limits", "Mapper", "MappingResult"]


@dataclass(frozen=True)
class Limits:
    """When a mapper may stop early: at a proven relative ``gap``, after ``seconds``, or after costing ``evaluations``.

    ``evaluations`` None leaves a heuristic its own default. A limit on seconds makes a result depend on the machine.
    """

    gap: float = 0.0
    seconds: float = math.inf
    evaluations: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.gap < 1.0:
            raise BadInput(f"gap {self.gap}: give a share of the optimum from 0 up to, but not including, 1")
        if not self.seconds > 0.0:
            raise BadInput(f"seconds {self.seconds}: give a positive time")
        if self.evaluations is not None and self.evaluations < 1:
            raise BadInput(f"evaluations {self.evaluations}: give a positive number")


UNLIMITED = Limits()


@dataclass(frozen=True)
class Certificate:
    """What is known about a mapping's quality, in units of the objective (J, s or J·s).

    No mapping of the mapspace costs less than ``lower_bound``; ``optimum`` is the cost found. ``evaluated`` mappings
    were costed and ``pruned`` partial ones, each standing for all that begin alike, ruled out, in ``seconds``.
    """

    optimum: float
    lower_bound: float
    evaluated: int = 0
    pruned: int = 0
    seconds: float = 0.0

    @property
    def gap(self) -> float:
        """Relative distance of the found cost from the bound; 0 is a proof of optimality."""
        return (self.optimum - self.lower_bound) / self.optimum if self.optimum else 0.0

    @property
    def proven(self) -> bool:
        """Whether the cost found is the optimum, to the 1e-12 that the compiled and the readable model agree to."""
        return self.gap <= 1e-12


@dataclass(frozen=True)
class MappingResult:
    """A mapping, its analytic cost, and what is known about its quality.

    ``history`` are the improvements on the way: (mappings costed so far, best objective), where the mapper keeps them.
    """

    mapping: Mapping
    cost: Cost
    certificate: Certificate
    history: tuple[tuple[int, float], ...] = ()


@runtime_checkable
class Mapper(Protocol):
    """Finds a mapping in a mapspace; a plug-in is a class without constructor arguments, under ``dovetail.mappers``.

    ``version`` changes whenever the same question may get another answer, so that remembered mappings are dropped.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """A mapping of ``space`` with a low ``objective``; the same arguments give the same mapping.

        Raises `Infeasible` where no mapping fits.
        """
