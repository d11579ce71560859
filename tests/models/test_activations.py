"""Zeros measured in torch modules: places of pruned weights, shares of activations on data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dovetail.errors import BadInput, ImportFailure
from dovetail.models import (
    Measured,
    Network,
    Op,
    from_torch,
    measure_activations,
    network_from_yaml,
    network_to_yaml,
    with_densities,
)


def layer(network: Network, name: str) -> Op:
    return next(op for op in network.contractions if op.name == name)


def share(values: Tensor) -> float:
    return float((values != 0).double().mean())


@torch.no_grad()
def pruned(module: nn.Module, density: float = 0.4) -> nn.Module:
    """Zeros at random places of every weight matrix and filter."""
    torch.manual_seed(3)
    for parameter in module.parameters():
        if parameter.dim() > 1:
            parameter *= (torch.rand_like(parameter) < density).to(parameter.dtype)
    return module


class Block(nn.Module):
    """Folded norm, fused activation, a residual, pooling, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, 1, 1, groups=2)
        self.norm2 = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm(self.conv1(x)))
        z = functional.relu(self.norm2(self.conv2(y)) + y)
        return self.head(functional.max_pool2d(z, z.shape[-1]).flatten(1))


def test_measured_weights_lie_where_the_module_has_them() -> None:
    module = pruned(Block())
    network = from_torch(module, (torch.zeros(1, 4, 8, 8),), zeros="measure")
    grouped, head = layer(network, "conv2").tensor("weight"), layer(network, "head").tensor("weight")
    assert isinstance(grouped.pattern, Measured)
    assert grouped.pattern.dims == tuple("GKCRS")
    np.testing.assert_array_equal(grouped.pattern.mask, (module.conv2.weight != 0).numpy().reshape(2, 4, 4, 3, 3))
    assert head.pattern is not None
    np.testing.assert_array_equal(head.pattern.mask, (module.head.weight != 0).numpy())
    assert head.density == pytest.approx(share(module.head.weight))
    assert network_from_yaml(network_to_yaml(network)) == network


def test_counted_weights_keep_their_share_and_ignored_ones_are_dense() -> None:
    module, inputs = pruned(Block()), (torch.zeros(1, 4, 8, 8),)
    counted = layer(from_torch(module, inputs, zeros="count"), "conv1").tensor("weight")
    assert (counted.pattern, counted.density) == (None, pytest.approx(share(module.conv1.weight)))
    assert from_torch(module, inputs) == from_torch(Block(), inputs)
    assert from_torch(Block(), inputs, zeros="measure") == from_torch(Block(), inputs)


class Products(nn.Module):
    """Weights that lie in other orders: transposed filters, a stored right and left operand, one broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 2, 2, groups=2)
        self.right = nn.Parameter(torch.randn(6, 5))
        self.left = nn.Parameter(torch.randn(7, 6))
        self.experts = nn.Parameter(torch.randn(3, 6, 2))
        self.mixed = nn.Parameter(torch.randn(6, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.up(x)[0].flatten(1)
        rows = y.t().reshape(1, -1, 6)
        return rows[0] @ self.right, self.left @ y, rows.expand(3, -1, 6) @ self.experts, torch.einsum(
            "nrc,ck->nrk", rows, self.mixed
        )  # fmt: skip


def test_weights_in_any_order_of_axes_are_read_as_the_operator_names_them() -> None:
    module = pruned(Products())
    network = from_torch(module, (torch.zeros(1, 4, 3, 3),), zeros="measure")
    masks = {
        "up": module.up.weight.reshape(2, 2, 3, 2, 2).transpose(1, 2),  # G, C, K/G, R, S -> G, K, C, R, S
        "right": module.right.t(), "left": module.left, "experts": module.experts.transpose(1, 2),
    }  # fmt: skip
    for name, weight in masks.items():
        op = layer(network, name)
        for tile in ({"K": 1}, {"C": 3}, {"K": 2, "C": 2}, {"K": 1, "R": 2}):
            sizes = [min(tile.get(dim, 1), bound) for dim, bound in op.dims if dim in op.tensor("weight").dims]
            expected = (weight != 0).numpy()
            for axis, size in enumerate(sizes):
                whole = expected.shape[axis] // size
                expected = np.take(expected, np.arange(whole * size).reshape(whole, size), axis).sum(axis + 1)
            occupancy = op.occupancy("weight", {dim: size for dim, size in tile.items() if dim in op.bounds})
            counts = np.bincount(expected.ravel(), minlength=occupancy.words + 1)
            np.testing.assert_allclose(occupancy.pmf(), counts / expected.size)
    product = network.contractions[-1].tensor("weight")
    assert product.pattern is None
    assert product.density == pytest.approx(share(module.mixed))


def test_activations_are_what_hooks_see() -> None:
    torch.manual_seed(5)
    module, batches = Block(), [torch.randn(2, 4, 8, 8).relu(), torch.randn(2, 4, 8, 8), torch.randn(1, 4, 8, 8)]
    measured = measure_activations(module, batches)
    seen: dict[str, list[Tensor]] = {}
    module.eval()
    for name in ("conv1", "conv2", "head"):
        getattr(module, name).register_forward_hook(
            lambda _module, given, _result, name=name: seen.setdefault(name, []).append(given[0].flatten())
        )
    with torch.no_grad():
        for batch in batches:
            module(batch)
    assert {name: given["input"] for name, given in measured.items()} == pytest.approx(
        {name: share(torch.cat(values)) for name, values in seen.items()}
    )
    # behind norms and the activation; conv2 writes before the addition
    assert measured["conv1"]["output"] == measured["conv2"]["input"] < 0.7
    assert measured["conv2"]["output"] > 0.99
    assert "weight" not in measured["conv1"]
    network = with_densities(from_torch(module, (batches[2],)), measured)
    assert layer(network, "conv2").tensor("input").density == measured["conv2"]["input"]
    assert layer(network, "conv1").tensor("output").density == measured["conv1"]["output"]


def test_attention_reads_activations_as_weights() -> None:
    class Attention(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return functional.scaled_dot_product_attention(q.relu(), k, v.relu())

    torch.manual_seed(2)
    data = tuple(torch.randn(1, 2, 6, 4) for _ in range(3))
    measured = measure_activations(Attention(), [data])
    scores, mixed = (op.name for op in from_torch(Attention(), data).contractions)
    assert measured[scores] == {"input": share(data[0].relu()), "weight": 1.0}
    assert measured[mixed]["weight"] == share(data[2].relu())


def test_a_layer_that_runs_twice_is_measured_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(functional.relu(self.fc(x)))

    torch.manual_seed(2)
    measured = measure_activations(Twice(), [torch.randn(16, 8)])
    assert list(measured) == ["fc", "fc_2"]
    assert measured["fc"]["input"] == 1.0
    assert measured["fc"]["output"] == measured["fc_2"]["input"] < 0.8


def test_a_tensor_that_was_all_zero_keeps_one_word() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(module[0].weight, -1.0)
    nn.init.constant_(module[0].bias, 0.0)
    measured = measure_activations(module, [torch.ones(5, 4)])
    assert measured["2"]["input"] == 1 / 20


def test_the_module_is_left_as_it_was() -> None:
    module = Block().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    measure_activations(module, [torch.randn(2, 4, 8, 8)])
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_bad_data_and_weights_are_refused() -> None:
    with pytest.raises(BadInput, match="Block: there are no data to measure its activations on; give at least one"):
        measure_activations(Block(), [])
    with pytest.raises(ImportFailure, match=r"Block: torch.export failed"):
        measure_activations(Block(), [torch.zeros(1, 3, 8, 8)])
    module = Block()
    nn.init.zeros_(module.conv2.weight)
    with pytest.raises(BadInput, match="Block: all weights of conv2 are zero; take that layer out of the module"):
        from_torch(module, (torch.zeros(1, 4, 8, 8),), zeros="count")
    with pytest.raises(BadInput, match="zeros is 'mask'; use 'ignore', 'count' or 'measure'"):
        from_torch(module, (torch.zeros(1, 4, 8, 8),), zeros="mask")  # type: ignore[arg-type]
