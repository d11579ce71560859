"""Which activations are on for which image: how well an untrained network tells images apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .indicator import checked_images
from .layers import hooked, rectifiers, weighted
from .probe import Probe

__all__ = ["activation_codes", "linear_regions"]

_POINTS = 1000
_SIDE = 4


def activation_codes(module: nn.Module, probe: Probe) -> dict[str, float]:
    """``naswot``: log det K, K (n, n) the number of activations on which two images agree (both on, or both off).

    Mellor et al., "Neural Architecture Search without Training", ICML 2021. Minus infinity where two images agree
    everywhere.
    """
    images = checked_images(probe)
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def count(part: nn.Module, given: Tensor, output: Tensor) -> None:
        on = (given > 0).flatten(1).float()
        agree = on @ on.T + (1.0 - on) @ (1.0 - on).T
        kernel.add_(agree.double())

    with torch.no_grad(), hooked(rectifiers(module), count):
        module(images)
    sign, logarithm = torch.linalg.slogdet(kernel)
    return {"naswot": float(logarithm) if sign > 0 else -math.inf}


def linear_regions(module: nn.Module, probe: Probe) -> dict[str, float]:
    """The number of distinct patterns of active units that 1,000 random inputs of 4×4 pixels meet.

    Weights are drawn by He's rule with the fan-in (Chen, Gong & Wang, "Neural Architecture Search on ImageNet in Four
    GPU Hours", ICLR 2021, appendix). A wide network gives every input a region of its own; look at a thin one.
    """
    for layer in weighted(module):
        nn.init.kaiming_normal_(layer.weight, mode="fan_in")
    images = torch.randn(_POINTS, checked_images(probe).shape[1], _SIDE, _SIDE)
    patterns: list[Tensor] = []

    def note(part: nn.Module, given: Tensor, output: Tensor) -> None:
        patterns.append((given > 0).flatten(1))

    with torch.no_grad(), hooked(rectifiers(module), note):
        module(images)
    if not patterns:
        return {"linear_regions": 1.0}
    return {"linear_regions": float(len(torch.unique(torch.cat(patterns, 1), dim=0)))}
