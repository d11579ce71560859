"""The optimal mapper: every spatial assignment by rising bound, each searched to its end, until no bound is lower."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Accelerator, Array, Compute, Memory
from ...accel.analytic import evaluate
from ...errors import BadInput, ImpossibleResult, Infeasible
from ...models.op import ROLES, linear
from ..base import UNLIMITED, Certificate, Limits, Mapper, MappingResult
from ..baselines.annealing import AnnealingMapper
from ..bounds import roofline
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import everything_outside
from ..threads import mapper_threads

if TYPE_CHECKING:
    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]

__all__ = ["OptimalMapper"]

LABELS = 1 << 18  # labels of one search at most; beyond, its bound is what the assignment pays in any case
POINTS = 1 << 17  # points of a lattice at most
ASSIGNMENTS = 1 << 18  # spatial assignments looked at, at most
SEEN = 1 << 20
FIRST = 64  # assignments of the highest parallelism from which the first mappings come
QUICK = 8  # assignments of the lowest bounds searched quickly before any is searched to its end
ROUND = 8  # assignments searched between two looks at the best mapping, however many threads there are
# Comparisons of labels, or what takes as long, after which the bound reached must do: some seconds on two cores. A
# measure of work, not of time, gives the same answer on any machine.
EFFORT = 1e9
SAME = 1.0 - 1e-12


class OptimalMapper:
    """A mapping that no other of the mapspace beats, with the proof: dynamic programming under a branch and bound."""

    name: ClassVar[str] = "optimal"
    version: ClassVar[int] = 1

    def __init__(self, workers: int | None = None, effort: float = EFFORT) -> None:
        self.workers, self.effort = workers, effort

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; the seed changes nothing. Raises `BadInput` where a memory fetches every tile anew."""
        _load()
        begin = time.perf_counter()
        anew = [memory.name for memory in space.accelerator.memories if memory.refetch]
        if anew:
            raise BadInput(
                f"'{anew[0]}' of '{space.accelerator.name}' fetches every tile anew, which this mapper proves nothing "
                "about; use the mapper 'annealing'"
            )
        if not space.problem.dims:
            mapping = space.to_mapping(*everything_outside(space))
            cost = evaluate(space.op, space.accelerator, mapping)
            value = objective.value(cost.energy_j, cost.latency_s)
            return MappingResult(mapping, cost, Certificate(value, value, 1, 0, time.perf_counter() - begin))
        _refuse_at_once(space)
        hunt = Hunt(space, objective, limits, begin, self.workers or mapper_threads(), self.effort)
        hunt.run()
        if hunt.point is None:
            raise _infeasible(space)
        if hunt.lower < hunt.enough and not limits.evaluations:
            hunt.ask(AnnealingMapper(), seed)
        mapping = space.to_mapping(*hunt.point)
        cost = evaluate(space.op, space.accelerator, mapping)
        value = objective.value(cost.energy_j, cost.latency_s)
        lower = hunt.lower
        for asked in (value * (1.0 - limits.gap), value):  # rounding apart
            lower = asked if asked * (1.0 - 1e-9) <= lower < asked else lower
        lower = float(min(lower, value))
        certificate = Certificate(value, lower, hunt.evaluated, hunt.pruned, time.perf_counter() - begin)
        return MappingResult(mapping, cost, certificate, tuple(hunt.history))


@lru_cache(maxsize=1)
def _load() -> None:
    """Load the compiled code with a small search, so that no limit on the time of a first one is spent on it."""
    everything = frozenset(ROLES)
    levels = (Memory("outer", everything), Memory("inner", everything), Array("array", (("x", 2),)), Compute("mac"))
    space = Mapspace(linear("small", n=2, k=2, c=2), Accelerator("small", 1e9, 45.0, levels))
    Hunt(space, Objective.parse("energy"), UNLIMITED, time.perf_counter(), 1, EFFORT).run()


def _refuse_at_once(space: Mapspace) -> None:
    """Raise `Infeasible` where no mapping can fit: not even the smallest tiles with sums as narrow as results.

    The mapping with every loop outside has the smallest tiles, but may leave sums unfinished where others do not.
    """
    accelerator = space.accelerator
    if any(memory.finished_output_bits is not None for memory in accelerator.memories):
        return
    narrow = replace(accelerator.compute, accumulator_bits=1)
    levels = tuple(narrow if isinstance(level, Compute) else level for level in accelerator.levels)
    mapping = space.to_mapping(*everything_outside(space))
    try:
        evaluate(space.op, replace(accelerator, levels=levels, spec=None), mapping)
    except Infeasible:
        raise _infeasible(space) from None


def _infeasible(space: Mapspace) -> Infeasible:
    """Why nothing fits: from the mapping with every loop outside."""
    try:
        evaluate(space.op, space.accelerator, space.to_mapping(*everything_outside(space)))
    except Infeasible as error:
        return error
    raise ImpossibleResult(f"{space.op.name} on '{space.accelerator.name}': the search lost a mapping that fits")


class Scratch:
    """What one thread's searches work in."""

    def __init__(self) -> None:
        from ...accel.kernel_nest import workspace
        from .kernel_instance import PORTS, instance
        from .kernel_labels import LABEL_COLUMNS

        self.workspace, self.instance = workspace(), instance()
        self.labels, self.costs = np.empty((LABELS, LABEL_COLUMNS), np.int64), np.empty((LABELS + 1, 3 + 2 * PORTS))


_own = threading.local()


@lru_cache(maxsize=4)
def _pool(workers: int, process: int) -> ThreadPoolExecutor:
    """Threads that stay, and their memory with them, from one search to the next; a forked process has none of them."""
    return ThreadPoolExecutor(workers, "dovetail-optimal")


@dataclass
class Found:
    """What one search found: its bound, its best objective and counts, factors and order [S, D]."""

    bound: float
    state: F64
    factors: I64
    order: I64


class Hunt:
    """One search: the best mapping so far, what is still open, and when to stop."""

    def __init__(
        self, space: Mapspace, objective: Objective, limits: Limits, begin: float, workers: int, most: float
    ) -> None:
        self.most, self.effort = most, 0.0
        self.space, self.limits, self.begin, self.workers = space, limits, begin, workers
        form = ("product", "sum", "capped").index(objective.form)
        self.goal = np.asarray([float(form), objective.energy, objective.latency, 1.0 / space.accelerator.clock_hz])
        self.objective, self.best, self.lower = objective, math.inf, math.inf
        self.point: tuple[I64, I64, I64] | None = None
        self.evaluated = self.pruned = 0
        self.history: list[tuple[int, float]] = []
        self.propose(*everything_outside(space))
        self.fixed = np.where(space.extents[:, None] > 0, 0, space.fixed)
        self.group = _groups(space)

    def ask(self, other: Mapper, seed: int) -> None:
        """See whether another mapper finds something better where the search could not be brought to an end."""
        seconds = self.limits.seconds - (time.perf_counter() - self.begin)
        if seconds <= 0.0 or self.objective.form == "capped":
            return
        found = other.map(self.space, self.objective, seed, Limits(self.limits.gap, seconds))
        self.propose(*self.space.problem.from_mapping(found.mapping))

    def propose(self, factors: I64, order: I64, bypass: I64) -> None:
        """Price one mapping and keep it if it is the best."""
        energy, cycles, _ = self.space.problem.evaluate(factors[None], order[None], bypass[None])[0]
        self.evaluated += 1
        value = self.objective.value(energy, cycles / self.space.accelerator.clock_hz)
        if math.isfinite(energy) and value < self.best:
            self.best, self.point = value, (factors, order, bypass)
            self.history.append((self.evaluated, value))

    @property
    def left(self) -> float:
        """Mappings that may still be priced."""
        if self.point is None:  # there has to be an answer
            return math.inf
        return (self.limits.evaluations or math.inf) - self.evaluated

    def run(self) -> None:
        """Search all bypasses; afterwards nothing below ``lower`` is left."""
        for bypass in _bypasses(self.space):
            Assignments(self, bypass, _pool(self.workers, os.getpid()) if self.workers > 1 else None).search()
        self.lower = min(self.lower, self.enough if self.limits.gap else self.best)
        if self.space.constraints.imperfect == "all":  # searched are whole tiles in time only
            self.lower = min(self.lower, roofline(self.space.op, self.space.accelerator, self.objective))

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        if self.left <= 0 or (self.effort > self.most and self.limits.seconds == math.inf):
            return True
        return time.perf_counter() - self.begin > self.limits.seconds and self.point is not None

    @property
    def enough(self) -> float:
        """The bound from which on an assignment need not be searched."""
        return self.best * SAME * (1.0 - self.limits.gap)

    @property
    def scratch(self) -> Scratch:
        """Memory for one search; one per thread."""
        kept: Scratch | None = getattr(_own, "scratch", None)
        if kept is None:
            kept = _own.scratch = Scratch()
        return kept


class Assignments:
    """The spatial assignments of one choice of bypasses."""

    def __init__(self, hunt: Hunt, bypass: I64, pool: ThreadPoolExecutor | None) -> None:
        from .assignments import Axes

        self.hunt, self.space, self.bypass, self.pool = hunt, hunt.space, bypass, pool
        self.axes = Axes.of(hunt.space, bypass)
        self.arrays = hunt.space.problem.arrays

    def search(self) -> None:
        """Find the best of them and what bounds the rest."""
        hunt = self.hunt
        if len(self.space.temporal) == 1:
            self.search_without_levels()
            return
        picks, bounds, _ = self.listed(FIRST, math.inf)
        self.go_through(picks, bounds, quick=True, most=QUICK // 3)
        if self.floor() >= hunt.enough:
            hunt.lower = min(hunt.lower, self.floor())
            return
        picks, bounds, complete = self.listed(ASSIGNMENTS, hunt.enough if hunt.limits.gap else hunt.best)
        if not complete:
            hunt.lower = min(hunt.lower, self.floor())
        self.go_through(picks, bounds, quick=True, most=QUICK)
        self.go_through(picks, bounds, quick=False, most=len(picks))

    def search_without_levels(self) -> None:
        """With a single memory a spatial assignment is all there is to a mapping."""
        hunt, space = self.hunt, self.space
        picks, bounds, complete = self.listed(ASSIGNMENTS, math.inf)
        for row, bound in zip(picks, bounds, strict=True):
            if bound >= hunt.enough or hunt.late:
                hunt.lower = min(hunt.lower, bound)
                break
            factors = self.axes.factors(row, len(space.problem.slots))
            factors[space.temporal[0]] = -(-space.bounds // factors.prod(axis=0))
            hunt.propose(factors, np.tile(np.argsort(-space.phases[0], kind="stable"), (len(factors), 1)), self.bypass)
        if not complete:
            hunt.lower = min(hunt.lower, self.floor())

    def listed(self, most: int, limit: float) -> tuple[I64, F64, bool]:
        """Assignments by rising bound, up to ``most`` of those below ``limit``, and whether these are all."""
        from .kernel_spatial import enumerate_assignments

        axes, hunt = self.axes, self.hunt
        picks, bounds = np.empty((most, len(axes.slots)), np.int64), np.empty(most)
        size = 1 << max(12, (4 * most).bit_length()) if most < ASSIGNMENTS else SEEN
        count = enumerate_assignments(
            self.arrays,
            hunt.scratch.instance,
            axes.options,
            axes.first,
            axes.places,
            axes.free,
            axes.twins,
            int(self.space.constraints.imperfect == "none"),
            axes.reach,
            axes.shares,
            axes.spent,
            axes.copied,
            hunt.group,
            self.bypass,
            hunt.goal,
            limit,
            np.zeros(size, np.int64),
            picks,
            bounds,
        )
        complete, count = count >= 0, max(count, -1 - count)
        order = np.argsort(bounds[:count], kind="stable")
        return picks[order], bounds[order], complete

    def floor(self) -> float:
        """What every assignment costs at least."""
        from .kernel_search import floor_of

        spent, reach = self.axes.spent, self.axes.reach[0]
        energy = float(spent[0] + (spent[1:4] / reach[1:]).sum() + self.axes.copied[:, 2].sum())
        cycles = max(float(spent[4]), self.space.op.macs * self.space.problem.savings.least_time / reach[0])
        energy += self.space.accelerator.standing_w / self.space.accelerator.clock_hz * cycles
        return float(floor_of(self.hunt.goal, energy, cycles))

    def go_through(self, picks: I64, bounds: F64, *, quick: bool, most: int) -> None:
        """Search the first ``most`` assignments, or all whose bound is low enough, in rounds."""
        hunt = self.hunt
        for start in range(0, min(most, len(picks)), ROUND):
            part = slice(start, min(start + ROUND, most))
            if not bounds[start] < hunt.enough:
                hunt.lower = min(hunt.lower, max(bounds[start], hunt.enough))
                hunt.pruned += len(picks) - start
                return
            if hunt.late:
                hunt.lower = min(hunt.lower, bounds[start])
                return
            best = hunt.best
            jobs = [row for row, bound in zip(picks[part], bounds[part], strict=True) if bound < hunt.enough]
            if hunt.limits.evaluations:  # one by one, so that the limit holds
                for row in jobs:
                    for found in self.one(row, quick, hunt.best):
                        self.take(found, quick=quick)
            else:
                each = self.pool.map if self.pool else map
                for several in each(lambda row: self.one(row, quick, best), jobs):  # noqa: B023
                    for found in several:
                        self.take(found, quick=quick)
            if not quick and len(jobs) < part.stop - part.start:
                hunt.lower = min(hunt.lower, hunt.enough if hunt.limits.gap else math.inf)

    def one(self, row: I64, quick: bool, best: float) -> list[Found]:
        """Search one assignment; where that is given up, again for a better bound."""
        from .kernel_labels import BOUNDING, PROVING, QUICK

        found = [self.searched(row, QUICK if quick else PROVING, best)]
        if not quick and 0.0 <= found[0].bound < found[0].state[0] and not self.hunt.limits.evaluations:
            again = self.searched(row, BOUNDING, float(found[0].state[0]) / (1.0 - self.hunt.limits.gap))
            found[0].bound = max(found[0].bound, again.bound)
            again.bound = math.inf
            found.append(again)
        return found

    def searched(self, row: I64, way: int, best: float) -> Found:
        """One search of one assignment."""
        from ...accel.kernel import evaluate_one
        from .kernel_search import search

        space, problem = self.space, self.space.problem
        slots, dims = len(problem.slots), len(problem.dims)
        axis_factors = self.axes.factors(row, slots)
        spread = np.ones((len(problem.places), dims), np.int64)
        for slot in space.spatial:
            spread[problem.slots[slot].place] *= axis_factors[slot]
        scratch = self.hunt.scratch
        state = np.asarray(
            [best * (1.0 - self.hunt.limits.gap), 0.0, 0.0, 0.0, max(0.0, self.hunt.left), math.inf, 0.0]
        )
        factors, order = np.ones((slots, dims), np.int64), np.tile(np.arange(dims), (slots, 1))
        bound = search(
            evaluate_one,
            self.arrays,
            scratch.instance,
            scratch.workspace,
            spread,
            axis_factors,
            self.hunt.group,
            self.bypass,
            self.hunt.fixed,
            space.phases,
            self.hunt.goal,
            POINTS,
            way,
            scratch.labels,
            scratch.costs,
            state,
            factors,
            order,
        )
        return Found(float(bound), state, factors, order)

    def take(self, found: Found, *, quick: bool) -> None:
        """Keep what one search found."""
        hunt, state, bound = self.hunt, found.state, found.bound
        hunt.effort += float(state[3])
        hunt.pruned += int(state[6])
        hunt.evaluated += int(state[1])
        if state[0] < hunt.best * (1.0 - hunt.limits.gap):
            hunt.best, hunt.point = float(state[0]), (found.factors, found.order, self.bypass)
            hunt.history.append((hunt.evaluated, hunt.best))
        if not quick:
            hunt.lower = min(hunt.lower, self.floor() if bound < 0.0 else bound)


def _groups(space: Mapspace) -> I64:
    """[D] dimensions of one group are constrained alike in time."""
    time = space.temporal
    rows = [(tuple(space.fixed[time, d]), tuple(space.phases[time, d])) for d in range(len(space.bounds))]
    known = {row: k for k, row in enumerate(dict.fromkeys(rows))}
    alone = [any(f > 1 for f in fixed) for fixed, _ in rows]
    return np.asarray([len(rows) + d if alone[d] else known[row] for d, row in enumerate(rows)], np.int64)


def _bypasses(space: Mapspace) -> list[I64]:
    """[P, 3] each set of tensors that may skip memories."""
    places = np.argwhere(space.may_bypass)
    found = []
    for choice in itertools.product((0, 1), repeat=len(places)):
        table = np.zeros(space.may_bypass.shape, np.int64)
        for (place, role), skip in zip(places, choice, strict=True):
            table[place, role] = skip
        found.append(table)
    return found
