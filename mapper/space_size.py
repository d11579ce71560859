"""Numbers behind a mapspace: factors, divisors, minimal covers, and how many points there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    I64 = NDArray[np.int64]

__all__ = ["divisors", "fit_together", "minimal_tuples", "prime_factors"]


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
