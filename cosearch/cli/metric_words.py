"""How the command line calls a study's columns and writes their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["HARDWARE_PREFIX", "METRICS", "text_of", "texts_apart", "title_of"]

HARDWARE_PREFIX = "hw."
METRICS = {
    "latency_s": "latency",
    "energy_j": "energy",
    "error_pct": "error",
    "error_sigma_pct": "+-",
    "tracking_loss_pct": "loss",
    "area_mm2": "area",
    "co2e_kg": "life carbon",
    "life_energy_j": "life energy",
    "macs": "MACs",
    "params": "parameters",
    "hypervolume_pct": "hypervolume",
    "evaluations": "accuracies",
}


def title_of(name: str) -> str:
    """What people call a column."""
    return METRICS.get(name, name.removeprefix(HARDWARE_PREFIX))


def texts_apart(name: str, values: Sequence[float]) -> list[str]:
    """`text_of` each of some values of a metric, with more digits where different ones would read the same."""
    texts = [text_of(name, value) for value in values]
    if len(set(texts)) == len(set(values)):
        return texts
    from ..studies.trial import METRICS as known

    metric = known[name]
    return [f"{value * metric.scale:.8g} {metric.unit}".strip() for value in values]


def text_of(name: str, value: Any) -> str:
    """A cell for people: a metric with its unit by the ending of its name, anything else short."""
    from ...energy.quantities import format_mass, format_si
    from .show_life import kwh

    if name == "life_energy_j":
        return kwh(value)
    if name.endswith("_kg"):
        return format_mass(value)
    for ending, unit in (("_s", "s"), ("_j", "J")):
        if name.endswith(ending):
            return format_si(value, unit)
    if name.endswith("_pct"):
        return f"{value:.1f} %" if not 0 < abs(value) < 0.1 else f"{value:.2g} %"
    if name.endswith("_mm2"):
        return f"{value:,.1f} mm2" if value >= 1 else f"{value:.3g} mm2"
    if name in ("macs", "params") and 0 < value < 1e5:
        return f"{value:,.0f}" if value >= 1 else f"{value:.3g}"
    if name in ("macs", "params"):
        return f"{value / 1e6:,.1f} M"
    return f"{value:g}" if isinstance(value, float) else str(value)
