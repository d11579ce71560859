"""What zeros save in memories: words left out by a code, which changes the mean width of a word that is stored."""

from __future__ import annotations

from collections.abc import Callable

from ..models.op import Op, Role
from .accelerator import Code, Memory

__all__ = ["CODES", "bits_each", "kept_bits", "run_length_bits", "stored_bits"]

RUN_BITS, PACKED_BITS, LAST_BITS = 5, 64, 1


def run_length_bits(density: float, word_bits: float) -> float:
    """Mean bits per word of a run-length code as on the Eyeriss chip (Chen et al., JSSC 2017, section IV-B).

    A pair is a run of up to 31 zeros (5 bits) and the word that follows, whatever it is; as many pairs as fit beside a
    last-word mark are packed into 64 bits: three of 16-bit words. A pair then stands for ``1 + z + … + z^31`` words in
    the mean, ``z`` the share of zeros. Words too wide to be packed cost their own bits and those of the run.
    """
    zeros, longest = 1.0 - density, 2**RUN_BITS
    words = sum(zeros**run for run in range(longest))
    pairs = (PACKED_BITS - LAST_BITS) // (RUN_BITS + word_bits)
    return (PACKED_BITS / pairs if pairs else RUN_BITS + word_bits) / words


CODES: dict[Code, Callable[[float, float], float]] = {"run_length": run_length_bits}


def stored_bits(memory: Memory, op: Op, role: Role) -> float:
    """Mean width in bits of a (finished) word of the operator's tensor in ``memory``.

    Where the code would be longer than the words themselves, as for the dense input of a first layer, they stay plain.
    """
    tensor = op.tensor(role)
    plain = memory.bits(role, tensor.bits)
    if role == "output" and memory.finished_output_bits is not None:
        plain = memory.finished_output_bits
    code = memory.compression.get(role)
    return float(plain) if code is None else min(plain, CODES[code](tensor.density, plain))



def kept_bits(memory: Memory, op: Op, role: Role) -> float:
    """Width in bits for which a (finished) word has room in ``memory``: the mean one, or that of a word in no zeros."""
    stored = stored_bits(memory, op, role)
    code, tensor = memory.compression.get(role), op.tensor(role)
    if not memory.worst_case or code is None or tensor.density >= 1.0:
        return stored
    return max(stored, CODES[code](1.0, memory.bits(role, tensor.bits)))


def bits_each(memory: Memory, op: Op, role: Role) -> float:
    """Bits by which a word more that is not zero lengthens the code of a tile; 0 where it is stored plain."""
    stored, tensor = stored_bits(memory, op, role), op.tensor(role)
    plain = memory.bits(role, tensor.bits)
    return stored / tensor.density if stored < plain else 0.0
