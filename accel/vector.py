"""Cost of vector operators: their operations on the vector lanes, their words through the outermost memory."""

from __future__ import annotations

import math

from ..models.op import VectorOp
from .accelerator import Accelerator
from .analytic import Cost

__all__ = ["evaluate_vector"]


def evaluate_vector(op: VectorOp, accelerator: Accelerator, *, hidden_cycles: float = 0.0) -> Cost:
    """Cost of ``op``; a fused operator moves no words and takes only what exceeds its producer's ``hidden_cycles``.

    Without a vector unit the operations cost nothing and only the words count; `Estimate.notes` says so.
    """
    memory, vector = accelerator.memories[0], accelerator.vector
    computing = op.operations / vector.lanes if vector else 0.0
    energy: dict[tuple[str, str], float] = {}
    if vector:
        scale = op.bits / vector.bits if op.bits > vector.bits else 1.0
        energy[vector.name, ""] = op.operations * vector.energy_j * scale
    moving, read, written = 0.0, 0.0, 0.0
    if op.fused:
        computing = max(0.0, computing - hidden_cycles)
    else:
        read = op.words_in * memory.bits("input", op.bits) + op.params * memory.bits("weight", op.bits)
        written = op.words_out * memory.bits("output", op.bits)
        reading = read * accelerator.clock_hz / memory.read_bandwidth_bits_per_s
        if memory.shared_port:
            moving = reading + written * accelerator.clock_hz / memory.read_bandwidth_bits_per_s
        else:
            moving = max(reading, written * accelerator.clock_hz / memory.write_bandwidth_bits_per_s)
        energy[memory.name, "input"] = read * memory.read_energy_j_per_bit
        energy[memory.name, "output"] = written * memory.write_energy_j_per_bit
    cycles = max(computing, moving)
    latency_s = cycles / accelerator.clock_hz
    if accelerator.leakage_w and cycles:
        energy["leakage", ""] = accelerator.leakage_w * latency_s
    if accelerator.clock_w and cycles:
        energy["clock", ""] = accelerator.clock_w * latency_s
    bound = "" if not cycles else memory.name if moving >= computing else "vector"
    return Cost(cycles, latency_s, math.fsum(energy.values()), 0, 0, 0.0, 0.0, bound, energy)
