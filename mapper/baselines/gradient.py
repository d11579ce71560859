"""Gradient descent on a differentiable model, after DOSA (Hong et al., MICRO 2023).

Parameters are the logarithms of the factors, many starts at once; each start has a loop order for every memory, made to
hold one tensor. Adam lowers the logarithm of the objective of `RelaxedModel` plus a penalty for tiles that exceed their
memories; after each step the parameters are projected onto what dimensions and arrays allow. Every so often they are
rounded into the space and costed exactly, orders and bypasses are chosen anew by exact cost, and the descent goes on
from there. Unlike DOSA's it takes no hardware sizes along; it can skip memories where the spec lets it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...accel.batch import MAX_SLOTS
from ..base import UNLIMITED, Limits, MappingResult
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import random_points, repair
from .common import Search, joined, picked
from .orders import best_of, costed, holding, reordered

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ...accel.relaxed import Relaxed, RelaxedModel

    I64 = NDArray[np.int64]
    F64 = NDArray[np.float64]
    Points = tuple[I64, I64, I64]

__all__ = ["GradientMapper"]

DRAWN = 8  # random points costed for each start that is kept
ROUNDINGS = (1.0, 0.8, 1.25)  # factors are rounded as they are, and somewhat smaller or larger
PENALTY = 2.0  # of a tile e times as large as its memory, on the logarithm of the objective
LEAST = 1e-100  # J and s; a spec may state no energy at all, which has no logarithm
PRESENT = 1.5  # a loop whose factor is nearer to 1 counts as absent, as rounding will make it


class GradientMapper:
    """Adam on log-factors from several starts, rounded and reordered ``rounds`` times; repeated while budget is left.

    One relaxed evaluation of one start counts as an evaluation, like an exact one. ``device`` is where the relaxed
    model runs; a GPU pays with thousands of ``starts``.
    """

    name: ClassVar[str] = "gradient"
    version: ClassVar[int] = 1

    def __init__(
        self,
        starts: int = 128,
        steps: int = 30,
        rounds: int = 4,
        rate: float = 0.15,
        device: str | torch.device = "cpu",
    ) -> None:
        self.starts, self.steps, self.rounds, self.rate, self.device = starts, steps, rounds, rate, device

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        from ...accel.relaxed import RelaxedModel

        search, rng = Search(space, objective, limits), np.random.default_rng(seed)
        if not space.problem.dims:
            return search.result()
        model = RelaxedModel(space.problem, self.device, PRESENT)
        while not search.over:
            points = _starts(search, max(1, min(self.starts, search.budget // 30)), rng)
            for _ in range(self.rounds):
                factors = self._descend(search, model, points)
                points = _settled(search, points, factors, rng)
        return search.result()

    def _descend(self, search: Search, model: RelaxedModel, points: Points) -> F64:
        """Real factors [b, S, D] after some steps of Adam from the points."""
        import torch

        logs = _Logs(search.space, self.device)
        order, bypass = torch.as_tensor(points[1], device=self.device), torch.as_tensor(points[2])
        inner = (torch.as_tensor(points[0], dtype=torch.float64, device=self.device).log() * logs.free).requires_grad_()
        optimizer = torch.optim.Adam([inner], lr=self.rate)
        for _ in range(self.steps):
            if search.over or search.budget - search.spent < 2 * len(inner):
                break
            cost = model.evaluate(logs.factors(inner), order, bypass)
            search.spent += len(inner)
            (inner.grad,) = torch.autograd.grad(_loss(cost, model, search).sum(), inner)
            optimizer.step()
            with torch.no_grad():
                inner.copy_(logs.projected(inner))
        with torch.no_grad():
            found: F64 = logs.factors(inner).cpu().numpy()
        return found


def _loss(cost: Relaxed, model: RelaxedModel, search: Search) -> Tensor:
    """[b] logarithm of the objective and what tiles exceed their memories by."""
    objective, latency_s = search.objective, cost.cycles / search.space.accelerator.clock_hz
    energy_j, latency_s = cost.energy_j.clamp(min=LEAST), latency_s.clamp(min=LEAST)
    if objective.form == "sum":
        loss = (objective.energy * energy_j + objective.latency * latency_s).log()
    else:
        loss = objective.energy * energy_j.log() + objective.latency * latency_s.log()
    for place, room in enumerate(model.room):
        if math.isfinite(room):
            loss = loss + PENALTY * (cost.bits[:, place] / room).clamp(min=1.0).log()
    return loss


class _Logs:
    """From free parameters to factors: the outermost open memory of a dimension makes up what the others leave."""

    def __init__(self, space: Mapspace, device: str | torch.device) -> None:
        import torch

        free = space.fixed == 0
        rest = np.zeros(free.shape, bool)
        for d in range(len(space.bounds)):
            slots = space.open_slots(d)
            if len(slots):
                rest[slots[0], d] = True
        fixed = np.log(np.maximum(space.fixed, 1))
        self.free = torch.as_tensor((free & ~rest).astype(float), device=device)  # [S, D]
        self.rest = torch.as_tensor(rest.astype(float), device=device)  # [S, D]
        self.fixed = torch.as_tensor(fixed, device=device)  # [S, D]
        bounds = np.maximum(np.log(space.bounds) - fixed.sum(0), 0.0)
        self.bounds = torch.as_tensor(bounds, device=device)  # [D]
        self.axes = [(int(s), max(0.0, math.log(space.extents[s]) - float(fixed[s].sum()))) for s in space.spatial]

    def factors(self, inner: Tensor) -> Tensor:
        """[b, S, D] factors of parameters within their limits."""
        left = (self.bounds - inner.sum(1)).clamp(min=0.0)
        return (self.fixed + inner + left[:, None] * self.rest).exp()

    def projected(self, inner: Tensor) -> Tensor:
        """The nearest parameters that arrays have room for, then the nearest that dimensions are long enough for."""
        import torch

        inner = inner.clamp(min=0.0) * self.free
        for s, room in self.axes:
            inner[:, s] = _onto_simplex(inner[:, s], torch.full_like(inner[:, s, 0], room))
        moved = inner.transpose(1, 2)
        return _onto_simplex(moved, self.bounds.expand(moved.shape[:2])).transpose(1, 2)


def _onto_simplex(values: Tensor, most: Tensor) -> Tensor:
    """Values [..., n] ≥ 0 moved to the nearest that sum to at most ``most`` [...]: each loses the same."""
    import torch

    falling = values.sort(-1, descending=True).values
    excess = (falling.cumsum(-1) - most[..., None]) / torch.arange(1, values.shape[-1] + 1, device=values.device)
    taken = excess.max(-1, keepdim=True).values.clamp(min=0.0)
    return (values - taken).clamp(min=0.0)


def _starts(search: Search, count: int, rng: np.random.Generator) -> Points:
    """The best of some random points, each with one tensor held at every memory."""
    points = random_points(search.space, DRAWN * count, rng)
    roles = rng.integers(0, 3, (len(points[0]), MAX_SLOTS))
    for s in search.space.temporal:
        for role in range(3):
            rows = roles[:, s] == role
            points[1][rows, s] = holding(search.space, points[1][rows, s], role)
    points = repair(search.space, *points, rng)
    return picked(points, np.argsort(costed(search, points), kind="stable")[:count])


def _settled(search: Search, points: Points, factors: F64, rng: np.random.Generator) -> Points:
    """Points near the real factors, the best roundings, orders and bypasses by exact cost; never worse than before."""
    count = len(factors)
    tries = [(np.rint(factors * scale).astype(np.int64), points[1], points[2]) for scale in ROUNDINGS]
    rounded = repair(search.space, *joined(*tries), rng)
    best, costs = best_of(points, np.full(count, math.inf), rounded, costed(search, rounded))
    return reordered(search, best, costs, rng)
