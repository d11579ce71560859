"""A copy of a torch module with some positions of its parameters' axes taken out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .coupling import Axis

if TYPE_CHECKING:
    import torch

__all__ = ["resized"]


def resized(
    module: torch.nn.Module, kept: Mapping[Axis, NDArray[np.int64]], same: Mapping[str, str]
) -> torch.nn.Module:
    """A copy in which the stored tensors keep these positions; ``same`` says which names share a tensor.

    Convolutions, linear layers, norms, PReLU and embeddings are told their new sizes.
    """
    copy = deepcopy(module)
    axes: dict[str, dict[int, NDArray[np.int64]]] = {}
    for (target, axis), positions in kept.items():
        axes.setdefault(target, {})[axis] = positions
    made: dict[str, torch.Tensor] = {}
    for name, first in same.items():
        if first not in axes:
            continue
        path, _, attribute = name.rpartition(".")
        owner = copy.get_submodule(path)
        old = getattr(owner, attribute)
        if first not in made:
            made[first] = _cut(old, axes[first])
        setattr(owner, attribute, made[first])
        if attribute in ("weight", "running_mean"):
            _tell(owner, tuple(old.shape), tuple(made[first].shape))
    return copy


def _cut(old: torch.Tensor, axes: Mapping[int, NDArray[np.int64]]) -> torch.Tensor:
    import torch

    new = old.detach()
    for axis, positions in axes.items():
        new = new.index_select(axis, torch.as_tensor(positions, device=old.device))
    return torch.nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, torch.nn.Parameter) else new


def _tell(owner: Any, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """Write a weight's new sizes into what its module says of itself."""
    from torch import nn
    from torch.nn.modules.batchnorm import _NormBase

    rows, *rest = after
    if isinstance(owner, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
        if owner.groups > 1 and before[1] == 1:  # a group a channel, so that there are fewer groups
            owner.groups = owner.groups * rows // before[0]
        inside, outside = (rows, rest[0] * owner.groups) if owner.transposed else (rest[0] * owner.groups, rows)
        owner.in_channels, owner.out_channels = inside, outside
    elif isinstance(owner, nn.Linear):
        owner.out_features, owner.in_features = rows, rest[0]
    elif isinstance(owner, nn.Embedding):
        owner.embedding_dim = rest[0]
    elif isinstance(owner, _NormBase):
        owner.num_features = rows
    elif isinstance(owner, nn.PReLU):
        owner.num_parameters = rows
