"""Masks on grids over one picture: growing them, and carrying them from a coarse grid to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

__all__ = ["cells_of", "grown", "in_boxes", "onto"]


def grown(mask: Mask, radius: int) -> Mask:
    """Cells at most ``radius`` rows and columns away from a marked one, [rows, columns]."""
    if radius <= 0:
        return mask
    for axis in (0, 1):
        pads = [(radius, radius) if at == axis else (0, 0) for at in (0, 1)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(mask, pads), 2 * radius + 1, axis)
        mask = np.asarray(windows.any(axis=-1))
    return mask


def cells_of(pixels: int, size: int) -> int:
    """How many cells of ``size`` pixels cover ``pixels``, the last one perhaps in part."""
    return -(-pixels // size)


def onto(tiles: Mask, tile: int, picture: tuple[int, int], grid: tuple[int, int]) -> Mask:
    """Which cells of a rows × columns ``grid`` over the ``picture`` (height, width) overlap a marked tile."""
    rows, columns = (_overlaps(size, tile, cells) for size, cells in zip(picture, grid, strict=True))
    touched = rows @ tiles.astype(np.float32) @ columns.T
    return np.asarray(touched > 0)


def _overlaps(pixels: int, tile: int, cells: int) -> NDArray[np.float32]:
    """1 where a cell and a tile share pixels, [cells, tiles]."""
    edges = np.arange(cells + 1) * (pixels / cells)
    starts = np.arange(cells_of(pixels, tile)) * tile
    shared = (edges[:-1, None] < np.minimum(starts + tile, pixels)) & (edges[1:, None] > starts)
    return shared.astype(np.float32)


def in_boxes(boxes: NDArray[np.float64], margin: float, cell: int, grid: tuple[int, int]) -> Mask:
    """Which cells of ``cell`` pixels overlap a box (top, left, bottom, right) widened by ``margin`` pixels."""
    mask = np.zeros(grid, np.bool_)
    for top, left, bottom, right in boxes:
        rows = slice(max(0, int((top - margin) // cell)), max(0, int((bottom + margin) // cell) + 1))
        columns = slice(max(0, int((left - margin) // cell)), max(0, int((right + margin) // cell) + 1))
        mask[rows, columns] = True
    return mask
