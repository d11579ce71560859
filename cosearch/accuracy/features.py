"""What an accuracy predictor knows of a network: size, resolution, depth and kind, read off its operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput
from ...models.network import Network
from ...models.op import Op, VectorOp

__all__ = ["Features", "class_count", "network_features", "row_features"]

# A full convolution larger than 3×3 brings MACs and weights, not accuracy: no published network of today uses one
# outside its first layer, so a predictor has no evidence that they help. They count as 3×3.
_LARGEST_FULL_KERNEL = 9
_SMOOTH = frozenset({"silu", "swish", "hard_swish", "hardswish", "gelu"})


@dataclass(frozen=True)
class Features:
    """Per image: MACs in 1e9, weights in 1e6 (classifier left out), resolution in pixels.

    The columns of the table of published results of the same names say precisely what is counted. ``uncounted`` is the
    log of all convolutions' MACs over the effective ones.
    """

    effective_gmacs: float
    body_params_m: float
    resolution: float
    depth: float
    full_conv_share: float
    shortcuts: float = 1.0
    squeeze_excite: float = 0.0
    smooth_activation: float = 0.0
    uncounted: float = 0.0

    def sizes(self) -> NDArray[np.float64]:
        """What more of should never hurt: logs of MACs, weights, resolution, depth; minus ``full_conv_share``."""
        logs = np.log([self.effective_gmacs, self.body_params_m, self.resolution, self.depth])
        return np.append(logs, -self.full_conv_share)

    def kinds(self) -> NDArray[np.float64]:
        """The three yes-or-no properties."""
        return np.array([self.shortcuts, self.squeeze_excite, self.smooth_activation])


def network_features(network: Network) -> Features:
    """The features of a convolutional network; `BadInput` where it has no two-dimensional convolution."""
    convolutions = [op for op in network.contractions if {"P", "Q", "R", "S"} <= op.bounds.keys()]
    if not convolutions:
        raise BadInput(f"{network.name}: it has no convolution; accuracy is predicted for convolutional networks")
    if 2 * sum(op.macs for op in convolutions) < network.macs:
        share = sum(op.macs for op in convolutions) / network.macs
        raise BadInput(
            f"{network.name}: only {share:.0%} of its MACs are convolutions'; accuracy is predicted for convolutional "
            "networks, so take another accuracy source"
        )
    batch = convolutions[0].bounds.get("N", 1)
    macs = weights = full = total = 0.0
    depth = 0
    for op in convolutions:
        bound = op.bounds
        if bound["P"] * bound["Q"] == 1:
            continue
        area = bound["R"] * bound["S"]
        light = area == 1 or bound.get("C", 1) == 1
        scale = 1.0 if light else min(1.0, _LARGEST_FULL_KERNEL / area)
        total += op.macs
        macs += op.macs * scale
        weights += (op.params - op.bias) * scale
        full += 0.0 if light else op.macs * scale
        depth += 1
    if depth == 0:
        raise BadInput(f"{network.name}: every convolution has a 1x1 output; raise the resolution")
    kinds = {op.kind for op in network.ops if isinstance(op, VectorOp)}
    return Features(
        effective_gmacs=macs / batch / 1e9, body_params_m=weights / 1e6,
        resolution=_resolution(convolutions[0]), depth=depth, full_conv_share=full / macs,
        shortcuts=float(bool(kinds & {"add", "concat"})), squeeze_excite=float("mul" in kinds),
        smooth_activation=float(bool(kinds & _SMOOTH)), uncounted=float(np.log(total / macs)),
    )


def class_count(network: Network) -> int:
    """How many figures a network gives for an image, or for a place of it: the outputs of its last contraction."""
    bound = network.contractions[-1].bounds
    return bound.get("K", 1) * bound.get("G", 1)


def _resolution(first: Op) -> float:
    """Side of the image the first convolution reads: output rows times stride."""
    rows = next(rank for rank in first.tensor("input").ranks if any(dim == "P" for dim, _ in rank.terms))
    return float(first.bounds["P"] * dict(rows.terms)["P"])


def row_features(row: Mapping[str, str]) -> Features:
    """The features a row of the table of published results states."""
    return Features(**{name: float(row[name]) for name in Features.__dataclass_fields__ if name != "uncounted"})
