"""What zeros come to, word by word: masks drawn from patterns, and what an encoder writes for them in each format."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dovetail.accel.formats import Format
from dovetail.models.op import Op, Role, Tensor
from dovetail.models.patterns import Banded, Blocks, Measured, NofM

Mask = NDArray[np.bool_]


def number(count: float, rng: np.random.Generator) -> int:
    """A whole number whose mean is ``count``."""
    low = math.floor(count + 1e-9)
    return low + int(rng.random() < count - low)


def draw(op: Op, role: Role, rng: np.random.Generator) -> Mask:
    """One tensor's words that are not zero, by its axes."""
    tensor = op.tensor(role)
    shape = tuple(rank.words(op.bounds) for rank in tensor.ranks)
    axis = {dim: at for at, rank in enumerate(tensor.ranks) for dim, _ in rank.terms}
    pattern = tensor.pattern
    mask = np.zeros(shape, np.bool_)
    if isinstance(pattern, Measured | Banded):
        known = pattern.mask(op.bounds) if isinstance(pattern, Banded) else pattern.mask
        dims = (pattern.rows, pattern.columns) if isinstance(pattern, Banded) else pattern.dims
        for place in np.ndindex(*shape):
            at = zip(dims, known.shape, strict=True)
            mask[place] = known[tuple(place[axis[dim]] if size > 1 else 0 for dim, size in at)]
    elif isinstance(pattern, NofM):
        lines = np.moveaxis(mask, axis[pattern.dim], -1)
        for place in np.ndindex(*lines.shape[:-1]):
            for first in range(0, lines.shape[-1], pattern.m):
                lines[place][first + rng.choice(pattern.m, pattern.n, replace=False)] = True
    elif isinstance(pattern, Blocks):
        boxes = list(blocks(shape, tensor, pattern.block))
        for chosen in rng.choice(len(boxes), number(pattern.density * len(boxes), rng), replace=False):
            box = boxes[chosen]
            mask[box] = rng.random(mask[box].shape) < pattern.inside
    else:
        marked = rng.choice(mask.size, number(tensor.density * mask.size, rng), replace=False)
        mask.reshape(-1)[marked] = True
    return mask


def blocks(shape: tuple[int, ...], tensor: Tensor, sides: tuple[tuple[str, int], ...]) -> Iterator[tuple[slice, ...]]:
    """The aligned blocks of a tensor, in order."""
    extents = [next((side for dim, side in sides if dim in dict(rank.terms)), 1) for rank in tensor.ranks]
    firsts = (range(0, size, extent) for size, extent in zip(shape, extents, strict=True))
    for corner in itertools.product(*firsts):
        yield tuple(slice(first, first + extent) for first, extent in zip(corner, extents, strict=True))


def lists(mask: Mask, tensor: Tensor, fmt: Format) -> Iterator[list[bool]]:
    """The words of each list, in order."""
    along = fmt.along
    if not along and fmt.kind == "run_length" and isinstance(tensor.pattern, NofM | Blocks):
        along = tensor.pattern.dim if isinstance(tensor.pattern, NofM) else tensor.pattern.block[-1][0]
    axes = [at for at, rank in enumerate(tensor.ranks) if along in dict(rank.terms)]
    lines = np.moveaxis(mask, axes[0], -1).reshape(-1, mask.shape[axes[0]]) if axes else mask.reshape(1, -1)
    for line in lines.tolist():
        fiber = fmt.fiber or len(line)
        for first in range(0, len(line), fiber):
            yield line[first : first + fiber]


class Encoder:
    """Writes a tensor in a format: ``words`` that are stored, ``bits`` of them, and of ``metadata``."""

    def __init__(self, fmt: Format, op: Op, role: Role, mask: Mask, word_bits: int) -> None:
        self.fmt, self.word_bits, self.tensor = fmt, word_bits, op.tensor(role)
        self.words = self.metadata = 0
        self.width = fmt.codebook_bits or word_bits
        getattr(self, fmt.kind)(mask)
        if self.width < word_bits:  # the table
            self.metadata += sum(word_bits for _ in range(2**fmt.codebook_bits))
        self.bits = self.words * self.width

    @property
    def total(self) -> int:
        return self.bits + self.metadata

    def units(self, mask: Mask) -> Mask:
        """Which blocks hold something, as a tensor of blocks, their words stored; without blocks, which words."""
        if not self.fmt.block:
            self.words += int(mask.sum())
            return mask
        found = []
        for box in blocks(mask.shape, self.tensor, self.fmt.block):
            found.append(bool(mask[box].any()))
            self.words += mask[box].size if found[-1] else 0
        sides = [next((side for dim, side in self.fmt.block if dim in dict(r.terms)), 1) for r in self.tensor.ranks]
        return np.array(found).reshape([-(-size // side) for size, side in zip(mask.shape, sides, strict=True)])

    def bitmask(self, mask: Mask) -> None:
        for _ in self.units(mask).flat:
            self.metadata += 1

    def coordinates(self, mask: Mask) -> None:
        for words in lists(self.units(mask), self.tensor, self.fmt):
            for place, word in enumerate(words):
                if word:
                    assert place < 2**self.fmt.index_bits
                    self.metadata += self.fmt.index_bits

    def offsets(self, mask: Mask) -> None:
        for words in lists(self.units(mask), self.tensor, self.fmt):
            assert sum(words) < 2**self.fmt.offset_bits
            self.metadata += self.fmt.offset_bits + sum(words) * self.fmt.index_bits

    def run_length(self, mask: Mask) -> None:
        entries = 0
        for words in lists(mask, self.tensor, self.fmt):
            run, waiting = 0, 0  # stored zeros wait until a word that is not zero needs them
            for word in words:
                if word:
                    entries, run, waiting = entries + waiting + 1, 0, 0
                elif run == 2**self.fmt.index_bits - 1:
                    run, waiting = 0, waiting + 1
                else:
                    run += 1
            if self.fmt.offset_bits:
                self.metadata += self.fmt.offset_bits
            else:
                entries += waiting + (run > 0)
        self.words = entries
        entry = self.fmt.index_bits + self.width
        packed = (self.fmt.pack_bits - 1) // entry if self.fmt.pack_bits else 0
        bits = self.fmt.pack_bits * math.ceil(entries / packed) if packed else entries * entry
        self.metadata += bits - entries * self.width

    def n_of_m(self, mask: Mask) -> None:
        axis = next((at for at, rank in enumerate(self.tensor.ranks) if self.fmt.along in dict(rank.terms)), None)
        lines = mask.reshape(1, -1) if axis is None else np.moveaxis(mask, axis, -1).reshape(-1, mask.shape[axis])
        n, m = self.fmt.n, self.fmt.m
        groups = [line[first : first + m] for line in lines for first in range(0, len(line), m)]
        if any(group.sum() > n for group in groups):
            self.words, self.width = mask.size, self.word_bits  # plain
            return
        for group in groups:
            self.words += min(n, len(group))
            self.metadata += min(n, len(group)) * math.ceil(math.log2(m))

    def codebook(self, mask: Mask) -> None:
        self.words = mask.size
