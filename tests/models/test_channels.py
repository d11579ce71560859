"""Channel pruning: coupled channels are found, smaller models run, and channels of zeros leave outputs as they were."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from pruned_modules import IMAGE, MODULES, made
from torch import nn

from dovetail.errors import BadInput
from dovetail.models import NetworkBuilder, from_torch, load_network, with_patterns
from dovetail.models.op import Op, VectorOp
from dovetail.models.patterns import Blocks, NofM
from dovetail.models.pruning import ChannelGroup, channel_groups, module_channels, prune_channels, remove_channels
from dovetail.models.torch_program import export


@pytest.fixture(autouse=True, scope="module")
def _exported_once() -> Iterator[None]:
    """Exporting takes longest; the graph of a class here depends on its inputs, not on its weights' values."""
    graphs: dict[type[nn.Module], Any] = {}

    def remembered(module: nn.Module, inputs: tuple[Any, ...], title: str) -> Any:
        if type(module) not in graphs:
            graphs[type(module)] = export(module, inputs, title)
        return graphs[type(module)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_channels, "export", remembered)
        yield


def coupled(groups: list[ChannelGroup]) -> dict[tuple[str, ...], int]:
    return {group.layers: group.size for group in groups}


def without(module: nn.Module, groups: list[ChannelGroup]) -> tuple[nn.Module, dict[str, float]]:
    """Every second channel of each group zero wherever it is stored, and the densities that leave the others."""
    module = deepcopy(module)
    parameters, densities = dict(module.named_parameters()), {}
    for group in groups:
        zeroed = group.channels[1::2]
        for places in zeroed:
            for (target, axis), positions in places.items():
                if target in parameters:
                    parameters[target].data.index_fill_(axis, torch.tensor(positions), 0.0)
        densities |= dict.fromkeys(group.layers, 1 - len(zeroed) / group.size)
    return module, densities


# ---- what is coupled


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("Residual", {("stem.0", "one.1"): 8, ("one.0.0",): 12, ("two.0.0",): 12, ("two.1", "shortcut"): 16}),
        ("Concat", {("stem.0",): 6, ("left.0",): 4, ("right.0",): 8, ("last.0",): 10}),
        ("Grouped", {("stem.0",): 3, ("grouped.0",): 4, ("last.0",): 8}),
        (
            "Depthwise",
            {("stem.0", "project.0", "twice"): 6, ("expand.0", "depthwise.0", "excite"): 18, ("squeeze",): 4},
        ),
        ("Flattened", {("one",): 8, ("two",): 6, ("fc",): 20}),
        ("UNet", {("down.0",): 6, ("deep.0", "even"): 8, ("up",): 6}),
        ("Sequence", {("body.linear1",): 24}),
    ],
)
def test_coupled_channels_are_found(name, layers):
    module, inputs = made(name)
    assert coupled(channel_groups(module, inputs)) == layers


def test_only_the_classifier_of_a_zoo_network_keeps_its_channels():
    for name in ("resnet18", "mobilenet_v2", "densenet121", "inception_v1", "unet_mobilenet_v2"):
        network = load_network(name)
        free = {layer for group in channel_groups(network) for layer in group.layers}
        assert [op.name for op in network.contractions if op.name not in free] == [network.contractions[-1].name]


def test_tied_weights_are_one():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.second(self.first(x)))

    assert coupled(channel_groups(Tied(), (torch.zeros(1, 8),))) == {}  # the weight reads the network's input


def test_what_code_cuts_or_norms_over_channels_stays():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.three = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
            self.norm, self.head = nn.GroupNorm(2, 8), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.one(x))
            x = self.two(x).view(x.shape[0], 2, 4, *x.shape[2:]).flatten(1, 2)
            first, _ = self.three(x).split([4, 4], 1)
            return self.head(first)

    assert channel_groups(Cut(), IMAGE) == []


def test_halves_lose_the_same_channels():
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            one, two = self.both(x).chunk(2, dim=1)
            return self.head(one * torch.sigmoid(two))

    [group] = channel_groups(Gate(), IMAGE)
    assert group.size == 4
    assert group.channels[1]["both.weight", 0] == (1, 5)
    assert prune_channels(Gate(), 0.5, IMAGE)(*IMAGE).shape == (2, 2, 16, 16)


# ---- smaller models


@pytest.mark.parametrize("name", MODULES)
def test_a_pruned_module_runs_and_keeps_its_output_shape(name):
    module, inputs = made(name)
    before = [value.clone() for value in module.state_dict().values()]
    smaller = prune_channels(module, 0.5, inputs)
    assert smaller(*inputs).shape == module(*inputs).shape
    assert sum(one.numel() for one in smaller.parameters()) < sum(one.numel() for one in module.parameters())
    smaller.train()(*inputs).sum().backward()
    after = list(module.state_dict().values())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("name", MODULES)
def test_removing_channels_of_zeros_leaves_the_outputs(name):
    module, inputs = made(name)
    zeroed, densities = without(module, channel_groups(module, inputs))
    smaller = prune_channels(zeroed, densities, inputs)
    assert torch.allclose(smaller(*inputs), zeroed(*inputs), rtol=1e-5, atol=1e-6)
    exact = smaller.double()(*(one.double() for one in inputs)) - zeroed.double()(*(one.double() for one in inputs))
    assert exact.abs().max() < 1e-14


def test_channels_that_are_made_zero_may_be_removed_by_number():
    module, inputs = made("Residual")
    with torch.no_grad():
        for part in (module.one[0][0].weight, module.one[0][1].weight, module.one[0][1].bias):
            part[[2, 5]] = 0.0
    smaller = remove_channels(module, {"one.0.0": [2, 5]}, inputs)
    assert smaller.one[0][0].out_channels == smaller.one[0][1].num_features == smaller.one[1].in_channels == 10
    assert torch.allclose(smaller(*inputs), module(*inputs), rtol=1e-5, atol=1e-6)


def test_a_depthwise_convolution_loses_groups():
    module, inputs = made("Depthwise")
    smaller = prune_channels(module, {"stem.0": 0.5, "expand.0": 1 / 3}, inputs)
    depthwise, twice = smaller.depthwise[0], smaller.twice
    assert (depthwise.groups, depthwise.in_channels, depthwise.out_channels) == (6, 6, 6)
    assert (twice.groups, twice.in_channels, twice.out_channels) == (3, 3, 6)


def test_the_least_important_channels_go():
    module, inputs = made("Flattened")
    with torch.no_grad():
        module.one.weight[3] *= 1e-3
        module.two.weight[:, 3] *= 1e-3
        module.act.weight[3] = module.one.bias[3] = 0.0
    for reduce in ("sum", "mean"):
        for norm in ("l1", "l2"):
            smaller = prune_channels(module, {"one": 7 / 8}, inputs, norm=norm, reduce=reduce)
            assert torch.equal(smaller.one.weight, module.one.weight[[0, 1, 2, 4, 5, 6, 7]])


def test_globally_all_channels_are_ranked_together():
    module, inputs = made("Flattened")
    with torch.no_grad():
        module.one.weight *= 100.0
    smaller = prune_channels(module, 0.5, inputs, scope="global")
    assert smaller.one.out_channels == 8
    assert smaller.two.out_channels + smaller.fc.out_features == 9  # 17 of 34 channels stay


def test_numbers_of_channels_are_rounded_up_to_a_multiple():
    module, inputs = made("Residual")
    smaller = prune_channels(module, 0.3, inputs, multiple=4)
    assert (smaller.stem[0].out_channels, smaller.one[0][0].out_channels, smaller.two[1].out_channels) == (4, 4, 8)


# ---- networks


@pytest.mark.parametrize("name", ["Concat", "Depthwise", "Flattened"])
def test_a_network_gets_the_dimensions_of_the_smaller_module(name):
    module, inputs = made(name)
    network = from_torch(module, inputs)
    smaller = from_torch(prune_channels(module, 0.5, inputs), inputs)
    assert coupled(channel_groups(network)) == coupled(channel_groups(module, inputs))
    assert [layer.op for layer in prune_channels(network, 0.5)] == [layer.op for layer in smaller]


def test_tensors_between_layers_agree_in_a_pruned_network():
    for name in ("mobilenet_v2", "densenet121", "resnet50", "squeezenet1_1"):
        network, read = load_network(name), {}
        for layer in prune_channels(network, 0.5):
            words = sum(read[name] for name in layer.inputs)
            if isinstance(layer.op, VectorOp):
                assert words == layer.op.words_in
            elif layer.op.kind == "linear":
                assert words == layer.op.words("input")
            read[layer.op.name] = layer.op.words("output") if isinstance(layer.op, Op) else layer.op.words_out


def test_a_pattern_that_no_longer_fits_becomes_its_density():
    builder = NetworkBuilder("two", channels=16)
    builder.linear("one", 32)
    builder.linear("two", 8)
    patterns = {"one": {"weight": NofM(2, 4)}, "two": {"weight": Blocks(0.5, (("C", 32),))}}
    pruned = prune_channels(with_patterns(builder.build(), patterns), 0.5)
    one, two = (op.tensor("weight") for op in pruned.contractions)
    assert (one.pattern, one.density) == (NofM(2, 4), 0.5)
    assert (two.pattern, two.density) == (None, 0.5)


# ---- bad input


class StatesItsSizes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, 2), nn.Linear(4 * 7 * 7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(x).view(-1, 4 * 7 * 7))


@pytest.mark.parametrize(
    ("density", "options", "message"),
    [
        (1.5, {}, r"Residual: density 1.5 is outside \(0, 1\]"),
        (0.0, {}, r"Residual: density 0.0 is outside \(0, 1\]"),
        ({"stem.1": 0.5}, {}, r"Residual: no layer 'stem.1' with weights; did you mean 'stem.0'\?"),
        ({"head": 0.5}, {}, "head: its output channels have to stay: they are the network's output"),
        ({"stem.0": 0.5, "one.1": 0.25}, {}, "one.1 and stem.0 share their channels; give both 0.5 or both 0.25"),
        (0.5, {"scope": "all"}, "scope 'all': choose 'layer' or 'global'"),
        (0.5, {"norm": "l3"}, "norm 'l3': choose 'l1' or 'l2'"),
        (0.5, {"multiple": 0}, "multiple 0"),
        ({"stem.0": 0.5, "two.0.0": 0.25}, {"scope": "global"}, "one density holds for all"),
    ],
)
def test_what_cannot_be_pruned_is_named(density, options, message):
    module, inputs = made("Residual")
    with pytest.raises(BadInput, match=message):
        prune_channels(module, density, inputs, **options)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"stem.0": range(8)}, "would go; keep one"),
        ({"stem.0": [8]}, "stem.0: no output channel 8; it has 8, counted from 0"),
        ({"head": [0]}, "head: output channel 0 has to stay"),
        ({"tail": [0]}, "no layer 'tail' with weights"),
    ],
)
def test_channels_that_cannot_be_removed_are_named(channels, message):
    module, inputs = made("Residual")
    with pytest.raises(BadInput, match=message):
        remove_channels(module, channels, inputs)


def test_a_network_does_not_lose_all_channels_of_a_layer():
    with pytest.raises(BadInput, match="conv1: all its 64 channels would go; keep one"):
        remove_channels(load_network("alexnet"), {"conv1": range(64)})


def test_a_module_needs_inputs_and_code_that_follows_its_tensors():
    with pytest.raises(BadInput, match=r"example_inputs is a tensor; give a tuple"):
        prune_channels(StatesItsSizes(), 0.5, IMAGE[0])
    with pytest.raises(BadInput, match="Linear: none of its channels can go"):
        prune_channels(nn.Linear(4, 4), 0.5, (torch.zeros(1, 4),))
    with pytest.raises(BadInput, match="give example_inputs"):
        prune_channels(StatesItsSizes(), 0.5)
    with pytest.raises(BadInput, match="StatesItsSizes: its code states sizes that pruning changes"):
        prune_channels(StatesItsSizes(), 0.5, IMAGE)
    with pytest.raises(BadInput, match="a network has no weights to rank"):
        prune_channels(load_network("alexnet"), 0.5, scope="global")
    with pytest.raises(BadInput, match=r"module|model"):
        prune_channels("alexnet", 0.5)
