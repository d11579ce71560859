"""How long instances wait for each other when each skips steps of its own.

Of ``window`` steps an instance takes Binomial(window, share). The instances wait for the slowest at the end of each
window, so that a window lasts as long as the largest of that many independent draws: its mean follows from the
distribution function F of one of them, ``E[max] = Σ_k 1 - F(k)^instances``, which is exact.
"""

from __future__ import annotations

import math
from functools import lru_cache

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
    found, above = [0.0] * window, 0.0
    for k in range(window - 1, -1, -1):
        above += chances[k + 1]
        below = math.fsum(chances[: k + 1]) if above > 0.5 else 1.0
        found[k] = math.log1p(-above) if above <= 0.5 else math.log(below) if below > 0.0 else -math.inf
    return tuple(found)


def slowest(logs: tuple[float, ...], instances: float) -> float:
    """Mean share of a window's steps that the slowest of ``instances`` takes; ``logs`` are its `log_cdf`."""
    total = 0.0
    for k in range(len(logs) - 1, -1, -1):
        at = instances * logs[k]
        if at < NEVER:
            total += k + 1.0
            break
        if at < CERTAIN:
            total -= math.expm1(at)
    return total / len(logs)
