"""Zeros drawn at random: how long each step takes on an accelerator that skips them.

The density of each leading operand's tile is drawn from what its pattern of zeros allows. Steps are taken in windows,
after which instances wait for each other, so that each lasts as long as the slowest of them, whose steps are drawn in
turn; a window may span several tiles. The means over many are those of `dovetail.accel.skipping`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...models.op import Role
from ..clock import units
from ..skipping import Savings
from .plan import TilePlan

__all__ = ["with_drawn_zeros"]

F64 = NDArray[np.float64]
_APIECE = 32  # windows of a group that are drawn one by one; more are normally distributed together
_GRID = 33


def with_drawn_zeros(plan: TilePlan, rng: np.random.Generator) -> TilePlan:
    """The plan with every step's cycles drawn; the plan itself where no zero can be skipped."""
    savings = Savings(plan.op, plan.accelerator)
    if savings.steps >= 1.0:
        return plan
    taken = {role: _taken(plan, savings, role, rng) for role in sorted(savings.leaders)}
    every, own = np.ones(plan.count), np.ones(plan.count)
    for role, shares in taken.items():
        if role in savings.common:
            every *= shares
        else:
            own *= shares
    group = _windows(savings, plan)
    iterations = np.bincount(group, weights=plan.iterations).astype(np.float64)
    mean = np.minimum(1.0, np.bincount(group, weights=plan.iterations * own) / iterations)
    slowest = _slowest(savings, mean, iterations, units(plan.nest), rng)
    shares = np.maximum(every * slowest[group], _scanned(savings, taken, plan.count))
    least = np.maximum(shares + plan.halted, plan.inner)
    return replace(plan, cycles=np.multiply(plan.iterations, least, dtype=np.float64))


def _windows(savings: Savings, plan: TilePlan) -> NDArray[np.int64]:
    """[steps] number of the group of steps whose windows are drawn together: those that begin in one window."""
    skipping = savings.accelerator.compute.skipping
    if skipping is None or not skipping.window:
        return np.arange(plan.count)
    begun = np.cumsum(plan.iterations) - plan.iterations
    found: NDArray[np.int64] = np.unique(begun // skipping.window, return_inverse=True)[1]
    return found


def _taken(plan: TilePlan, savings: Savings, role: Role, rng: np.random.Generator) -> F64:
    """[steps] share of them that the operand's zeros leave over, by the density of its tile then in use."""
    mean = savings.taken(role)
    streams = [stream for stream in plan.streams if stream.role == role]
    if mean >= 1.0 or not streams:
        return np.full(plan.count, mean)
    inmost = max(streams, key=lambda stream: stream.child)
    extents = {dim: size for dim, size in plan.nest.tile(inmost.child).items() if dim in plan.op.tensor(role).dims}
    occupancy = plan.op.occupancy(role, extents, ends=True)
    drawn = occupancy.draw(rng, inmost.count) / occupancy.expected
    tile = np.searchsorted(inmost.first_step, np.arange(plan.count), side="right") - 1
    return np.minimum(1.0, mean * drawn[np.maximum(tile, 0)])


def _scanned(savings: Savings, taken: dict[Role, F64], size: int) -> F64:
    skipping = savings.accelerator.compute.skipping
    if skipping is None or not skipping.scan:
        return np.zeros(size)
    return np.asarray(math.prod(taken[role] for role in sorted(skipping.scan)) / skipping.scan_rate)


def _slowest(savings: Savings, chance: F64, iterations: F64, instances: int, rng: np.random.Generator) -> F64:
    """[groups] share of the steps that the slowest instance takes, window by window."""
    skipping = savings.accelerator.compute.skipping
    if skipping is None or not skipping.window or skipping.structured:
        return chance
    if skipping.queue:
        return np.minimum(1.0, chance * savings.behind)
    windows = np.ceil(iterations / skipping.window)
    whole, last = np.maximum(windows - 1.0, 0.0), iterations - np.maximum(windows - 1.0, 0.0) * skipping.window
    total = np.zeros(len(chance))
    few = whole <= _APIECE
    for number in range(int(whole[few].max(initial=0.0))):
        here = few & (whole > number)
        size = np.full(int(here.sum()), skipping.window)
        total[here] += _most(chance[here], size, instances, rng)
    many = ~few
    if many.any():
        total[many] += _sums(chance[many], whole[many], skipping.window, instances, rng)
    total += _most(chance, last, instances, rng)
    return np.asarray(total / iterations)


def _most(chance: F64, steps: F64 | NDArray[np.int64], instances: int, rng: np.random.Generator) -> F64:
    """Most of ``steps`` that one of the instances takes, drawn: the largest of n draws has the law Fⁿ."""
    from scipy.stats import binom

    tail = -np.expm1(np.log1p(-rng.random(len(chance))) / instances)
    return np.asarray(np.clip(binom.isf(tail, steps, chance), 0.0, steps), np.float64)


def _sums(chance: F64, windows: F64, window: int, instances: int, rng: np.random.Generator) -> F64:
    """The steps of so many windows together: normal, with the mean and the variance of one from its exact law."""
    grid = np.linspace(chance.min(), chance.max(), _GRID if chance.min() < chance.max() else 1)
    means, spreads = np.array([_moments(share, window, instances) for share in grid]).T
    mean, spread = np.interp(chance, grid, means), np.interp(chance, grid, spreads)
    drawn = windows * mean + np.sqrt(windows) * spread * rng.standard_normal(len(chance))
    return np.asarray(np.clip(drawn, 0.0, windows * window))


def _moments(chance: float, window: int, instances: int) -> tuple[float, float]:
    """Mean and standard deviation of the most steps of a window that one of the instances takes."""
    from scipy.stats import binom

    steps = np.arange(window + 1)
    law = np.diff(np.exp(instances * binom.logcdf(steps, window, chance)), prepend=0.0)
    mean = float(law @ steps)
    return mean, math.sqrt(max(0.0, float(law @ (steps - mean) ** 2)))
