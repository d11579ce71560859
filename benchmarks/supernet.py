"""Does a supernet rank networks as training each of them alone does? On scikit-learn's digits, with 5 seeds.

Some networks of a small space are drawn and trained alone, with 3 seeds each. Supernets are trained by uniform single
paths and by fair ones, each with 5 seeds, and the accuracies with shared weights are compared with those alone, by
Kendall's tau and Spearman's rho. Beside them stands what could be had at best (one seed of training alone against the
mean of the others) and what costs nothing (multiply-accumulates).

    python benchmarks/supernet.py [--space digits_ibn] [--networks 30] [--json FILE] [--alone FILE]

``--alone`` takes the accuracies alone from an earlier ``--json``.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from dovetail.cosearch.accuracy.supernet.single_path import train_single_path, training_macs
from dovetail.cosearch.accuracy.trained.data import Data, load_data
from dovetail.cosearch.accuracy.trained.loop import Recipe, evaluate, train
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.slots import Shareable
from dovetail.cosearch.spaces.space import Value
from dovetail.cosearch.torch_threads import repeatable
from dovetail.errors import BadInput

Point = dict[str, Value]

ALONE = {"digits_cells": Recipe(epochs=8), "digits_ibn": Recipe(epochs=4)}
SHARED = {"uniform": Recipe(epochs=40), "fair": Recipe(epochs=12)}
ALONE_SEEDS, SEEDS = 3, 5


def draw(space: Shareable, count: int) -> list[Point]:
    """Random networks of the space, of those that can be trained."""
    rng, found = np.random.default_rng(7), []
    while len(found) < count:
        values = space.space.sample(rng)
        try:
            space.build(values)
        except BadInput:  # a cell through which no path leads
            continue
        found.append(values)
    return found


def alone(space: Shareable, data: Data, points: list[Point], recipe: Recipe) -> list[list[float]]:
    """Accuracies, by network and seed."""
    found = []
    for values in points:
        row = []
        for seed in range(ALONE_SEEDS):
            with repeatable(seed):
                row.append(train(space.module(values, data.shape, data.classes), data, recipe).top1_pct)
        found.append(row)
    return found


def shared(
    space: Shareable, data: Data, points: list[Point], sampling: str, seed: int
) -> tuple[list[float], float, float]:
    """Accuracies with shared weights, processor seconds of training, and its multiply-accumulates."""
    start = time.process_time()
    with repeatable(1000 + seed):
        module = space.shared_module(data.shape, data.classes)
        train_single_path(module, space.slots, data, SHARED[sampling], fair=sampling == "fair")
        seconds, found = time.process_time() - start, []
        macs = training_macs(module, space.slots, data, SHARED[sampling], fair=sampling == "fair")
        for values in points:
            module.pick({slot.name: slot.index(values) for slot in space.slots})
            found.append(evaluate(module, data.held))
    return found, seconds, macs


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="digits_cells", choices=sorted(ALONE))
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", type=Path)
    arguments = parser.parse_args()
    space, data = network_space(arguments.space), load_data("digits")
    points = draw(space, arguments.networks)
    known = json.loads(arguments.alone.read_text())["alone"] if arguments.alone else None
    truth = np.array(known or alone(space, data, points, ALONE[arguments.space]))
    mean = truth.mean(axis=1)
    best = float(np.mean([
        kendalltau(truth[:, seed], np.delete(truth, seed, axis=1).mean(axis=1)).statistic for seed in range(ALONE_SEEDS)
    ]))  # fmt: skip
    free = float(kendalltau(mean, [space.build(values).macs for values in points]).statistic)
    print(f"{arguments.space}: {len(points)} networks alone, {mean.min():.1f} to {mean.max():.1f} %")
    print(f"tau of one seed alone against the others: {best:.2f}; of multiply-accumulates: {free:.2f}", flush=True)
    result = {"space": arguments.space, "alone": truth.tolist(), "tau_of_alone": best, "tau_of_macs": free}
    for sampling in SHARED:
        rows = []
        for seed in range(SEEDS):
            found, spent, macs = shared(space, data, points, sampling, seed)
            tau, rho = (float(test(mean, found).statistic) for test in (kendalltau, spearmanr))
            rows.append({"seed": seed, "tau": tau, "rho": rho, "core_seconds": spent, "macs": macs})
            print(f"{sampling:>8} seed {seed}: tau {tau:.2f}, rho {rho:.2f}, {spent:.0f} s of one core", flush=True)
        taus = [row["tau"] for row in rows]
        print(f"{sampling:>8} mean tau {statistics.fmean(taus):.2f} +- {statistics.stdev(taus):.2f}")
        result[sampling] = {"tau_mean": statistics.fmean(taus), "tau_sd": statistics.stdev(taus), "rows": rows}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
