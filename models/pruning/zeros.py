"""Pruning that leaves shapes alone: single words, n of m, blocks. Of a torch module, or, by density, of a `Network`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar, cast

from ...errors import BadInput, check_type
from ..network import Network
from ..op import Op
from . import masks
from .masks import Norm, Scope
from .weights import Weight, asked, named, weights_of

if TYPE_CHECKING:
    import torch

__all__ = ["prune", "prune_blocks", "prune_n_of_m"]

Model = TypeVar("Model", bound="torch.nn.Module | Network")


def prune(model: Model, density: float | Mapping[str, float], *, scope: Scope = "layer") -> Model:
    """A copy of ``model`` in which the share ``density`` of each layer's weights, the largest in magnitude, is kept.

    A torch module keeps its shapes and gets zeros; biases and norms stay. ``density`` holds for all convolutions and
    linear layers, or is given by layer. With ``scope="global"`` the same threshold holds for all of them, so that
    layers come out differently dense. A `Network` has no weights: its weight tensors get the density, zeros at random.

    Raises `BadInput` for a density outside (0, 1], an unknown layer, and a global scope of a `Network`.
    """
    masks.check_choice(scope, ("layer", "global"), "scope")
    if isinstance(model, Network):
        if scope == "global":
            raise BadInput(f"{model.name}: a network has no weights to compare; prune the torch module, or 'layer'")
        shares = asked(density, _stored(model), model.name)
        return cast(Model, with_weights(model, {layer: Uniform(share) for layer, share in shares.items()}))
    weights = {weight.layer: weight for weight in weights_of(model)}
    shares = asked(density, weights, type(model).__name__)
    scores = {layer: weights[layer].of(model).abs() for layer in shares}
    return cast(Model, _masked(model, weights, masks.largest(scores, shares, scope)))
