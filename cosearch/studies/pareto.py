"""Pareto fronts of points to be minimised: which are not dominated, and how much space they dominate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ...errors import BadInput

__all__ = ["balanced", "dominates", "hypervolume", "hypervolume_history", "non_dominated", "scaled"]

Points = npt.NDArray[np.float64]


def dominates(left: npt.ArrayLike, right: npt.ArrayLike) -> bool:
    """Whether ``left`` is no worse than ``right`` in every objective and better in one."""
    a, b = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    return bool(np.all(a <= b) and np.any(a < b))


def non_dominated(points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mask (n,) of the points (n, objectives) that no other point dominates; of equal points the first one stays.

    Raises `BadInput` for NaN, which no order holds.
    """
    values = _checked(points)
    keep = np.zeros(len(values), dtype=bool)
    # In lexicographic order a point can only be dominated, or equalled, by one that came before it.
    order = np.lexsort(values.T[::-1]) if values.size else np.arange(0)
    if values.shape[1] == 2:
        second = values[order, 1]
        keep[order[:1]] = True
        keep[order[1:]] = second[1:] < np.minimum.accumulate(second)[:-1]
        return keep
    front: list[Points] = []
    for index in order:
        point = values[index]
        if not front or not np.any(np.all(np.asarray(front) <= point, axis=1)):
            front.append(point)
            keep[index] = True
    return keep


def hypervolume(points: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Volume of the space between the points (n, objectives) and the ``reference`` (objectives,) they dominate: exact.

    Points that do not improve on the reference in every objective add nothing. Slices along the last objective and
    recurses (Hypervolume by Slicing Objectives, While et al., IEEE Trans. Evol. Comp. 2006).
    """
    limit = np.asarray(reference, dtype=float)
    values = _checked(points)
    if len(values) == 0:
        return 0.0
    if values.shape[1] != len(limit):
        raise BadInput(f"the reference has {len(limit)} objectives, the points have {values.shape[1]}")
    inside = values[np.all(values < limit, axis=1)]
    return _volume(inside[non_dominated(inside)], limit)


def _volume(front: Points, limit: Points) -> float:
    if len(front) == 0:
        return 0.0
    if front.shape[1] == 1:
        return float(limit[0] - front[:, 0].min())
    if front.shape[1] == 2:
        return _staircase(front, limit)
    front = front[np.argsort(front[:, -1], kind="stable")]
    ends = np.append(front[1:, -1], limit[-1])
    total = 0.0
    for count, (start, end) in enumerate(zip(front[:, -1], ends, strict=True), start=1):
        if end > start:
            slab = front[:count, :-1]
            total += (end - start) * _volume(slab[non_dominated(slab)], limit[:-1])
    return float(total)


def _staircase(front: Points, limit: Points) -> float:
    """Area in two objectives of mutually non-dominated points: widths to the next step times heights."""
    steps = front[np.argsort(front[:, 0], kind="stable")]
    widths = np.append(steps[1:, 0], limit[0]) - steps[:, 0]
    return float(np.sum(widths * (limit[1] - steps[:, 1])))


def hypervolume_history(points: npt.ArrayLike, reference: npt.ArrayLike) -> Iterator[float]:
    """The hypervolume after each of the points (n, objectives) in turn; rows with NaN (no design) add nothing."""
    values = np.asarray(points, dtype=float)
    limit = np.asarray(reference, dtype=float)
    front, volume = np.empty((0, len(limit))), 0.0
    for point in values:
        new = not np.isnan(point).any() and bool(np.all(point < limit))
        if new and not np.any(np.all(front <= point, axis=1)):
            front = np.vstack([front[~np.all(point <= front, axis=1)], point])
            volume = _volume(front, limit)
        yield volume


def balanced(points: npt.ArrayLike) -> int:
    """Index of the front's point nearest to the ideal one, each objective `scaled` to 0..1 over the front."""
    values = _checked(points)
    if len(values) == 0:
        raise BadInput("an empty front has no balanced design")
    return int(np.argmin(np.sum(scaled(values, values) ** 2, axis=1)))


def scaled(points: npt.ArrayLike, over: npt.ArrayLike) -> Points:
    """Points (n, objectives), each objective scaled to 0 at the least and 1 at the most of ``over`` (m, objectives).

    Objectives of which ``over`` spans more than a factor of three are compared by their logarithm: halving counts the
    same anywhere. An objective that ``over`` does not vary is 0.
    """
    values, known = _checked(points), _checked(over)
    low, high = known.min(axis=0), known.max(axis=0)
    found = np.zeros_like(values)
    for axis in range(values.shape[1]):
        column, bottom, top = values[:, axis], low[axis], high[axis]
        if bottom > 0 and top > 3 * bottom:
            column, bottom, top = np.log(np.maximum(column, np.finfo(float).tiny)), np.log(bottom), np.log(top)
        if top > bottom:
            found[:, axis] = (column - bottom) / (top - bottom)
    return found


def _checked(points: npt.ArrayLike) -> Points:
    values = np.asarray(points, dtype=float)
    if values.ndim != 2:
        if values.size:
            raise BadInput(f"points must be a table (points, objectives), not of shape {values.shape}")
        return np.empty((0, 0))
    if np.isnan(values).any():
        raise BadInput("a point holds NaN; leave designs without a result out")
    return values
