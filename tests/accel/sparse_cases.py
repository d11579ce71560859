"""Operators with zeros, and accelerators with random codes, gating and skipping."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from dovetail.accel.accelerator import Accelerator, Array, Compute, Level, Memory, Skipping
from dovetail.accel.formats import RUN_LENGTH, Format
from dovetail.models.op import ROLES, Op, Role

__all__ = ["skipping", "sparse", "with_skipping", "with_zeros"]

FORMATS = (
    RUN_LENGTH,
    Format("bitmask"),
    Format("offsets", fiber=8),
    Format("n_of_m", n=2, m=4),
    Format("codebook", codebook_bits=4),
)


def with_zeros(op: Op, rng: random.Random) -> Op:
    first, second, result = (replace(tensor, density=rng.uniform(0.05, 1.0)) for tensor in op.tensors)
    return replace(op, tensors=(first, second, result))


def sparse(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """The accelerator with random codes, gating, skipping and energies."""
    levels: list[Level] = []
    innermost = {role: [m for m in accelerator.memories if role in m.keeps][-1].name for role in ROLES}
    for level in accelerator.levels:
        if isinstance(level, Memory):
            level = replace(
                level,
                size_bits=rng.choice([math.inf, 2000.0]) if level.name != "dram" else math.inf,
                read_bandwidth_bits_per_s=rng.uniform(1e9, 1e11),
                write_bandwidth_bits_per_s=rng.uniform(1e9, 1e11),
                prefetched=rng.random() < 0.5,
                read_energy_j_per_bit=rng.random(),
                write_energy_j_per_bit=rng.random(),
                compression={role: rng.choice(FORMATS) for role in level.keeps if rng.random() < 0.4},
                worst_case=rng.random() < 0.2,
            )
            for role in sorted(level.keeps - level.may_bypass):
                if innermost[role] == level.name and rng.random() < 0.3:
                    leaders = frozenset({"weight" if role == "input" else "input"})
                    level = replace(level, **{rng.choice(["gating", "skipping"]): {role: leaders}})
        elif isinstance(level, Array):
            level = replace(level, lockstep=rng.random() < 0.4, hop_energy_j_per_bit=rng.random())
        elif isinstance(level, Compute):
            gating = frozenset(role for role in ("input", "weight") if rng.random() < 0.5)
            level = replace(level, energy_j=rng.random(), gating=gating, clock_energy_j=rng.random())
            level = replace(level, skipping=skipping(rng) if rng.random() < 0.7 else None)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def skipping(rng: random.Random) -> Skipping:
    leaders = frozenset(role for role in ("input", "weight") if rng.random() < 0.7)
    common = frozenset(role for role in sorted(leaders) if rng.random() < 0.3)
    blocks = {dim: rng.choice([2, 3]) for dim in ("K", "C") if rng.random() < 0.3}
    scan = frozenset({"input"}) if len(leaders) == 2 and rng.random() < 0.5 else frozenset[Role]()
    window, rate = rng.choice([0, 1, 7, 64]), rng.choice([1.0, 2.0])
    return Skipping(leaders, common, blocks, window=window, scan=scan, scan_rate=rate)


def with_skipping(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """The accelerator with random gating and skipping alone."""
    levels: list[Level] = []
    for level in accelerator.levels:
        if isinstance(level, Array):
            level = replace(level, lockstep=rng.random() < 0.4)
        elif isinstance(level, Compute):
            gating = frozenset[Role]({"input"} if rng.random() < 0.3 else ())
            level = replace(level, skipping=skipping(rng), gating=gating)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))
