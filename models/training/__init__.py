"""Training: the backward and optimiser operators of any network, and what they hold in memory."""

from __future__ import annotations

from .diet import DataDiet
from .gradients import bias_gradient, input_gradient, weight_gradient
from .local import LOCAL_METHODS
from .norms import with_batch_norm
from .optimizers import OPTIMIZERS, Optimizer
from .precision import PRECISIONS, Precision
from .sparsity import SparseSchedule, layer_densities
from .step import TrainingStep
from .traces import PrecisionTrace
from .train import METHODS, training_step
from .zeroth_order import ZerothOrder

__all__ = [
    "LOCAL_METHODS",
    "METHODS",
    "OPTIMIZERS",
    "PRECISIONS",
    "DataDiet",
    "Optimizer",
    "Precision",
    "PrecisionTrace",
    "SparseSchedule",
    "TrainingStep",
    "ZerothOrder",
    "bias_gradient",
    "input_gradient",
    "layer_densities",
    "training_step",
    "weight_gradient",
    "with_batch_norm",
]
