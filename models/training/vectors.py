"""Backward forms of the operators that are no contractions, and the loss.

Counts are scalar operations per word, a transcendental function counted as one, as in the forward table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..op import VectorOp

__all__ = [
    "BACKWARD",
    "UNTRAINABLE",
    "Derivative",
    "Kept",
    "backward_vector",
    "derivative_of",
    "loss_gradient",
    "loss_of",
    "trained",
]

Kept = Literal["none", "input", "output", "index"]


@dataclass(frozen=True)
class Derivative:
    """How an operator is differentiated.

    ``operations`` per word of ``per`` ("input" or "output"; "forward": as many as the operator itself has);
    ``parameter_operations`` per output word more where the operator has stored words; ``keeps`` what it needs of the
    forward pass: its input, its output, an index per output word, or nothing.
    """

    operations: int
    keeps: Kept
    per: Literal["input", "output", "forward"] = "output"
    parameter_operations: int = 1


_NORM = Derivative(10, "input", parameter_operations=3)
_POINTWISE = Derivative(1, "none", "forward")

BACKWARD: dict[str, Derivative] = {
    "relu": Derivative(1, "output"),  # select
    "relu6": Derivative(2, "output"),  # two selects
    "clip": Derivative(2, "input"),
    "leaky_relu": Derivative(2, "output"),  # select, multiply
    "elu": Derivative(3, "output"),  # add, multiply, select
    "tanh": Derivative(3, "output"),  # dO (1 − y²)
    "sigmoid": Derivative(3, "output"),  # dO y (1 − y)
    "hardsigmoid": Derivative(3, "input"),  # two selects, multiply
    "silu": Derivative(8, "input"),  # σ (3), 1 − σ, times x, plus 1, times σ, times dO
    "hardswish": Derivative(5, "input"),  # x/3 + 1/2 (2), two selects, times dO
    # t = tanh(x (a + b x²)) (5); a + 3b x² (2); (1 + t)/2 (2); x (1 − t²) (a + 3b x²)/2 (5); sum; times dO
    "gelu": Derivative(16, "input"),
    "softmax": Derivative(4, "output"),  # dO y, sum, subtract, times y
    "log_softmax": Derivative(4, "output"),  # exp, sum of dO, multiply, subtract
    # x̂ (2), γ dO, its sum, its product with x̂, that sum, x̂ times it, two subtractions, 1/σ; dγ (2) and dβ (1)
    "layer_norm": _NORM,
    "group_norm": _NORM,
    "instance_norm": _NORM,
    "batch_norm": _NORM,
    "rms_norm": Derivative(7, "input", parameter_operations=2),  # as a layer norm without the mean
    "add": Derivative(0, "none"),  # the same gradient for both
    "sub": Derivative(0, "none"),
    "mul": Derivative(1, "input", "input", parameter_operations=2),  # dO times the other factor
    "div": Derivative(2, "input", "input", parameter_operations=2),
    "glu": Derivative(4, "input", "input"),
    "average_pool": _POINTWISE,  # the transposed sums
    "resize": _POINTWISE,
    "max_pool": Derivative(1, "index"),  # one addition at the place of the maximum
    "gather": Derivative(1, "none"),  # one addition into the table's gradient
}

# What has no derivative: the loss stands on what these read.
UNTRAINABLE = frozenset({"argmax", "argmin", "detection_post_process", "non_max_suppression", "nms", "topk", "sort"})

# A kind without an entry: its derivative costs what it costs itself, and one product with dO.
_UNKNOWN = Derivative(1, "input")

# Batch norm in training: mean, subtract, square, mean, times 1/σ, scale, shift, in two passes over its input.
_TRAINED_BATCH_NORM = 7


def derivative_of(op: VectorOp) -> Derivative:
    """The entry of the operator's kind, or the rule for unknown kinds."""
    known = BACKWARD.get(op.kind)
    if known is not None:
        return known
    per_word = -(-op.operations // op.words_out) if op.words_out else 0
    return replace(_UNKNOWN, operations=_UNKNOWN.operations + per_word)


def backward_vector(op: VectorOp, bits: int) -> VectorOp | None:
    """``{name}.dx``: reads the output's gradient and what was kept, writes the input's; None where there is no work.

    The gradients of the operator's stored words are sums within it. It is never ``fused``: what was kept must be read
    again even where the gradient streams by.
    """
    rule = derivative_of(op)
    if rule.operations == 0 and not op.params:
        return None
    base = {"input": op.words_in, "output": op.words_out, "forward": op.operations}[rule.per]
    operations = rule.operations * base + (rule.parameter_operations * op.words_out if op.params else 0)
    kept = {"none": 0, "input": op.words_in, "output": op.words_out, "index": op.words_out}[rule.keeps]
    name, kind = f"{op.name}.dx", f"{op.kind}_gradient"
    return VectorOp(name, kind, operations, op.words_out + kept, op.words_in + op.params, bits)


def trained(op: VectorOp) -> VectorOp:
    """The operator as it runs in training: a batch norm takes its statistics from the batch."""
    if op.kind != "batch_norm":
        return op
    return replace(op, operations=_TRAINED_BATCH_NORM * op.words_out, words_in=2 * op.words_out)


def loss_of(name: str, words: int, bits: int) -> VectorOp:
    """Softmax and cross-entropy over the network's outputs: the softmax's operations, a logarithm and a product."""
    return VectorOp(name, "cross_entropy", 7 * words, 2 * words, 1, bits)


def loss_gradient(name: str, words: int, bits: int) -> VectorOp:
    """``(softmax − label) / batch``: a difference and a product per word."""
    return VectorOp(f"{name}.dx", "cross_entropy_gradient", 2 * words, 2 * words, words, bits)
