"""Arrays for the compiled model: from an operator, an accelerator and mappings to costs in bulk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..models.op import ROLES, Op, Tensor
from .accelerator import Accelerator, Array, Memory
from .clock import output_bits
from .mapping import LevelMapping, Loop, Mapping
from .skipping import Savings
from .sparsity import kept_bits, stored_bits

if TYPE_CHECKING:
    from .kernel_nest import F64, I64, ProblemArrays

__all__ = ["MAX_DIMS", "MAX_PLACES", "MAX_SLOTS", "MAX_WINDOW", "Problem", "Slot"]

MAX_DIMS, MAX_PLACES, MAX_SLOTS, MAX_WINDOW = 12, 40, 60, 4096  # what the compiled model has room for
_CHUNK = 4096  # rows given to the compiled model at a time, which share one array of no bypasses


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
        self.op, self.accelerator, self.savings = op, accelerator, Savings(op, accelerator)
        self.places = tuple(level for level in accelerator.levels if isinstance(level, Memory | Array))
        self.dims = tuple(dim for dim, bound in op.dims if bound > 1)
        self.slots = tuple(
            slot
            for place, level in enumerate(self.places)
            for slot in (
                [Slot(place, axis, size) for axis, size in level.shape] if isinstance(level, Array) else [Slot(place)]
            )
        )
        for count, most, what in (
            (len(self.places), MAX_PLACES, "levels"),
            (len(self.slots), MAX_SLOTS, "memories and array axes"),
            (len(self.dims), MAX_DIMS, "dimensions"),
            (len(self.savings.logs), MAX_WINDOW, "steps in a window"),
        ):
            if count > most:
                raise BadInput(
                    f"{op.name} on '{accelerator.name}': {count} {what}; at most {most} can be evaluated in bulk"
                )

    @cached_property
    def arrays(self) -> ProblemArrays:
        """What the compiled model reads."""
        from . import kernel_nest as columns

        record = np.zeros(1, columns.PROBLEM)[0]
        record["n_dims"], record["n_slots"], record["n_places"] = len(self.dims), len(self.slots), len(self.places)
        self._put_hardware(record, ())
        ranks = self._ranks()
        record["n_ranks"] = ranks.shape[1]
        record["ranks"][:, : ranks.shape[1]] = ranks
        record["windows"] = [sum(row[2] >= 0 for row in rows) for rows in ranks]
        singles = [[row[0] for row in rows if row[0] >= 0 > row[2]] for rows in ranks]
        pairs = [[dim for row in rows if row[2] >= 0 for dim in (row[0], row[2])] for rows in ranks]
        bounds = [float(self.op.bounds[dim]) for dim in self.dims]
        for role, (single, pair) in enumerate(zip(singles, pairs, strict=True)):
            own = single + pair
            apart = [dim for dim in range(len(self.dims)) if dim not in own]
            record["regular"][role] = len(set(own)) == len(own)
            record["singles"][role] = math.prod(bounds[dim] for dim in single)
            record["asked"][role] = math.prod(bounds[dim] for dim in own + apart)
        record["bounds"][: len(self.dims)] = [self.op.bounds[dim] for dim in self.dims]
        record["slots"][: len(self.slots)] = [[slot.place, bool(slot.axis)] for slot in self.slots]
        record["relevant"][:, : len(self.dims)] = relevant = self.relevance
        record["summed"][: len(self.dims)] = np.where(relevant[columns.OUTPUT] == columns.SINGLE, 0, -1)
        return cast("ProblemArrays", record)

    def on(self, accelerator: Accelerator) -> Problem:
        """The same operator on an accelerator whose levels have the same names and axes: what they share is not redone.

        Raises `BadInput` where the levels are others.
        """
        problem = Problem(self.op, accelerator)
        if [(s.place, s.axis) for s in problem.slots] != [(s.place, s.axis) for s in self.slots]:
            raise BadInput(f"'{accelerator.name}' has other memories and array axes than '{self.accelerator.name}'")
        record = cast("Any", self.arrays).copy()
        mine, other = self.accelerator, accelerator
        same = (mine.clock_hz, mine.compute) == (other.clock_hz, other.compute)
        dense = all(tensor.density >= 1.0 for tensor in self.op.tensors)
        problem._put_hardware(record, self.places if same and dense else ())
        problem.__dict__["arrays"] = record
        problem.__dict__["relevance"] = self.relevance
        return problem

    def _put_hardware(self, record: Any, known: Sequence[Memory | Array]) -> None:
        """Write what the accelerator decides; rows of levels that equal the ``known`` ones stand there already."""
        from . import kernel_nest as columns

        for place, level in enumerate(self.places):
            if place < len(known) and (level is known[place] or level == known[place]):
                continue
            ints, reals = record["ints"][place], record["reals"][place]
            ints[:], reals[:] = 0, 0.0
            reals[columns.ROOM : columns.WRITE_BW + 1] = math.inf
            if isinstance(level, Memory):
                self._put_memory(level, ints, reals)
            else:
                self._put_array(level, ints, reals)
        record["waits"] = bool(record["reals"][: len(self.places), columns.WAIT].any())
        record["scalars"] = self._scalars()
        record["window"] = len(self.savings.logs)
        record["chances"][: len(self.savings.logs)] = self.savings.logs

    def _put_memory(self, level: Memory, ints: I64, reals: F64) -> None:
        from . import kernel_nest as columns

        per_cycle = 1.0 / self.accelerator.clock_hz
        ints[columns.MEMORY], ints[columns.SHARED_PORT] = 1, level.shared_port
        ints[columns.DOUBLE_BUFFERED], ints[columns.REFETCH] = level.overlaps, level.refetch
        reals[columns.ROOM] = level.room_bits
        reals[columns.READ_BW] = level.read_bandwidth_bits_per_s * per_cycle
        reals[columns.WRITE_BW] = level.write_bandwidth_bits_per_s * per_cycle
        reals[columns.READ_J], reals[columns.WRITE_J] = level.read_energy_j_per_bit, level.write_energy_j_per_bit
        reals[columns.WAIT] = level.latency_cycles
        for at, role in enumerate(ROLES):
            ints[columns.KEEPS0 + at] = columns.RESIDENT if role in level.resident else role in level.keeps
            reals[columns.USED0 + at] = self.savings.used(level, role)
            reals[columns.PASSING0 + at] = self.savings.passing(level, role)
            reals[columns.KEPT0 + at] = kept_bits(level, self.op, role)
            reals[columns.WHOLE0 + at] = reals[columns.PARTIAL0 + at] = stored_bits(level, self.op, role)
        reals[columns.WHOLE0 + columns.OUTPUT] = output_bits(self.op, self.accelerator, level, partial=False)
        reals[columns.PARTIAL0 + columns.OUTPUT] = output_bits(self.op, self.accelerator, level, partial=True)

    def _put_array(self, level: Array, ints: I64, reals: F64) -> None:
        from . import kernel_nest as columns

        ints[columns.REDUCES], ints[columns.LOCKSTEP] = level.reduces, level.lockstep
        widths = [float(self.op.tensor(role).bits) for role in ROLES]
        widths[columns.OUTPUT] = max(widths[columns.OUTPUT], float(self.accelerator.compute.accumulator_bits))
        for at, role in enumerate(ROLES):
            ints[columns.MULTICAST0 + at] = role in level.multicast
            reals[columns.HOP0 + at] = widths[at] * level.hop_energy_j_per_bit
        if level.systolic and not level.systolic.overlapped:
            ints[columns.STATIONARY] = ROLES.index(level.systolic.stationary)
            reals[columns.WAIT] = level.systolic.overhead_cycles

    def _scalars(self) -> F64:
        """Output words, all multiplications (J), leakage and clock (J/cycle), pipeline and first passes (cycles).

        Then cycles per step.
        """
        op, accelerator, savings = self.op, self.accelerator, self.savings
        standing = accelerator.standing_w / accelerator.clock_hz
        passes = sum(array.systolic.overhead_cycles for array in accelerator.arrays if array.systolic)
        pipeline = accelerator.compute.pipeline_cycles + passes
        computing = op.macs * accelerator.compute.energy_j * savings.computed
        times = savings.least_time, savings.together, savings.scanned
        return _floats([op.words("output"), computing, standing, pipeline, *times])

    @cached_property
    def relevance(self) -> I64:
        """[3, D] how tensors depend on dimensions: not at all (0), by a rank of their own (1), in a window (2)."""
        from .kernel_nest import APART, SINGLE, WINDOW

        found = np.full((3, len(self.dims)), APART, np.int64)
        for role, tensor in enumerate(self.op.tensors):
            for row in self._rank_rows(tensor):
                for dim in (row[0], row[2]):
                    if dim >= 0 and found[role, dim] != SINGLE:
                        found[role, dim] = SINGLE if row[2] < 0 else WINDOW
        return found

    def _ranks(self) -> I64:
        """[3, R, 4] with the dimensions of bound 1 dropped; ranks of two dimensions come first."""
        rows = [sorted(self._rank_rows(tensor), key=lambda row: row[2] < 0) for tensor in self.op.tensors]
        longest = max(len(row) for row in rows) + 1
        return _ints([row + [[-1, -1, -1, -1]] * (longest - len(row)) for row in rows])

    def _rank_rows(self, tensor: Tensor) -> list[list[int]]:
        rows = []
        for rank in tensor.ranks:
            terms = [(self.dims.index(dim), scale) for dim, scale in rank.terms if dim in self.dims]
            divisor = math.gcd(*(scale for _, scale in terms))
            reduced = [(dim, scale // divisor) for dim, scale in terms]
            if reduced:
                rows.append([*reduced[0], *(reduced[1] if len(reduced) == 2 else (-1, -1))])
        return rows

    def evaluate(self, factors: I64, order: I64, bypass: I64 | None = None, *, threads: int = 1) -> F64:
        """Energy (J), cycles and compute steps of a batch of mappings.

        ``factors`` [B, S, D] bounds, ``order`` [B, S, D] dimension numbers outer to inner (rows of memories count),
        ``bypass`` [B, P, 3] or None → [B, 3]. A mapping that does not fit has infinite energy. Raises `BadInput` for
        arrays of other shapes; that factors cover their dimensions and orders name each once is the caller's part.
        """
        from .kernel import evaluate_many, evaluate_one
        from .kernel_nest import workspace

        factors, order = self._stack("factors", factors, len(factors)), self._stack("order", order, len(factors))
        bypass = None if bypass is None else self._stack("bypass", bypass, len(factors))

        result = np.empty((len(factors), 3), np.float64)
        edges = np.linspace(0, len(factors), max(1, min(threads, len(factors))) + 1).astype(int)
        nothing = np.zeros((min(_CHUNK, len(factors)), len(self.places), 3), np.int64)

        def part(begin: int, end: int) -> None:
            ws = workspace()
            for at in range(begin, end, _CHUNK):
                rows = slice(at, min(at + _CHUNK, end))
                skipped = nothing[: rows.stop - at] if bypass is None else bypass[rows]
                evaluate_many(evaluate_one, self.arrays, factors[rows], order[rows], skipped, ws, result[rows])

        if len(edges) == 2:
            part(0, len(factors))
        else:
            with ThreadPoolExecutor(len(edges) - 1) as pool:  # the compiled code releases the interpreter lock
                list(pool.map(part, edges[:-1], edges[1:]))
        return result

    def _stack(self, name: str, given: I64, count: int) -> I64:
        """``given`` as the compiled model reads it."""
        rows, columns = (len(self.places), 3) if name == "bypass" else (len(self.slots), len(self.dims))
        if np.shape(given) != (count, rows, columns):
            raise BadInput(
                f"{name}: {list(np.shape(given))} is not the shape of a batch of {self.op.name} on "
                f"'{self.accelerator.name}'; give [{count}, {rows}, {columns}]"
            )
        return np.ascontiguousarray(given, np.int64)

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
