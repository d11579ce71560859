"""The spatial side of the search: which factors the axes may have, and what they can bring at most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Array, Memory
from ...accel.clock import output_bits
from ...accel.sparsity import stored_bits
from ...errors import ImpossibleResult
from ...models.op import ROLES
from ..bounds import roofline
from ..mapspace import Mapspace
from ..objective import Objective

if TYPE_CHECKING:
    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]

__all__ = ["Axes"]


@dataclass(frozen=True)
class Axes:
    """The axes of all arrays, innermost first (A of them), as `enumerate_assignments` takes them."""

    slots: I64  # [A]
    places: I64  # [A]
    options: I64  # [O, D]
    first: I64  # [A + 1]
    free: I64  # [A, D]
    reach: F64  # [A + 1, 4]
    shares: I64  # [3 A, D]
    twins: I64  # [A]
    spent: F64  # [5]
    copied: F64  # [B, 3]

    @classmethod
    def of(cls, space: Mapspace, bypass: I64) -> Axes:
        """The axes of a mapspace whose tensors skip the memories in ``bypass`` [P, 3]."""
        problem = space.problem
        slots = space.spatial[::-1].copy()
        vectors = [_vectors(space, int(slot)) for slot in slots]
        places = np.asarray([problem.slots[slot].place for slot in slots], np.int64)
        keepers = _keepers(space, bypass)
        shares = np.zeros((3 * len(slots), len(problem.dims)), np.int64)
        reach, summing = np.ones((len(slots) + 1, 4)), 1
        for k in range(len(slots) - 1, -1, -1):
            level = problem.places[places[k]]
            reach[k, 0] = reach[k + 1, 0] * max(math.prod(row) for row in vectors[k])
            for r, role in enumerate(ROLES):
                alike = _alike(space, int(places[k]), r)
                most = max(math.prod(f for f, a in zip(row, alike, strict=True) if a) for row in vectors[k])
                sharing = isinstance(level, Array) and (level.reduces if role == "output" else role in level.multicast)
                if sharing and places[k] > keepers[r]:
                    shares[3 * k + r] = alike
                    reach[k, 1 + r] = reach[k + 1, 1 + r] * most
                else:
                    reach[k, 1 + r] = reach[k + 1, 1 + r]
                summing *= most if role == "output" and places[k] < keepers[r] else 1
        return cls(
            slots,
            places,
            np.asarray([row for rows in vectors for row in rows], np.int64).reshape(-1, len(problem.dims)),
            np.cumsum([0, *(len(rows) for rows in vectors)]).astype(np.int64),
            (space.fixed[slots] == 0).astype(np.int64),
            reach,
            shares,
            _twins(space, slots, vectors),
            _spent(space, keepers, summing) + _passing(space, bypass, keepers),
            _copied(space, bypass),
        )

    def factors(self, picks: I64, slots: int) -> I64:
        """[S, D] the factors of one row of picks; 1 in memories."""
        found = np.ones((slots, self.options.shape[1]), np.int64)
        found[self.slots] = self.options[picks]
        return found


def _vectors(space: Mapspace, slot: int) -> list[tuple[int, ...]]:
    """All factors along one axis, the largest products first."""
    found: list[tuple[tuple[int, ...], int]] = [((), int(space.extents[slot]))]
    for d, bound in enumerate(space.bounds):
        fixed = int(space.fixed[slot, d])
        found = [
            ((*row, factor), room // factor)
            for row, room in found
            for factor in ([fixed] if fixed else range(1, min(room, int(bound)) + 1))
            if factor <= room
        ]
    return sorted((row for row, _ in found), key=lambda row: (-math.prod(row), row))


def _twins(space: Mapspace, slots: I64, vectors: list[list[tuple[int, ...]]]) -> I64:
    """[A] 1 where an axis may be exchanged with the one before it: of one array, with the same choices."""
    found = np.zeros(len(slots), np.int64)
    for k in range(1, len(slots)):
        one, other = space.problem.slots[slots[k]], space.problem.slots[slots[k - 1]]
        same = (space.fixed[slots[k]] == space.fixed[slots[k - 1]]).all()
        found[k] = one.place == other.place and vectors[k] == vectors[k - 1] and same
    return found


def _alike(space: Mapspace, place: int, role: int) -> I64:
    """[D] 1 where instances along a dimension of the array at ``place`` may want the same words of a tensor.

    They do in dimensions that it lacks, and along the diagonals of a window if the array spreads both its dimensions.
    """
    found = np.asarray(space.problem.relevance[role] == 0, np.int64)
    mine = [s for s, slot in enumerate(space.problem.slots) if slot.place == place]
    here: NDArray[np.bool_] = np.asarray(space.allowed[mine].sum(axis=0) > 0)
    for rank in space.op.tensors[role].ranks:
        pair = [space.problem.dims.index(dim) for dim, _ in rank.terms if dim in space.problem.dims]
        if len(pair) > 1 and here[pair].all():
            found[pair] = 1
    return found


def _keepers(space: Mapspace, bypass: I64) -> list[int]:
    """The place of each tensor's innermost memory."""
    return [
        max(
            p
            for p, level in enumerate(space.problem.places)
            if isinstance(level, Memory) and role in level.keeps and not bypass[p, r]
        )
        for r, role in enumerate(ROLES)
    ]


def _memory(space: Mapspace, place: int) -> Memory:
    level = space.problem.places[place]
    if not isinstance(level, Memory):
        raise ImpossibleResult(f"{level.name} keeps a tensor, but is no memory")
    return level


def _passing(space: Mapspace, bypass: I64, keepers: list[int]) -> F64:
    """[5] J, in the first entry, of what passes memories and arrays on its way at least once."""
    found, op, places = np.zeros(5), space.op, space.problem.places
    arrays = [p for p, level in enumerate(places) if isinstance(level, Array)]
    wide = space.accelerator.compute.accumulator_bits
    for r, role in enumerate(ROLES):
        words, bits = op.words(role), op.tensor(role).bits
        travelling = max(bits, wide) if role == "output" else bits
        for p, level in enumerate(places):
            if isinstance(level, Array):
                # every multiplier's word passes the innermost array, none being shared before it
                # of which skipped and gated ones do not
                passing = float(op.macs if p == arrays[-1] > keepers[r] else words)
                if p > keepers[r]:
                    passing *= space.problem.savings.used(_memory(space, keepers[r]), role)
                found[0] += passing * travelling * level.hop_energy_j_per_bit
            elif isinstance(level, Memory) and p and p < keepers[r] and role in level.keeps and not bypass[p, r]:
                per_bit = level.write_energy_j_per_bit if role == "output" else level.read_energy_j_per_bit
                found[0] += words * stored_bits(level, op, role) * per_bit
    return found


def _copied(space: Mapspace, bypass: I64) -> F64:
    """[B, 3] each memory's place and tensor, and J that every copy of the tensor costs there at least."""
    rows = []
    for p, level in enumerate(space.problem.places):
        if not isinstance(level, Memory):
            continue
        for r, role in enumerate(ROLES):
            if level is space.accelerator.keeper(role):  # which nothing comes into
                continue
            if role in level.keeps - level.resident and not bypass[p, r]:
                per_bit = level.read_energy_j_per_bit if role == "output" else level.write_energy_j_per_bit
                bits = stored_bits(level, space.op, role)
                rows.append((p, r, space.op.words(role) * bits * per_bit))
    return np.asarray(rows, np.float64).reshape(-1, 3)


def _spent(space: Mapspace, keepers: list[int], summing: int) -> F64:
    """[5] J that any mapping takes, J of the multipliers' words of each tensor were none shared, cycles of any mapping.

    ``summing``: most instances of the outputs' innermost memory that can hold shares of one sum.
    """
    op, accelerator = space.op, space.accelerator
    found = np.zeros(5)
    savings = space.problem.savings
    least = roofline(op, accelerator, Objective.parse("latency")) * accelerator.clock_hz * (1.0 - 1e-9)
    found[4] = max(savings.least_time, least)
    outermost = accelerator.memories[0]
    found[0] = op.macs * accelerator.compute.energy_j * savings.computed
    for r, role in enumerate(ROLES):
        level = space.problem.places[keepers[r]]
        if not isinstance(level, Memory):
            continue
        words, bits = op.words(role), stored_bits(outermost, op, role)
        if level is not outermost and role in outermost.keeps:
            per_bit = outermost.write_energy_j_per_bit if role == "output" else outermost.read_energy_j_per_bit
            found[0] += words * bits * per_bit
        used = savings.used(level, role)
        if role == "output":
            wide = output_bits(op, accelerator, level, partial=True)
            # the first update of a sum reads nothing, and its last may write fewer bits
            found[3] = used * op.macs * wide * (level.read_energy_j_per_bit + level.write_energy_j_per_bit)
            found[0] -= used * words * wide * (level.read_energy_j_per_bit * summing + level.write_energy_j_per_bit)
        else:
            found[1 + r] = used * op.macs * stored_bits(level, op, role) * level.read_energy_j_per_bit
    return found
