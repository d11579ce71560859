"""Operators: contractions over named dimensions (`Op`) and everything else (`VectorOp`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ..errors import BadInput, suggestion
from .occupancy import Occupancy
from .patterns import Pattern, Uniform, tile_occupancy

Role = Literal["input", "weight", "output"]
ROLES: tuple[Role, ...] = ("input", "weight", "output")

__all__ = [
    "ROLES",
    "Op",
    "Rank",
    "Role",
    "Tensor",
    "VectorOp",
    "batched_matmul",
    "conv2d",
    "linear",
    "transposed_conv2d",
]


@dataclass(frozen=True)
class Rank:
    """One axis of a tensor: the affine sum ``Σ coefficient · dimension`` of at most two dimensions.

    A convolution's input row is ``P·stride + R·dilation``: terms ``(("P", stride), ("R", dilation))``.
    """

    terms: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        names = [dim for dim, _ in self.terms]
        if not 1 <= len(names) <= 2 or len(set(names)) != len(names):
            raise BadInput(f"rank {self.terms}: one or two distinct dimensions are needed")
        if any(coefficient < 1 for _, coefficient in self.terms):
            raise BadInput(f"rank {self.terms}: coefficients must be at least 1")

    def words(self, extents: Mapping[str, int]) -> int:
        """Distinct positions touched when each dimension runs over ``extents[dim]`` consecutive values.

        For two terms, i·a + j·b over p × r points collides exactly along (i+b', j−a') with a', b' the
        coefficients divided by their greatest common divisor; each collision merges two points of a chain.
        """
        if len(self.terms) == 1:
            return extents[self.terms[0][0]]
        (dim_a, a), (dim_b, b) = self.terms
        p, r = extents[dim_a], extents[dim_b]
        g = math.gcd(a, b)
        return p * r - max(0, p - b // g) * max(0, r - a // g)


@dataclass(frozen=True)
class Tensor:
    """An operand or the result of an `Op`.

    ``role`` is what hardware specs refer to. ``weight`` is the second operand; ``is_parameter`` says whether it is
    stored with the network (attention's products have an activation there). ``bits`` is the word width, ``density``
    the share of words that are not zero and ``pattern`` where they are (None: anywhere; `Uniform` becomes None). A
    pattern states its density; one given beside it must be the same.
    """

    role: Role
    ranks: tuple[Rank, ...]
    bits: int = 8
    is_parameter: bool = False
    density: float = 1.0
    pattern: Pattern | None = None

    def __post_init__(self) -> None:
        if self.bits < 1:
            raise BadInput(f"{self.role}.bits: {self.bits} is not a word width; use 1 or more")
        stated = self.pattern.mean if self.pattern is not None else None
        if stated is not None and self.density != 1.0 and not math.isclose(self.density, stated):
            what = f"{self.role}.density: {self.density} is given beside a pattern with the density {stated}"
            raise BadInput(f"{what}; give the pattern alone")
        object.__setattr__(self, "density", self.density if stated is None else stated)
        if isinstance(self.pattern, Uniform):
            object.__setattr__(self, "pattern", None)
        if not 0.0 < self.density <= 1.0:
            raise BadInput(f"{self.role}.density: {self.density} is outside (0, 1]")
        names = [dim for rank in self.ranks for dim, _ in rank.terms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BadInput(
                f"{self.role}: dimension {twice[0]} stands in two ranks, which the count of words cannot tell apart; "
                "merge the ranks or name a second dimension"
            )

    @cached_property
    def dims(self) -> frozenset[str]:
        """Names of the dimensions the tensor depends on ("relevant" dimensions)."""
        return frozenset(dim for rank in self.ranks for dim, _ in rank.terms)

    def words(self, extents: Mapping[str, int]) -> int:
        """Distinct words touched by a tile of the given extents."""
        return math.prod(rank.words(extents) for rank in self.ranks)


@dataclass(frozen=True)
class Op:
    """A contraction: ``output[...] += input[...] · weight[...]`` over the whole box of its dimensions.

    ``dims`` pairs each dimension with its bound (≥ 1), in the order N G K C P Q R S where these letters apply.
    ``bias`` is the number of bias words added once to the output (batch norm folded in leaves one per channel).
    """

    name: str
    dims: tuple[tuple[str, int], ...]
    tensors: tuple[Tensor, Tensor, Tensor]
    kind: str = "einsum"
    bias: int = 0

    def __post_init__(self) -> None:
        names = [dim for dim, _ in self.dims]
        if len(set(names)) != len(names):
            raise BadInput(f"{self.name}: a dimension is named twice: {names}")
        for dim, bound in self.dims:
            if bound < 1:
                raise BadInput(f"{self.name}: dimension {dim} has bound {bound}; it must be at least 1")
        if tuple(tensor.role for tensor in self.tensors) != ROLES:
            raise BadInput(f"{self.name}: tensors must be input, weight, output in this order")
        unknown = {dim for tensor in self.tensors for dim in tensor.dims} - set(names)
        if unknown:
            raise BadInput(f"{self.name}: tensors use undeclared dimensions {sorted(unknown)}")
        if any(tensor.pattern is not None for tensor in self.tensors):
            object.__setattr__(self, "tensors", tuple(map(self._measured, self.tensors)))

    def _measured(self, tensor: Tensor) -> Tensor:
        """The tensor with the density that its pattern has for these bounds."""
        if tensor.pattern is None:
            return tensor
        try:
            density = tensor.pattern.density_for(tensor, self.bounds)
        except BadInput as error:
            raise BadInput(f"{self.name}.{tensor.role}: {error}") from error
        return tensor if tensor.density == density else replace(tensor, density=density)

    @cached_property
    def bounds(self) -> dict[str, int]:
        """Dimension name to bound."""
        return dict(self.dims)

    def tensor(self, role: Role) -> Tensor:
        """The tensor with this role."""
        return self.tensors[ROLES.index(role)]

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates: the product of all bounds."""
        return math.prod(bound for _, bound in self.dims)

    @cached_property
    def params(self) -> int:
        """Stored words: the weight tensor if it is a parameter, plus the bias."""
        weight = self.tensor("weight")
        return (weight.words(self.bounds) if weight.is_parameter else 0) + self.bias

    def words(self, role: Role) -> int:
        """Distinct words of a whole tensor that the operator touches."""
        return self.tensor(role).words(self.bounds)

    def occupancy(self, role: Role, tile: Mapping[str, int], *, ends: bool = False) -> Occupancy:
        """Non-zero words of a tile of ``role`` with these extents (not named: 1; beyond the bound: the bound).

        The tensor is cut from its origin into tiles of this size, and one of them is taken at random: of the whole
        ones, or with ``ends`` of all, those included that are smaller because the tensor ends there. Raises BadInput
        for an unknown tensor or dimension and for an extent that is no whole number from 1 on.
        """
        if role not in ROLES:
            raise BadInput(f"{self.name} has no tensor '{role}'; use {', '.join(ROLES)}")
        for dim, extent in tile.items():
            if dim not in self.bounds:
                remedy = suggestion(dim, self.bounds, "dimensions are")
                raise BadInput(f"{self.name}: a tile along '{dim}', which is no dimension here; {remedy}")
            if extent < 1 or extent != int(extent):
                raise BadInput(f"{self.name}: a tile of {extent} along {dim}; it must be at least 1, and whole")
        tensor = self.tensor(role)
        bounds = tuple((dim, bound) for dim, bound in self.dims if dim in tensor.dims)
        extents = tuple((dim, min(bound, tile.get(dim, 1))) for dim, bound in bounds)
        return tile_occupancy(tensor, bounds, extents, ends)

    @cached_property
    def shape_key(self) -> tuple[object, ...]:
        """What decides the operator's cost: two operators with equal keys cost the same on any hardware."""
        if all(tensor.pattern is None for tensor in self.tensors):
            return (self.dims, self.tensors)
        keys = tuple(tensor.pattern.key if tensor.pattern is not None else () for tensor in self.tensors)
        return (self.dims, tuple(replace(tensor, pattern=None) for tensor in self.tensors), keys)


@dataclass(frozen=True)
class VectorOp:
    """An operator that is no contraction: pooling, softmax, norms, activations, element-wise, gather, sort.

    ``operations`` counts scalar operations on the vector lanes; ``words_in``/``words_out`` the activations read and
    written; ``params`` stored words it reads (an embedding table, a norm's scale and shift). ``fused`` says that it is
    applied to its producer's output as it streams by, so that it moves no words of its own (ReLU after a convolution).
    """

    name: str
    kind: str
    operations: int
    words_in: int
    words_out: int
    bits: int = 8
    params: int = 0
    fused: bool = False

    def __post_init__(self) -> None:
        for field in ("operations", "words_in", "words_out", "params"):
            if getattr(self, field) < 0:
                raise BadInput(f"{self.name}.{field}: {getattr(self, field)} is negative")
        if self.bits < 1:
            raise BadInput(f"{self.name}.bits: {self.bits} is not a word width; use 1 or more")

    @property
    def macs(self) -> int:
        """Vector operators perform no multiply-accumulates on the array."""
        return 0

    @cached_property
    def shape_key(self) -> tuple[object, ...]:
        """What decides the operator's cost."""
        return (self.operations, self.words_in, self.words_out, self.bits, self.params, self.fused)


def _rank(*terms: tuple[str, int]) -> Rank:
    return Rank(tuple(terms))


def _plain(*dims: str) -> tuple[Rank, ...]:
    return tuple(_rank((dim, 1)) for dim in dims)


def conv2d(
    name: str,
    *,
    n: int = 1,
    g: int = 1,
    k: int,
    c: int,
    p: int,
    q: int,
    r: int,
    s: int,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    bits: int = 8,
    bias: bool = True,
    kind: str = "conv2d",
) -> Op:
    """A (grouped, strided, dilated) convolution; ``k`` and ``c`` are channels *per group*, ``p``×``q`` the output size.

    Depthwise: ``g=channels, k=1, c=1``. Words outside the input (padding) count as data, as in Timeloop.
    """
    tensors = (
        Tensor(
            "input",
            (
                *_plain("N", "G", "C"),
                _rank(("P", stride[0]), ("R", dilation[0])),
                _rank(("Q", stride[1]), ("S", dilation[1])),
            ),
            bits,
        ),
        Tensor("weight", _plain("G", "K", "C", "R", "S"), bits, is_parameter=True),
        Tensor("output", _plain("N", "G", "K", "P", "Q"), bits),
    )
    dims = (("N", n), ("G", g), ("K", k), ("C", c), ("P", p), ("Q", q), ("R", r), ("S", s))
    return Op(name, dims, tensors, kind, bias=g * k if bias else 0)


def transposed_conv2d(
    name: str,
    *,
    n: int = 1,
    g: int = 1,
    k: int,
    c: int,
    h: int,
    w: int,
    r: int,
    s: int,
    stride: tuple[int, int] = (1, 1),
    bits: int = 8,
    bias: bool = True,
) -> Op:
    """A transposed convolution: every input position (``h``×``w``) is spread over an r×s patch of the output."""
    tensors = (
        Tensor("input", _plain("N", "G", "C", "P", "Q"), bits),
        Tensor("weight", _plain("G", "K", "C", "R", "S"), bits, is_parameter=True),
        Tensor(
            "output",
            (*_plain("N", "G", "K"), _rank(("P", stride[0]), ("R", 1)), _rank(("Q", stride[1]), ("S", 1))),
            bits,
        ),
    )
    dims = (("N", n), ("G", g), ("K", k), ("C", c), ("P", h), ("Q", w), ("R", r), ("S", s))
    return Op(name, dims, tensors, "transposed_conv2d", bias=g * k if bias else 0)


def linear(name: str, *, n: int, k: int, c: int, bits: int = 8, bias: bool = True) -> Op:
    """A fully connected layer on ``n`` rows (batch × tokens), ``c`` inputs and ``k`` outputs."""
    tensors = (
        Tensor("input", _plain("N", "C"), bits),
        Tensor("weight", _plain("K", "C"), bits, is_parameter=True),
        Tensor("output", _plain("N", "K"), bits),
    )
    return Op(name, (("N", n), ("K", k), ("C", c)), tensors, "linear", bias=k if bias else 0)


def batched_matmul(name: str, *, g: int, n: int, k: int, c: int, bits: int = 8, parameter: bool = False) -> Op:
    """``g`` independent products of an n×c by a c×k matrix (attention's products, expert GEMMs)."""
    tensors = (
        Tensor("input", _plain("G", "N", "C"), bits),
        Tensor("weight", _plain("G", "C", "K"), bits, is_parameter=parameter),
        Tensor("output", _plain("G", "N", "K"), bits),
    )
    return Op(name, (("G", g), ("N", n), ("K", k), ("C", c)), tensors, "matmul")
