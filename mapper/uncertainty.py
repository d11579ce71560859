"""How uncertain an estimate's energy, area and leakage are, as the technology constants are.

The mappings stay as they are, and with them every count of words and operations; so the energy is a sum of counts times
unit energies, and only the unit energies are found anew for other constants. Each constant is one random number,
however often it is used: log-normal with the table's value as its mean and its uncertainty as relative standard
deviation, independent of all others. To first order, each adds its uncertainty times the total's slope in quadrature;
a Monte-Carlo run draws them all and finds the totals anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..accel.accelerator import Accelerator, Array, Level, Memory, Vector
from ..accel.citations import redrawn, uncertainties
from ..errors import BadInput, ImpossibleResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .estimate import Estimate

__all__ = ["Spread", "Uncertainty", "estimate_uncertainty"]

MOST_SAMPLES = 1_000_000
_STEP = 1e-4
_QUANTILE = 1.6448536269514722  # of the normal distribution at 95 %


@dataclass(frozen=True)
class Spread:
    """A total's distribution: ``value`` as estimated, mean, standard deviation, 5 and 95 % quantiles, in its unit."""

    value: float
    mean: float
    sd: float
    p05: float
    p95: float

    @property
    def relative(self) -> float:
        """Standard deviation over the mean."""
        return self.sd / self.mean if self.mean else 0.0


@dataclass(frozen=True)
class Uncertainty:
    """Of an estimate's energy, area and leakage; ``samples`` 0: to first order, the quantiles those of a log-normal.

    ``shares`` says which part of the energy's variance is each constant's, largest first, to first order.
    """

    energy_j: Spread
    area_mm2: Spread
    leakage_w: Spread
    shares: Mapping[str, float]
    samples: int
    seed: int
    stated: float


def estimate_uncertainty(result: Estimate, samples: int = 0, seed: int = 0, stated: float = 0.0) -> Uncertainty:
    """The uncertainty of ``result`` to first order, or from so many ``samples`` drawn with ``seed``.

    A figure that the accelerator's spec states has none, unless ``stated`` gives the relative standard deviation of
    each. Raises `BadInput` for arguments that are no such numbers and for an accelerator that was not built from a
    spec.
    """
    _check(samples, seed, stated)
    energy = _EnergySum(result)
    known = uncertainties(result.accelerator, stated)
    nominal = (result.energy_j, *energy.totals(result.accelerator)[1:])
    parts = {
        name: tuple(u * slope for slope in _slopes(result.accelerator, energy, name)) for name, u in known.items()
    }
    sds = [math.hypot(*(part[of] for part in parts.values())) for of in range(len(nominal))]
    variance = sds[0] ** 2
    shares = {name: part[0] ** 2 / variance for name, part in parts.items() if variance and part[0]}
    ordered = dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
    if samples and known:
        drawn = _drawn(result.accelerator, energy, known, samples, seed)
        spreads = [_sampled(value, column) for value, column in zip(nominal, drawn.T, strict=True)]
    else:
        spreads = [_first_order(value, sd) for value, sd in zip(nominal, sds, strict=True)]
    energy_j, area_mm2, leakage_w = spreads
    return Uncertainty(energy_j, area_mm2, leakage_w, ordered, samples, seed, stated)


def _check(samples: int, seed: int, stated: float) -> None:
    for name, value, least in (("samples", samples, 0), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise BadInput(f"{name} is {value!r}; give a whole number, {least} or more")
    if samples == 1 or samples > MOST_SAMPLES:
        raise BadInput(f"samples is {samples}; give 0 for a first-order answer, or 2 to {MOST_SAMPLES:,}")
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0.0 <= stated <= 1.0:
        raise BadInput(f"stated is {stated!r}; give a relative standard deviation from 0 to 1")


class _EnergySum:
    """An estimate's energy as counts times an accelerator's unit costs."""

    def __init__(self, result: Estimate) -> None:
        accelerator = result.accelerator
        spent = result.breakdown()
        reads = _read_bits(result) if any(_needs_reads(memory) for memory in accelerator.memories) else {}
        self.counts: dict[tuple[str, str], float] = {}
        for level in accelerator.levels:
            total = spent.get(level.name, 0.0)
            prices = _prices(level)
            if isinstance(level, Memory) and level.name in reads:
                self.counts[level.name, "read_energy"] = reads[level.name]
                total -= reads[level.name] * prices.pop("read_energy")
            for key, price in list(prices.items())[:1]:
                self.counts[level.name, key] = total / price if price else 0.0
        self.standing_s = result.latency_s
        found = self.of(accelerator)
        if not math.isclose(found, result.energy_j, rel_tol=1e-6):
            raise ImpossibleResult(f"counts times unit energies give {found} J of {result.energy_j} J")

    def of(self, accelerator: Accelerator) -> float:
        """The energy with the unit costs of ``accelerator``."""
        terms = [accelerator.standing_w * self.standing_s]
        for level in accelerator.levels:
            prices = _prices(level)
            terms.extend(self.counts.get((level.name, key), 0.0) * price for key, price in prices.items())
        return math.fsum(terms)

    def totals(self, accelerator: Accelerator) -> tuple[float, float, float]:
        """Energy (J), area (mm2) and leakage (W) with the constants of ``accelerator``."""
        return self.of(accelerator), accelerator.area_mm2, accelerator.leakage_w


def _prices(level: Level) -> dict[str, float]:
    if isinstance(level, Memory):
        return {"read_energy": level.read_energy_j_per_bit, "write_energy": level.write_energy_j_per_bit}
    return {"energy": level.hop_energy_j_per_bit if isinstance(level, Array) else level.energy_j}


def _needs_reads(memory: Memory) -> bool:
    """Whether reads and writes of a memory may change on their own, so that their counts are needed each."""
    read, write = (memory.figures.get(key) for key in ("read_energy", "write_energy"))
    if read is None or write is None or not read.constants:
        return memory.read_energy_j_per_bit != memory.write_energy_j_per_bit or bool(read or write)
    return read.constants != write.constants or read.value != write.value


def _read_bits(result: Estimate) -> dict[str, float]:
    """Bits read of each memory: what the schedule costs where a bit read costs a joule and nothing else does."""
    from .estimate import estimate_schedule

    levels: list[Level] = []
    for level in result.accelerator.levels:
        if isinstance(level, Memory):
            priced = replace(level, read_energy_j_per_bit=1.0, write_energy_j_per_bit=0.0, leakage_w=0.0)
            levels.append(priced)
        elif isinstance(level, Array):
            levels.append(replace(level, hop_energy_j_per_bit=0.0))
        elif isinstance(level, Vector):
            levels.append(replace(level, energy_j=0.0, leakage_w=0.0))
        else:
            levels.append(replace(level, energy_j=0.0, leakage_w=0.0, clock_energy_j=0.0))
    probe = replace(result.accelerator, levels=tuple(levels), spec=None)
    spent = estimate_schedule(result.network, probe, result.schedule).breakdown()
    return {memory.name: spent.get(memory.name, 0.0) for memory in result.accelerator.memories}


def _slopes(accelerator: Accelerator, energy: _EnergySum, name: str) -> tuple[float, ...]:
    """Changes of the totals for a relative change of one constant."""
    up, down = (energy.totals(redrawn(accelerator, {name: math.exp(step)})) for step in (_STEP, -_STEP))
    return tuple((high - low) / (2.0 * _STEP) for high, low in zip(up, down, strict=True))


def _first_order(value: float, sd: float) -> Spread:
    """The quantiles are those of a log-normal distribution of this mean and standard deviation."""
    if not value or not sd:
        return Spread(value, value, sd, value, value)
    sigma = math.sqrt(math.log1p((sd / value) ** 2))
    low, high = (value * math.exp(way * _QUANTILE * sigma - sigma**2 / 2.0) for way in (-1.0, 1.0))
    return Spread(value, value, sd, low, high)


def _drawn(
    accelerator: Accelerator, energy: _EnergySum, known: Mapping[str, float], samples: int, seed: int
) -> NDArray[np.float64]:
    """The totals of each sample, a row each."""
    import numpy as np

    sigma = np.sqrt(np.log1p(np.square(np.array(list(known.values()), dtype=np.float64))))
    normal = np.random.default_rng(seed).standard_normal((samples, len(known)))
    factors = np.exp(normal * sigma - sigma**2 / 2.0)
    found = np.empty((samples, 3))
    for row, draws in enumerate(factors):
        found[row] = energy.totals(redrawn(accelerator, dict(zip(known, draws.tolist(), strict=True))))
    return found


def _sampled(value: float, drawn: NDArray[np.float64]) -> Spread:
    import numpy as np

    low, high = np.quantile(drawn, (0.05, 0.95))
    return Spread(value, float(drawn.mean()), float(drawn.std(ddof=1)), float(low), float(high))
