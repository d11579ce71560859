"""The neural tangent kernel of an untrained network: how well gradient descent could train it, and generalise.

Chen, Gong & Wang, "Neural Architecture Search on ImageNet in Four GPU Hours", ICLR 2021 (condition number); Chen et
al., "Understanding and Accelerating Neural Architecture Search with Training-Free and Theory-Grounded Metrics"
(TEG-NAS), 2021 (regression error). Mok et al., "Demystifying the Neural Tangent Kernel from a Practical Perspective",
CVPR 2022, show how little the condition number at the start of training says of the best networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .indicator import checked_images
from .layers import weighted
from .probe import Probe

__all__ = ["condition_number", "regression_error", "tangent_kernel", "tangent_rows"]

_MOST = 32  # images: the kernel takes a backward pass for each


def tangent_rows(module: nn.Module, images: Tensor) -> Tensor:
    """G (n, weights): the gradient of each image's summed outputs by the weights of convolutions and linear layers.

    The whole batch goes through the network at once, so batch norm ties its images together.
    """
    weights = [layer.weight for layer in weighted(module)]
    outputs = module(images)
    rows = []
    for index in range(len(images)):
        found = torch.autograd.grad(
            outputs[index].sum(), weights, retain_graph=index + 1 < len(images), allow_unused=True
        )
        rows.append(torch.cat([part.flatten() for part in found if part is not None]))
    return torch.stack(rows)


def condition_number(rows: Tensor) -> float:
    """λ_max / λ_min of Θ = G Gᵀ; infinite where Θ is singular."""
    values = torch.linalg.eigvalsh(rows.double() @ rows.double().T)
    return float(values[-1] / values[0]) if values[0] > 0 else float("inf")


def tangent_kernel(module: nn.Module, probe: Probe) -> dict[str, float]:
    """``ntk_condition`` and ``ntk_error`` of up to 32 images, weights by He's rule with the fan-out: less is better.

    The error is the mean squared one of kernel regression on half of the images, fitted to the other half:
    ŷ = Θ_val,train Θ_train⁻¹ (y − ȳ) + ȳ with one-hot classes y. Only classes that mean something can tell networks
    apart by it.
    """
    for layer in weighted(module):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    rows = tangent_rows(module, checked_images(probe)[:_MOST]).double()
    targets = nn.functional.one_hot(probe.targets[:_MOST], probe.classes).double()
    return {"ntk_condition": condition_number(rows), "ntk_error": regression_error(rows, targets)}


def regression_error(rows: Tensor, targets: Tensor) -> float:
    """Mean squared error of the second half's ``targets`` (n, classes), predicted from the first half's."""
    half = len(rows) // 2
    kernel, across = rows[:half] @ rows[:half].T, rows[half:] @ rows[:half].T
    mean = targets[:half].mean(0)
    # A kernel without full rank has a pseudo-inverse; solvers by pivoting may take its rounding errors for rank.
    inverse = torch.linalg.pinv(kernel.double(), rtol=1e-7, hermitian=True).to(kernel.dtype)
    predicted = across @ inverse @ (targets[:half] - mean) + mean
    return float(((predicted - targets[half:]) ** 2).mean())
