"""The expected cost of a network whose candidates are drawn: linear in their probabilities.

Cai, Zhu & Han, "ProxylessNAS", ICLR 2019, section 3.3: E[latency] = Σ over slots Σ_j p_j F(o_j), so that its gradient
with respect to the probabilities is F itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....errors import BadInput
from ...spaces.slots import Slot, slot_values
from ...spaces.space import Value

__all__ = ["LinearCost", "fit_linear_cost"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearCost:
    """A cost as a sum: ``constant`` plus, for each slot, what its candidate adds (an array over candidates).

    ``residual`` is the root mean square of what the sum misses of the networks it was fitted to, relative to their
    mean; 0 where the cost is such a sum.
    """

    constant: float
    tables: Mapping[str, Array]
    residual: float = 0.0

    def of(self, path: Mapping[str, int]) -> float:
        """The cost of the network with candidate ``path[slot]`` in each slot."""
        return self.constant + sum(float(table[path[slot]]) for slot, table in self.tables.items())

    def expected(self, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The mean cost of networks whose slots are drawn independently with ``probabilities`` (each sums to 1)."""
        total = torch.as_tensor(self.constant, dtype=torch.float64)
        for slot, table in self.tables.items():
            total = total + probabilities[slot].double() @ torch.as_tensor(table)
        return total


def fit_linear_cost(
    slots: Sequence[Slot], cost: Callable[[Mapping[str, Value]], float], *, samples: int = 64, seed: int = 0
) -> LinearCost:
    """The linear cost nearest, in least squares, to ``cost`` of ``samples`` random networks.

    Where costs add up over the slots it is exact. Networks for which ``cost`` raises `BadInput` are left out; it is
    raised where fewer networks are left than the fit has unknowns.
    """
    rng = np.random.default_rng(seed)
    rows, costs = [], []
    for _ in range(4 * samples):
        path = {slot.name: int(rng.integers(len(slot.candidates))) for slot in slots}
        try:
            costs.append(cost(slot_values(slots, path)))
        except BadInput:
            continue
        rows.append(np.concatenate([np.eye(len(slot.candidates))[path[slot.name]] for slot in slots]))
        if len(rows) == samples:
            break
    unknowns = 1 + sum(len(slot.candidates) - 1 for slot in slots)
    if len(rows) < unknowns:
        raise BadInput(f"{len(rows)} networks cannot tell {unknowns} costs apart; raise samples above {unknowns}")
    scale = float(np.mean(costs))
    design = np.column_stack([np.ones(len(rows)), rows])
    # The smallest solution spreads the constant over the slots; what is no difference between candidates goes back.
    solution = np.linalg.lstsq(design, np.asarray(costs) / scale, rcond=None)[0] * scale
    constant, tables, place = float(solution[0]), {}, 1
    for slot in slots:
        column = solution[place : place + len(slot.candidates)]
        place += len(slot.candidates)
        constant += float(column.min())
        tables[slot.name] = column - column.min()
    left = design @ solution - np.asarray(costs)
    return LinearCost(constant, tables, float(np.sqrt(np.mean(left**2)) / scale))
