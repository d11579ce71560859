"""Fitting few physical constants to measured times by the least sum of absolute relative errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

__all__ = ["Times", "fit_times"]

Times = Callable[[Mapping[str, float]], Sequence[float]]


def fit_times(
    times: Times,
    start: Mapping[str, float],
    measured: Sequence[float],
    *,
    least: Mapping[str, float] | None = None,
    rounds: int = 3,
) -> dict[str, float]:
    """Constants (durations of something, ≥ 0) for which ``times(constants)`` come closest to ``measured``.

    Times are sums of durations, so that the model is close to linear in each constant: a linear programme finds the
    least sum of |modelled − measured| / measured with slopes taken at the present values, ``rounds`` times over. Unlike
    least squares it lets a single outlier be one. Constants stay at or above ``least`` (default: a hundredth of their
    start).
    """
    import numpy as np
    from scipy.optimize import linprog

    wanted, names = np.asarray(measured, float), list(start)
    now = dict(start)
    for _ in range(rounds):
        base = np.asarray(times(now), float)
        slopes = np.stack(
            [(np.asarray(times(now | {name: 1.05 * now[name]})) - base) / (0.05 * now[name]) for name in names], 1
        )
        rest = (wanted - base + slopes @ np.array([now[name] for name in names])) / wanted
        slopes = slopes / wanted[:, None]
        count = len(wanted)
        # Variables: the constants, then one bound on the absolute error of each row.
        bounds = [((least or {}).get(name, 0.01 * start[name]), None) for name in names] + [(0.0, None)] * count
        identity = np.eye(count)
        found = linprog(
            np.concatenate([np.zeros(len(names)), np.ones(count)]),
            A_ub=np.block([[slopes, -identity], [-slopes, -identity]]), b_ub=np.concatenate([rest, -rest]),
            bounds=bounds,
        )  # fmt: skip
        now = {name: float(value) for name, value in zip(names, found.x, strict=False)}
    return now
