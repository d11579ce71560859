"""How much carbon the study `carbon_edge` saves against the fastest design it finds, and what that costs in time.

    python benchmarks/carbon_edge.py [--out DIR] [--trials N] [--workers N] [--control]

``--out`` keeps (and resumes) the studies' folders. ``--control`` also runs a search for latency and error alone, so
that the fastest design is not one that a search for carbon happened to pass by.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import dovetail as dt
from dovetail.document import shipped

if TYPE_CHECKING:
    from pandas import DataFrame, Series

COLUMNS = ("latency_s", "co2e_kg", "life_energy_j", "energy_j", "area_mm2", "error_pct")


def main() -> int:
    """Run the study, or go on with it, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--control", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.out or Path(scratch)
        carbon = run(shipped("studies")["carbon_edge"], folder / "carbon", args)
        fastest = carbon
        if args.control:
            fastest = run(latency_study(folder), folder / "latency", args)
        tell(carbon, fastest)
    return 0


def run(study: Path, out: Path, args: argparse.Namespace) -> DataFrame:
    """The feasible trials of a study."""
    found = dt.search(study, out=out, trials=args.trials, workers=args.workers, resume=(out / "trials.jsonl").exists())
    trials = found.trials()
    return trials[trials["status"] == "ok"]


def latency_study(folder: Path) -> Path:
    """The same study, for latency and error alone (carbon is still costed)."""
    data = yaml.safe_load(shipped("studies")["carbon_edge"].read_text())
    data |= {"name": "latency_edge", "objectives": ["latency_s", "error_pct"]}
    path = folder / "latency_edge.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def tell(carbon: DataFrame, fastest: DataFrame) -> None:
    """Print the fastest design and the ones with least carbon at most two, four and any times slower."""
    first = fastest.loc[fastest["latency_s"].idxmin()]
    show("fastest", first, first)
    for slower in (1.0, 2.0, 4.0, float("inf")):
        allowed = carbon[carbon["latency_s"] <= slower * first["latency_s"]]
        if len(allowed):
            show(f"least carbon at <= {slower:g} x", allowed.loc[allowed["co2e_kg"].idxmin()], first)


def show(name: str, row: Series[Any], first: Series[Any]) -> None:
    saved = 100.0 * (1.0 - row["co2e_kg"] / first["co2e_kg"])
    figures = "  ".join(f"{column} {row[column]:.4g}" for column in COLUMNS)
    sys.stdout.write(f"{name:26s} trial {row['number']:4d}  {row['latency_s'] / first['latency_s']:.2f} x latency, "
                     f"{saved:+.1f} % carbon saved  {figures}\n")


if __name__ == "__main__":
    sys.exit(main())
