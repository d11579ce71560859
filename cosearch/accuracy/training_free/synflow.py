"""Synaptic flow: how much of a unit input reaches the output through the absolute weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from .indicator import checked_images
from .layers import hooked, weighted
from .probe import Probe

__all__ = ["synaptic_flow"]


def synaptic_flow(module: nn.Module, probe: Probe) -> dict[str, float]:
    """log Σ|w·∂R/∂w|, R the sum of the outputs for an input of ones, with |w| for w and no batch norm.

    Needs no data. The sum counts every path from input to output once for each of its layers (Tanaka et al., NeurIPS
    2020, "Pruning neural networks without any data by iteratively conserving synaptic flow"), which is why its
    logarithm is taken. In double precision: the product of thirty layers leaves single precision behind.
    """
    for parameter in module.eval().double().parameters():
        parameter.data.abs_()
    norms: list[nn.Module] = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    images = torch.ones_like(checked_images(probe)[:1], dtype=torch.float64)
    with hooked(norms, lambda part, given, output: given):
        module(images).sum().backward()
    pairs = [(layer.weight.detach(), layer.weight.grad) for layer in weighted(module)]
    flow = sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs if gradient is not None)
    return {"synflow": math.log(flow) if flow > 0.0 else -math.inf}

