"""A small detector that stands for the network: it finds the boxes, the network on the accelerator costs the time.

Four convolutions: 16×16 pixels in steps of 8 (principal components of patches, both signs), 3×3 (random), 1×1 and 7×7
(fitted). A cell of 8×8 pixels gives how near an object's centre is and how far away its four sides are. Both fitted
layers are least squares in closed form, so that fitting takes seconds and is the same everywhere; random features with
a fitted readout as in Huang et al., "Extreme learning machine", Neurocomputing 2006.

Pruning removes whole blocks of weights (least norm first, as for the network) from all layers but the first and fits
what comes after once more. Detection reads only the cells it is told to, and what their windows reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...accel.simulator.checks import checked_number
from .boxes import overlaps
from .grids import grown, in_boxes
from .scene import Scene, Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Matrix = NDArray[Any]

__all__ = ["CELL", "REACH", "Detections", "Detector", "fitted_detector"]

CELL = 8  # pixels to a side of a cell
REACH = 4  # cells by which the windows of the second to the last layer reach beyond a cell
_PATCH, _COMPONENTS, _WIDE, _NARROW, _WINDOW = 16, 16, 160, 16, 7
_BLOCK = 4  # channels to a side of the pruned blocks
_OUTPUTS = 5  # nearness of a centre, distances to the four sides
_PARTS = 5  # an object's cells are told apart in 5×5 places while the third layer is fitted
_SPREAD = 10.0  # pixels from a centre at which nearness has fallen to exp(-1/2)
_SURE = 0.35  # nearness from which a peak is a detection
_SAME = 0.45  # overlap of two boxes from which only the nearer one stays
_TRAINING = Scene(seed=1_000_003, frames=240, objects=5, width=640, height=360)
_ROUNDS = 4  # in which the last layer is pruned and fitted again, each time by the same factor
_SCENES, _STEP = 16, 16  # scenes to fit on, and every how manieth of their frames


@dataclass(frozen=True)
class Detections:
    """Boxes (top, left, bottom, right) in pixels, [found, 4], and their scores, [found], the best first."""

    boxes: F64
    scores: F64

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Detector:
    """The weights of the four layers as matrices, inputs × outputs; ``last`` ends with its bias.

    ``density`` is the share of blocks that pruning has left.
    """

    first: F32
    second: F32
    second_bias: F32
    third: F32
    last: F32
    density: float = 1.0

    def detect(self, frame: NDArray[np.uint8], wanted: Mask | None = None, allowed: Mask | None = None) -> Detections:
        """Objects whose centre is in one of the ``wanted`` cells, [height/8, width/8] (None: any).

        Of other cells only the ``allowed`` ones lend their features (None: any); where windows reach further, they
        find zeros, as at the picture's edge.
        """
        answer = self.answers(frame, wanted, allowed)
        rows, columns = np.nonzero(_peaks(answer[..., 0]))
        centre = (np.stack([rows, columns], axis=1) + 0.5) * CELL
        found = answer[rows, columns]
        boxes = np.concatenate([centre - found[:, 1:3], centre + found[:, 3:5]], axis=1).astype(np.float64)
        order = np.argsort(-found[:, 0], kind="stable")
        boxes, scores = boxes[order], found[order, 0].astype(np.float64)
        sound = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        best = _distinct(boxes[sound])
        return Detections(boxes[sound][best], scores[sound][best])

    def answers(self, frame: NDArray[np.uint8], wanted: Mask | None, allowed: Mask | None) -> F32:
        """Nearness and distances of each cell, [rows, columns, 5]; a nearness of −1 where it was not computed."""
        patches = _patches(frame)
        everywhere = np.ones(patches.shape[:2], np.bool_)
        wanted = everywhere if wanted is None else wanted
        allowed = everywhere if allowed is None else allowed | wanted
        features = self.features(patches, grown(wanted, _WINDOW // 2) & allowed, allowed)
        answer = np.full((*wanted.shape, _OUTPUTS), -1.0, np.float32)
        answer[wanted] = _convolved(features, _WINDOW, wanted, self.last[:-1]) + self.last[-1]
        return answer

    def features(self, patches: F32, wanted: Mask, allowed: Mask) -> F32:
        """What the third layer gives for the ``wanted`` cells, [rows, columns, channels]; zeros elsewhere."""
        hidden = _first_layer(patches, self.first, grown(wanted, 1) & allowed)
        features = np.zeros((*wanted.shape, self.third.shape[1]), np.float32)
        features[wanted] = _rectified(_convolved(hidden, 3, wanted, self.second) + self.second_bias) @ self.third
        return features


def _patches(frame: NDArray[np.uint8]) -> F32:
    """A view of the 16×16 pixels around each cell, [rows, columns, 16, 16], about −1.5 to 2."""
    levels = (np.pad(frame.astype(np.float32), (_PATCH - CELL) // 2, mode="edge") - 110.0) / 60.0
    view: F32 = np.lib.stride_tricks.sliding_window_view(levels, (_PATCH, _PATCH))[::CELL, ::CELL]
    return view


def _rectified(values: F32) -> F32:
    return np.maximum(values, np.float32(0.0))


def _first_layer(patches: F32, weights: F32, wanted: Mask) -> F32:
    hidden = np.zeros((*wanted.shape, weights.shape[1]), np.float32)
    hidden[wanted] = _rectified(patches[wanted].reshape(-1, _PATCH * _PATCH) @ weights)
    return hidden


def windows(features: F32, size: int, wanted: Mask) -> F32:
    """The size × size cells around each wanted one, cell after cell, [wanted, size · size · channels]."""
    reach = size // 2
    padded = np.pad(features, ((reach, reach), (reach, reach), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return view.transpose(0, 1, 3, 4, 2)[wanted].reshape(int(wanted.sum()), -1)


def _convolved(features: F32, size: int, wanted: Mask, weights: F32) -> F32:
    """``windows(…) @ weights`` for the wanted cells, [wanted, outputs]; of many cells without copying each window."""
    if wanted.mean() < 0.5:
        return windows(features, size, wanted) @ weights
    rows, columns, channels = features.shape
    reach, outputs = size // 2, weights.shape[1]
    padded = np.pad(features, ((reach, reach), (reach, reach), (0, 0)))
    total = np.zeros((rows * columns, outputs), np.float32)
    for tap in range(size * size):
        down, right = divmod(tap, size)
        shifted = padded[down : down + rows, right : right + columns].reshape(-1, channels)
        total += shifted @ weights[tap * channels : (tap + 1) * channels]
    return total.reshape(rows, columns, outputs)[wanted]


def _peaks(nearness: F32) -> Mask:
    """Cells above the threshold that no neighbour exceeds."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(nearness, 1, constant_values=-1.0), (3, 3))
    return np.asarray((nearness > _SURE) & (nearness >= around.max(axis=(2, 3))))


def _distinct(boxes: F64) -> list[int]:
    """Which boxes, the best first, overlap no better one by much."""
    shared = overlaps(boxes, boxes)
    kept: list[int] = []
    for at in range(len(boxes)):
        if all(shared[at, other] < _SAME for other in kept):
            kept.append(at)
    return kept


@lru_cache(maxsize=16)
def fitted_detector(density: float = 1.0, scenes: int = _SCENES) -> Detector:
    """The detector with this share of the blocks of its weights left, fitted on scenes of its own; takes seconds.

    Raises `BadInput` for a share outside (0, 1].
    """
    checked_number(density, "weight density", maximum=1.0, positive=True, remedy="the share of blocks that remain")
    rng = np.random.default_rng(7)
    pictures = _training_pictures(scenes)
    first = _components(rng, pictures)
    second, bias = _random_layer(rng, pictures, first)
    second = pruned(second, _BLOCK, _BLOCK, density)
    third = pruned(_projection(pictures, first, second, bias), _BLOCK, _BLOCK, density)
    unread = Detector(first, second, bias, third, np.zeros((_NARROW * _WINDOW**2 + 1, _OUTPUTS), np.float32), density)
    sums = _Sums.over(pictures, unread)
    last = sums.solved()
    for rounds in range(1, _ROUNDS + 1 if density < 1.0 else 1):
        # What a weight adds to the answer grows with its input, so both make the norm.
        weighed = (last[:-1] * sums.scale[:, None]).astype(np.float32)
        kept = pruned(weighed, _BLOCK, _OUTPUTS, density ** (rounds / _ROUNDS)) != 0
        last = sums.solved(kept.any(axis=1))
    return Detector(first, second, bias, third, last.astype(np.float32), density)


def pruned(weights: F32, rows: int, columns: int, density: float) -> F32:
    """The matrix with all but a share ``density`` of its blocks of rows × columns set to zero, the least norms first.

    Blocks at the edges may be smaller; their norm is the root mean square, so that size does not count.
    """
    if density >= 1.0:
        return weights
    high, wide = (-(-size // part) for size, part in zip(weights.shape, (rows, columns), strict=True))
    padded = np.full((high * rows, wide * columns), np.nan, np.float64)
    padded[: weights.shape[0], : weights.shape[1]] = weights
    norms = np.nanmean(padded.reshape(high, rows, wide, columns) ** 2, axis=(1, 3))
    count = max(1, round(density * norms.size))
    keep = np.zeros(norms.size, np.bool_)
    keep[np.argsort(-norms.ravel(), kind="stable")[:count]] = True
    mask = keep.reshape(norms.shape).repeat(rows, 0).repeat(columns, 1)[: weights.shape[0], : weights.shape[1]]
    return np.where(mask, weights, np.float32(0.0))


@dataclass(frozen=True, eq=False)
class _Picture:
    """A frame to fit on: its patches, the cells to fit on, which part of an object each shows and what to answer."""

    patches: F32
    cells: Mask
    parts: F32
    nearness: F64
    sides: F64
    central: Mask


@lru_cache(maxsize=1)
def _training_pictures(scenes: int) -> tuple[_Picture, ...]:
    from dataclasses import replace

    rng = np.random.default_rng(3)
    made = []
    for number in range(scenes):
        video = Video(replace(_TRAINING, seed=_TRAINING.seed + number))
        made += [_picture(video, at, rng) for at in range(0, len(video), _STEP)]
    return tuple(made)


def _picture(video: Video, number: int, rng: np.random.Generator) -> _Picture:
    patches = _patches(video.frame(number))
    grid = patches.shape[:2]
    rows, columns = ((np.arange(cells) + 0.5) * CELL for cells in grid)
    nearness, sides, parts = np.zeros(grid), np.zeros((*grid, 4)), np.zeros((*grid, _PARTS**2 + 1), np.float32)
    for box, visible in zip(video.boxes(number), video.visible(number), strict=True):
        top, left, bottom, right = box
        inside = np.ix_((rows > top) & (rows < bottom), (columns > left) & (columns < right))
        down = ((rows - top) / (bottom - top) * _PARTS).astype(int)[inside[0]]
        along = ((columns - left) / (right - left) * _PARTS).astype(int)[inside[1]]
        parts[inside] = 0.0
        parts[(*inside, down * _PARTS + along)] = 1.0
        parts[(*inside, _PARTS**2)] = 1.0
        if visible < 0.5:
            continue
        squared = ((rows - (top + bottom) / 2) ** 2)[:, None] + ((columns - (left + right) / 2) ** 2)[None]
        near = np.exp(-squared / (2.0 * _SPREAD**2))
        places = np.broadcast_arrays(
            (rows - top)[:, None], (columns - left)[None], (bottom - rows)[:, None], (right - columns)[None]
        )
        closer = near > nearness
        sides[closer] = np.stack(places, axis=-1)[closer]
        nearness = np.maximum(nearness, near)
    around = in_boxes(video.boxes(number), 2 * CELL, CELL, (grid[0], grid[1]))
    cells = around | (rng.random(grid) < 0.05)
    return _Picture(patches, cells, parts, nearness, sides, nearness > 0.5)


def _components(rng: np.random.Generator, pictures: tuple[_Picture, ...]) -> F32:
    """The first layer: principal components of patches at objects, each with both signs, [256, 32]."""
    drawn = []
    for picture in pictures:
        cells = np.argwhere(picture.cells)
        rows, columns = cells[rng.choice(len(cells), min(60, len(cells)), replace=False)].T
        drawn.append(picture.patches[rows, columns].reshape(-1, _PATCH * _PATCH))
    patches = np.concatenate(drawn).astype(np.float64)
    centred = patches - patches.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    best = vectors[:, ::-1][:, :_COMPONENTS]
    best = best * np.sign(best[np.abs(best).argmax(axis=0), np.arange(_COMPONENTS)])
    both = np.concatenate([best, -best], axis=1)
    return np.asarray(both / (patches @ both).std(axis=0)).astype(np.float32)


def _random_layer(rng: np.random.Generator, pictures: tuple[_Picture, ...], first: F32) -> tuple[F32, F32]:
    """The second layer and its bias: random directions, each active for half of what it sees, [288, 160]."""
    seen = []
    for picture in pictures[::4]:
        some = picture.cells & (rng.random(picture.cells.shape) < 0.1)
        seen.append(windows(_first_layer(picture.patches, first, grown(some, 1)), 3, some))
    inputs = np.concatenate(seen)
    weights = rng.normal(size=(inputs.shape[1], _WIDE)).astype(np.float32)
    weights /= (inputs @ weights).std(axis=0)
    return weights, -np.median(inputs @ weights, axis=0)


def _projection(pictures: tuple[_Picture, ...], first: F32, second: F32, bias: F32) -> F32:
    """The third layer: the directions in which the second best tells an object's parts apart, [160, 16]."""
    gram, cross = np.zeros((_WIDE + 1, _WIDE + 1)), np.zeros((_WIDE + 1, _PARTS**2 + 1))
    for picture in pictures[::2]:
        hidden = _first_layer(picture.patches, first, grown(picture.cells, 1))
        wide = _rectified(windows(hidden, 3, picture.cells) @ second + bias)
        inputs = np.concatenate([wide, np.ones((len(wide), 1), np.float32)], axis=1)
        gram += inputs.T @ inputs
        cross += inputs.T @ picture.parts[picture.cells]
    left, _, _ = np.linalg.svd(_least_squares(gram, cross, 1e-4)[:-1], full_matrices=False)
    return left[:, :_NARROW].astype(np.float32)


def _least_squares(gram: F64, cross: F64, ridge: float) -> F64:
    """Ridge regression from its sums; ``ridge`` is relative to the mean of the diagonal."""
    damped = gram + np.eye(len(gram)) * (ridge * np.trace(gram) / len(gram))
    return np.asarray(np.linalg.solve(damped, cross))


@dataclass(frozen=True, eq=False)
class _Sums:
    """What the last layer's least squares need: over all cells for nearness, over central ones for the sides."""

    gram: F64
    near: F64
    central_gram: F64
    sides: F64
    scale: F64

    @staticmethod
    def over(pictures: tuple[_Picture, ...], detector: Detector) -> _Sums:
        size = len(detector.last)
        gram, near = np.zeros((size, size)), np.zeros((size, 1))
        central_gram, sides = np.zeros((size, size)), np.zeros((size, 4))
        count = 0
        for picture in pictures:
            everywhere = np.ones_like(picture.cells)
            features = detector.features(picture.patches, grown(picture.cells, _WINDOW // 2), everywhere)
            seen = windows(features, _WINDOW, picture.cells)
            inputs = np.concatenate([seen, np.ones((len(seen), 1), np.float32)], axis=1)
            central = picture.central[picture.cells]
            gram += inputs.T @ inputs
            near += inputs.T @ picture.nearness[picture.cells][:, None].astype(np.float32)
            central_gram += inputs[central].T @ inputs[central]
            sides += inputs[central].T @ picture.sides[picture.cells][central].astype(np.float32)
            count += len(inputs)
        return _Sums(gram, near, central_gram, sides, np.sqrt(np.diag(gram)[:-1] / count))

    def solved(self, kept: Mask | None = None) -> F64:
        """The last layer, [inputs + 1, 5]; inputs that are not ``kept`` have no weight."""
        use = np.ones(len(self.gram), np.bool_) if kept is None else np.append(kept, True)
        some = np.ix_(use, use)
        found = np.zeros((len(self.gram), _OUTPUTS))
        found[use, :1] = _least_squares(self.gram[some], self.near[use], 1e-3)
        found[use, 1:] = _least_squares(self.central_gram[some], self.sides[use], 1e-3)
        return found
