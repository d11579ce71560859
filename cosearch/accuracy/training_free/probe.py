"""The images an untrained network is looked at with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ....errors import BadInput

if TYPE_CHECKING:
    import torch

__all__ = ["IMAGES", "Images", "Probe", "make_probe"]

Images = Literal["noise", "natural", "digits"]
IMAGES: tuple[str, ...] = get_args(Images)
_CHANNEL_CORRELATION = 0.9


@dataclass(frozen=True)
class Probe:
    """Images (n, channels, height, width) of zero mean and unit variance, their classes (n,), and a seed.

    Where the images are made up (`make_probe`), the classes are evenly drawn and mean nothing.
    """

    images: torch.Tensor
    targets: torch.Tensor
    classes: int
    seed: int = 0


def make_probe(
    kind: str, shape: tuple[int, int, int], *, count: int = 64, classes: int = 10, seed: int = 0
) -> Probe:
    """``count`` images (channels, height, width) of a ``kind``.

    ``noise``: white. ``natural``: random phases with the 1/f amplitudes of photographs (Field, J. Opt. Soc. Am. A,
    1987) and channels correlated by 0.9. ``digits``: scikit-learn's handwritten ones, enlarged, with their classes.
    Raises `BadInput` for an unknown kind and for fewer than two images.
    """
    import torch

    if kind not in IMAGES:
        raise BadInput(f"images: '{kind}' is unknown; use one of {', '.join(IMAGES)}")
    if count < 2 or classes < 2:
        raise BadInput(f"images: {count} images of {classes} classes say nothing; take at least two of each")
    rng = np.random.default_rng(seed)
    if kind == "digits":
        pixels, targets = _digits(shape, count, rng)
        classes = 10
    else:
        targets = rng.permutation(np.arange(count) % classes)
        pixels = rng.standard_normal((count, *shape)) if kind == "noise" else _natural(count, shape, rng)
    pixels = (pixels - pixels.mean()) / pixels.std()
    return Probe(torch.from_numpy(pixels.astype(np.float32)), torch.from_numpy(targets.astype(np.int64)), classes, seed)


def _natural(count: int, shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    channels, height, width = shape
    across, down = np.meshgrid(np.fft.rfftfreq(width), np.fft.fftfreq(height))
    frequency = np.hypot(across, down)
    frequency[0, 0] = 1.0 / max(height, width)
    white = rng.standard_normal((count, channels + 1, height, width))
    coloured = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
    common, own = coloured[:, :1], coloured[:, 1:]
    mixed: NDArray[np.float64] = np.sqrt(_CHANNEL_CORRELATION) * common + np.sqrt(1.0 - _CHANNEL_CORRELATION) * own
    return mixed


def _digits(shape: tuple[int, int, int], count: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    import torch
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    chosen = rng.permutation(len(images))[:count]
    if count > len(images):
        raise BadInput(f"images: there are {len(images)} digits, not {count}; take fewer")
    small = torch.from_numpy(images[chosen].reshape(-1, 1, 8, 8))
    large = torch.nn.functional.interpolate(small, size=shape[1:], mode="bilinear", align_corners=False)
    return large.expand(-1, shape[0], -1, -1).numpy(), targets[chosen]
