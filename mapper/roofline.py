"""A whole network at the least it can cost: milliseconds, no mapping, for searches over thousands of networks."""

from __future__ import annotations

from ..accel.accelerator import Accelerator
from ..accel.analytic import Cost
from ..errors import check_type
from ..models.network import Network
from .bounds import least_cost
from .estimate import Estimate, Schedule, costs_in_sequence, executed_pairs
from .execution import fused
from .residency import plan_residency

__all__ = ["roofline_estimate"]


def roofline_estimate(network: Network, accelerator: Accelerator) -> Estimate:
    """Every contraction at its `least_cost`, vector operators at what they cost anyway; the schedule has no mappings.

    A lower bound of the latency and the energy of every estimate that keeps the same tensors on the chip.
    """
    check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    fusion = fused(network, accelerator)
    plan = plan_residency(fusion.network, accelerator)
    known: dict[tuple[object, ...], Cost] = {}
    found = []
    for op, variant in executed_pairs(fusion, accelerator, plan):
        key = (op.shape_key, id(variant))
        if key not in known:
            known[key] = least_cost(op, variant)
        found.append(known[key])
    costs = costs_in_sequence(fusion.network, accelerator, plan, found)
    return Estimate(fusion.network, accelerator, "latency", Schedule((None,) * len(costs), plan), costs)
