"""How a network is written in YAML: pydantic models, each of which builds its operator.

Letters are the field's: N batch (or rows), G groups, K output and C input channels per group, P×Q output height×width,
R×S filter. A rank of a general einsum is text: ``C``, ``P*2+R``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import BadInput
from .op import ROLES, Op, Rank, Role, Tensor, VectorOp, batched_matmul, conv2d, linear, transposed_conv2d
from .patterns import Pattern
from .yaml_zeros import ZerosSpec

__all__ = ["ContractionSpec", "EinsumSpec", "LayerSpec", "NetworkSpec", "VectorSpec", "parse_rank", "rank_text"]

Count = Annotated[int, Field(strict=True, ge=1)]
Amount = Annotated[int, Field(strict=True, ge=0)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[str, Field(min_length=1)]
Steps = Count | Annotated[list[Count], Field(min_length=2, max_length=2)]

_TERM = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\*\s*(\d+))?\s*\Z")


def parse_rank(text: str) -> Rank:
    """``P*2+R`` as a `Rank`. Raises `BadInput` for anything but one or two dimensions with whole factors."""
    terms = []
    for part in text.split("+"):
        match = _TERM.match(part)
        if match is None:
            raise BadInput(f"'{text}' is not a rank; write a dimension or a sum such as P*2+R")
        terms.append((match[1], int(match[2] or 1)))
    try:
        return Rank(tuple(terms))
    except BadInput as error:
        remedy = "use one or two distinct dimensions with factors of at least 1"
        raise BadInput(f"'{text}' is not a rank; {remedy}") from error


def rank_text(rank: Rank) -> str:
    """The text that `parse_rank` reads back."""
    return "+".join(dim if factor == 1 else f"{dim}*{factor}" for dim, factor in rank.terms)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Widths(_Model):
    """Word widths in bits per tensor."""

    input: Count = 8
    weight: Count = 8
    output: Count = 8


class Densities(_Model):
    """Shares of words that are not zero, or where these are, per tensor."""

    input: ZerosSpec = ZerosSpec(density=1.0)
    weight: ZerosSpec = ZerosSpec(density=1.0)
    output: ZerosSpec = ZerosSpec(density=1.0)

    def patterns(self) -> dict[Role, Pattern]:
        """The zeros by tensor."""
        return {"input": self.input.pattern(), "weight": self.weight.pattern(), "output": self.output.pattern()}


class _Layer(_Model):
    name: Name
    inputs: list[str] | None = Field(None, description="layers read; default: the one before")


class ContractionSpec(_Layer):
    """What all multiply-accumulate layers share."""

    label: Name | None = Field(None, description="kind shown in reports, where it differs from `kind`")
    bits: Count | Widths = 8
    density: Densities = Densities()

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        raise BadInput(f"{self.name}: a contraction needs a kind")

    def operator(self) -> Op:
        """The operator described. Raises `BadInput` where its parts contradict each other."""
        op = self.shape()
        width = {role: self.bits if isinstance(self.bits, int) else getattr(self.bits, role) for role in ROLES}
        zeros = self.density.patterns()
        first, second, result = (
            replace(tensor, bits=width[tensor.role], pattern=zeros[tensor.role]) for tensor in op.tensors
        )
        return replace(op, tensors=(first, second, result), kind=self.label or op.kind)


def _both(steps: int | list[int]) -> tuple[int, int]:
    return (steps, steps) if isinstance(steps, int) else (steps[0], steps[1])


class _Filter(ContractionSpec):
    n: Count = 1
    r: Count
    s: Count
    stride: Steps = 1
    bias: Flag = True


class ConvSpec(_Filter):
    """A convolution; channels are per group."""

    kind: Literal["conv2d"]
    g: Count = 1
    k: Count
    c: Count
    p: Count
    q: Count
    dilation: Steps = 1

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        return conv2d(
            self.name, n=self.n, g=self.g, k=self.k, c=self.c, p=self.p, q=self.q, r=self.r, s=self.s,
            stride=_both(self.stride), dilation=_both(self.dilation), bias=self.bias,
        )


class DepthwiseSpec(_Filter):
    """A convolution with one filter per channel."""

    kind: Literal["depthwise_conv2d"]
    channels: Count
    p: Count
    q: Count
    dilation: Steps = 1

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        return conv2d(
            self.name, n=self.n, g=self.channels, k=1, c=1, p=self.p, q=self.q, r=self.r, s=self.s,
            stride=_both(self.stride), dilation=_both(self.dilation), bias=self.bias, kind=self.kind,
        )


class TransposedConvSpec(_Filter):
    """A transposed convolution; h×w is the input size."""

    kind: Literal["transposed_conv2d"]
    g: Count = 1
    k: Count
    c: Count
    h: Count
    w: Count

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        return transposed_conv2d(
            self.name, n=self.n, g=self.g, k=self.k, c=self.c, h=self.h, w=self.w, r=self.r, s=self.s,
            stride=_both(self.stride), bias=self.bias,
        )


class LinearSpec(ContractionSpec):
    """A fully connected layer on n rows."""

    kind: Literal["linear"]
    n: Count = 1
    k: Count
    c: Count
    bias: Flag = True

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        return linear(self.name, n=self.n, k=self.k, c=self.c, bias=self.bias)


class MatmulSpec(ContractionSpec):
    """g products of an n×c by a c×k matrix; ``parameter``: the second one is stored with the network."""

    kind: Literal["matmul"]
    g: Count = 1
    n: Count
    k: Count
    c: Count
    parameter: Flag = False

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        return batched_matmul(self.name, g=self.g, n=self.n, k=self.k, c=self.c, parameter=self.parameter)


class EinsumSpec(ContractionSpec):
    """Any contraction: bounds of its dimensions, ranks of its tensors, which tensors are stored, bias words."""

    kind: Literal["einsum"]
    dims: Annotated[dict[str, Count], Field(min_length=1)]
    input: list[str]
    weight: list[str]
    output: list[str]
    parameters: list[Role] = []
    bias: Amount = 0

    def shape(self) -> Op:
        """The operator with words of 8 bits and no zeros."""
        first, second, result = (
            Tensor(role, tuple(map(parse_rank, getattr(self, role))), is_parameter=role in self.parameters)
            for role in ROLES
        )
        return Op(self.name, tuple(self.dims.items()), (first, second, result), bias=self.bias)


class VectorSpec(_Layer):
    """Anything else; ``function`` is what reports show (relu, softmax, max_pool …)."""

    kind: Literal["vector"]
    function: Name
    operations: Amount
    words_in: Amount
    words_out: Amount
    bits: Count = 8
    params: Amount = 0
    fused: Flag = False

    def operator(self) -> VectorOp:
        """The operator described."""
        return VectorOp(
            self.name, self.function, self.operations, self.words_in, self.words_out, self.bits, self.params, self.fused
        )


LayerSpec = Annotated[
    ConvSpec | DepthwiseSpec | TransposedConvSpec | LinearSpec | MatmulSpec | EinsumSpec | VectorSpec,
    Field(discriminator="kind"),
]


class NetworkSpec(_Model):
    """A network: its layers in topological order."""

    kinds: ClassVar[dict[str, Callable[..., Any]]] = {
        "conv2d": ConvSpec, "depthwise_conv2d": DepthwiseSpec, "transposed_conv2d": TransposedConvSpec,
        "linear": LinearSpec, "matmul": MatmulSpec, "einsum": EinsumSpec,
    }

    name: Name
    source: str = ""
    notes: list[str] = []
    extra_params: Amount = 0
    layers: Annotated[list[LayerSpec], Field(min_length=1)]
