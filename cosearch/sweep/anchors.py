"""Which accelerators of a hardware space a mapper is asked about, so that its mappings serve all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ...accel.accelerator import Accelerator
from ..spaces.hardware import hardware_defaults, hardware_values
from ..spaces.space import Choice, Space, Value

__all__ = ["Anchors", "find_anchors"]


@dataclass(frozen=True)
class Anchors:
    """``points`` of the hardware space to map for, and ``figures``: choices that change neither arrays nor capacities.

    What differs in ``figures`` alone can use the same mappings, and only costs them differently.
    """

    points: tuple[dict[str, Value], ...]
    figures: tuple[str, ...]


def find_anchors(accelerator: Accelerator, hardware: Space, most: int) -> Anchors:
    """All combinations of what decides which mappings fit, while there are no more than ``most``.

    First come the choices that change an array's extents, then those that change a memory's size, innermost memory
    first; other choices stay at their default.
    """
    defaults = {choice.name: _default(accelerator, choice) for choice in hardware.choices}
    arrays: list[Choice] = []
    sizes: list[tuple[int, Choice]] = []
    figures = []
    for choice in hardware.choices:
        chips = [
            accelerator.with_parameters(**hardware_values({**defaults, choice.name: option}))
            for option in choice.options
        ]
        changed = _first_changed_size(chips)
        if len({_extents(chip) for chip in chips}) > 1:
            arrays.append(choice)
        elif changed is not None:
            sizes.append((changed, choice))
        else:
            figures.append(choice.name)
    taken, count = [], 1
    for choice in [*arrays, *(choice for _, choice in sorted(sizes, key=lambda pair: -pair[0]))]:
        if count * len(choice.options) > most:
            break
        taken.append(choice)
        count *= len(choice.options)
    names = [choice.name for choice in taken]
    points = tuple(
        {**defaults, **dict(zip(names, options, strict=True))}
        for options in product(*(choice.options for choice in taken))
    )
    return Anchors(points, tuple(figures))


def _default(accelerator: Accelerator, choice: Choice) -> Value:
    value = hardware_defaults(accelerator)[choice.name]
    return value if value in choice.options else choice.options[len(choice.options) // 2]


def _extents(chip: Accelerator) -> tuple[object, ...]:
    return tuple(array.shape for array in chip.arrays)


def _first_changed_size(chips: Sequence[Accelerator]) -> int | None:
    """The outermost memory whose size is not the same on all chips, by its place; None where all are."""
    for place, memories in enumerate(zip(*(chip.memories for chip in chips), strict=True)):
        if len({memory.size_bits for memory in memories if math.isfinite(memory.size_bits)}) > 1:
            return place
    return None
