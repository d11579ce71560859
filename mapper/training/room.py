"""Whether what a device holds while it trains fits into its memory."""

from __future__ import annotations

import math

from ...accel.accelerator import Accelerator
from ...errors import CannotDo
from ...models.training import TrainingStep
from .recipes import Recipe

__all__ = ["check_room", "fits", "micro_batches_needed"]


def fits(step: TrainingStep, accelerator: Accelerator) -> bool:
    """Whether the most that is held at once (`TrainingStep.peak_bytes`) is within the outermost memory's size."""
    return step.peak_bytes <= accelerator.memories[0].size_bits / 8.0


def micro_batches_needed(step: TrainingStep, accelerator: Accelerator) -> int:
    """Into how many parts a micro-batch must be cut at least, as its activations grow with its samples; 1: in none."""
    stored = step.parameter_bytes + step.gradient_bytes + step.state_bytes
    left = accelerator.memories[0].size_bits / 8.0 - stored
    return math.floor((step.peak_bytes - stored) / left) if left > 0.0 else 1


def check_room(step: TrainingStep, accelerator: Accelerator, samples: int, recipe: Recipe) -> None:
    """Raise `CannotDo`, saying what takes how much and what to do, where a device's memory is too small.

    What is held is the step's `peak_bytes`; the memory is the outermost one, as far as its size is stated.
    """
    memory = accelerator.memories[0]
    room = memory.size_bits / 8.0
    if fits(step, accelerator):
        return
    stored = step.parameter_bytes + step.gradient_bytes + step.state_bytes
    remedies = ["more micro_batches", "a smaller batch or more devices"] if samples > 1 else []
    if recipe.recompute == "none" and recipe.method == "backprop":
        remedies.insert(0, "recompute='sqrt' or 'all'")
    if stored > room:
        remedies = ["an optimizer with less state", "a narrower precision", "an accelerator with more memory"]
    raise CannotDo(
        f"{step.name}: {_bytes(step.peak_bytes)} for {samples} samples at a time do not fit into {memory.name} of "
        f"{accelerator.name}, {_bytes(room)}: weights {_bytes(step.parameter_bytes)}, gradients "
        f"{_bytes(step.gradient_bytes)}, optimiser {_bytes(step.state_bytes)}, activations and theirs "
        f"{_bytes(step.peak_bytes - stored)}; try {', '.join(remedies)}"
    )


def _bytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB"
