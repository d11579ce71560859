"""Spatial saliency: which tiles of a frame are worth computing.

A tile is kept where the picture has changed since the last kept frame or an object is expected; after the spatial
focus of Zhang et al., "Data-Model-Hardware Tri-Design", ASP-DAC 2023 (arXiv:2210.08578), the rule itself is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...accel.simulator.checks import checked_number, checked_whole
from ...errors import BadInput
from .frame_filter import BLOCK
from .grids import cells_of, grown, in_boxes, onto

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

__all__ = ["SaliencySettings", "salient_tiles"]


@dataclass(frozen=True)
class SaliencySettings:
    """Tiles of ``tile`` pixels are kept where more than ``threshold`` of their blocks are salient.

    Salient is a block next to a changed one, or within ``margin`` pixels of an expected object. ``halo`` pixels around
    kept tiles are fetched too and lend their features, without being answered for. Raises `BadInput` for a tile or
    halo that is no multiple of 8 pixels.
    """

    tile: int = 32
    threshold: float = 0.05
    margin: float = 8.0
    halo: int = 32

    def __post_init__(self) -> None:
        checked_whole(self.tile, "saliency: tile", remedy="pixels to a side, 32 for one")
        checked_whole(self.halo, "saliency: halo", minimum=0, remedy="pixels, at least 0")
        checked_number(self.threshold, "saliency: threshold", maximum=1.0, remedy="a share of a tile's blocks")
        checked_number(self.margin, "saliency: margin", remedy="pixels, at least 0")
        for name in ("tile", "halo"):
            if getattr(self, name) % BLOCK:
                raise BadInput(
                    f"saliency: {name}: {getattr(self, name)} pixels are no multiple of the blocks' {BLOCK}; "
                    f"take {getattr(self, name) // BLOCK * BLOCK + BLOCK}"
                )


def salient_tiles(
    changed: NDArray[np.float32] | None, expected: NDArray[np.float64], picture: tuple[int, int],
    settings: SaliencySettings,
) -> Mask:  # fmt: skip
    """The tiles to compute, [rows, columns]; all of them where there is nothing to compare with (``changed`` None).

    ``changed`` are the differences of block means, ``expected`` the boxes in which objects are expected.
    """
    grid = tuple(cells_of(size, settings.tile) for size in picture)
    if changed is None:
        return np.ones(grid, np.bool_)
    salient = grown(changed > 0, 1) | in_boxes(expected, settings.margin, BLOCK, changed.shape)
    per_tile = settings.tile // BLOCK
    padded = np.zeros((grid[0] * per_tile, grid[1] * per_tile), np.float32)
    padded[: salient.shape[0], : salient.shape[1]] = salient
    share = padded.reshape(grid[0], per_tile, grid[1], per_tile).mean(axis=(1, 3))
    return np.asarray(share > settings.threshold)


def fetched_share(tiles: Mask, settings: SaliencySettings, picture: tuple[int, int]) -> float:
    """The share of the picture in kept tiles and the halo around them."""
    blocks = (cells_of(picture[0], BLOCK), cells_of(picture[1], BLOCK))
    return float(grown(onto(tiles, settings.tile, picture, blocks), settings.halo // BLOCK).mean())
