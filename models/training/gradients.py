"""The gradients of a contraction, which are contractions over the same box.

With ``O[o] += I[i] W[w]`` over all points of the box, the chain rule gives ``dI[i] += dO[o] W[w]`` and
``dW[w] += I[i] dO[o]`` over the same points (Rumelhart et al., 1986): each takes as many multiply-accumulates as the
operator itself, whatever its strides, groups and dilations. Where a convolution reads padding, the gradient there is
computed and dropped, as the operator itself multiplies the padding.
"""

from __future__ import annotations

from dataclasses import replace

from ..op import Op, Tensor, VectorOp
from .precision import Precision

__all__ = ["bias_gradient", "input_gradient", "weight_gradient"]


def input_gradient(op: Op, precision: Precision, *, density: float = 1.0) -> Op:
    """``{name}.dx``: the gradient of the first operand, with that operand's shape.

    ``density`` is the share of the output's gradient that is not zero (behind a ReLU: that of its output).
    """
    first, weight, result = op.tensors
    bits = precision.compute_bits
    tensors = (
        Tensor("input", result.ranks, bits, density=density),
        replace(weight, bits=bits),
        Tensor("output", first.ranks, bits),
    )
    return Op(f"{op.name}.dx", op.dims, tensors, "input_gradient")


def weight_gradient(
    op: Op, precision: Precision, *, density: float = 1.0, gradient_density: float | None = None
) -> Op:
    """``{name}.dw``: the gradient of the second operand, with that operand's shape.

    Weights that a pattern or a density leaves out have no gradient, unless ``gradient_density`` says how many have.
    The operand that slides (two dimensions in a rank) stands first: the output's gradient for a transposed
    convolution, else the input.
    """
    first, weight, result = op.tensors
    bits = precision.compute_bits
    gradient = Tensor("input", result.ranks, bits, density=density)
    operand = replace(first, bits=bits)
    slides = any(len(rank.terms) > 1 for rank in result.ranks)
    left, right = (gradient, operand) if slides else (operand, gradient)
    # A parameter's gradient is stored; an activation's goes on as the other activations' gradients do.
    width = precision.gradient_bits if weight.is_parameter else bits
    made = replace(weight, role="output", is_parameter=False, bits=width)
    if not weight.is_parameter or gradient_density is not None:
        made = replace(made, pattern=None, density=gradient_density or 1.0)
    tensors = (replace(left, role="input"), replace(right, role="weight", is_parameter=False), made)
    return Op(f"{op.name}.dw", op.dims, tensors, "weight_gradient")


def bias_gradient(op: Op, precision: Precision) -> VectorOp:
    """``{name}.db``: the sum of the output's gradient over all that shares a bias word."""
    words = op.words("output")
    return VectorOp(f"{op.name}.db", "bias_gradient", words, words, op.bias, precision.compute_bits)
