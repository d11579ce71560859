"""How fast the compiled model is, how fast mappings are proven optimal, and how far other mappers fall short.

    python benchmarks/mapper.py [--only PART] [--quick] [--json FILE] [--zigzag PYTHON] [--docs]

``throughput``: mappings costed per second on all cores. ``proof``: seconds to a proven optimum, for each distinct
layer of five networks on each accelerator. ``shortfall``: what every other mapper finds, against that proof.
``networks``: a whole network with and without remembered mappings, and one network on many variants of an accelerator.
``peers``: ZigZag on the same layers and hardware in the same run, given an interpreter that has it (``pip install
zigzag-dse six`` in a virtual environment of its own). A mapping better than a proven optimum ends the run.
``--docs`` writes table and picture into docs/; all of it takes about ten minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from typing import Any

import mapper_pages as pages
import mapper_parts as parts

CHIPS = ("edge_tpu", "eyeriss", "gemmini", "nvdla", "simba", "tpu_v1")
NETWORKS = ("resnet18", "resnet50", "mobilenet_v2", "vit_b_16", "bert_base")
PARTS: dict[str, Callable[[parts.Settings], dict[str, Any]]] = {
    "throughput": parts.throughput,
    "proof": parts.proof,
    "shortfall": parts.shortfall,
    "networks": parts.networks,
    "peers": parts.others,
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be given several times")
    parser.add_argument("--quick", action="store_true", help="few layers")
    parser.add_argument("--chips", nargs="+", default=list(CHIPS), metavar="CHIP")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--seconds", type=float, default=10.0, help="the optimal mapper's limit for a layer")
    parser.add_argument("--evaluations", type=int, default=20_000, help="the other mappers' limit for a layer")
    parser.add_argument("--patience", type=float, default=1.0, help="their limit in seconds")
    parser.add_argument("--variants", type=int, default=25, help="accelerators for `networks`")
    parser.add_argument("--zigzag", default="", metavar="PYTHON", help="an interpreter with zigzag-dse and six")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--figures", metavar="FILE", help="measure nothing; take the figures of an earlier --json")
    parser.add_argument("--docs", action="store_true", help="write docs/mapping.md's table and docs/img/mapper.png")
    return parser.parse_args()


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """The figures of the parts asked for."""
    settings = parts.Settings(
        chips=tuple(args.chips),
        networks=tuple(args.networks),
        seconds=args.seconds,
        quick=args.quick,
        evaluations=args.evaluations,
        patience=args.patience,
        variants=args.variants,
        zigzag=args.zigzag,
    )
    limits = {name: getattr(settings, name) for name in ("seconds", "evaluations", "patience", "quick")}
    figures: dict[str, Any] = {"machine": parts.machine(), "limits": limits}
    for name, part in PARTS.items():
        if not args.only or name in args.only:
            figures |= part(settings)
    figures["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    return figures


def main() -> None:
    """Measure, then print, write or both."""
    args = arguments()
    if args.figures:
        with open(args.figures, encoding="utf-8") as file:
            figures = json.load(file)
    else:
        figures = measured(args)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    if args.docs:
        pages.write(figures)
    print(pages.text(figures))


if __name__ == "__main__":
    main()
