"""Data-parallel training: gradients summed over all devices in a ring, while the backward pass still computes.

Each device has the whole network and its share of the batch. The sum is a ring all-reduce (Patarasuk and Yuan,
"Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 2009): 2(n-1) steps, each of which passes
an n-th of the words on. Gradients are gathered in buckets in the order in which they are ready; the link sends one
bucket after the other, each from when its last gradient is there (Li et al., "PyTorch Distributed", VLDB 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import BadInput
from .links import Link

__all__ = ["BUCKET_BITS", "Bucket", "Exchange", "exchange_gradients", "ring_all_reduce_s", "ring_bits"]

BUCKET_BITS = 25 * 2**20 * 8.0  # the default of torch's DistributedDataParallel


def ring_bits(bits: float, devices: int) -> float:
    """Bits that each device sends, and receives, for the sum of ``bits`` over all devices."""
    return 2.0 * (devices - 1) / devices * bits


def ring_all_reduce_s(bits: float, devices: int, link: Link) -> float:
    """Seconds of a ring all-reduce of ``bits`` over ``devices``; 0 for one device."""
    if devices < 1:
        raise BadInput(f"devices is {devices}; it must be at least 1")
    steps = 2 * (devices - 1)
    return ring_bits(bits, devices) / link.bandwidth_bits_per_s + steps * link.latency_s if steps else 0.0


@dataclass(frozen=True)
class Bucket:
    """Gradients that are sent together: their bits, when the last of them is ready, when the link begins and ends.

    Times in seconds from the start of the backward pass.
    """

    bits: float
    ready_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Exchange:
    """The link's part of a step: all ``buckets``, its busy time, and what of it lies behind the backward pass."""

    buckets: tuple[Bucket, ...] = ()
    backward_s: float = 0.0

    @property
    def link_s(self) -> float:
        """Seconds in which the link sends."""
        return math.fsum(bucket.end_s - bucket.start_s for bucket in self.buckets)

    @property
    def exposed_s(self) -> float:
        """Seconds from the end of the backward pass to that of the last bucket: what nothing hides."""
        return max(0.0, self.buckets[-1].end_s - self.backward_s) if self.buckets else 0.0

    @property
    def exposed_share(self) -> float:
        """The exposed part of the link's time; 0 where it sends nothing."""
        return self.exposed_s / self.link_s if self.link_s else 0.0


def exchange_gradients(
    gradients: Sequence[tuple[float, float]],
    backward_s: float,
    devices: int,
    link: Link,
    *,
    overlap: bool = True,
    bucket_bits: float = BUCKET_BITS,
) -> Exchange:
    """The timeline of the link for ``gradients``: (seconds after the start of the backward pass, bits) in any order.

    A bucket is closed as soon as it holds ``bucket_bits`` (0: each gradient goes alone). Without ``overlap`` nothing is
    sent before the backward pass has ended, so that what is exposed is the sum of all times. One device sends nothing.
    """
    if devices < 2:
        return Exchange(backward_s=backward_s)
    buckets: list[Bucket] = []
    held, free, ordered = 0.0, 0.0, sorted(gradients)
    for place, (ready_s, bits) in enumerate(ordered):
        held += bits
        if held < bucket_bits and place < len(ordered) - 1:
            continue
        ready_s = ready_s if overlap else backward_s
        start = max(free, ready_s)
        free = start + ring_all_reduce_s(held, devices, link)
        buckets.append(Bucket(held, ready_s, start, free))
        held = 0.0
    return Exchange(tuple(buckets), backward_s)
