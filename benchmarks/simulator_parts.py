"""What `benchmarks/simulator.py` measures: one function a part, each returning figures that JSON can hold."""

from __future__ import annotations

import json
import math
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mapper_parts
import simulator_peers as peers

import dovetail as dt
from dovetail.accel.simulator import asking
from dovetail.cosearch.contention import Comparison, compare
from dovetail.mapper.base import Limits
from dovetail.mapper.threads import available_threads

HERE = Path(__file__).resolve().parent
CHIPS = ("eyeriss", "edge_tpu", "gemmini", "tpu_v1", "simba", "nvdla")
NETWORKS = (
    "alexnet", "vgg16", "resnet18", "resnet50", "mobilenet_v2", "mobilenet_edgetpu", "efficientnet_edgetpu_s",
    "vit_b_16", "bert_base", "gpt2_prefill", "gpt2_decode",
)  # fmt: skip
REPEATS = 3
LOAD = 0.8  # of the device in `serving`
STEPPED = "resnet18"
BURSTS = (math.inf, 256.0, 64.0, 16.0)  # cycles
BURST_PAIRS = (("bert_base", "simba"), ("resnet18", "nvdla"), ("bert_base", "edge_tpu"), ("resnet18", "eyeriss"))


@dataclass(frozen=True)
class Settings:
    """What to measure, and how much of it."""

    chips: tuple[str, ...] = CHIPS
    networks: tuple[str, ...] = NETWORKS
    peer: str = ""
    requests: int = 100_000
    seconds: float = 1.0  # the mapper's limit for a layer
    gap: float = 0.01

    @property
    def limits(self) -> Limits:
        """The mapper's."""
        return Limits(seconds=self.seconds, gap=self.gap)


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "threads": available_threads(),
        "processor": mapper_parts.processor(),
        "python": platform.python_version(),
        "dovetail": dt.__version__,
    }


def child(settings: Settings, *arguments: str) -> dict[str, Any]:
    """The figures of `simulator_child.py`, and ``wall_s`` from the start of its process to its end."""
    limits = ("--seconds", str(settings.seconds), "--gap", str(settings.gap))
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(HERE / "simulator_child.py"), *arguments, *limits],
        check=True,
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - begun
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"wall_s": wall}


def typical(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the median CPU time, with the range of the wall times."""
    walls = [row["wall_s"] for row in rows]
    chosen = sorted(rows, key=lambda row: row["cpu_s"])[len(rows) // 2]
    return chosen | {"wall_range": [min(walls), max(walls)], "runs": len(rows)}


def resnet50(settings: Settings) -> dict[str, Any]:
    """ResNet-50 at 224 x 224 on `edge_tpu`: remembered mappings, none remembered, and every step walked."""
    child(settings, "resnet50", "edge_tpu")  # maps it where nothing is remembered yet
    remembered = typical([child(settings, "resnet50", "edge_tpu") for _ in range(REPEATS)])
    fresh = child(settings, "resnet50", "edge_tpu", "--fresh")
    walked = child(settings, "resnet50", "edge_tpu", "--walk")
    return {"remembered": remembered, "fresh": fresh, "walked": walked}


def scalesim(settings: Settings) -> dict[str, Any]:
    """SCALE-Sim 3 on ResNet-18, and ours on the same layers and an equal array."""
    with peers.folder() as place:
        spec = peers.write_accelerator(place)
        fresh = child(settings, peers.NETWORK, str(spec), "--fresh")
        child(settings, peers.NETWORK, str(spec))
        ours = typical([child(settings, peers.NETWORK, str(spec)) for _ in range(REPEATS)])
        walked = child(settings, peers.NETWORK, str(spec), "--walk")
        theirs = peers.run(settings.peer, place)
    return {
        "theirs": theirs,
        "ours": ours,
        "fresh": fresh,
        "walked": walked,
        "cpu_ratio": theirs["cpu_s"] / ours["cpu_s"],
        "cpu_ratio_without_traces": (theirs["cpu_s"] - theirs["traces_cpu_s"]) / ours["cpu_s"],
        "wall_ratio": theirs["wall_s"] / ours["wall_s"],
        "cpu_ratio_walked": theirs["cpu_s"] / walked["cpu_s"],
        "cpu_ratio_fresh": theirs["cpu_s"] / fresh["cpu_s"],
        "memory_ratio": theirs["peak_mib"] / ours["peak_mib"],
    }


def serving(settings: Settings) -> dict[str, Any]:
    """Requests of ResNet-50 on one `edge_tpu`, Poisson at 80 % load, beside the waiting time of an M/D/1 queue."""
    network, chip = dt.load_network("resnet50"), dt.load_accelerator("edge_tpu")
    schedule = dt.estimate(network, chip, limits=settings.limits).schedule
    service = dt.simulate(network, chip, schedule).latency_s
    walls = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        served = dt.serve(network, chip, f"poisson:{LOAD / service}/s", schedule, requests=settings.requests)
        walls.append(time.perf_counter() - begun)
    waits = float(served.wait_s.mean())
    return {
        "requests": settings.requests,
        "finished": served.finished,
        "wall_s": statistics.median(walls),
        "wall_range": [min(walls), max(walls)],
        "service_s": service,
        "mean_wait_s": waits,
        "theory_wait_s": LOAD / (2.0 * (1.0 - LOAD)) * service,
    }


def stepping(settings: Settings) -> dict[str, Any]:
    """ResNet-18 on each accelerator, with regular stretches stepped over and with every step walked."""
    network, rows = dt.load_network(STEPPED), []
    for name in mapper_parts.told("stepping", settings.chips, len(settings.chips)):
        chip = dt.load_accelerator(name)
        schedule = dt.estimate(network, chip, limits=settings.limits).schedule
        found, seconds = [], []
        for stepped in (True, False):
            begun = time.process_time()
            found.append(dt.simulate(network, chip, schedule, stepping=stepped))
            seconds.append(time.process_time() - begun)
        if found[0].cycles != found[1].cycles or found[0].moved != found[1].moved:
            raise SystemExit(f"{STEPPED} on {name}: stepped over {found[0].cycles} cycles, walked {found[1].cycles}")
        rows.append(
            {
                "chip": name,
                "steps": sum(run.steps for run in found[0].operators),
                "walked": sum(run.walked for run in found[0].operators),
                "stepping_cpu_s": seconds[0],
                "walking_cpu_s": seconds[1],
                "cycles": found[0].cycles,
            }
        )
    return {"network": STEPPED, "rows": rows}


def zoo(settings: Settings) -> dict[str, Any]:
    """Simulated beside analytic latency, network by network and accelerator by accelerator."""
    pairs = [(network, chip) for network in settings.networks for chip in settings.chips]
    begun, rows = time.perf_counter(), []
    chips = {name: dt.load_accelerator(name) for name in settings.chips}
    networks = {name: dt.load_network(name) for name in settings.networks}
    for network, chip in mapper_parts.told("zoo", pairs, len(pairs)):
        rows.append(row(compare(networks[network], chips[chip], limits=settings.limits)))
    return {"rows": rows, "seconds": time.perf_counter() - begun, "limit_s": settings.seconds, "gap": settings.gap}


def bursts(settings: Settings) -> dict[str, Any]:
    """Simulated over analytic latency by how long a port serves one tile before others have their turns."""
    usual, rows = asking.BURST_CYCLES, []
    try:
        for network, chip in mapper_parts.told("bursts", BURST_PAIRS, len(BURST_PAIRS)):
            model, accelerator = dt.load_network(network), dt.load_accelerator(chip)
            schedule = dt.estimate(model, accelerator, limits=settings.limits).schedule
            ratios = []
            for cycles in BURSTS:
                asking.BURST_CYCLES = cycles
                timeline = dt.simulate(model, accelerator, schedule)
                ratios.append(timeline.latency_s / timeline.analytic_s)
            rows.append({"network": network, "chip": chip, "ratios": ratios})
    finally:
        asking.BURST_CYCLES = usual
    return {"cycles": [None if math.isinf(cycles) else cycles for cycles in BURSTS], "usual": usual, "rows": rows}


def row(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON."""
    return {
        "network": found.network,
        "chip": found.accelerator,
        "analytic_s": found.analytic_s,
        "simulated_s": found.simulated_s,
        "ratio": found.ratio,
        "unlimited": found.unlimited,
        "blamed": [list(one) for one in found.blamed()],
        "blame": found.blame(),
        "late_over_10_pct": sum(one.operator.excess > 0.10 for one in found.late),
        "operators": found.operators,
        "steps": found.steps,
        "walked": found.walked,
        "wall_s": found.wall_s,
    }
