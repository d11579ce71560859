"""How large a network is: the baseline every other indicator has to beat."""

from __future__ import annotations

from ....models.network import Network

__all__ = ["sizes"]


def sizes(network: Network) -> dict[str, float]:
    """Multiply-accumulates and parameters."""
    return {"macs": float(network.macs), "params": float(network.params)}
