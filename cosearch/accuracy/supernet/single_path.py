"""Trains a supernet one network at a time.

Every step trains a single path drawn uniformly (Guo et al., "Single Path One-Shot Neural Architecture Search with
Uniform Sampling", ECCV 2020), or, ``fair``, one path after the other until each candidate of the slots has been trained
once, with one update for all of them (Chu, Zhang & Xu, "FairNAS", ICCV 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ...spaces.modules.mixed import SharedModule
from ...spaces.slots import Slot
from ..trained.data import Data, batches
from ..trained.loop import TRAINING_PASSES, Recipe, forward_macs, optimizer_for

__all__ = ["fair_paths", "mean_macs", "random_path", "train_single_path", "training_macs"]

_PATHS_COUNTED = 16

Path = Mapping[str, int]


def random_path(slots: Sequence[Slot]) -> dict[str, int]:
    """A candidate for each slot, drawn uniformly with torch's own generator."""
    return {slot.name: int(torch.randint(len(slot.candidates), ())) for slot in slots}


def fair_paths(slots: Sequence[Slot]) -> list[dict[str, int]]:
    """Paths in which each candidate of the largest slot stands once, those of the others as evenly as can be."""
    most = max(len(slot.candidates) for slot in slots)
    columns = {}
    for slot in slots:
        rounds = -(-most // len(slot.candidates))
        drawn = torch.cat([torch.randperm(len(slot.candidates)) for _ in range(rounds)])[:most]
        columns[slot.name] = drawn.tolist()
    return [{name: column[place] for name, column in columns.items()} for place in range(most)]


def train_single_path(
    module: SharedModule, slots: Sequence[Slot], data: Data, recipe: Recipe, *, fair: bool = False
) -> None:
    """Train all candidates in place, with random numbers from torch's own generator."""
    optimizer = optimizer_for(list(module.parameters()), recipe)
    samples = len(data.train)  # type: ignore[arg-type]
    steps, done = -(-samples // recipe.batch) * recipe.epochs, 0
    module.train()
    for _ in range(recipe.epochs):
        for images, labels in batches(data.train, recipe.batch, torch.randperm(samples)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(done / steps)
            optimizer.zero_grad()
            paths = fair_paths(slots) if fair else [random_path(slots)]
            for path in paths:
                module.pick(path)
                loss = nn.functional.cross_entropy(module(images), labels) / len(paths)
                torch.autograd.backward(loss)
            optimizer.step()
            done += 1


def training_macs(
    module: SharedModule, slots: Sequence[Slot], data: Data, recipe: Recipe, *, fair: bool = False
) -> float:
    """Multiply-accumulates that `train_single_path` takes, counted on 16 paths (`mean_macs`) and multiplied up.

    A training step is three forward passes, of as many paths as stand behind an update.
    """
    paths = max(len(slot.candidates) for slot in slots) if fair else 1
    samples = len(data.train)  # type: ignore[arg-type]
    return mean_macs(module, slots, data) * TRAINING_PASSES * samples * recipe.epochs * paths


def mean_macs(module: SharedModule, slots: Sequence[Slot], data: Data) -> float:
    """Multiply-accumulates of one image on a random path, the mean of 16."""
    counts = []
    for _ in range(_PATHS_COUNTED):
        module.pick(random_path(slots))
        counts.append(forward_macs(module, data.shape))
    return sum(counts) / len(counts)
