"""How an importer's contractions become `Op`s: convolutions, products by numpy's rules, einsum, attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from .importing import Builder, Shape, Step, Value, known
from .op import batched_matmul, conv2d, linear, transposed_conv2d

__all__ = ["attend", "convolve", "einsum", "matmul", "multiply"]


def convolve(
    builder: Builder, step: Step, x: Value, weight: Value, bias: Value | None, *, out: Shape,
    stride: Sequence[int], dilation: Sequence[int], groups: int, transposed: bool = False,
) -> None:
    """A 1-D or 2-D convolution with the spatial size ``out``.

    The weight is (Cout, Cin/groups, *kernel), transposed (Cin, Cout/groups, *kernel).
    """
    shape, filters = known(x, step), known(weight, step)
    rank = len(filters) - 2
    n = shape[0] if len(shape) == rank + 2 else 1  # torch allows a missing batch axis
    label, biased = builder.unique(step.label), bias is not None
    r, s = _two(filters[2:], rank)
    if transposed:
        h, w = _two(shape[-rank:], rank)
        op = transposed_conv2d(label, n=n, g=groups, k=filters[1], c=filters[0] // groups, h=h, w=w, r=r, s=s,
                               stride=_two(stride, rank), bits=builder.bits, bias=biased)
    else:
        p, q = _two(out, rank)
        c, k = filters[1], filters[0] // groups
        kind = "depthwise_conv2d" if groups > 1 and c == k == 1 else "conv2d"
        op = conv2d(label, n=n, g=groups, k=k, c=c, p=p, q=q, r=r, s=s, stride=_two(stride, rank),
                    dilation=_two(dilation, rank), bits=builder.bits, bias=biased, kind=kind)
    builder.contract(step, op, x, weight, bias, "GCKRS" if transposed else "GKCRS")


def multiply(
    builder: Builder, step: Step, left: Value, right: Value, *, g: int, n: int, k: int, c: int,
    bias: Value | None = None, axes: str = "",
) -> None:
    """``g`` products of n×c by c×k; one with a stored operand is a linear layer (the stored one is its weight).

    ``axes`` are those along which ``right`` lies, if known.
    """
    if left.constant and not right.constant:
        left, right, n, k, axes = right, left, k, n, "GKC" if axes else ""
    label = builder.unique(step.label)
    if right.constant and g == 1:
        op = linear(label, n=n, k=k, c=c, bits=builder.bits, bias=bias is not None)
    else:
        op = batched_matmul(label, g=g, n=n, k=k, c=c, bits=builder.bits, parameter=right.constant)
        op = replace(op, bias=g * k) if bias is not None else op
    builder.contract(step, op, left, right, bias, axes)


def matmul(builder: Builder, step: Step, left: Value, right: Value, bias: Value | None = None) -> None:
    """numpy's rules: leading axes broadcast; an axis that only one operand has widens that operand's matrix."""
    a, b = known(left, step), known(right, step)
    a, b = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    rank = max(len(a), len(b))
    g, n, k, c = 1, a[-2], b[-1], a[-1]
    for p, q in zip(((1,) * rank + a)[-rank:-2], ((1,) * rank + b)[-rank:-2], strict=True):
        g, n, k = (g * p, n, k) if p == q else (g, n * p, k * q)
    axes = "GCK" if (n, k) == (a[-2], b[-1]) else ""  # widened by broadcasting, rows and columns are merged axes
    multiply(builder, step, left, right, g=g, n=n, k=k, c=c, bias=bias, axes=axes)


def einsum(builder: Builder, step: Step, equation: str, operands: Sequence[Value]) -> None:
    """A product of two operands whose letters are batch, row, column or summed; anything else is refused."""
    equation = _spelled_out(equation.replace(" ", ""), operands, step)
    terms, arrow, result = equation.partition("->")
    labels = terms.split(",")
    plain = arrow and len(labels) == 2 and "." not in equation and all(len(set(term)) == len(term) for term in labels)
    if not plain or not set(labels[0]) ^ set(labels[1]) <= set(result):
        builder.refuse(replace(step, kind=f"{step.kind} '{equation}'"), operands)
        return
    sizes = {letter: size for term, operand in zip(labels, operands, strict=True)
             for letter, size in zip(term, known(operand, step), strict=True)}
    left, right, kept = set(labels[0]), set(labels[1]), set(result)

    def product(letters: set[str]) -> int:
        return math.prod(sizes[letter] for letter in letters)

    multiply(builder, step, operands[0], operands[1], g=product(left & right & kept), n=product(left - right),
             k=product(right - left), c=product((left & right) - kept))


def _spelled_out(equation: str, operands: Sequence[Value], step: Step) -> str:
    """``...`` of both operands as letters, if it stands for equally many axes of equal size."""
    terms = equation.partition("->")[0].split(",")
    if len(terms) != 2 or not all(term.startswith("...") for term in terms):
        return equation
    leading = [known(operand, step)[: len(known(operand, step)) - len(term) + 3]
               for term, operand in zip(terms, operands, strict=True)]
    free = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in equation]
    return equation.replace("...", "".join(free[: len(leading[0])])) if leading[0] == leading[1] else equation


def attend(
    builder: Builder, step: Step, query: Value, key: Value, value: Value, mask: Value | None = None
) -> None:
    """softmax(Q·Kᵀ)·V of (…, heads, length, width); query heads that share a key head are rows of one product.

    Masked positions are computed, as dense hardware does.
    """
    q, s, v = known(query, step), known(key, step), known(value, step)
    heads = math.prod(s[:-2])
    rows, length = q[-2] * (math.prod(q[:-2]) // heads), s[-2]
    product, softmax = f"{step.outputs[0][0]}.qk", f"{step.outputs[0][0]}.softmax"
    scores: Shape = (heads, rows, length)
    multiply(builder, Step(step.kind, f"{step.label}.qk", ((product, scores),)), query, key,
             g=heads, n=rows, k=length, c=q[-1])
    builder.vector(Step(step.kind, f"{step.label}.softmax", ((softmax, scores),)), "softmax",
                   [builder[product], *([mask] if mask is not None else [])])
    multiply(builder, replace(step, label=f"{step.label}.av"), builder[softmax], value,
             g=heads, n=rows, k=v[-1], c=length)


def _two(numbers: Sequence[int], rank: int) -> tuple[int, int]:
    """Both axes of a setting; a 1-D convolution has height one, and one number stands for both axes of a 2-D one."""
    return (1, numbers[0]) if rank == 1 else (numbers[0], numbers[-1])
