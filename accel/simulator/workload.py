"""Work that depends on the data: sampled durations, early exits, filtered frames, salient areas, uneven zeros.

All draws are pure: what the n-th request of a network asks for follows from the seed, the network and n, whatever the
order in which requests are served.

Sources: early exits as in BranchyNet (Teerapittayanon, McDanel and Kung, ICPR 2016); temporal filtering and spatial
saliency as in "Data-Model-Hardware Tri-Design" (Zhang et al., ASP-DAC 2023); a group of processing elements waits for
the one with most nonzeros as in SCNN (Parashar et al., ISCA 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import BadInput, UnknownName
from .checks import checked_number, checked_whole
from .profiles import Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]

__all__ = [
    "FILTERED", "Density", "Draws", "FrameFilter", "Saliency", "Share", "Work", "Workload", "draw_work",
    "slowest_share",
]  # fmt: skip

FILTERED = -1  # stands for the stage at which a frame leaves that the filter did not keep
_BLOCK = 4096


@dataclass(frozen=True)
class Share:
    """A number from 0 to 1, drawn anew each time: "constant", "uniform" or "beta" with that mean and deviation.

    ``spread`` is the standard deviation; 0 is the constant whatever the shape. Raises `BadInput` for a mean that is
    no share and for a spread that no distribution of that shape on [0, 1] has.
    """

    mean: float
    spread: float = 0.0
    shape: Literal["constant", "uniform", "beta"] = "beta"

    def __post_init__(self) -> None:
        checked_number(self.mean, "mean", maximum=1.0, remedy="it is a share from 0 to 1")
        checked_number(self.spread, "spread", remedy="it is a standard deviation, at least 0")
        if self.shape not in ("constant", "uniform", "beta"):
            raise UnknownName("distribution", str(self.shape), ("constant", "uniform", "beta"))
        if self.shape == "constant" and self.spread:
            raise BadInput(f"spread: a constant has none, {self.spread:g} is given; choose 'uniform' or 'beta'")
        edge = min(self.mean, 1.0 - self.mean)
        most = edge / math.sqrt(3.0) if self.shape == "uniform" else math.sqrt(self.mean * (1.0 - self.mean))
        outside = self.spread > most * (1 + 1e-12) if self.shape == "uniform" else self.spread >= most
        if self.spread and outside:
            raise BadInput(
                f"spread: {self.spread:g} is too wide for the shape '{self.shape}' around {self.mean:g}; "
                f"it stays below {most:.4g}"
            )

    def draw(self, rng: np.random.Generator, size: int) -> F64:
        """``size`` shares."""
        if not self.spread:
            return np.full(size, float(self.mean))
        if self.shape == "uniform":
            half = math.sqrt(3.0) * self.spread
            return np.clip(rng.uniform(self.mean - half, self.mean + half, size), 0.0, 1.0)
        both = self.mean * (1.0 - self.mean) / self.spread**2 - 1.0
        return rng.beta(self.mean * both, (1.0 - self.mean) * both, size)


class Density(Share):
    """The share of a tile's words that are not zero: tiles differ by ``spread``, Beta distributed around ``mean``."""


@dataclass(frozen=True)
class FrameFilter:
    """Looks at every frame and keeps some: a share ``keep`` at random, or every ``every``-th (the first one included).

    Looking costs ``seconds`` and ``energy_j``. Raises `BadInput` where not exactly one of the two is given.
    """

    keep: float | None = None
    every: int | None = None
    seconds: float = 0.0
    energy_j: float = 0.0

    def __post_init__(self) -> None:
        if (self.keep is None) == (self.every is None):
            raise BadInput("frame filter: give either the share of frames to keep or the number of which one is kept")
        if self.keep is not None:
            checked_number(self.keep, "frame filter: keep", maximum=1.0, remedy="it is a share from 0 to 1")
        if self.every is not None:
            checked_whole(self.every, "frame filter: every", remedy="1 keeps each frame, 2 every other one")
        checked_number(self.seconds, "frame filter: seconds", remedy="it is at least 0 s")
        checked_number(self.energy_j, "frame filter: energy_j", remedy="it is at least 0 J")


@dataclass(frozen=True)
class Saliency:
    """Only the salient ``area`` of a kept frame is computed, and its ``halo`` (a share of that area) around it.

    Scales time and energy of ``operators`` (None: all) by ``min(1, area · (1 + halo))``; finding the area costs
    ``seconds`` and ``energy_j``.
    """

    area: Share
    halo: float = 0.0
    operators: tuple[str, ...] | None = None
    seconds: float = 0.0
    energy_j: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.area, Share):
            raise BadInput(f"saliency: area: {self.area!r} is not a Share; write Share(0.3) for 30 %")
        for name in ("halo", "seconds", "energy_j"):
            checked_number(getattr(self, name), f"saliency: {name}", remedy="it is at least 0")


@dataclass(frozen=True)
class Workload:
    """How a network's work depends on the data.

    ``early_exit`` gives for an operator the share of all requests that leave after it; the rest goes to the end.
    Energy of a frame: ``E_filter + k · (E_saliency + a · (1 + h) · E_dense)`` with k 0 or 1 and a drawn per frame.
    """

    early_exit: Mapping[str, float] = field(default_factory=dict)
    frame_filter: FrameFilter | None = None
    saliency: Saliency | None = None

    def __post_init__(self) -> None:
        for name, share in self.early_exit.items():
            checked_number(share, f"early exit after '{name}'", maximum=1.0, remedy="it is a share from 0 to 1")
        total = math.fsum(self.early_exit.values())
        if total > 1.0 + 1e-9:
            raise BadInput(
                f"early exit: the shares sum to {total:g}; they are shares of all requests, at most 1 together"
            )

    def check(self, profile: Profile) -> None:
        """Raise `UnknownName` for an operator that the network does not have."""
        names = [stage.name for stage in profile.stages]
        for name in (*self.early_exit, *(self.saliency.operators or () if self.saliency else ())):
            if name not in names:
                raise UnknownName(f"operator of '{profile.name}'", name, names)


@dataclass(frozen=True)
class Work:
    """What requests ask for, an entry each: seconds on the device, dynamic joules, the stage after which they leave."""

    seconds: F64
    energy_j: F64
    exit_stage: I64


def draw_work(profile: Profile, workload: Workload, rng: np.random.Generator, size: int, first: int = 0) -> Work:
    """The work of requests ``first`` … ``first + size − 1`` of a network, without the overhead of a run."""
    exits = {
        at: share for at, stage in enumerate(profile.stages) if (share := workload.early_exit.get(stage.name, 0.0))
    }
    bounds = np.cumsum(list(exits.values()))
    leave = np.append(list(exits), len(profile.stages) - 1).astype(np.int64)
    exit_stage = leave[np.searchsorted(bounds, rng.random(size), side="right")]
    seconds, energy_j, scale = np.zeros(size), np.zeros(size), np.ones(size)
    keep = _kept(workload.frame_filter, rng.random(size), first)
    exit_stage[~keep] = FILTERED
    salient = workload.saliency
    if salient:
        scale = np.minimum(1.0, salient.area.draw(rng, size) * (1.0 + salient.halo))
        seconds[keep] += salient.seconds
        energy_j[keep] += salient.energy_j
    for at, stage in enumerate(profile.stages):
        samples = np.asarray(stage.seconds)
        drawn = samples[rng.integers(len(samples), size=size)] if len(samples) > 1 else samples[0]
        part = exit_stage >= at
        if salient and (salient.operators is None or stage.name in salient.operators):
            seconds += np.where(part, drawn * scale, 0.0)
            energy_j += np.where(part, stage.energy_j * scale, 0.0)
        else:
            seconds += np.where(part, drawn, 0.0)
            energy_j += np.where(part, stage.energy_j, 0.0)
    if workload.frame_filter:
        seconds += workload.frame_filter.seconds
        energy_j += workload.frame_filter.energy_j
    return Work(seconds, energy_j, exit_stage)


def _kept(frames: FrameFilter | None, uniform: F64, first: int) -> NDArray[np.bool_]:
    if frames is None:
        return np.ones(len(uniform), np.bool_)
    if frames.every is not None:
        return np.asarray((first + np.arange(len(uniform))) % frames.every == 0)
    return np.asarray(uniform < (frames.keep or 0.0))


class Draws:
    """`draw_work` for one request at a time, drawn in blocks of their own seeds: the n-th is the same in any order."""

    def __init__(self, profile: Profile, workload: Workload, seed: int, stream: int) -> None:
        workload.check(profile)
        self.profile = profile
        self._workload, self._key = workload, (seed, stream)
        self._blocks: dict[int, tuple[list[float], list[float], list[int]]] = {}

    def of(self, number: int) -> tuple[float, float, int]:
        """Seconds, joules and last stage of the network's request ``number``."""
        block, place = divmod(number, _BLOCK)
        if block not in self._blocks:
            seed, stream = self._key
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, stream, block)))
            work = draw_work(self.profile, self._workload, rng, _BLOCK, block * _BLOCK)
            self._blocks[block] = (work.seconds.tolist(), work.energy_j.tolist(), work.exit_stage.tolist())
        seconds, joules, stage = self._blocks[block]
        return seconds[place], joules[place], stage[place]


def slowest_share(rng: np.random.Generator, density: Density, instances: int, words: int, size: int) -> F64:
    """For ``size`` tiles the share of words that the slowest of ``instances`` has to work on, [size], from 0 to 1.

    A tile's density is drawn from ``density``; each instance gets ``words`` words, Binomial(words, density) of them
    not zero, and the tile lasts as long as the instance with most. The largest of n draws has the distribution
    function Fⁿ, so one draw through its inverse is exact, at a cost that does not grow with the instances.
    """
    checked_whole(instances, "instances", remedy="a tile is spread over at least one")
    checked_whole(words, "words", minimum=0, remedy="an instance has at least 0 words")
    checked_whole(size, "size", minimum=0, remedy="the number of tiles is at least 0")
    chance, uniform = density.draw(rng, size), rng.random(size)
    if not words:
        return np.zeros(size)
    from scipy.stats import binom

    # 1 − u^(1/n) without cancellation: with thousands of instances u^(1/n) is next to 1.
    tail = -np.expm1(np.log1p(-uniform) / instances)
    most = np.asarray(binom.isf(tail, words, chance), np.float64)
    return np.asarray(np.clip(most, 0.0, words) / words)
