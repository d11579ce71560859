"""How the tables of a sweep are made: a mapper is asked about some accelerators, its mappings are tried on all.

Each function here does a part of the work, in this process or in others, with the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Accelerator
from ...mapper.threads import sharing_threads
from ...models.op import Op
from ..spaces.hardware import hardware_values
from ..spaces.space import Space, Value
from .groups import Group, vector_costs
from .portfolio import Portfolio, Question

__all__ = ["COLUMNS", "CostWork", "Job", "MappingWork", "cost_groups", "seek_mappings", "spread"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Matrices = tuple[I64, I64, I64]
COLUMNS = ("area_mm2", "call_s", "operator_s", "standing_w")
Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(frozen=True)
class Job:
    """What all parts of the work share."""

    accelerator: Accelerator
    hardware: Space
    question: Question
    groups: tuple[Group, ...] = ()
    portfolios: Mapping[tuple[object, ...], Portfolio] = field(default_factory=dict)

    def chip(self, values: Mapping[str, Value]) -> Accelerator:
        """One of the accelerators."""
        return self.accelerator.with_parameters(**hardware_values(values))


MappingWork = tuple[Op, Sequence[Mapping[str, Value]]]
CostWork = Sequence[Sequence[int]]


def seek_mappings(job: Job, work: MappingWork) -> list[Matrices | None]:
    """The mapper's mapping of an operator on each of some accelerators."""
    op, points = work
    return [job.question.ask(op, job.chip(point)) for point in points]


def cost_groups(job: Job, work: CostWork) -> tuple[I64, F64, F64]:
    """Costs of all groups on batches of accelerators that differ in figures alone.

    Returns the accelerators' numbers (k,), `COLUMNS` of each (k, 4), and of each group seconds, joules and the place of
    the mapping (k, groups, 3), infinite where nothing fits.
    """
    numbers: list[int] = []
    about: list[list[float]] = []
    costs: list[F64] = []
    for batch in work:
        chips = [job.chip(job.hardware.point(number)) for number in batch]
        about += [[c.area_mm2, c.call_overhead_s, c.operator_overhead_s, c.standing_w] for c in chips]
        costs.append(_on_chips(job, chips))
        numbers += batch
    return np.array(numbers), np.array(about), np.concatenate(costs)


def _on_chips(job: Job, chips: Sequence[Accelerator]) -> F64:
    found = np.full((len(chips), len(job.groups), 3), np.inf)
    best = {key: portfolio.best(chips, job.question) for key, portfolio in job.portfolios.items()}
    for at, group in enumerate(job.groups):
        places, energy, cycles = best.get(group.head.shape_key, (None, None, None))
        for row, chip in enumerate(chips):
            place, joules, count = -1.0, 0.0, 0.0
            if isinstance(group.head, Op):
                if places is None or energy is None or cycles is None or places[row] < 0:
                    continue
                place, joules, count = float(places[row]), float(energy[row]), float(cycles[row])
            total = count
            for more, spent in vector_costs(group, chip, count):
                total, joules = total + more, joules + spent
            found[row, at] = total / chip.clock_hz, joules, place
    return found


_job: list[Job] = []


def _start(job: Job) -> None:
    _job[:] = [job]


def _here(function: Callable[[Job, Work], Done], work: Work) -> Done:
    with sharing_threads(1):
        return function(_job[0], work)


def spread(
    job: Job, function: Callable[[Job, Work], Done], parts: Sequence[Work], workers: int
) -> Iterator[Done]:
    """``function(job, part)`` for every part, in their order, by so many processes (1: this one)."""
    if workers <= 1 or len(parts) <= 1:
        for part in parts:
            with sharing_threads(1):
                yield function(job, part)
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(job,)
    ) as pool:
        yield from pool.map(_here, [function] * len(parts), parts)
