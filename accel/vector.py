"""Cost of vector operators: their operations on the vector lanes, their words through the memories they live in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ..models.op import Role, VectorOp
from .accelerator import Accelerator, Host, Memory
from .analytic import Cost

__all__ = ["evaluate_vector", "vector_traffic"]


def evaluate_vector(
    op: VectorOp,
    accelerator: Accelerator,
    *,
    hidden_cycles: float = 0.0,
    inside: Mapping[Role, float] | None = None,
) -> Cost:
    """Cost of ``op``; a fused operator moves no words and takes only what exceeds its producer's ``hidden_cycles``.

    ``inside`` gives the share (0 to 1) of a tensor's words that are in the memory where it may stay; all others come
    and go over the outermost memory. Without a vector unit the operations cost nothing and only the words count;
    `Estimate.notes` says so. An operator left to the host costs its operations there, and the accelerator's leakage.
    """
    if accelerator.host is not None and accelerator.on_host(op):
        return _on_host(op, accelerator, accelerator.host)
    vector = accelerator.vector
    computing = op.operations / ((op.fused and vector.fused_lanes) or vector.lanes) if vector else 0.0
    energy: dict[tuple[str, str], float] = {}
    if vector:
        scale = op.bits / vector.bits if op.bits > vector.bits else 1.0
        energy[vector.name, ""] = op.operations * vector.energy_j * scale
    moving, slowest = 0.0, accelerator.memories[0].name
    if op.fused:
        computing = max(0.0, computing - hidden_cycles)
    else:
        for memory, read, written in vector_traffic(op, accelerator, inside or {}):
            cycles = _cycles(memory, accelerator.clock_hz, read, written)
            if cycles > moving:
                moving, slowest = cycles, memory.name
            energy[memory.name, "input"] = read * memory.read_energy_j_per_bit
            energy[memory.name, "output"] = written * memory.write_energy_j_per_bit
    cycles = max(computing, moving)
    latency_s = cycles / accelerator.clock_hz
    if accelerator.leakage_w and cycles:
        energy["leakage", ""] = accelerator.leakage_w * latency_s
    if accelerator.clock_w and cycles:
        energy["clock", ""] = accelerator.clock_w * latency_s
    bound = "" if not cycles else slowest if moving >= computing else "vector"
    return Cost(cycles, latency_s, math.fsum(energy.values()), 0, 0, 0.0, 0.0, bound, energy)


def _on_host(op: VectorOp, accelerator: Accelerator, host: Host) -> Cost:
    """The accelerator waits; what the host's processor and memory spend is not its energy."""
    latency_s = op.operations / host.operations_per_s
    waiting = {("leakage", ""): accelerator.leakage_w * latency_s, ("clock", ""): accelerator.clock_w * latency_s}
    energy = {key: joules for key, joules in waiting.items() if joules}
    bound, cycles = "host" if latency_s else "", latency_s * accelerator.clock_hz
    return Cost(cycles, latency_s, math.fsum(energy.values()), 0, 0, 0.0, 0.0, bound, energy)


def vector_traffic(
    op: VectorOp, accelerator: Accelerator, inside: Mapping[Role, float]
) -> Iterator[tuple[Memory, float, float]]:
    """(memory, bits read, bits written) of each tensor's outermost memory and of those in which words stay."""
    words: dict[Role, int] = {"input": op.words_in, "weight": op.params, "output": op.words_out}
    for memory in accelerator.memories:
        bits = dict.fromkeys(words, 0.0)
        for role, count in words.items():
            share, outermost = inside.get(role, 0.0), memory is accelerator.keeper(role)
            if outermost or role in memory.may_reside:
                bits[role] = count * memory.bits(role, op.bits) * (1.0 - share if outermost else share)
        if memory is accelerator.memories[0] or any(bits.values()):
            yield memory, bits["input"] + bits["weight"], bits["output"]


def _cycles(memory: Memory, clock_hz: float, read: float, written: float) -> float:
    """Cycles that the memory needs for so many bits."""
    reading = read * clock_hz / memory.read_bandwidth_bits_per_s
    if memory.shared_port:
        return reading + written * clock_hz / memory.read_bandwidth_bits_per_s
    return max(reading, written * clock_hz / memory.write_bandwidth_bits_per_s)
