"""What making a thing has cost: carbon, and the fab's electricity where it is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import BadInput

__all__ = ["Footprint"]


@dataclass(frozen=True)
class Footprint:
    """One made thing, or a sum of such: kilograms of CO2 equivalent, and the electricity of its fab in joules.

    ``energy_j`` is 0 where the source gives carbon alone (memory, storage, packages). ``parts`` add up to the whole.
    Raises `BadInput` for a negative or endless figure.
    """

    name: str
    co2e_kg: float
    energy_j: float = 0.0
    parts: tuple[Footprint, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, value in (("carbon", self.co2e_kg), ("energy", self.energy_j)):
            if not (math.isfinite(value) and value >= 0.0):
                raise BadInput(f"{self.name}: {what} of {value}; a footprint is finite and at least 0")

    @classmethod
    def total(cls, name: str, parts: Iterable[Footprint]) -> Footprint:
        """The sum of ``parts``, each source named once."""
        parts = tuple(parts)
        return cls(
            name=name,
            co2e_kg=math.fsum(part.co2e_kg for part in parts),
            energy_j=math.fsum(part.energy_j for part in parts),
            parts=parts,
            sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        )

    def times(self, count: float, name: str | None = None) -> Footprint:
        """``count`` such things (a share of one where it is below 1); raises `BadInput` for a negative count."""
        if not (math.isfinite(count) and count >= 0.0):
            raise BadInput(f"{self.name}: a count of {count}; give 0 or more")
        return Footprint(
            name=name or self.name,
            co2e_kg=count * self.co2e_kg,
            energy_j=count * self.energy_j,
            parts=tuple(part.times(count) for part in self.parts),
            sources=self.sources,
        )

    def part(self, name: str) -> Footprint:
        """The part called ``name``; raises `BadInput`."""
        for part in self.parts:
            if part.name == name:
                return part
        raise BadInput(
            f"{self.name} has no part '{name}'; it has {', '.join(part.name for part in self.parts) or 'none'}"
        )
