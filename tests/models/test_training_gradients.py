"""Gradient operators against automatic differentiation, by walking every point of their boxes."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as f

import dovetail as dt
from dovetail.models import (
    Layer,
    Network,
    Op,
    Rank,
    Tensor,
    VectorOp,
    batched_matmul,
    conv2d,
    linear,
    transposed_conv2d,
)
from dovetail.models.builder import NetworkBuilder
from dovetail.models.training import PRECISIONS, input_gradient, with_batch_norm
from dovetail.models.training import weight_gradient as weight_gradient_of

WIDE = PRECISIONS["fp32"]


def shape_of(op, role):
    """Positions along each axis: up to the largest that the box reaches."""
    ranks = op.tensor(role).ranks
    return tuple(sum(factor * (op.bounds[dim] - 1) for dim, factor in rank.terms) + 1 for rank in ranks)


def walk(op, left, right):
    """``output += left · right`` at every point of the box."""
    names = [name for name, _ in op.dims]
    points = dict(zip(names, np.indices([bound for _, bound in op.dims]).reshape(len(names), -1), strict=True))
    assert len(points[names[0]]) == op.macs

    def place(role):
        return tuple(sum(factor * points[dim] for dim, factor in rank.terms) for rank in op.tensor(role).ranks)

    out = np.zeros(shape_of(op, "output"))
    np.add.at(out, place("output"), left[place("input")] * right[place("weight")])
    return out


def einsum_op():
    """A product over two summed dimensions with a batch of both operands and one of the input alone."""
    ranks = {role: tuple(Rank(((dim, 1),)) for dim in dims)
             for role, dims in (("input", "BATC"), ("weight", "BCKA"), ("output", "TBK"))}  # fmt: skip
    tensors = tuple(Tensor(role, ranks[role], is_parameter=role == "weight") for role in ("input", "weight", "output"))
    return Op("e", (("A", 2), ("B", 3), ("C", 4), ("K", 5), ("T", 2)), tensors)


def grouped(function, op, **options):
    """Torch's form of a convolution on tensors that have groups and channels in axes of their own."""
    def run(x, weight):
        g, transposed = op.bounds["G"], function is f.conv_transpose2d
        w = weight.transpose(1, 2) if transposed else weight
        y = function(x.flatten(1, 2), w.flatten(0, 1), groups=g, **options)
        return y.unflatten(1, (g, -1))
    return run


CASES = {
    "conv": conv2d("op", n=2, k=3, c=2, p=3, q=4, r=3, s=2),
    "strided": conv2d("op", n=2, k=2, c=3, p=3, q=2, r=3, s=3, stride=(2, 3)),
    "dilated": conv2d("op", n=1, k=2, c=2, p=4, q=3, r=3, s=2, dilation=(2, 3)),
    "gaps": conv2d("op", n=2, k=2, c=2, p=3, q=3, r=1, s=2, stride=(2, 3)),
    "grouped": conv2d("op", n=2, g=3, k=2, c=2, p=2, q=3, r=2, s=3),
    "depthwise": conv2d("op", n=2, g=4, k=1, c=1, p=3, q=3, r=3, s=3, stride=(2, 2)),
    "both": conv2d("op", n=2, g=2, k=2, c=3, p=3, q=2, r=2, s=3, stride=(2, 1), dilation=(1, 2)),
    "transposed": transposed_conv2d("op", n=2, k=3, c=2, h=3, w=2, r=3, s=3, stride=(2, 2)),
    "transposed groups": transposed_conv2d("op", n=1, g=2, k=3, c=2, h=3, w=3, r=2, s=3, stride=(1, 3)),
    "linear": linear("op", n=5, k=4, c=3),
    "product": batched_matmul("op", g=2, n=3, k=4, c=5),
    "experts": batched_matmul("op", g=2, n=3, k=4, c=5, parameter=True),
    "einsum": einsum_op(),
}


def in_torch(name, op):
    if name.startswith("transposed"):
        stride = tuple(rank.terms[0][1] for rank in op.tensor("output").ranks[-2:])
        return grouped(f.conv_transpose2d, op, stride=stride)
    if op.kind == "conv2d":
        slid = op.tensor("input").ranks[-2:]
        stride, dilation = (tuple(rank.terms[i][1] for rank in slid) for i in (0, 1))
        return grouped(f.conv2d, op, stride=stride, dilation=dilation)
    return {"linear": f.linear, "matmul": torch.bmm, "einsum": partial(torch.einsum, "batc,bcka->tbk")}[op.kind]


@pytest.mark.parametrize("name", CASES)
def test_gradients_have_the_values_of_automatic_differentiation(name):
    op, rng = CASES[name], np.random.default_rng(1)
    x, w, sent = (rng.normal(size=shape_of(op, role)) for role in ("input", "weight", "output"))
    tx, tw = (torch.tensor(value, requires_grad=True) for value in (x, w))
    y = in_torch(name, op)(tx, tw)
    np.testing.assert_allclose(walk(op, x, w), y.detach().numpy(), atol=1e-12)
    y.backward(torch.tensor(sent))
    dx, dw = input_gradient(op, WIDE), weight_gradient_of(op, WIDE)
    slides = any(len(rank.terms) > 1 for rank in op.tensor("output").ranks)
    np.testing.assert_allclose(walk(dx, sent, w), tx.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(walk(dw, sent, x) if slides else walk(dw, x, sent), tw.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_have_the_shapes_and_the_work_of_their_operator(name):
    op = CASES[name]
    dx, dw = input_gradient(op, WIDE), weight_gradient_of(op, WIDE)
    assert dx.tensor("output").ranks == op.tensor("input").ranks
    assert dw.tensor("output").ranks == op.tensor("weight").ranks
    assert dx.macs == dw.macs == op.macs == math.prod(op.bounds.values())
    assert dx.words("output") == op.words("input")
    assert dw.words("output") == op.words("weight")


def test_words_are_as_wide_as_the_precision_says():
    op, mixed = CASES["conv"], PRECISIONS["fp8"]
    assert [tensor.bits for tensor in input_gradient(op, mixed).tensors] == [8, 8, 8]
    assert [tensor.bits for tensor in weight_gradient_of(op, mixed).tensors] == [8, 8, 16]
    # The gradient of an activation goes on like all others.
    assert weight_gradient_of(CASES["product"], mixed).tensor("output").bits == 8


def test_pruned_weights_have_no_gradient_unless_asked_for():
    network = dt.prune_n_of_m(dt.load_network("resnet18"), 2, 4)
    op = network.contractions[5]
    made = weight_gradient_of(op, WIDE).tensor("output")
    assert (made.density, made.pattern) == (0.5, op.tensor("weight").pattern)
    assert weight_gradient_of(op, WIDE, gradient_density=1.0).tensor("output").density == 1.0
    assert input_gradient(op, WIDE).tensor("weight").pattern == op.tensor("weight").pattern


def layers(network, **options):
    return {layer.op.name: layer for layer in dt.training_step(network, **options).network}


def branches():
    """Two convolutions read the first; their sum goes on."""
    builder = NetworkBuilder("branches", channels=3, height=8, width=8)
    builder.conv("stem", 4, 3, activation="relu")
    start = builder.here
    builder.conv("left", 4, 3)
    left = builder.here
    builder.resume(start)
    builder.conv("right", 4, 1)
    builder.add("sum", left)
    builder.global_average_pool("pool")
    builder.linear("classifier", 10)
    return builder.build()


def test_a_step_holds_the_gradients_in_the_order_of_the_chain_rule():
    step = layers(branches())
    assert step["loss"].inputs == ("classifier",)
    assert step["classifier.dx"].inputs == ("loss.dx",)
    assert step["classifier.dw"].inputs == ("pool", "loss.dx")
    assert step["pool.dx"].inputs == ("classifier.dx",)
    # The gradient of a sum is that of its parts, at no cost.
    assert step["left.dx"].inputs == step["right.dx"].inputs == ("pool.dx",)
    assert step["left.dw"].inputs == ("stem.relu", "pool.dx")
    assert set(step["stem.relu.dsum"].inputs) == {"left.dx", "right.dx"}
    assert step["stem.relu.dx"].inputs == ("stem.relu.dsum", "stem.relu")
    assert step["stem.dw"].inputs == ("stem.relu.dx",)
    assert step["stem.step"].inputs == ("stem.dw", "stem.db")
    assert "stem.dx" not in step


def test_gradients_that_meet_are_added_word_by_word():
    step = layers(branches())
    words = 4 * 8 * 8
    op = step["stem.relu.dsum"].op
    assert (op.operations, op.words_in, op.words_out) == (words, 2 * words, words)


def test_parts_of_a_tensor_that_are_read_apart_are_not_added():
    step = layers(dt.load_network("vit_b_16"))
    # Queries, keys and values are three thirds of one layer's output.
    assert set(step["layer0.attention.qkv.dx"].inputs) == {
        "layer0.attention.scores.dx", "layer0.attention.scores.dw", "layer0.attention.context.dw"}  # fmt: skip
    assert "layer0.attention.qkv.dsum" not in step
    step = layers(dt.load_network("bert_base", seq=8))
    # Here three layers read one tensor, and the residual path a fourth.
    op = step["layer0.add1.dsum"].op if "layer0.add1.dsum" in step else None
    assert op is None
    assert step["embedding.norm.dsum"].op.operations == 3 * 8 * 768


def test_attention_s_products_have_gradients_of_both_operands():
    step = layers(dt.load_network("bert_base", seq=8))
    assert step["layer3.attention.context.dx"].inputs == ("layer3.attention.output.dx", "layer3.attention.value")
    assert step["layer3.attention.context.dw"].inputs == ("layer3.attention.softmax", "layer3.attention.output.dx")
    assert "layer3.attention.context.step" not in step


def test_a_gradient_behind_a_relu_is_as_sparse_as_its_output():
    network = branches()
    dense = layers(network)["stem.dw"].op
    sparse = layers(dt.models.with_densities(network, {"stem": {"output": 0.4}}))["stem.dw"].op
    assert (dense.tensor("weight").density, sparse.tensor("weight").density) == (1.0, 0.4)


def test_tables_are_trained_where_a_gather_reads_them():
    step = layers(dt.load_network("bert_base", seq=8))
    assert set(step["tables.step"].inputs) == {f"embedding.{name}.dx" for name in ("word", "position", "segment")}


def test_what_has_no_derivative_is_left_to_inference():
    step = layers(dt.load_network("deeplab_v3_mobilenet_v2"))
    assert "argmax" not in step
    assert step["loss"].inputs == ("resize",)


def test_frozen_layers_have_no_gradient_and_no_step():
    network = branches()
    step = layers(network, frozen=["stem"])
    assert not {"stem.dw", "stem.db", "stem.step", "stem.relu.dx", "left.dx", "right.dx"} & set(step)
    assert {"left.dw", "right.dw", "classifier.dx"} <= set(step)
    assert dt.training_step(network, frozen=["stem"]).trained == network.params - 4 * 3 * 9 - 4


def test_a_trained_batch_norm_has_two_words_per_channel_and_takes_statistics():
    network = dt.load_network("resnet18")
    unfolded = with_batch_norm(network)
    assert unfolded.params == 11_689_512  # torchvision's ResNet18_Weights
    step = layers(unfolded)
    folded = next(op for op in unfolded.ops if op.name == "conv1.bn")
    assert step["conv1.bn"].op.operations == 7 * folded.words_out
    assert step["conv1.bn"].op.words_in == 2 * folded.words_out
    assert step["conv1.bn.dx"].inputs == ("conv1.relu.dx", "conv1")
    assert "conv1.db" not in step


def test_an_unknown_vector_operator_costs_its_own_operations_and_a_product():
    odd = VectorOp("odd", "warp", operations=60, words_in=20, words_out=20)
    network = Network("net", (Layer(linear("first", n=2, k=10, c=4)), Layer(odd, ("first",))))
    assert layers(network)["odd.dx"].op.operations == 60 + 20


def test_a_whole_step_is_an_ordinary_network():
    step = dt.training_step(dt.load_network("mobilenet_v2", batch=2), optimizer="adam", micro_batches=2)
    assert step.network.macs * 2 == step.macs
    assert {type(op) for op in step.network.ops} == {Op, VectorOp}
    names = {layer.op.name for part in (step.forward, step.backward, step.update) for layer in part}
    assert names == {layer.op.name for layer in step.network}
