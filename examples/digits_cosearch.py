"""A network and its accelerator searched together, each network trained on one's own data.

The data are a torch data set of this file: scikit-learn's handwritten digits, moved by a pixel at random in training.
The study names them by module and callable. 15,625 cells times 2,000 accelerators are searched for latency, energy and
the error of held-out digits, on no more silicon than the baseline has; the design chosen is then trained anew and meets
a fifth of the digits that the search never saw.

    python examples/digits_cosearch.py [joint|oneshot]

``oneshot`` trains a supernet first, looks at 150 designs with its weights, and trains only the best of them alone.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

import dovetail as dt
from dovetail.cosearch.accuracy.trained.data import digits, digits_test, load_data
from dovetail.cosearch.accuracy.trained.loop import Recipe, evaluate, train
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.torch_threads import repeatable

STUDY = """\
name: digits
network: {space: digits_cells}
hardware: {accelerator: gemmini}
accuracy: {source: trained, dataset: "digits_cosearch:shifted_digits", epochs: 8}
objectives: [latency_s, energy_j, error_pct]
constraints: {area_mm2: {max: baseline}}
baseline: {network: digits_cells, accelerator: gemmini}
"""
MODES = {
    "joint": "strategy: {name: nsga2, population: 10}\nbudget: {trials: 30}\n",
    "oneshot": """\
mode:
  name: oneshot
  supernet: {dataset: "digits_cosearch:shifted_digits", epochs: 30}
  inner_trials: 150
strategy: {name: nsga2, population: 30}
budget: {trials: 10}
""",
}
SHOWN = {"latency_s": ("latency", 1e6, "us"), "energy_j": ("energy", 1e6, "uJ"), "error_pct": ("error", 1, "%"),
         "error_sigma_pct": ("+-", 1, "%"), "area_mm2": ("area", 1, "mm2"), "macs": ("MACs", 1e-3, "k")}  # fmt: skip


class Shifted(Dataset):
    """Images (1, 8, 8), each moved by up to a pixel whenever it is asked for."""

    def __init__(self, dataset: TensorDataset) -> None:
        images, self.labels = dataset.tensors
        self.padded = torch.nn.functional.pad(images, (1, 1, 1, 1))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        down, right = torch.randint(3, (2,)).tolist()
        return self.padded[place, :, down : down + 8, right : right + 8], self.labels[place]


def shifted_digits() -> tuple[Shifted, TensorDataset]:
    """What the study trains on, and what it judges by."""
    learnt, held = digits()
    return Shifted(learnt), held


def show(name: str, metrics: dict) -> None:
    """One line of the table."""
    figures = (f"{metrics[key] * scale:>8.3g} {unit:<4}" for key, (_, scale, unit) in SHOWN.items())
    print(f"{name:<11}" + "".join(figures))


def main() -> None:
    """Search, show, and test what was chosen."""
    mode = sys.argv[1] if len(sys.argv) > 1 else "joint"
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "digits.yaml"
        study.write_text(STUDY + MODES[mode])
        result = dt.search(study)
    front, baseline = result.front(), result.baseline
    print(f"{mode}: {len(front)} of {len(result.trials())} trials on the front, {time.perf_counter() - start:.0f} s\n")
    print(f"{'':<11}" + "".join(f"{label:>8} {'':<4}" for label, _, _ in SHOWN.values()))
    show("baseline", baseline)
    for row in front.to_dict("records"):
        show(f"trial {row['number']}", row)
    best = front.sort_values("error_pct").iloc[0]
    alike = front[front.error_pct <= best.error_pct + best.error_sigma_pct]
    chosen = alike.sort_values("edp").iloc[0]
    print(f"\ntrial {chosen.number} has the least energy-delay product of those whose errors are alike (one +-):")
    print("  " + ", ".join(f"{name} {chosen[name]}" for name in front.columns if name.startswith(("net.", "hw."))))
    test(dict(chosen))


def test(chosen: dict) -> None:
    """Train the chosen network and the baseline's anew, longer, and read digits that the search never saw."""
    space, data = network_space("digits_cells"), load_data("digits_cosearch:shifted_digits")
    points = {"chosen": {name: chosen[name] for name in space.space.names}, "baseline": space.baseline()}
    for name, values in points.items():
        with repeatable(1):
            module = space.module(values, data.shape, data.classes)
            train(module, data, Recipe(epochs=20))
            print(f"{name:>9}: {evaluate(module, digits_test()):.1f} % of the unseen digits read right")


if __name__ == "__main__":
    main()
