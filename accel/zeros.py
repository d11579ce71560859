"""How zeros follow each other in a tensor: the entries of a run-length code, the blocks that hold nothing.

A run-length entry stands for up to ``reach`` words: some zeros and the word after them. A word that is not zero and has
``j`` zeros before it, since the last such word or since its list began, takes ``1 + j // reach`` entries, so that their
mean number is a sum of chances that so many words in a row are zero. The zeros that a list ends with take
``ceil(zeros / reach)`` entries, and none where a pointer says where the list ends.

Where a pattern says which words are zero (`Measured`, `Banded`), they are counted instead.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..models.occupancy import groups, split, thinned
from ..models.op import Op, Rank, Role, Tensor
from ..models.patterns import Banded, Blocks, Measured, NofM

__all__ = ["axis_words", "count_entries", "most_of_group", "run_entries", "run_lists", "stored_blocks"]

Bounds = tuple[tuple[str, int], ...]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_RARE = 1e-15  # a chance below which longer runs of zeros are not followed


def run_entries(op: Op, role: Role, *, reach: int, fiber: int, along: str, ended: bool) -> float:
    """Mean number of run-length entries per word of the tensor.

    Lists hold ``fiber`` words (0: the tensor is one list) and, where ``along`` names an axis, end where it does.
    ``ended`` says that pointers tell where lists end. Without ``along``, words follow each other in the order of the
    tensor's axes. Lines of n of m and of blocks run along their (last) dimension then, and are lists of their own.
    """
    return _run_entries(op.tensor(role), _bounds(op, role), reach, fiber, along, ended)


@lru_cache(maxsize=1024)
def _run_entries(tensor: Tensor, bounds: Bounds, reach: int, fiber: int, along: str, ended: bool) -> float:
    sizes, pattern = dict(bounds), tensor.pattern
    if isinstance(pattern, Measured | Banded):
        return _counted_entries(tensor, sizes, reach, fiber, along, ended)
    if not fiber and not isinstance(pattern, NofM | Blocks):
        return _endless_entries(tensor.density, reach)
    along = along or _natural(tensor)
    axis = _axis(tensor, along)
    extent = tensor.words(sizes) if axis is None else tensor.ranks[axis].words(sizes)
    cut = min(fiber or extent, extent)
    if isinstance(pattern, Blocks):
        tables = _after_blocks(tensor, pattern, sizes, along, cut)
    elif isinstance(pattern, NofM):
        tables = _after_groups(pattern, along, cut)
    else:
        tables = [_at_random(tensor.words(sizes), tensor.density, cut)]
    entries = 0.0
    for (start, length), number in _lists(extent, cut, len(tables)).items():
        entries += number * _list_entries(tables, start, length, reach, ended)
    return entries / extent


def _natural(tensor: Tensor) -> str:
    """The dimension along which lines run through n of m and blocks; none for zeros anywhere."""
    if isinstance(tensor.pattern, NofM):
        return tensor.pattern.dim
    return tensor.pattern.block[-1][0] if isinstance(tensor.pattern, Blocks) else ""


def run_lists(op: Op, role: Role, *, fiber: int, along: str) -> int:
    """Number of lists of the words whose entries `run_entries` counts."""
    line = axis_words(op, role, along or _natural(op.tensor(role)))
    return op.words(role) // line * -(-line // (fiber or line))


def _endless_entries(density: float, reach: int) -> float:
    """Of words at random that never end: one entry for the ``1 + z + … + z^(reach-1)`` words it stands for."""
    return 1.0 if density == 1.0 else density / -math.expm1(reach * math.log1p(-density))


def _lists(extent: int, fiber: int, period: int) -> Counter[tuple[int, int]]:
    """(first place modulo the period, words) of the lists into which a line is cut, and how many there are."""
    whole, rest = divmod(extent, fiber)
    cycle = period // math.gcd(period, fiber)
    found: Counter[tuple[int, int]] = Counter()
    for turn in range(min(cycle, whole)):
        found[turn * fiber % period, fiber] += 1 + (whole - 1 - turn) // cycle
    if rest:
        found[whole * fiber % period, rest] += 1
    return found


def _list_entries(tables: list[Floats], start: int, length: int, reach: int, ended: bool) -> float:
    """Mean entries of one list; ``tables[place][j]`` is the chance that j words from a place on are zero."""
    period, entries = len(tables), 0.0
    for phase in range(period):
        table = tables[phase]
        firsts = np.arange((phase - start) % period, length, period)  # where a run of zeros may begin
        gained = np.cumsum(table[:length:reach] - table[1 : length + 1 : reach])
        entries += float(gained[(length - 1 - firsts) // reach].sum())
    if not ended:
        for zeros in range(1, length + 1, reach):
            chance = tables[(start + length - zeros) % period][zeros]
            if chance < _RARE:
                break
            entries += float(chance)
    return entries


# ---- chances that words in a row are zero ----------------------------------------------------------------------------


def _at_random(words: int, density: float, most: int) -> Floats:
    """Chances that 0, 1, …, ``most`` words are zero of ``words`` among which a share is not."""
    found, drawn = np.zeros(most + 1), np.arange(most, dtype=np.float64)
    for share, marked in split(words * density):
        left = np.clip((words - marked - drawn) / (words - drawn), 0.0, 1.0)
        found += share * np.concatenate([[1.0], np.cumprod(left)])
    return found


def _after_groups(pattern: NofM, along: str, most: int) -> list[Floats]:
    """The same along groups of which each has n of m words that are not zero, for each place in a group to begin at."""
    n, m = pattern.n, pattern.m
    if along != pattern.dim:  # each word of the line is of another group
        return [(1.0 - pattern.mean) ** np.arange(most + 1.0)]
    none = [math.comb(m - words, n) / math.comb(m, n) for words in range(m + 1)]
    tables = []
    for start in range(m):
        table = np.zeros(most + 1)
        for words in range(min(most, 2 * m) + 1):
            first = min(words, m - start)
            table[words] = none[first] * none[min(words - first, m)]
        tables.append(table)
    return tables


def _after_blocks(tensor: Tensor, pattern: Blocks, sizes: Mapping[str, int], along: str, most: int) -> list[Floats]:
    """The same along a line through blocks, for each place in a block to begin at."""
    side, total = dict(pattern.block).get(along, 1), _grid(tensor, pattern, sizes)
    tables = [np.zeros(most + 1) for _ in range(side)]
    for start, (share, marked) in itertools.product(range(side), split(total * pattern.density)):
        _add_blocks(tables[start], share, total, marked, side, start, 1.0 - pattern.inside)
    return tables


def _add_blocks(table: Floats, share: float, total: int, marked: int, side: int, start: int, zero: float) -> None:
    """Add ``share`` of the chances for ``marked`` kept of ``total`` blocks, whose words are zero with ``zero``."""
    table[0] += share
    chances = np.ones(1)  # that all words so far are zero and 0, 1, … of the blocks so far are kept
    words, length = 0, side - start
    for passed in range(total):
        kept = np.clip((marked - np.arange(passed + 1.0)) / (total - passed), 0.0, 1.0)
        for step in range(1, min(length, len(table) - 1 - words) + 1):
            table[words + step] += share * float(chances @ (kept * zero**step + 1.0 - kept))
        words, step = words + length, length
        chances = np.append(chances * (1.0 - kept), 0.0) + np.append(0.0, chances * kept * zero**step)
        length = side
        if words >= len(table) - 1 or chances.sum() < _RARE:
            break


def _no_word(touched: list[int], total: int, density: float, outside: float) -> float:
    """Chance that no word is kept of pieces of so many words, each of another of ``total`` blocks."""
    pieces = sorted(Counter(touched).items())
    return thinned(sum(touched), pieces, total, density, 1.0 - outside).empty if touched else 1.0


def _grid(tensor: Tensor, pattern: Blocks, sizes: Mapping[str, int]) -> int:
    """Number of blocks that a pattern cuts the tensor into."""
    sides = dict(pattern.block)
    return math.prod(-(-rank.words(sizes) // _side(rank, sides)) for rank in tensor.ranks)


# ---- zeros that are known ------------------------------------------------------------------------------------------


def _counted_entries(
    tensor: Tensor, sizes: Mapping[str, int], reach: int, fiber: int, along: str, ended: bool
) -> float:
    mask, axis = _mask(tensor, sizes), _axis(tensor, along)
    if axis is None:
        mask = np.broadcast_to(mask, [rank.words(sizes) for rank in tensor.ranks])
        lines = mask.reshape(1, -1)
    else:
        lines = np.moveaxis(mask, axis, -1)
        extent = tensor.ranks[axis].words(sizes)
        lines = np.broadcast_to(lines, (*lines.shape[:-1], extent)).reshape(-1, extent)
    return count_entries(lines, reach, fiber, ended) / lines.size


def count_entries(lines: Mask, reach: int, fiber: int, ended: bool) -> int:
    """Entries of lines [n, words], each cut into lists of ``fiber`` words (0: not cut)."""
    rows, extent = lines.shape
    fiber = min(fiber or extent, extent)
    per_line = -(-extent // fiber)
    row, place = np.nonzero(lines)
    number, place = row * per_line + place // fiber, place % fiber  # of its list, in its list
    first = np.append(True, number[1:] != number[:-1])[: len(place)]
    before = np.where(first, -1, np.append(-1, place[:-1])[: len(place)])
    entries = len(place) + int(((place - before - 1) // reach).sum())
    if not ended:
        lengths = np.minimum(fiber, extent - fiber * np.arange(per_line))
        zeros = np.tile(lengths, rows)
        last = np.append(first[1:], True)[: len(place)]
        zeros[number[last]] -= 1 + place[last]
        entries += int((-(-zeros // reach)).sum())
    return entries


def _mask(tensor: Tensor, sizes: Mapping[str, int]) -> Mask:
    """Which words are not zero, by the tensor's axes; those that a mask repeats along have extent 1."""
    pattern = tensor.pattern
    mask, dims = np.ones([], np.bool_), tuple[str, ...]()
    if isinstance(pattern, Banded):
        mask, dims = pattern.mask(sizes), (pattern.rows, pattern.columns)
    elif isinstance(pattern, Measured):
        mask, dims = pattern.mask, pattern.dims
    axes = [_axis(tensor, dim) or 0 for dim in dims]
    for axis, number in enumerate(axes):
        rank = tensor.ranks[number]
        if mask.shape[axis] > 1 and len(rank.terms) == 2:  # strides may pass over words
            (dim_a, a), (dim_b, b) = rank.terms
            touched = np.unique(a * np.arange(sizes[dim_a])[:, None] + b * np.arange(sizes[dim_b]))
            mask = np.take(mask, touched, axis)
    extents = dict(zip(axes, mask.shape, strict=True))
    return mask.transpose(np.argsort(axes)).reshape([extents.get(axis, 1) for axis in range(len(tensor.ranks))])


# ---- blocks and groups ---------------------------------------------------------------------------------------------


def stored_blocks(op: Op, role: Role, block: Bounds) -> tuple[int, float, float]:
    """(blocks of the tensor, mean number of those that are not empty, mean words in them).

    Blocks are aligned; those at the tensor's end may be smaller.
    """
    return _stored_blocks(op.tensor(role), _bounds(op, role), block)


@lru_cache(maxsize=1024)
def _stored_blocks(tensor: Tensor, bounds: Bounds, block: Bounds) -> tuple[int, float, float]:
    sizes, sides = dict(bounds), dict(block)
    if isinstance(tensor.pattern, Measured | Banded):
        return _counted_blocks(tensor, sizes, sides)
    inner, other = dict[str, int](), 0
    if isinstance(tensor.pattern, Blocks):
        inner, other = dict(tensor.pattern.block), 1
    elif isinstance(tensor.pattern, NofM):
        inner = {tensor.pattern.dim: tensor.pattern.m}
    axes = [_cuts(rank.words(sizes), _side(rank, sides), _side(rank, inner, other)) for rank in tensor.ranks]
    number, kept, words = 0, 0.0, 0.0
    for choice in itertools.product(*(axis.items() for axis in axes)):
        times = math.prod(count for _, count in choice)
        held, empty = _emptiness(tensor, sizes, [pieces for pieces, _ in choice])
        number, kept, words = number + times, kept + times * (1.0 - empty), words + times * held * (1.0 - empty)
    return number, kept, words


def _emptiness(tensor: Tensor, sizes: Mapping[str, int], cut: list[tuple[int, ...]]) -> tuple[int, float]:
    """Words of a box and the chance that all are zero; ``cut``: by axis, its pieces in the pattern's own blocks."""
    words, pattern = math.prod(map(sum, cut)), tensor.pattern
    if isinstance(pattern, NofM):
        axis = _axis(tensor, pattern.dim) or 0
        full = sum(piece == pattern.m for piece in cut[axis])
        partial = [piece for piece in cut[axis] if piece < pattern.m]
        rows = words // sum(cut[axis])
        return words, groups(words, words * pattern.mean, full, (pattern.n, pattern.m), partial, rows).empty
    if isinstance(pattern, Blocks):
        touched = [math.prod(pieces) for pieces in itertools.product(*cut)]
        return words, _no_word(touched, _grid(tensor, pattern, sizes), pattern.density, 1.0 - pattern.inside)
    return words, float(_at_random(tensor.words(sizes), tensor.density, words)[words])


def _cuts(extent: int, side: int, inner: int) -> Counter[tuple[int, ...]]:
    """How blocks of ``side`` words along an axis are cut by a pattern's own of ``inner`` (0: not), and how many so."""
    whole, rest = divmod(extent, side)
    if not inner:
        return Counter({(side,): whole}) + Counter({(rest,): int(rest > 0)})
    found: Counter[tuple[int, ...]] = Counter()
    for first in range(0, extent, side):
        last = min(first + side, extent)
        marks = [first, *range(first - first % inner + inner, last, inner), last]
        found[tuple(b - a for a, b in itertools.pairwise(marks))] += 1
    return found


def _counted_blocks(tensor: Tensor, sizes: Mapping[str, int], sides: Mapping[str, int]) -> tuple[int, float, float]:
    counts, shape = _mask(tensor, sizes), [rank.words(sizes) for rank in tensor.ranks]
    held = np.ones([1] * len(shape), np.int64)
    for axis, rank in enumerate(tensor.ranks):
        firsts = np.arange(0, shape[axis], _side(rank, sides))
        lengths = np.diff(np.append(firsts, shape[axis]))
        held = held * lengths.reshape([-1 if at == axis else 1 for at in range(len(shape))])
        if counts.shape[axis] > 1:
            counts = np.logical_or.reduceat(counts, firsts, axis)
    kept = np.broadcast_to(counts, held.shape)
    return held.size, float(kept.sum()), float(held[kept].sum())


def most_of_group(op: Op, role: Role, m: int, along: str) -> int:
    """Most words of an aligned group of ``m`` along an axis that may not be zero."""
    return _most_of_group(op.tensor(role), _bounds(op, role), m, along)


@lru_cache(maxsize=1024)
def _most_of_group(tensor: Tensor, bounds: Bounds, m: int, along: str) -> int:
    sizes, pattern, axis = dict(bounds), tensor.pattern, _axis(tensor, along)
    if axis is None:
        return m
    if isinstance(pattern, NofM) and along == pattern.dim:
        cuts = _cuts(sizes[along], m, pattern.m)
        return max(sum(min(piece, pattern.n) for piece in pieces) for pieces in cuts)
    if isinstance(pattern, Measured | Banded):
        mask = _mask(tensor, sizes)
        if mask.shape[axis] > 1:
            return int(np.add.reduceat(mask.astype(np.int64), np.arange(0, mask.shape[axis], m), axis).max())
    return min(m, tensor.ranks[axis].words(sizes))


def axis_words(op: Op, role: Role, along: str) -> int:
    """Words along the axis with this dimension; the whole tensor's without one."""
    tensor = op.tensor(role)
    axis = _axis(tensor, along)
    return op.words(role) if axis is None else tensor.ranks[axis].words(op.bounds)


def _bounds(op: Op, role: Role) -> Bounds:
    dims = op.tensor(role).dims
    return tuple((dim, bound) for dim, bound in op.dims if dim in dims)


def _axis(tensor: Tensor, dim: str) -> int | None:
    """Number of the axis that depends on a dimension."""
    return next((axis for axis, rank in enumerate(tensor.ranks) if dim in dict(rank.terms)), None)


def _side(rank: Rank, sides: Mapping[str, int], other: int = 1) -> int:
    """Extent of a block along an axis; ``other`` where it names none of the axis' dimensions."""
    return max((sides[dim] for dim, _ in rank.terms if dim in sides), default=other)
