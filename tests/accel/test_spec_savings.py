"""Gating and skipping in a spec: what is read, written back and turned by parameters, and which rules hold."""

from __future__ import annotations

import math

import pytest

from dovetail.accel.accelerator import Accelerator
from dovetail.accel.spec import accelerator_from_document, accelerator_to_yaml
from dovetail.document import parse_document
from dovetail.errors import SpecError

SPARSE = """\
name: sparse
technology: 45 nm
clock: 800 MHz
parameters:
  depth: {default: 64, choices: [16, 64]}
levels:
  - name: dram
    type: memory
    component: dram
    size: unbounded
    keeps: [input, weight, output]
  - name: buffer
    type: memory
    size: 8 KiB
    keeps: [input, output]
    may_bypass: [output]
    compression: {input: bitmask}
    capacity: worst
  - name: pes
    type: array
    shape: {x: 8}
  - name: lanes
    type: array
    shape: {y: 4}
    dims: {y: [K]}
    lockstep: true
  - name: spad
    type: memory
    component: register_file
    size: 512 B
    keeps: [weight]
    gating: {weight: [input]}
  - name: mac
    type: compute
    gating: [weight]
    skipping:
      leaders: [input, weight]
      common: [input]
      blocks: {K: 4}
      window: depth
      scan: {leaders: [input], rate: 2}
"""
DENSE = SPARSE[: SPARSE.index("    skipping:")]


def chip(text: str = SPARSE) -> Accelerator:
    return accelerator_from_document(parse_document(text, "t.yaml"))


def edited(old: str, new: str) -> str:
    assert SPARSE.count(old) == 1, old
    return SPARSE.replace(old, new)


def test_every_key_is_read() -> None:
    made = chip()
    skipping = made.compute.skipping
    assert skipping is not None
    assert (skipping.leaders, skipping.common) == ({"input", "weight"}, {"input"})
    assert (skipping.blocks, skipping.window, skipping.structured) == ({"K": 4}, 64, None)
    assert (skipping.scan, skipping.scan_rate) == ({"input"}, 2.0)
    assert [array.lockstep for array in made.arrays] == [False, True]
    assert [memory.worst_case for memory in made.memories] == [False, True, False]
    assert made.memories[2].gating == {"weight": frozenset({"input"})}


def test_a_parameter_turns_a_window() -> None:
    turned = chip().with_parameters(depth=16).compute.skipping
    assert turned is not None
    assert turned.window == 16


def test_a_spec_is_written_back_as_it_was() -> None:
    made = chip()
    assert made.spec is not None
    again = accelerator_from_document(parse_document(accelerator_to_yaml(made), "again.yaml"))
    assert again.levels == made.levels


def test_a_pattern_of_weights_may_lead() -> None:
    text = DENSE + "    skipping: {leaders: [weight], structured: {n: 2, m: depth / 16}}\n"
    skipping = chip(text).compute.skipping
    assert skipping is not None
    assert skipping.structured == (2, 4)
    assert math.isinf(skipping.scan_rate)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gating: {weight: [input]}", "gating: {output: [input]}", "'output' is not kept here"),
        ("gating: {weight: [input]}", "gating: {weight: [weight]}", "'weight' cannot follow itself"),
        ("gating: {weight: [input]}", "gating: {weight: []}", "lists no operand"),
        ("gating: {weight: [input]}", "gating: {weight: [output]}", "output"),
        (
            "gating: {weight: [input]}", "gating: {weight: [input]}\n    skipping: {weight: [input]}",
            "'weight' stands under 'gating', too",
        ),
        ("    may_bypass: [output]", "    skipping: {weight: [input]}", "'weight' is not kept here"),
        (
            "    may_bypass: [output]", "    may_bypass: [output]\n    gating: {output: [input]}",
            "a mapping may leave 'output' out of this memory",
        ),
        (
            "    keeps: [input, weight, output]\n",
            "    keeps: [input, weight, output]\n    gating: {weight: [input]}\n",
            "the multipliers take 'weight' from 'spad', not from here",
        ),
        ("      common: [input]", "      common: [input, output]", "output"),
        ("leaders: [input, weight]", "leaders: [weight]", "'input' leads nothing"),
        ("leaders: [input, weight]", "leaders: []", "leaders"),
        ("scan: {leaders: [input], rate: 2}", "scan: {leaders: [input, weight]}", "these are all leaders"),
        ("      common: [input]", "      common: [input, weight]", "all instances skip together"),
        ("      blocks: {K: 4}", "      blocks: {K: 4}\n      structured: {n: 2, m: 4}", "stands beside 'blocks'"),
        ("      blocks: {K: 4}", "      structured: {n: 2, m: 4}", "a pattern of n in m is one of weights"),
        ("      blocks: {K: 4}", "      blocks: {K: 0}", "a count must be more than zero"),
        ("    compression: {input: bitmask}\n", "", "nothing is compressed here"),
        ("window: depth", "windows: 4", "did you mean 'window'?"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_where_it_is_broken(old: str, new: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        chip(edited(old, new))
    first = str(caught.value).splitlines()[0]
    assert first.startswith("t.yaml:")
    assert said in str(caught.value)


def test_more_of_a_group_than_it_has_is_refused() -> None:
    text = DENSE + "    skipping: {leaders: [weight], structured: {n: 5, m: depth / 16}}\n"
    with pytest.raises(SpecError, match="5 of 4 words cannot be kept"):
        chip(text)


def test_lockstep_without_skipping_says_nothing() -> None:
    text = DENSE.replace("size: 512 B", "size: depth * 8 B")
    with pytest.raises(SpecError, match="no step is skipped on this accelerator"):
        chip(text)


def test_lanes_in_lockstep_need_blocks_as_long_as_their_axis() -> None:
    with pytest.raises(SpecError) as caught:
        chip(edited("      blocks: {K: 4}\n", ""))
    assert "instances along 'y' may hold 4 different words of the weight along K" in str(caught.value)


def test_lanes_along_dimensions_that_no_leader_has_need_no_blocks() -> None:
    text = SPARSE.replace("leaders: [input, weight]", "leaders: [input]").replace("      blocks: {K: 4}\n", "")
    text = text.replace("      window: depth\n", "").replace("      scan: {leaders: [input], rate: 2}\n", "")
    assert chip(text.replace("size: 512 B", "size: depth * 8 B")).arrays[1].lockstep
