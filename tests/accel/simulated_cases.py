"""Random operators for the tests of the simulator, and what a run of one must keep to."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping as MappingType
from dataclasses import replace

from nests import random_accelerator, random_case, random_mapping, with_waits
from sparse_cases import with_skipping, with_zeros

from dovetail.accel.accelerator import Accelerator, Compute, Level, Memory
from dovetail.accel.mapping import Mapping
from dovetail.accel.residence import Residence, with_residence
from dovetail.accel.simulator.operators import OperatorResult
from dovetail.accel.simulator.plan import TilePlan
from dovetail.accel.simulator.recorder import expanded
from dovetail.models.op import ROLES, Op, conv2d, linear

Case = tuple[Op, Accelerator, Mapping]


def small_case(seed: int) -> Case:
    """A nest of few words: windows, partial tiles, latencies, systolic arrays, memories of every kind."""
    rng = random.Random(seed)
    op, accelerator, mapping = random_case(seed)
    accelerator = with_bandwidths(with_waits(accelerator, rng), rng)
    if rng.random() < 0.25:
        accelerator = _with_resident_tensors(accelerator, rng)
        mapping = random_mapping(rng, op, accelerator)
    return op, accelerator, mapping


def regular_case(seed: int) -> Case:
    """A nest of long loops, most of whose tiles are alike."""
    rng = random.Random(seed)
    accelerator = with_bandwidths(with_waits(random_accelerator(rng), rng), rng)
    op = _long_op(rng)
    return op, accelerator, random_mapping(rng, op, accelerator)


def skipping_case(seed: int) -> Case:
    """A nest of either kind on an accelerator that skips steps for zeros."""
    op, accelerator, mapping = (small_case if seed % 2 else regular_case)(seed)
    rng = random.Random(seed)
    return with_zeros(op, rng), with_skipping(accelerator, rng), mapping


def _long_op(rng: random.Random) -> Op:
    if rng.random() < 0.4:
        return linear("gemm", n=rng.randint(6, 24), k=rng.randint(6, 24), c=rng.randint(4, 16))
    stride = rng.choice([1, 1, 2])
    return conv2d(
        "conv",
        g=rng.choice([1, 1, 3]),
        k=rng.randint(2, 8),
        c=rng.randint(2, 6),
        p=rng.randint(5, 16),
        q=rng.randint(3, 10),
        r=rng.randint(1, 3),
        s=rng.randint(1, 3),
        stride=(stride, stride),
    )


def with_bandwidths(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """The accelerator with random ports, widths and ways of buffering."""
    levels: list[Level] = []
    for level in accelerator.levels:
        if isinstance(level, Memory):
            level = replace(
                level,
                read_bandwidth_bits_per_s=_rate(rng),
                write_bandwidth_bits_per_s=_rate(rng),
                shared_port=rng.random() < 0.3,
                word_bits={} if rng.random() < 0.7 else {"output": 16},
            )
            if levels:
                kind = rng.choice(["single", "double", "fold", "prefetched"])
                level = replace(
                    level,
                    double_buffered=kind in ("double", "fold"),
                    fold=rng.choice([3, 4]) if kind == "fold" else 2,
                    prefetched=kind == "prefetched",
                    refetch=rng.random() < 0.2,
                )
        elif isinstance(level, Compute):
            level = replace(level, pipeline_cycles=rng.choice([0, 3]))
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def _rate(rng: random.Random) -> float:
    return rng.choice([math.inf, rng.uniform(1e9, 1e11), rng.choice([8e9, 16e9, 64e9])])


def _with_resident_tensors(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    shared = Memory("shared", frozenset(ROLES), may_reside=frozenset(ROLES))
    wider = replace(accelerator, levels=(accelerator.levels[0], shared, *accelerator.levels[1:]))
    return with_residence(wider, Residence(tuple((role, "shared") for role in ROLES if rng.random() < 0.5)))


# ---- what a run keeps to ---------------------------------------------------------------------------------------------


def bits_by_memory(run: OperatorResult) -> dict[str, float]:
    """Bits that each memory has moved, reads and writes together."""
    moved: dict[str, float] = defaultdict(float)
    for one in run.resources:
        moved[one.name.removesuffix(" read").removesuffix(" write")] += one.bits
    return moved


def expected_bits(plan: TilePlan) -> dict[str, float]:
    """What the model counts."""
    moved: dict[str, float] = defaultdict(float)
    for (memory, _), bits in plan.moved.items():
        moved[memory] += bits
    return moved


def alike(one: MappingType[str, float], other: MappingType[str, float]) -> bool:
    """Whether two sums by name are the same but for rounding; what is absent is zero."""
    return all(
        math.isclose(one.get(name, 0.0), other.get(name, 0.0), rel_tol=1e-9, abs_tol=1e-6) for name in {**one, **other}
    )


def overlaps(run: OperatorResult) -> list[str]:
    """Slices that begin before the one before on their track ends, or end before they begin."""
    found, free_at = [], dict[str, float]()
    for one in expanded(run.log):
        if one.start < free_at.get(one.track, 0.0) or one.end < one.start or one.end > run.cycles + 1e-6:
            found.append(str(one))
        free_at[one.track] = one.end
    return found
