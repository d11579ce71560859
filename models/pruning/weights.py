"""The stored weights of a torch module, seen with the dimensions of the operator that uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, TypeVar

from ...errors import BadInput, check_type, suggestion

if TYPE_CHECKING:
    import torch

__all__ = ["Weight", "check_density", "named", "weights_of"]

Given = TypeVar("Given")


@dataclass(frozen=True)
class Weight:
    """A parameter that a contraction multiplies by.

    ``layer`` is the name `from_torch` gives the operator, ``target`` the parameter's path. Reshaped to ``sizes``, its
    axes are the dimensions ``dims``: G K C R S of a convolution, G C K R S of a transposed one, K C of a linear layer.
    """

    layer: str
    target: str
    dims: tuple[str, ...]
    sizes: tuple[int, ...]

    def of(self, module: torch.nn.Module) -> torch.Tensor:
        """The parameter's values in ``module``, reshaped to ``sizes``; shares its memory."""
        return module.get_parameter(self.target).detach().view(self.sizes)


def weights_of(module: torch.nn.Module) -> list[Weight]:
    """Weights of all convolutions, linear layers and attention's joint projections, in the module's order.

    A parameter that two modules share is listed once. Raises `BadInput` for something that is no torch module, and
    where a layer's weight is computed on the way (a parametrization, a mask of `torch.nn.utils.prune`).
    """
    import torch
    from torch import nn

    check_type(module, torch.nn.Module, "module", "give a torch.nn.Module")
    found: dict[int, Weight] = {}
    for path, part in module.named_modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            name, dims, sizes = "weight", *_convolution(part)
        elif isinstance(part, nn.Linear):
            name, dims, sizes = "weight", ("K", "C"), (part.out_features, part.in_features)
        elif isinstance(part, nn.MultiheadAttention) and isinstance(part.in_proj_weight, nn.Parameter):
            name, dims, sizes = "in_proj_weight", ("K", "C"), (3 * part.embed_dim, part.embed_dim)
        else:
            continue
        target = f"{path}.{name}".lstrip(".")
        if not isinstance(part._parameters.get(name), nn.Parameter):
            raise BadInput(
                f"{target} is computed from other parameters; make it plain first, with "
                "torch.nn.utils.prune.remove or torch.nn.utils.parametrize.remove_parametrizations"
            )
        layer = target.removesuffix("weight").rstrip("._") or type(part).__name__.lower()
        found.setdefault(id(part._parameters[name]), Weight(layer, target, dims, sizes))
    return list(found.values())


def _convolution(
    part: torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.ConvTranspose1d | torch.nn.ConvTranspose2d,
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    groups, (r, s) = part.groups, (1, *part.kernel_size)[-2:]
    k, c = part.out_channels // groups, part.in_channels // groups
    if part.transposed:
        return ("G", "C", "K", "R", "S"), (groups, c, k, r, s)
    return ("G", "K", "C", "R", "S"), (groups, k, c, r, s)


def named(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise `BadInput` where a given layer is not among the known."""
    names = list(known)
    for layer in given:
        if layer not in names:
            remedy = suggestion(str(layer), names, "layers with weights are")
            raise BadInput(f"{where}: no layer '{layer}' with weights; {remedy}")


def check_density(density: float, what: str) -> float:
    """The density as a number; raises `BadInput` outside (0, 1]."""
    if isinstance(density, bool) or not isinstance(density, Real) or not 0.0 < density <= 1.0:
        raise BadInput(f"{what}: density {density!r} is outside (0, 1]; give the share of words that is kept")
    return float(density)


def asked(density: float | Mapping[str, float], layers: Iterable[str], where: str) -> dict[str, float]:
    """The density asked for, by layer: one for all of ``layers``, or those of a mapping."""
    names = list(layers)
    if isinstance(density, Mapping):
        named(density, names, where)
        return {layer: check_density(share, layer) for layer, share in density.items()}
    return dict.fromkeys(names, check_density(density, where))
