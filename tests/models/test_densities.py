"""Measured shares of words that are not zero, and patterns of zeros, given to a network."""

from __future__ import annotations

import pytest

from dovetail.errors import BadInput
from dovetail.models import (
    Blocks,
    Network,
    NofM,
    Pattern,
    Uniform,
    load_network,
    with_batch,
    with_bits,
    with_densities,
    with_patterns,
)


def densities(network: Network, layer: str) -> tuple[float, float, float]:
    op = next(op for op in network.contractions if op.name == layer)
    return op.tensors[0].density, op.tensors[1].density, op.tensors[2].density


def test_an_output_is_as_dense_as_the_input_that_reads_it() -> None:
    network = with_densities(load_network("alexnet"), {"conv2": {"input": 0.6}, "conv3": {"input": 0.3, "weight": 0.5}})
    assert densities(network, "conv1") == (1.0, 1.0, 0.6)
    assert densities(network, "conv2") == (0.6, 1.0, 0.3)
    assert densities(network, "conv3") == (0.3, 0.5, 1.0)


def test_a_figure_of_its_own_holds_and_figures_add_up() -> None:
    once = with_densities(load_network("alexnet"), {"conv1": {"output": 0.4}, "conv2": {"input": 0.6}})
    twice = with_densities(once, {"conv3": {"input": 0.3}})
    assert densities(twice, "conv1") == (1.0, 1.0, 0.4)
    assert densities(twice, "conv2") == (0.6, 1.0, 0.3)


def test_what_is_added_to_something_else_stays_dense() -> None:
    network = with_densities(load_network("resnet18"), {"layer1.1.conv1": {"input": 0.5}})
    assert densities(network, "layer1.1.conv1")[0] == 0.5
    assert densities(network, "layer1.0.conv2")[2] == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"conv22": {"input": 0.5}}, "alexnet: no contraction 'conv22'; did you mean 'conv2'?"),
        ({"conv2": {"inputs": 0.5}}, "alexnet: conv2 has no tensor 'inputs'; use input, weight, output"),
        ({"conv2": {"input": 1.5}}, "conv2.input: density 1.5 is outside"),
    ],
)
def test_what_cannot_be_is_named(given: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(BadInput, match=message.replace("?", r"\?")):
        with_densities(load_network("alexnet"), given)


def pattern(network: Network, layer: str, place: int) -> Pattern | None:
    return next(op for op in network.contractions if op.name == layer).tensors[place].pattern


def test_a_pattern_brings_its_density_and_outlives_other_batches_and_widths() -> None:
    network = with_patterns(load_network("alexnet"), {"fc6": {"weight": NofM(2, 4)}, "conv2": {"input": Uniform(0.6)}})
    assert densities(network, "fc6") == (1.0, 0.5, 1.0)
    assert densities(network, "conv1") == (1.0, 1.0, 0.6)
    changed = with_bits(with_batch(network, 4), 16)
    assert pattern(changed, "fc6", 1) == NofM(2, 4)
    assert densities(changed, "fc6") == (1.0, 0.5, 1.0)


def test_an_output_takes_the_density_of_a_pattern_and_not_its_places() -> None:
    network = with_patterns(load_network("alexnet"), {"conv3": {"input": Blocks(0.25, (("C", 16),))}})
    assert densities(network, "conv2")[2] == 0.25
    assert pattern(network, "conv2", 2) is None


def test_a_density_takes_the_place_of_a_pattern() -> None:
    network = with_patterns(load_network("alexnet"), {"fc6": {"weight": NofM(2, 4)}})
    again = with_densities(network, {"fc6": {"weight": 0.3}})
    assert (densities(again, "fc6")[1], pattern(again, "fc6", 1)) == (0.3, None)
    kept = with_densities(network, {"fc6": {"input": 0.3}})
    assert pattern(kept, "fc6", 1) == NofM(2, 4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"conv22": {"input": NofM(2, 4)}}, "alexnet: no contraction 'conv22'; did you mean 'conv2'?"),
        ({"conv1": {"weight": NofM(2, 4)}}, "conv1.weight: groups of 4 along C do not fill its 3 words"),
        ({"conv1": {"weight": 0.5}}, "conv1.weight is of type float, not of type Pattern; make a pattern"),
    ],
)
def test_patterns_that_cannot_be_are_named(given: dict[str, dict[str, Pattern]], message: str) -> None:
    with pytest.raises(BadInput, match=message.replace("?", r"\?")):
        with_patterns(load_network("alexnet"), given)
