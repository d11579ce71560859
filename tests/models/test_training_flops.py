"""Multiply-accumulates of forward and backward against torch's own counter, for the whole zoo."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as f
import torch_twins
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import dovetail as dt
from dovetail.models import list_networks
from dovetail.models.op import Op
from dovetail.models.zoo import ZOO


def surplus(step):
    """Multiply-accumulates that torch counts too much: it counts a weight gradient in groups once per group."""
    ops = [op for op in step.backward.contractions if op.kind == "weight_gradient"]
    return sum((op.bounds["G"] - 1) * op.macs for op in ops if op.tensor("output").dims >= {"G", "R", "S"})


def expected(network):
    step = dt.training_step(network)
    return 2 * step.forward_macs, 2 * (step.backward_macs + surplus(step))


@pytest.mark.parametrize("name", ZOO)
def test_forward_and_backward_equal_torch_s_counter(monkeypatch, name):
    network, twin = torch_twins.zoo_twin(monkeypatch, name)
    assert twin.flops() == expected(network)


@pytest.mark.parametrize(("name", "options"), [
    ("resnet50", {"batch": 3, "authors": True}), ("alexnet", {"grouped": True}), ("mobilenet_v2", {"resolution": 96}),
    ("bert_base", {"seq": 7, "batch": 2}), ("gpt2_decode", {"context": 5, "batch": 2}),
    ("unet_mobilenet_v2", {"batch": 2}),
])  # fmt: skip
def test_other_batches_and_sizes_equal_torch_s_counter(monkeypatch, name, options):
    network, twin = torch_twins.zoo_twin(monkeypatch, name, **options)
    assert twin.flops() == expected(network)


@pytest.mark.parametrize("name", ["resnet18", "alexnet", "mobilenet_v2", "unet_mobilenet_v2", "vit_b_16"])
def test_weight_gradients_have_the_shapes_of_torch_s(monkeypatch, name):
    network, twin = torch_twins.zoo_twin(monkeypatch, name)
    twin.flops()
    made = {op.name.removesuffix(".dw"): op for op in dt.training_step(network).backward.contractions
            if op.kind == "weight_gradient"}  # fmt: skip
    assert set(twin.weights) <= set(made)
    for layer, weight in twin.weights.items():
        op = made[layer]
        ours = [rank.words(op.bounds) for rank in op.tensor("output").ranks]
        if "G" in op.bounds:  # torch has groups and output channels in one axis, ours two
            groups, rest = ours[0], ours[1:]
            transposed = network_kind(network, layer) == "transposed_conv2d"
            ours = [rest[1], rest[0], *rest[2:]] if transposed else [groups * rest[0], *rest[1:]]
        assert list(weight.grad.shape) == ours, layer


def network_kind(network, layer):
    return next(op.kind for op in network.ops if op.name == layer)


@pytest.mark.parametrize(("name", "module", "shape"), [
    ("resnet18", torch_twins.resnet18, (2, 3, 224, 224)),
    ("mobilenet_v2", torch_twins.mobilenet_v2, (2, 3, 224, 224)),
    ("vit_b_16", torch_twins.VisionTransformer, (2, 3, 224, 224)),
])
def test_modules_written_out_anew_count_the_same(name, module, shape):
    with torch.device("meta"):
        counted = torch_twins.module_flops(module(), torch.empty(shape))
    assert counted == expected(dt.load_network(name, batch=shape[0]))


@pytest.mark.parametrize(("name", "module"), [("bert_base", torch_twins.Bert), ("gpt2_prefill", torch_twins.Gpt2)])
def test_language_models_written_out_anew_count_the_same(name, module):
    tokens = torch.zeros(2, 16, dtype=torch.long, device="meta")
    with torch.device("meta"):
        twin = module()
    counted = torch_twins.module_flops(twin, tokens)
    assert counted == expected(dt.load_network(name, batch=2, seq=16))


def autoencoder():
    sizes = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    return nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes)))


def keyword_spotter():
    layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2), nn.ReLU()]
    for _ in range(4):
        layers += [nn.Conv2d(64, 64, 3, 1, 1, groups=64), nn.ReLU(), nn.Conv2d(64, 64, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


@pytest.mark.parametrize(("name", "module", "shape"), [
    ("autoencoder_ad", autoencoder, (3, 640)), ("ds_cnn_kws", keyword_spotter, (3, 1, 49, 10)),
])
def test_the_described_networks_count_the_same(name, module, shape):
    counted = torch_twins.module_flops(module(), torch.empty(shape, device="meta"))
    assert counted == expected(dt.load_network(name, batch=3))


def test_every_shipped_network_has_a_twin():
    assert {*ZOO, "autoencoder_ad", "ds_cnn_kws"} == set(list_networks())


@pytest.mark.parametrize(("groups", "transposed"), [(1, False), (4, False), (8, False), (1, True), (4, True)])
def test_torch_counts_a_grouped_weight_gradient_once_per_group(groups, transposed):
    """By hand: every product of the forward pass is one product of the weight's gradient."""
    n, channels, out, size, kernel = 2, 8, 16, 6, 3
    x = torch.zeros(n, channels, size, size)
    shape = (channels, out // groups) if transposed else (out, channels // groups)
    weight = torch.zeros(*shape, kernel, kernel, requires_grad=True)
    convolve = f.conv_transpose2d if transposed else f.conv2d
    with FlopCounterMode(display=False) as forward:
        y = convolve(x, weight, groups=groups)
    with FlopCounterMode(display=False) as backward:
        y.sum().backward()
    positions = size * size if transposed else (size - kernel + 1) ** 2
    by_hand = n * positions * kernel * kernel * (channels // groups) * (out // groups) * groups
    assert forward.get_total_flops() == 2 * by_hand
    assert backward.get_total_flops() == 2 * by_hand * groups


def test_networks_from_torch_modules_count_the_same():
    twin = torch_twins.resnet18(10)
    network = dt.from_torch(twin, (torch.zeros(2, 3, 64, 64),))
    assert torch_twins.module_flops(twin, torch.empty(2, 3, 64, 64, device="meta")) == expected(network)


def test_the_backward_pass_is_twice_the_forward_pass_but_for_the_first_layer():
    for name in ("resnet50", "vgg16"):
        network = dt.load_network(name)
        first = next(op for op in network.ops if isinstance(op, Op))
        assert dt.training_step(network).backward_macs == 2 * network.macs - first.macs
