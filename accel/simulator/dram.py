"""How long a DRAM takes for a transfer besides its bandwidth: whole bursts, rows that must be opened, refresh.

Rows follow each other over the banks by turns. A bank's next row is precharged and activated as soon as its last word
of the row before has moved, so that rows of other banks hide the miss as far as their words take that long. What the
command bus and the current limit between activates (tRRD, tFAW), or turning the data bus around, is not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import BadInput
from ..accelerator import DramTiming

__all__ = ["DramCycles", "bursts", "channel_cycles", "split", "stream_cycles", "transfer_cycles", "with_refresh"]

_ROUNDING = 1.0 - 1e-12  # a quotient that is whole but for its rounding counts as whole


@dataclass(frozen=True)
class DramCycles:
    """A `DramTiming` in cycles of the accelerator's clock; sizes are bits of one channel."""

    channels: int = 1
    burst_bits: float = 0.0
    row_bits: float = math.inf
    row_miss: float = 0.0
    banks: int = 1
    refresh_interval: float = math.inf
    refresh_time: float = 0.0

    @classmethod
    def of(cls, timing: DramTiming, clock_hz: float) -> DramCycles:
        """The timing at this clock."""
        return cls(
            timing.channels,
            timing.burst_bits,
            timing.row_bits,
            timing.row_miss_s * clock_hz,
            timing.banks,
            timing.refresh_interval_s * clock_hz,
            timing.refresh_time_s * clock_hz,
        )

    @property
    def bits_a_row(self) -> float:
        """Bits that one row of a channel gives, in whole bursts."""
        if not self.burst_bits or math.isinf(self.row_bits):
            return self.row_bits
        return self.row_bits // self.burst_bits * self.burst_bits


def channel_cycles(timing: DramCycles, bits: float, bandwidth_bits_per_cycle: float, *, opened: bool) -> float:
    """Cycles in which one channel of this bandwidth moves so many bits, which begin a row.

    ``opened``: the first row is open already, a hit; else its whole miss counts. Of the rows behind it every
    ``banks``-th waits for its bank, for as much of the miss as the words of the other banks leave of it. Never less
    than the bits over the bandwidth. Raises `BadInput` for less than no bits and for a bandwidth that is not positive.
    """
    if not bits >= 0.0:
        raise BadInput(f"{bits:g} bits cannot be moved; a transfer has none or more")
    if not bandwidth_bits_per_cycle > 0.0:
        raise BadInput(f"a DRAM channel of {bandwidth_bits_per_cycle:g} bits a cycle moves nothing; give it bandwidth")
    if bits == 0.0:
        return 0.0
    moved = max(bits, bursts(timing, bits) * timing.burst_bits)
    rows = max(1, math.ceil(moved / timing.bits_a_row * _ROUNDING))
    streamed = moved / bandwidth_bits_per_cycle
    return streamed + _misses(timing, rows, timing.bits_a_row / bandwidth_bits_per_cycle if rows > 1 else 0.0, opened)


def _misses(timing: DramCycles, rows: int, row_cycles: float, opened: bool) -> float:
    """Cycles in which no word moves since a row is not open yet; the words of a row take ``row_cycles``."""
    beyond = _beyond(timing, row_cycles)
    if not opened:  # all banks begin at once with the first miss, then each waits for its own turn
        return timing.row_miss + ((rows - 1) // timing.banks) * beyond
    if rows == 1:
        return 0.0
    # the other banks begin with the first row's words; from the second row on it is as above
    second = timing.row_miss if timing.banks == 1 else max(0.0, timing.row_miss - row_cycles)
    return second + ((rows - 2) // timing.banks) * beyond


def _beyond(timing: DramCycles, row_cycles: float) -> float:
    """What is left of a miss once the words of the other banks' rows have moved."""
    return max(0.0, timing.row_miss - (timing.banks - 1) * row_cycles)


def stream_cycles(timing: DramCycles, bits: float, bandwidth_bits_per_cycle: float, *, opened: bool) -> float:
    """Cycles in which one channel moves so many bits of a long stream: bursts and rows by their share in it.

    ``opened``: the stream goes on where it was; else its row is opened again.
    """
    if not bits or math.isinf(timing.bits_a_row):
        return bits / bandwidth_bits_per_cycle + (0.0 if opened or not bits else timing.row_miss)
    every = _beyond(timing, timing.bits_a_row / bandwidth_bits_per_cycle) / timing.banks
    streamed = bits / bandwidth_bits_per_cycle + bits / timing.bits_a_row * every
    return streamed + (0.0 if opened else timing.row_miss)


def bursts(timing: DramCycles, bits: float) -> int:
    """Bursts that hold so many bits (0: this DRAM has none)."""
    return math.ceil(bits / timing.burst_bits * _ROUNDING) if timing.burst_bits else 0


def split(timing: DramCycles, bits: float) -> tuple[float, ...]:
    """The bits that each channel moves: bursts go to the channels by turns, the last of them may be partly used."""
    channels, count = timing.channels, bursts(timing, bits)
    if not count:
        return (bits / channels,) * channels
    shares = [(count - channel + channels - 1) // channels * timing.burst_bits for channel in range(channels)]
    shares[(count - 1) % channels] -= count * timing.burst_bits - bits
    return tuple(shares)


def transfer_cycles(timing: DramCycles, bits: float, bandwidth_bits_per_cycle: float, *, opened: bool = False) -> float:
    """Cycles in which all channels together, of this bandwidth in sum, move so many bits; the fullest decides."""
    share = max(split(timing, bits))
    return channel_cycles(timing, share, bandwidth_bits_per_cycle / timing.channels, opened=opened)


def with_refresh(timing: DramCycles, start: float, duration: float) -> float:
    """When a transfer that may begin at ``start`` and takes ``duration`` ends (cycles since the simulation began).

    A channel stands still from k × interval to k × interval + time for k = 1, 2, …: a transfer that would begin in a
    refresh begins after it, one that meets refreshes is longer by each. Reopening rows afterwards is not counted.
    """
    if not (start >= 0.0 and duration >= 0.0):
        raise BadInput(f"a transfer of {duration:g} cycles at cycle {start:g} cannot be; both are zero or more")
    if math.isinf(timing.refresh_interval) or not timing.refresh_time or not duration:
        return start + duration
    past = math.floor(start / timing.refresh_interval)
    begin = max(start, past * timing.refresh_interval + timing.refresh_time) if past else start
    rest = duration - ((past + 1) * timing.refresh_interval - begin)  # what is left at the next refresh
    met = math.ceil(rest / (timing.refresh_interval - timing.refresh_time) * _ROUNDING) if rest > 0.0 else 0
    return begin + duration + met * timing.refresh_time
