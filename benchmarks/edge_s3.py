"""What searching networks and accelerators together brings in a space too large to enumerate.

    python benchmarks/edge_s3.py [--study NAME] [--seeds N] [--trials N] [--out DIR] [--workers N] [--docs]

The study edge_s3, or edge_s3_life, in four modes with the same strategy and as many trials each, the first phase of
`phase` being half of them; a run of each for every seed. Goes on where it was stopped. ``--docs`` writes the study's
table and picture (of the first seed) of docs/searcher.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dovetail.cosearch.reports.comparison import Comparison, compare_runs, plot_comparison
from dovetail.cosearch.studies.run import search

DOCS = Path(__file__).resolve().parents[1] / "docs"
STUDIES = ("edge_s3", "edge_s3_life")
MODES = ("joint", "phase", "nas_only", "hw_only")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", choices=STUDIES, default=STUDIES[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=160)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the study's name and _runs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--docs", action="store_true", help="write docs/searcher.md's table and picture")
    return parser.parse_args()


def main() -> None:
    """Run what is missing, compare, print, write."""
    args = arguments()
    out = args.out or Path(f"{args.study}_runs")
    comparisons = []
    for seed in range(1, args.seeds + 1):
        folders = [out / f"s{seed}" / mode for mode in MODES]
        for mode, folder in zip(MODES, folders, strict=True):
            run(mode, folder, seed, args)
        comparisons.append(compare_runs(folders))
    lines = table([comparison.rows() for comparison in comparisons])
    print("\n".join(lines))
    if args.docs:
        write(args.study, lines, comparisons[0])


def run(mode: str, folder: Path, seed: int, args: argparse.Namespace) -> None:
    """One search, or the rest of it; nothing where it is finished."""
    log = folder / "trials.jsonl"
    started = log.is_file()
    if started and len(log.read_text(encoding="utf-8").splitlines()) >= args.trials:
        return
    first = f"&phase_trials={args.trials // 2}" if mode == "phase" else ""
    search(
        args.study, out=folder, trials=args.trials, seed=seed, workers=args.workers, resume=started,
        patches=f"mode?name={mode}{first}",
    )  # fmt: skip


def table(seeds: list[list[Mapping[str, Any]]]) -> list[str]:
    """A row a mode: hypervolume of each seed and on average, and how it stands to that of the joint search."""
    numbers = " / ".join(str(1 + seed) for seed in range(len(seeds)))
    lines = [
        f"| mode | accuracies | hypervolume, seeds {numbers} | on average | of the joint one | joint is larger in |",
        "|---|---|---|---|---|---|",
    ]
    joint = np.mean([rows[0]["hypervolume_pct"] for rows in seeds])
    for at, mode in enumerate(MODES):
        own = [rows[at] for rows in seeds]
        volumes = [row["hypervolume_pct"] for row in own]
        larger = " / ".join(f"{row['first_is_larger_pct']:.0f}" for row in own)
        lines.append(
            f"| `{mode}` | {' / '.join(str(row['accuracy_evaluations']) for row in own)} "
            f"| {' / '.join(f'{value:.1f}' for value in volumes)} % | {np.mean(volumes):.1f} % "
            f"| {'–' if at == 0 else f'{100 * np.mean(volumes) / joint:.0f} %'} "
            f"| {'–' if at == 0 else f'{larger} % of draws'} |"
        )
    return lines


def write(study: str, lines: list[str], first: Comparison) -> None:
    """The table between its marks in docs/searcher.md, and the picture below docs/img."""
    page = DOCS / "searcher.md"
    block = f"<!-- {study} -->\n" + "\n".join(lines) + f"\n<!-- end of {study} -->"
    content = page.read_text(encoding="utf-8")
    marked = re.sub(f"<!-- {study} -->.*?<!-- end of {study} -->", lambda _: block, content, flags=re.S)
    page.write_text(marked, encoding="utf-8")
    figure: Any = plot_comparison(first)[0].figure
    figure.savefig(DOCS / "img" / f"{study}.png", dpi=160)


if __name__ == "__main__":
    main()
