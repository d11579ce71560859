"""Pruning: zeros in weights, fewer channels; of torch modules and of networks."""

from __future__ import annotations

from .channels import channel_groups, prune_channels, remove_channels
from .coupling import ChannelGroup
from .structure import with_structure
from .zeros import prune, prune_blocks, prune_n_of_m

__all__ = [
    "ChannelGroup",
    "channel_groups",
    "prune",
    "prune_blocks",
    "prune_channels",
    "prune_n_of_m",
    "remove_channels",
    "with_structure",
]
