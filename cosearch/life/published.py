"""The published accuracy of a network, where it is one that was published."""

from __future__ import annotations

import math

from ...errors import BadInput
from ...models.network import Network
from ..accuracy.features import network_features
from ..accuracy.published import load_published

__all__ = ["published_accuracy"]

_TOLERANCE = 0.01


def published_accuracy(network: Network) -> tuple[float | None, tuple[str, ...]]:
    """(share, notes): ImageNet top-1 of the published network of the same family with the same work and weights."""
    try:
        own = network_features(network)
    except BadInput:
        return None, ()
    for row in load_published():
        if not network.name.startswith(row.family):
            continue
        pairs = (
            (own.effective_gmacs, row.features.effective_gmacs),
            (own.body_params_m, row.features.body_params_m),
            (own.resolution, row.features.resolution),
        )
        if all(math.isclose(mine, published, rel_tol=_TOLERANCE) for mine, published in pairs):
            note = f"accuracy {row.top1_pct:g} % is the published one of {row.model} ({row.source})"
            return row.top1_pct / 100.0, (note,)
    return None, ()
