"""Word widths by layer, rounded weights, and what compressing a layer does to the outputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dovetail.errors import BadInput
from dovetail.models import Network, load_network
from dovetail.models.distortion import distortion_curves
from dovetail.models.op import Op
from dovetail.models.pruning import prune
from dovetail.models.quantising import quantise, with_layer_bits


def widths(network: Network, layer: str) -> tuple[int, ...]:
    op = next(op for op in network.ops if op.name == layer)
    return tuple(tensor.bits for tensor in op.tensors) if isinstance(op, Op) else (op.bits,)


def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.Flatten(), nn.Linear(8 * 36, 4)
    )


def data() -> list[tuple[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(size, 3, 8, 8, generator=generator),) for size in (6, 2)]


# ---- networks


def test_a_width_is_that_of_both_operands_and_of_what_lies_before():
    network = with_layer_bits(load_network("alexnet"), {"conv2": 4, "fc8": {"weight": 2, "output": 16}})
    assert widths(network, "conv1") == (8, 8, 4)
    assert widths(network, "conv1.relu") == widths(network, "pool1") == (4,)
    assert widths(network, "conv2") == (4, 4, 8)
    assert widths(network, "fc8") == (8, 2, 16)
    assert widths(network, "fc7") == (8, 8, 8)


def test_tensors_with_readers_of_different_widths_stay():
    network = load_network("resnet18")
    mixed = with_layer_bits(network, {"layer1.0.conv1": 4})  # the addition behind it reads the same tensor
    assert widths(mixed, "maxpool") == (8,)
    assert widths(mixed, "layer1.0.conv1") == (4, 4, 8)
    agreed = with_layer_bits(network, {"layer1.0.conv1": 4, "layer1.0.add": 4})
    assert widths(agreed, "maxpool") == widths(agreed, "conv1.relu") == (4,)
    assert widths(agreed, "conv1") == (8, 8, 4)
    assert widths(agreed, "layer1.0.conv2") == (8, 8, 4)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ({"conv9": 4}, r"alexnet: no layer 'conv9'; did you mean"),
        ({"conv2": {"weights": 4}}, "alexnet: conv2 has no tensor 'weights'; use input, weight, output"),
        ({"conv2": 0}, "conv2.input: 0 is not a word width; use 1 or more"),
        ({"conv2": 4.5}, "conv2.input: 4.5 is not a word width"),
        ({"pool1": {"input": 4}}, "pool1 is a vector operator: its words have one width"),
    ],
)
def test_widths_that_cannot_be_are_named(bits, message):
    with pytest.raises(BadInput, match=message):
        with_layer_bits(load_network("alexnet"), bits)


# ---- modules


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_weights_take_so_many_values_in_each_output_channel(bits):
    before = module()
    after = quantise(before, bits)
    for name in ("0", "2", "4"):
        old, new = (part.get_parameter(f"{name}.weight").flatten(1) for part in (before, after))
        steps = old.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
        assert torch.allclose(new / steps, (new / steps).round(), atol=1e-4)
        assert ((new - old).abs() <= steps * 0.5001).all()
    assert torch.equal(after[0].bias, before[0].bias)


def test_zeros_stay_zeros_and_widths_may_differ_by_layer():
    sparse = prune(module(), 0.3)
    after = quantise(sparse, {"2": 4, "4": {"weight": 3}})
    assert torch.equal(after[0].weight, sparse[0].weight)
    assert ((sparse[4].weight == 0) <= (after[4].weight == 0)).all()
    assert len(after[4].weight[0].unique()) <= 7


def test_inputs_are_rounded_as_they_come_in():
    [[batch], _] = data()
    after = quantise(module(), {"4": {"input": 4}})
    seen: list[torch.Tensor] = []
    after[4].register_forward_hook(lambda part, inputs, output: seen.append(inputs[0]))
    after(batch)
    assert len(seen[0].unique()) <= 15
    assert torch.equal(module()[4].weight, after[4].weight)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (1, "0.weight: words of 1 bits hold no sign and value; use 2 or more"),
        ({"9": 4}, "no layer '9' with weights"),
        ({"4": {"output": 4}}, "4 has no 'output' to round; use weight, input"),
    ],
)
def test_what_cannot_be_rounded_is_named(bits, message):
    with pytest.raises(BadInput, match=message):
        quantise(module(), bits)


# ---- distortion


def test_distortion_is_the_mean_squared_error_of_the_outputs():
    net, batches = module().eval(), data()
    curves = distortion_curves(net, batches, [0.1, 0.5, 1.0])
    with torch.no_grad():
        errors = torch.cat([(prune(net, {"2": 0.1})(*batch) - net(*batch)) ** 2 for batch in batches]).sum(1)
    assert curves["2"] == (pytest.approx(float(errors.mean()), rel=1e-5), curves["2"][1], 0.0)
    assert all(curve[0] > curve[1] > curve[2] == 0.0 for curve in curves.values())
    assert torch.equal(net[2].weight, module()[2].weight)


def test_fewer_bits_distort_more():
    curves = distortion_curves(module(), data(), [2, 4, 8], "bits", layers=["0", "4"])
    assert list(curves) == ["0", "4"]
    assert all(one > two > three for one, two, three in curves.values())


@pytest.mark.parametrize(
    ("levels", "how", "batches", "message"),
    [
        ([0.5], "density", [], "no data to measure on"),
        ([], "density", data(), "no levels to measure"),
        ([0.0], "density", data(), r"levels: density 0.0 is outside \(0, 1\]"),
        ([1], "bits", data(), "levels: words of 1 bits"),
        ([2.5], "bits", data(), "levels: words of 2.5 bits"),
        ([0.5], "blocks", data(), "how 'blocks': choose 'density' or 'bits'"),
    ],
)
def test_what_cannot_be_measured_is_named(levels, how, batches, message):
    with pytest.raises(BadInput, match=message):
        distortion_curves(module(), batches, levels, how)
