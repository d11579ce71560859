"""Entropy and effectiveness of a network's description: no weights, no data.

Shen et al., "DeepMAD: Mathematical Architecture Design for Deep Convolutional Neural Network", CVPR 2023
(arXiv:2303.02165), sections 3.2 to 3.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....errors import BadInput
from ....models.network import Network
from ....models.op import Op

__all__ = ["STAGE_WEIGHTS", "Wide", "deepest_path", "effectiveness", "entropies", "entropy"]

STAGE_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 8.0)


@dataclass(frozen=True)
class Wide:
    """A convolution on the path: its width c·k²/g, and the channels and pixels of its output."""

    width: float
    channels: int
    pixels: int


def entropies(network: Network) -> dict[str, float]:
    """``entropy`` and ``effectiveness`` of the deepest path; `BadInput` where the network has no convolution."""
    path = deepest_path(network)
    return {"entropy": entropy(path), "effectiveness": effectiveness(path)}


def entropy(path: Sequence[Wide]) -> float:
    """Σ over stages of weight · log(c r²) · Σ log w over all layers up to the stage's end.

    A stage is a run of layers of one output size. The last stage weighs 8, all others 1: of more than five the first
    ones are left out of the count as the paper's networks have five.
    """
    last = len(path) - 1
    ends = [place for place in range(len(path)) if place == last or path[place + 1].pixels != path[place].pixels]
    weights = STAGE_WEIGHTS[-min(len(ends), len(STAGE_WEIGHTS)) :]
    reached = dict(zip(ends[-len(weights) :], weights, strict=True))
    total = passed = 0.0
    for place, layer in enumerate(path):
        passed += math.log(layer.width)
        if place in reached:
            total += reached[place] * math.log(layer.channels * layer.pixels) * passed
    return total


def effectiveness(path: Sequence[Wide]) -> float:
    """ρ = depth / geometric mean of the widths: beyond about 0.5 a network gets hard to train."""
    return len(path) * math.exp(-sum(math.log(layer.width) for layer in path) / len(path))


def deepest_path(network: Network) -> tuple[Wide, ...]:
    """The convolutions on the path from input to output with the largest Σ log w.

    Of a residual block that is its main branch, as in the paper; a width of 1 (a depthwise 1×1) adds nothing.
    """
    best: dict[str, tuple[float, tuple[Wide, ...]]] = {}
    for layer in network:
        arriving = [best[name] for name in layer.inputs] or [(0.0, ())]
        total, path = max(arriving, key=lambda one: (one[0], len(one[1])))
        own = _wide(layer.op) if isinstance(layer.op, Op) else None
        best[layer.op.name] = (total + math.log(own.width), (*path, own)) if own else (total, path)
    found = max(best.values(), key=lambda one: (one[0], len(one[1])))[1]
    if not found:
        raise BadInput(f"{network.name}: it has no convolution; entropy is defined for convolutional networks")
    return found


def _wide(op: Op) -> Wide | None:
    """The convolution as a layer of the path; None for anything else."""
    bound = op.bounds
    if not {"P", "Q", "R", "S"} <= bound.keys():
        return None
    # In grouped form C is already the input channels of one group.
    width = float(bound.get("C", 1) * bound["R"] * bound["S"])
    return Wide(width, bound.get("G", 1) * bound.get("K", 1), bound["P"] * bound["Q"])
