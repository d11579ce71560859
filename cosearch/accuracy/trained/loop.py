"""Training one module: the loop, its learning curve and what it took."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ....errors import BadInput
from .data import Data, batches

__all__ = ["OPTIMIZERS", "Recipe", "Training", "evaluate", "forward_macs", "optimizer_for", "train"]

OPTIMIZERS = ("adam", "adamw", "sgd")
_HELD_BATCH = 512
# Forward, gradients of the activations, gradients of the weights.
TRAINING_PASSES = 3

Stop = Callable[[Sequence[float]], bool]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. ``learning_rate`` falls to 0 along half a cosine, or stays with ``constant``.

    ``sgd`` has Nesterov's momentum of 0.9.
    """

    epochs: int = 20
    batch: int = 64
    learning_rate: float = 5e-3
    optimizer: str = "adam"
    schedule: str = "cosine"
    weight_decay: float = 0.0

    def rate(self, progress: float) -> float:
        """The learning rate at ``progress`` in [0, 1)."""
        return self.learning_rate * (0.5 * (1.0 + math.cos(math.pi * progress)) if self.schedule == "cosine" else 1.0)


@dataclass(frozen=True)
class Training:
    """``curve``: top-1 accuracy on the held-out data in percent after each epoch it was looked at, the last one too.

    ``macs``: multiply-accumulates of training and of looking, a training step counted as three forward passes.
    """

    curve: tuple[float, ...]
    epochs: int
    macs: float

    @property
    def top1_pct(self) -> float:
        """After the last epoch that was run."""
        return self.curve[-1]


def optimizer_for(parameters: Sequence[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser at its first learning rate."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, weight_decay=decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=decay)
    return torch.optim.SGD(parameters, rate, momentum=0.9, nesterov=True, weight_decay=decay)


def forward_macs(module: nn.Module, shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of one image, by torch's counter of floating-point operations (two each)."""
    was_training = module.training
    module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, *shape))
    module.train(was_training)
    return int(counter.get_total_flops()) // 2


def evaluate(module: nn.Module, dataset: object) -> float:
    """Top-1 accuracy in percent; the module is left in evaluation mode."""
    module.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in batches(dataset, _HELD_BATCH):
            right += int((module(images).argmax(1) == labels).sum())
            count += len(labels)
    return 100.0 * right / count


def train(module: nn.Module, data: Data, recipe: Recipe, stop: Stop | None = None) -> Training:
    """Train ``module`` in place, with random numbers from torch's own generator (see `repeatable`).

    With ``stop``, the held-out accuracy is looked at after each epoch, and training ends where ``stop(curve)`` says so.
    Raises `BadInput` where the loss is no number any more.
    """
    optimizer = optimizer_for(list(module.parameters()), recipe)
    samples = len(data.train)  # type: ignore[arg-type]
    steps, done = -(-samples // recipe.batch) * recipe.epochs, 0
    curve: list[float] = []
    epoch = 0
    for epoch in range(1, recipe.epochs + 1):
        module.train()
        for images, labels in batches(data.train, recipe.batch, torch.randperm(samples)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(done / steps)
            loss = nn.functional.cross_entropy(module(images), labels)
            if not math.isfinite(loss.item()):
                raise BadInput(f"the loss is {loss.item()} in epoch {epoch}; lower accuracy.learning_rate")
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            done += 1
        if stop is not None or epoch == recipe.epochs:
            curve.append(evaluate(module, data.held))
            if stop is not None and epoch < recipe.epochs and stop(curve):
                break
    seen = TRAINING_PASSES * samples * epoch + len(data.held) * len(curve)  # type: ignore[arg-type]
    return Training(tuple(curve), epoch, float(forward_macs(module, data.shape)) * seen)
