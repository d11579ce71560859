"""NVDLA's own way to tile a layer: the smaller operand stays in the convolution buffer, the other streams past it.

After NVIDIA's performance sheet (NVDLA_OpenSource_Performance.xlsx of github.com/nvdla/hw) and the primer's section
"What are the number of MAC units": a filter's input channels are never split; of the operand that streams, at least the
inputs of one row of outputs or one group of kernels are in the buffer beside what stays; where the operand that stays
does not fit, it comes in parts and the other is read once for each. Nothing is searched.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from ..accel.accelerator import Accelerator, Array, Memory
from ..accel.analytic import evaluate
from ..accel.mapping import LevelMapping, Loop, Mapping
from ..errors import BadInput, Infeasible
from ..models.op import Op, Role
from .base import UNLIMITED, Certificate, Limits, MappingResult
from .bounds import roofline
from .execution import extension
from .mapspace import Mapspace
from .objective import Objective

__all__ = ["NvdlaRule"]

KERNEL_GROUP = 32  # kernels fetched together: one group of 8-bit weights in memory, nvdla.org/hw/format.html
_REDUCED = ("C", "R", "S")
_PLACED = ("N", "P", "Q")


@dataclass(frozen=True)
class _Core:
    """The levels the rule speaks of, by place among memories and arrays."""

    above: int
    buffer: int
    accumulator: int
    array: int
    register: int
    places: tuple[Memory | Array, ...]

    @classmethod
    def of(cls, accelerator: Accelerator) -> _Core:
        """Raises `BadInput` for an accelerator that is built differently."""
        places = tuple(level for level in accelerator.levels if isinstance(level, Memory | Array))
        arrays = [at for at, level in enumerate(places) if isinstance(level, Array)]
        kept = [level.keeps if isinstance(level, Memory) else frozenset() for level in places]
        buffers = [at for at, keeps in enumerate(kept) if at and keeps == {"input", "weight"}]
        sums = [at for at, keeps in enumerate(kept) if keeps == {"output"} and at - 1 in buffers]
        weights = [at for at, keeps in enumerate(kept) if keeps == {"weight"} and at - 1 in arrays]
        if [len(found) for found in (arrays, buffers, sums, weights)] != [1, 1, 1, 1] or sums[0] + 1 != arrays[0]:
            raise BadInput(
                f"mapper 'nvdla': '{accelerator.name}' is no convolution core of a buffer for inputs and weights, an "
                "accumulator, an array and weight registers; use another mapper"
            )
        return cls(buffers[0] - 1, buffers[0], sums[0], arrays[0], weights[0], places)


class NvdlaRule:
    """One mapping by rule, whatever the objective; ``mapper="nvdla"``."""

    name: ClassVar[str] = "nvdla"
    version: ClassVar[int] = 1

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even the smallest tiles fit the convolution buffer."""
        begin, op, accelerator = time.perf_counter(), space.op, space.accelerator
        mapping = _Tiling(op, accelerator).mapping()
        cost = evaluate(op, accelerator, mapping)
        found = objective.value(cost.energy_j, cost.latency_s)
        bound = min(found, roofline(op, accelerator, objective))
        return MappingResult(mapping, cost, Certificate(found, bound, 1, 0, time.perf_counter() - begin))


class _Tiling:
    """Tile sizes of one operator: ``rows`` of outputs and ``kernels`` in the buffer at a time."""

    def __init__(self, op: Op, accelerator: Accelerator) -> None:
        unknown = [dim for dim, bound in op.dims if bound > 1 and dim not in ("G", "K", *_REDUCED, *_PLACED)]
        if unknown:
            raise BadInput(f"mapper 'nvdla': {op.name} has dimensions {unknown}; use another mapper")
        self.op, self.accelerator, self.core = op, accelerator, _Core.of(accelerator)
        self.bounds = {dim: op.bounds.get(dim, 1) for dim in ("N", "G", "K", "C", "P", "Q", "R", "S")}
        # Linear layers have samples where convolutions have rows.
        self.row = "P" if self.bounds["P"] > 1 or self.bounds["Q"] > 1 else "N"
        self.extended = extension(op) if accelerator.compute.channel_extension else (1.0, 1.0)
        self.spread = self._spread()
        self.stripe = self._stripe()

    def mapping(self) -> Mapping:
        """The loops of every level."""
        stays: Role = "weight" if self._bits("weight") <= self._bits("input") else "input"
        rows, kernels = self._weights_stay() if stays == "weight" else self._inputs_stay()
        parts, strips = -(-self.bounds["K"] // kernels), -(-self.bounds[self.row] // rows)
        outside = [Loop("G", self.bounds["G"])]
        outside += [Loop("N", self.bounds["N"])] if self.row != "N" else []
        streams, kept = (self.row, strips), ("K", parts)
        outside += [Loop(*kept), Loop(*streams)] if stays == "weight" else [Loop(*streams), Loop(*kept)]
        columns = min(self.bounds["Q"], self.stripe)
        columns = -(-self.bounds["Q"] // -(-self.bounds["Q"] // columns))
        most = max(1, min(rows, self.stripe // columns))
        deep = next(deep for deep in range(most, 0, -1) if self._fits(-(-rows // deep) * deep, kernels))
        across = self.spread["K"]
        loops: dict[int, list[Loop]] = {
            self.core.above: outside,
            self.core.buffer: [
                Loop("K", -(-kernels // across)), Loop(self.row, -(-rows // deep)),
                Loop("Q", -(-self.bounds["Q"] // columns)),
            ],
            self.core.accumulator: [Loop(dim, -(-self.bounds[dim] // self.spread[dim])) for dim in _REDUCED],
            self.core.register: [Loop(self.row, deep), Loop("Q", columns)],
        }  # fmt: skip
        return Mapping(
            tuple(
                LevelMapping(level.name, self._lanes(level) if isinstance(level, Array) else _kept(loops.get(at, [])))
                for at, level in enumerate(self.core.places)
            )
        )

    def _weights_stay(self) -> tuple[int, int]:
        """(rows, kernels): as many kernels at a time as leave room for one row, and rows for one stripe."""
        for parts in range(1, self.bounds["K"] + 1):
            kernels = self._whole(-(-self.bounds["K"] // parts))
            if self._fits(1, kernels):
                wanted = min(self.bounds[self.row], max(1, self.stripe // self.bounds["Q"]))
                rows = next(rows for rows in range(wanted, 0, -1) if self._fits(rows, kernels))
                return rows, kernels
        raise self._too_small(1, 1)

    def _inputs_stay(self) -> tuple[int, int]:
        """(rows, kernels): as many rows at a time as leave room for a group of kernels, a smaller one if need be."""
        group = self._whole(min(KERNEL_GROUP, self.bounds["K"]))
        while group > 1 and not self._fits(1, group):
            group //= 2
        for strips in range(1, self.bounds[self.row] + 1):
            rows = -(-self.bounds[self.row] // strips)
            if self._fits(rows, group):
                return rows, group
        raise self._too_small(1, group)

    def _whole(self, kernels: int) -> int:
        """Kernels rounded up to what the array works on at once."""
        return min(self.bounds["K"], -(-kernels // self.spread["K"]) * self.spread["K"])

    def _fits(self, rows: int, kernels: int) -> bool:
        return self._need(rows, kernels) <= self._buffer.room_bits

    def _need(self, rows: int, kernels: int) -> float:
        return self._bits("input", **{self.row: rows}) + self._bits("weight", K=kernels)

    def _bits(self, role: Role, **extents: int) -> float:
        """Bits of a tensor, or of a tile of it, as laid out in memory: of one group of channels, one sample."""
        tensor, one = self.op.tensor(role), {"G": 1} | ({"N": 1} if self.row != "N" else {})
        words = tensor.words({**self.bounds, **one, **extents})
        return words * tensor.bits * (self.extended[1] if role == "input" else self.extended[0])

    @property
    def _buffer(self) -> Memory:
        level = self.core.places[self.core.buffer]
        if not isinstance(level, Memory):
            raise BadInput(f"{level.name} is no memory")
        return level

    def _too_small(self, rows: int, kernels: int) -> Infeasible:
        room, need = self._buffer.room_bits, self._need(rows, kernels)
        missing = int(need - room) // 8 + 1
        return Infeasible(
            f"{self.op.name}: {self._buffer.name} of '{self.accelerator.name}' holds {room:.0f} bit, a row of outputs "
            f"needs {need:.0f}: {missing} words too many",
            level=self._buffer.name,
            missing_words=missing,
        )

    def _spread(self) -> dict[str, int]:
        """How many of each dimension the array works on at once, all axes together."""
        return {dim: max(1, self._along(dim)) for dim in ("K", *_REDUCED)}

    def _along(self, dim: str) -> int:
        found = 1
        for loop in self._lanes(self.core.places[self.core.array]):
            found *= loop.bound if loop.dim == dim else 1
        return found

    def _lanes(self, level: Memory | Array) -> tuple[Loop, ...]:
        """Kernels along one axis; along the other channels, where they leave room a filter's columns, then 2 or 4 rows.

        That is image input with channel post-extension: nvdla.org/hw/v1/ias/unit_description.html, "Convolution DMA".
        """
        loops = []
        for axis, size in level.shape if isinstance(level, Array) else ():
            full = True
            for dim in ("K", "C", "S", "R"):
                if not (isinstance(level, Array) and level.allows(axis, dim) and full):
                    continue
                lanes = min(self.bounds[dim], size)
                if dim == "R":
                    lanes = next((rows for rows in (4, 2) if rows <= lanes), 1)
                full = lanes == self.bounds[dim]
                size //= lanes
                if lanes > 1:
                    loops.append(Loop(dim, lanes, axis))
        return tuple(loops)

    def _stripe(self) -> int:
        """Output positions whose sums the accumulator holds at once for the kernels at work."""
        level = self.core.places[self.core.accumulator]
        if not isinstance(level, Memory):
            raise BadInput(f"{level.name} is no memory")
        word = level.bits("output", max(self.accelerator.compute.accumulator_bits, self.op.tensor("output").bits))
        return max(1, int(level.room_bits // (word * self.spread["K"])))


def _kept(loops: list[Loop]) -> tuple[Loop, ...]:
    return tuple(loop for loop in loops if loop.bound > 1)
