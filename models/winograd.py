"""Winograd's minimal filtering F(2x2, 3x3) as an operator: Lavin and Gray, CVPR 2016, arXiv:1509.09308.

A 3x3 convolution of stride 1 makes a 2x2 tile of its output from a 4x4 tile of its input. Input and filter are
transformed, multiplied element by element (16 products instead of 36), summed over the input channels and transformed
back.
"""

from __future__ import annotations

from dataclasses import replace

from .op import Op, Rank, Tensor

__all__ = ["TILE", "WINDOW", "winograd", "winograd_applies"]

TILE = 2  # outputs along an edge of a tile
WINDOW = 4  # inputs, and products, along an edge: TILE + 3 - 1

_ROWS, _COLUMNS = (("P", 1), ("R", 1)), (("Q", 1), ("S", 1))


def winograd_applies(op: Op) -> bool:
    """Whether the operator is a 3x3 convolution without stride and dilation."""
    first, _, result = op.tensors
    ranks = {rank.terms for rank in first.ranks}
    sliding = _ROWS in ranks and _COLUMNS in ranks and {"P", "Q"} <= result.dims
    return sliding and (op.bounds["R"], op.bounds["S"]) == (3, 3)


def winograd(op: Op) -> Op:
    """The convolution as it is executed in the transformed domain; any other operator unchanged.

    P and Q count 2x2 tiles, R and S the 4x4 products of a tile: there are 16 multiply-accumulates to a tile, pair of
    channels and sample (36 before), 16 stored words to a kernel and channel (9 before), and the input's footprint stays
    what it was, a border of an odd size apart. A word of the output is a whole tile, four times as wide.

    The approximation: all 16 products of a tile count as adding to one word. In hardware they do so too, but for the
    inverse transform's signs, which turns 16 sums into 4 behind the multipliers. Additions of the three transforms cost
    nothing here; those of weights are done once and for all.
    """
    if not winograd_applies(op):
        return op
    first, weight, result = op.tensors
    tiled: dict[tuple[tuple[str, int], ...], Rank] = {
        _ROWS: Rank((("P", TILE), ("R", 1))), _COLUMNS: Rank((("Q", TILE), ("S", 1))),
    }  # fmt: skip
    ranks = tuple(tiled.get(rank.terms, rank) for rank in first.ranks)
    tensors: tuple[Tensor, Tensor, Tensor] = (
        replace(first, ranks=ranks), weight, replace(result, bits=result.bits * TILE * TILE),
    )  # fmt: skip
    extents = {"P": -(-op.bounds["P"] // TILE), "Q": -(-op.bounds["Q"] // TILE), "R": WINDOW, "S": WINDOW}
    dims = tuple((dim, extents.get(dim, bound)) for dim, bound in op.dims)
    return replace(op, dims=dims, tensors=tensors)
