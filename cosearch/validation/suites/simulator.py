"""The simulator's latencies beside the analytic model's, for the zoo on the shipped accelerators."""

from __future__ import annotations

from functools import lru_cache

from ....accel.spec import load_accelerator
from ....mapper.base import Limits
from ....models.load import load_network
from ...contention import Comparison, compare
from ..reference import Reference
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "comparisons", "run"]

TITLE = "The simulator beside the analytic model"
ABOUT = """\
No figure is measured here. The same mappings are costed by the analytic model (the reference) and run in the simulator,
where tiles wait for room and for ports that serve others. A run may take longer, never less; with unlimited bandwidth
both must be equal. Where a network takes over 10 % longer, the remark names the resource to blame and the operators
that lose most. Eleven networks are in [simulator.md](simulator.md#how-fast).
"""
NETWORKS = ("resnet18", "mobilenet_v2", "bert_base")  # benchmarks/simulator.py takes the whole zoo
CHIPS = ("eyeriss", "edge_tpu", "gemmini", "tpu_v1", "simba", "nvdla")
LIMITS = Limits(seconds=1.0, gap=0.01)  # of the mapper for a layer: what is compared are models, not mappings


def run(reference: Reference) -> list[SuiteResult]:
    """Latencies with the accelerators' bandwidths and with unlimited ones; no reference file is read."""
    found = comparisons(NETWORKS, CHIPS)
    limited = tuple(
        Case(
            f"{one.network} on {one.accelerator}",
            1e3 * one.analytic_s,
            1e3 * one.simulated_s,
            one.blame() if one.contended else "",
        )
        for one in found
    )
    free = tuple(Case(f"{one.network} on {one.accelerator}", 1.0, one.unlimited) for one in found)
    bar = "none: it is one model beside another"
    return [
        SuiteResult("simulator", "simulated latency", limited, bar, "ms"),
        SuiteResult(
            "simulator", "over analytic, bandwidth unlimited", free, bar, targets=(Target("each_abs_error_pct", 0.0),)
        ),
    ]


@lru_cache(maxsize=1)
def comparisons(networks: tuple[str, ...], chips: tuple[str, ...]) -> tuple[Comparison, ...]:
    """Every network on every accelerator."""
    accelerators = [load_accelerator(name) for name in chips]
    return tuple(
        compare(network, accelerator, limits=LIMITS)
        for network in map(load_network, networks)
        for accelerator in accelerators
    )
