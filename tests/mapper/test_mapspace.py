"""The mapspace counts exactly what it contains."""

from __future__ import annotations

import itertools
import math

import pytest

from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.mapper.mapspace import Mapspace
from dovetail.models.op import ROLES, linear, transposed_conv2d


def chip(*, extent: int = 4, open_bypass: bool = False) -> Accelerator:
    keeps = frozenset(ROLES)
    return Accelerator(
        "small",
        1e9,
        45.0,
        (
            Memory("dram", keeps),
            Array("array", (("x", extent),), {"x": frozenset({"K", "C"})}),
            Memory("buffer", keeps, keeps if open_bypass else frozenset()),
            Compute("mac"),
        ),
    )


def enumerated_tilings(bounds: dict[str, int], extent: int) -> int:
    """Exact splits of each dimension over dram, axis x (K and C only) and buffer, counted one by one."""
    splits = {
        dim: [
            f
            for f in itertools.product(range(1, bound + 1), repeat=3)
            if math.prod(f) == bound and (dim != "N" or f[1] == 1)
        ]
        for dim, bound in bounds.items()
    }
    return sum(1 for point in itertools.product(*splits.values()) if math.prod(f[1] for f in point) <= extent)


@pytest.mark.parametrize("extent", [1, 3, 4, 12])
def test_size_equals_the_enumeration(extent: int) -> None:
    space = Mapspace(linear("fc", n=4, k=12, c=6), chip(extent=extent))
    orders = math.factorial(3) ** 2
    assert space.perfect_size == enumerated_tilings({"N": 4, "K": 12, "C": 6}, extent) * orders


def test_open_bypasses_double_the_space_each() -> None:
    op = linear("fc", n=2, k=2, c=2)
    assert Mapspace(op, chip(open_bypass=True)).perfect_size == 8 * Mapspace(op, chip()).perfect_size


def test_a_window_of_the_output_is_never_spread_over_an_array() -> None:
    op = transposed_conv2d("up", k=2, c=2, h=4, w=4, r=2, s=2)
    space = Mapspace(
        op, Accelerator("any", 1e9, 45.0, (Memory("dram", frozenset(ROLES)), Array("a", (("x", 4),)), Compute("mac")))
    )
    spread = {dim for dim, open_here in zip(space.problem.dims, space.allowed[1], strict=True) if open_here}
    assert spread == {"K", "C"}
