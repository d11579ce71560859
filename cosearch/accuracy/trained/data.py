"""The data to train on: scikit-learn's handwritten digits, or a user's own torch data sets."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset, default_collate

from ....errors import BadInput
from ...own_code import failures_told, named_object, one_line

__all__ = ["Data", "batches", "digits", "digits_test", "load_data", "part_of"]

DIGITS = "digits"
_loaded: dict[str, tuple[Any, Data]] = {}  # by name: the callable that made them, and the data


@dataclass(frozen=True)
class Data:
    """``train`` and ``held``: pairs of an image (channels, height, width) and its class, a whole number from 0.

    Nothing is learnt from ``held``; a search's accuracies are those on it.
    """

    name: str
    train: Dataset[Any]
    held: Dataset[Any]
    shape: tuple[int, int, int]
    classes: int


def digits() -> tuple[TensorDataset, TensorDataset]:
    """Three fifths of the 1,797 digits (1×8×8, in [0, 1]) to train on, one fifth to judge by.

    scikit-learn's ``load_digits``: UCI Optical Recognition of Handwritten Digits.
    """
    train, held, _ = _digits()
    return train, held


def digits_test() -> TensorDataset:
    """The last fifth, which no search sees: for a figure that nothing was chosen by."""
    return _digits()[2]


def _digits() -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.as_tensor(found.images / 16.0, dtype=torch.float32).unsqueeze(1)
    labels = torch.as_tensor(found.target, dtype=torch.int64)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    first, second = 3 * len(order) // 5, 4 * len(order) // 5
    parts = (order[:first], order[first:second], order[second:])
    train, held, test = (TensorDataset(images[part], labels[part]) for part in parts)
    return train, held, test


def load_data(name: str) -> Data:
    """``digits``, or what the callable ``package.module:name`` returns: data sets to train on and to judge by.

    Raises `BadInput` where there is no such callable, where it returns something else, and where it or its data sets
    raise anything or want to leave the program.
    """
    make = digits if name == DIGITS else named_object(name, "accuracy.dataset")
    if not callable(make):
        raise BadInput(f"accuracy.dataset: '{name}' is no function; give something that can be called")
    if name not in _loaded or _loaded[name][0] is not make:
        with failures_told(f"accuracy.dataset: '{name}' failed"):
            _loaded[name] = make, _checked(name, make())
    return _loaded[name][1]


def _checked(name: str, made: object) -> Data:
    if not isinstance(made, tuple) or len(made) != 2:
        raise BadInput(f"accuracy.dataset: '{name}' returned {type(made).__name__}; return a pair (train, held-out)")
    train, held = made
    for part, which in ((train, "first"), (held, "second")):
        if not hasattr(part, "__len__") or not hasattr(part, "__getitem__"):
            raise BadInput(
                f"accuracy.dataset: the {which} of '{name}' is no data set with a length; use a map-style one"
            )
        if len(part) == 0:
            raise BadInput(f"accuracy.dataset: the {which} data set of '{name}' is empty")
    shape, other = (_shape(name, part) for part in (train, held))
    if shape != other:
        raise BadInput(
            f"accuracy.dataset: '{name}' has images of shape {shape} to train on and of {other} to judge by; give both "
            "the same channels, height and width"
        )
    return Data(name, train, held, shape, max(_classes(name, train), _classes(name, held)))


def _shape(name: str, dataset: Dataset[Any]) -> tuple[int, int, int]:
    sample = dataset[0]
    if not isinstance(sample, Sequence) or len(sample) != 2:
        parts = f"{len(sample)} parts" if isinstance(sample, Sequence) else type(sample).__name__
        raise BadInput(f"accuracy.dataset: a sample of '{name}' is {parts}; give pairs of an image and its class")
    image = sample[0]
    if not isinstance(image, Tensor) or image.dim() != 3 or not image.is_floating_point():
        raise BadInput(
            f"accuracy.dataset: '{name}' must give images as floating-point tensors (channels, height, width); the "
            f"first is {getattr(image, 'dtype', type(image).__name__)} of shape {tuple(getattr(image, 'shape', ()))}"
        )
    channels, height, width = image.shape
    return int(channels), int(height), int(width)


def _classes(name: str, dataset: Any) -> int:
    """By the list of classes that torchvision's data sets carry, and by every label where these are at hand.

    Raises `BadInput` for labels that are no whole numbers from 0, or that the list does not reach.
    """
    listed = getattr(dataset, "classes", None)
    if isinstance(dataset, TensorDataset):
        labels: Any = dataset.tensors[1]
    elif listed is not None:
        labels = [*getattr(dataset, "targets", ()), dataset[0][1]]
    else:
        labels = [dataset[place][1] for place in range(len(dataset))]
    numbers = [_label(name, label) for label in labels]
    if listed is None or max(numbers) < len(listed):
        return 1 + max(numbers) if listed is None else len(listed)
    raise BadInput(
        f"accuracy.dataset: '{name}' lists {len(listed)} classes and has the label {max(numbers)}; list them all"
    )


def _label(name: str, label: Any) -> int:
    try:
        number = operator.index(label)
    except TypeError:
        number = -1
    if number < 0:
        given = one_line(label, 60)
        raise BadInput(f"accuracy.dataset: '{name}' has the label {given}; give classes as whole numbers from 0")
    return number


def batches(dataset: Any, size: int, order: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels in batches of ``size``, in ``order`` (default: as they come), in the precision of modules.

    Raises `BadInput` where a user's data set fails at a sample, or gives samples that are no batch together.
    """
    places = torch.arange(len(dataset)) if order is None else order
    for part in torch.split(places, size):
        if isinstance(dataset, TensorDataset):
            images, labels = dataset.tensors[0][part], dataset.tensors[1][part]
        else:
            images, labels = _batch(dataset, part)
        yield images.to(torch.float32), labels.to(torch.int64)


def _batch(dataset: Any, places: Tensor) -> tuple[Tensor, Tensor]:
    with failures_told("accuracy.dataset: the samples cannot be read"):
        images, labels = default_collate([dataset[int(place)] for place in places])
    return images, labels


def part_of(dataset: Any, places: Tensor) -> Dataset[Any]:
    """The samples at ``places``."""
    if isinstance(dataset, TensorDataset):
        return TensorDataset(*(tensor[places] for tensor in dataset.tensors))
    return Subset(dataset, places.tolist())
