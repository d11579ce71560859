"""Spaces of networks by name."""

from __future__ import annotations

from ...errors import UnknownName
from .mobilenet_ibn import EfficientnetEdge, MobilenetIbn, MobilenetS3, MobilenetV2
from .nasbench201 import Nasbench201
from .network_space import NetworkSpace
from .transformers import Bert, Vit
from .video_levers import VideoLevers

__all__ = ["NETWORK_SPACES", "network_space"]

NETWORK_SPACES: dict[str, NetworkSpace] = {
    space.name: space
    for space in (
        MobilenetIbn(), MobilenetV2(), EfficientnetEdge(), MobilenetS3(), Nasbench201(), Vit(), Bert(), VideoLevers(),
    )
}


def network_space(name: str) -> NetworkSpace:
    """The network space a study calls ``name``; `UnknownName` where there is none."""
    if name not in NETWORK_SPACES:
        raise UnknownName("network space", name, tuple(NETWORK_SPACES))
    return NETWORK_SPACES[name]
