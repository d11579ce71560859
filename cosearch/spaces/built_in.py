"""The spaces of networks that come with the package."""

from __future__ import annotations

from .mobilenet_ibn import EfficientnetEdge, MobilenetIbn, MobilenetS3, MobilenetV2
from .nasbench201 import Nasbench201
from .network_space import NetworkSpace
from .transformers import Bert, Vit
from .video_levers import VideoLevers

__all__ = ["NETWORK_SPACES"]

_BUILT_IN: tuple[NetworkSpace, ...] = (
    MobilenetIbn(), MobilenetV2(), EfficientnetEdge(), MobilenetS3(), Nasbench201(), Vit(), Bert(), VideoLevers(),
)  # fmt: skip
NETWORK_SPACES: dict[str, NetworkSpace] = {space.name: space for space in _BUILT_IN}
