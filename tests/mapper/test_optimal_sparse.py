"""The optimal mapper on accelerators that gate zeros and store words in a code: still no mapping is better."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_optimal import CHIPS, OPS, check_against_all

from dovetail.accel.accelerator import Accelerator, Compute, Memory, Skipping
from dovetail.accel.formats import RUN_LENGTH
from dovetail.mapper.mapspace import Mapspace
from dovetail.models.op import Op

CASES = [
    ("two memories", "gemm", "energy"),
    ("three memories", "row", "edp"),
    ("a memory for each tensor below an array", "two windows", "energy"),
    ("a memory for each tensor below an array", "odd gemm", "edp"),
    ("neither multicast nor reduction", "strided", "energy"),
    ("one memory over an array", "gemm", "energy"),
    ("sums wider than words", "gemv", "energy"),
    ("open bypasses", "gemm", "edp"),
    ("leaking", "two windows", "energy"),
]


def sparse(accelerator: Accelerator) -> Accelerator:
    """The accelerator with gating on inputs, coded feature maps outside, a clock network and a prefetched buffer."""
    levels = []
    for place, level in enumerate(accelerator.levels):
        if isinstance(level, Memory) and place == 0:
            level = replace(level, compression={"input": RUN_LENGTH, "output": RUN_LENGTH})
        elif isinstance(level, Memory) and place == 1 and not level.double_buffered:
            level = replace(level, prefetched=True)
        elif isinstance(level, Compute):
            level = replace(level, gating=frozenset({"input"}), clock_energy_j=1e-13)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def with_zeros(op: Op) -> Op:
    first, second, result = op.tensors
    return replace(op, tensors=(replace(first, density=0.3), second, replace(result, density=0.2)))


def skipping(accelerator: Accelerator, window: int, *, common: bool) -> Accelerator:
    """The accelerator where zeros of both operands save steps, each instance's its own but for common ones."""
    features = Skipping(frozenset({"input", "weight"}), frozenset({"input"}) if common else frozenset(), window=window)
    levels = [replace(one, skipping=features) if isinstance(one, Compute) else one for one in accelerator.levels]
    return replace(accelerator, levels=tuple(levels))


@pytest.mark.parametrize(("accelerator", "op", "goal"), CASES)
@pytest.mark.parametrize(("window", "common"), [(0, False), (5, False), (24, True)])
def test_no_mapping_of_an_operator_whose_zeros_are_skipped_is_better(
    accelerator: str, op: str, goal: str, window: int, common: bool
) -> None:
    chip = skipping(sparse(CHIPS[accelerator]), window, common=common)
    first, second, result = with_zeros(OPS[op]).tensors
    sparser = replace(OPS[op], tensors=(first, replace(second, density=0.4), result))
    check_against_all(Mapspace(sparser, chip), goal)


@pytest.mark.parametrize(("accelerator", "op", "goal"), CASES)
def test_no_mapping_of_a_sparse_operator_is_better(accelerator: str, op: str, goal: str) -> None:
    check_against_all(Mapspace(with_zeros(OPS[op]), sparse(CHIPS[accelerator])), goal)
