"""What is known of a design before it is mapped: its size exactly, and the least that it can cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...accel.accelerator import Accelerator
from ...mapper.roofline import roofline_estimate
from ...models.network import Network

__all__ = ["Foreknown", "foreknown", "sizes"]


@dataclass(frozen=True)
class Foreknown:
    """Figures in SI units (area: mm²) by metric: ``exact`` ones, and of others the ``least`` they can be (above 0)."""

    exact: Mapping[str, float]
    least: Mapping[str, float]


def sizes(network: Network, accelerator: Accelerator) -> dict[str, float]:
    """What the sizes of network and hardware say."""
    return {
        "area_mm2": accelerator.area_mm2, "peak_ops_per_s": accelerator.peak_ops_per_s,
        "macs": float(network.macs), "params": float(network.params),
    }  # fmt: skip


def foreknown(network: Network, parts: Sequence[tuple[float, Network]], accelerator: Accelerator) -> Foreknown:
    """Sizes, and the mean roofline of ``parts``, the networks that shares of the inputs run through.

    Takes milliseconds. Raises `Infeasible` where the tensors do not fit.
    """
    estimates = [(share, roofline_estimate(run, accelerator)) for share, run in parts]
    latency = math.fsum(share * one.latency_s for share, one in estimates)
    energy = math.fsum(share * one.energy_j for share, one in estimates)
    least = {"latency_s": latency, "energy_j": energy, "edp": latency * energy}
    return Foreknown(sizes(network, accelerator), {name: value for name, value in least.items() if value > 0})
