"""Narrow tiles waste bandwidth: a memory moves whole lines, and a tile may use but a part of each.

A tensor lies in a memory along one of its dimensions; a tile that covers a part of that dimension is as many runs of
neighbouring words as it has other positions, and each run takes whole lines. Runs of a tile that covers the whole
dimension follow one another, so that nothing is lost. Runs begin at a line.
"""

from __future__ import annotations

import math

from ..accelerator import Memory
from ..clock import Clock, widths
from ..traffic import Boundary

__all__ = ["line_waste"]

_ROUNDING = 1.0 - 1e-12  # a quotient that is whole but for its rounding counts as whole


def line_waste(clock: Clock, way: Boundary) -> float:
    """Cycles at the parent's port for each cycle that the words alone of ``way`` would take there (at least 1).

    It is that of a whole tile of finished words; wider sums count alike, and so does a tile that is cut off at the end
    of the dimension.
    """
    nest, parent = clock.nest, clock.nest.places[way.parent]
    dim = parent.along.get(way.role) if isinstance(parent, Memory) else None
    if not isinstance(parent, Memory) or dim is None or not parent.line_bits or dim not in nest.op.bounds:
        return 1.0
    whole, run = nest.op.bounds[dim], nest.reach(dim, way.child)
    if run >= whole:
        return 1.0
    bits = run * widths(nest, clock.accelerator, way.parent, way.role)[0]
    return math.ceil(bits / parent.line_bits * _ROUNDING) * parent.line_bits / bits
