"""Sparse training: how dense the weights are over the training, and what that leaves of the gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...errors import BadInput, UnknownName
from ..network import Network
from ..op import Op

__all__ = ["DISTRIBUTIONS", "SCHEDULES", "SparseSchedule", "layer_densities", "sparse_schedule"]

Kind = Literal["static", "rigl", "granet"]
SCHEDULES: tuple[Kind, ...] = ("static", "rigl", "granet")
DISTRIBUTIONS = ("uniform", "erk")


@dataclass(frozen=True)
class SparseSchedule:
    """The density of the weights over a training of ``steps`` steps.

    ``static``: a fixed mask of density ``final``. ``rigl``: as dense throughout; every ``interval`` steps the smallest
    weights make room for those with the largest gradients, which takes one dense weight gradient (Evci et al., ICML
    2020, arXiv:1911.11134). ``granet``: from ``initial`` to ``final`` between the shares ``begin`` and ``end`` of the
    training, by the cube s = s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3 at each of the n updates, each of which also
    prunes and regrows by a dense gradient (Liu et al., NeurIPS 2021, arXiv:2106.10404); prune-and-regrow goes on at
    the final density to the end of the training.

    ``regrow`` is the share of the weights that the first update replaces, which falls to zero as a half cosine.
    ``distribution`` spreads the density over layers: ``uniform`` leaves the first layer dense, ``erk`` gives larger
    layers less. Raises `BadInput` for densities outside (0, 1] and windows that are none, `UnknownName` for a kind or
    distribution that does not exist.
    """

    kind: Kind
    final: float
    initial: float = 1.0
    begin: float = 0.0
    end: float = 1.0
    steps: int = 100_000
    interval: int = 100
    regrow: float = 0.5
    distribution: str = "erk"

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise UnknownName("sparse schedule", str(self.kind), SCHEDULES)
        if self.distribution not in DISTRIBUTIONS:
            raise UnknownName("distribution of densities", str(self.distribution), DISTRIBUTIONS)
        for field in ("final", "initial"):
            value = getattr(self, field)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 < value <= 1.0:
                raise BadInput(f"{field} density is {value!r}; it must be above 0 and at most 1 (the share kept)")
        if not 0.0 <= self.begin < self.end <= 1.0:
            what = f"begin {self.begin} and end {self.end}"
            raise BadInput(f"{what} must be shares of the training, 0 <= begin < end <= 1")
        if not 0.0 <= self.regrow <= 1.0:
            raise BadInput(f"regrow is {self.regrow}; it must be from 0 to 1")
        if self.steps < 1 or not 1 <= self.interval <= self.steps:
            raise BadInput(f"interval {self.interval} and steps {self.steps}: 1 <= interval <= steps is needed")
        if self.kind == "granet" and self.final > self.initial:
            what = f"granet prunes from a density of {self.initial} to {self.final}"
            raise BadInput(f"{what}; the final one must be the lower")

    def at(self, t: float) -> float:
        """The density at the share ``t`` of the training (0 to 1). Raises `BadInput` for another ``t``."""
        if not 0.0 <= t <= 1.0:
            raise BadInput(f"t is {t}; it is the share of the training done, from 0 to 1")
        return self._after(math.floor(t * self.steps / self.interval))

    def _after(self, update: int) -> float:
        """The density after the update at step ``update`` · ``interval``."""
        if self.kind != "granet":
            return self.final
        first, last = (share * self.steps / self.interval for share in (self.begin, self.end))
        left = 1.0 - min(1.0, max(0.0, (update - first) / (last - first)))
        return self.final + (self.initial - self.final) * left**3

    def mean_density(self) -> float:
        """The mean over all steps."""
        if self.kind != "granet":
            return self.final
        whole, rest = divmod(self.steps, self.interval)
        # One term per update: a sum as long as the schedule, no integral, so that coarse schedules are exact too.
        total = math.fsum(self._after(update) for update in range(whole)) * self.interval
        return (total + self._after(whole) * rest) / self.steps

    def replaced(self, t: float) -> float:
        """Share of the kept weights that an update at ``t`` prunes and regrows (a half cosine from ``regrow`` to 0)."""
        return 0.0 if self.kind == "static" else self.regrow / 2.0 * (1.0 + math.cos(math.pi * min(1.0, max(0.0, t))))

    @property
    def dense_gradients(self) -> float:
        """Share of the steps that compute the gradients of all weights, to choose which to grow."""
        return 0.0 if self.kind == "static" else 1.0 / self.interval

    def gradient_density(self, density: float) -> float:
        """Mean density of the weights' gradients where the weights have this one."""
        return density + (1.0 - density) * self.dense_gradients


def sparse_schedule(what: SparseSchedule | float) -> SparseSchedule:
    """A density as the static schedule of it."""
    return what if isinstance(what, SparseSchedule) else SparseSchedule("static", what)


def layer_densities(network: Network, density: float, distribution: str = "erk") -> dict[str, float]:
    """Density of each contraction's stored weights such that the share ``density`` of them all is kept.

    ``uniform``: the first layer stays dense, as in RigL, and the share is that of the others; ``erk``
    (Erdős–Rényi kernel, Evci et al., section 3): in proportion to (n_in + n_out + r + s) / (n_in · n_out · r · s),
    layers that this would make denser than dense being left dense.
    """
    ops = [op for op in network.contractions if op.tensor("weight").is_parameter]
    if distribution == "uniform":
        return {op.name: 1.0 if at == 0 and len(ops) > 1 else density for at, op in enumerate(ops)}
    sizes = {op.name: op.words("weight") for op in ops}
    weights = {op.name: sum(_kernel(op)) / math.prod(_kernel(op)) for op in ops}
    dense: set[str] = set()
    scale = 1.0
    for _ in ops:
        left = density * sum(sizes.values()) - sum(sizes[name] for name in dense)
        whole = math.fsum(weights[name] * size for name, size in sizes.items() if name not in dense)
        if not whole:
            break
        scale = left / whole
        over = {name for name, weight in weights.items() if name not in dense and scale * weight > 1.0}
        if not over:
            break
        dense |= over
    return {name: 1.0 if name in dense else scale * weight for name, weight in weights.items()}


def _kernel(op: Op) -> tuple[int, ...]:
    """Channels in and out and the window, of one filter: what the weight's axes are without its groups."""
    shared = op.tensor("weight").dims & op.tensor("input").dims & op.tensor("output").dims
    return tuple(op.bounds[dim] for dim in op.bounds if dim in op.tensor("weight").dims - shared)
