"""Points of a mapspace in bulk, for heuristics: drawn at random, repaired, or the plainest one.

Batches are triples ``factors`` [B, S, D], ``order`` [B, S, D], ``bypass`` [B, P, 3] as `Problem.evaluate` takes them.
Every point returned satisfies `Mapspace.contains`; whether tiles fit their memories only the cost model says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..accel.accelerator import Memory
from .mapspace import Mapspace
from .space_size import divisors, prime_factors

if TYPE_CHECKING:
    I64 = NDArray[np.int64]
    F64 = NDArray[np.float64]
    Score = Callable[[int, I64], F64]  # of a dimension's choices [n], for some rows [r] of the batch: [r, n]

__all__ = ["everything_outside", "random_points", "repair"]

_CELLS = 1 << 21  # entries of a temporary [rows, choices] table
_FULLNESS = (0.0, 0.0, 1.0, 4.0)  # how strongly a point prefers full arrays; one of these each


def random_points(
    space: Mapspace, count: int, rng: np.random.Generator, outermost_bias: float = 0.3
) -> tuple[I64, I64, I64]:
    """``count`` points drawn from the whole space, those with full arrays and small inner tiles more often.

    A prime of the passes stays in the outermost memory with probability ``outermost_bias``, otherwise it goes to a
    memory (the outermost among them) in proportion to a random weight that grows with the memory's size.
    """
    factors = np.ones((count, *space.fixed.shape), np.int64)
    factors[:, space.spatial] = _draw_axes(space, count, rng)
    left = _left(space, factors)
    weights = _slot_weights(space, count, rng, outermost_bias)
    for d in range(len(space.bounds)):
        slots = space.open_slots(d)
        factors[:, space.temporal, d] = np.maximum(space.fixed[space.temporal, d], 1)
        if len(slots):
            chances = weights[:, np.searchsorted(space.temporal, slots)]
            split = _split_loosely if space.constraints.imperfect == "all" else _split_primes
            factors[:, slots, d] = split(left[:, d], chances, rng)
    order = _legal_order(space, rng.permuted(np.tile(np.arange(len(space.bounds)), (*factors.shape[:2], 1)), axis=2))
    bypass = rng.integers(0, 2, (count, *space.may_bypass.shape)) * space.may_bypass
    return factors, order, bypass


def repair(space: Mapspace, factors: I64, order: I64, bypass: I64, rng: np.random.Generator) -> tuple[I64, I64, I64]:
    """Members of the space near a batch of proposals; members are returned as they are.

    Factors on arrays become the nearest allowed tuple that fits beside the others (in random order of dimensions).
    In time, inner memories keep what they can of their factors, from the innermost outwards, and never get more than
    proposed; the outermost open one makes up the rest. Orders are sorted by the constraints' phases, ties kept.
    """
    repaired = np.maximum(np.asarray(factors, np.int64), 1)
    axes = repaired[:, space.spatial]
    repaired[:, space.spatial] = _nearest_axes(space, axes, rng)
    left = _left(space, repaired)
    settle = _settle_loosely if space.constraints.imperfect == "all" else _settle_exactly
    for d in range(len(space.bounds)):
        slots = space.open_slots(d)
        wanted = repaired[:, slots, d]
        repaired[:, space.temporal, d] = np.maximum(space.fixed[space.temporal, d], 1)
        if len(slots):
            repaired[:, slots, d] = settle(left[:, d], wanted)
    skipped = (np.asarray(bypass, np.int64) != 0) & (space.may_bypass == 1)
    return repaired, _legal_order(space, np.asarray(order, np.int64)), skipped.astype(np.int64)


def everything_outside(space: Mapspace) -> tuple[I64, I64, I64]:
    """(factors [S, D], order [S, D], bypass [P, 3]): all free loops in the outermost memory open to them.

    Arrays get the least that the constraints demand, and every tensor skips each memory it may.
    """
    factors = np.maximum(space.fixed, 1)
    factors[space.spatial] = space.least_axes
    left = _left(space, factors[None])[0]
    for d in range(len(space.bounds)):
        slots = space.open_slots(d)
        if len(slots):
            factors[slots[0], d] = left[d]
    order = np.tile(np.arange(len(space.bounds)), (1, len(factors), 1))
    return factors, _legal_order(space, order)[0], space.may_bypass.copy()


# ---- space ---------------------------------------------------------------------------------------------------------


def _draw_axes(space: Mapspace, count: int, rng: np.random.Generator) -> I64:
    """[count, A, D] random factors on the arrays' axes that fit together."""
    preference = rng.choice(_FULLNESS, count)

    def score(d: int, rows: I64) -> F64:
        sizes = np.log(space.choices[d].prod(axis=1))
        noise = -np.log(rng.exponential(1.0, (len(rows), len(sizes))) + 1e-300)
        return np.asarray(sizes * preference[rows, None] + noise, np.float64)

    sequence = rng.permuted(np.tile(np.arange(len(space.bounds)), (count, 1)), axis=1)
    return _fit_axes(space, sequence, score)


def _nearest_axes(space: Mapspace, axes: I64, rng: np.random.Generator) -> I64:
    """[B, A, D] allowed factors on the axes, the nearest by the sum of the logarithms of what changes."""
    wrong = np.flatnonzero(~_axes_belong(space, axes))
    wanted = np.log(axes[wrong])

    def score(d: int, rows: I64) -> F64:
        away = np.zeros((len(rows), len(space.choices[d])))
        for axis in range(axes.shape[1]):
            away -= np.abs(np.log(space.choices[d][:, axis]) - wanted[rows, axis, d][:, None])
        return away

    sequence = rng.permuted(np.tile(np.arange(len(space.bounds)), (len(wrong), 1)), axis=1)
    found = axes.copy()
    found[wrong] = _fit_axes(space, sequence, score)
    return found


def _axes_belong(space: Mapspace, axes: I64) -> NDArray[np.bool_]:
    """[B] whether factors [B, A, D] on the axes are among the choices and fit together."""
    extents = space.extents[space.spatial]
    digits = np.append(1, np.cumprod(extents.astype(np.float64) + 1.0))
    found: NDArray[np.bool_] = (axes.prod(axis=2) <= extents).all(axis=1)
    if digits[-1] > 2.0**62:  # too many axes to number the choices; the slow way will do
        return np.zeros_like(found)
    numbering = digits[:-1].astype(np.int64)
    for d, rows in enumerate(space.choices):
        found &= np.isin(np.minimum(axes[:, :, d], extents) @ numbering, rows @ numbering)
    return found


def _fit_axes(space: Mapspace, sequence: I64, score: Score) -> I64:
    """[B, A, D]: in each row's own ``sequence`` [B, D], the choice with the best score that leaves the others room."""
    fixed = np.maximum(space.fixed[space.spatial], 1)
    found = np.ones((len(sequence), *fixed.shape), np.int64)
    room = np.tile(space.extents[space.spatial] // fixed.prod(axis=1), (len(sequence), 1))
    dead = np.zeros(len(sequence), bool)
    for step in range(sequence.shape[1]):
        for d in np.unique(sequence[:, step]):
            extra = space.choices[d] // fixed[:, d]  # what a choice takes beyond what is demanded
            every = np.flatnonzero(sequence[:, step] == d)
            for rows in np.array_split(every, 1 + len(every) * len(extra) // _CELLS):
                fits = np.ones((len(rows), len(extra)), bool)
                for axis in range(len(fixed)):
                    fits &= extra[:, axis] <= room[rows, axis][:, None]
                best = np.where(fits, score(int(d), rows), -np.inf).argmax(axis=1)
                dead[rows] |= ~fits[np.arange(len(rows)), best]
                found[rows, :, d] = space.choices[d][best]
                room[rows] = np.maximum(room[rows] // extra[best], 1)
    if dead.any():  # only where constraints force some dimension onto an axis that others have filled
        found[dead] = space.least_axes
    return found


def _left(space: Mapspace, factors: I64) -> I64:
    """[B, D] what the open memories must cover beside the factors in space."""
    columns = [space.passes_left(d, factors[:, space.spatial, d]) for d in range(len(space.bounds))]
    return np.stack(columns, axis=1) if columns else np.zeros((len(factors), 0), np.int64)


# ---- time ----------------------------------------------------------------------------------------------------------


def _slot_weights(space: Mapspace, count: int, rng: np.random.Generator, outermost_bias: float) -> F64:
    """[count, T] how likely a prime goes to each memory."""
    memories = [level for level in space.problem.places if isinstance(level, Memory)]
    sizes = np.log2([max(4.0, min(memory.size_bits, 1e9)) for memory in memories])
    weights = sizes * rng.exponential(1.0, (count, len(memories))) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    weights *= 1.0 - outermost_bias
    weights[:, 0] += outermost_bias
    return np.asarray(weights, np.float64)


def _pick(chances: F64, rng: np.random.Generator) -> I64:
    """[B] a column for each row, in proportion to ``chances`` [B, T]."""
    edges = np.cumsum(chances, axis=1)
    return np.asarray((edges < rng.random(len(edges))[:, None] * edges[:, -1:]).sum(axis=1), np.int64)


def _split_primes(left: I64, chances: F64, rng: np.random.Generator) -> I64:
    """[B, T] factors that multiply to ``left`` [B], each prime dealt out on its own."""
    values, which = np.unique(left, return_inverse=True)
    primes = [prime_factors(int(value)) for value in values]
    table = np.ones((len(values), max((len(row) for row in primes), default=0)), np.int64)
    for index, row in enumerate(primes):
        table[index, : len(row)] = row
    factors, every = np.ones(chances.shape, np.int64), np.arange(len(left))
    for column in range(table.shape[1]):
        factors[every, _pick(chances, rng)] *= table[which, column]
    return factors


def _split_loosely(left: I64, chances: F64, rng: np.random.Generator) -> I64:
    """[B, T] factors that cover ``left`` [B], none larger than needed; half of them divide it."""
    exact = _split_primes(left, chances, rng)
    shares = chances * rng.exponential(1.0, chances.shape)
    sizes = np.exp(np.log(np.maximum(left, 1))[:, None] * shares / shares.sum(axis=1, keepdims=True))
    return np.where(rng.random(len(left))[:, None] < 0.5, exact, _settle_loosely(left, np.rint(sizes).astype(np.int64)))


def _settle_loosely(left: I64, wanted: I64) -> I64:
    """[B, T] factors that cover ``left``, none larger than needed nor, but for the first, than ``wanted``."""
    found, need = np.ones_like(wanted), left.copy()
    for t in range(wanted.shape[1] - 1, 0, -1):
        found[:, t] = np.minimum(wanted[:, t], need)
        need = -(-need // found[:, t])
    found[:, 0] = need
    for t in range(wanted.shape[1]):
        others = found.prod(axis=1) // found[:, t]
        found[:, t] = -(-left // others)
    return found


def _settle_exactly(left: I64, wanted: I64) -> I64:
    """[B, T] factors that multiply to ``left``; all but the first are the largest possible up to ``wanted``."""
    found, pool = np.ones_like(wanted), left.copy()
    for t in range(wanted.shape[1] - 1, 0, -1):
        values, which = np.unique(pool, return_inverse=True)
        options = [divisors(int(value)) for value in values]
        span = int(values.max(initial=1)) + 1  # sorted keys (pool, divisor) let one search serve all rows
        keys = np.asarray([index * span + option for index, row in enumerate(options) for option in row], np.int64)
        at = np.searchsorted(keys, which * span + np.minimum(wanted[:, t], pool), side="right") - 1
        found[:, t] = keys[at] - which * span
        pool //= found[:, t]
    found[:, 0] = pool
    return found


# ---- orders --------------------------------------------------------------------------------------------------------


def _legal_order(space: Mapspace, order: I64) -> I64:
    """[B, S, D] the same orders, made permutations and sorted by phase; rows of axes list the dimensions plainly."""
    dims = order.shape[2]
    rank = np.full(order.shape, dims, np.int64)
    for k in range(dims - 1, -1, -1):  # the first place at which a dimension is named counts
        np.put_along_axis(rank, np.clip(order[:, :, k : k + 1], 0, dims - 1), k, axis=2)
    rank[:, space.spatial] = 0
    key = rank - np.where(space.extents[:, None] == 0, space.phases, 0)[None] * (dims + 1)
    return np.argsort(key, axis=2, kind="stable")
