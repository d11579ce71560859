"""ProxylessNAS: architecture gates trained by gradients, with expected costs in the loss.

Cai, Zhu & Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware", ICLR 2019. Each slot has
logits α with p = softmax(α). Weights are trained on one path drawn from p. For α, two candidates a slot are drawn and
one of the two is let through by a binary gate; ∂L/∂α_i ≈ Σ_j ∂L/∂g_j · p_j (δ_ij − p_i) over the two, after which both
are shifted so that all other candidates keep their probabilities (expected costs in the loss move all of them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import BadInput
from ...spaces.modules.mixed import SharedModule
from ...spaces.slots import Slot
from ..trained.data import Data, batches, part_of
from ..trained.loop import Recipe, optimizer_for
from .expected_cost import LinearCost

__all__ = ["GateOptions", "GateSearch", "Gates", "binary_gates", "cost_loss", "drop_shift", "train_gates"]


@dataclass(frozen=True)
class GateOptions:
    """``strengths``: for each cost the factor λ of λ·(E − reference)/reference in the loss.

    ``learning_rate`` is that of α (Adam); for the first ``warm_up`` share of the epochs only weights are trained.
    ``gate_share`` of the training data are kept for α.
    """

    strengths: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 0.02
    warm_up: float = 0.3
    gate_share: float = 0.25


@dataclass
class Gates:
    """The logits of every slot, float64 tensors (candidates,) that are trained."""

    slots: Sequence[Slot]
    alphas: dict[str, Tensor]

    @classmethod
    def uniform(cls, slots: Sequence[Slot]) -> Gates:
        """Every candidate equally likely."""
        return cls(slots, {
            slot.name: torch.zeros(len(slot.candidates), dtype=torch.float64, requires_grad=True) for slot in slots
        })  # fmt: skip

    def probabilities(self) -> dict[str, Tensor]:
        """Of each slot's candidates; differentiable in the logits."""
        return {name: torch.softmax(alpha, 0) for name, alpha in self.alphas.items()}

    def draw(self) -> dict[str, int]:
        """A path by the probabilities, with torch's own generator."""
        with torch.no_grad():
            return {name: int(torch.multinomial(p, 1)) for name, p in self.probabilities().items()}

    def best(self) -> dict[str, int]:
        """The most probable candidate of each slot, the first of equals."""
        return {name: int(alpha.detach().argmax()) for name, alpha in self.alphas.items()}

    def entropy(self) -> float:
        """Mean over the slots, as a share of the largest; 0 where everything is decided."""
        with torch.no_grad():
            parts = [
                float(-(p * p.clamp_min(1e-12).log()).sum()) / math.log(len(p))
                for p in self.probabilities().values()
                if len(p) > 1
            ]
        return sum(parts) / len(parts) if parts else 0.0


@dataclass(frozen=True)
class GateSearch:
    """What a search by gates found: the most probable network, its probabilities by slot, and the expected costs."""

    path: Mapping[str, int]
    probabilities: Mapping[str, tuple[float, ...]]
    expected: Mapping[str, float]
    entropy: float


def binary_gates(alpha: Tensor) -> tuple[tuple[int, int], Tensor]:
    """Two different candidates drawn by softmax(α), and their gates (2,): one is 1, the other 0.

    The gates' gradient reaches α as Σ_j ∂L/∂g_j · p_j (δ_ij − p_i), p being the softmax of the two logits alone.
    """
    with torch.no_grad():
        first, second = torch.multinomial(torch.softmax(alpha, 0), 2).tolist()
    pair = torch.softmax(alpha[[first, second]], 0)
    with torch.no_grad():
        hard = torch.zeros(2, dtype=pair.dtype)
        hard[int(torch.multinomial(pair, 1))] = 1.0
    return (first, second), hard + (pair - pair.detach())


def drop_shift(alpha: Tensor, before: Tensor, pair: tuple[int, int]) -> None:
    """Shift the two updated logits so that Σ exp(α) over them, hence every other probability, is as ``before``."""
    places = list(pair)
    with torch.no_grad():
        alpha[places] -= torch.logsumexp(alpha[places], 0) - torch.logsumexp(before[places], 0)


def cost_loss(
    probabilities: Mapping[str, Tensor], costs: Mapping[str, LinearCost], references: Mapping[str, float],
    strengths: Mapping[str, float],
) -> Tensor:  # fmt: skip
    """Σ λ·(E[cost] − reference)/reference over the costs; differentiable in the probabilities."""
    total = torch.zeros((), dtype=torch.float64)
    for name, strength in strengths.items():
        total = total + strength * (costs[name].expected(probabilities) - references[name]) / references[name]
    return total


def train_gates(
    module: SharedModule, slots: Sequence[Slot], data: Data, recipe: Recipe, costs: Mapping[str, LinearCost],
    options: GateOptions | None = None,
) -> GateSearch:  # fmt: skip
    """Train weights and gates in turn, in place, with random numbers from torch's own generator.

    ``costs`` by name, of which ``options.strengths`` uses some; their references are the means over all networks. Slots
    with a single candidate have no gate. Raises `BadInput` for a strength of a cost there is not.
    """
    chosen = options or GateOptions()
    unknown = [name for name in chosen.strengths if name not in costs]
    if unknown:
        raise BadInput(f"there is no cost '{unknown[0]}' to weigh; given are {', '.join(costs) or 'none'}")
    gates = Gates.uniform(slots)
    with torch.no_grad():
        references = {name: float(cost.expected(gates.probabilities())) for name, cost in costs.items()}
    weights = optimizer_for(list(module.parameters()), recipe)
    logits = torch.optim.Adam(list(gates.alphas.values()), chosen.learning_rate, betas=(0.0, 0.999))
    mine, theirs = _split(data, chosen.gate_share)
    module.train()
    for epoch in range(recipe.epochs):
        for group in weights.param_groups:
            group["lr"] = recipe.rate(epoch / recipe.epochs)
        judged = batches(theirs, recipe.batch, torch.randperm(len(theirs)))
        for images, labels in batches(mine, recipe.batch, torch.randperm(len(mine))):
            module.pick(gates.draw())
            weights.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(module(images), labels))
            weights.step()
            if epoch < chosen.warm_up * recipe.epochs:
                continue
            batch = next(judged, None)
            if batch is not None:
                _gate_step(module, gates, batch, logits, costs, references, chosen.strengths)
    probabilities = gates.probabilities()
    return GateSearch(
        gates.best(),
        {name: tuple(p.detach().tolist()) for name, p in probabilities.items()},
        {name: float(cost.expected(probabilities).detach()) for name, cost in costs.items()},
        gates.entropy(),
    )


def _split(data: Data, share: float) -> tuple[Any, Any]:
    """The training data in two: for weights and for gates."""
    count = len(data.train)  # type: ignore[arg-type]
    order = torch.randperm(count)
    kept = max(1, min(count - 1, round(share * count)))
    return part_of(data.train, order[kept:]), part_of(data.train, order[:kept])


def _gate_step(
    module: SharedModule, gates: Gates, batch: tuple[Tensor, Tensor], logits: torch.optim.Optimizer,
    costs: Mapping[str, LinearCost], references: Mapping[str, float], strengths: Mapping[str, float],
) -> None:  # fmt: skip
    """One step of the logits: the loss through binary gates, the expected costs through all probabilities."""
    pairs: dict[str, tuple[int, int]] = {}
    active: dict[str, tuple[tuple[int, Tensor | None], ...]] = {}
    for name, alpha in gates.alphas.items():
        if len(alpha) == 1:
            active[name] = ((0, None),)
            continue
        pairs[name], gate = binary_gates(alpha)
        active[name] = tuple(zip(pairs[name], gate.float(), strict=True))
    module.mix(active)
    images, labels = batch
    logits.zero_grad()
    loss = nn.functional.cross_entropy(module(images), labels).double()
    torch.autograd.backward(loss + cost_loss(gates.probabilities(), costs, references, strengths))
    before = {name: alpha.detach().clone() for name, alpha in gates.alphas.items()}
    logits.step()
    for name, pair in pairs.items():
        if not strengths:
            drop_shift(gates.alphas[name], before[name], pair)
