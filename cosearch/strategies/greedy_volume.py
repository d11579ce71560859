"""Which of many designs to try next: those that add most to the front together."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..studies.pareto import hypervolume, non_dominated

__all__ = ["MOST_OBJECTIVES", "by_gain", "most_volume"]

F64 = NDArray[np.float64]
MOST_OBJECTIVES = 3  # beyond that, exact volumes take too long


def by_gain(count: int, gain: Callable[[int], float]) -> Iterator[tuple[int, float]]:
    """The ``count`` offers, each with its gain over what was taken of those that came before: the greatest first.

    ``gain`` of an offer may only shrink as others are taken, so that few are looked at again (Minoux, "Accelerated
    greedy algorithms for maximizing submodular set functions", 1978). Of equals the first comes first.
    """
    heap = [(-gain(at), at) for at in range(count)]
    heapq.heapify(heap)
    while heap:
        _, at = heapq.heappop(heap)
        now = gain(at)
        if heap and now < -heap[0][0]:
            heapq.heappush(heap, (-now, at))
        else:
            yield at, now


def most_volume(front: F64, offered: F64, count: int, reference: F64) -> list[int]:
    """Places of up to ``count`` of the ``offered`` points (n, m), each of which adds most hypervolume to ``front``
    (k, m) and to those chosen before it. Points that add nothing are left out.
    """
    taken = front[non_dominated(front)] if len(front) else front
    volume = hypervolume(taken, reference)

    def gain(at: int) -> float:
        return hypervolume(np.vstack([taken, offered[at]]), reference) - volume

    chosen: list[int] = []
    for at, added in by_gain(len(offered), gain):
        if added <= 0.0 or len(chosen) == count:
            break
        chosen.append(at)
        taken = np.vstack([taken, offered[at]])
        taken, volume = taken[non_dominated(taken)], volume + added
    return chosen
