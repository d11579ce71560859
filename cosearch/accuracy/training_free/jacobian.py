"""How differently an untrained network reacts to different images: correlations of its input Jacobians."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .indicator import checked_images
from .probe import Probe

__all__ = ["class_correlation", "input_jacobian", "spectrum_score"]

_SMALL = 1e-5


def input_jacobian(module: nn.Module, probe: Probe) -> dict[str, float]:
    """``jacov`` and ``epe_nas`` of J (n, pixels): the gradient of each image's summed outputs by its pixels."""
    images = checked_images(probe).clone().requires_grad_(True)
    outputs = module(images)
    if not outputs.requires_grad:
        return {"jacov": float("nan"), "epe_nas": float("nan")}
    (gradient,) = torch.autograd.grad(outputs.sum(), images)
    rows = gradient.flatten(1).double().numpy()
    return {"jacov": spectrum_score(rows), "epe_nas": class_correlation(rows, probe.targets.numpy())}


def spectrum_score(rows: NDArray[np.float64]) -> float:
    """−Σ (log v + 1/v) over the eigenvalues v of the rows' correlation: largest where no two rows are alike.

    Mellor et al., "Neural Architecture Search without Training", 2020, first version.
    """
    if not (rows.std(axis=1) > 0).all():
        return float("nan")
    values = np.linalg.eigvalsh(np.corrcoef(rows)) + _SMALL
    values = np.maximum(values, _SMALL / 10.0)
    return -float(np.sum(np.log(values) + 1.0 / values))


def class_correlation(rows: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Σ over classes of |Σ log |correlation|| of the rows of a class (Lopes et al., "EPE-NAS", 2021)."""
    if not (rows.std(axis=1) > 0).all():
        return float("nan")
    total = 0.0
    for target in np.unique(targets):
        own = rows[targets == target]
        if len(own) > 1:
            total += abs(float(np.log(np.abs(np.corrcoef(own)) + _SMALL).sum()))
    return total
