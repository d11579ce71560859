"""How much to compress each layer: the least distortion for a cost, by dynamic programming.

A layer has levels (densities, word widths), each with the distortion it brings and the cost it leaves; both add up over
layers. This is the multiple-choice knapsack problem. Labels (cost, distortion) of the first layers are extended layer
by layer, and those that another one beats in both are dropped (Nemhauser & Ullmann, Management Science 15, 1969). For a
budget, labels are also dropped that no choice of the other layers can make both cheap enough and better than a
solution known: its linear relaxation follows the lower convex hulls of the layers (Sinha & Zoltners, Operations
Research 27, 1979). Layer-adaptive pruning by such sums of distortions: Xu et al., ICCV 2023.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput, CannotDo

__all__ = ["Allocation", "Costs", "allocate", "allocation_front"]

Numbers = NDArray[np.float64]
_ROUNDING = 1e-9  # relative: sums of the bounds are added up in another order
Costs = Mapping[str, Sequence[float]] | Callable[[str, int], float]


@dataclass(frozen=True)
class Allocation:
    """The number of each layer's level, and the sums of their distortions and costs."""

    levels: Mapping[str, int]
    distortion: float
    cost: float


def allocate(distortion: Mapping[str, Sequence[float]], cost: Costs, budget: float) -> Allocation:
    """The levels with the least sum of distortions whose costs sum to at most ``budget``; of equal ones, the cheapest.

    ``distortion`` gives each layer's curve, level by level, ``cost`` the same of costs, or a function of the layer and
    the number of a level. The answer is exact: costs are not rounded, and no choice of levels is better.

    Raises `BadInput` for curves that do not match or are no numbers, `CannotDo` where the cheapest levels cost more.
    """
    table = _table(distortion, cost)
    if not budget >= 0.0:
        raise BadInput(f"budget {budget}: give a cost of 0 or more")
    least = _sum(float(costs.min()) for _, costs in table.values())
    if least > budget:
        raise CannotDo(f"the cheapest levels cost {least:.6g}, above the budget of {budget:.6g}; raise the budget")
    return _labels(table, _Bounds(table, budget), 0.0)[-1]


def allocation_front(
    distortion: Mapping[str, Sequence[float]], cost: Costs, *, resolution: float = 0.0
) -> list[Allocation]:
    """Every pair of cost and distortion that no choice of levels beats in both, cheapest first.

    Without a ``resolution`` their number can double with each layer. With one of, say, 0.01 the front is coarser:
    whatever choice there is, one of the front has no more distortion and costs more by at most 1 % of the dearest
    choice. The other arguments and what is raised are as in `allocate`.
    """
    table = _table(distortion, cost)
    if not 0.0 <= resolution < 1.0:
        raise BadInput(f"resolution {resolution}: give a share of the largest cost from 0 up to, but not including, 1")
    dearest = _sum(float(costs.max()) for _, costs in table.values())
    return _labels(table, None, resolution * dearest / len(table))


# ---- the table


_Table = Mapping[str, tuple[Numbers, Numbers]]


def _table(distortion: Mapping[str, Sequence[float]], cost: Costs) -> _Table:
    """By layer, distortions and costs of its levels; each checked."""
    if not distortion:
        raise BadInput("no layer to allocate levels to; give a distortion curve for at least one")
    if not callable(cost) and set(cost) != set(distortion):
        odd = sorted(set(cost) ^ set(distortion))[0]
        raise BadInput(f"{odd}: costs and distortions are for different layers; give both for each")
    table = {}
    for layer, curve in distortion.items():
        costs = [cost(layer, at) for at in range(len(curve))] if callable(cost) else cost[layer]
        if len(costs) != len(curve) or not len(curve):
            raise BadInput(f"{layer}: {len(curve)} distortions and {len(costs)} costs; give one of each per level")
        values = np.asarray(curve, dtype=float), np.asarray(costs, dtype=float)
        for what, numbers in zip(("distortion", "cost"), values, strict=True):
            wrong = [float(one) for one in numbers if not 0.0 <= one < math.inf]
            if wrong:
                raise BadInput(f"{layer}: {what} {wrong[0]} is not a number of 0 or more")
        table[layer] = values
    return table


def _sum(values: Iterable[float]) -> float:
    """One after another, as labels are added up: the same levels give the same number everywhere."""
    total = 0.0
    for value in values:
        total += value
    return total


# ---- labels


def _labels(table: _Table, bounds: _Bounds | None, step: float) -> list[Allocation]:
    """The front of all layers' sums, cheapest first; within bounds only what may lead to the best of a budget."""
    names = list(table)
    costs, distortions = np.zeros(1), np.zeros(1)
    trail: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for at, name in enumerate(names):
        more_distortion, more_cost = table[name]
        all_costs = (costs[:, None] + more_cost).ravel()
        all_distortions = (distortions[:, None] + more_distortion).ravel()
        keep = np.arange(len(all_costs))
        if bounds is not None:
            keep = keep[bounds.possible(at + 1, all_costs, all_distortions)]
        keep = keep[_unbeaten(all_costs[keep], all_distortions[keep], step)]
        trail.append((keep // len(more_cost), keep % len(more_cost)))
        costs, distortions = all_costs[keep], all_distortions[keep]
    return [_allocation(names, table, trail, last) for last in range(len(costs))]


def _allocation(
    names: Sequence[str], table: _Table, trail: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], last: int
) -> Allocation:
    chosen: dict[str, int] = {}
    for name, (parents, numbers) in zip(reversed(names), reversed(trail), strict=True):
        chosen[name], last = int(numbers[last]), int(parents[last])
    levels = {name: chosen[name] for name in names}
    sums = [_sum(float(table[name][which][level]) for name, level in levels.items()) for which in (0, 1)]
    return Allocation(levels, sums[0], sums[1])


def _unbeaten(costs: Numbers, distortions: Numbers, step: float) -> NDArray[np.int64]:
    """Positions of the pairs that no other beats in both, cheapest first; with a ``step`` of costs, one for each.

    The pair that stands for a step is its best, so that nothing gets worse by the others' absence but the cost.
    """
    order = np.lexsort((distortions, costs))
    before = np.minimum.accumulate(distortions[order])
    better = np.ones(len(order), dtype=bool)
    better[1:] = before[1:] < before[:-1]
    front = order[better]
    if step > 0.0 and len(front):
        bins = np.floor(costs[front] / step)
        front = front[np.append(bins[1:] != bins[:-1], True)]
    return front


class _Bounds:
    """What the layers not yet decided can at best do within the budget, and a solution that is known."""

    def __init__(self, table: _Table, budget: float) -> None:
        self._budget = budget
        hulls = [_hull(*table[name]) for name in table]
        self._lines = [_merged(hulls[at:]) for at in range(len(hulls) + 1)]
        self._known = _rounded_down(hulls, budget) + _ROUNDING * sum(float(ys.max()) for _, ys in hulls)

    def possible(self, at: int, costs: Numbers, distortions: Numbers) -> NDArray[np.bool_]:
        """Whether labels of the first ``at`` layers can still become a solution as good as the one known."""
        line_costs, line_distortions = self._lines[at]
        left = self._budget - costs
        slack = _ROUNDING * self._budget
        best = np.interp(left + slack, line_costs, line_distortions)
        fits = left >= line_costs[0] - slack if at < len(self._lines) - 1 else left >= 0.0
        result: NDArray[np.bool_] = fits & (distortions + best <= self._known)
        return result


def _hull(distortions: Numbers, costs: Numbers) -> tuple[Numbers, Numbers]:
    """The lower convex hull of a layer's levels, from the cheapest to the least distorted: costs, distortions."""
    points: list[tuple[float, float]] = []
    for at in _unbeaten(costs, distortions, 0.0):
        x, y = float(costs[at]), float(distortions[at])
        while len(points) > 1:
            (x0, y0), (x1, y1) = points[-2], points[-1]
            if (y1 - y0) * (x - x0) < (y - y0) * (x1 - x0):
                break
            points.pop()
        points.append((x, y))
    return np.array([x for x, _ in points]), np.array([y for _, y in points])


def _steps(hulls: Sequence[tuple[Numbers, Numbers]]) -> list[tuple[float, float, int]]:
    """Steps along all hulls (cost, distortion), the steepest first, with the layer's number."""
    steps = [
        (float(dx), float(dy), at)
        for at, (xs, ys) in enumerate(hulls)
        for dx, dy in zip(np.diff(xs), np.diff(ys), strict=True)
    ]
    return sorted(steps, key=lambda one: one[1] / one[0])


def _merged(hulls: Sequence[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """The least distortion of the relaxation by cost: from the cheapest levels on, always the steepest step."""
    steps = _steps(hulls)
    costs = np.cumsum([sum(float(xs[0]) for xs, _ in hulls), *(dx for dx, _, _ in steps)])
    distortions = np.cumsum([sum(float(ys[0]) for _, ys in hulls), *(dy for _, dy, _ in steps)])
    return costs, np.maximum(distortions, 0.0)


def _rounded_down(hulls: Sequence[tuple[Numbers, Numbers]], budget: float) -> float:
    """The distortion of a solution: steps along the hulls, the steepest first, as long as they fit."""
    left = budget * (1.0 - _ROUNDING) - sum(float(xs[0]) for xs, _ in hulls)
    distortion = sum(float(ys[0]) for _, ys in hulls)
    closed: set[int] = set()
    for dx, dy, at in _steps(hulls):
        if at not in closed and dx <= left:
            left, distortion = left - dx, distortion + dy
        else:
            closed.add(at)
    return distortion
