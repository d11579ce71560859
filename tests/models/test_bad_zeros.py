"""Zeros of which nothing can be made are refused with a message, whatever they are."""

from __future__ import annotations

import pytest

from dovetail.errors import BadInput
from dovetail.models import Blocks, Network, distortion_curves, linear, with_densities
from dovetail.models.network import Layer
from dovetail.models.pruning import prune_blocks


def network() -> Network:
    return Network("small", (Layer(linear("one", n=4, k=32, c=64), ()),))


@pytest.mark.parametrize("block", [None, 16, (16, 16), "KC"])
def test_what_is_no_block_is_refused(block) -> None:
    with pytest.raises(BadInput, match="is no block; give dimensions and sizes"):
        Blocks(0.3, block)
    with pytest.raises(BadInput, match="is no block; give dimensions and sizes"):
        prune_blocks(network(), 0.3, block)


def test_a_block_may_be_written_as_a_mapping() -> None:
    assert Blocks(0.3, {"K": 16, "C": 8}) == Blocks(0.3, (("K", 16), ("C", 8)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "tile", "message"),
    [
        ("bias", {"K": 4}, "one has no tensor 'bias'; use input, weight, output"),
        ("weight", {"K": 2.5}, "at least 1, and whole"),
    ],
)
def test_a_tile_that_cannot_be_is_refused(role, tile, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        network().contractions[0].occupancy(role, tile)


@pytest.mark.parametrize("density", ["a", None, 0, float("nan")])
def test_a_density_that_is_none_is_refused(density) -> None:
    with pytest.raises(BadInput, match=r"one.weight: density .* is outside \(0, 1\]"):
        with_densities(network(), {"one": {"weight": density}})


@pytest.mark.parametrize("levels", [0.5, "0.5", None])
def test_levels_that_are_no_list_are_refused(levels) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(BadInput, match="is no list; give densities"):
        distortion_curves(torch.nn.Linear(4, 4), [torch.ones(1, 4)], levels)
