"""How fast the simulator is, how much memory it takes, and where its latency leaves the analytic one.

    python benchmarks/simulator.py [--only PART] [--peer PYTHON] [--json FILE] [--figures FILE] [--docs]

``resnet50``: one run of ResNet-50 on `edge_tpu` in a process of its own, with and without remembered mappings.
``scalesim``: SCALE-Sim 3 and the same layers on the same array, one after the other, given an interpreter that has it
(``pip install scalesim==3.0.0 "numpy<2.3"`` in a virtual environment of its own). ``serving``: 100,000 requests.
``stepping``: regular stretches stepped over and walked, with equal results. ``zoo``: simulated beside analytic latency
of eleven networks on six accelerators. ``bursts``: how the length of a port's turns changes that. ``--docs`` writes
tables and pictures into docs/. All of it takes some ten minutes on two idle cores, most of them SCALE-Sim's.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from typing import Any

import simulator_pages as pages
import simulator_parts as parts

PARTS: dict[str, Callable[[parts.Settings], dict[str, Any]]] = {
    "resnet50": parts.resnet50,
    "scalesim": parts.scalesim,
    "serving": parts.serving,
    "stepping": parts.stepping,
    "zoo": parts.zoo,
    "bursts": parts.bursts,
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be given several times")
    parser.add_argument("--peer", default="", metavar="PYTHON", help="an interpreter with scalesim==3.0.0")
    parser.add_argument("--requests", type=int, default=100_000, help="for `serving`")
    parser.add_argument("--seconds", type=float, default=1.0, help="the mapper's limit for a layer")
    parser.add_argument("--gap", type=float, default=0.01, help="the mapper's: how far from the optimum it may stop")
    parser.add_argument("--chips", nargs="+", default=list(parts.CHIPS), metavar="CHIP")
    parser.add_argument("--networks", nargs="+", default=list(parts.NETWORKS), metavar="NETWORK")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--figures", metavar="FILE", help="take the parts not measured from an earlier --json")
    parser.add_argument("--docs", action="store_true", help="write docs/simulator.md's part and docs/img/")
    return parser.parse_args()


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """The figures of the parts asked for, beside those of an earlier run."""
    figures: dict[str, Any] = {}
    if args.figures:
        with open(args.figures, encoding="utf-8") as file:
            figures = json.load(file)
    settings = parts.Settings(
        chips=tuple(args.chips),
        networks=tuple(args.networks),
        peer=args.peer,
        requests=args.requests,
        seconds=args.seconds,
        gap=args.gap,
    )
    for name, part in PARTS.items():
        if (args.only and name not in args.only) or (args.figures and not args.only):
            continue
        if name == "scalesim" and not args.peer:
            continue
        before = round(os.getloadavg()[0], 2)
        figures[name] = part(settings) | {"load_before": before}
    return figures | {"machine": parts.machine()}


def main() -> None:
    """Measure, then print, write or both."""
    args = arguments()
    figures = measured(args)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    if args.docs:
        pages.write(figures)
    print(pages.text(figures))


if __name__ == "__main__":
    main()
