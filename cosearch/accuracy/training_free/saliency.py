"""Saliencies of weights at the start of training, summed over a network.

Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021: a pruning method's score of each weight becomes
a score of the network by its sum. Weights are those of convolutions and linear layers, the loss is cross entropy on one
batch, batch norm uses the batch's own statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .indicator import checked_images
from .layers import hooked, weighted
from .probe import Probe

__all__ = ["gradient_flow", "saliencies", "weight_norms"]


def saliencies(module: nn.Module, probe: Probe) -> dict[str, float]:
    """From one backward pass, with weights w, gradients g, and outputs a of the layers with gradients δ.

    ``grad_norm`` Σ‖g‖ over layers, ``snip`` Σ|w·g|, ``plain`` Σ w·g, ``fisher`` Σ over weights of their channel's
    saliency, half the mean over images of (Σ over pixels a·δ)².
    """
    layers = weighted(module)
    outputs: list[tuple[int, Tensor]] = []

    def keep(part: nn.Module, given: Tensor, output: Tensor) -> None:
        output.retain_grad()
        weights = sum(weight.numel() for name, weight in part.named_parameters() if name == "weight")
        outputs.append((weights // output.shape[1], output))

    with hooked(list(layers), keep):
        loss = nn.functional.cross_entropy(module(checked_images(probe)), probe.targets)
    loss.backward()  # type: ignore[no-untyped-call]
    pairs = [(layer.weight.detach(), layer.weight.grad) for layer in layers if layer.weight.grad is not None]
    reached = [(weights, output.detach(), output.grad) for weights, output in outputs if output.grad is not None]
    fisher = sum(weights * _channel_saliency(output, gradient) for weights, output, gradient in reached)
    return {
        "grad_norm": sum(float(gradient.norm()) for _, gradient in pairs),
        "snip": sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs),
        "plain": sum(float((weight * gradient).sum()) for weight, gradient in pairs),
        "fisher": fisher,
    }


def _channel_saliency(output: Tensor, gradient: Tensor) -> float:
    """Summed over channels; a layer's channels have equally many weights."""
    product = output * gradient
    per_image = product.flatten(2).sum(2) if product.ndim > 2 else product
    return float((per_image.double() ** 2).mean(0).sum()) / 2.0


def weight_norms(module: nn.Module, probe: Probe) -> dict[str, float]:
    """``l2_norm``: Σ‖w‖ over layers, which knows only how many layers there are and how wide."""
    return {"l2_norm": sum(float(layer.weight.detach().norm()) for layer in weighted(module))}


def gradient_flow(module: nn.Module, probe: Probe) -> dict[str, float]:
    """``grasp``: Σ −w·(H g), H the loss' Hessian: what removing weights would do to the gradient's norm."""
    weights = [layer.weight for layer in weighted(module)]
    loss = nn.functional.cross_entropy(module(checked_images(probe)), probe.targets)
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    held = [gradient.detach() for gradient in gradients if gradient is not None]
    free = [gradient for gradient in gradients if gradient is not None]
    product = torch.stack([(one * other).sum() for one, other in zip(held, free, strict=True)]).sum()
    curved = torch.autograd.grad(product, weights, allow_unused=True)
    pairs = [(weight, turned) for weight, turned in zip(weights, curved, strict=True) if turned is not None]
    return {"grasp": sum(float(-(weight.detach() * turned).sum()) for weight, turned in pairs)}
