"""Systolic arrays in closed form: matrix products folded onto R x C processing elements, and their exact cycles.

A product of an M x K by a K x N matrix is cut into folds of at most R x C. In each fold one operand (or the result)
stays in the elements while the others move one element a cycle, row r and column c starting r and c cycles late:

============================  ==============  ==============  =========  ======================================
dataflow                      along the rows  along the cols  streams    cycles of a fold
============================  ==============  ==============  =========  ======================================
weight stationary             K               N               M          R (load) + M + R + C - 2 (fill, skew)
input stationary              K               M               N          R (load) + N + R + C - 2
output stationary             M               N               K          K + R + C - 2 + R (results shift out)
============================  ==============  ==============  =========  ======================================

Folds run one after another and each runs the whole array: rows and columns without work carry zeros, so that a partial
fold costs as much as a full one. Where results leave an output-stationary array as they are finished ("direct"), its
last R cycles fall away. Memory is never waited for. The dataflows are those of Chen et al., ISCA 2016, section
IV, and of Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim", ISPASS 2020, whose tool counts the same cycles (see `scalesim_cycles`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from ..errors import BadInput, check_type
from ..models.op import Op

__all__ = [
    "Dataflow",
    "Fold",
    "Gemm",
    "SystolicArray",
    "SystolicRun",
    "convolution_output",
    "gemms",
    "pass_overhead_cycles",
    "scalesim_cycles",
]

Dataflow = Literal["weight_stationary", "output_stationary", "input_stationary"]
Readout = Literal["direct", "shifted"]
Convolution = Literal["im2col", "direct"]


def _one_of(value: str, choices: object, what: str) -> None:
    known = get_args(choices)
    if value not in known:
        raise BadInput(f"{what}: '{value}' is not known; use one of {list(known)}")


def _counts(what: str, **values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadInput(f"{what}.{name}: {value!r} is not a count; use a whole number of at least 1")


def pass_overhead_cycles(
    dataflow: Dataflow, rows: int, columns: int, *, overlapped: bool = False, readout: Readout = "shifted"
) -> int:
    """Cycles of a pass over ``rows`` x ``columns`` elements beyond its steps: moving the stationary tile, and the skew.

    The last element is R + C - 2 cycles behind the first; the stationary tile goes in (operands) or out (outputs) in R
    cycles, unless ``readout`` is "direct" and outputs leave where and when they are finished. ``overlapped``: passes
    follow each other without a gap and the stationary tile moves while another is in use, so that only the skew is
    left, and that once for the whole run. Raises `BadInput` for an unknown dataflow or readout and a size below 1.
    """
    _one_of(dataflow, Dataflow, "dataflow")
    _one_of(readout, Readout, "readout")
    _counts("array", rows=rows, columns=columns)
    still = overlapped or (dataflow == "output_stationary" and readout == "direct")
    return (0 if still else rows) + rows + columns - 2


@dataclass(frozen=True)
class Gemm:
    """``count`` independent products of an ``m`` x ``k`` by a ``k`` x ``n`` matrix.

    ``passes`` such products add up to each result (the filter taps of a convolution that is not unrolled to a matrix).
    """

    m: int
    k: int
    n: int
    passes: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        _counts("gemm", m=self.m, k=self.k, n=self.n, passes=self.passes, count=self.count)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all products."""
        return self.m * self.k * self.n * self.passes * self.count


@dataclass(frozen=True)
class Fold:
    """``count`` equal folds: the ``rows`` x ``columns`` elements with work, the words each streams, its cycles."""

    rows: int
    columns: int
    stream: int
    cycles: int
    count: int


@dataclass(frozen=True)
class SystolicRun:
    """One or more products on an array: folds in groups of equals, cycles, and how well the array is used."""

    elements: int
    folds: tuple[Fold, ...]

    @cached_property
    def cycles(self) -> int:
        """Cycles of all folds, one after another."""
        return sum(fold.cycles * fold.count for fold in self.folds)

    @cached_property
    def fold_count(self) -> int:
        """Number of folds."""
        return sum(fold.count for fold in self.folds)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all folds."""
        return sum(fold.rows * fold.columns * fold.stream * fold.count for fold in self.folds)

    @cached_property
    def utilization(self) -> float:
        """Multiply-accumulates over cycles times elements."""
        return self.macs / (self.cycles * self.elements)

    @cached_property
    def mapping_efficiency(self) -> float:
        """Share of the elements with work, as the mean over the folds."""
        used = sum(fold.rows * fold.columns * fold.count for fold in self.folds)
        return used / (self.fold_count * self.elements)


@dataclass(frozen=True)
class SystolicArray:
    """An array of ``rows`` x ``columns`` elements with one dataflow.

    ``readout`` matters where outputs are stationary: "shifted" moves all of them down the columns once the fold is
    complete, "direct" takes each where and when it is finished.
    """

    rows: int
    columns: int
    dataflow: Dataflow
    readout: Readout = "shifted"

    def __post_init__(self) -> None:
        self.overhead_cycles()

    def overhead_cycles(self) -> int:
        """Cycles of a fold beyond the words it streams."""
        return pass_overhead_cycles(self.dataflow, self.rows, self.columns, readout=self.readout)

    def folds(self, gemm: Gemm) -> tuple[Fold, ...]:
        """The folds of all products, at most four kinds: full ones and those with a remainder in rows or columns."""
        passes, along_rows, along_columns, stream = gemm.passes, gemm.k, gemm.n, gemm.m
        if self.dataflow == "input_stationary":
            along_columns, stream = gemm.m, gemm.n
        if self.dataflow == "output_stationary":  # taps follow one another in the stream while the sums stay
            passes, along_rows, stream = 1, gemm.m, gemm.k * gemm.passes
        cycles = stream + self.overhead_cycles()
        return tuple(
            Fold(rows, columns, stream, cycles, times * repeats * passes * gemm.count)
            for columns, repeats in _tiles(along_columns, self.columns)
            for rows, times in _tiles(along_rows, self.rows)
        )

    def run(self, work: Gemm | Iterable[Gemm]) -> SystolicRun:
        """All products of ``work``, one after another."""
        products = (work,) if isinstance(work, Gemm) else tuple(work)
        if not products:
            raise BadInput("no matrix product to run; give at least one Gemm")
        return SystolicRun(self.rows * self.columns, tuple(fold for gemm in products for fold in self.folds(gemm)))

    def cycles(self, work: Gemm | Iterable[Gemm]) -> int:
        """Cycles of all products of ``work``."""
        return self.run(work).cycles


def _tiles(extent: int, size: int) -> list[tuple[int, int]]:
    """(words, how often) of the full tiles and of the last, partial one."""
    full, rest = divmod(extent, size)
    return [(words, times) for words, times in ((size, full), (rest, 1 if rest else 0)) if times]


def gemms(op: Op, convolution: Convolution = "im2col") -> tuple[Gemm, ...]:
    """The matrix products that compute a contraction on a systolic array.

    M counts the positions that only inputs and outputs share (batch and output pixels), N those of weights and outputs
    (output channels), K the sum (input channels and filter taps); what all three share (groups, depthwise channels, the
    batch of a matrix product) are products of their own. "im2col" unrolls the filter into K; "direct" runs its taps as
    passes over the input channels alone that add up to the same outputs. Stride and dilation move no word more;
    padding counts as data. Raises `BadInput` where the operator is no matrix product.
    """
    check_type(op, Op, "op", "take one of a network's contractions")
    _one_of(convolution, Convolution, "convolution")
    inputs, weights, outputs = (tensor.dims for tensor in op.tensors)
    shared = {"m": inputs & outputs - weights, "k": inputs & weights - outputs, "n": weights & outputs - inputs}
    groups = inputs & weights & outputs
    left = [dim for dim, bound in op.dims if bound > 1 and dim not in groups.union(*shared.values())]
    if left:
        raise BadInput(f"{op.name}: {left} belong to one tensor only, which no matrix product has; sum them out first")
    taps = _taps(op) & shared["k"] if convolution == "direct" else frozenset[str]()
    shared["k"] -= taps

    def size(dims: frozenset[str]) -> int:
        return math.prod(op.bounds[dim] for dim in dims)

    return (Gemm(size(shared["m"]), size(shared["k"]), size(shared["n"]), passes=size(taps), count=size(groups)),)


def _taps(op: Op) -> frozenset[str]:
    """Dimensions that slide over an input rank together with another one."""
    return frozenset(dim for rank in op.tensor("input").ranks if len(rank.terms) == 2 for dim, _ in rank.terms)


def convolution_output(size: int, window: int, stride: int) -> int:
    """Outputs along one axis without padding, rounded up: SCALE-Sim's, whose last window may reach beyond the input."""
    _counts("convolution", size=size, window=window, stride=stride)
    if window > size:
        raise BadInput(f"convolution.window: {window} is larger than the input's {size}; pad the input")
    return -(-(size - window) // stride) + 1


def scalesim_cycles(array: SystolicArray, work: Gemm | Iterable[Gemm]) -> int:
    """What SCALE-Sim 3.0.0 reports as a layer's "Total Cycles" where memory is not waited for.

    It counts the same folds, takes results where they are finished, and reports the number of the last cycle counted
    from zero: one less.
    """
    direct = SystolicArray(array.rows, array.columns, array.dataflow, "direct")
    return direct.cycles(work) - 1
