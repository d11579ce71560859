"""Data sets of a user, as `accuracy.dataset` names them."""

import sys

import torch
from torch.utils.data import Dataset, TensorDataset


class Lines(Dataset):
    """Images (1, 8, 8) with a bright row or a bright column."""

    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(2, (count,), generator=generator)
        self.images = 0.1 * torch.rand(count, 1, 8, 8, generator=generator)
        for image, label in zip(self.images, self.labels, strict=True):
            (image[0, 3] if label else image[0, :, 3]).add_(1.0)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        return self.images[place], int(self.labels[place])


def lines():
    return Lines(96, 0), Lines(64, 1)


def one():
    return Lines(8, 0)


def numbers():
    return TensorDataset(torch.zeros(4, dtype=torch.int64), torch.zeros(4)), Lines(8, 0)


def empty():
    return Lines(0, 0), Lines(8, 0)


def leaves():
    sys.exit("no data today")


def fails():
    raise OSError("no such disk")


class Torn(Lines):
    """Its last sample cannot be read."""

    classes = (0, 1)

    def __getitem__(self, place):
        if place == len(self) - 1:
            raise SystemExit(5)
        return super().__getitem__(place)


def torn():
    return Torn(32, 0), Lines(8, 0)


class Sizes(Lines):
    """Images of two sizes."""

    def __getitem__(self, place):
        image, label = super().__getitem__(place)
        return image[:, : 8 - place % 2], label


def sizes():
    return Sizes(32, 0), Lines(8, 0)


def _labelled(labels, held=None, dtype=torch.float32, side=8):
    images = torch.rand(16, 1, side, side, dtype=dtype, generator=torch.Generator().manual_seed(0))
    return TensorDataset(images, labels), held or TensorDataset(images, labels)


_CLASSES = torch.arange(16) % 2


def below_zero():
    return _labelled(_CLASSES - 1)


def shares():
    return _labelled(_CLASSES / 2)


def one_hot():
    return _labelled(torch.eye(2)[_CLASSES])


def coloured():
    return _labelled(_CLASSES, TensorDataset(torch.rand(4, 3, 8, 8), _CLASSES[:4]))


def double():
    return _labelled(_CLASSES, dtype=torch.float64)


def points():
    return _labelled(_CLASSES, side=1)


class Triples(Lines):
    """Samples with a weight."""

    def __getitem__(self, place):
        return *super().__getitem__(place), 1.0


def triples():
    return Triples(8, 0), Lines(8, 0)


class Listed(Lines):
    """Fewer classes than labels, as torchvision lists them."""

    classes = ("line",)


def listed():
    return Listed(32, 0), Listed(8, 0)


class Counted(Listed):
    """The same, with all labels at hand."""

    @property
    def targets(self):
        return self.labels.tolist()


def counted():
    return Counted(32, 0), Counted(8, 0)


data = (1, 2)
