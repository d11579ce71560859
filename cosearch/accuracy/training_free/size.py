"""How large and how connected a network is: the baselines every other indicator has to beat."""

from __future__ import annotations

from ....models.connectivity import connectivity
from ....models.network import Network

__all__ = ["connections", "sizes"]


def sizes(network: Network) -> dict[str, float]:
    """Multiply-accumulates and parameters."""
    return {"macs": float(network.macs), "params": float(network.params)}


def connections(network: Network) -> dict[str, float]:
    """``effective_depth`` (layers with weights on a path, on average), ``log_paths`` (of the number of paths).

    Chen et al., "Deep Architecture Connectivity Matters for Its Convergence", NeurIPS 2022. The effective width grows
    with the number of paths as the exponential of the depth, hence the logarithm of the paths in its place.
    """
    found = connectivity(network)
    return {"effective_depth": found.effective_depth, "log_paths": found.log_paths}
