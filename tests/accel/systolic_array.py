"""A systolic array element by element and cycle by cycle: the program behind `dovetail.accel.systolic`.

Every element has registers; in a cycle each takes what its left and upper neighbours held at the end of the one before.
Row r of an operand enters r cycles late, column c c cycles late. A fold runs until the last operand has passed the last
element; elements without work see zeros. Results are taken at the edge (or, direct readout, where they are finished).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]


def _padded(block: Matrix, rows: int, columns: int) -> Matrix:
    return np.pad(block, ((0, rows - block.shape[0]), (0, columns - block.shape[1])))


def _enter(feed: Matrix, cycle: int) -> tuple[Matrix, NDArray[np.bool_]]:
    """What enters at the edge, lane i of ``feed`` (words x lanes) i cycles late: values and which are words."""
    words, lanes = feed.shape
    place = cycle - np.arange(lanes)
    real = (place >= 0) & (place < words)
    return np.where(real, feed[np.clip(place, 0, words - 1), np.arange(lanes)], 0), real


def _stationary_fold(stream: Matrix, held: Matrix) -> tuple[Matrix, int]:
    """``stream`` (words x rows) times ``held`` (rows x columns), with ``held`` loaded first; (product, cycles)."""
    rows, columns = held.shape
    words = stream.shape[0]
    kept = np.zeros((rows, columns), np.int64)
    cycles = 0
    for row in reversed(range(rows)):  # the last row goes in first and ends lowest
        kept = np.vstack([held[row], kept[:-1]])
        cycles += 1
    across, alive = np.zeros((rows, columns), np.int64), np.zeros((rows, columns), bool)
    sums = np.zeros((rows, columns), np.int64)
    product, taken = np.zeros((words, columns), np.int64), np.zeros(columns, int)
    cycle = 0
    while taken.min() < words:
        entering, real = _enter(stream, cycle)
        across = np.column_stack([entering, across[:, :-1]])
        alive = np.column_stack([real, alive[:, :-1]])
        sums = np.vstack([np.zeros(columns, np.int64), sums[:-1]]) + across * kept
        for column in np.flatnonzero(alive[-1]):
            product[taken[column], column] = sums[-1, column]
            taken[column] += 1
        cycle += 1
    return product, cycles + cycle


def _output_fold(left: Matrix, upper: Matrix, shifted: bool) -> tuple[Matrix, int]:
    """``left`` (rows x words) times ``upper`` (words x columns) with the sums held; (product, cycles)."""
    rows, words = left.shape
    columns = upper.shape[1]
    across, down = np.zeros((rows, columns), np.int64), np.zeros((rows, columns), np.int64)
    alive, sums = np.zeros((rows, columns), bool), np.zeros((rows, columns), np.int64)
    done = np.zeros((rows, columns), int)
    cycle = 0
    while done.min() < words:
        entering, real = _enter(left.T, cycle)
        across = np.column_stack([entering, across[:, :-1]])
        alive = np.column_stack([real, alive[:, :-1]])
        down = np.vstack([_enter(upper, cycle)[0], down[:-1]])
        sums += across * down
        done += alive
        cycle += 1
    if not shifted:
        return sums, cycle
    product = np.zeros((rows, columns), np.int64)
    for row in reversed(range(rows)):  # the lowest row leaves first
        product[row] = sums[-1]
        sums = np.vstack([np.zeros(columns, np.int64), sums[:-1]])
        cycle += 1
    return product, cycle


def _cuts(extent: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, extent)) for start in range(0, extent, size))


def simulate(
    left: Matrix, right: Matrix, rows: int, columns: int, dataflow: str, readout: str = "direct"
) -> tuple[Matrix, int]:
    """``left`` (m x k) times ``right`` (k x n) in folds, one after another; (product, cycles)."""
    if dataflow == "input_stationary":  # inputs are held and weights stream: the transposed product
        product, cycles = simulate(right.T, left.T, rows, columns, "weight_stationary")
        return product.T, cycles
    product = np.zeros((left.shape[0], right.shape[1]), np.int64)
    total = 0
    if dataflow == "weight_stationary":
        for across in _cuts(right.shape[1], columns):
            for along in _cuts(right.shape[0], rows):
                held = _padded(right[along, across], rows, columns)
                stream = _padded(left[:, along], left.shape[0], rows)
                part, cycles = _stationary_fold(stream, held)
                product[:, across] += part[:, : across.stop - across.start]
                total += cycles
        return product, total
    for across in _cuts(right.shape[1], columns):
        for along in _cuts(left.shape[0], rows):
            block = _padded(left[along], rows, left.shape[1]), _padded(right[:, across], right.shape[0], columns)
            part, cycles = _output_fold(*block, readout == "shifted")
            product[along, across] = part[: along.stop - along.start, : across.stop - across.start]
            total += cycles
    return product, total
