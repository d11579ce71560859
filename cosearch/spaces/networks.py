"""Spaces of networks by name."""

from __future__ import annotations

from ...errors import UnknownName
from .digits_ibn import DigitsIbn
from .mobilenet_ibn import EfficientnetEdge, MobilenetIbn, MobilenetS3, MobilenetV2
from .nasbench201 import Nasbench201
from .network_space import NetworkSpace
from .transformers import Bert, Vit
from .video_levers import VideoLevers

__all__ = ["DIGITS_CELLS", "IMAGENET16_CELLS", "NETWORK_SPACES", "network_space"]

# NAS-Bench-201's cells in networks small enough to be trained on 8x8 images in seconds.
DIGITS_CELLS = Nasbench201("digits_cells", resolution=8, classes=10, channels=4, cells=1, image_channels=1)

# The cells as the benchmark trains them on ImageNet16-120: images of 16x16 pixels, 120 classes.
IMAGENET16_CELLS = Nasbench201("nasbench201_imagenet16", resolution=16, classes=120)

NETWORK_SPACES: dict[str, NetworkSpace] = {
    space.name: space
    for space in (
        MobilenetIbn(), MobilenetV2(), EfficientnetEdge(), MobilenetS3(), Nasbench201(), Vit(), Bert(), VideoLevers(),
        IMAGENET16_CELLS, DIGITS_CELLS, DigitsIbn(),
    )
}


def network_space(name: str) -> NetworkSpace:
    """The network space a study calls ``name``; `UnknownName` where there is none."""
    if name not in NETWORK_SPACES:
        raise UnknownName("network space", name, tuple(NETWORK_SPACES))
    return NETWORK_SPACES[name]
