"""Which of many designs to try next: those that add most to the front together."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ..studies.pareto import hypervolume, non_dominated

__all__ = ["MOST_OBJECTIVES", "most_volume"]

F64 = NDArray[np.float64]
MOST_OBJECTIVES = 3  # beyond that, exact volumes take too long


def most_volume(front: F64, offered: F64, count: int, reference: F64) -> list[int]:
    """Places of up to ``count`` of the ``offered`` points (n, m), each of which adds most hypervolume to ``front``
    (k, m) and to those chosen before it. Points that add nothing are left out.

    What a point adds only shrinks as others are chosen, so that few are looked at again (Minoux, "Accelerated greedy
    algorithms for maximizing submodular set functions", 1978).
    """
    taken = front[non_dominated(front)] if len(front) else front
    volume = hypervolume(taken, reference)

    def gain(at: int) -> float:
        return hypervolume(np.vstack([taken, offered[at]]), reference) - volume

    heap = [(-gain(at), at) for at in range(len(offered))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        _, at = heapq.heappop(heap)
        now = gain(at)
        if now <= 0.0:
            continue
        if heap and now < -heap[0][0]:
            heapq.heappush(heap, (-now, at))
            continue
        chosen.append(at)
        taken = np.vstack([taken, offered[at]])
        taken, volume = taken[non_dominated(taken)], volume + now
    return chosen
