"""Every product of loops in time, as a lattice of prime factors, and what is still to be paid above each of its points.

A point of the lattice is the vector ``tau`` [V] of what has been placed so far. Adding a loop of a prime bound moves
along one axis, to a higher index; so whoever visits the points in order has seen all that lies inside.
"""

from __future__ import annotations

import math

import numpy as np

from ...accel.kernel_nest import (
    APART,
    DOUBLE_BUFFERED,
    OUTPUT,
    ROOM,
    SINGLE,
    Cube,
    ProblemArrays,
    Results,
    Table,
    Vector,
    compiled,
)
from .kernel_instance import PORTS, Instance, tile_bits
from .kernel_terms import LIVE, MARKS, OPEN, first_tiles, loop, settle_all

__all__ = ["AXES", "axes", "fitting", "points", "still_to_pay", "unfinished"]

AXES = 48
AXIS_DIM, AXIS_PRIME, AXIS_COUNT, AXIS_STRIDE, AXIS_COLUMNS = 0, 1, 2, 3, 4


@compiled
def axes(it: Instance, found: Table) -> tuple[int, int]:
    """Fill ``found`` [AXES, 4]: dimension, prime, exponent, stride; returns (axes, points), no points if too many."""
    count, size = 0, 1
    for v in range(it.n_dims):
        rest, prime = it.passes[v], 2
        while rest > 1:
            if prime * prime > rest:
                prime = rest
            exponent = 0
            while rest % prime == 0:
                rest //= prime
                exponent += 1
            if exponent:
                if count == AXES:
                    return count, 0
                found[count, AXIS_DIM], found[count, AXIS_PRIME] = v, prime
                found[count, AXIS_COUNT], found[count, AXIS_STRIDE] = exponent, size
                size *= exponent + 1
                count += 1
            prime += 1
    return count, size


@compiled
def points(it: Instance, found: Table, count: int, taus: Table) -> None:
    """Fill ``taus`` [points, V]."""
    for at in range(taus.shape[0]):
        for v in range(it.n_dims):
            taus[at, v] = 1
        for j in range(count):
            exponent = (at // found[j, AXIS_STRIDE]) % (found[j, AXIS_COUNT] + 1)
            for _ in range(exponent):
                taus[at, found[j, AXIS_DIM]] *= found[j, AXIS_PRIME]


@compiled
def unfinished(it: Instance, m: int, tau: Vector) -> bool:
    """Whether sums go on outside memory ``m``."""
    for v in range(it.n_dims):
        if it.kind[OUTPUT, v] != SINGLE and (tau[v] < it.passes[v] or it.outside[m, v] > 1):
            return True
    return False


@compiled
def fitting(pr: ProblemArrays, it: Instance, m: int, taus: Table, fits: Vector) -> None:
    """Fill ``fits`` [points]: 0 the tiles do not fit memory ``m``, 1 only if sums end inside it, 2 they do anyway."""
    room = pr.reals[it.place[m], ROOM]
    for at in range(taus.shape[0]):
        tau, fits[at] = taus[at], 0
        if tile_bits(pr, it, m, tau, True) <= room:
            fits[at] = 2
        elif not unfinished(it, m, tau) and tile_bits(pr, it, m, tau, False) <= room:
            fits[at] = 1


@compiled
def _least_above(it: Instance, m: int, tau: Vector, spread: Table, row: Results, best: Results, marks: Vector) -> None:
    """Add to ``best`` [2, 1 + ports], low only, the least that words into memory ``m`` cost under any loops above."""
    keys, width = 0, 1 + it.n_ports
    for b in range(it.n_boundaries):
        if it.child[b] == m:
            keys += OPEN << (4 * b)
    found = False
    for v in range(it.n_dims):
        by = it.passes[v] // tau[v]
        if by == 1:
            continue
        for at in range(width):
            row[0, at] = row[1, at] = 0.0
        key = loop(it, m - 1, keys, v, by, tau, spread, row, marks)
        left = 0
        for b in range(it.n_boundaries):  # what has not moved may stay for good, what runs is settled at best now
            if OPEN < (key >> (4 * b)) & 15 < LIVE:
                left += key & (15 << (4 * b))
        if left:
            tau[v] *= by
            settle_all(it, left, APART, tau, spread, row)
            tau[v] //= by
        for at in range(width):
            best[1, at] = min(best[1, at], row[0, at]) if found else row[0, at]
        found = True
    if found:
        for at in range(width):
            best[0, at] += best[1, at]


@compiled
def still_to_pay(
    pr: ProblemArrays, it: Instance, found: Table, count: int, taus: Table, fits: Table, spread: Table, pay: Cube
) -> None:
    """Fill ``pay`` [M, points, 1 + ports]: least further J and cycles for memories 1 to m, all of them unsealed."""
    size, width = taus.shape[0], 1 + it.n_ports
    row, best, marks = np.zeros((2, 1 + PORTS)), np.zeros((2, 1 + PORTS)), np.zeros(MARKS, np.int64)
    for m in range(1, it.n_memories):
        halting, several = not pr.ints[it.place[m], DOUBLE_BUFFERED], 0
        for b in range(it.n_boundaries):
            several += it.child[b] == m
        several -= 1
        for at in range(size):
            if not fits[m, at]:
                for k in range(width):
                    pay[m, at, k] = math.inf
                continue
            for k in range(width):
                best[0, k] = best[1, k] = 0.0
            first_tiles(it, m, taus[at], spread, halting, best)
            if several:  # a single tensor may stay put whatever the tiles
                _least_above(it, m, taus[at], spread, row, best, marks)
            for k in range(width):
                pay[m, at, k] = best[0, k]
        for j in range(count):
            stride, most = found[j, AXIS_STRIDE], found[j, AXIS_COUNT]
            for at in range(size - 1, -1, -1):
                if (at // stride) % (most + 1) < most:
                    for k in range(width):
                        pay[m, at, k] = min(pay[m, at, k], pay[m, at + stride, k])
        if m > 1:
            for at in range(size):
                for k in range(width):
                    pay[m, at, k] += pay[m - 1, at, k]
