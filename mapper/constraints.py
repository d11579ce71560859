"""What a user rules out of a mapspace: fixed dataflows, fixed factors, allowed dimensions, kinds of factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..models.op import Role

__all__ = ["Constraints", "Imperfect", "LevelConstraint"]

Imperfect = Literal["none", "arrays", "all"]


@dataclass(frozen=True)
class LevelConstraint:
    """What loops one level may have; everything left out stays free.

    ``order`` lists dimensions outermost to innermost: these loops stand innermost, in this order. ``stationary`` names
    a tensor whose own dimensions stand outside all others. ``factors`` fixes loop bounds by dimension, ``dims`` limits
    the dimensions with a loop. ``axes`` holds the same of an array's axes.
    """

    order: tuple[str, ...] = ()
    stationary: Role | None = None
    factors: Mapping[str, int] = field(default_factory=dict)
    dims: frozenset[str] | None = None
    axes: Mapping[str, LevelConstraint] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraints:
    """Constraints by level name, and which factors need not divide their dimension.

    ``imperfect``: "none"; "arrays" (loops in space may leave a partial tile); "all" (loops in time as well).
    """

    levels: Mapping[str, LevelConstraint] = field(default_factory=dict)
    imperfect: Imperfect = "arrays"
