"""Is a pruned network worth its retraining? That depends on how often it is used.

A network is trained on scikit-learn's handwritten digits, then pruned to 50, 20 and 5 % of its weights, each time from
the one before, and retrained. What that training takes is the model of its steps on an A100 (a lower bound: so small a
network would wait for the processor); what a use takes is the network with its own zeros mapped on tensor cores that
leave zeros of both operands out. Both are modelled; nothing is measured here. G(MUI) is accuracy over the energy of
training and use, after Li et al., "Full-Cycle Energy Consumption Benchmark for Low-Carbon Computer Vision",
arXiv:2108.13465, 2021.

    python examples/digits_life_cycle.py [PICTURE.png]
"""

import sys
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import dovetail as dt
from dovetail.energy.life import LifeCycle, best_by_uses, reversals
from dovetail.mapper.training import Recipe, TrainingEstimate, estimate_training
from dovetail.models import measure_activations, with_densities

EPOCHS, RETRAINING_EPOCHS, BATCH = 60, 20, 64
DENSITIES = (0.5, 0.2, 0.05)
LOW, HIGH = 1e3, 1e9
SHOWN = (1e3, 1e5, 1e6, 1e7, 1e9)


@dataclass(frozen=True)
class Digits:
    """Images (n, 64) and labels (n,) to train and to test on."""

    images: Tensor
    labels: Tensor
    held_images: Tensor
    held_labels: Tensor

    @classmethod
    def load(cls) -> "Digits":
        """Three fifths to train on, two to test on."""
        images, labels = load_digits(return_X_y=True)
        images = (images / 16).astype("float32")
        parts = train_test_split(images, labels, test_size=0.4, random_state=0, stratify=labels)
        images, held_images, labels, held_labels = (torch.as_tensor(part) for part in parts)
        return cls(images, labels, held_images, held_labels)

    def accuracy(self, net: nn.Module) -> float:
        """Share of the held digits that are read right."""
        return float((net(self.held_images).argmax(1) == self.held_labels).float().mean())


def train(net: nn.Module, digits: Digits, epochs: int, rate: float) -> nn.Module:
    """The same net after so many epochs, in which its zeros stay zeros."""
    order, adam = torch.Generator().manual_seed(0), torch.optim.Adam(net.parameters(), rate)
    kept = {weight: (weight != 0).float() for weight in net.parameters() if weight.dim() > 1}
    for _ in range(epochs):
        for batch in torch.randperm(len(digits.images), generator=order).split(BATCH):
            adam.zero_grad()
            nn.functional.cross_entropy(net(digits.images[batch]), digits.labels[batch]).backward()
            adam.step()
            with torch.no_grad():
                for weight, mask in kept.items():
                    weight.mul_(mask)
    return net


def training_run(net: nn.Module, digits: Digits, epochs: int) -> TrainingEstimate:
    """What so many epochs spend on an A100; a GPU multiplies zeros like any number, so that all weights count."""
    network = dt.from_torch(net, (digits.images[:1],), name="digits")
    recipe = Recipe("digits", len(digits.images), epochs, BATCH, "adam", "fp32", source="this example")
    return estimate_training(network, "a100", recipe=recipe, mapper="roofline")


def life(name: str, net: nn.Module, digits: Digits, spent: dict[str, TrainingEstimate]) -> LifeCycle:
    """The life of the net on that engine, with its weights' zeros and those of its activations on the held digits."""
    network = dt.from_torch(net, (digits.images[:1],), name=name, zeros="count")
    network = with_densities(network, measure_activations(net, [digits.held_images]))
    estimate = dt.estimate(network, dt.load_accelerator("dual_side_tensor_core"), objective="energy")
    return dt.life_cycle(estimate, HIGH, training=dict(spent), accuracy=digits.accuracy(net), name=name)


def designs(digits: Digits) -> list[LifeCycle]:
    """The dense net, then each pruned from the one before, with all training that led to it."""
    torch.manual_seed(0)
    net: nn.Module = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    train(net, digits, EPOCHS, 2e-3)
    spent = {"base": training_run(net, digits, EPOCHS)}
    retraining = training_run(net, digits, RETRAINING_EPOCHS)
    found = [life("dense", net, digits, spent)]
    for density in DENSITIES:
        net = train(dt.prune(net, density), digits, RETRAINING_EPOCHS, 1e-3)
        spent[f"pruning to {density:.0%}"] = retraining
        found.append(life(f"{1 - density:.0%} pruned", net, digits, spent))
    return found


def show(lives: list[LifeCycle]) -> None:
    """Print what each design costs, which is best where, and where two change places."""
    print(f"{'modelled':<12}{'accuracy':>10}{'training':>11}{'a use':>11}   G(MUI) in 1/J at")
    print(f"{'':<44}" + "".join(f"{uses:>11.0e}" for uses in SHOWN))
    for one in lives:
        merits = "".join(f"{one.at(uses).g_mui():>10.3g}{'*' if is_best(one, lives, uses) else ' '}" for uses in SHOWN)
        training, use = one.phases["training"].energy_j, one.service.use.energy_j
        print(f"{one.name:<12}{one.accuracy:>10.1%}{training:>9.3f} J{use * 1e9:>8.1f} nJ{merits}")
    print("(* best of the column; best by accuracy over the energy of a use alone: "
          f"{max(lives, key=lambda one: (one.accuracy or 0) / one.service.use.energy_j).name})\n")  # fmt: skip
    for tau in (1.0, 4.0):
        stretches = best_by_uses(lives, LOW, HIGH, tau=tau)
        print(f"best by G(MUI), tau = {tau:g}: "
              + ", ".join(f"{name} from {start:,.3g} uses" for start, _, name in stretches))  # fmt: skip
    changes = reversals(lives, LOW, HIGH, tau=1.0)
    print(f"\n{len(changes)} rank reversals between {LOW:.0e} and {HIGH:.0e} uses (tau = 1):")
    for change in changes:
        print(f"  at {change.uses:>12,.0f} uses {change.after} overtakes {change.before}")
    print("  (each moves in proportion to the energy of training)")
    even = lives[0].break_even(lives[-1], tau=0.0)
    print(f"\nby the energy of training and use alone, {even}")


def is_best(one: LifeCycle, lives: list[LifeCycle], uses: float) -> bool:
    """Whether no other has a larger G(MUI)."""
    return one.at(uses).g_mui() == max(other.at(uses).g_mui() for other in lives)


def draw(lives: list[LifeCycle], path: str) -> None:
    """G(MUI) of each design over that of the first, against uses; dots where the best one changes."""
    import matplotlib.pyplot as plt
    import numpy as np

    uses = np.logspace(np.log10(LOW), np.log10(HIGH), 301)
    merits = np.array([[one.at(float(each)).g_mui() for each in uses] for one in lives])
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    for one, line in zip(lives, merits / merits[0], strict=True):
        axes.plot(uses, line, linewidth=2, label=f"{one.name}, {one.accuracy:.1%} right")
    for place, (start, _, name) in enumerate(best_by_uses(lives, LOW, HIGH, tau=1.0)[1:]):
        height = float(np.interp(start, uses, (merits / merits[0]).max(axis=0)))
        offset, side = ((8, -24), "left") if place % 2 else ((-8, 8), "right")
        axes.plot([start], [height], "o", color="black", zorder=5)
        axes.annotate(f"{start:,.0f} uses:\n{name} is best", (start, height), offset, textcoords="offset points",
                      ha=side, fontsize=8)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="uses in the whole life", ylabel="G(MUI) over the dense network's")
    axes.set_yticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
    axes.minorticks_off()
    axes.set_title("Modelled merit of pruned networks by how often they are used", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Train, prune, account; with a path, draw."""
    torch.set_num_threads(1)  # products this small only wait for each other's threads
    lives = designs(Digits.load())
    show(lives)
    if len(sys.argv) > 1:
        draw(lives, sys.argv[1])
        print(f"\n{sys.argv[1]}")


if __name__ == "__main__":
    main()
