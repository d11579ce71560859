"""What a mapper is and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, get_args, runtime_checkable

from ..accel.accelerator import Accelerator
from ..accel.analytic import Cost
from ..accel.mapping import Mapping
from ..errors import UnknownName
from ..models.op import Op

Objective = Literal["energy", "latency", "edp"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

__all__ = ["OBJECTIVES", "Certificate", "Mapper", "MappingResult", "Objective", "check_objective"]


@dataclass(frozen=True)
class Certificate:
    """What is known about a mapping's quality, in units of the objective (J, s or J·s).

    No mapping costs less than ``lower_bound``; ``optimum`` is the cost found. ``evaluated`` mappings were costed,
    ``pruned`` ruled out without, in ``seconds``.
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


@dataclass(frozen=True)
class MappingResult:
    """A mapping, its analytic cost, and what is known about its quality."""

    mapping: Mapping
    cost: Cost
    certificate: Certificate


@runtime_checkable
class Mapper(Protocol):
    """Finds a mapping; a plug-in is a class without constructor arguments, registered under ``dovetail.mappers``.

    ``version`` changes whenever the same question may get another answer, so that remembered mappings are dropped.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    def map(self, op: Op, accelerator: Accelerator, objective: Objective, seed: int) -> MappingResult:
        """A mapping of ``op`` with low ``objective``; the same arguments give the same mapping.

        Raises `Infeasible` where no mapping fits.
        """


def check_objective(name: str) -> Objective:
    """``name`` as an objective; `UnknownName` otherwise."""
    for objective in OBJECTIVES:
        if name == objective:
            return objective
    raise UnknownName("objective", name, OBJECTIVES)
