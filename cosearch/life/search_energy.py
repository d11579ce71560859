"""What a search spends by its counts alone: designs mapped on a host, accuracies found on training hardware."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ...accel.spec import load_accelerator
from ...errors import BadInput
from ..studies.trial import Trial
from .spent import SearchCost

__all__ = ["HOST_POWER_W", "TRIAL_S", "search_energy", "training_j_per_mac"]

HOST_POWER_W = 100.0
"""A machine that evaluates one design at a time: one busy core and its share of the rest."""

TRIAL_S = 2.0
"""Seconds to map a network of some 60 operators with the default mapper, one core, nothing remembered: 2.2 measured."""

_REFERENCE = "resnet50"


def search_energy(
    trials: Sequence[Trial], baseline: Mapping[str, float], *, host_power_w: float = HOST_POWER_W,
    preparation_macs: float = 0.0, trial_s: float | None = TRIAL_S, training_hardware: str = "a100",
) -> SearchCost:  # fmt: skip
    """The cost of a study's ``trials`` and of its baseline's accuracy.

    A design that was mapped takes the host ``trial_s`` at ``host_power_w``, each design once; one turned away before
    takes milliseconds and counts nothing. None for ``trial_s``: the seconds that were measured, which differ from run
    to run. What accuracies took (``accuracy_macs``, and ``preparation_macs`` before the first) is spent on
    ``training_hardware`` (see `training_j_per_mac`).

    Raises `BadInput` for a power or a time that is no number from 0 on, `UnknownName` for unknown hardware.
    """
    for name, value in (("host_power_w", host_power_w), ("trial_s", trial_s or 0.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
            raise BadInput(f"{name} = {value!r}: give a finite number from 0 on")
    load_accelerator(training_hardware)  # known, even where nothing was trained
    if trial_s is None:
        host_s = math.fsum(trial.result.wall_s for trial in trials)
    else:
        mapped = {tuple(sorted(t.values.items())) for t in trials if "latency_s" in t.result.metrics}
        host_s = len(mapped) * trial_s
    spent = [trial.result.metrics.get("accuracy_macs", 0.0) for trial in trials]
    macs = math.fsum([*spent, baseline.get("accuracy_macs", 0.0), preparation_macs])
    accuracy_j = macs * training_j_per_mac(training_hardware) if macs else 0.0
    return SearchCost(len(trials), host_s * host_power_w / (len(trials) or 1), accuracy_j=accuracy_j)


@lru_cache(maxsize=8)
def training_j_per_mac(hardware: str) -> float:
    """Joules that training hardware spends on a multiply-accumulate of training, memory and standing power included.

    That of ResNet-50's published training on one device, at its roofline: a lower bound of what small networks take,
    which leave the hardware idle for longer. Raises `UnknownName` for unknown hardware.
    """
    from ...mapper.training import estimate_training
    from ...models.load import load_network

    run = estimate_training(load_network(_REFERENCE), hardware, mapper="roofline")
    return run.energy_j / (run.steps * run.training.macs)
