"""A synthetic video: textured squares that move, pause and hide one another before a static, cluttered background.

A frame is a pure function of the scene and its number, so frames can be asked for in any order. What is true of each
object (box, visible share) comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...accel.simulator.checks import checked_number, checked_whole
from ...errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]
    U8 = NDArray[np.uint8]

__all__ = ["Scene", "Video"]

_SHIFT = 256  # pixels by which the plane of sensor noise is larger than a frame
_CLUTTER = 30  # static rectangles of the background
_BORDER = 4  # pixels of an object's frame
_PAUSES = 2  # of each object, within the video


@dataclass(frozen=True)
class Scene:
    """What a video shows. Lengths in pixels, speeds in pixels a frame, ``noise`` the sensor's deviation in grey levels.

    Each object pauses twice, for ``pause`` frames or fewer. Raises `BadInput` for numbers out of range and for objects
    that do not fit the picture.
    """

    seed: int = 0
    frames: int = 160
    objects: int = 8
    width: int = 1280
    height: int = 720
    frames_per_s: float = 20.0
    sizes: tuple[int, int] = (48, 80)
    speeds: tuple[float, float] = (0.5, 3.0)
    pause: int = 60
    noise: float = 3.0

    def __post_init__(self) -> None:
        checked_whole(self.seed, "scene: seed", minimum=0, remedy="0 or more")
        for name in ("frames", "objects", "width", "height", "pause"):
            checked_whole(getattr(self, name), f"scene: {name}", remedy="at least 1")
        checked_number(self.frames_per_s, "scene: frames_per_s", positive=True, remedy="20 for one")
        checked_number(self.noise, "scene: noise", remedy="a deviation in grey levels, at least 0")
        for name in ("sizes", "speeds"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise BadInput(f"scene: {name}: {low} to {high} is no range; give the smaller number first, above 0")
        for name in ("width", "height"):
            if getattr(self, name) % 8:
                raise BadInput(f"scene: {name}: {getattr(self, name)} is no multiple of 8, the pixels of a block")
        if self.sizes[0] < 4 * _BORDER or self.sizes[1] >= min(self.width, self.height):
            raise BadInput(
                f"scene: sizes: {self.sizes[0]} to {self.sizes[1]} pixels; objects have at least {4 * _BORDER} and are "
                f"smaller than the picture of {self.width} x {self.height}"
            )


class Video:
    """The frames of a scene and the truth about them. Boxes are (top, left, bottom, right) in pixels."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        rng = np.random.default_rng(scene.seed)
        self._background = _background(rng, scene)
        self._noise = rng.normal(0.0, scene.noise, (scene.height + _SHIFT, scene.width + _SHIFT)).astype(np.float32)
        self._sizes = rng.integers(scene.sizes[0], scene.sizes[1] + 1, scene.objects)
        self._textures = [_texture(rng, int(size)) for size in self._sizes]
        self._places = np.rint(_paths(rng, scene, self._sizes)).astype(np.int64)

    def __len__(self) -> int:
        return self.scene.frames

    def frame(self, number: int) -> U8:
        """Grey levels, [height, width]. Raises `BadInput` for a number beyond the video."""
        self._check(number)
        scene, picture = self.scene, self._background.copy()
        for (top, left), size, texture in zip(self._places[number], self._sizes, self._textures, strict=True):
            picture[top : top + size, left : left + size] = texture
        y, x = np.random.default_rng((scene.seed, number)).integers(0, _SHIFT, 2)
        picture += self._noise[y : y + scene.height, x : x + scene.width]
        levels: U8 = np.clip(picture, 0, 255).astype(np.uint8)
        return levels

    def boxes(self, number: int) -> F64:
        """Where each object truly is, [objects, 4]."""
        self._check(number)
        corner = self._places[number]
        return np.concatenate([corner, corner + self._sizes[:, None]], axis=1).astype(np.float64)

    def visible(self, number: int) -> F64:
        """The share of each object that no other one hides, [objects]."""
        self._check(number)
        return np.asarray(self._visible[number])

    @cached_property
    def _visible(self) -> F64:
        shares = np.empty((len(self), self.scene.objects))
        for number, places in enumerate(self._places):
            front = np.full((self.scene.height, self.scene.width), -1, np.int16)
            spots = [
                (slice(top, top + size), slice(left, left + size))
                for (top, left), size in zip(places, self._sizes, strict=True)
            ]
            for which, spot in enumerate(spots):
                front[spot] = which
            shares[number] = [float((front[spot] == which).mean()) for which, spot in enumerate(spots)]
        return shares

    def _check(self, number: int) -> None:
        if not 0 <= number < len(self):
            raise BadInput(f"frame {number}: the video has frames 0 to {len(self) - 1}")


def _background(rng: np.random.Generator, scene: Scene) -> F32:
    """Clouds at three scales, and rectangles that stand out from them by less than objects do."""
    picture = np.full((scene.height, scene.width), 110.0)
    for cells, contrast in ((160, 18.0), (40, 8.0), (8, 4.0)):
        picture += contrast * _clouds(rng, scene.height, scene.width, cells)
    for _ in range(_CLUTTER):
        high, wide = rng.integers(16, 120, 2)
        top, left = rng.integers(-40, scene.height - 8), rng.integers(-40, scene.width - 8)
        spot = (slice(max(top, 0), max(top + high, 0)), slice(max(left, 0), max(left + wide, 0)))
        picture[spot] += rng.uniform(-25.0, 25.0)
    return np.asarray(np.clip(picture, 0, 255), np.float32)


def _clouds(rng: np.random.Generator, height: int, width: int, cells: int) -> F64:
    """Normal values on a grid of ``cells`` pixels, bilinear in between, [height, width]."""
    grid = rng.normal(size=(height // cells + 2, width // cells + 2))
    (row, down), (column, right) = (divmod(np.arange(size) / cells, 1) for size in (height, width))
    i, j, u, v = row.astype(int), column.astype(int), down[:, None], right[None]
    upper = grid[i][:, j] * (1 - v) + grid[i][:, j + 1] * v
    lower = grid[i + 1][:, j] * (1 - v) + grid[i + 1][:, j + 1] * v
    return np.asarray(upper * (1 - u) + lower * u)


def _texture(rng: np.random.Generator, size: int) -> F32:
    """Random patches of four grey levels within a frame that is dark or bright, [size, size]."""
    patch = int(rng.integers(8, 14))
    patches = rng.choice([40.0, 90.0, 160.0, 215.0], (-(-size // patch),) * 2)
    texture = patches.repeat(patch, 0).repeat(patch, 1)[:size, :size]
    edge = 235.0 if rng.random() < 0.5 else 20.0
    inner = texture[_BORDER:-_BORDER, _BORDER:-_BORDER]
    return np.pad(inner, _BORDER, constant_values=edge).astype(np.float32)


def _paths(rng: np.random.Generator, scene: Scene, sizes: I64) -> F64:
    """Upper left corners, [frames, objects, 2]: straight lines that bounce off the picture's edges, with pauses."""
    count = scene.objects
    room = np.array([scene.height, scene.width]) - sizes[:, None]
    place = rng.uniform(0.0, 1.0, (count, 2)) * room
    speed, angle = rng.uniform(*scene.speeds, count), rng.uniform(0.0, 2.0 * np.pi, count)
    velocity = np.stack([np.sin(angle), np.cos(angle)], axis=1) * speed[:, None]
    begin = rng.integers(0, scene.frames, (count, _PAUSES))
    end = begin + rng.integers(max(1, scene.pause // 3), scene.pause + 1, (count, _PAUSES))
    paths = np.empty((scene.frames, count, 2))
    for number in range(scene.frames):
        paths[number] = place
        rests = np.asarray((number >= begin) & (number < end)).any(axis=1, keepdims=True)
        place = place + np.where(rests, 0.0, velocity)
        velocity = np.where((place < 0) | (place > room), -velocity, velocity)
        place = np.clip(place, 0, room)
    return paths
