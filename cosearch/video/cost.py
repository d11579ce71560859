"""What a frame costs on the array: a network mapped and simulated at several picture sizes, looked up by kept area.

Kept tiles are computed as if packed into a smaller picture. The network is therefore mapped for pictures of a few
shares of the whole one, and each operator's time and energy are taken linearly in between: weights are fetched whole
however small the area is. What an operator has to compute is the cells of its own output that overlap a kept tile and
those its window reaches around them, a·(1 + halo) of them; deep layers with coarse cells compute more than shallow
ones. Tiles gathered and scattered per operator: Ren et al., "SBNet: sparse blocks network", CVPR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...accel.accelerator import Accelerator, Array, Compute, Level, Memory
from ...accel.simulator.checks import checked_number
from ...accel.vector import evaluate_vector
from ...errors import BadInput
from ...mapper.estimate import estimate
from ...mapper.serving import profile
from ...mapper.simulation import Settings, simulate_estimates
from ...models.network import Network
from ...models.op import Op, VectorOp
from .grids import grown, onto

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

__all__ = ["SHARES", "ArrayCost", "NetworkOfSize", "Work", "array_cost", "fetch_cost", "pass_cost", "without_sparsity"]

NetworkOfSize = Callable[[int, int], Network]
SHARES = (1.0, 0.5, 0.25, 0.125, 0.0625)  # of the picture, for which the network is mapped


@dataclass(frozen=True)
class Work:
    """Seconds and dynamic joules."""

    seconds: float = 0.0
    energy_j: float = 0.0


@dataclass(frozen=True)
class _Curve:
    """An operator's time and energy over the share of its output that is computed, both ascending."""

    name: str
    grid: tuple[int, int] | None  # None: computed whole, whatever is kept
    reach: int
    shares: tuple[float, ...]
    seconds: tuple[float, ...]
    joules: tuple[float, ...]

    def at(self, share: float) -> Work:
        """The cost of a share; below the smallest one mapped, that one's."""
        return Work(
            float(np.interp(share, self.shares, self.seconds)), float(np.interp(share, self.shares, self.joules))
        )


@dataclass(frozen=True)
class ArrayCost:
    """A network on an accelerator by kept area; ``picture`` is height × width in pixels."""

    network: str
    accelerator: str
    picture: tuple[int, int]
    curves: tuple[_Curve, ...]

    @property
    def whole(self) -> Work:
        """A frame that is computed everywhere."""
        return _sum(curve.at(1.0) for curve in self.curves)

    def of(self, tiles: Mask, tile: int) -> Work:
        """A frame of which these tiles of ``tile`` pixels are kept, [rows, columns]."""
        if tiles.all():
            return self.whole
        if not tiles.any():
            return Work()
        known: dict[tuple[tuple[int, int], int], float] = {}
        parts = []
        for curve in self.curves:
            if curve.grid is None:
                parts.append(curve.at(1.0))
                continue
            key = (curve.grid, curve.reach)
            if key not in known:
                known[key] = float(grown(onto(tiles, tile, self.picture, curve.grid), curve.reach).mean())
            parts.append(curve.at(known[key]))
        return _sum(parts)


def _sum(parts: Iterable[Work]) -> Work:
    works = list(parts)
    return Work(math.fsum(one.seconds for one in works), math.fsum(one.energy_j for one in works))


def array_cost(
    network: NetworkOfSize, accelerator: Accelerator, picture: tuple[int, int], shares: Sequence[float] = SHARES,
    *, mapper: str = "optimal", objective: str = "edp",
) -> ArrayCost:  # fmt: skip
    """Map and simulate ``network(height, width)`` for each share of the picture's height.

    Raises `BadInput` for shares outside (0, 1] or without 1, `Infeasible` where a tile does not fit the accelerator.
    """
    for share in shares:
        checked_number(share, "share of the picture", maximum=1.0, positive=True, remedy="a share from 0 to 1")
    if 1.0 not in shares:
        raise BadInput("shares of the picture: the whole one, 1, has to be among them")
    height, width = picture
    whole = network(height, width)
    found: dict[str, list[tuple[float, Work]]] = {}
    for share in sorted(set(shares)):
        part = whole if share == 1.0 else network(math.ceil(height * share), width)
        estimated = estimate(part, accelerator, mapper, objective)
        stages = profile(estimated, simulate_estimates([estimated], Settings())).stages
        ratios = {op.name: _amount(op) / _amount(full) for op, full in zip(part.ops, whole.ops, strict=True)}
        for stage in stages:
            found.setdefault(stage.name, []).append((ratios[stage.name], Work(stage.mean_s, stage.energy_j)))
    grids = _grids(whole)
    curves = [
        _Curve(
            name, *grids[name], tuple(share for share, _ in points), tuple(work.seconds for _, work in points),
            tuple(work.energy_j for _, work in points),
        )
        for name, points in found.items()
    ]  # fmt: skip
    return ArrayCost(whole.name, accelerator.name, picture, tuple(curves))


def _amount(op: Op | VectorOp) -> int:
    """What grows with the area."""
    return op.macs if isinstance(op, Op) else max(1, op.operations)


def _grids(network: Network) -> dict[str, tuple[tuple[int, int] | None, int]]:
    """By operator the cells of its output, and by how many of them its window reaches around a kept one."""
    grids: dict[str, tuple[tuple[int, int] | None, int]] = {}
    for layer in network:
        op = layer.op
        if isinstance(op, VectorOp):
            grids[op.name] = (grids[layer.inputs[0]][0] if layer.inputs else None, 0)
            continue
        bounds = op.bounds
        if "P" not in bounds or "Q" not in bounds:
            grids[op.name] = (None, 0)
            continue
        strides = [step for rank in op.tensor("input").ranks for dim, step in rank.terms if dim in ("P", "Q")]
        reach = max(bounds.get("R", 1), bounds.get("S", 1)) // 2
        grids[op.name] = ((bounds["P"], bounds["Q"]), -(-reach // max(strides)))
    return grids


def without_sparsity(accelerator: Accelerator) -> Accelerator:
    """The same accelerator with nothing that makes use of zeros: no gating, no skipping, no compression."""
    levels: list[Level] = []
    for level in accelerator.levels:
        if isinstance(level, Memory):
            levels.append(replace(level, compression={}, gating={}, skipping={}))
        elif isinstance(level, Compute):
            levels.append(replace(level, gating=frozenset(), skipping=None))
        else:
            levels.append(replace(level, lockstep=False) if isinstance(level, Array) else level)
    return replace(accelerator, name=f"{accelerator.name} without sparsity", levels=tuple(levels))


def pass_cost(name: str, accelerator: Accelerator, *, operations: float, read: float, written: float) -> Work:
    """A pass over so many words of 8 bits on a vector unit like the accelerator's, its standing powers left out."""
    op = VectorOp(name, name, math.ceil(operations), math.ceil(read), math.ceil(written))
    cost = evaluate_vector(op, accelerator)
    dynamic = [joules for (what, _), joules in cost.energy.items() if what not in ("leakage", "clock")]
    return Work(cost.latency_s, math.fsum(dynamic))


def fetch_cost(accelerator: Accelerator, bits: float) -> Work:
    """Bits written to the accelerator's outermost memory for its inputs, at that memory's bandwidth and energy."""
    memory = accelerator.keeper("input")
    rate = memory.read_bandwidth_bits_per_s if memory.shared_port else memory.write_bandwidth_bits_per_s
    return Work(bits / rate, bits * memory.write_energy_j_per_bit)
