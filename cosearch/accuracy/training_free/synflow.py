"""Synaptic flow: how much of a unit input reaches the output through the absolute weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from .indicator import checked_images
from .layers import weighted
from .probe import Probe

__all__ = ["synaptic_flow"]


def synaptic_flow(module: nn.Module, probe: Probe) -> dict[str, float]:
    """log Σ|w·∂R/∂w|, R the sum of the outputs for an input of ones, with |w| for w and no batch norm.

    Needs no data. The sum counts every path from input to output once for each of its layers (Tanaka et al., NeurIPS
    2020, "Pruning neural networks without any data by iteratively conserving synaptic flow"), which is why its
    logarithm is taken. In double precision: the product of thirty layers leaves single precision behind.
    """
    module = _linear(module).double()
    for parameter in module.parameters():
        parameter.data.abs_()
    images = torch.ones_like(checked_images(probe)[:1], dtype=torch.float64)
    module(images).sum().backward()
    pairs = [(layer.weight.detach(), layer.weight.grad) for layer in weighted(module)]
    flow = sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs if gradient is not None)
    return {"synflow": math.log(flow) if flow > 0.0 else -math.inf}


def _linear(module: nn.Module) -> nn.Module:
    """The module without its batch norms."""
    for name, part in list(module.named_children()):
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            _linear(part)
    return module
