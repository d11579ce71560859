"""What is known of a design before it is mapped: its size exactly, and what the rest comes to at the least cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...accel.accelerator import Accelerator
from ...mapper.roofline import roofline_estimate
from ...models.network import Network
from ..life.study_part import LifePart
from .trial import LIFE_METRICS

if TYPE_CHECKING:
    from ...energy.life import LifeCycle

__all__ = ["Foreknown", "foreknown", "life_metrics", "sizes"]


@dataclass(frozen=True)
class Foreknown:
    """Figures in SI units (area: mm²) by metric, all above 0.

    Some are ``exact``, some known by the ``least`` they can be; ``near`` says what others come to at the least cost, no
    bound of them but close.
    """

    exact: Mapping[str, float]
    least: Mapping[str, float]
    near: Mapping[str, float] = field(default_factory=dict)


def sizes(network: Network, accelerator: Accelerator) -> dict[str, float]:
    """What the sizes of network and hardware say."""
    return {
        "area_mm2": accelerator.area_mm2, "peak_ops_per_s": accelerator.peak_ops_per_s,
        "macs": float(network.macs), "params": float(network.params),
    }  # fmt: skip


def life_metrics(life: LifeCycle) -> dict[str, float]:
    """A life cycle's totals, as a study may minimise them."""
    return {"co2e_kg": life.total.co2e_kg, "life_energy_j": life.total.energy_j}


def foreknown(
    network: Network, parts: Sequence[tuple[float, Network]], accelerator: Accelerator, life: LifePart | None = None
) -> Foreknown:
    """Sizes, and the mean roofline of ``parts``, the networks that shares of the inputs run through.

    With a ``life``, what making and using comes to. Takes milliseconds. Raises `Infeasible` where the tensors do not
    fit.
    """
    estimates = [(share, roofline_estimate(run, accelerator)) for share, run in parts]
    latency = math.fsum(share * one.latency_s for share, one in estimates)
    energy = math.fsum(share * one.energy_j for share, one in estimates)
    least = {"latency_s": latency, "energy_j": energy, "edp": latency * energy}
    lives = [(share, life_metrics(life.made_and_used(one))) for share, one in estimates] if life is not None else []
    near = {name: math.fsum(share * one[name] for share, one in lives) for name in LIFE_METRICS if lives}
    return Foreknown(sizes(network, accelerator), _positive(least), _positive(near))


def _positive(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value > 0}
