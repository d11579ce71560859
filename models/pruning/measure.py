"""A `Network` with the zeros that a torch module's weights really have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ...errors import BadInput
from ..network import Network
from ..op import Op
from ..patterns import Blocks, Measured, NofM, Pattern, Uniform
from ..transforms import with_densities, with_patterns
from . import masks
from .weights import Weight, weights_of

if TYPE_CHECKING:
    import torch

__all__ = ["Structure", "measured_weights", "with_weight_zeros"]

Structure = Literal["density", "mask"] | NofM | Blocks


def measured_weights(network: Network, module: torch.nn.Module, structure: Structure = "density") -> Network:
    """``network`` with the zeros of the weights of ``module``, from which `from_torch` made it.

    ``structure`` says what is kept of them: the "density" alone, with zeros at random; the "mask", word by word; an
    `NofM`, which layers that have it get and others do not (they get their density); or `Blocks`, whose sizes are taken
    and whose two shares are measured. Layers are found by name; a dense one stays as it is. Raises `BadInput` where a
    layer's sizes differ from the module's, a weight is all zeros, and where no layer is found in the module.
    """
    weights = {weight.layer: weight for weight in weights_of(module)}
    patterns: dict[str, Pattern] = {}
    found = False
    for op in network.contractions:
        weight = weights.get(op.name) or weights.get(re.sub(r"_\d+$", "", op.name))
        if weight is None or not op.tensor("weight").is_parameter:
            continue
        if not _same_sizes(op, weight):
            if weight.target.endswith("in_proj_weight"):  # attention across two sequences reads it in parts
                continue
            remedy = "import the module as it is now with from_torch"
            raise BadInput(f"{network.name}: {op.name} has other sizes than {weight.target}; {remedy}")
        found = True
        nonzero = weight.of(module) != 0
        if not nonzero.any():
            raise BadInput(f"{weight.target}: all words are zero; leave the layer out, or prune it less")
        if not nonzero.all():
            patterns[op.name] = _pattern(nonzero, weight, structure)
    if not found:
        raise BadInput(f"{network.name}: none of its layers is in the module; import it with from_torch")
    return with_weight_zeros(network, patterns)


def with_weight_zeros(network: Network, patterns: Mapping[str, Pattern]) -> Network:
    """The network with these zeros in its layers' weights; zeros at random are a plain density."""
    random = {layer: one.mean for layer, one in patterns.items() if isinstance(one, Uniform)}
    others = {layer: one for layer, one in patterns.items() if layer not in random}
    network = with_densities(network, {layer: {"weight": share} for layer, share in random.items()})
    return with_patterns(network, {layer: {"weight": pattern} for layer, pattern in others.items()})


def _same_sizes(op: Op, weight: Weight) -> bool:
    return all(op.bounds.get(dim, 1) == size for dim, size in zip(weight.dims, weight.sizes, strict=True))


def _pattern(nonzero: torch.Tensor, weight: Weight, structure: Structure) -> Pattern:
    if structure == "mask":
        return Measured.of(nonzero, weight.dims)
    if isinstance(structure, NofM) and structure.dim in weight.dims:
        axis = weight.dims.index(structure.dim)
        if weight.sizes[axis] % structure.m == 0:
            most = nonzero.movedim(axis, -1).reshape(-1, structure.m).sum(-1).max()
            if int(most) <= structure.n:
                return structure
    if isinstance(structure, Blocks):
        block = dict(structure.block)
        if all(dim in weight.dims and size <= weight.sizes[weight.dims.index(dim)] for dim, size in block.items()):
            extents = [block.get(dim, 1) for dim in weight.dims]
            taken = masks.block_scores(nonzero.double(), extents, "l1") > 0
            words = masks.spread(taken, extents, weight.sizes)
            # Of blocks that the tensor's end cuts, the share of words is what counts, not that of blocks.
            return Blocks(float(words.double().mean()), structure.block, float(nonzero.sum() / words.sum()))
    return Uniform(float(nonzero.double().mean()))
