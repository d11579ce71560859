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
    ("gpt2_prefill", {"seq": 9, "batch": 2, "every_token": True}),
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


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 8, 1)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)

    def forward(self, x):
        x = f.silu(self.first(x))
        gate = torch.sigmoid(self.excite(f.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        return self.last(x * gate).mean((2, 3))


class Lines(nn.Module):
    """One dimension, strides, groups, and a transposed convolution with groups."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv1d(4, 8, 5, 2, groups=2), nn.ConvTranspose1d(8, 6, 3, 2, groups=2)
        self.last = nn.Linear(6, 5)

    def forward(self, x):
        return self.last(f.gelu(self.up(self.down(x))).transpose(1, 2))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.Linear(8, 8)

    def forward(self, x):
        return self.both(torch.relu(self.both(x)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.last = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, x):
        heads = [layer(x).reshape(2, 5, 4, 4).transpose(1, 2) for layer in (self.query, self.key, self.value)]
        x = f.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(2, 5, 16)
        return self.last(f.layer_norm(x, (16,)))


@pytest.mark.parametrize(("module", "shape"), [
    (lambda: torch_twins.resnet18(10), (2, 3, 64, 64)), (SqueezeExcite, (2, 3, 8, 8)), (Lines, (2, 4, 33)),
    (Tied, (3, 8)), (Attention, (2, 5, 16)),
], ids=["resnet18", "squeeze-excite", "lines", "tied", "attention"])  # fmt: skip
def test_networks_from_torch_modules_count_the_same(module, shape):
    twin = module()
    network = dt.from_torch(twin, (torch.zeros(shape),))
    assert torch_twins.module_flops(twin, torch.empty(shape, device="meta")) == expected(network)
    # A batch norm is folded on import; training takes it apart again.
    norms = any(isinstance(layer, nn.BatchNorm2d) for layer in twin.modules())
    assert dt.training_step(network, batch_norm=norms).trained == sum(p.numel() for p in twin.parameters())


def test_the_backward_pass_is_twice_the_forward_pass_but_for_the_first_layer():
    for name in ("resnet50", "vgg16"):
        network = dt.load_network(name)
        first = next(op for op in network.ops if isinstance(op, Op))
        assert dt.training_step(network).backward_macs == 2 * network.macs - first.macs
