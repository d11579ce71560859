"""Densities chosen by distortion, against the same for all layers and one threshold, on handwritten digits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from dovetail.models import allocate, distortion_curves, prune

DENSITIES = [0.005 * 200 ** (step / 29) for step in range(30)]  # 0.5 % to 100 %
STEPS = [0.5, 0.25, 0.15, 0.1, 0.075, 0.05]


def digits(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and labels to train and to test on."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split((images / 16).astype("float32"), labels, test_size=0.4, random_state=seed, stratify=labels)
    images, held_images, labels, held_labels = (torch.as_tensor(part) for part in parts)
    return images, labels, held_images, held_labels


def trained(net: nn.Sequential, images: Tensor, labels: Tensor, epochs: int, seed: int) -> nn.Sequential:
    """The same net after so many epochs in which its zeros stay zeros."""
    order, adam = torch.Generator().manual_seed(seed), torch.optim.Adam(net.parameters(), 2e-3 if epochs > 20 else 1e-3)
    kept = {weight: (weight != 0).float() for weight in net.parameters() if weight.dim() > 1}
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=order).split(64):
            adam.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            adam.step()
            for weight, mask in kept.items():
                weight.data.mul_(mask)
    return net


def by_distortion(net: nn.Sequential, images: Tensor, density: float) -> dict[str, float]:
    """Densities of the least sum of distortions with so many words in all."""
    words = {name: part.weight.numel() for name, part in net.named_children() if isinstance(part, nn.Linear)}
    chosen = allocate(
        distortion_curves(net, [(images,)], DENSITIES),
        lambda layer, level: DENSITIES[level] * words[layer],
        density * sum(words.values()),
    )
    return {layer: DENSITIES[level] for layer, level in chosen.levels.items()}


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Products this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
def test_densities_by_distortion_are_the_most_accurate_at_90_and_95_percent_sparsity():
    """In steps, curves measured anew at each; pruned at once to 95 %, distortions do not add up any more."""
    accuracy: dict[tuple[str, float], float] = {}
    for seed in range(5):
        images, labels, *held = digits(seed)
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
        dense = trained(net, images, labels, 60, seed)
        nets = dict.fromkeys(("distortion", "uniform", "global"), dense)
        for density in STEPS:
            pruned = {
                "distortion": prune(nets["distortion"], by_distortion(nets["distortion"], images, density)),
                "uniform": prune(nets["uniform"], density),
                "global": prune(nets["global"], density, scope="global"),
            }
            nets = {way: trained(one, images, labels, 10, seed) for way, one in pruned.items()}
            for way, one in nets.items():
                right = float((one(held[0]).argmax(1) == held[1]).float().mean())
                accuracy[way, density] = accuracy.get((way, density), 0.0) + right / 5
    for density in (0.1, 0.05):
        best = accuracy["distortion", density]
        assert best >= accuracy["uniform", density]
        assert best >= accuracy["global", density]
    assert accuracy["distortion", 0.05] > 0.9
