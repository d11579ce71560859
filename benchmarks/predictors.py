"""How well predictors rank the networks of NAS-Bench-201 after few labels: Kendall's tau on networks not seen.

`python benchmarks/predictors.py REFERENCE [--seeds 8] [--json FILE]`, where REFERENCE holds `nasbench201/`.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np

from dovetail.cosearch.predictors.base import Inputs
from dovetail.cosearch.predictors.encoding import Encoding
from dovetail.cosearch.predictors.registry import make_predictor, predictor_names
from dovetail.cosearch.predictors.trust import kendall
from dovetail.cosearch.spaces.nasbench201 import Nasbench201

LABELS = (20, 50, 100, 200)
HELD_OUT = 4000


def targets(folder: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Every cell, and its accuracy in each of the tables' columns."""
    columns: dict[str, dict[str, float]] = {}
    for name, wanted in (("accuracy_12_epochs.csv", "_test_pct"), ("nasbench201.csv", "_val_acc_pct")):
        with (folder / name).open(newline="") as file:
            for row in csv.DictReader(file):
                for column, text in row.items():
                    if column.endswith(wanted):
                        columns.setdefault(column, {})[row["arch_str"]] = float(text or "nan")
    keys = sorted(set.intersection(*(set(column) for column in columns.values())))
    return keys, {name: np.array([column[key] for key in keys]) for name, column in columns.items()}


def row(name: str, inputs: Inputs, labels: np.ndarray, seeds: int) -> tuple[list[list[float]], float]:
    """Tau by number of labels and seed; mean seconds of a fit and a prediction of all that are held out."""
    taus: list[list[float]] = []
    start = time.perf_counter()
    for count in LABELS:
        taus.append([])
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(labels))
            known, held = order[:count], order[-HELD_OUT:]
            predictor = make_predictor(name, seed)
            predictor.prepare(inputs)
            predictor.fit(inputs.rows(known), labels[known])
            taus[-1].append(kendall(predictor.predict(inputs.rows(held))[0], labels[held]))
    return taus, (time.perf_counter() - start) / (seeds * len(LABELS))


def main() -> None:
    """Prints a table for each column of accuracies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    keys, columns = targets(given.reference / "nasbench201")
    space = Nasbench201()
    inputs = Encoding(space.space, space.statistics).inputs([space.values(key) for key in keys])
    macs = inputs.statistics[:, 0]
    found: dict[str, dict[str, object]] = {}
    for column, labels in columns.items():
        held = [np.random.default_rng(seed).permutation(len(labels))[-HELD_OUT:] for seed in range(given.seeds)]
        print(f"\n{column}: Kendall's tau on {HELD_OUT} held out, mean of {given.seeds} seeds (least)")
        print(f"{'labels':18s}" + "".join(f"{count:>14d}" for count in LABELS) + "   seconds")
        alone = float(np.mean([kendall(macs[rows], labels[rows]) for rows in held]))
        print(f"{'MACs alone':18s}" + f"{alone:14.3f}" * len(LABELS))
        for name in predictor_names():
            taus, seconds = row(name, inputs, labels, given.seeds)
            cells = "".join(f"{np.mean(each):8.3f} ({min(each):.2f})" for each in taus)
            print(f"{name:18s}{cells}   {seconds:.2f}", flush=True)
            found.setdefault(column, {})[name] = dict(zip(map(str, LABELS), map(np.mean, taus), strict=True))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
