"""Operators: sizes of tiles, counts of work, refusal of nonsense."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import BadInput
from dovetail.models.op import Op, Rank, Tensor, VectorOp, batched_matmul, conv2d, linear, transposed_conv2d

small = st.integers(1, 9)


@given(a=small, b=small, p=small, r=small)
def test_words_of_a_two_term_rank_equal_the_number_of_distinct_positions(a, b, p, r):
    rank = Rank((("P", a), ("R", b)))
    touched = {a * i + b * j for i in range(p) for j in range(r)}
    assert rank.words({"P": p, "R": r}) == len(touched)


@given(a=small, p=small)
def test_words_of_a_one_term_rank_equal_its_extent(a, p):
    assert Rank((("P", a),)).words({"P": p}) == p


@given(k=st.integers(1, 4), c=st.integers(1, 4), p=st.integers(1, 5), r=st.integers(1, 4),
       stride=st.integers(1, 3), dilation=st.integers(1, 3))
def test_a_convolution_touches_the_words_that_a_walk_over_its_loops_touches(k, c, p, r, stride, dilation):
    op = conv2d("conv", k=k, c=c, p=p, q=2, r=r, s=1, stride=(stride, 1), dilation=(dilation, 1))
    inputs, weights, outputs, steps = set(), set(), set(), 0
    for ik, ic, ip, iq, ir in itertools.product(range(k), range(c), range(p), range(2), range(r)):
        inputs.add((ic, ip * stride + ir * dilation, iq))
        weights.add((ik, ic, ir))
        outputs.add((ik, ip, iq))
        steps += 1
    assert (op.words("input"), op.words("weight"), op.words("output")) == (len(inputs), len(weights), len(outputs))
    assert op.macs == steps


def test_a_grouped_convolution_counts_channels_per_group():
    op = conv2d("conv", g=4, k=2, c=3, p=5, q=5, r=3, s=3)
    assert op.macs == 4 * 2 * 3 * 25 * 9
    assert op.params == 4 * 2 * 3 * 9 + 4 * 2


def test_a_depthwise_convolution_has_one_filter_per_channel():
    assert conv2d("dw", g=32, k=1, c=1, p=7, q=7, r=3, s=3, bias=False).params == 32 * 9


def test_a_transposed_convolution_spreads_every_input_over_the_output():
    op = transposed_conv2d("up", k=2, c=3, h=4, w=4, r=3, s=3, stride=(2, 2))
    assert op.macs == 2 * 3 * 16 * 9
    assert op.words("output") == 2 * 9 * 9  # (4 - 1) * 2 + 3 positions a side


def test_attention_products_store_no_parameters():
    op = batched_matmul("scores", g=12, n=5, k=7, c=64)
    assert op.params == 0
    assert op.words("weight") == 12 * 7 * 64


def test_a_linear_layer_stores_weights_and_bias_whatever_its_rows():
    assert linear("fc", n=9, k=10, c=20).params == 210


def test_equal_shapes_under_different_names_have_equal_shape_keys():
    assert linear("a", n=1, k=2, c=3).shape_key == linear("b", n=1, k=2, c=3).shape_key
    assert linear("a", n=1, k=2, c=3).shape_key != linear("a", n=1, k=2, c=3, bits=4).shape_key


@pytest.mark.parametrize("bits", [0, -8])
def test_a_word_width_below_one_bit_is_refused(bits):
    with pytest.raises(BadInput, match="not a word width"):
        linear("fc", n=1, k=1, c=1, bits=bits)


@pytest.mark.parametrize("density", [0.0, 1.5, -0.1, math.nan])
def test_a_density_outside_zero_to_one_is_refused(density):
    with pytest.raises(BadInput, match="density"):
        Tensor("input", (Rank((("C", 1),)),), density=density)


def test_a_bound_of_zero_is_refused_with_its_dimension():
    with pytest.raises(BadInput, match="dimension K has bound 0"):
        linear("fc", n=1, k=0, c=1)


def test_a_tensor_over_an_undeclared_dimension_is_refused():
    tensors = linear("fc", n=1, k=1, c=1).tensors
    with pytest.raises(BadInput, match=r"undeclared dimensions \['K'\]"):
        Op("fc", (("N", 1), ("C", 1)), tensors)


def test_a_dimension_in_two_ranks_of_a_tensor_is_refused():
    with pytest.raises(BadInput, match="dimension P stands in two ranks"):
        Tensor("input", (Rank((("P", 1),)), Rank((("P", 1), ("R", 1)))))


@pytest.mark.parametrize("terms", [(), (("P", 1), ("P", 2)), (("P", 0),), (("P", 1), ("R", 1), ("S", 1))])
def test_a_rank_needs_one_or_two_distinct_dimensions_with_positive_factors(terms):
    with pytest.raises(BadInput):
        Rank(terms)


def test_a_vector_operator_refuses_negative_counts():
    with pytest.raises(BadInput, match=r"relu\.operations"):
        VectorOp("relu", "relu", -1, 1, 1)
