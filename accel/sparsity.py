"""What zeros save: words left out of memory traffic by a code, and work left undone by gating.

A tensor's density is the share of its words that are not zero; zeros are taken as independent of each other and of the
other tensors' zeros. A code changes the mean width of a word in the memory that stores it. Gating saves energy and no
time: the step passes, but nothing switches.
"""

from __future__ import annotations

from ..models.op import Op, Role
from .accelerator import Accelerator, Memory
from .formats import format_bits

__all__ = ["access_share", "computed_share", "stored_bits"]


def stored_bits(memory: Memory, op: Op, role: Role) -> float:
    """Mean width in bits of a (finished) word of the operator's tensor in ``memory``.

    Where the code would be longer than the words themselves, as for the dense input of a first layer, they stay plain.
    """
    plain = memory.bits(role, op.tensor(role).bits)
    if role == "output" and memory.finished_output_bits is not None:
        plain = memory.finished_output_bits
    fmt = memory.compression.get(role)
    return float(plain) if fmt is None else min(plain, format_bits(fmt, op, role, plain))


def computed_share(op: Op, accelerator: Accelerator) -> float:
    """Share of the multiply-accumulates that switch: those whose gating operands are all not zero."""
    share = 1.0
    for role in accelerator.compute.gating:
        share *= op.tensor(role).density
    return share


def access_share(op: Op, accelerator: Accelerator, memory: Memory, role: Role) -> float:
    """Share of the multipliers' reads and updates that happen, where ``memory`` is the innermost to hold ``role``.

    A gated multiplier reads no word of the other operand and leaves its sum alone; the operand that gates it has been
    read. Where an array stands between, a word goes to several multipliers, or they add to one sum: it is read for all
    of them, and nothing is saved.
    """
    for array in accelerator.arrays_below(memory):
        if array.reduces if role == "output" else role in array.multicast:
            return 1.0
    share = 1.0
    for other in accelerator.compute.gating:
        share *= op.tensor(other).density if other != role else 1.0
    return share
