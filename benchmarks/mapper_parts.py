"""What `benchmarks/mapper.py` measures: one function a part, each returning figures that JSON can hold."""

from __future__ import annotations

import itertools
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mapper_peers as peers
import numpy as np

import dovetail as dt
from dovetail.mapper.base import Limits, MappingResult
from dovetail.mapper.constraints import Constraints
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.registry import mapper_class, mapper_names
from dovetail.mapper.sampling import random_points
from dovetail.mapper.threads import available_threads

BATCH, REPEATS = 100_000, 5
EDP = Objective.parse("edp")
WORSE = 1e-9  # relative; the compiled and the readable model add up in different orders
VARIED = "edge_tpu"
PEER_NETWORKS = ("bert_base", "mobilenet_v2", "resnet18")
PEER_LAYERS = ("layer2.0.conv2", "block5.depthwise", "layer0.attention.query")
PEER_CHIPS = ("gemmini", "tpu_v1", "eyeriss")
PEER_SECONDS = 240.0  # for ZigZag on all layers of a chip


@dataclass(frozen=True)
class Settings:
    """What to measure, and how much of it."""

    chips: tuple[str, ...]
    networks: tuple[str, ...]
    seconds: float = 10.0  # the optimal mapper's limit for a layer
    quick: bool = False
    evaluations: int = 20_000
    patience: float = 1.0  # seconds that a baseline may take for a layer
    variants: int = 25
    zigzag: str = ""
    known: dict[tuple[str, Any], dt.Certificate] = field(default_factory=dict)  # proofs made on the way

    @cached_property
    def layers(self) -> dict[str, list[dt.Op]]:
        """The layers of each network that no network before it has, one of each shape."""
        known: set[Any] = set()
        found = {}
        for name in self.networks:
            ops = {op.shape_key: op for op in reversed(dt.load_network(name).contractions)}
            new = [op for key, op in reversed(ops.items()) if key not in known]
            known |= set(ops)
            found[name] = spaced(new, 3) if self.quick else new
        return found

    def certificate(self, chip: str, op: dt.Op) -> dt.Certificate:
        """The optimal mapper's, asked once."""
        key = chip, op.shape_key
        if key not in self.known:
            space = Mapspace(op, self.accelerators.get(chip) or dt.load_accelerator(chip))
            found = mapper_class("optimal")().map(space, EDP, 0, Limits(seconds=self.seconds))
            self.known[key] = found.certificate
        return self.known[key]

    @cached_property
    def accelerators(self) -> dict[str, dt.Accelerator]:
        """By name."""
        return {name: dt.load_accelerator(name) for name in self.chips}


def spaced(items: list[Any], count: int) -> list[Any]:
    """``count`` of the items, evenly spaced, the first and the last among them."""
    steps = min(count, len(items)) - 1
    return [items[round(k * (len(items) - 1) / steps)] for k in range(steps + 1)] if steps > 0 else items[:1]


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "threads": available_threads(),
        "cpu_count": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "processor": processor(),
        "python": platform.python_version(),
        "dovetail": dt.__version__,
    }


def processor() -> str:
    """Its name, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def told(what: str, items: Iterable[Any], total: int) -> Iterator[Any]:
    """The items, with a line of progress on a terminal's standard error."""
    live = sys.stderr.isatty()
    for number, item in enumerate(items, start=1):
        if live:
            print(f"\r{what}: {number}/{total} ", end="", file=sys.stderr, flush=True)
        elif number % max(1, total // 4) == 0:
            print(f"{what}: {number}/{total}", file=sys.stderr, flush=True)
        yield item
    if live:
        print(file=sys.stderr)


# ---- mappings per second -------------------------------------------------------------------------------------------


def throughput(settings: Settings) -> dict[str, Any]:
    """Mappings per second of the compiled model on all cores, for one ResNet-18 convolution on Eyeriss.

    Random mappings that fit, each factorisation under many random orders: those that do not fit are dismissed in a
    fraction of the time and would flatter the figure. Factors divide their dimensions, and, a figure of its own, are
    any of the mapspace: partial tiles take longer. Another figure is that of the layer with zeros on SCNN, whose
    elements skip them and wait for each other.
    """
    op = next(op for op in dt.load_network("resnet18").contractions if op.name == "layer2.0.conv2")
    chip = dt.load_accelerator("eyeriss")
    rates = mapping_rates(Mapspace(op, chip, Constraints(imperfect="none")))
    partial = mapping_rates(Mapspace(op, chip))
    first, second, result = op.tensors
    sparse = replace(op, tensors=(replace(first, density=0.5), replace(second, density=0.3), result))
    skipping = mapping_rates(Mapspace(sparse, dt.load_accelerator("scnn")))
    return {
        "mappings_per_s": statistics.median(rates),
        "range": [min(rates), max(rates)],
        "partial_tile_mappings_per_s": statistics.median(partial),
        "sparse_mappings_per_s": statistics.median(skipping),
        "threads": available_threads(),
    }


def mapping_rates(space: Mapspace) -> list[float]:
    """Mappings per second, a figure a run."""
    threads = available_threads()
    factors, order, bypass = random_points(space, BATCH, np.random.default_rng(0))
    fits = np.isfinite(space.problem.evaluate(factors, order, bypass, threads=threads)[:, 0])
    factors = np.ascontiguousarray(np.resize(factors[fits], factors.shape))
    rates = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = space.problem.evaluate(factors, order, threads=threads)
        rates.append(BATCH / (time.perf_counter() - start))
    if not np.isfinite(result).all():
        raise SystemExit("a mapping of the benchmark does not fit")
    return rates


# ---- time to a proven optimum --------------------------------------------------------------------------------------


def proof(settings: Settings) -> dict[str, Any]:
    """Seconds from an operator and a chip to a mapping proven best for the energy-delay product, nothing remembered."""
    rows = []
    asked = [(network, op) for network, ops in settings.layers.items() for op in ops]
    load_compiled(next(iter(settings.accelerators.values())), asked[-1][1])
    for chip in settings.chips:
        for network, op in told(f"proof on {chip}", asked, len(asked)):
            start = time.perf_counter()
            certificate = settings.certificate(chip, op)
            rows.append(
                {
                    "chip": chip,
                    "network": network,
                    "layer": op.name,
                    "seconds": time.perf_counter() - start,
                    "optimum": float(certificate.optimum),
                    "lower_bound": float(certificate.lower_bound),
                    "gap": float(certificate.gap),
                    "proven": bool(certificate.proven),
                    "evaluated": int(certificate.evaluated),
                }
            )
    return {"proof": rows, "proof_summary": [proof_summary(chip, rows) for chip in settings.chips]}


def load_compiled(accelerator: dt.Accelerator, op: dt.Op) -> None:
    """Have every mapper's code compiled or loaded before anything is timed."""
    for name in mapper_names():
        limits = Limits(seconds=1.0) if name == "optimal" else Limits(evaluations=500)
        try:
            mapper_class(name)().map(Mapspace(op, accelerator), EDP, 0, limits)
        except dt.DovetailError:
            pass


def proof_summary(chip: str | None, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One chip's layers, or all, in a line."""
    own = [row for row in rows if chip in (None, row["chip"])]
    seconds = sorted(row["seconds"] for row in own)
    return {
        "chip": chip,
        "layers": len(own),
        "proven": sum(row["proven"] for row in own),
        "median_s": statistics.median(seconds),
        "p95_s": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        "longest_s": seconds[-1],
        "largest_gap": max(row["gap"] for row in own),
    }


# ---- how far the other mappers fall short --------------------------------------------------------------------------


def shortfall(settings: Settings) -> dict[str, Any]:
    """Every other mapper's best against the certificate, on some layers of each network on each chip.

    Stops the benchmark where one of them finds less than the certificate's lower bound: the proof would be wrong.
    """
    names = [name for name in mapper_names() if name != "optimal"]
    cases = [
        (chip, accelerator, network, op)
        for chip, accelerator in settings.accelerators.items()
        for network, ops in settings.layers.items()
        for op in spaced(ops, 1 if settings.quick else 2)
    ]
    load_compiled(cases[0][1], cases[-1][3])
    rows, unproven = [], []
    for chip, accelerator, network, op in told("shortfall", cases, len(cases)):
        space = Mapspace(op, accelerator)
        best = settings.certificate(chip, op)
        if not best.proven:
            unproven.append({"chip": chip, "layer": op.name, "gap": float(best.gap)})
        for name in names:
            row = {"chip": chip, "network": network, "layer": op.name, "mapper": name, "proven": bool(best.proven)}
            rows.append(row | tried(name, space, settings, best))
    by_mapper = [shortfall_summary(name, rows) for name in names]
    return {"shortfall": rows, "shortfall_summary": by_mapper, "shortfall_unproven": unproven}


def tried(name: str, space: Mapspace, settings: Settings, best: dt.Certificate) -> dict[str, Any]:
    """One baseline on one layer: its excess over the optimum at the end and after each improvement."""
    limits = Limits(evaluations=settings.evaluations, seconds=settings.patience)
    start = time.perf_counter()
    try:
        result: MappingResult = mapper_class(name)().map(space, EDP, 1, limits)
    except dt.DovetailError as error:
        return {"failed": str(error)}
    seconds = time.perf_counter() - start
    value = EDP.value(result.cost.energy_j, result.cost.latency_s)
    if value < best.lower_bound * (1.0 - WORSE):
        raise SystemExit(
            f"{name} beats the proof: {space.op.name} on '{space.accelerator.name}' costs {value!r} J·s with "
            f"{result.mapping}, and nothing should cost less than {best.lower_bound!r}"
        )
    history = [*result.history, (result.certificate.evaluated, value)]
    return {
        "excess": value / best.optimum - 1.0,
        "evaluated": int(result.certificate.evaluated),
        "seconds": seconds,
        "history": [[int(count), float(found) / best.optimum - 1.0] for count, found in history],
    }


def shortfall_summary(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One mapper in a line; layers whose optimum is not proven are left out."""
    own = [row for row in rows if row["mapper"] == name and row["proven"] and "failed" not in row]
    if not own:
        return {"mapper": name, "layers": 0}
    excess = [row["excess"] for row in own]
    return {
        "mapper": name,
        "layers": len(own),
        "median_s": statistics.median(row["seconds"] for row in own),
        "evaluated": statistics.median(row["evaluated"] for row in own),
        "median_excess": statistics.median(excess),
        "p90_excess": sorted(excess)[int(0.9 * len(excess))] if len(excess) > 1 else excess[0],
        "worst_excess": max(excess),
        "optimal_share": sum(x < 1e-9 for x in excess) / len(excess),
    }


def excess_after(row: dict[str, Any], count: int) -> float:
    """The excess of the best mapping among a row's first ``count``; infinite before there is one."""
    return min((excess for at, excess in row["history"] if at <= count), default=math.inf)


# ---- whole networks ------------------------------------------------------------------------------------------------


def networks(settings: Settings) -> dict[str, Any]:
    """ResNet-50 mapped with nothing remembered and again, and MobileNetV2 on variants of the edge accelerator."""
    chip, network = dt.load_accelerator(VARIED), dt.load_network("resnet50")
    load_compiled(chip, network.contractions[-1])
    with tempfile.TemporaryDirectory() as folder:
        cold, first = timed_estimate(network, chip, Path(folder))
        cached, again = timed_estimate(network, chip, Path(folder))
    if first.edp != again.edp:
        raise SystemExit("the remembered mappings cost something else")
    certificates = [proof for proof in first.certificates if proof]
    mobile, count = dt.load_network("mobilenet_v2"), 4 if settings.quick else settings.variants
    chips = list(itertools.islice(variants(chip), count))
    start = time.perf_counter()
    answers = dt.estimate_many(mobile, chips, cache=False, limits=Limits(seconds=settings.seconds))
    seconds = time.perf_counter() - start
    found = [answer for answer in answers if isinstance(answer, dt.Estimate)]
    return {
        "resnet50_cold_s": cold,
        "resnet50_cached_s": cached,
        "resnet50_proven": f"{sum(proof.proven for proof in certificates)}/{len(certificates)}",
        "variants": count,
        "variants_infeasible": count - len(found),
        "variants_unproven_layers": sum(not proof.proven for one in found for proof in one.certificates if proof),
        "variants_s": seconds,
        "thousand_variants_s": seconds / count * 1000,
    }


def timed_estimate(network: dt.Network, chip: dt.Accelerator, cache: Path) -> tuple[float, dt.Estimate]:
    """Seconds, and the estimate."""
    start = time.perf_counter()
    found = dt.estimate(network, chip, cache=cache)
    return time.perf_counter() - start, found


def variants(chip: dt.Accelerator) -> Iterator[dt.Accelerator]:
    """Endless random draws of all its parameters, the same in every run."""
    rng = np.random.default_rng(0)
    while True:
        picks = [(p, p.choices[int(rng.integers(len(p.choices)))]) for p in chip.parameters if p.choices]
        yield chip.with_parameters(**{p.name: in_base_unit(value, p.unit) for p, value in picks})


def in_base_unit(value: float, unit: str) -> float | str:
    """A parameter's choice, which has no unit, as `with_parameters` reads it."""
    if not unit:
        return value
    return f"{value!r} bit/s" if unit.endswith("/s") else f"{value!r} bit"


# ---- another mapper ------------------------------------------------------------------------------------------------


def others(settings: Settings) -> dict[str, Any]:
    """ZigZag on the same layers and hardware in this run, where ``zigzag`` names an interpreter that has it."""
    if not settings.zigzag:
        print("peers: skipped; give --zigzag PYTHON, an interpreter with zigzag-dse and six", file=sys.stderr)
        return {}
    found = {op.name: op for name in PEER_NETWORKS for op in dt.load_network(name).contractions}
    ops = [found[name] for name in (PEER_LAYERS[:1] if settings.quick else PEER_LAYERS)]
    rows = []
    load_compiled(dt.load_accelerator(PEER_CHIPS[0]), ops[0])
    for chip in PEER_CHIPS:
        accelerator = dt.load_accelerator(chip)
        answers = {row["layer"]: row for row in peers.ask_zigzag(settings.zigzag, accelerator, ops, PEER_SECONDS)}
        for op in told(f"ZigZag on {chip}", ops, len(ops)):
            best = settings.certificate(chip, op)
            row: dict[str, Any] = {"chip": chip, "layer": op.name, "own_seconds": float(best.seconds)}
            row |= {"proven": bool(best.proven), "optimum": float(best.optimum)}
            rows.append(row | compared(op, accelerator, answers.get(op.name), best))
    return {"zigzag": rows}


def compared(
    op: dt.Op, accelerator: dt.Accelerator, answer: dict[str, Any] | None, best: dt.Certificate
) -> dict[str, Any]:
    """ZigZag's time and rate, and the excess of its mapping over the optimum, costed by our model."""
    if answer is None:
        return {"failed": f"no answer within {PEER_SECONDS:g} s"}
    if "failed" in answer:
        return {"failed": answer["failed"]}
    own = peers.costed(op, accelerator, answer)
    if own["inside"] and own["edp"] < best.lower_bound * (1.0 - WORSE):
        raise SystemExit(f"ZigZag beats the proof: {op.name} on '{accelerator.name}', {answer}")
    return {
        "seconds": answer["seconds"],
        "cpu_seconds": answer["cpu_seconds"],
        "evaluated": answer["evaluated"],
        "mappings_per_cpu_s": answer["evaluated"] / answer["cpu_seconds"],
        "its_own_edp": answer["energy_j"] * answer["cycles"] / accelerator.clock_hz,
        "excess": own["edp"] / best.optimum - 1.0 if own["edp"] is not None else None,
        "inside": own["inside"],
    }
