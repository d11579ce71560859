"""The mappings of one operator that were best somewhere, tried on any accelerator of the same structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Accelerator
from ...accel.batch import Problem
from ...accel.mapping import Mapping
from ...errors import Infeasible
from ...mapper.base import Limits
from ...mapper.mapspace import Mapspace
from ...mapper.objective import Objective
from ...mapper.registry import mapper_class
from ...models.op import Op

__all__ = ["Portfolio", "Question"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
_FINALISTS = 12  # mappings that are tried again where only figures differ, by the objective
_EXTREMES = 4  # and by energy and by latency each


@dataclass(frozen=True)
class Question:
    """How mappings are sought: by which mapper, for what, with how many evaluations and from which seed."""

    mapper: str = "annealing"
    objective: str = "edp"
    evaluations: int = 1000
    seed: int = 1

    def ask(self, op: Op, accelerator: Accelerator) -> tuple[I64, I64, I64] | None:
        """A good mapping as matrices (see `Problem.from_mapping`); None where none fits."""
        space = Mapspace(op, accelerator)
        found = mapper_class(self.mapper)()
        try:
            result = found.map(space, Objective.parse(self.objective), self.seed, Limits(evaluations=self.evaluations))
        except Infeasible:
            return None
        return space.problem.from_mapping(result.mapping)

    def scores(self, energy_j: F64, cycles: F64) -> F64:
        """What is minimised, up to a constant factor."""
        fits = np.isfinite(energy_j)
        value = energy_j * cycles if self.objective == "edp" else energy_j if self.objective == "energy" else cycles
        return np.where(fits, value, np.inf)


@dataclass(frozen=True)
class Portfolio:
    """``factors`` and ``order`` [M, S, D] and ``bypass`` [M, P, 3] of M distinct mappings of ``op``."""

    op: Op
    factors: I64
    order: I64
    bypass: I64

    @staticmethod
    def of(op: Op, mappings: Sequence[tuple[I64, I64, I64]]) -> Portfolio:
        """The distinct ones, in the order in which they are given."""
        distinct = {tuple(part.tobytes() for part in mapping): mapping for mapping in mappings}
        factors, order, bypass = (np.array([mapping[i] for mapping in distinct.values()]) for i in range(3))
        return Portfolio(op, factors, order, bypass)

    def __len__(self) -> int:
        return len(self.factors)

    @cached_property
    def _problem(self) -> Problem | None:
        """The operator on the last chip that it was costed on; what chips share need not be made again."""
        return None

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_problem"}

    @cached_property
    def extents(self) -> I64:
        """[M, S] positions that each mapping takes of each slot."""
        return np.asarray(self.factors.prod(axis=2))

    def best(self, chips: Sequence[Accelerator], question: Question) -> tuple[I64, F64, F64]:
        """The best mapping on each chip: its place (−1 where none fits), joules and cycles, arrays (chips,).

        The chips differ in figures alone, in an order of these: all mappings are tried on the first, the middle and the
        last; those that did well on one of them on the others.
        """
        places = np.full(len(chips), -1, np.int64)
        energy, cycles = np.full(len(chips), np.inf), np.full(len(chips), np.inf)

        def finalists(at: int, tried: I64) -> I64:
            if not len(tried):
                return tried
            found = self._on(chips[at]).evaluate(self.factors[tried], self.order[tried], self.bypass[tried])
            scores = question.scores(found[:, 0], found[:, 1])
            first = int(np.argmin(scores))
            if np.isfinite(scores[first]):
                places[at], energy[at], cycles[at] = tried[first], found[first, 0], found[first, 1]
            return np.asarray(tried[_finalists(found[:, 0], found[:, 1], scores)])

        whole, fitting = sorted({0, (len(chips) - 1) // 2, len(chips) - 1}), self._fitting(chips[0])
        some = np.unique(np.concatenate([finalists(at, fitting) for at in whole]))
        for at in range(len(chips)):
            if at not in whole:
                finalists(at, some)
        return places, energy, cycles

    def _fitting(self, chip: Accelerator) -> I64:
        """The mappings that take no more of any array than there is."""
        slots = self._on(chip).slots
        room = np.array([slot.extent if slot.axis else np.iinfo(np.int64).max for slot in slots])
        return np.flatnonzero(np.all(self.extents <= room, axis=1))

    def _on(self, chip: Accelerator) -> Problem:
        problem = Problem(self.op, chip) if self._problem is None else self._problem.on(chip)
        self.__dict__["_problem"] = problem
        return problem

    def mapping(self, place: int, chip: Accelerator) -> Mapping:
        """One of the mappings, for a chip that it fits."""
        return Problem(self.op, chip).to_mapping(self.factors[place], self.order[place], self.bypass[place])


def _finalists(energy: F64, cycles: F64, scores: F64) -> I64:
    kept = [np.argsort(scores, kind="stable")[:_FINALISTS]]
    kept += [np.argsort(column, kind="stable")[:_EXTREMES] for column in (energy, cycles)]
    chosen = np.unique(np.concatenate(kept))
    return np.asarray(chosen[np.isfinite(scores[chosen])])
