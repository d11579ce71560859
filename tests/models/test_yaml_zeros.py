"""Zeros in YAML: every pattern survives the round trip, every mistake has its place and remedy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.errors import BadInput, SpecError
from dovetail.models import (
    Banded,
    Blocks,
    Layer,
    Measured,
    Network,
    NofM,
    Pattern,
    Uniform,
    conv2d,
    network_from_yaml,
    network_schema,
    network_to_yaml,
)

CONV = conv2d("conv", k=16, c=12, p=8, q=8, r=3, s=3)


def with_zeros(**patterns: Pattern) -> Network:
    tensors = tuple(replace(tensor, pattern=patterns.get(tensor.role)) for tensor in CONV.tensors)
    return Network("net", (Layer(replace(CONV, tensors=tensors)),))


def text(density: str) -> str:
    layer = f"name: conv, kind: conv2d, k: 16, c: 12, p: 8, q: 8, r: 3, s: 3, density: {density}"
    return f"name: net\nlayers:\n  - {{{layer}}}"


@pytest.mark.parametrize(
    ("density", "pattern"),
    [
        ("0.3", Uniform(0.3)),
        ("{density: 0.3}", Uniform(0.3)),
        ("{n: 2, m: 4}", NofM(2, 4)),
        ("{n: 1, m: 8, along: K}", NofM(1, 8, "K")),
        ("{blocks: {K: 16, C: 4}, density: 0.3}", Blocks(0.3, (("K", 16), ("C", 4)))),
        ("{blocks: {K: 16, C: 4}, density: 0.3, inside: 0.5}", Blocks(0.3, (("K", 16), ("C", 4)), 0.5)),
        ("{rows: K, columns: C, width: 2}", Banded("K", "C", 2)),
    ],
)
def test_each_pattern_is_read_and_written(density: str, pattern: Pattern) -> None:
    network = network_from_yaml(text(f"{{weight: {density}}}"))
    assert network == with_zeros(weight=pattern)
    assert network_from_yaml(network_to_yaml(network)) == network


def test_a_measured_mask_survives_the_round_trip() -> None:
    mask = np.random.default_rng(3).random((16, 12, 3, 3)) < 0.3
    network = with_zeros(weight=Measured.of(mask, "KCRS"), input=NofM(1, 2), output=Blocks(0.5, (("P", 4), ("Q", 4))))
    again = network_from_yaml(network_to_yaml(network))
    assert again == network
    np.testing.assert_array_equal(again.contractions[0].tensor("weight").pattern.mask, mask)


def test_masks_too_long_for_a_document_are_refused() -> None:
    op = conv2d("conv", k=4096, c=8192, p=1, q=1, r=1, s=1)
    mask = np.frombuffer(np.random.default_rng(3).bytes(4096 * 1024), dtype=np.uint8)
    first, second, third = op.tensors
    pattern = Measured(mask.tobytes(), (4096, 8192), ("K", "C"))
    network = Network("net", (Layer(replace(op, tensors=(first, replace(second, pattern=pattern), third))),))
    with pytest.raises(BadInput, match=r"characters of YAML are more than is read .*; give densities or structured"):
        network_to_yaml(network)


@pytest.mark.parametrize(
    ("density", "message"),
    [
        ("{weight: 1.5}", "<text>:3:80: layers[0].density.weight: '1.5' is out of bounds; write at most 1"),
        ("{weight: some}", "weight: 'some' is not a number"),
        ("{weight: {}}", "weight: says nothing about zeros; use one of: density; n +"),
        ("{weight: {n: 2}}", "weight: the keys n describe no zeros; use one of"),
        ("{weight: {n: 5, m: 4}}", "weight: 5 of 4 words cannot be non-zero: n > m; swap them or lower n"),
        ("{weight: {n: 2, m: 4.5}}", "weight.m: '4.5' is not a whole number"),
        ("{weight: {n: 2, m: 4, alnog: C}}", "weight.alnog: unknown key 'alnog'; did you mean 'along'?"),
        ("{weight: {n: 2, m: 4, along: X}}", "weight: groups along 'X', which is no dimension"),
        ("{weight: {n: 2, m: 8}}", "weight: groups of 8 along C do not fill its 12 words"),
        ("{weight: {blocks: {K: 32}, density: 0.3}}", "a block of 32 along K is larger than the dimension, 16"),
        ("{weight: {blocks: {K: 4}, density: 0}}", "weight.density: '0' is out of bounds; write more than 0"),
        ("{input: {rows: C, columns: P, width: 2}}", "a band along 'P', which is a window of the tensor, not an axis"),
        ("{weight: {mask: abc, shape: {K: 2}}}", "the mask is no deflated base64 text; have network_to_yaml write it"),
        ("{weight: {mask: eJz7DwABAAEA, shape: {K: 99}}}", "the mask does not hold the 99 words of its shape"),
        ("{weight: {mask: eJz7DwABAAEA, shape: {K: 999999999999999999999}}}", "the mask does not hold the 9999"),
    ],
)  # fmt: skip
def test_every_mistake_has_its_place_and_remedy(density: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        network_from_yaml(text(density))
    assert message in str(caught.value)


def test_the_schema_takes_numbers_and_patterns() -> None:
    zeros = network_schema()["$defs"]["ZerosSpec"]["anyOf"]
    assert zeros[0]["type"] == "number"
    assert {"n", "m", "blocks", "mask"} <= set(zeros[1]["properties"])
