"""Lower bounds that hold for every mapping: peak compute and compulsory traffic of the outermost memories."""

from __future__ import annotations

import math

from ..accel.accelerator import Accelerator, Memory
from ..accel.analytic import Cost
from ..accel.skipping import Savings
from ..accel.sparsity import stored_bits
from ..models.op import ROLES, Op, Role
from .objective import Objective

__all__ = ["least_cost", "roofline"]


def roofline(op: Op, accelerator: Accelerator, objective: Objective) -> float:
    """The least value of the objective: that of `least_cost`."""
    cost = least_cost(op, accelerator)
    return objective.value(cost.energy_j, cost.latency_s)


def least_cost(op: Op, accelerator: Accelerator) -> Cost:
    """What the operator costs at least, whatever its mapping (Williams et al., "Roofline", CACM 2009).

    Each multiply-accumulate that is not skipped is done once, each operand word leaves the outermost memory that keeps
    it at least once, and each output word reaches its own. Compute at its peak and the memories at their bandwidths
    overlap without end. What happens inside (registers, buffers, networks) costs nothing here.
    """
    savings = Savings(op, accelerator)
    computing = op.macs * savings.least_time / accelerator.peak_macs_per_cycle / accelerator.clock_hz
    latency_s, bound = computing, "compute"
    energy: dict[tuple[str, str], float] = {
        (accelerator.compute.name, ""): op.macs * accelerator.compute.energy_j * savings.computed
    }
    for memory in accelerator.memories:
        own = [role for role in ROLES if accelerator.keeper(role) is memory]
        if not own:
            continue
        words = {role: op.words(role) * stored_bits(memory, op, role) for role in own}
        moving = _moving_s(memory, {role: words[role] * savings.passing(memory, role) for role in own})
        if moving > latency_s:
            latency_s, bound = moving, memory.name
        for role in own:
            per_bit = memory.write_energy_j_per_bit if role == "output" else memory.read_energy_j_per_bit
            energy[memory.name, role] = words[role] * savings.used(memory, role) * per_bit
    for name, power_w in (("leakage", accelerator.leakage_w), ("clock", accelerator.clock_w)):
        if power_w:
            energy[name, ""] = power_w * latency_s
    cycles, peak = latency_s * accelerator.clock_hz, accelerator.peak_macs_per_cycle
    effectual = op.macs * savings.steps
    return Cost(
        cycles=cycles,
        latency_s=latency_s,
        energy_j=math.fsum(energy.values()),
        macs=op.macs,
        compute_cycles=computing * accelerator.clock_hz,
        utilization=min(1.0, effectual / (cycles * peak)),
        compute_utilization=min(1.0, effectual / (computing * accelerator.clock_hz * peak)),
        bound=bound,
        energy=energy,
        steady_cycles=cycles,
        effectual_macs=effectual,
    )


def _moving_s(memory: Memory, bits: dict[Role, float]) -> float:
    """Seconds that the memory needs for the operands' and the output's bits."""
    read, written = bits.get("input", 0.0) + bits.get("weight", 0.0), bits.get("output", 0.0)
    reading = read / memory.read_bandwidth_bits_per_s
    if memory.shared_port:
        return reading + written / memory.read_bandwidth_bits_per_s
    return max(reading, written / memory.write_bandwidth_bits_per_s)
