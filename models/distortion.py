"""What compressing one layer does to a module's outputs, level by level, measured on data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BadInput
from .pruning import masks
from .pruning.weights import Weight, check_density, named, weights_of
from .quantising import quantise_weight
from .torch_program import evaluating

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["distortion_curves"]

Change = Callable[[Weight, "Tensor", float], "Tensor"]


def distortion_curves(
    module: torch.nn.Module,
    data: Iterable[Any],
    levels: Sequence[float],
    how: Literal["density", "bits"] | Change = "density",
    *,
    layers: Iterable[str] | None = None,
) -> dict[str, tuple[float, ...]]:
    """By layer and level, the mean squared error of the module's outputs when only that layer is compressed.

    ``data`` yields what the module is called with: a tensor, or a tuple of arguments. A level is a density (the
    smallest magnitudes are zeroed), a width ("bits", rounded as in `quantise`), or what a function (weight, its values,
    level) -> values makes of it. The error is the squared difference from the outputs of the module as given, summed
    over a sample's outputs and averaged over samples. Such errors of several layers nearly add up as long as they are
    small (Xu et al., "Efficient Joint Optimization of Layer-Adaptive Weight Pruning in Deep Neural Networks", ICCV
    2023), which `allocate` builds on.

    Raises `BadInput` for an unknown layer, a density outside (0, 1], widths below 2, and where there is no data.
    """
    import torch

    if isinstance(levels, str) or not hasattr(levels, "__len__"):
        raise BadInput(f"levels {levels!r} is no list; give densities such as [0.1, 0.2, 0.5, 1.0]")
    change = _change(how, levels)
    batches, name = (
        [tuple(batch) if isinstance(batch, tuple | list) else (batch,) for batch in data],
        type(module).__name__,
    )
    if not batches:
        raise BadInput(f"{name}: no data to measure on; give at least one batch")
    copy = deepcopy(module)
    weights = {weight.layer: weight for weight in weights_of(copy)}
    chosen = list(weights) if layers is None else list(layers)
    named(chosen, weights, name)
    curves: dict[str, tuple[float, ...]] = {}
    with evaluating(copy), torch.no_grad():
        wanted = [_outputs(copy, batch) for batch in batches]
        for layer in chosen:
            values = weights[layer].of(copy)
            plain, curve = values.clone(), []
            for level in levels:
                values.copy_(change(weights[layer], plain, level))
                curve.append(_error(copy, batches, wanted))
            values.copy_(plain)
            curves[layer] = tuple(curve)
    return curves


def _change(how: Literal["density", "bits"] | Change, levels: Sequence[float]) -> Change:
    if not len(levels):
        raise BadInput("no levels to measure; give densities such as [0.1, 0.2, 0.5, 1.0]")
    if callable(how):
        return how
    masks.check_choice(how, ("density", "bits"), "how")
    for level in levels:
        if how == "density":
            check_density(level, "levels")
        elif level < 2 or level != int(level):
            raise BadInput(f"levels: words of {level} bits hold no sign and value; use whole numbers from 2 on")
    return _sparse if how == "density" else _rounded


def _sparse(weight: Weight, values: Tensor, density: float) -> Tensor:
    kept = masks.largest({weight.layer: values.abs()}, {weight.layer: density}, "layer")[weight.layer]
    return values.masked_fill(~kept, 0.0)


def _rounded(weight: Weight, values: Tensor, bits: float) -> Tensor:
    return quantise_weight(weight, values, int(bits))


def _outputs(module: torch.nn.Module, batch: tuple[Any, ...]) -> list[Tensor]:
    """Every floating-point tensor the module gives."""
    from torch.utils._pytree import tree_leaves

    outputs = [one for one in tree_leaves(module(*batch)) if hasattr(one, "is_floating_point")]
    found = [one for one in outputs if one.is_floating_point()]
    if not found:
        raise BadInput(f"{type(module).__name__}: its outputs are no real numbers; there is no error to measure")
    return found


def _error(module: torch.nn.Module, batches: Sequence[tuple[Any, ...]], wanted: Sequence[list[Tensor]]) -> float:
    total, samples = 0.0, 0
    for batch, before in zip(batches, wanted, strict=True):
        after = _outputs(module, batch)
        total += sum(float(((one.double() - two.double()) ** 2).sum()) for one, two in zip(after, before, strict=True))
        samples += before[0].shape[0] if before[0].dim() else 1
    return total / max(samples, 1)
