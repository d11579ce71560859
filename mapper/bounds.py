"""Lower bounds that hold for every mapping: peak compute and compulsory traffic of the outermost memories."""

from __future__ import annotations

from ..accel.accelerator import Accelerator
from ..accel.skipping import Savings
from ..accel.sparsity import stored_bits
from ..models.op import ROLES, Op
from .objective import Objective

__all__ = ["roofline"]


def roofline(op: Op, accelerator: Accelerator, objective: Objective) -> float:
    """The least value of the objective.

    Each multiply-accumulate that is not skipped is done once, each operand word leaves the outermost memory that keeps
    it at least once, and each output word reaches its own.
    """
    savings = Savings(op, accelerator)
    latency = op.macs * savings.least_time / accelerator.peak_macs_per_cycle / accelerator.clock_hz
    energy = op.macs * accelerator.compute.energy_j * savings.computed
    for memory in accelerator.memories:
        own = [role for role in ROLES if accelerator.keeper(role) is memory]
        words = {role: op.words(role) * stored_bits(memory, op, role) for role in own}
        bits = {role: words[role] * savings.passing(memory, role) for role in own}
        read, written = bits.get("input", 0) + bits.get("weight", 0), bits.get("output", 0)
        reading = read / memory.read_bandwidth_bits_per_s
        if memory.shared_port:
            moving = reading + written / memory.read_bandwidth_bits_per_s
        else:
            moving = max(reading, written / memory.write_bandwidth_bits_per_s)
        latency = max(latency, moving)
        used = {role: words[role] * savings.used(memory, role) for role in own}
        energy += (used.get("input", 0) + used.get("weight", 0)) * memory.read_energy_j_per_bit
        energy += used.get("output", 0) * memory.write_energy_j_per_bit
    energy += accelerator.standing_w * latency
    return objective.value(energy, latency)
