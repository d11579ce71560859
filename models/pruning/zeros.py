"""Pruning that leaves shapes alone: single words, n of m, blocks. Of a torch module, or, by density, of a `Network`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar, cast

from ...errors import BadInput
from ..network import Network
from ..op import Op
from ..patterns import Blocks, NofM, Uniform
from . import masks
from .masks import Norm, Scope
from .structure import with_weight_zeros
from .weights import Weight, asked, named, weights_of

if TYPE_CHECKING:
    import torch

__all__ = ["prune", "prune_blocks", "prune_n_of_m"]

Model = TypeVar("Model", bound="torch.nn.Module | Network")
Sizes = dict[str, dict[str, int]]  # by layer, its weight's dimensions


def prune(model: Model, density: float | Mapping[str, float], *, scope: Scope = "layer") -> Model:
    """A copy of ``model`` that keeps the share ``density`` of each layer's weights, those largest in magnitude.

    A torch module keeps its shapes and gets zeros; biases and norms stay. ``density`` holds for all convolutions and
    linear layers, or is given by layer. With ``scope="global"`` one threshold holds for all of them, so that layers
    come out differently dense. A `Network` has no weights: its weight tensors get the density, with zeros at random.

    Raises `BadInput` for a density outside (0, 1], an unknown layer, and a global scope of a `Network`.
    """
    masks.check_choice(scope, ("layer", "global"), "scope")
    sizes = _sizes(model)
    shares = asked(density, sizes, _name(model))
    if isinstance(model, Network):
        _no_ranking(model, scope)
        return cast(Model, with_weight_zeros(model, {layer: Uniform(share) for layer, share in shares.items()}))
    weights = {weight.layer: weight for weight in weights_of(model)}
    scores = {layer: weights[layer].of(model).abs() for layer in shares}
    return cast(Model, _masked(model, weights, masks.largest(scores, shares, scope)))


def prune_n_of_m(model: Model, n: int, m: int, *, along: str = "C", layers: Iterable[str] | None = None) -> Model:
    """A copy of ``model`` with at most ``n`` weights of each ``m`` consecutive ones along the dimension ``along``.

    By default input channels are consecutive and all layers whose groups of ``m`` come out even are pruned; 2 of 4 is
    what sparse tensor cores take (Mishra et al., arXiv:2104.08378). Raises `BadInput` for n > m, an unknown layer, one
    of ``layers`` that groups of ``m`` do not fill, and where no layer could be pruned.
    """
    pattern = NofM(n, m, along)
    chosen = _fitting(model, layers, lambda sizes: _why_not_groups(sizes, m, along))
    if isinstance(model, Network):
        return cast(Model, with_weight_zeros(model, dict.fromkeys(chosen, pattern)))
    weights = {weight.layer: weight for weight in weights_of(model)}
    kept = {layer: masks.n_of_m(weights[layer].of(model), weights[layer].dims.index(along), n, m) for layer in chosen}
    return cast(Model, _masked(model, weights, kept))


def prune_blocks(
    model: Model,
    density: float | Mapping[str, float],
    block: Mapping[str, int],
    *,
    scope: Scope = "layer",
    norm: Norm = "l1",
) -> Model:
    """A copy of ``model`` that keeps the share ``density`` of aligned blocks, say of ``{"K": 16, "C": 16}`` weights.

    The blocks with the largest mean magnitude ("l1") or root mean square ("l2") stay; dimensions that ``block`` does
    not name count 1, and blocks at the end may be smaller. With one density for all, layers smaller than the block
    stay dense. ``scope`` is as in `prune`. Raises `BadInput` for a density outside (0, 1], an unknown layer or
    dimension, and a block larger than the weight.
    """
    masks.check_choice(scope, ("layer", "global"), "scope")
    masks.check_choice(norm, ("l1", "l2"), "norm")
    known, listed = _sizes(model), density if isinstance(density, Mapping) else None
    pattern = Blocks(1.0, block)  # type: ignore[arg-type]
    block = dict(pattern.block)
    chosen = _fitting(model, listed, lambda sizes: _why_not_blocks(sizes, block))
    shares = asked(density, known, _name(model))
    shares = {layer: shares[layer] for layer in chosen}
    if isinstance(model, Network):
        _no_ranking(model, scope)
        return cast(Model, with_weight_zeros(model, {at: Blocks(share, pattern.block) for at, share in shares.items()}))
    weights = {weight.layer: weight for weight in weights_of(model)}
    extents = {layer: [block.get(dim, 1) for dim in weights[layer].dims] for layer in chosen}
    scores = {layer: masks.block_scores(weights[layer].of(model), extents[layer], norm) for layer in chosen}
    kept = masks.largest(scores, shares, scope)
    spread = {layer: masks.spread(kept[layer], extents[layer], weights[layer].sizes) for layer in chosen}
    return cast(Model, _masked(model, weights, spread))


# ---- shared


def _name(model: torch.nn.Module | Network) -> str:
    return model.name if isinstance(model, Network) else type(model).__name__


def _sizes(model: torch.nn.Module | Network) -> Sizes:
    """By layer with stored weights, their dimensions and sizes."""
    if isinstance(model, Network):
        found = {op.name: _extents(op) for op in model.contractions if op.tensor("weight").is_parameter}
    else:
        found = {weight.layer: dict(zip(weight.dims, weight.sizes, strict=True)) for weight in weights_of(model)}
    if not found:
        raise BadInput(f"{_name(model)}: no layer has weights to prune; give convolutions or linear layers")
    return found


def _extents(op: Op) -> dict[str, int]:
    return {rank.terms[0][0]: op.bounds[rank.terms[0][0]] for rank in op.tensor("weight").ranks if len(rank.terms) == 1}


def _fitting(
    model: torch.nn.Module | Network, layers: Iterable[str] | None, why_not: Callable[[dict[str, int]], str]
) -> list[str]:
    """The layers given, each of which must fit, or all that do; ``why_not`` says "" of one that fits."""
    known = _sizes(model)
    if layers is None:
        fitting = [layer for layer, sizes in known.items() if not why_not(sizes)]
        if not fitting:
            reasons = "; ".join(f"{layer}: {why_not(sizes)}" for layer, sizes in list(known.items())[:3])
            raise BadInput(f"{_name(model)}: no layer can be pruned like this ({reasons})")
        return fitting
    chosen = list(dict.fromkeys(layers))
    named(chosen, known, _name(model))
    for layer in chosen:
        reason = why_not(known[layer])
        if reason:
            raise BadInput(f"{_name(model)}: {layer}: {reason}")
    return chosen


def _why_not_groups(sizes: dict[str, int], m: int, along: str) -> str:
    if along not in sizes:
        return f"its weight has no dimension '{along}'; use {', '.join(sizes)}"
    return f"groups of {m} do not fill the {sizes[along]} words along {along}" if sizes[along] % m else ""


def _why_not_blocks(sizes: dict[str, int], block: Mapping[str, int]) -> str:
    for dim, size in block.items():
        if dim not in sizes:
            return f"its weight has no dimension '{dim}'; use {', '.join(sizes)}"
        if size > sizes[dim]:
            return f"a block of {size} along {dim} is larger than the weight, {sizes[dim]}; take a smaller one"
    return ""


def _no_ranking(network: Network, scope: Scope) -> None:
    if scope == "global":
        raise BadInput(f"{network.name}: a network has no weights to rank; prune the torch module, or scope='layer'")


def _masked(
    module: torch.nn.Module, weights: Mapping[str, Weight], kept: Mapping[str, torch.Tensor]
) -> torch.nn.Module:
    """A copy in which the words that are not kept are zero."""
    copy = deepcopy(module)
    for layer, mask in kept.items():
        weights[layer].of(copy).masked_fill_(~mask, 0.0)
    return copy
