"""When to run on a grid whose carbon changes by the hour: the cleanest stretch, or the cleanest hours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ...errors import BadInput

__all__ = ["BestHours", "best_run", "best_split", "mean_over"]

_S_PER_HOUR = 3600.0


@dataclass(frozen=True)
class BestHours:
    """When to run: ``runs`` of (start, length) in hours from the begin of the series, in order of time.

    ``kg_per_j`` is the mean intensity while running, ``mean_kg_per_j`` that of the whole series.
    """

    runs: tuple[tuple[float, float], ...]
    kg_per_j: float
    mean_kg_per_j: float

    @property
    def start_hour(self) -> float:
        """When the first run starts."""
        return self.runs[0][0]

    @property
    def saved_share(self) -> float:
        """The share of the carbon that is saved beside running at any time (0 on a grid without carbon)."""
        return 1.0 - self.kg_per_j / self.mean_kg_per_j if self.mean_kg_per_j else 0.0

    def saved_kg(self, energy_j: float) -> float:
        """Kilograms saved on ``energy_j`` joules beside running at any time."""
        return energy_j * (self.mean_kg_per_j - self.kg_per_j)


def mean_over(hourly: Sequence[float], start_hour: float, duration_s: float) -> float:
    """The mean from ``start_hour`` for ``duration_s``, hours being constant and the series periodic."""
    sums = (0.0, *accumulate(hourly))
    if not math.isfinite(start_hour):
        raise BadInput(f"a start at hour {start_hour}; give a number")
    return _mean(sums, start_hour, _hours(duration_s))


def best_run(hourly: Sequence[float], duration_s: float) -> BestHours:
    """The start with the least mean over one stretch.

    The sum over a stretch is linear in its start between the starts at which an end of it meets a full hour, so one of
    these is best.
    """
    hours, count = _hours(duration_s), len(hourly)
    sums = (0.0, *accumulate(hourly))
    starts = sorted({float(hour) for hour in range(count)} | {(hour - hours) % count for hour in range(count)})
    start = min(starts, key=lambda at: (_mean(sums, at, hours), at))
    # Rounding must not make a fraction of an hour of two starts that are equally good.
    full = [at for at in starts if at == int(at) and math.isclose(_mean(sums, at, hours), _mean(sums, start, hours))]
    start = full[0] if full else start
    return BestHours(((start, hours),), _mean(sums, start, hours), sums[-1] / count)


def best_split(hourly: Sequence[float], duration_s: float) -> BestHours:
    """The cleanest hours, the dearest of them in part; neighbours are joined."""
    hours, count = _hours(duration_s), len(hourly)
    if hours > count:
        raise BadInput(f"{hours:g} hours do not fit into a series of {count}; run without pauses, or for less")
    order = sorted(range(count), key=lambda hour: (hourly[hour], hour))[: math.ceil(hours)]
    last = order[-1]
    taken = dict.fromkeys(order[:-1], 1.0) | {last: hours - (len(order) - 1)}
    total = math.fsum(hourly[hour] * part for hour, part in taken.items())
    return BestHours(_joined(taken), total / hours, math.fsum(hourly) / count)


def _joined(taken: dict[int, float]) -> tuple[tuple[float, float], ...]:
    """Runs of neighbouring hours; an hour taken in part lies where it touches its run."""
    runs: list[tuple[float, float]] = []
    for hour in sorted(taken):
        begin = float(hour)
        if taken[hour] < 1.0 and hour - 1 not in taken and hour + 1 in taken:
            begin = hour + 1.0 - taken[hour]
        if runs and math.isclose(runs[-1][0] + runs[-1][1], begin, abs_tol=1e-9):
            runs[-1] = (runs[-1][0], runs[-1][1] + taken[hour])
        else:
            runs.append((begin, taken[hour]))
    return tuple(runs)


def _hours(duration_s: float) -> float:
    if not (math.isfinite(duration_s) and duration_s > 0.0):
        raise BadInput(f"a duration of {duration_s} s; give more than 0")
    return duration_s / _S_PER_HOUR


def _mean(sums: Sequence[float], start: float, hours: float) -> float:
    return (_until(sums, start + hours) - _until(sums, start)) / hours


def _until(sums: Sequence[float], hour: float) -> float:
    """The integral of the periodic series from 0 to ``hour``."""
    rounds, rest = divmod(hour, len(sums) - 1)
    full = int(rest)
    part = (rest - full) * (sums[full + 1] - sums[full]) if rest > full else 0.0
    return rounds * sums[-1] + sums[full] + part
