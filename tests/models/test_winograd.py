"""The transformed convolution: its numbers equal the direct one's, its counts follow from the transform."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.models.op import Op, conv2d, linear
from dovetail.models.winograd import TILE, WINDOW, winograd, winograd_applies

# Lavin and Gray, arXiv:1509.09308, section 4.1: input, filter and inverse transform of F(2, 3)
B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], float)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], float)
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], float)


def convolution(size: int = 8, channels: int = 6, kernels: int = 5, **changes: object) -> Op:
    sizes: dict[str, object] = {"k": kernels, "c": channels, "p": size, "q": size, "r": 3, "s": 3}
    return conv2d("conv", **(sizes | changes))  # type: ignore[arg-type]


def walk(op: Op, inputs: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, int]:
    """The transformed operator's loops in numpy: outputs [K, P, Q] and the multiplications done."""
    e = op.bounds
    out = np.zeros((e["K"], e["P"] * TILE, e["Q"] * TILE))
    done = 0
    for k in range(e["K"]):
        for p in range(e["P"]):
            for q in range(e["Q"]):
                sums = np.zeros((WINDOW, WINDOW))
                for c in range(e["C"]):
                    tile = inputs[c, TILE * p : TILE * p + WINDOW, TILE * q : TILE * q + WINDOW]
                    sums += (G @ weights[k, c] @ G.T) * (B @ tile @ B.T)
                    done += sums.size
                out[k, TILE * p : TILE * (p + 1), TILE * q : TILE * (q + 1)] = A @ sums @ A.T
    return out, done


def test_the_transform_computes_the_convolution_with_as_many_multiplications_as_the_operator_counts() -> None:
    rng = np.random.default_rng(1)
    op = convolution()
    inputs, weights = rng.normal(size=(6, 10, 10)), rng.normal(size=(5, 6, 3, 3))
    windows = np.lib.stride_tricks.sliding_window_view(inputs, (3, 3), axis=(1, 2))
    out, done = walk(winograd(op), inputs, weights)
    np.testing.assert_allclose(out, np.einsum("cpqrs,kcrs->kpq", windows, weights), atol=1e-10)
    assert done == winograd(op).macs


def test_an_even_output_takes_nine_quarters_fewer_multiplications_and_sixteen_ninths_the_weights() -> None:
    op = convolution()
    assert op.macs == winograd(op).macs * 9 / 4
    assert winograd(op).words("weight") == op.words("weight") * 16 / 9
    assert winograd(op).words("input") == op.words("input")
    assert winograd(op).words("output") * winograd(op).tensor("output").bits == op.words("output") * 8


def test_an_odd_output_is_rounded_up_to_whole_tiles() -> None:
    op = winograd(convolution(7))
    assert (op.bounds["P"], op.bounds["Q"], op.words("input")) == (4, 4, 6 * 10 * 10)


@pytest.mark.parametrize(
    "op",
    [
        linear("fc", n=1, k=4, c=4),
        convolution(r=1, s=1),
        convolution(r=5, s=5),
        convolution(stride=(2, 2)),
        convolution(dilation=(2, 2)),
    ],
)
def test_what_is_no_plain_3x3_convolution_stays_as_it_is(op: Op) -> None:
    assert not winograd_applies(op)
    assert winograd(op) is op
