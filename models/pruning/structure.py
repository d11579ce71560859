"""Structures found again in measured zeros, and zeros given to a network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput, check_type
from ..network import Layer, Network
from ..op import Op, Tensor
from ..patterns import Blocks, Measured, NofM, Pattern, Uniform
from ..transforms import with_densities, with_patterns

__all__ = ["with_structure", "with_weight_zeros"]


def with_structure(network: Network, structure: NofM | Blocks) -> Network:
    """``network`` with measured zeros stated as a structure, which hardware for it can use.

    `from_torch` with ``zeros="measure"`` gives weights their masks. With an `NofM`, each of these that has at most n
    words of every m becomes that pattern, others stay as they are. With `Blocks`, whose shares do not matter, the share
    of blocks with any word and that of words inside them are counted; layers smaller than a block stay as they are.
    Raises `BadInput` for another pattern, and where no layer of the network has a measured mask.
    """
    if not isinstance(structure, NofM | Blocks):
        raise BadInput(f"structure {structure!r} cannot be found in a mask; give NofM(2, 4) or Blocks(1.0, ...)")
    check_type(network, Network, "network", "import it with from_torch(module, inputs, zeros='measure')")
    masks = [isinstance(op.tensor("weight").pattern, Measured) for op in network.contractions]
    if not any(masks):
        raise BadInput(f"{network.name}: no weight has a measured mask; import it with zeros='measure'")
    layers = []
    for layer in network:
        op = layer.op
        if isinstance(op, Op):
            first, weight, result = op.tensors
            op = replace(op, tensors=(first, _structured(weight, op.bounds, structure), result))
        layers.append(Layer(op, layer.inputs))
    return replace(network, layers=tuple(layers))


def _structured(weight: Tensor, bounds: Mapping[str, int], structure: NofM | Blocks) -> Tensor:
    if not isinstance(weight.pattern, Measured):
        return weight
    try:
        structure.density_for(weight, bounds)
    except BadInput:
        return weight
    mask, dims = weight.pattern.mask, weight.pattern.dims
    if mask.shape != tuple(bounds[dim] for dim in dims) or set(dims) != weight.dims:  # it repeats along some axis
        return weight
    found: Pattern | None
    if isinstance(structure, NofM):
        found = structure if _most(mask, dims.index(structure.dim), structure.m) <= structure.n else None
    else:
        found = _blocks(mask, dims, structure)
    return weight if found is None else replace(weight, density=1.0, pattern=found)


def _most(mask: NDArray[np.bool_], axis: int, m: int) -> int:
    """The most words of any ``m`` consecutive ones along ``axis``."""
    return int(np.moveaxis(mask, axis, -1).reshape(-1, m).sum(-1).max())


def _blocks(mask: NDArray[np.bool_], dims: tuple[str, ...], structure: Blocks) -> Blocks:
    """Shares of words: of blocks that the tensor's end cuts, fewer count."""
    block = dict(structure.block)
    covered: NDArray[np.bool_] = mask
    for axis, dim in enumerate(dims):
        size = block.get(dim, 1)
        starts = np.arange(0, mask.shape[axis], size)
        whole = np.logical_or.reduceat(covered, starts, axis)
        covered = np.repeat(whole, size, axis).take(np.arange(mask.shape[axis]), axis)
    words = int(covered.sum())
    return Blocks(words / prod(mask.shape), structure.block, int(mask.sum()) / words)


def with_weight_zeros(network: Network, patterns: Mapping[str, Pattern]) -> Network:
    """The network with these zeros in its layers' weights; zeros at random are a plain density."""
    random = {layer: one.mean for layer, one in patterns.items() if isinstance(one, Uniform)}
    others = {layer: one for layer, one in patterns.items() if layer not in random}
    network = with_densities(network, {layer: {"weight": share} for layer, share in random.items()})
    return with_patterns(network, {layer: {"weight": pattern} for layer, pattern in others.items()})
