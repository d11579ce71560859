"""How long instances wait for each other when each skips steps of its own.

Of ``window`` steps an instance takes Binomial(window, share). The instances wait for the slowest at the end of each
window, so that a window lasts as long as the largest of that many independent draws: its mean follows from the
distribution function F of one of them, ``E[max] = Σ_k 1 - F(k)^instances``, which is exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate

__all__ = ["log_cdf", "slowest"]

CERTAIN, NEVER = -1e-17, -45.0  # logarithms of what is as good as 1 and as good as 0


@lru_cache(maxsize=4096)
def log_cdf(window: int, share: float) -> tuple[float, ...]:
    """[window] logarithm of the chance that at most k of ``window`` steps are taken, k from 0; the tail is exact.

    Where the chance is next to 1, it is what is missing that counts: the sum runs over the other side.
    """
    if share <= 0.0 or share >= 1.0:
        return (0.0 if share <= 0.0 else -math.inf,) * window
    chances = [
        math.exp(
            math.lgamma(window + 1) - math.lgamma(k + 1) - math.lgamma(window - k + 1)
            + k * math.log(share) + (window - k) * math.log1p(-share)
        )
        for k in range(window + 1)
    ]  # fmt: skip
    below, above = list(accumulate(chances)), list(accumulate(reversed(chances)))[::-1]
    found = [
        math.log1p(-above[k + 1]) if above[k + 1] <= 0.5 else math.log(below[k]) if below[k] > 0.0 else -math.inf
        for k in range(window)
    ]
    return tuple(found)


def slowest(logs: tuple[float, ...], instances: float) -> float:
    """Mean share of a window's steps that the slowest of ``instances`` takes; ``logs`` are its `log_cdf`."""
    first, last = bisect_left(logs, NEVER / instances), bisect_left(logs, CERTAIN / instances)
    return (first - math.fsum(math.expm1(instances * log) for log in logs[first:last])) / len(logs)
