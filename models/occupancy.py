"""How many words of a tile are not zero: a distribution over whole numbers.

Counts of a tile of zeros at random are hypergeometric (as in Sparseloop, Wu et al., MICRO 2022, section 5.3); those of
structured and measured tensors follow from the structure itself. Everything a hardware model asks often, the mean and
the chance of an empty tile, is a closed form; the whole law is worked out when first asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput

__all__ = ["Law", "Occupancy", "blocks_kept", "certain", "counted", "groups", "hypergeometric", "mixture", "thinned"]

Law = tuple[NDArray[np.int64], NDArray[np.float64]]  # counts that are possible, ascending; their probabilities

_REACH = 12.0  # standard deviations of a law that are kept on each side: what is left out is below 1e-30
_MOST_WORK = 20_000_000  # steps of an exact sum; beyond it a count is a sum of so many that its shape is known
_MOST_COUNTS = 1024  # counts of kept words that are thinned one by one; beyond it, neighbours are taken together
_LONGEST = 100_000_000  # words of a tile whose law is still written out


@dataclass(frozen=True)
class Occupancy:
    """Non-zero words of a tile of ``words`` words: a random count, since tiles differ.

    ``expected`` is its mean, ``empty`` the probability that all words are zero, ``most`` the largest count possible.
    ``make_law`` gives the distribution.
    """

    words: int
    expected: float
    empty: float
    most: int
    make_law: Callable[[], Law] = field(repr=False, compare=False)

    @cached_property
    def law(self) -> Law:
        """The counts that are possible, ascending, and their probabilities (beyond 12 standard deviations cut off)."""
        return self.make_law()

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        return np.cumsum(self.law[1])

    @cached_property
    def variance(self) -> float:
        """Variance of the count, in words²."""
        counts, shares = self.law
        return float(np.dot(shares, (counts - self.expected) ** 2))

    def quantile(self, q: float) -> int:
        """The smallest count that is not exceeded with probability ``q`` in (0, 1]; BadInput outside."""
        if not 0.0 < q <= 1.0:
            raise BadInput(f"quantile: {q} is outside (0, 1]; 0.99 asks for what 99 % of tiles do not exceed")
        if q == 1.0:
            return self.most
        counts = self.law[0]
        place = int(np.searchsorted(self._cumulative, q * (1.0 - 1e-12)))
        return int(counts[min(place, len(counts) - 1)])

    def above(self, words: float) -> float:
        """Probability that more than ``words`` words are not zero: that a tile given this room overflows."""
        counts, shares = self.law
        return min(1.0, float(shares[np.searchsorted(counts, words, side="right"):].sum()))

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> NDArray[np.int64]:
        """Counts of tiles drawn independently of each other."""
        counts, cumulative = self.law[0], self._cumulative
        places = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
        drawn: NDArray[np.int64] = counts[np.minimum(places, len(counts) - 1)]
        return drawn

    def pmf(self) -> NDArray[np.float64]:
        """Probability of each count from 0 to ``words``. BadInput for a tile of more than 10⁸ words."""
        if self.words > _LONGEST:
            raise BadInput(f"pmf: a tile of {self.words:,} words has too many counts; ask for quantile or above")
        counts, shares = self.law
        probabilities = np.zeros(self.words + 1)
        probabilities[counts] = shares
        return probabilities


# ---- kinds of occupancy --------------------------------------------------------------------------------------------


def certain(words: int, count: int) -> Occupancy:
    """Every tile holds ``count`` non-zero words."""
    return Occupancy(words, float(count), float(count == 0), count, partial(_one, count))


def counted(words: int, counts: NDArray[np.int64]) -> Occupancy:
    """Each of the tiles counted is as likely as the others."""
    return Occupancy(
        words, float(counts.mean()), float(np.mean(counts == 0)), int(counts.max()), partial(_frequencies, counts)
    )


def hypergeometric(words: int, population: int, density: float) -> Occupancy:
    """``words`` of ``population`` words of which a share ``density`` is not zero, placed at random.

    Where that share is no whole number of words, there are so many or one more, so that the mean is exact.
    """
    return mixture(words, words * density, [
        (share, Occupancy(words, words * marked / population, _chance_of_none(population, marked, words),
                          min(words, marked), partial(hypergeometric_law, population, marked, words)))
        for share, marked in split(population * density)
    ])  # fmt: skip


def mixture(words: int, expected: float, parts: Sequence[tuple[float, Occupancy]]) -> Occupancy:
    """One of several occupancies, each with its share."""
    if len(parts) == 1:
        one = parts[0][1]
        return Occupancy(words, expected, one.empty, one.most, one.make_law)
    empty = math.fsum(share * part.empty for share, part in parts)
    return Occupancy(words, expected, empty, max(part.most for _, part in parts), partial(_mixed, tuple(parts)))


def groups(words: int, expected: float, full: int, group: tuple[int, int], cuts: Sequence[int], rows: int) -> Occupancy:
    """``rows`` times ``full`` whole groups with n of m words each, and pieces of ``cuts`` words of further groups."""
    n, m = group
    if not cuts:
        return certain(words, full * n * rows)
    empty = 0.0 if full else math.prod(_chance_of_none(m, n, cut) for cut in cuts) ** rows
    most = rows * (full * n + sum(min(n, cut) for cut in cuts))
    return Occupancy(words, expected, empty, most, partial(_groups_law, full * n * rows, group, tuple(cuts), rows))


def blocks_kept(words: int, pieces: Sequence[tuple[int, int]], blocks: int, density: float) -> Occupancy:
    """Words of the kept ones among ``pieces`` ``(words, number)`` of different blocks, of ``blocks`` in the tensor."""
    number = sum(count for _, count in pieces)
    return mixture(words, words * density, [
        (share, Occupancy(words, words * kept / blocks, _chance_of_none(blocks, kept, number),
                          _most_words(pieces, kept), partial(_blocks_law, tuple(pieces), blocks, kept)))
        for share, kept in split(blocks * density)
    ])  # fmt: skip


def thinned(
    words: int, pieces: Sequence[tuple[int, int]], blocks: int, density: float, inside: float
) -> Occupancy:
    """As `blocks_kept`, but a word of a kept block is not zero with probability ``inside``, each on its own."""
    kept = blocks_kept(words, pieces, blocks, density)
    if inside == 1.0:
        return kept
    chances = np.array([[(1.0 - inside) ** size for size, _ in pieces]])
    empty = math.fsum(
        share * float(_kept_products(pieces, blocks, marked, chances)[0].real)
        for share, marked in split(blocks * density)
    )
    return Occupancy(words, words * density * inside, empty, kept.most, partial(_thinned_law, kept, inside))


def split(count: float) -> list[tuple[float, int]]:
    """``count`` as whole numbers with shares: itself, or its two neighbours."""
    nearest = round(count)
    if abs(count - nearest) <= 1e-9 * max(1.0, count):
        return [(1.0, nearest)]
    low = math.floor(count)
    return [(low + 1 - count, low), (count - low, low + 1)]


def _most_words(pieces: Sequence[tuple[int, int]], kept: int) -> int:
    total = 0
    for words, number in sorted(pieces, reverse=True):
        taken = min(number, kept)
        total, kept = total + taken * words, kept - taken
    return total


def _chance_of_none(population: int, marked: int, drawn: int) -> float:
    """Probability that none of ``drawn`` out of ``population`` is among the ``marked``."""
    if drawn > population - marked:
        return 0.0
    few, many = sorted((marked, drawn))
    if few <= 4096:  # the product itself: logarithms of factorials cancel to few digits for a large population
        return float(np.exp(np.log1p(-many / (population - np.arange(few))).sum()))
    rest = population - marked
    logarithm = math.lgamma(rest + 1) - math.lgamma(rest - drawn + 1)
    return math.exp(min(0.0, logarithm - math.lgamma(population + 1) + math.lgamma(population - drawn + 1)))


# ---- laws ----------------------------------------------------------------------------------------------------------


def _one(count: int) -> Law:
    return np.array([count], dtype=np.int64), np.ones(1)


def _frequencies(counts: NDArray[np.int64]) -> Law:
    if counts.max() > 2 * counts.size:
        values, numbers = np.unique(counts, return_counts=True)
        return values, numbers / counts.size
    numbers = np.bincount(counts.ravel())
    found = np.flatnonzero(numbers)
    return found, numbers[found] / counts.size


def hypergeometric_law(population: int, marked: int, drawn: int) -> Law:
    """Counts of the ``marked`` among ``drawn`` out of ``population``, from the ratios of neighbouring probabilities."""
    low, high = max(0, drawn + marked - population), min(drawn, marked)
    share = marked / population
    variance = drawn * share * (1.0 - share) * (population - drawn) / max(1, population - 1)
    low, high = _window(low, high, drawn * share, variance)
    k = np.arange(low, high, dtype=np.float64)
    ratios = np.log((marked - k) * (drawn - k)) - np.log((k + 1.0) * (population - marked - drawn + k + 1.0))
    return _normalised(low, ratios)


def _binomial_law(number: int, share: float) -> Law:
    if share in (0.0, 1.0):
        return _one(round(number * share))
    low, high = _window(0, number, number * share, number * share * (1.0 - share))
    k = np.arange(low, high, dtype=np.float64)
    return _normalised(low, np.log(number - k) - np.log(k + 1.0) + math.log(share / (1.0 - share)))


def _window(low: int, high: int, mean: float, variance: float) -> tuple[int, int]:
    reach = _REACH * math.sqrt(variance) + 64.0
    return max(low, math.floor(mean - reach)), min(high, math.ceil(mean + reach))


def _normalised(low: int, log_ratios: NDArray[np.float64]) -> Law:
    logs = np.concatenate([[0.0], np.cumsum(log_ratios)])
    shares = np.exp(logs - logs.max())
    return np.arange(low, low + len(shares)), shares / shares.sum()


def _normal_law(low: int, high: int, mean: float, variance: float) -> Law:
    """A normal law on whole numbers, for sums of so many parts that no other is worth its time."""
    if variance <= 0.0:
        return _one(round(mean))
    low, high = _window(low, high, mean, variance)
    counts = np.arange(low, high + 1)
    shares = np.exp(-((counts - mean) ** 2) / (2.0 * variance))
    return counts, shares / shares.sum()


def _gathered(counts: NDArray[np.int64], shares: NDArray[np.float64]) -> Law:
    values, places = np.unique(counts, return_inverse=True)
    summed = np.zeros(len(values))
    np.add.at(summed, places, shares)
    return values[summed > 0.0], summed[summed > 0.0]


def _mixed(parts: Iterable[tuple[float, Occupancy]]) -> Law:
    laws = [(share, part.law) for share, part in parts]
    return _gathered(
        np.concatenate([counts for _, (counts, _) in laws]), np.concatenate([share * p for share, (_, p) in laws])
    )


def _groups_law(base: int, group: tuple[int, int], cuts: tuple[int, ...], rows: int) -> Law:
    n, m = group
    row = np.ones(1)
    for cut in cuts:
        counts, shares = hypergeometric_law(m, n, cut)
        piece = np.zeros(int(counts[-1]) + 1)
        piece[counts] = shares
        row = np.convolve(row, piece)
    steps = np.arange(len(row))
    mean, most = float(np.dot(row, steps)), rows * (len(row) - 1)
    variance = float(np.dot(row, (steps - mean) ** 2))
    if most > _MOST_WORK // 8:
        return _normal_law(base, base + most, base + rows * mean, rows * variance)
    length = most + 1
    spectrum: NDArray[Any] = np.fft.rfft(row, 1 << length.bit_length()) ** rows
    shares = np.clip(np.fft.irfft(spectrum)[:length], 0.0, None)
    low, high = _window(0, most, rows * mean, rows * variance)
    shares = shares[low : high + 1]
    return np.arange(base + low, base + high + 1), shares / shares.sum()


def _blocks_law(pieces: tuple[tuple[int, int], ...], blocks: int, kept: int) -> Law:
    """Words kept, from their characteristic function; several sizes of pieces are what makes it long."""
    number, words = sum(count for _, count in pieces), sum(size * count for size, count in pieces)
    if kept in (0, blocks):
        return _one(words if kept else 0)
    chosen, shares = hypergeometric_law(blocks, kept, number)
    if len(pieces) == 1:
        return chosen * pieces[0][0], shares
    unit, share = math.gcd(*(size for size, _ in pieces)), kept / blocks
    squares = sum(size * size * count for size, count in pieces)
    variance = share * (1.0 - share) * (blocks * squares - words * words) / (blocks - 1)
    low, high = _window(0, words // unit, share * words / unit, variance / unit**2)
    length = high - low + 1
    if length * _rows_needed(number, share) * len(pieces) > _MOST_WORK // 20:
        equal = max(1, round(words * words / squares))  # so many equal pieces have the same mean and variance
        chosen, shares = hypergeometric_law(blocks, kept, equal)
        whole, part = np.divmod(chosen * (words / equal), 1.0)
        whole = np.concatenate([whole, whole + 1.0]).astype(np.int64)
        return _gathered(whole, np.concatenate([shares * (1.0 - part), shares * part]))
    angles = (-2j * math.pi / length) * np.arange(length // 2 + 1)
    transform = _kept_products(pieces, blocks, kept, np.exp(np.outer(angles, [size // unit for size, _ in pieces])))
    units = np.arange(low, high + 1)
    found = np.fft.irfft(transform, length)[units % length]
    possible = found > 1e-16  # rounding errors elsewhere
    return units[possible] * unit, found[possible] / found[possible].sum()


def _rows_needed(number: int, share: float) -> int:
    low, high = _window(0, number, number * share, number * share * (1.0 - share))
    return high - low + 1


def _kept_products(
    pieces: Sequence[tuple[int, int]], blocks: int, kept: int, factors: NDArray[Any]
) -> NDArray[np.complex128]:
    """Mean of ``Π factors[:, j] ** (kept pieces of kind j)`` where ``kept`` of ``blocks`` are chosen at random.

    Independent choices that happen to be so many in sum are a choice without replacement: the mean for independent
    ones, as a polynomial in a variable that counts them, gets each coefficient reweighted by the chance of that number.
    """
    counts = [count for _, count in pieces]
    means = np.ones(len(factors), dtype=np.complex128)
    if kept in (0, blocks):
        means *= np.prod(factors ** (np.array(counts) * (kept // blocks)), axis=1)
        return means
    number, share = sum(counts), kept / blocks
    independent, chances = _binomial_law(number, share)
    chosen, shares = hypergeometric_law(blocks, kept, number)
    length = len(independent)  # coefficients further out vanish, so that they may wrap around
    weights = np.zeros(length)
    inside = (chosen >= independent[0]) & (chosen <= independent[-1])
    places = chosen[inside] - independent[0]
    weights[chosen[inside] % length] = shares[inside] / np.maximum(chances[places], 1e-300)
    roots = share * np.exp((-2j * math.pi / length) * np.arange(length))
    step = max(1, 1_000_000 // length)
    for start in range(0, len(factors), step):
        values = np.ones((len(factors[start : start + step]), length), dtype=np.complex128)
        for column, count in enumerate(counts):
            values *= (1.0 - share + factors[start : start + step, column, None] * roots) ** count
        means[start : start + step] = np.fft.ifft(values, axis=1) @ weights
    return means


def _thinned_law(kept: Occupancy, inside: float) -> Law:
    counts, shares = kept.law
    if len(counts) > _MOST_COUNTS:
        places = np.linspace(0, len(counts), _MOST_COUNTS + 1).astype(np.int64)[:-1]
        summed = np.add.reduceat(shares, places)
        means = np.add.reduceat(shares * counts, places) / np.maximum(summed, 1e-300)
        counts, shares = np.ceil(means).astype(np.int64), summed
    else:
        means = counts.astype(np.float64)
    spread = 2.0 * _REACH * math.sqrt(float(counts[-1]) * inside * (1.0 - inside)) + 128.0
    if len(counts) * spread > _MOST_WORK:
        middle = float(np.dot(shares, means))
        variance = inside * (1.0 - inside) * middle + inside**2 * float(np.dot(shares, (means - middle) ** 2))
        return _normal_law(0, int(counts[-1]), inside * middle, variance)
    total = np.zeros(int(counts[-1]) + 1)
    for count, mean, share in zip(counts.tolist(), means.tolist(), shares.tolist(), strict=True):
        values, chances = _binomial_law(count, inside * mean / max(1, count))
        total[values[0] : values[0] + len(values)] += share * chances
    found = np.flatnonzero(total)
    return found, total[found]
