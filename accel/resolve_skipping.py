"""What a spec says of skipped steps, with its numbers evaluated, and the rule for instances that skip together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..document import YamlPath
from ..models.op import Role
from .accelerator import Array, Compute, Level, Memory, Packed, Skipping
from .batch import MAX_WINDOW
from .frozen import FrozenDict
from .queues import WINDOWS
from .spec_check import Evaluator
from .spec_formats import TENSOR_DIMS
from .spec_models import PackedSpec, SkippingSpec

__all__ = ["lockstep_problems", "resolve_skipping"]


def resolve_skipping(skipping: SkippingSpec, path: YamlPath, evaluator: Evaluator) -> Skipping:
    """What lets steps be skipped; problems go to the evaluator."""
    numbers = evaluator.numbers(skipping, path)
    structured, scan = skipping.structured, skipping.scan
    shape = evaluator.numbers(structured, (*path, "structured")) if structured else {}
    if shape and shape["n"] > shape["m"]:
        what = f"{shape['n']:.0f} of {shape['m']:.0f} words cannot be kept; n is at most m"
        evaluator.complain((*path, "structured", "n"), what)
    packed = {role: _packed(role, one, (*path, "packed", role), evaluator) for role, one in skipping.packed.items()}
    for key, most in (("window", MAX_WINDOW if "queue" not in numbers else math.inf), ("queue", WINDOWS)):
        if numbers.get(key, 0) > most:
            remedy = f"use at most {most}" + (", or remove it: waits are then left out" if key == "window" else "")
            evaluator.complain((*path, key), f"{numbers[key]:.0f} is more than the model can count; {remedy}")
    return Skipping(
        leaders=frozenset(skipping.leaders),
        common=frozenset(skipping.common),
        blocks=FrozenDict(evaluator.each(skipping.blocks, "count", (*path, "blocks"))),
        structured=(int(shape["n"]), int(shape["m"])) if shape else None,
        window=int(numbers.get("window", 0)),
        queue=int(numbers.get("queue", 0)),
        packed=FrozenDict(packed),
        padded=frozenset(skipping.padded),
        scan=frozenset(scan.leaders) if scan else frozenset(),
        scan_rate=evaluator.numbers(scan, (*path, "scan"))["rate"] if scan else math.inf,
    )


def _packed(role: Role, packed: PackedSpec, path: YamlPath, evaluator: Evaluator) -> Packed:
    for dim in packed.tile:
        if dim not in TENSOR_DIMS[role]:
            what = f"no {role} has a dimension '{dim}'"
            evaluator.complain((*path, "tile", dim), f"{what}; use some of {', '.join(TENSOR_DIMS[role])}")
    tile = evaluator.each(packed.tile, "count", (*path, "tile"))
    lanes = int(evaluator.numbers(packed, path)["lanes"])
    if lanes > math.prod(tile.values()):
        what = f"{lanes} lanes are more than the words of a tile; use at most {math.prod(tile.values())}"
        evaluator.complain((*path, "lanes"), what)
    return Packed(FrozenDict(tile), lanes)


def lockstep_problems(levels: Sequence[Level]) -> Iterator[tuple[int, str]]:
    """(number of an array, "what; remedy") where a step that it takes or skips as one needs more than one zero.

    Along a dimension of a leader, instances in lockstep work on different words of it: the step is saved only where
    all of these are zero, which a block as long as the axis says.
    """
    compute = next((level for level in levels if isinstance(level, Compute)), None)
    skipping = compute.skipping if compute else None
    led = {role for level in levels if isinstance(level, Memory) for who in level.skipping.values() for role in who}
    if skipping and skipping.structured:
        return
    for index, level in enumerate(levels):
        if not isinstance(level, Array) or not level.lockstep:
            continue
        for role in sorted(led | (skipping.leaders if skipping else set())):
            if skipping and role in skipping.packed:
                continue
            for axis, size in level.shape:
                blocks = skipping.blocks if skipping else {}
                free = [dim for dim in TENSOR_DIMS[role] if level.allows(axis, dim) and blocks.get(dim, 1) < size > 1]
                if free:
                    what = f"instances along '{axis}' may hold {size} different words of the {role} along {free[0]}"
                    remedy = f"limit 'dims: {{{axis}: [...]}}' or let 'blocks' in 'skipping' be {size} long along it"
                    yield index, f"{what}, and skip a step only where all are zero; {remedy}"
