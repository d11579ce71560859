"""The network that is priced: a detector on ResNet-18, fully convolutional, for pictures of any size."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.builder import NetworkBuilder
from ...models.network import Network
from ...models.op import Op, Role
from ...models.patterns import Blocks, Pattern
from ...models.transforms import with_patterns
from ...models.zoo.resnet import basic_block
from .grids import cells_of

__all__ = ["block_sparse", "detector_resnet18"]

_STEM, _WIDTH = 4, 32
_OUTPUTS = 5  # nearness of a centre, distances to the four sides, as the small detector answers


def detector_resnet18(height: int, width: int) -> Network:
    """ResNet-18's four stages at half their width, and a head of two 3×3 convolutions per cell of 32×32 pixels; 8 bit.

    The stem is one convolution over patches of 4×4 pixels, which come as 48 channels: 3 would leave an array's rows
    idle. The head is FCOS' with one convolution instead of towers. Sizes that are no multiple of 32 are rounded up.
    """
    rows, columns = (cells_of(size, _STEM) for size in (height, width))
    builder = NetworkBuilder(
        "detector_resnet18", channels=3 * _STEM**2, height=rows, width=columns,
        source="He et al., CVPR 2016, arXiv:1512.03385, Table 1; stem after Liu et al., CVPR 2022, arXiv:2201.03545; "
        "head after Tian et al., ICCV 2019, arXiv:1904.01355",
    )  # fmt: skip
    builder.conv("stem", _WIDTH, 1, activation="relu")
    for stage in range(4):
        for index in range(2):
            basic_block(builder, f"layer{stage + 1}.{index}", _WIDTH << stage, 2 if stage and not index else 1)
    builder.conv("head", 128, 3, activation="relu")
    builder.conv("answer", _OUTPUTS, 3)
    return builder.build()


def block_sparse(network: Network, density: float, block: tuple[tuple[str, int], ...]) -> Network:
    """The network with this share of its weights' blocks left, in every contraction that whole blocks fill.

    The answer (5 outputs) is therefore never pruned.
    """
    if density >= 1.0:
        return network
    patterns: dict[str, dict[Role, Pattern]] = {
        op.name: {"weight": Blocks(density, block)} for op in network.contractions if _filled(op, block)
    }
    return with_patterns(network, patterns)


def _filled(op: Op, block: Sequence[tuple[str, int]]) -> bool:
    weight = op.tensor("weight")
    fits = all(dim in weight.dims and op.bounds[dim] % size == 0 for dim, size in block)
    return weight.is_parameter and fits
