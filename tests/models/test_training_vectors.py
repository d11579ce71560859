"""Backward vector operators: formulas that are right, and that do as many operations as the table says."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as f
from counted import Counted

from dovetail.models import VectorOp
from dovetail.models.training.vectors import BACKWARD, backward_vector, derivative_of, loss_gradient, loss_of

EXP, TANH = math.exp, math.tanh


def gelu(x, y, g):
    a, b = math.sqrt(2 / math.pi), math.sqrt(2 / math.pi) * 0.044715
    square = x * x
    t = ((square * b + a) * x).apply(TANH)
    slope = square * (3 * b) + a
    return ((t + 1.0) * 0.5 + (1.0 - t * t) * x * slope * 0.5) * g


def silu(x, y, g):
    s = 1.0 / (x.apply(lambda value: EXP(-value)) + 1.0)
    return ((1.0 - s) * x + 1.0) * s * g


def relu6(x, y, g):
    return g.where(y.value > 0, 0.0).where(y.value < 6, 0.0)


def hardswish(x, y, g):
    slope = (x * (1 / 3) + 0.5).where(x.value > -3, 0.0).where(x.value < 3, 1.0)
    return slope * g


POINTWISE = {
    "relu": (f.relu, lambda x, y, g: g.where(y.value > 0, 0.0)),
    "relu6": (f.relu6, relu6),
    "leaky_relu": (f.leaky_relu, lambda x, y, g: (g * 0.01).where(y.value <= 0, g)),
    "elu": (f.elu, lambda x, y, g: ((y + 1.0) * g).where(y.value < 0, g)),
    "tanh": (torch.tanh, lambda x, y, g: (1.0 - y * y) * g),
    "sigmoid": (torch.sigmoid, lambda x, y, g: (1.0 - y) * y * g),
    "silu": (f.silu, silu),
    "gelu": (lambda x: f.gelu(x, approximate="tanh"), gelu),
    "hardswish": (f.hardswish, hardswish),
    "hardsigmoid": (f.hardsigmoid, lambda x, y, g: (g * (1 / 6)).where(x.value > -3, 0.0).where(x.value < 3, 0.0)),
}


@pytest.mark.parametrize("kind", POINTWISE)
@pytest.mark.parametrize("value", [-4.0, -0.7, 0.3, 2.5, 7.0])
def test_a_derivative_is_right_and_takes_the_operations_of_the_table(kind, value):
    function, formula = POINTWISE[kind]
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    y = function(x)
    (slope,) = torch.autograd.grad(y, x, torch.tensor(1.7, dtype=torch.float64))
    Counted.done = 0
    found = formula(Counted(value), Counted(y.item()), Counted(1.7))
    assert found.value == pytest.approx(slope.item(), rel=1e-6, abs=1e-12)  # torch's 1/6 is a float
    assert Counted.done == BACKWARD[kind].operations


def layer_norm(x, g, gamma, mean, scale):
    normal = [(value - mean) * scale for value in x]
    sent = [a * b for a, b in zip(g, gamma, strict=True)]
    first, second = sum(sent, Counted(0.0)), sum((a * b for a, b in zip(sent, normal, strict=True)), Counted(0.0))
    first, second = first.value / len(x), second.value / len(x)
    return [(a - b * second - first) * scale for a, b in zip(sent, normal, strict=True)]


def rms_norm(x, g, gamma, mean, scale):
    normal = [value * scale for value in x]
    sent = [a * b for a, b in zip(g, gamma, strict=True)]
    second = sum((a * b for a, b in zip(sent, normal, strict=True)), Counted(0.0)).value / len(x)
    return [(a - b * second) * scale for a, b in zip(sent, normal, strict=True)]


def softmax(y, g):
    total = sum((a * b for a, b in zip(y, g, strict=True)), Counted(0.0)).value
    return [(b - total) * a for a, b in zip(y, g, strict=True)]


def log_softmax(y, g):
    total = sum(g, Counted(0.0)).value
    return [b - a.apply(EXP) * total for a, b in zip(y, g, strict=True)]


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm", "softmax", "log_softmax"])
def test_a_row_s_derivative_is_right_and_takes_the_operations_of_the_table(kind):
    torch.manual_seed(0)
    x, g, gamma = (torch.randn(50, dtype=torch.float64) for _ in range(3))
    x.requires_grad_()
    function = {
        "layer_norm": lambda: f.layer_norm(x, (50,), gamma, eps=0.0),
        "rms_norm": lambda: f.rms_norm(x, (50,), gamma, 0.0),
        "softmax": lambda: f.softmax(x, 0),
        "log_softmax": lambda: f.log_softmax(x, 0),
    }[kind]
    y = function()
    (slope,) = torch.autograd.grad(y, x, g)
    values, sent, outs = ([Counted(value) for value in tensor.tolist()] for tensor in (x, g, y))
    mean = x.mean().item() if kind == "layer_norm" else 0.0
    scale = 1 / math.sqrt(((x - mean) ** 2).mean().item())
    Counted.done = 0
    if kind in ("softmax", "log_softmax"):
        found = {"softmax": softmax, "log_softmax": log_softmax}[kind](outs, sent)
    else:
        found = {"layer_norm": layer_norm, "rms_norm": rms_norm}[kind](values, sent, gamma.tolist(), mean, scale)
    assert [one.value for one in found] == pytest.approx(slope.tolist(), rel=1e-9, abs=1e-12)
    assert Counted.done == BACKWARD[kind].operations * 50


@pytest.mark.parametrize(("kind", "kept"), [
    ("relu", 30), ("gelu", 50), ("softmax", 30), ("average_pool", 0), ("add", None),
])
def test_a_derivative_reads_the_gradient_and_what_was_kept(kind, kept):
    op = VectorOp("op", kind, operations=100, words_in=50, words_out=30)
    made = backward_vector(op, 16)
    if kept is None:
        assert made is None
        return
    assert (made.words_in, made.words_out, made.bits) == (30 + kept, 50, 16)
    assert made.kind == f"{kind}_gradient"


def test_stored_words_of_a_norm_are_summed_beside_its_input_s_gradient():
    norms = (VectorOp("n", "layer_norm", 700, 100, 100, params=params) for params in (0, 40))
    plain, stored = (backward_vector(norm, 16) for norm in norms)
    assert stored.operations - plain.operations == 3 * 100
    assert stored.words_out - plain.words_out == 40


def test_a_pool_sends_back_as_many_additions_as_it_made():
    op = VectorOp("pool", "average_pool", operations=900, words_in=100, words_out=25)
    assert backward_vector(op, 16).operations == 900
    assert backward_vector(VectorOp("pool", "max_pool", 800, 100, 25), 16).operations == 25


def test_an_unknown_kind_repeats_its_own_work():
    op = VectorOp("odd", "warp", operations=95, words_in=20, words_out=10)
    assert derivative_of(op).operations == 1 + 10  # rounded up per word


def test_the_loss_reads_logits_and_labels():
    loss, gradient = loss_of("loss", 1000, 16), loss_gradient("loss", 1000, 16)
    assert (loss.words_in, gradient.words_in, gradient.words_out) == (2000, 2000, 1000)
