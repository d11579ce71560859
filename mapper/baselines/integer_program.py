"""One-shot scheduling by mixed-integer programming, after CoSA (Huang et al., ISCA 2021), solved by HiGHS.

Every prime factor of a dimension goes to one memory or one axis of an array. In logarithms the size of a tile, the use
of an array, and how often each word is moved are then linear. As in CoSA, a sliding window counts as the product of its
dimensions, which is more than it holds; that windows' seams are moved more than once is not seen.

Other than CoSA's, whose objective adds logarithms and whose memories are divided among the tensors beforehand, this
program adds joules, compares cycles and adds up the tiles in a memory: exponentials of what is linear, bounded from
below by tangents. A product of energy and latency is taken to first order around the mapping found before. A binary
per memory and tensor says which tensor's loops stand outside the others (CoSA ranks all loops of one level), and
dimensions whose primes fit no array are also tried at a larger, friendlier size. What comes out is repaired into the
mapspace, reordered and costed exactly.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...accel.analytic import Cost, evaluate
from ..base import UNLIMITED, Limits, MappingResult
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import repair
from .common import Search, joined
from .linear_model import Program
from .orders import costed, reordered

if TYPE_CHECKING:
    I64 = NDArray[np.int64]
    Points = tuple[I64, I64, I64]

__all__ = ["IntegerProgramMapper"]

ROOMS = (1.0, 0.8, 1.5)  # shares of the memories that tiles may take; more than all where windows count as too large
KEPT = 2  # programs solved again around the best mapping found


class IntegerProgramMapper:
    """A program for each way to pad the dimensions and each room for tiles; the best are solved again in rounds."""

    name: ClassVar[str] = "milp"
    version: ClassVar[int] = 1

    def __init__(self, rounds: int = 2, rooms: tuple[float, ...] = ROOMS) -> None:
        self.rounds, self.rooms = rounds, rooms

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        end = time.perf_counter() + limits.seconds
        search, rng = Search(space, objective, limits), np.random.default_rng(seed)
        if not space.problem.dims:
            return search.result()
        found: list[Points] = []
        programs = [Program(space, sizes, room) for sizes, room in itertools.product(_sizes(space), self.rooms)]
        known: Cost | None = None
        for _ in range(self.rounds):
            costs = []
            for program in programs:
                proposal = None if search.over else program.solve(objective, known, end - time.perf_counter())
                if proposal is None:
                    costs.append(math.inf)
                    continue
                found.append(repair(space, *proposal, rng))
                costs.append(float(costed(search, found[-1])[0]))
            programs = [programs[k] for k in np.argsort(costs, kind="stable")[:KEPT]]
            known = evaluate(space.op, space.accelerator, space.to_mapping(*search.point))
        if found and not search.over:
            points = joined(*found)
            reordered(search, points, costed(search, points), rng)
        return search.result()


def _sizes(space: Mapspace) -> Iterator[tuple[int, ...]]:
    """Sizes to split the dimensions by: their bounds, and bounds rounded up to what arrays and memories divide well."""
    bounds = [int(bound) for bound in space.bounds]
    seen = {tuple(bounds)}
    yield tuple(bounds)
    if space.constraints.imperfect == "none":
        return
    smooth = tuple(_smooth(bound) for bound in bounds)
    extents = [int(extent) for extent in space.extents[space.spatial]]
    axes = space.allowed[space.spatial]
    whole = []
    for d, bound in enumerate(bounds):
        fitting = [extent for extent, row in zip(extents, axes, strict=True) if row[d] and extent < bound]
        extent = max(fitting, default=1)
        whole.append(-(-bound // extent) * extent)
    for sizes in (smooth, tuple(whole)):
        if sizes not in seen:
            seen.add(sizes)
            yield sizes


def _smooth(bound: int) -> int:
    """The least number from ``bound`` on without a prime above 3."""
    found, power = 2 * bound, 1
    while power < 2 * bound:
        size = power
        while size < bound:
            size *= 2
        found, power = min(found, size), 3 * power
    return found
