"""What a mapping is judged by: energy, latency, or a mix that grows with both."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from ..errors import BadInput, nearest, shortened

__all__ = ["OBJECTIVES", "Objective"]

OBJECTIVES: dict[str, tuple[float, float]] = {  # exponents of energy and latency
    "energy": (1.0, 0.0),
    "latency": (0.0, 1.0),
    "edp": (1.0, 1.0),
    "ed2p": (1.0, 2.0),
}
_LARGEST = {"product": 10.0, "sum": 1e100}  # exponents, weights
_TERM = r"(energy|latency)"
_NUMBER = r"(\d+(?:\.\d*)?(?:e[+-]?\d+)?)"
_POWER = re.compile(rf"{_TERM}(?:\^{_NUMBER})?", re.IGNORECASE)
_WEIGHTED = re.compile(rf"(?:{_NUMBER}\*)?{_TERM}", re.IGNORECASE)


@dataclass(frozen=True)
class Objective:
    """A monotone mix of energy (J) and latency (s).

    A "product" is energy^``energy`` · latency^``latency``; a "sum" weighs them: ``energy`` · J + ``latency`` · s;
    "capped" is the energy of what takes at most ``latency`` seconds, infinite otherwise.
    ``name`` is the text it was written as.
    """

    name: str
    form: Literal["product", "sum", "capped"]
    energy: float
    latency: float

    @classmethod
    def parse(cls, text: str | Objective) -> Objective:
        """Read "energy", "latency", "edp", "ed2p", a product "energy*latency^2" or a sum "energy + 0.5*latency".

        Raises `BadInput` for anything else.
        """
        if isinstance(text, Objective):
            return text
        name = str(text).strip()
        if name in OBJECTIVES:
            return cls(name, "product", *OBJECTIVES[name])
        for form, separator, pattern in (("sum", r"(?<![0-9][eE])\+", _WEIGHTED), ("product", r"\*", _POWER)):
            parts = [pattern.fullmatch(part) for part in re.split(separator, re.sub(r"\s+", "", name))]
            if all(parts) and (form == "product" or len(parts) > 1):
                return cls._mixed(name, form, [part for part in parts if part])
        close = nearest(name, tuple(OBJECTIVES))
        hint = f"did you mean '{close}'?" if close else "write " + ", ".join(f"'{known}'" for known in OBJECTIVES)
        raise BadInput(f"unknown objective '{name}'; {hint} or a mix such as 'energy*latency^2', 'energy + 2*latency'")

    @classmethod
    def _mixed(cls, name: str, form: str, parts: list[re.Match[str]]) -> Objective:
        amounts = {"energy": 0.0, "latency": 0.0}
        for part in parts:
            term, number = (part[2], part[1]) if form == "sum" else (part[1], part[2])
            amounts[term.lower()] += float(number) if number else 1.0
        if not any(amounts.values()):
            raise BadInput(f"objective '{name}' is the same for every mapping; give energy or latency some weight")
        most = _LARGEST[form]
        if max(amounts.values()) > most:  # beyond it every mapping's value would round to 0 or infinity
            raise BadInput(f"objective '{shortened(name)}' has a weight above {most:g}; lower it")
        return cls(name, "sum" if form == "sum" else "product", amounts["energy"], amounts["latency"])

    def value(self, energy_j: float, latency_s: float) -> float:
        """The mix of the two; nondecreasing in each."""
        if self.form == "capped":
            return energy_j if latency_s <= self.latency else math.inf
        if self.form == "sum":
            return self.energy * energy_j + self.latency * latency_s
        if self.energy in (0.0, 1.0) and self.latency in (0.0, 1.0):  # exact, as J, s and J·s are
            return (energy_j if self.energy else 1.0) * (latency_s if self.latency else 1.0)
        return float(energy_j**self.energy * latency_s**self.latency)
