"""How parts of an accelerator work that not every one has: a DRAM's timing, systolic passes, steps that zeros save."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..models.op import Role
from .systolic import Dataflow, pass_overhead_cycles

__all__ = ["DramTiming", "Packed", "Skipping", "Systolic"]


@dataclass(frozen=True)
class DramTiming:
    """What a DRAM takes besides its words' time at its bandwidth; only the simulator knows of it.

    The memory's bandwidth is that of all ``channels``. Each moves whole bursts (0: any number of bits) and opens rows
    of ``row_bits`` in ``banks`` by turns, ``row_miss_s`` (precharge and activate) beyond a hit. All banks of all
    channels refresh for ``refresh_time_s`` at each multiple of ``refresh_interval_s``.
    """

    channels: int = 1
    burst_bits: float = 0.0
    row_bits: float = math.inf
    row_miss_s: float = 0.0
    banks: int = 1
    refresh_interval_s: float = math.inf
    refresh_time_s: float = 0.0


@dataclass(frozen=True)
class Systolic:
    """An array through which operands and sums pass from neighbour to neighbour while one tensor stays put.

    ``rows`` × ``columns`` elements, whatever share of them a mapping uses; with ``overlapped`` passes follow each other
    without a gap (see `pass_overhead_cycles`).
    """

    dataflow: Dataflow
    rows: int
    columns: int
    overlapped: bool = False

    @property
    def stationary(self) -> Role:
        """The tensor that stays put during a pass."""
        found: dict[Dataflow, Role] = {
            "weight_stationary": "weight", "output_stationary": "output", "input_stationary": "input",
        }  # fmt: skip
        return found[self.dataflow]

    @property
    def overhead_cycles(self) -> int:
        """Cycles besides the steps: of each pass or, where passes overlap, once."""
        return pass_overhead_cycles(self.dataflow, self.rows, self.columns, overlapped=self.overlapped)


@dataclass(frozen=True)
class Packed:
    """Of each aligned ``tile`` (dimension to size) of a tensor, the words that are not zero, ``lanes`` at a time."""

    tile: Mapping[str, int]
    lanes: int


@dataclass(frozen=True)
class Skipping:
    """Steps that are not taken because a zero among the ``leaders`` makes their products zero.

    Zeros are found for whole aligned ``blocks`` (dimension to size; none: for single words); with ``structured`` (n, m)
    only where of m neighbouring words at most n are not zero, of which n are taken. Zeros of the ``common`` leaders are
    found before work is handed out, so that all instances skip the step; for the others each instance skips on its own,
    and after ``window`` steps they wait for each other (0: not within an operator), or only where one is ``queue``
    windows ahead of another (0: after each). Words that the ``scan`` leaders leave over are looked at, ``scan_rate`` a
    cycle, for finding out. Those of a ``packed`` leader are dealt to lanes that step together, so that the last of a
    tile may leave some lanes without work. Zero words that a run-length code inserts are steps for ``padded`` leaders.
    """

    leaders: frozenset[Role]
    common: frozenset[Role] = frozenset()
    blocks: Mapping[str, int] = field(default_factory=dict)
    structured: tuple[int, int] | None = None
    window: int = 0
    queue: int = 0
    packed: Mapping[Role, Packed] = field(default_factory=dict)
    padded: frozenset[Role] = frozenset()
    scan: frozenset[Role] = frozenset()
    scan_rate: float = math.inf
