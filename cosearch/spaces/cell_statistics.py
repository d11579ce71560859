"""What a cell of NAS-Bench-201 tells of its accuracy before anyone trains it: counts of operations, and its paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...models.connectivity import graph_connectivity
from ...models.zoo.nasbench201 import NASBENCH201_EDGES, live_edges

__all__ = ["CELL_STATISTICS", "cell_statistics"]

CELL_STATISTICS = (
    "log_macs", "effective_depth", "effective_width", "paths", "longest", "shortest", "convs_3x3", "convs_1x1",
    "pools", "skips", "identity", "reach", "pools_on_a_path",
)  # fmt: skip
_CONVOLUTIONS = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}  # multiply-accumulates a position and a pair of channels
_PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # from the first node to the last, as places in NASBENCH201_EDGES


@lru_cache(maxsize=20_000)
def _statistics(operations: tuple[str, ...]) -> tuple[float, ...]:
    present = [
        (start, end, operation in _CONVOLUTIONS)
        for (start, end), operation in zip(NASBENCH201_EDGES, operations, strict=True)
        if operation != "none"
    ]
    found = graph_connectivity(present, 0, 3)
    live = [operation for operation, used in zip(operations, live_edges(operations), strict=True) if used]
    paths = [[operations[edge] for edge in path] for path in _PATHS]
    open_paths = [path for path in paths if "none" not in path]
    pools = [path.count("avg_pool_3x3") for path in open_paths]
    return (
        math.log1p(sum(_CONVOLUTIONS.get(operation, 0) for operation in live)),
        found.effective_depth, found.effective_width, found.paths, found.longest, found.shortest,
        live.count("nor_conv_3x3"), live.count("nor_conv_1x1"), live.count("avg_pool_3x3"), live.count("skip_connect"),
        float(any(set(path) == {"skip_connect"} for path in open_paths)),
        max((path.count("nor_conv_3x3") for path in open_paths), default=0),
        sum(pools) / len(pools) if pools else 0.0,
    )  # fmt: skip


def cell_statistics(operations: Sequence[str]) -> NDArray[np.float64]:
    """The numbers (13,) named in `CELL_STATISTICS`, of the six operations in the benchmark's order.

    Edges that no output depends on count as absent. ``log_macs`` is in units of a 1x1 convolution, ``identity`` says
    whether the input reaches the output unchanged, ``reach`` is the most 3x3 convolutions on one path (its receptive
    field), ``pools_on_a_path`` their mean number. A cell that no path leads through has zeros.
    """
    return np.array(_statistics(tuple(operations)), dtype=np.float64)
