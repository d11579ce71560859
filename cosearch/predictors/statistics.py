"""Numbers that tell of a network's accuracy and cost nothing: its size, its connections, what it is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ...errors import BadInput
from ...models.connectivity import connectivity
from ...models.network import Network
from ...models.op import Op, VectorOp
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Value
from .base import F64
from .encoding import Statistics

__all__ = ["NETWORK_STATISTICS", "free_statistics", "network_statistics"]

NETWORK_STATISTICS = (
    "log_macs", "log_params", "log_activations", "effective_depth", "longest", "shortest", "log_paths", "log_width",
    "depthwise_share", "pointwise_share", "mean_kernel", "mean_bits", "additions", "pools",
)  # fmt: skip


def network_statistics(network: Network) -> F64:
    """The numbers (14,) named in `NETWORK_STATISTICS`.

    Activations are the words all contractions put out. Shares and means weigh operators by their multiply-accumulates:
    of depthwise and of 1x1 contractions, kernel sizes and weights' bits; ``log_width`` is the mean logarithm of the
    output channels. Depths and paths are those of `connectivity`.
    """
    operators = network.contractions
    macs = np.array([op.macs for op in operators], dtype=np.float64)
    weights = macs / macs.sum() if macs.sum() else np.zeros(len(operators))
    kernels = np.array([math.sqrt(op.bounds.get("R", 1) * op.bounds.get("S", 1)) for op in operators])
    depthwise = np.array([op.bounds.get("G", 1) > 1 and op.bounds.get("C", 1) == 1 for op in operators])
    widths = np.array([op.bounds.get("G", 1) * op.bounds.get("K", op.bounds.get("N", 1)) for op in operators])
    words = sum(op.tensor("output").words(op.bounds) for op in operators)
    kinds = [op.kind for op in network.ops if isinstance(op, VectorOp)]
    paths = connectivity(network)
    return np.array([
        math.log(network.macs + 1), math.log(network.params + 1), math.log(words + 1), paths.effective_depth,
        paths.longest, paths.shortest, paths.log_paths, float(weights @ np.log(widths)) if len(widths) else 0.0,
        float(weights @ depthwise), float(weights @ ((kernels == 1) & ~depthwise)), float(weights @ kernels),
        float(weights @ np.array([_weight_bits(op) for op in operators])), kinds.count("add"),
        sum("pool" in kind for kind in kinds),
    ], dtype=np.float64)  # fmt: skip


def _weight_bits(op: Op) -> float:
    return float(op.tensor("weight").bits)


def free_statistics(
    space: NetworkSpace, build: Callable[[Mapping[str, Value]], Network] | None = None
) -> Statistics:
    """What a predictor is told of a space's networks beside their choices.

    The space's own ``statistics(values)`` where it has any, else those of the network that ``build`` (the space's own)
    makes; zeros where the choices make no network.
    """
    own: Statistics | None = getattr(space, "statistics", None)
    if own is not None:
        return own
    make = space.build if build is None else build
    known: dict[str, F64] = {}

    def built(values: Mapping[str, Value]) -> F64:
        key = space.key(values)
        if key not in known:
            try:
                known[key] = network_statistics(make(values))
            except BadInput:
                known[key] = np.zeros(len(NETWORK_STATISTICS))
        return known[key]

    return built
