"""Which words of weights stay: the largest ones, alone, so many of each group, or as whole blocks.

Magnitude pruning after Han et al., "Learning both Weights and Connections for Efficient Neural Networks" (NeurIPS
2015), n of m after Mishra et al., "Accelerating Sparse Deep Neural Networks" (arXiv:2104.08378), blocks after Gray,
Radford & Kingma, "GPU Kernels for Block-Sparse Weights" (2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from ...errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Norm", "Scope", "block_scores", "check_choice", "largest", "n_of_m", "spread"]

Norm = Literal["l1", "l2"]
Scope = Literal["layer", "global"]


def check_choice(value: str, choices: Sequence[str], what: str) -> None:
    """Raise `BadInput` where a setting is none of its choices."""
    if value not in choices:
        raise BadInput(f"{what} '{value}': choose {' or '.join(repr(one) for one in choices)}")


def largest(scores: Mapping[str, Tensor], densities: Mapping[str, float], scope: Scope) -> dict[str, Tensor]:
    """By layer, True where an entry of ``scores`` stays: the largest share, of each layer or of all together.

    Exactly ``round(density · entries)`` stay, at least one of each layer; of equal scores, the first. Globally the
    densities must agree, and a layer that would lose everything keeps its largest entry on top of that number.
    """
    import torch

    if scope == "layer" or not scores:
        return {layer: _top(one, densities[layer]) for layer, one in scores.items()}
    if len(set(densities.values())) > 1:
        raise BadInput("scope 'global': one density holds for all layers together; give a single number")
    ends = list(accumulate(one.numel() for one in scores.values()))[:-1]
    together = _top(torch.cat([one.flatten().double() for one in scores.values()]), next(iter(densities.values())))
    kept = dict(zip(scores, torch.tensor_split(together, ends), strict=True))
    for layer, one in scores.items():
        kept[layer] = kept[layer].view(one.shape)
        if not kept[layer].any():
            kept[layer] = _top(one, 0.0)
    return kept


def _top(scores: Tensor, density: float) -> Tensor:
    import torch

    flat = scores.flatten()
    keep = torch.zeros_like(flat, dtype=torch.bool)
    count = max(1, round(density * flat.numel()))
    keep[torch.sort(flat, descending=True, stable=True).indices[:count]] = True
    return keep.view(scores.shape)


def n_of_m(values: Tensor, axis: int, n: int, m: int) -> Tensor:
    """True for the ``n`` largest magnitudes of each ``m`` consecutive words along ``axis``; a rest keeps n too."""
    import torch

    moved = values.abs().movedim(axis, -1)
    size = moved.shape[-1]
    padded = torch.nn.functional.pad(moved, (0, -size % m), value=-1.0)
    groups = padded.reshape(*padded.shape[:-1], -1, m)
    first = torch.sort(groups, dim=-1, descending=True, stable=True).indices[..., :n]
    keep = torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, first, True)
    return keep.flatten(-2)[..., :size].movedim(-1, axis)


def block_scores(values: Tensor, block: Sequence[int], norm: Norm) -> Tensor:
    """Mean magnitude (l1) or root mean square (l2) of each aligned block; one at an edge counts the words it has."""
    import torch

    magnitudes = values.abs().double() if norm == "l1" else values.double() ** 2
    total, words = magnitudes, torch.ones_like(magnitudes)
    for axis, size in enumerate(block):
        total, words = _summed(total, axis, size), _summed(words, axis, size)
    mean = total / words
    return mean if norm == "l1" else mean.sqrt()


def _summed(values: Tensor, axis: int, size: int) -> Tensor:
    """Sums of ``size`` consecutive entries along ``axis``."""
    import torch

    moved = values.movedim(axis, -1)
    padded = torch.nn.functional.pad(moved, (0, -moved.shape[-1] % size))
    return padded.reshape(*padded.shape[:-1], -1, size).sum(-1).movedim(-1, axis)


def spread(blocks: Tensor, block: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """A mask of blocks as one of words of a tensor of these sizes."""
    for axis, (size, whole) in enumerate(zip(block, sizes, strict=True)):
        blocks = blocks.repeat_interleave(size, dim=axis).narrow(axis, 0, whole)
    return blocks
