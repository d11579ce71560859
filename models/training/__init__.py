"""Training: the backward and optimiser operators of any network, and what they hold in memory."""

from __future__ import annotations

from .gradients import input_gradient, weight_gradient
from .optimizers import OPTIMIZERS, Optimizer
from .precision import PRECISIONS, Precision
from .step import TrainingStep, training_step

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "Optimizer",
    "Precision",
    "TrainingStep",
    "input_gradient",
    "training_step",
    "weight_gradient",
]
