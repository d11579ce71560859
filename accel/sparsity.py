"""What zeros save in memories: words left out by a code, which changes the mean width of a word that is stored."""

from __future__ import annotations

from ..models.op import Op, Role
from .accelerator import Memory
from .formats import format_bits, format_parts, marginal_bits, worst_bits

__all__ = ["bits_each", "kept_bits", "stored_bits", "stored_words"]


def _plain_bits(memory: Memory, op: Op, role: Role) -> float:
    """Width of a finished word in no code."""
    if role == "output" and memory.finished_output_bits is not None:
        return memory.finished_output_bits
    return memory.bits(role, op.tensor(role).bits)


def stored_bits(memory: Memory, op: Op, role: Role) -> float:
    """Mean width in bits of a (finished) word of the operator's tensor in ``memory``.

    Where the code would be longer than the words themselves, as for the dense input of a first layer, they stay plain.
    """
    plain, fmt = _plain_bits(memory, op, role), memory.compression.get(role)
    if fmt is None:
        return float(plain)
    coded = format_bits(fmt, op, role, plain)
    return coded if fmt.always else min(plain, coded)


def stored_words(memory: Memory, op: Op, role: Role) -> float:
    """Share of the operator's tensor's words for which ``memory`` stores a word, those that a run-length code inserts
    among them: 1 where they stay plain."""
    plain, fmt = _plain_bits(memory, op, role), memory.compression.get(role)
    if fmt is None or not _is_coded(memory, op, role):
        return 1.0
    data, _ = format_parts(fmt, op, role, plain)
    return data / (fmt.codebook_bits or plain)


def _is_coded(memory: Memory, op: Op, role: Role) -> bool:
    """Whether its code is shorter than plain words, or has to be taken."""
    fmt = memory.compression.get(role)
    return fmt is not None and (fmt.always or stored_bits(memory, op, role) < _plain_bits(memory, op, role))


def kept_bits(memory: Memory, op: Op, role: Role) -> float:
    """Width in bits for which a (finished) word has room in ``memory``: the mean one, or that of a word in no zeros."""
    stored, plain, fmt = stored_bits(memory, op, role), _plain_bits(memory, op, role), memory.compression.get(role)
    if not memory.worst_case or fmt is None or not _is_coded(memory, op, role):
        return stored
    return max(stored, worst_bits(fmt, plain))


def bits_each(memory: Memory, op: Op, role: Role) -> float:
    """Bits by which a word more that is not zero lengthens the code of a tile; 0 where it is stored plain."""
    plain, fmt = _plain_bits(memory, op, role), memory.compression.get(role)
    if fmt is None or not _is_coded(memory, op, role):
        return 0.0
    return marginal_bits(fmt, op, role, plain)
