"""Pruning: zeros in weights, fewer channels; of torch modules and of networks."""

from __future__ import annotations

from .channels import channel_groups, prune_channels, remove_channels
from .coupling import ChannelGroup
from .measure import measured_weights
from .zeros import prune, prune_blocks, prune_n_of_m

__all__ = [
    "ChannelGroup",
    "channel_groups",
    "measured_weights",
    "prune",
    "prune_blocks",
    "prune_channels",
    "prune_n_of_m",
    "remove_channels",
]
