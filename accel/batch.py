"""Arrays for the compiled model: from an operator, an accelerator and mappings to costs in bulk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..models.op import ROLES, Op, Tensor
from .accelerator import Accelerator, Array, Memory
from .analytic import output_bits
from .mapping import LevelMapping, Loop, Mapping

if TYPE_CHECKING:
    from .kernel import F64, I64, ProblemArrays

__all__ = ["Problem", "Slot"]


@dataclass(frozen=True)
class Slot:
    """Where loops can stand: a memory (``axis`` empty) or one axis of an array."""

    place: int
    axis: str = ""
    extent: int = 0


class Problem:
    """One operator on one accelerator, ready for bulk evaluation.

    ``dims`` are the dimensions with a bound above 1 (D of them), ``slots`` the rows of a mapping's matrices (S),
    ``places`` the memories and arrays (P), all outermost first.
    """

    def __init__(self, op: Op, accelerator: Accelerator) -> None:
        self.op, self.accelerator = op, accelerator
        self.places = tuple(level for level in accelerator.levels if isinstance(level, Memory | Array))
        if len(self.places) > 60:
            raise BadInput(f"'{accelerator.name}' has {len(self.places)} levels; at most 60 can be evaluated in bulk")
        self.dims = tuple(dim for dim, bound in op.dims if bound > 1)
        self.slots = tuple(
            slot
            for place, level in enumerate(self.places)
            for slot in (
                [Slot(place, axis, extent) for axis, extent in level.shape] if isinstance(level, Array) else [Slot(place)]
            )
        )

    @cached_property
    def arrays(self) -> ProblemArrays:
        """What the compiled model reads."""
        from .kernel import ProblemArrays

        op, accelerator = self.op, self.accelerator
        per_cycle = 1.0 / accelerator.clock_hz
        memories = [level if isinstance(level, Memory) else None for level in self.places]
        spatial = [level if isinstance(level, Array) else None for level in self.places]
        return ProblemArrays(
            bounds=_ints([op.bounds[dim] for dim in self.dims]),
            slot_place=_ints([slot.place for slot in self.slots]),
            slot_spatial=_ints([bool(slot.axis) for slot in self.slots]),
            is_memory=_ints([m is not None for m in memories]),
            room_bits=_floats([(m.size_bits / (2 if m.double_buffered else 1)) if m else math.inf for m in memories]),
            keeps=_ints([[bool(m) and role in m.keeps for role in ROLES] if m else [0, 0, 0] for m in memories]),
            whole_bits=self._widths(partial=False),
            partial_bits=self._widths(partial=True),
            read_bw=_floats([m.read_bandwidth_bits_per_s * per_cycle if m else math.inf for m in memories]),
            write_bw=_floats([m.write_bandwidth_bits_per_s * per_cycle if m else math.inf for m in memories]),
            shared_port=_ints([bool(m and m.shared_port) for m in memories]),
            double_buffered=_ints([bool(m and m.double_buffered) for m in memories]),
            read_energy=_floats([m.read_energy_j_per_bit if m else 0.0 for m in memories]),
            write_energy=_floats([m.write_energy_j_per_bit if m else 0.0 for m in memories]),
            multicast=_ints([[bool(a) and role in a.multicast for role in ROLES] if a else [0, 0, 0] for a in spatial]),
            reduces=_ints([bool(a and a.reduces) for a in spatial]),
            hop_energy=self._hop_energy(),
            ranks=self._ranks(),
            relevant=_ints([[dim in op.tensor(role).dims for dim in self.dims] for role in ROLES]).reshape(3, -1),
            output_words=float(op.words("output")),
            macs=float(op.macs),
            compute_energy=op.macs * accelerator.compute.energy_j,
            leakage_per_cycle=accelerator.leakage_w * per_cycle,
            pipeline=float(accelerator.compute.pipeline_cycles),
        )

    def _widths(self, *, partial: bool) -> F64:
        rows = []
        for level in self.places:
            if not isinstance(level, Memory):
                rows.append([0.0, 0.0, 0.0])
                continue
            row = [float(level.bits(role, self.op.tensor(role).bits)) for role in ROLES]
            row[2] = float(output_bits(self.op, self.accelerator, level, partial=partial))
            rows.append(row)
        return _floats(rows)

    def _hop_energy(self) -> F64:
        widths = [float(self.op.tensor(role).bits) for role in ROLES]
        widths[2] = max(widths[2], float(self.accelerator.compute.accumulator_bits))
        rows = [[w * a.hop_energy_j_per_bit if isinstance(a, Array) else 0.0 for w in widths] for a in self.places]
        return _floats(rows)

    def _ranks(self) -> I64:
        """[3, R, 4] with the dimensions of bound 1 dropped."""
        rows = [self._rank_rows(tensor) for tensor in self.op.tensors]
        longest = max(len(row) for row in rows) + 1
        return _ints([row + [[-1, -1, -1, -1]] * (longest - len(row)) for row in rows])

    def _rank_rows(self, tensor: Tensor) -> list[list[int]]:
        rows = []
        for rank in tensor.ranks:
            terms = [(self.dims.index(dim), scale) for dim, scale in rank.terms if dim in self.dims]
            if terms:
                rows.append([*terms[0], *(terms[1] if len(terms) == 2 else (-1, -1))])
        return rows

    def evaluate(self, factors: I64, order: I64, bypass: I64 | None = None, *, threads: int = 1) -> F64:
        """Energy (J), cycles and compute steps of a batch of mappings.

        ``factors`` [B, S, D] bounds, ``order`` [B, S, D] dimension numbers outer to inner (rows of memories count),
        ``bypass`` [B, P, 3] or None → [B, 3]. A mapping that does not fit has infinite energy.
        """
        from .kernel import evaluate_many

        if bypass is None:
            bypass = np.zeros((len(factors), len(self.places), 3), np.int64)
        return evaluate_many(self.arrays, factors, order, bypass, max(1, min(threads, len(factors))))

    def to_mapping(self, factors: I64, order: I64, bypass: I64 | None = None) -> Mapping:
        """The mapping that a pair of matrices [S, D] describes; loops of bound 1 are left out."""
        loops: list[list[Loop]] = [[] for _ in self.places]
        for s, slot in enumerate(self.slots):
            sequence = range(len(self.dims)) if slot.axis else order[s]
            loops[slot.place].extend(
                Loop(self.dims[d], int(factors[s, d]), slot.axis) for d in sequence if factors[s, d] > 1
            )
        levels = []
        for place, level in enumerate(self.places):
            skipped = () if bypass is None else (role for role, skip in zip(ROLES, bypass[place], strict=True) if skip)
            levels.append(LevelMapping(level.name, tuple(loops[place]), frozenset(skipped)))
        return Mapping(tuple(levels))

    def from_mapping(self, mapping: Mapping) -> tuple[I64, I64, I64]:
        """(factors [S, D], order [S, D], bypass [P, 3]) of a mapping that names each dimension once per slot.

        Raises `BadInput` for one that splits a dimension within a slot; only the reference model takes those.
        """
        factors = np.ones((len(self.slots), len(self.dims)), np.int64)
        order = np.tile(np.arange(len(self.dims)), (len(self.slots), 1))
        bypass = np.zeros((len(self.places), 3), np.int64)
        for s, slot in enumerate(self.slots):
            level = mapping.levels[slot.place]
            mine = [loop for loop in level.loops if loop.axis == slot.axis and loop.bound > 1]
            names = [self.dims.index(loop.dim) for loop in mine]
            if len(set(names)) != len(names) or (slot.axis and names != sorted(names)):
                raise BadInput(f"{level.level}: bulk evaluation takes each dimension once per memory or axis, in order")
            for d, loop in zip(names, mine, strict=True):
                factors[s, d] = loop.bound
            order[s] = [*names, *(d for d in range(len(self.dims)) if d not in names)]
        for place, level in enumerate(mapping.levels):
            bypass[place] = [role in level.bypass for role in ROLES]
        return factors, order, bypass


def _ints(values: Sequence[object]) -> NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)


def _floats(values: Sequence[object]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
