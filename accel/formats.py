"""How a memory stores a tensor with zeros: the bits of its words, and of what says where they stand.

A bitmask has one bit for each word and then those that are not zero. A list of coordinates has, beside each of them,
its place among the words of its list (a *fiber*); with offsets, each fiber also says where it ends, as a row does in
compressed sparse rows. Run length gives each the number of zeros before it; a run that the index cannot say is cut by
a stored zero. n of m keeps n words of each m along a dimension, whatever they are. A codebook replaces words by their
numbers in a table. Formats as in Wu et al., "Sparseloop", MICRO 2022, section III; run length as in Chen et al.,
"Eyeriss", JSSC 2017, section IV-B, with pointers to each fiber as in Han et al., "EIE", ISCA 2016, section III.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import BadInput
from ..models.op import Op, Role
from .zeros import axis_words, most_of_group, run_entries, run_lists, stored_blocks

__all__ = [
    "RUN_LENGTH", "Format", "FormatKind", "conforms", "format_bits", "format_parts", "format_rules", "marginal_bits",
    "worst_bits",
]  # fmt: skip

FormatKind = Literal["bitmask", "run_length", "coordinates", "offsets", "n_of_m", "codebook"]

_LAST_BITS = 1  # of a packed group of run-length entries: whether it is the last one
_NEEDED: dict[FormatKind, tuple[str, ...]] = {
    "bitmask": (),
    "run_length": ("index",),
    "coordinates": ("fiber",),
    "offsets": ("fiber",),
    "n_of_m": ("n", "m"),
    "codebook": ("codebook",),
}
_ALLOWED: dict[FormatKind, tuple[str, ...]] = {
    "bitmask": ("block", "codebook"),
    "run_length": ("index", "fiber", "offset", "along", "pack", "codebook"),
    "coordinates": ("index", "fiber", "along", "block", "codebook"),
    "offsets": ("index", "fiber", "offset", "along", "block", "codebook"),
    "n_of_m": ("n", "m", "along", "codebook"),
    "codebook": ("codebook",),
}
_EXAMPLES = {"index": "5 bit", "fiber": "128", "n": "2", "m": "4", "codebook": "4 bit"}


def format_rules(kind: FormatKind, stated: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """(key, what is wrong, remedy) of every rule that a format breaks.

    ``stated`` are the keys as a spec writes them (index, fiber, offset, n, m, pack, codebook, along, block), widths in
    bits; what is not stated is absent.
    """
    for key in _NEEDED[kind]:
        if key not in stated:
            yield key, f"is missing, which '{kind}' needs", f"add '{key}: {_EXAMPLES[key]}', for example"
    for key in stated:
        if key not in _ALLOWED[kind]:
            keys = ", ".join(_ALLOWED[kind])
            yield key, f"'{kind}' has no '{key}'", f"remove it; it has {keys}"
    numbers = {key: value for key, value in stated.items() if isinstance(value, int | float)}
    for key, value in numbers.items():
        if value < 1 or value != int(value):
            yield key, f"'{value:g}' is no count", "use a whole number from 1 on"
            return
    block = stated.get("block")
    for dim, size in block if isinstance(block, tuple) else ():
        if size < 1:
            yield "block", f"a block of {size:g} along {dim} holds no word", "use 1 or more"
    n, m, index = numbers.get("n", 1), numbers.get("m", 1), numbers.get("index")
    fiber, offset = numbers.get("fiber"), numbers.get("offset")
    if n > m and "m" in numbers:
        yield "n", f"{n:g} of {m:g} words cannot be kept", f"use at most {m:g}"
    if index is not None and index > 32:
        yield "index", f"{index:g} bits count more words than any memory holds", "use at most 32 bit"
    elif fiber and index and kind != "run_length" and 2**index < fiber:
        yield (
            "index",
            f"{index:g} bits cannot tell {fiber:g} words apart",
            f"use at least {_index_bits(int(fiber))} bit",
        )
    if fiber and offset and 2**offset < fiber + 1:
        least = _index_bits(int(fiber) + 1)
        yield "offset", f"{offset:g} bits cannot say where {fiber:g} words end", f"use at least {least} bit"
    if offset and not fiber and kind == "run_length":
        yield "offset", "points at the end of lists, but there is one list", "add 'fiber:' or remove it"
    if fiber and "pack" in numbers:
        yield "pack", "packs entries of one list into words, but there are many", "remove 'fiber:' or 'pack:'"


def _index_bits(places: int) -> int:
    return (places - 1).bit_length()


@dataclass(frozen=True)
class Format:
    """A format, with its widths in bits; 0 where it has none or, for an index or an offset, the least that suffices.

    ``fiber`` words (units of ``block`` where there is one) make one list, counted along the dimension ``along`` and cut
    where it ends (no ``along``: as the words come; no ``fiber``: the tensor is one list). ``index_bits`` say a word's
    place in its list or, in run length, how many zeros come before it; ``offset_bits`` where each list ends. With
    ``n`` and ``m``, n words are kept of each m along ``along`` (C). ``pack_bits``: as many entries as fit beside a
    last-word mark are packed into words so wide. ``codebook_bits``: words are numbers in a table of 2^bits words, which
    is stored once for the tensor. ``block`` pairs dimensions with sizes: whole aligned blocks are stored or left out.
    Words are stored plain where that is shorter, unless they are ``always`` in this format.

    Raises `BadInput` where n is above m, an index or an offset is too narrow for its fiber, something the kind needs is
    missing, or something it has no use for is stated.
    """

    kind: FormatKind
    index_bits: int = 0
    fiber: int = 0
    offset_bits: int = 0
    n: int = 0
    m: int = 0
    pack_bits: int = 0
    codebook_bits: int = 0
    along: str = ""
    block: tuple[tuple[str, int], ...] = ()
    always: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(FormatKind):
            raise BadInput(f"format: '{self.kind}' is not known; use one of {', '.join(get_args(FormatKind))}")
        stated: dict[str, object] = {
            "index": self.index_bits, "fiber": self.fiber, "offset": self.offset_bits, "n": self.n, "m": self.m,
            "pack": self.pack_bits, "codebook": self.codebook_bits, "along": self.along, "block": self.block,
        }  # fmt: skip
        for key, what, remedy in format_rules(self.kind, {key: value for key, value in stated.items() if value}):
            raise BadInput(f"{self.kind}.{key}: {what}; {remedy}")
        if self.kind in ("coordinates", "offsets") and not self.index_bits:
            object.__setattr__(self, "index_bits", _index_bits(self.fiber))
        if self.kind == "offsets" and not self.offset_bits:
            object.__setattr__(self, "offset_bits", _index_bits(self.fiber + 1))
        if self.kind == "n_of_m":
            object.__setattr__(self, "along", self.along or "C")


RUN_LENGTH = Format("run_length", index_bits=5, pack_bits=64)
"""The code of the Eyeriss chip: runs of up to 31 zeros, three pairs of run and 16-bit word in 64 bits."""


def format_bits(fmt: Format, op: Op, role: Role, word_bits: float) -> float:
    """Mean bits per word of the operator's tensor, its metadata and its share of a codebook's table included.

    ``word_bits`` is the width of a plain word. The number of words that are not zero is exact; the zero words that run
    length stores and the blocks that are not empty are so for patterns that say where zeros are, and expected values
    for those at random. A tensor that is not n of m stays plain in that format.
    """
    return _bits(fmt, op, role, word_bits)[0]


def format_parts(fmt: Format, op: Op, role: Role, word_bits: float) -> tuple[float, float]:
    """(bits of stored words, bits of all else) per word of the tensor; they add up to `format_bits`."""
    whole, words = _bits(fmt, op, role, word_bits)
    return words, whole - words


def worst_bits(fmt: Format, word_bits: float) -> float:
    """Bits per word of a tensor without zeros but those that n of m must have; a codebook's table aside."""
    data = fmt.codebook_bits or word_bits
    block = math.prod(size for _, size in fmt.block)
    if fmt.kind == "n_of_m":
        return fmt.n / fmt.m * (data + _index_bits(fmt.m))
    if fmt.kind == "run_length":
        return _entry_bits(fmt, data) + (fmt.offset_bits / fmt.fiber if fmt.fiber else 0.0)
    if fmt.kind == "bitmask":
        return data + 1.0 / block
    if fmt.kind == "codebook":
        return data
    return data + (fmt.index_bits + fmt.offset_bits / fmt.fiber) / block


def marginal_bits(fmt: Format, op: Op, role: Role, word_bits: float) -> float:
    """Bits by which one word more that is not zero lengthens a tile: 0 where the length does not depend on zeros.

    In run length and in blocks, where it depends on what is beside the word, the mean over all such words.
    """
    if fmt.kind in ("n_of_m", "codebook"):
        return 0.0
    if fmt.kind == "run_length" or fmt.block:
        return format_bits(fmt, op, role, word_bits) / op.tensor(role).density
    return (fmt.codebook_bits or word_bits) + fmt.index_bits


def conforms(fmt: Format, op: Op, role: Role) -> bool:
    """Whether the tensor surely has at most n of m words that are not zero, as an n-of-m format needs."""
    return fmt.kind != "n_of_m" or most_of_group(op, role, fmt.m, fmt.along) <= fmt.n


def _bits(fmt: Format, op: Op, role: Role, word_bits: float) -> tuple[float, float]:
    """(all bits, bits of stored words) per word of the tensor."""
    data, words = fmt.codebook_bits or word_bits, op.words(role)
    table = 2**fmt.codebook_bits * word_bits / words if fmt.codebook_bits else 0.0
    if fmt.kind == "run_length":
        ended, reach = fmt.offset_bits > 0, 2**fmt.index_bits
        entries = run_entries(op, role, reach=reach, fiber=fmt.fiber, along=fmt.along, ended=ended)
        offsets = run_lists(op, role, fiber=fmt.fiber, along=fmt.along) * fmt.offset_bits / words
        return entries * _entry_bits(fmt, data) + offsets + table, entries * data
    if fmt.kind == "n_of_m":
        if not conforms(fmt, op, role):
            return word_bits, word_bits
        whole, rest = divmod(axis_words(op, role, fmt.along), fmt.m)
        kept = (whole * fmt.n + min(rest, fmt.n)) / (whole * fmt.m + rest)
        return kept * (data + _index_bits(fmt.m)) + table, kept * data
    if fmt.kind == "codebook":
        return data + table, data
    if not fmt.block:
        places, kept, stored = float(words), op.tensor(role).density * words, op.tensor(role).density
    else:
        places, kept, held = stored_blocks(op, role, fmt.block)
        stored = held / words
    marks = places if fmt.kind == "bitmask" else kept * fmt.index_bits + _lists(fmt, op, role) * fmt.offset_bits
    return stored * data + marks / words + table, stored * data


def _entry_bits(fmt: Format, data: float) -> float:
    """Bits of a run and its word; words too wide to be packed cost their own bits and those of the run."""
    entry = fmt.index_bits + data
    packed = (fmt.pack_bits - _LAST_BITS) // entry if fmt.pack_bits else 0
    return fmt.pack_bits / packed if packed else entry


def _lists(fmt: Format, op: Op, role: Role) -> int:
    """Number of lists that the tensor's words, or blocks, make."""
    if not fmt.fiber:
        return 1
    number = stored_blocks(op, role, fmt.block)[0] if fmt.block else op.words(role)
    line = axis_words(op, role, fmt.along)
    if fmt.block and fmt.along:
        line = -(-line // dict(fmt.block).get(fmt.along, 1))
    elif fmt.block:
        line = number
    return number // line * -(-line // fmt.fiber)
