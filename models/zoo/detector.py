"""A detector on ResNet-18 for whole video frames, in the shapes that a square array of multipliers likes."""

from __future__ import annotations

from ..builder import NetworkBuilder
from ..network import Network
from .resnet import basic_block

__all__ = ["detector_resnet18"]

_STEM, _WIDTH, _HEAD = 4, 32, 128
_OUTPUTS = 5  # nearness of a centre, distances to the four sides


def detector_resnet18(*, height: int = 720, width: int = 1280, batch: int = 1, bits: int = 8) -> Network:
    """ResNet-18's four stages at half their width, and a head of two 3×3 convolutions per cell of 32×32 pixels.

    The stem is one convolution over patches of 4×4 pixels, which come as 48 channels: 3 would leave an array's rows
    idle. The head is FCOS' with one convolution instead of towers. Sizes are rounded up to whole cells.
    """
    builder = NetworkBuilder(
        "detector_resnet18", channels=3 * _STEM**2, height=-(-height // _STEM), width=-(-width // _STEM), batch=batch,
        bits=bits, source="He et al., CVPR 2016, arXiv:1512.03385, Table 1; stem after Liu et al., CVPR 2022, "
        "arXiv:2201.03545; head after Tian et al., ICCV 2019, arXiv:1904.01355",
        notes=("our own arrangement of published parts; nobody has trained it",),
    )  # fmt: skip
    builder.conv("stem", _WIDTH, 1, activation="relu")
    for stage in range(4):
        for index in range(2):
            basic_block(builder, f"layer{stage + 1}.{index}", _WIDTH << stage, 2 if stage and not index else 1)
    builder.conv("head", _HEAD, 3, activation="relu")
    builder.conv("answer", _OUTPUTS, 3)
    return builder.build()
