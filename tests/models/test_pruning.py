"""Zeros in weights: single words, n of m, blocks; and what a network says of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dovetail.errors import BadInput
from dovetail.models import Network, NetworkBuilder, from_torch, load_network
from dovetail.models.patterns import Blocks, Measured, NofM, Uniform
from dovetail.models.pruning import prune, prune_blocks, prune_n_of_m, with_structure

IMAGE = (torch.zeros(1, 4, 8, 8),)


def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3, groups=2), nn.ConvTranspose2d(32, 8, 2), nn.Flatten(),
        nn.Linear(8 * 5 * 5, 12),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Network:
    return from_torch(module(), IMAGE)


def shares(pruned: nn.Module) -> dict[str, float]:
    parts = pruned.named_modules()
    return {name: float((part.weight != 0).double().mean()) for name, part in parts if hasattr(part, "weight")}


def weight_tensors(network: Network) -> dict[str, object]:
    return {op.name: op.tensor("weight") for op in network.contractions}


# ---- single words


def test_exactly_the_share_asked_for_is_kept_and_nothing_else_changes():
    before = module()
    after = prune(before, 0.25)
    assert shares(after) == dict.fromkeys(("0", "2", "3", "5"), 0.25)
    assert all(share == 1.0 for share in shares(before).values())
    assert torch.equal(after[0].bias, before[0].bias)
    kept = after[5].weight != 0
    assert torch.equal(after[5].weight[kept], before[5].weight[kept])
    assert before[5].weight[~kept].abs().max() <= before[5].weight[kept].abs().min()


def test_densities_may_be_given_by_layer():
    assert shares(prune(module(), {"2": 0.5, "5": 0.1})) == {"0": 1.0, "2": 0.5, "3": 1.0, "5": 0.1}


def test_globally_one_threshold_holds():
    before = module()
    with torch.no_grad():
        before[0].weight *= 10.0
    after = prune(before, 0.5, scope="global")
    kept = {name: part.weight != 0 for name, part in after.named_children() if hasattr(part, "weight")}
    words = sum(mask.numel() for mask in kept.values())
    assert sum(int(mask.sum()) for mask in kept.values()) == round(0.5 * words)
    least = min(float(before[int(name)].weight.data[mask].abs().min()) for name, mask in kept.items())
    most = max(float(before[int(name)].weight.data[~mask].abs().max()) for name, mask in kept.items() if not mask.all())
    assert most <= least
    assert shares(after)["0"] > 0.9


def test_a_layer_keeps_its_largest_word_when_globally_all_would_go():
    before = module()
    with torch.no_grad():
        before[5].weight *= 1e-6
    after = prune(before, 0.05, scope="global")
    assert int((after[5].weight != 0).sum()) == 1


def test_words_of_equal_size_are_kept_by_place():
    layer = nn.Linear(10, 10)
    nn.init.constant_(layer.weight, 0.5)
    assert torch.equal(prune(layer, 0.33).weight.flatten() != 0, torch.arange(100) < 33)


def test_a_network_gets_the_density(network):
    assert {t.density for t in weight_tensors(prune(network, 0.25)).values()} == {0.25}
    by_layer = {name: t.density for name, t in weight_tensors(prune(network, {"2": 0.5})).items()}
    assert by_layer == {"0": 1.0, "2": 0.5, "3": 1.0, "5": 1.0}
    assert all(op.tensor("input").density == 1.0 for op in prune(network, 0.25).contractions)


# ---- n of m


def test_n_of_m_are_kept_along_the_input_channels():
    before = module()
    after = prune_n_of_m(before, 2, 4)
    groups = (after[2].weight != 0).movedim(1, -1).reshape(-1, 4)
    assert set(groups.sum(1).tolist()) == {2}
    large = before[2].weight.abs().movedim(1, -1).reshape(-1, 4)
    assert (large[groups].view(-1, 2).amin(1) >= large[~groups].view(-1, 2).amax(1)).all()
    assert shares(after) == dict.fromkeys(("0", "2", "3", "5"), 0.5)


def test_layers_that_groups_do_not_fill_stay_dense():
    mixed = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
    assert shares(prune_n_of_m(mixed, 1, 4)) == {"0": 1.0, "1": 0.25}
    network = prune_n_of_m(load_network("alexnet"), 2, 4)
    patterns = {name: tensor.pattern for name, tensor in weight_tensors(network).items()}
    assert patterns.pop("conv1") is None
    assert set(patterns.values()) == {NofM(2, 4, "C")}


# ---- blocks


def test_whole_blocks_stay_or_go():
    before = module()
    after = prune_blocks(before, {"5": 0.25}, {"K": 4, "C": 10})
    blocks = (after[5].weight != 0).reshape(3, 4, 20, 10).movedim(1, 2).reshape(60, 40)
    assert set(blocks.double().mean(1).tolist()) == {0.0, 1.0}
    assert blocks.double().mean() == 0.25
    sizes = before[5].weight.abs().reshape(3, 4, 20, 10).movedim(1, 2).reshape(60, 40).mean(1)
    assert sizes[blocks.all(1)].min() > sizes[~blocks.any(1)].max()


def test_blocks_at_the_end_may_be_smaller():
    after = prune_blocks(nn.Linear(10, 10), 0.5, {"K": 4, "C": 4})
    corners = (after.weight != 0).double()
    assert {float(corners[8:, 8:].mean()), float(corners[:4, :4].mean())} <= {0.0, 1.0}
    found = with_structure(measured(after, torch.zeros(1, 10)), Blocks(1.0, (("K", 4), ("C", 4))))
    pattern = found.contractions[0].tensor("weight").pattern
    assert isinstance(pattern, Blocks)
    assert (pattern.inside, pattern.mean) == (1.0, pytest.approx(float(corners.mean())))


def test_a_network_gets_the_blocks(network):
    pruned = weight_tensors(prune_blocks(network, 0.25, {"K": 8, "C": 4}))
    assert {name: tensor.density for name, tensor in pruned.items()} == {"0": 0.25, "2": 0.25, "3": 0.25, "5": 0.25}
    assert pruned["2"].pattern == Blocks(0.25, (("K", 8), ("C", 4)))


# ---- measured


def measured(model: nn.Module, *inputs: torch.Tensor) -> Network:
    return from_torch(model, inputs, zeros="measure")


def test_a_network_has_the_densities_of_the_pruned_module():
    pruned = prune(module(), {"0": 0.5, "2": 0.25, "5": 0.1})
    tensors = weight_tensors(from_torch(pruned, IMAGE, zeros="count"))
    assert {name: tensor.density for name, tensor in tensors.items()} == {"0": 0.5, "2": 0.25, "3": 1.0, "5": 0.1}


def test_n_of_m_is_stated_only_where_it_holds():
    pruned = prune(prune_n_of_m(module(), 2, 4), {"5": 0.6})
    assert shares(pruned)["5"] == 0.5  # zeros are not brought back
    pruned[0].weight.data.fill_(1.0)
    pruned[2].weight.data[:, :3] = 1.0
    pruned[2].weight.data[:, 3] = 0.0
    tensors = weight_tensors(with_structure(measured(pruned, *IMAGE), NofM(2, 4)))
    assert tensors["0"].pattern is None
    assert isinstance(tensors["2"].pattern, Measured)
    assert 0.5 < tensors["2"].density < 0.8
    assert [(tensors[name].pattern, tensors[name].density) for name in ("3", "5")] == [(NofM(2, 4), 0.5)] * 2


def test_shares_of_blocks_are_counted():
    pruned = prune_blocks(module(), {"2": 0.25, "5": 0.5}, {"K": 4, "C": 4})
    pruned[5].weight.data[::2] = 0.0
    tensors = weight_tensors(with_structure(measured(pruned, *IMAGE), Blocks(1.0, (("K", 4), ("C", 4)))))
    assert tensors["2"].pattern == Blocks(0.25, (("K", 4), ("C", 4)))
    assert tensors["5"].pattern == Blocks(0.5, (("K", 4), ("C", 4)), 0.5)
    assert tensors["3"].pattern is None


def test_attention_and_one_dimensional_convolutions_are_found():
    layers = prune_n_of_m(nn.Sequential(nn.Conv1d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 6, 16)), 1, 4)
    tensors = weight_tensors(with_structure(measured(layers, torch.zeros(1, 8, 8)), NofM(1, 4)))
    assert {tensor.pattern for tensor in tensors.values()} == {NofM(1, 4)}
    attention = prune(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 0.5)
    tensors = weight_tensors(from_torch(attention, (torch.zeros(1, 5, 16),), zeros="count"))
    assert {name: tensor.density for name, tensor in tensors.items() if tensor.is_parameter} == dict.fromkeys(
        ("self_attn.in_proj", "self_attn.out_proj", "linear1", "linear2"), 0.5
    )


# ---- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: prune(model, 1.2), r"density 1.2 is outside \(0, 1\]"),
        (lambda model: prune(model, {"5": 0}), r"5: density 0 is outside \(0, 1\]"),
        (lambda model: prune(model, {"7": 0.5}), "no layer '7' with weights; layers with weights are 0, 2, 3, 5"),
        (lambda model: prune(model, 0.5, scope="all"), "scope 'all': choose 'layer' or 'global'"),
        (lambda model: prune_n_of_m(model, 5, 4), "5 of 4 words cannot be non-zero: n > m"),
        (lambda model: prune_n_of_m(model, 2, 7), "no layer can be pruned like this .*groups of 7 do not fill"),
        (lambda model: prune_n_of_m(model, 2, 3, layers=["0"]), "0: groups of 3 do not fill the 4 words along C"),
        (lambda model: prune_n_of_m(model, 2, 4, along="P"), "its weight has no dimension 'P'; use"),
        (lambda model: prune_blocks(model, {"0": 0.5}, {"K": 16, "C": 16}), "0: a block of 16 along C is larger than"),
        (lambda model: prune_blocks(model, 0.5, {"K": 640}), "no layer can be pruned like this"),
        (lambda model: prune_blocks(model, 0.5, {"K": 0}), "the block's K is 0"),
        (lambda model: prune_blocks(model, 0.5, {}), "a block names"),
    ],
)
@pytest.mark.parametrize("kind", ["module", "network"])
def test_what_cannot_be_pruned_is_named(call, message, kind, network):
    with pytest.raises(BadInput, match=message):
        call(network if kind == "network" else module())


def test_computed_weights_and_networks_without_any_are_refused(network):
    computed = module()
    nn.utils.parametrizations.weight_norm(computed[5])
    with pytest.raises(BadInput, match=r"5.weight is computed from other parameters; make it plain first"):
        prune(computed, 0.5)
    with pytest.raises(BadInput, match="no weight has a measured mask; import it with zeros='measure'"):
        with_structure(network, NofM(2, 4))
    with pytest.raises(BadInput, match="cannot be found in a mask"):
        with_structure(network, Uniform(0.5))
    with pytest.raises(BadInput, match="module is the text 'alexnet'"):
        prune("alexnet", 0.5)
    builder = NetworkBuilder("products", channels=8)
    builder.matmul("product", ("", ""), g=1, n=8, k=8, c=8)
    with pytest.raises(BadInput, match="products: no layer has weights"):
        prune(builder.build(), 0.5)
