"""Which meters this machine has, and in words why the others are not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import CannotDo
from .meter import Meter
from .nvml import Nvml
from .rapl import POWERCAP, Rapl

__all__ = ["Found", "find_meters"]


@dataclass(frozen=True)
class Found:
    """The ``meters`` that work, and for each that does not the reason and the remedy (``missing``)."""

    meters: tuple[Meter, ...]
    missing: tuple[str, ...] = ()


def find_meters(powercap: str | Path = POWERCAP, nvml: Any = None) -> Found:
    """Every meter that works here. Raises `CannotDo` where there is none, saying what was looked for and what helps.

    ``powercap`` is the folder of the kernel's power zones, ``nvml`` a module to use in place of ``pynvml``.
    """
    meters: list[Meter] = []
    missing: list[str] = []
    for make in (lambda: Rapl(powercap), lambda: Nvml(module=nvml)):
        try:
            meter: Meter = make()
        except CannotDo as error:
            missing.append(str(error))
        else:
            meters.append(meter)
            missing += meter.missing
    if not meters:
        reasons = "\n".join(f"- {reason}" for reason in missing)
        raise CannotDo(
            f"no energy meter works on this machine, so nothing can be measured:\n{reasons}\n"
            "A modelled energy is another thing: dovetail estimate NETWORK ACCEL. Energy that CodeCarbon logged "
            "elsewhere is read by dovetail.read_codecarbon(path)."
        )
    return Found(tuple(meters), tuple(missing))
