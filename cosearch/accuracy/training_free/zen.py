"""Zen-score: how strongly the features of a random network follow a small change of its input."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .indicator import checked_images
from .layers import hooked, weighted
from .probe import Probe

__all__ = ["zen"]

_STEP = 0.01


def zen(module: nn.Module, probe: Probe) -> dict[str, float]:
    """log of the mean change of the last feature maps, plus the logs of what each batch norm divided by.

    Weights and inputs are standard normal, the change is 0.01 of another input (Lin et al., "Zen-NAS", ICCV 2021). The
    feature maps are those of the last part that gives maps rather than vectors.
    """
    for layer in weighted(module):
        nn.init.normal_(layer.weight)
    images = torch.randn_like(checked_images(probe))
    maps: list[Tensor] = []
    scales: list[float] = []

    def note(part: nn.Module, given: Tensor, output: Tensor) -> None:
        if isinstance(part, nn.BatchNorm2d) and not maps_seen:
            scales.append(0.5 * math.log(float(given.var((0, 2, 3), unbiased=False).mean()) + 1e-12))
        if output.ndim == 4 and output.shape[-1] * output.shape[-2] > 1:
            maps[:] = [output]

    parts = [part for part in module.modules() if not list(part.children())]
    maps_seen: list[Tensor] = []
    with torch.no_grad(), hooked(parts, note):
        module(images)
        maps_seen += maps
        module(images + _STEP * torch.randn_like(images))
    change = (maps_seen[0] - maps[0]).abs().flatten(1).sum(1).mean() if maps else torch.zeros(())
    return {"zen": math.log(float(change) + 1e-12) + sum(scales)}
