"""The network that is priced, and the same with blocks of its weights removed."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.network import Network
from ...models.op import Op, Role
from ...models.patterns import Blocks, Pattern
from ...models.transforms import with_patterns
from ...models.zoo import detector

__all__ = ["block_sparse", "detector_resnet18"]


def detector_resnet18(height: int, width: int) -> Network:
    """The zoo's detector for pictures of this size."""
    return detector.detector_resnet18(height=height, width=width)


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
