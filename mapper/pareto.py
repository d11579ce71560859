"""The latency-energy front of one operator: every pair of the two that no mapping beats in both."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from ..accel.accelerator import Accelerator
from ..errors import BadInput
from ..models.op import Op
from .base import UNLIMITED, Limits, MappingResult
from .constraints import Constraints
from .objective import Objective
from .search import best_mapping

__all__ = ["fastest_mapping", "pareto_front"]

SAME = 1e-9  # relative difference below which two latencies, or two energies, are one
ROUNDING = 1e-12  # of a latency from cycles, in the compiled and in the readable model


def pareto_front(
    op: Op,
    accelerator: Accelerator,
    constraints: Constraints | None = None,
    *,
    limits: Limits = UNLIMITED,
    resolution: float = 0.0,
    most: int | None = None,
    cache: Path | bool = True,
) -> list[MappingResult]:
    """A mapping for each (latency_s, energy_j) of the mapspace that no mapping beats in both, fastest first.

    Found with the ε-constraint method (Haimes, Lasdon & Wismer, 1971): the least energy of all mappings, then the least
    of those that are faster than that one, and so on down to the least latency. Each step is one search of the optimal
    mapper, and each result's certificate is about energy, in J: no mapping as fast takes less than its ``lower_bound``.
    Pairs that differ by less than 1e-9 count as one.

    Fronts have hundreds of pairs that hardly differ. With a ``resolution`` of, say, 0.01 each step, but the last to the
    fast end, is 1 % or more, and the least latency is sought to 1 %, which is far quicker. Whatever mapping there is,
    one of the coarse front takes no more energy and is at most 1 % slower (Papadimitriou & Yannakakis, 2000). The least
    energy of all is among it, and each mapping takes the least energy of all as fast as it; one just as frugal may be
    faster, by less than the resolution. ``most`` coarsens it further, to at most as many mappings, evenly spread in the
    logarithm of latency.

    ``limits`` hold for each step; a search that they stop leaves a certificate with a gap, and the front is then what
    was found (how far its fast end is known, `fastest_mapping` says), as it is where the mapper has no proof at all
    (``imperfect: all``). The other arguments are those of `best_mapping`. Raises `Infeasible` where nothing fits,
    `BadInput` for a resolution or a number of mappings that make no sense, and for a limit of evaluations.
    """
    _check(limits, resolution, most)

    def ask(objective: str | Objective) -> MappingResult:
        return best_mapping(op, accelerator, objective, constraints=constraints, limits=limits, cache=cache)

    fastest = fastest_mapping(op, accelerator, constraints, limits=limits, resolution=resolution, cache=cache)
    frugal, quickest = ask("energy"), fastest.cost.latency_s
    step = 1.0 + max(SAME, resolution)
    if most:
        step = max(step, (frugal.cost.latency_s / quickest) ** (1.0 / (most - 1)))
    found = [frugal]
    while found[-1].cost.latency_s > quickest * (1.0 + SAME):
        found.append(ask(_within(max(quickest * (1.0 + ROUNDING), found[-1].cost.latency_s / step))))
    return _unbeaten(found[::-1])


def fastest_mapping(
    op: Op,
    accelerator: Accelerator,
    constraints: Constraints | None = None,
    *,
    limits: Limits = UNLIMITED,
    resolution: float = 0.0,
    cache: Path | bool = True,
) -> MappingResult:
    """What a front's fast end is: a mapping at most ``resolution`` slower than the fastest, the bound in seconds."""
    _check(limits, resolution)
    enough = replace(limits, gap=max(limits.gap, resolution / (1.0 + resolution)))
    return best_mapping(op, accelerator, "latency", constraints=constraints, limits=enough, cache=cache)


def _within(seconds: float) -> Objective:
    return Objective(f"energy within {seconds:.9g} s", "capped", 0.0, seconds)


def _unbeaten(fastest_first: list[MappingResult]) -> list[MappingResult]:
    """Those that take less energy than all that are faster."""
    front: list[MappingResult] = []
    for one in fastest_first:
        if not front or one.cost.energy_j < front[-1].cost.energy_j * (1.0 - SAME):
            front.append(one)
    return front


def _check(limits: Limits, resolution: float, most: int | None = None) -> None:
    if not 0.0 <= resolution < math.inf:
        raise BadInput(f"resolution {resolution}: give a share of the latency such as 0.01, or 0 for the whole front")
    if most is not None and most < 2:
        raise BadInput(f"most = {most}: a front has two ends; ask for at least 2 mappings")
    if limits.evaluations is not None:
        raise BadInput("a front cannot be found within a number of evaluations; limit seconds or the gap of each step")
