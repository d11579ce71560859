"""Numbers behind a mapspace: factors, divisors, minimal covers, and how many points there are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    I64 = NDArray[np.int64]

__all__ = [
    "count_orders",
    "count_tilings",
    "covering_splits",
    "divisors",
    "exact_splits",
    "fit_together",
    "minimal_tuples",
    "prime_factors",
]


_CELLS = 1 << 20  # entries of a temporary table


@lru_cache(maxsize=1 << 16)
def prime_factors(number: int) -> tuple[int, ...]:
    """The primes of ``number`` with repetition, smallest first; none for 1."""
    found, prime = [], 2
    while prime * prime <= number:
        while number % prime == 0:
            found.append(prime)
            number //= prime
        prime += 1 if prime == 2 else 2
    return (*found, number) if number > 1 else tuple(found)


@lru_cache(maxsize=1 << 14)
def divisors(number: int) -> tuple[int, ...]:
    """All divisors of ``number``, smallest first."""
    found = {1}
    for prime in prime_factors(number):
        found |= {divisor * prime for divisor in found}
    return tuple(sorted(found))


def _useful(number: int, limit: int, perfect: bool) -> I64:
    """Factors up to ``limit`` that cover ``number`` in fewer passes than any smaller one, or that divide it."""
    if perfect:
        return np.asarray([divisor for divisor in divisors(number) if divisor <= limit], np.int64)
    factors = np.arange(1, min(number, limit) + 1, dtype=np.int64)
    passes = -(-number // factors)
    kept: I64 = factors[np.append(True, passes[1:] < passes[:-1])]
    return kept


def minimal_tuples(bound: int, limits: Sequence[int], fixed: Sequence[int], *, perfect: bool) -> I64:
    """[n, A] tuples of factors on A axes: as ``fixed`` says where that is above 0, otherwise 1 up to ``limits``.

    No free factor can be lowered without more passes ⌈bound / product⌉; with ``perfect`` the product divides the bound
    instead. Tuples are in lexicographic order.
    """
    # A factor that is needlessly large stays so beside further factors: ⌈⌈bound/a⌉/b⌉ = ⌈bound/(a·b)⌉. Growing tuples
    # axis by axis and dropping at once what cannot be completed is therefore exact.
    demanded = math.prod(factor for factor in fixed if factor)
    if perfect and bound % demanded:
        return np.zeros((0, len(limits)), np.int64)
    free = [axis for axis, factor in enumerate(fixed) if not factor]
    rows, products = np.zeros((1, 0), np.int64), np.asarray([demanded], np.int64)
    for axis in free:
        left, which = np.unique(-(-bound // products), return_inverse=True)
        options = [_useful(int(number), limits[axis], perfect) for number in left]
        counts = np.asarray([len(found) for found in options])[which]
        rows = np.repeat(rows, counts, axis=0)
        column = np.concatenate([options[index] for index in which])
        rows = np.column_stack([rows, column])
        products = np.repeat(products, counts) * column
        if not perfect:
            passes = -(-bound // products)[:, None]
            fewer = -(-bound // np.maximum(1, products[:, None] // rows * (rows - 1)))
            keep = ((rows == 1) | (fewer > passes)).all(axis=1)
            rows, products = rows[keep], products[keep]
    found = np.tile(np.asarray(fixed, np.int64), (len(rows), 1)).reshape(len(rows), len(fixed))
    found[:, free] = rows
    if len(fixed):
        found = found[np.lexsort(found.T[::-1])]
    return found


def fit_together(choices: Sequence[I64], extents: I64) -> I64 | None:
    """[A, D] a row of each dimension's ``choices`` [n, A], small ones first, within ``extents`` [A]; None: none fit."""
    sequence = sorted(range(len(choices)), key=lambda d: len(choices[d]))
    rows = [choices[d][np.argsort(choices[d].prod(axis=1), kind="stable")].tolist() for d in sequence]
    failed: set[tuple[int, tuple[int, ...]]] = set()

    def rest(step: int, room: tuple[int, ...]) -> list[list[int]] | None:
        if step == len(rows):
            return []
        if (step, room) in failed:
            return None
        for row in rows[step]:
            left = tuple(space // factor for space, factor in zip(room, row, strict=True))
            if all(left) and (found := rest(step + 1, left)) is not None:
                return [row, *found]
        failed.add((step, room))
        return None

    found = rest(0, tuple(extents.tolist()))
    if found is None:
        return None
    columns = np.ones((len(choices), len(extents)), np.int64)
    columns[sequence] = np.asarray(found, np.int64).reshape(len(choices), len(extents))
    return columns.T


# ---- how many points -------------------------------------------------------------------------------------------------


def exact_splits(number: int, parts: int) -> int:
    """Ways to write ``number`` as an ordered product of ``parts`` factors."""
    return math.prod(math.comb(count + parts - 1, count) for count in Counter(prime_factors(number)).values())


@lru_cache(maxsize=256)
def covering_splits(bound: int, parts: int) -> dict[int, int]:
    """For each n = ⌈bound / j⌉: how many ordered tuples of ``parts`` factors cover n, none larger than needed.

    Counted by the factor v from large to small: of the tuples of k factors ≥ v, those with j factors equal to v are a
    choice of j places and a tuple of k − j larger factors for the need ⌈n / v^j⌉. A lone largest factor must be exactly
    the need that is left, which decides the count of one factor.
    """
    high = math.isqrt(bound)
    small = np.arange(1, high + 2, dtype=np.int64)
    needs = np.unique(np.concatenate([small, -(-bound // small)]))  # closed under division that rounds up
    counts = np.zeros((parts + 1, len(needs)), np.int64)  # of k factors, all of them at least v
    counts[0] = needs == 1
    for v in range(high + 1, 1, -1):
        after = counts.copy()
        after[1:2] = needs >= v
        powers = [1]
        while powers[-1] < bound and len(powers) <= parts:
            powers.append(powers[-1] * v)
        rest = [np.searchsorted(needs, -(-needs // power)) for power in powers]
        for k in range(2, parts + 1):
            for j in range(1, min(k, len(powers))):
                after[k] += math.comb(k, j) * counts[k - j][rest[j]]
            if k <= len(powers):  # all of them equal to v
                after[k] += (powers[k - 1] * (v - 1) < needs) & (needs <= powers[k - 1] * v)
        counts = after
    total = sum(math.comb(parts, k) * counts[k] for k in range(parts + 1))
    return dict(zip(needs.tolist(), np.asarray(total).tolist(), strict=True))


def count_tilings(choices: Sequence[I64], ways: Sequence[Sequence[int]], extents: I64) -> int:
    """Sum over all combinations of one row of each dimension's ``choices`` [n, A] that fit ``extents`` [A] together.

    Each combination counts the product of its rows' ``ways`` [n].
    """
    # Dimensions that use few axes come first, and an axis is forgotten after the last one that uses it.
    uses = [tuple(np.flatnonzero(rows.max(axis=0, initial=1) > 1).tolist()) for rows in choices]
    sequence = sorted(range(len(choices)), key=lambda d: len(uses[d]))
    rooms, counts = np.asarray(extents, np.int64)[None], np.ones(1, object)
    for step, d in enumerate(sequence):
        later = {axis for other in sequence[step + 1 :] for axis in uses[other]}
        kept = np.asarray([axis in later for axis in range(len(extents))], bool)
        numbers, blocks = np.asarray(ways[d], object), []
        for states in np.array_split(np.arange(len(rooms)), 1 + len(rooms) * len(numbers) // _CELLS):
            fitting, rows = np.nonzero((choices[d] <= rooms[states, None]).all(axis=2))
            left = np.where(kept, rooms[states[fitting]] // choices[d][rows], 1)
            blocks.append(_merged(left, counts[states[fitting]] * numbers[rows]))
        rooms, counts = _merged(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
    return int(counts.sum())


def _merged(rooms: I64, counts: NDArray[np.object_]) -> tuple[I64, NDArray[np.object_]]:
    """Equal rows of ``rooms`` once, with the sum of their ``counts``."""
    distinct, which = np.unique(rooms, axis=0, return_inverse=True)
    sums = np.zeros(len(distinct), object)
    np.add.at(sums, which.reshape(-1), counts)
    return distinct, sums


def count_orders(phases: I64) -> int:
    """Permutations of all dimensions in every memory, each within its row of ``phases`` [T, D]; equal ones are free."""
    return math.prod(math.factorial(count) for row in phases.tolist() for count in Counter(row).values())
