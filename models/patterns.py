"""Where the zeros of a tensor are: at random, n of m, in blocks, off a band, or as measured.

A pattern answers how many words of a tile are not zero (`Occupancy`). The tensor is cut from its origin into tiles; the
question is about one of them, taken at random. Patterns are hashable, and equal ones
give equal costs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .occupancy import Occupancy, counted, groups, hypergeometric, mixture, thinned
from .tiles import Grid, Pieces, crossed, grids, length, profiles, summed

if TYPE_CHECKING:
    from .op import Tensor

__all__ = ["Banded", "Blocks", "Measured", "NofM", "Pattern", "Uniform", "tile_occupancy"]

Extents = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Pattern:
    """Base of all patterns."""

    @property
    def mean(self) -> float | None:
        """Share of words that are not zero; None where it depends on the operator's bounds."""
        raise BadInput(f"{type(self).__name__}: a pattern of zeros has to state its mean")

    @property
    def key(self) -> tuple[object, ...]:
        """Plain values that two patterns share exactly if they are equal."""
        return (type(self).__name__, *astuple(self))

    def density_for(self, tensor: Tensor, bounds: Mapping[str, int]) -> float:
        """The mean share for these bounds; BadInput where the tensor cannot have this pattern."""
        if self.mean is None:
            raise BadInput(f"{type(self).__name__}: a pattern without a mean of its own has to give its density")
        return self.mean

    def occupancy(self, tensor: Tensor, bounds: Mapping[str, int], grid: Grid) -> Occupancy:
        """Non-zero words of a tile of the grid; ``bounds`` and ``grid`` name every dimension of the tensor."""
        raise BadInput(f"{type(self).__name__}: a pattern of zeros has to give its occupancy")


@lru_cache(maxsize=4096)
def tile_occupancy(tensor: Tensor, bounds: Extents, tile: Extents, ends: bool) -> Occupancy:
    """`Op.occupancy` for hashable arguments."""
    pattern, sizes = tensor.pattern or Uniform(tensor.density), dict(bounds)
    if all(extent == 1 for _, extent in tile):
        pattern = Uniform(tensor.density)  # of single words a share is not zero, wherever they are
    parts = [(share, pattern.occupancy(tensor, sizes, grid)) for share, grid in grids(sizes, dict(tile), ends=ends)]
    expected = math.fsum(share * part.expected for share, part in parts)
    return mixture(max(part.words for _, part in parts), expected, parts)


# ---- zeros at random -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Uniform(Pattern):
    """Zeros at random places: the count in a tile is hypergeometric."""

    density: float

    def __post_init__(self) -> None:
        _check_share("density", self.density)

    @property
    def mean(self) -> float:
        """The share itself."""
        return self.density

    def occupancy(self, tensor: Tensor, bounds: Mapping[str, int], grid: Grid) -> Occupancy:
        """Hypergeometric for the words of the tile, wherever they are."""
        return hypergeometric(_words(tensor, grid), tensor.words(bounds), self.density)


# ---- structured zeros ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NofM(Pattern):
    """Of each ``m`` consecutive words along ``dim`` exactly ``n`` are not zero, any of them alike.

    2:4 is what sparse tensor cores take (Mishra et al., 2021, arXiv:2104.08378).
    """

    n: int
    m: int
    dim: str = "C"

    def __post_init__(self) -> None:
        _check_whole("m", self.m)
        _check_whole("n", self.n)
        if self.n > self.m:
            raise BadInput(f"{self.n} of {self.m} words cannot be non-zero: n > m; swap them or lower n")

    @property
    def mean(self) -> float:
        """n/m."""
        return self.n / self.m

    def density_for(self, tensor: Tensor, bounds: Mapping[str, int]) -> float:
        """n/m, where whole groups fill the dimension."""
        _check_axis(tensor, self.dim, "groups")
        size = bounds[self.dim]
        if size % self.m:
            remedy = "give a pattern only to layers it fits, or a measured mask"
            raise BadInput(f"groups of {self.m} along {self.dim} do not fill its {size} words; {remedy}")
        return self.mean

    def occupancy(self, tensor: Tensor, bounds: Mapping[str, int], grid: Grid) -> Occupancy:
        """Whole groups hold n each; of a group that the tile cuts, n words fall into it or not at random."""
        words, extent = _words(tensor, grid), grid[self.dim].extent
        parts = []
        for pieces, share in profiles(grid[self.dim], self.m):
            full = sum(count for size, count in pieces if size == self.m)
            cuts = [size for size, count in pieces for _ in range(count) if size != self.m]
            parts.append((share, groups(words, words * self.mean, full, (self.n, self.m), cuts, words // extent)))
        return mixture(words, words * self.mean, parts)


@dataclass(frozen=True)
class Blocks(Pattern):
    """A share of aligned blocks is kept, chosen at random; all words of the others are zero.

    ``block`` pairs dimensions with sizes (not named: 1); inside a kept block a word is not zero with probability
    ``inside``. Blocks at the tensor's end may be smaller.
    """

    density: float
    block: tuple[tuple[str, int], ...]
    inside: float = 1.0

    def __post_init__(self) -> None:
        _check_share("density", self.density)
        _check_share("inside", self.inside)
        try:
            pairs = self.block.items() if isinstance(self.block, Mapping) else self.block
            object.__setattr__(self, "block", tuple((dim, size) for dim, size in pairs))
        except (TypeError, ValueError):
            remedy = "give dimensions and sizes, such as {'K': 16, 'C': 16}"
            raise BadInput(f"{self.block!r} is no block; {remedy}") from None
        names = [dim for dim, _ in self.block]
        if not names or len(set(names)) != len(names):
            raise BadInput(f"a block names each of its dimensions once, such as {{K: 16, C: 16}}; given: {names}")
        for dim, size in self.block:
            _check_whole(f"the block's {dim}", size)

    @property
    def mean(self) -> float:
        """Share of blocks times the share inside them."""
        return self.density * self.inside

    def density_for(self, tensor: Tensor, bounds: Mapping[str, int]) -> float:
        """The mean, where no block is larger than its dimension."""
        for dim, size in self.block:
            _check_axis(tensor, dim, "blocks")
            most = bounds[dim]
            if size > most:
                raise BadInput(f"a block of {size} along {dim} is larger than the dimension, {most}; take {most}")
        return self.mean

    def occupancy(self, tensor: Tensor, bounds: Mapping[str, int], grid: Grid) -> Occupancy:
        """Kept blocks among those the tile touches are hypergeometric; each brings the words the tile has of it."""
        sizes, words, total = dict(self.block), _words(tensor, grid), 1
        tile = _extents(grid)
        axes: list[list[tuple[Pieces, float]]] = []
        for rank in tensor.ranks:
            dim = rank.terms[0][0]
            if len(rank.terms) == 1 and dim in sizes:
                axes.append(profiles(grid[dim], sizes[dim]))
                total *= -(-bounds[dim] // sizes[dim])
            else:
                axes.append([(((1, rank.words(tile)),), 1.0)])
                total *= rank.words(bounds)
        shares: dict[Pieces, float] = {}
        for choice in product(*axes):
            pieces = crossed([pieces for pieces, _ in choice])
            shares[pieces] = shares.get(pieces, 0.0) + math.prod(share for _, share in choice)
        parts = [
            (share, thinned(words, pieces, total, self.density, self.inside)) for pieces, share in shares.items()
        ]
        return mixture(words, words * self.mean, parts)


@dataclass(frozen=True)
class Banded(Pattern):
    """Not zero where ``|row · C/R − column| ≤ width``: local attention, banded matrices.

    ``rows`` and ``columns`` are dimensions with bounds R and C; the band repeats over all others. Its density follows
    from the bounds.
    """

    rows: str
    columns: str
    width: float

    def __post_init__(self) -> None:
        if self.rows == self.columns:
            raise BadInput(f"a band lies across two dimensions, not along {self.rows} alone; name another")
        if not 0.0 <= self.width < math.inf:
            raise BadInput(f"a band's width of {self.width} is no distance; use 0 or more words")

    @property
    def mean(self) -> None:
        """Depends on the bounds."""
        return None

    def edges(self, bounds: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First column inside and first one behind the band, by row."""
        centre = np.arange(bounds[self.rows]) * (bounds[self.columns] / bounds[self.rows])
        low = np.ceil(centre - self.width - 1e-9).astype(np.int64)
        high = np.floor(centre + self.width + 1e-9).astype(np.int64) + 1
        return np.clip(low, 0, bounds[self.columns]), np.clip(high, 0, bounds[self.columns])

    def mask(self, bounds: Mapping[str, int]) -> NDArray[np.bool_]:
        """The band as rows × columns."""
        low, high = self.edges(bounds)
        columns = np.arange(bounds[self.columns])
        return (columns >= low[:, None]) & (columns < high[:, None])

    def density_for(self, tensor: Tensor, bounds: Mapping[str, int]) -> float:
        """Share of the words inside the band."""
        for dim in (self.rows, self.columns):
            _check_axis(tensor, dim, "a band")
        low, high = self.edges(bounds)
        inside = int((high - low).sum())
        if not inside:
            raise BadInput(f"a band of width {self.width} holds no word; widen it")
        return inside / (bounds[self.rows] * bounds[self.columns])

    def occupancy(self, tensor: Tensor, bounds: Mapping[str, int], grid: Grid) -> Occupancy:
        """The words inside the band of every tile."""
        low, high = self.edges(bounds)
        (top, height, down), (left, width, across) = grid[self.rows], grid[self.columns]
        counts = np.empty((down, across), dtype=np.int64)
        for column in range(across):
            start = left + column * width
            inside = np.clip(np.minimum(high, start + width) - np.maximum(low, start), 0, None)
            counts[:, column] = inside[top : top + down * height].reshape(down, height).sum(axis=1)
        words = _words(tensor, grid)
        return counted(words, counts * (words // (height * width)))


# ---- measured zeros ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Measured(Pattern):
    """Not zero where a mask says so; make one with `Measured.of`.

    ``packed`` holds the mask's bits, ``shape`` its extents along ``dims``: each names an axis of the tensor by its
    (first) dimension. Axes that are left out, or have extent 1, repeat.
    """

    packed: bytes = field(repr=False)
    shape: tuple[int, ...]
    dims: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.dims) or len(set(self.dims)) != len(self.dims):
            what = f"a mask of {len(self.shape)} axes is given for the dimensions {list(self.dims)}"
            raise BadInput(f"{what}; name each axis once, in the mask's order")
        if len(self.packed) != -(-math.prod(self.shape) // 8):
            raise BadInput(f"{len(self.packed)} bytes are no mask of shape {self.shape}; make it with Measured.of")
        if not any(self.packed):
            raise BadInput("all words of the mask are zero; leave such a layer out of the network")

    @staticmethod
    def of(array: Any, dims: Sequence[str]) -> Measured:
        """The non-zeros of ``array`` (numpy, torch or nested lists), whose axes are ``dims`` in this order."""
        values = array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
        return Measured(np.packbits(values != 0).tobytes(), tuple(map(int, values.shape)), tuple(dims))

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The mask, read-only."""
        bits = np.unpackbits(np.frombuffer(self.packed, dtype=np.uint8), count=math.prod(self.shape))
        mask = bits.astype(np.bool_).reshape(self.shape)
        mask.flags.writeable = False
        return mask

    @cached_property
    def mean(self) -> float:
        """Share of the mask that is not zero."""
        return float(self.mask.mean())

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Dimensions, shape and a digest of the bits."""
        return ("Measured", self.dims, self.shape, hashlib.sha256(self.packed).hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Measured) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        extents = ", ".join(f"{dim}: {size}" for dim, size in zip(self.dims, self.shape, strict=True))
        return f"Measured({{{extents}}}, {self.mean:.4f} non-zero)"

    def __reduce__(self) -> tuple[object, ...]:
        return Measured, (self.packed, self.shape, self.dims)

    def density_for(self, tensor: Tensor, bounds: Mapping[str, int]) -> float:
        """The mask's mean, where its axes are the tensor's."""
        ranks = {rank.terms[0][0]: rank for rank in tensor.ranks}
        for dim, size in zip(self.dims, self.shape, strict=True):
            if dim not in ranks:
                raise BadInput(f"the mask names '{dim}'; axes of this tensor are {', '.join(ranks)}")
            wanted = length(ranks[dim], bounds)
            if size not in (1, wanted):
                raise BadInput(f"the mask has {size} words along {dim}, the tensor {wanted}; measure it for this shape")
        return self.mean

    def occupancy(self, tensor: Tensor, bounds: Mapping[str, int], grid: Grid) -> Occupancy:
        """The non-zeros of every tile."""
        counts: NDArray[Any] = self.mask
        ranks = {rank.terms[0][0]: rank for rank in tensor.ranks}
        tile, words, seen = _extents(grid), _words(tensor, grid), 1
        for axis, (dim, size) in enumerate(zip(self.dims, self.shape, strict=True)):
            if size == 1 and length(ranks[dim], bounds) > 1:
                continue
            counts = summed(counts, axis, ranks[dim], grid)
            seen *= ranks[dim].words(tile)
        return counted(words, np.asarray(counts, dtype=np.int64) * (words // seen))


# ---- shared --------------------------------------------------------------------------------------------------------


def _extents(grid: Grid) -> dict[str, int]:
    return {dim: cut.extent for dim, cut in grid.items()}


def _words(tensor: Tensor, grid: Grid) -> int:
    return tensor.words(_extents(grid))


def _check_share(what: str, share: float) -> None:
    if not 0.0 < share <= 1.0:
        raise BadInput(f"{what} {share} is outside (0, 1]; give the share that is not zero")


def _check_whole(what: str, size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise BadInput(f"{what} is {size}; it is a whole number of words, 1 or more")


def _check_axis(tensor: Tensor, dim: str, what: str) -> None:
    plain = [rank.terms[0][0] for rank in tensor.ranks if len(rank.terms) == 1]
    if dim not in plain:
        kind = "a window of the tensor, not an axis" if dim in tensor.dims else "no dimension of the tensor"
        raise BadInput(f"{what} along '{dim}', which is {kind}; use {', '.join(plain)}")
