"""Read what a co-search has found: the front against the baseline, and which choices its designs share.

With the folder of a finished study (`dovetail cosearch run … --out DIR`) this reads its CSV files; without one it first
runs twelve trials of the shipped study, whose accelerator is the template of Zhou et al., "Rethinking Co-design of
Neural Architectures and Hardware Accelerators", arXiv:2102.08619, 2021.

    python examples/read_a_study.py [DIR]
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd

import dovetail as dt

OBJECTIVES = {"latency_s": ("latency", 1e3, "ms"), "energy_j": ("energy", 1e3, "mJ"), "error_pct": ("error", 1, "%")}


def summarise(folder: Path) -> None:
    """Print the front of the study in ``folder``."""
    trials, front = pd.read_csv(folder / "trials.csv"), pd.read_csv(folder / "front.csv")
    baseline = json.loads((folder / "context.json").read_text(encoding="utf-8"))["baseline"]
    statuses = ", ".join(f"{count} {status}" for status, count in trials["status"].value_counts().items())
    print(f"{len(trials)} trials ({statuses}); {len(front)} on the front\n")

    print(f"{'':<10}{'baseline':>12}{'best':>12}{'of trial':>10}")
    for column, (title, scale, unit) in OBJECTIVES.items():
        best = front.loc[front[column].idxmin()]
        shown = (f"{value * scale:.3f} {unit}" for value in (baseline[column], best[column]))
        print(f"{title:<10}{next(shown):>12}{next(shown):>12}{best['number']:>10}")

    no_worse = (front[list(OBJECTIVES)] <= [baseline[name] for name in OBJECTIVES]).all(axis="columns")
    print(f"\n{no_worse.sum()} designs of the front are no worse than the baseline in any objective.")
    print(f"The predicted error is uncertain by {front['error_sigma_pct'].mean():.1f} points (one standard deviation).")

    print("\nHardware on the front (designs that chose a value):")
    for column in (name for name in front if name.startswith("hw.")):
        counts = front[column].value_counts().sort_index()
        texts = [f"{value:g} ({count})" for value, count in counts.items()]
        print(f"  {column.removeprefix('hw.'):<15}{', '.join(texts)}")


def main() -> None:
    """Summarise the folder given, or that of a short run."""
    if len(sys.argv) > 1:
        summarise(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        dt.search("edge_imagenet", out=folder, trials=12)
        summarise(Path(folder))


if __name__ == "__main__":  # a search with several workers starts this file again in each of them
    main()
