"""How fast the compiled model and the mapper are, measured here and now.

    python benchmarks/mapper.py [--only throughput|quality] [--json FILE]

``throughput``: mappings costed per second on all cores, random exact factors and orders of one ResNet-18 convolution
that fit Eyeriss (those that do not fit are dismissed in a fraction of the time and would flatter the figure).
``quality``: the local mapper's energy-delay product over the best of many long runs, on one layer of each kind.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dt
from dovetail.mapper.local import LocalMapper
from dovetail.mapper.mapspace import Mapspace

BATCH = 100_000
REPEATS = 5
KINDS = {  # chip and network to the layers compared
    ("eyeriss", "resnet18"): ("conv1", "layer2.0.conv2"),
    ("edge_tpu", "resnet18"): ("conv1", "layer2.0.conv2"),
    ("simba", "bert_base"): ("layer0.mlp.expand",),
    ("gemmini", "mobilenet_v2"): ("block5.depthwise",),
}


def random_points(space: Mapspace, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``factors`` and ``order`` [count, S, D]: every dimension split exactly, prime by prime, over its open slots."""
    rng = np.random.default_rng(seed)
    slots, dims = space.allowed.shape
    factors = np.ones((count, slots, dims), np.int64)
    for d, dim in enumerate(space.problem.dims):
        for prime in prime_factors(space.op.bounds[dim]):
            slot = rng.choice(np.flatnonzero(space.allowed[:, d]), count)
            full = (space.extents[slot] > 0) & (
                factors[np.arange(count), slot].prod(axis=1) * prime > space.extents[slot]
            )
            factors[np.arange(count), np.where(full, 0, slot), d] *= prime
    order = np.argsort(rng.random((count, slots, dims)), axis=2)
    return factors, order


def prime_factors(number: int) -> list[int]:
    """With multiplicity, smallest first."""
    found, prime = [], 2
    while number > 1:
        while number % prime == 0:
            found.append(prime)
            number //= prime
        prime += 1
    return found


def fitting_points(space: Mapspace, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` mappings that fit every memory: random factors that do, each under many random orders."""
    factors, order = random_points(space, count, seed=0)
    fits = np.isfinite(space.problem.evaluate(factors, order, threads=2)[:, 0])
    factors = np.resize(factors[fits], factors.shape)
    fits = np.isfinite(space.problem.evaluate(factors, order, threads=2)[:, 0])
    return np.resize(factors[fits], factors.shape), np.resize(order[fits], order.shape)


def throughput() -> dict[str, Any]:
    """Mappings per second of the compiled model."""
    op = next(op for op in dt.load_network("resnet18").ops if op.name == "layer2.0.conv2")
    space = Mapspace(op, dt.load_accelerator("eyeriss"))
    threads = os.cpu_count() or 1
    factors, order = fitting_points(space, BATCH)
    rates = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = space.problem.evaluate(factors, order, threads=threads)
        rates.append(BATCH / (time.perf_counter() - start))
    if not np.isfinite(result).all():
        raise SystemExit("a mapping of the benchmark does not fit")
    return {"mappings_per_s": statistics.median(rates), "range": [min(rates), max(rates)], "threads": threads}


def quality() -> dict[str, Any]:
    """Energy-delay product of one default run over the best of six runs of eight times the effort."""
    rows = []
    for (chip, network), layers in KINDS.items():
        accelerator = dt.load_accelerator(chip)
        ops = {op.name: op for op in dt.load_network(network).contractions}
        for layer in layers:
            start = time.perf_counter()
            quick = LocalMapper().map(ops[layer], accelerator, "edp", seed=0).cost.edp
            seconds = time.perf_counter() - start
            long = min(
                LocalMapper(24, 96_000).map(ops[layer], accelerator, "edp", seed=s).cost.edp for s in range(1, 7)
            )
            rows.append({"chip": chip, "layer": layer, "seconds": seconds, "ratio": quick / min(quick, long)})
    return {"local": rows, "local_median_ratio": statistics.median(row["ratio"] for row in rows)}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"throughput": throughput, "quality": quality}


def main() -> None:
    """Run the parts asked for and print or write their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, part in PARTS.items():
        if args.only in (None, name):
            figures |= part()
    text = json.dumps(figures, indent=2)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
