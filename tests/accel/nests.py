"""Random small nests for the comparisons of oracle, analytic model and batch engine."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import get_args

from dovetail.accel.accelerator import Accelerator, Array, Compute, Level, Memory, Systolic
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.systolic import Dataflow
from dovetail.models.op import ROLES, Op, conv2d, linear, transposed_conv2d


def random_op(rng: random.Random) -> Op:
    kind = rng.choice(["conv", "conv", "strided", "dilated", "grouped", "gemm", "transposed"])
    if kind == "gemm":
        return linear("gemm", n=rng.randint(1, 7), k=rng.randint(1, 7), c=rng.randint(1, 7))
    small = {"k": rng.randint(1, 4), "c": rng.randint(1, 3), "r": rng.randint(1, 3), "s": rng.randint(1, 3)}
    if kind == "transposed":
        return transposed_conv2d(
            "up", h=rng.randint(1, 5), w=rng.randint(1, 3), stride=(rng.randint(1, 3), rng.randint(1, 2)), **small
        )
    stride = (rng.randint(1, 3), rng.randint(1, 3)) if kind == "strided" else (1, 1)
    dilation = (rng.randint(1, 3), rng.randint(1, 3)) if kind == "dilated" else (1, 1)
    return conv2d(
        "conv",
        n=rng.randint(1, 2),
        g=rng.randint(2, 3) if kind == "grouped" else 1,
        p=rng.randint(1, 6),
        q=rng.randint(1, 4),
        stride=stride,
        dilation=dilation,
        **small,
    )


def random_accelerator(rng: random.Random) -> Accelerator:
    levels: list[Memory | Array | Compute] = [Memory("dram", frozenset(ROLES))]
    for index in range(rng.randint(1, 3)):
        if rng.random() < 0.6:
            levels.append(
                Array(
                    f"array{index}",
                    (("x", 8),),
                    {},
                    frozenset(r for r in ROLES if rng.random() < 0.6),
                    rng.random() < 0.6,
                )
            )
            if rng.random() < 0.3:
                levels.append(
                    Array(
                        f"more{index}",
                        (("x", 8),),
                        {},
                        frozenset(r for r in ROLES if rng.random() < 0.6),
                        rng.random() < 0.6,
                    )
                )
        keeps = frozenset(r for r in ROLES if rng.random() < 0.7) or frozenset(ROLES)
        levels.append(Memory(f"buffer{index}", keeps, keeps))
    if rng.random() < 0.5:
        levels.append(
            Array("last", (("x", 8),), {}, frozenset(r for r in ROLES if rng.random() < 0.6), rng.random() < 0.6)
        )
    return Accelerator("random", 1e9, 45.0, (*levels, Compute("mac")))


def random_mapping(rng: random.Random, op: Op, accelerator: Accelerator) -> Mapping:
    """Perfect and imperfect factors in random order, with random bypasses."""
    places = [level for level in accelerator.levels if isinstance(level, Memory | Array)]
    loops: list[list[Loop]] = [[] for _ in places]
    window = {dim for rank in op.tensor("output").ranks if len(rank.terms) > 1 for dim, _ in rank.terms}
    for dim, bound in op.dims:
        left = bound
        while left > 1:
            factor = rng.randint(2, left)
            if rng.random() < 0.5:
                factor = rng.choice([f for f in range(2, left + 1) if left % f == 0])
            place = rng.randrange(len(places))
            if isinstance(places[place], Array):
                used = math.prod(loop.bound for loop in loops[place])
                if dim in window or used * factor > 8:
                    continue
            loops[place].append(Loop(dim, factor, "x" if isinstance(places[place], Array) else ""))
            left = -(-left // factor)
    for one in loops:
        rng.shuffle(one)
    bypass = [frozenset(r for r in getattr(p, "may_bypass", frozenset()) if rng.random() < 0.2) for p in places]
    return Mapping(tuple(LevelMapping(p.name, tuple(one), b) for p, one, b in zip(places, loops, bypass, strict=True)))


def random_case(seed: int) -> tuple[Op, Accelerator, Mapping]:
    rng = random.Random(seed)
    op, accelerator = random_op(rng), random_accelerator(rng)
    return op, accelerator, random_mapping(rng, op, accelerator)


def with_waits(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """The accelerator with latencies at some memories and some arrays systolic."""
    levels: list[Level] = []
    for level in accelerator.levels:
        if isinstance(level, Memory) and levels and rng.random() < 0.6:
            level = replace(level, latency_cycles=rng.choice([1.0, 7.0, 40.5]), double_buffered=rng.random() < 0.5)
        elif isinstance(level, Array) and rng.random() < 0.6:
            dataflow: Dataflow = rng.choice(get_args(Dataflow))
            systolic = Systolic(dataflow, rng.randint(1, 8), rng.randint(1, 8), rng.random() < 0.3)
            level = replace(level, systolic=systolic)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))
