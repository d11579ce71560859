"""What passes the networks of arrays whose bandwidth is limited: the words at their roots, at the parent's width.

Children of an array that shares transfers cause one at its root. An array's bandwidth counts for each of its instances
in use, like a memory's. Arrays without a limit do not occur here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...models.op import ROLES
from ..accelerator import Array, Memory
from ..clock import Clock
from ..traffic import Boundary
from .moves import Turns

__all__ = ["Bus", "Buses", "bits_of_words"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bus:
    """The bits [tiles] of a stream that pass the array at ``place`` on their way down and up, and its bits a cycle."""

    place: int
    rate: float
    down: Floats
    up: Floats


class Buses:
    """The limited arrays of one nest: ``rates`` by place, bits a cycle."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.traffic = clock, clock.traffic
        nest, hertz = clock.nest, clock.accelerator.clock_hz
        self.rates: dict[int, float] = {}
        for place, level in enumerate(nest.places):
            if isinstance(level, Array) and math.isfinite(level.bandwidth_bits_per_s):
                used = math.prod(loop.bound for loop in nest.spatial_above(place))
                self.rates[place] = level.bandwidth_bits_per_s / hertz * used

    def stages(self, way: Boundary) -> list[tuple[int, int]]:
        """(place, stage of sharing at its root) of each limited array on the way, see `Traffic.at_stage`."""
        arrays = self.traffic.arrays(way)
        return [(place, number + 1) for number, place in enumerate(arrays) if place in self.rates]

    def stream(self, way: Boundary, turns: Turns, returns: npt.NDArray[np.bool_]) -> tuple[Bus, ...]:
        """The arrays on the way of a stream whose tiles turn so; ``returns`` says which sums come back."""
        found = []
        for place, stage in self.stages(way):
            down = turns.words(self.traffic.sharing(way, lambda array: way.role in array.multicast)[stage]).entering
            up = np.zeros(len(down))
            if way.role == "output":
                down = down * returns
                whole = self.traffic.at_stage(way, stage)
                leaving = turns.words(self.traffic.sharing(way, lambda array: array.reduces)[stage]).leaving
                up = bits_of_words(leaving, self._rising(whole) - self._last(whole))
            width = self.clock.bits(way, way.parent)
            found.append(Bus(place, self.rates[place], np.multiply(down, width, dtype=np.float64), up))
        return tuple(found)

    def first(self, way: Boundary) -> tuple[tuple[int, float, float], ...]:
        """(place, bits, bits a cycle) of an operand's first tile at each limited array on its way."""
        width = self.clock.bits(way, way.parent)
        return tuple(
            (place, self.traffic.at_stage(way, stage).first_served * width, self.rates[place])
            for place, stage in self.stages(way)
        )

    def last(self, way: Boundary) -> tuple[tuple[int, float, float], ...]:
        """Likewise of the outputs' last tile."""
        return tuple(
            (place, self._last(self.traffic.at_stage(way, stage)), self.rates[place])
            for place, stage in self.stages(way)
        )

    def totals(self) -> dict[int, float]:
        """Bits by place over the whole run, between memories and between them and the compute."""
        found, end = dict.fromkeys(self.rates, 0.0), len(self.traffic.nest.places)
        inside = (Boundary(role, self.traffic.keepers(role)[-1], end) for role in ROLES)
        for way in (*self.traffic.boundaries, *inside):
            for place, stage in self.stages(way):
                at, memory = self.traffic.at_stage(way, stage), self.traffic.nest.places[way.parent]
                bits = at.served * self.clock.bits(way, way.parent)
                bits += self._rising(at) if way.role == "output" else 0.0
                if way.child == end and isinstance(memory, Memory):
                    bits *= self.clock.savings.passing(memory, way.role)
                found[place] += bits
        return found

    def _rising(self, at: Boundary) -> float:
        return self.clock.rising(at.parent, at.collected, at.words)

    def _last(self, at: Boundary) -> float:
        return self.clock.rising(at.parent, at.last_collected, at.last_words)


def bits_of_words(words: npt.NDArray[np.int64], total: float) -> Floats:
    """Bits of each tile of output words, which take ``total`` bits in all: at the mean width of sums on their way."""
    count = int(words.sum())
    return np.multiply(words, total / count if count else 0.0, dtype=np.float64)
