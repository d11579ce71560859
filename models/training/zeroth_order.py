"""Training by forward passes alone: gradients estimated from differences of the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import BadInput, UnknownName
from ..network import Network

__all__ = ["ESTIMATORS", "ZerothOrder"]

ESTIMATORS = ("cge", "rge")


@dataclass(frozen=True)
class ZerothOrder:
    """How a gradient is estimated from losses, and how many forward passes that takes.

    ``cge``: one difference for each weight that is trained, d · ``density`` + 1 passes for d weights; ``rge``: one
    for each of ``queries`` random directions, ``queries`` + 1 passes. With ``central`` differences, two passes each
    and none besides. ``feature_reuse``: a pass that changes one weight of a layer starts at that layer, from stored
    features (`cge` only). DeepZero: Chen et al., ICLR 2024 (arXiv:2310.02025); MeZO (Malladi et al., NeurIPS 2023,
    arXiv:2305.17333) is ``rge`` with one central query. Raises `UnknownName` for another estimator, `BadInput` for
    densities outside (0, 1], no query, and features that random directions cannot reuse.
    """

    estimator: str = "rge"
    queries: int = 1
    density: float = 1.0
    central: bool = False
    feature_reuse: bool = False

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise UnknownName("gradient estimator", str(self.estimator), ESTIMATORS)
        if isinstance(self.queries, bool) or not isinstance(self.queries, int) or self.queries < 1:
            raise BadInput(f"queries is {self.queries!r}; it must be a whole number of at least 1")
        if not 0.0 < self.density <= 1.0:
            raise BadInput(f"density is {self.density}; it must be above 0 and at most 1 (the weights changed)")
        if self.feature_reuse and self.estimator != "cge":
            raise BadInput("rge changes all weights at once, so that no features can be reused; use estimator='cge'")

    def differences(self, params: int) -> int:
        """Differences of losses that a network of ``params`` stored words takes."""
        return math.ceil(params * self.density) if self.estimator == "cge" else self.queries

    def passes(self, params: int) -> int:
        """Forward passes of a step, whole or begun at a layer."""
        differences = self.differences(params)
        return 2 * differences if self.central else differences + 1

    def macs(self, network: Network) -> int:
        """Multiply-accumulates of all passes of a step."""
        if not self.feature_reuse:
            return self.passes(network.params) * network.macs
        each = 2 if self.central else 1
        behind = _behind(network)
        total = sum(self.differences(op.params) * behind[op.name] for op in network.ops if op.params)
        tables = self.differences(network.extra_params) * network.macs if network.extra_params > 0 else 0
        # One whole pass leaves the features.
        return each * (total + tables) + network.macs


def _behind(network: Network) -> dict[str, int]:
    """By layer, the multiply-accumulates of all layers that its stored words reach, itself included."""
    reached: dict[str, int] = {}
    readers: dict[str, set[str]] = {layer.op.name: set() for layer in network}
    macs = {layer.op.name: layer.op.macs for layer in network}
    for layer in reversed(network.layers):
        name = layer.op.name
        readers[name].add(name)
        reached[name] = sum(macs[reader] for reader in readers[name])
        for source in set(layer.inputs):
            readers[source] |= readers[name]
    return reached
