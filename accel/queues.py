"""How long instances wait for each other behind queues, as the processing elements of EIE do.

Work comes in windows, one for each operand word that goes to all instances, and every instance has a queue of some
windows before it. One that has little to do runs ahead until its queue is empty, one that has much lags until its queue
is full; then the next window waits for it, and so do all that have run ahead (Han et al., "EIE", ISCA 2016, sections
IV and VI). Taking a window from the queue takes a cycle at least, even if no step of it is taken. The mean has no
closed form: it is that of a run over random windows, always the same ones.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

__all__ = ["queued"]

WINDOWS, SETTLED = 4096, 512  # of a run, and of those the ones before it is in its stride
SEED = 20160618


@lru_cache(maxsize=1024)
def queued(window: int, share: float, queue: int, instances: int) -> float:
    """Mean cycles per step of a window of ``window`` steps, each taken with chance ``share`` by an instance.

    ``queue`` windows fit before each of ``instances``. At least the share; with one instance nothing waits.
    """
    chance = np.random.default_rng(SEED)
    ready, entered = np.zeros(instances), np.zeros(queue)  # when an instance is free; when its queue had room for all
    sent = settled = 0.0
    for window_number in range(WINDOWS):
        place = window_number % queue
        sent = max(sent + 1.0, float(entered[place]))
        begins = np.maximum(ready, sent)
        entered[place] = begins.max()
        ready = begins + np.maximum(chance.binomial(window, share, instances), 1)
        if window_number == SETTLED - 1:
            settled = float(ready.mean())
    mean = (float(ready.mean()) - settled) / (WINDOWS - SETTLED) / window
    return max(mean, share) if math.isfinite(mean) else share
