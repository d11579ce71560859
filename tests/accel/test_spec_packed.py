"""Vectors, queues and codes that are always taken in a spec; the shipped sparse engines."""

from __future__ import annotations

import pytest

from dovetail.accel.accelerator import Accelerator, Packed
from dovetail.accel.spec import accelerator_from_document, accelerator_to_yaml, load_accelerator
from dovetail.document import parse_document
from dovetail.errors import SpecError

SPARSE = """\
name: sparse
technology: 45 nm
clock: 800 MHz
parameters:
  lanes: {default: 4, choices: [4, 8]}
levels:
  - name: dram
    type: memory
    component: dram
    size: unbounded
    keeps: [input, weight, output]
    compression: {weight: {format: run_length, index: 4 bit, always: true}}
  - {name: pes, type: array, shape: {x: 8}}
  - name: mac
    type: compute
    skipping:
      leaders: [input, weight]
      common: [input]
      packed: {input: {tile: {C: 16}, lanes: lanes}}
      padded: [weight]
      window: 64
      queue: lanes * 2
"""
ENGINES = (
    "block_sparse_edge", "dual_side_tensor_core", "eie", "eyeriss_sparseloop", "eyeriss_v2_pe", "nm_systolic", "scnn",
    "sparse_tensor_core", "spmspm_bitmask", "spmspm_coordinates",
)  # fmt: skip


def chip(text: str = SPARSE) -> Accelerator:
    return accelerator_from_document(parse_document(text, "t.yaml"))


def edited(old: str, new: str) -> str:
    assert SPARSE.count(old) == 1, old
    return SPARSE.replace(old, new)


def test_every_key_is_read() -> None:
    made = chip()
    skipping = made.compute.skipping
    assert skipping is not None
    assert dict(skipping.packed) == {"input": Packed({"C": 16}, 4)}
    assert (skipping.padded, skipping.window, skipping.queue) == ({"weight"}, 64, 8)
    assert made.memories[0].compression["weight"].always


def test_parameters_turn_lanes_and_queues_and_nothing_is_lost_in_yaml() -> None:
    wide = chip().with_parameters(lanes=8).compute.skipping
    assert wide is not None
    assert (wide.packed["input"].lanes, wide.queue) == (8, 16)
    assert chip(accelerator_to_yaml(chip())) == chip()
    assert hash(chip()) == hash(chip())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("      window: 64\n", "", "queue: holds windows, but no 'window' says how many steps one has; add 'window:'"),
        ("leaders: [input, weight]", "leaders: [weight]", "packed: 'input' leads nothing; add it to 'leaders'"),
        ("padded: [weight]", "padded: [input]", "no memory has a code for 'input'; state its 'compression:'"),
        ("tile: {C: 16}", "tile: {C: 2}", "4 lanes are more than the words of a tile; use at most 2"),
        ("tile: {C: 16}", "tile: {}", "tile"),
        ("tile: {C: 16}", "tile: {Z: 16}", "tile"),
        ("queue: lanes * 2", "queue: 0", "queue"),
        ("always: true", "always: perhaps", "always"),
        ("      window: 64\n", "      window: 64\n      blocks: {C: 16}\n", "single words are packed, not blocks"),
        ("window: 64\n", "window: 64\n      blocks: {C: 16}\n", "zeros of 'weight' are found in another way"),
        ("tile: {C: 16}", "tile: {K: 16}", "tile.K: no input has a dimension 'K'; use some of N, G, C, P, Q, R, S"),
        ("queue: lanes * 2", "queue: 1000000000000", "is more than the model can count; use at most 4096"),
        ("window: 64\n      queue: lanes * 2", "window: 1000000000", "1000000000 is more than the model can count"),
        ("always: true}", "along: P}", "along: no weight has a dimension 'P'; use some of G, K, C, R, S"),
        ("{format: run_length, index: 4 bit, always: true}", "bitmask", "'bitmask', the innermost code of 'weight'"),
    ],
)
def test_what_cannot_be_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        chip(edited(old, new))
    assert message in str(error.value)


def test_blocks_lie_along_dimensions_of_their_tensor() -> None:
    coded = edited("{format: run_length, index: 4 bit, always: true}", "{format: bitmask, block: {Q: 4}}")
    with pytest.raises(SpecError) as error:
        chip(coded.replace("      padded: [weight]\n", ""))
    assert "compression.weight.block: no weight has a dimension 'Q'" in str(error.value)


def test_instances_that_keep_a_pattern_do_not_wait_for_each_other() -> None:
    old = SPARSE[SPARSE.index("      leaders:") :]
    with pytest.raises(SpecError) as error:
        chip(SPARSE.replace(old, "      leaders: [weight]\n      structured: {n: 2, m: 4}\n      window: 64\n"))
    assert "window: a pattern leaves every instance as many steps" in str(error.value)


def test_a_list_of_leaders_that_is_wrong_is_one_mistake_and_not_two() -> None:
    old = SPARSE[SPARSE.index("      leaders:") :]
    with pytest.raises(SpecError) as error:
        chip(SPARSE.replace(old, "      leaders: []\n      window: 64\n"))
    assert "window" not in str(error.value)


# ---- what ships ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
def test_a_shipped_engine_survives_yaml_and_every_choice_of_its_parameters(name: str) -> None:
    engine = load_accelerator(name)
    assert chip(accelerator_to_yaml(engine)) == engine
    assert engine.source
    assert engine.notes
    for parameter in engine.parameters:
        for value in parameter.choices:
            given = (
                f"{value!r} bit/s" if parameter.unit.endswith("/s") else f"{value!r} bit" if parameter.unit else value
            )
            assert engine.with_parameters(**{parameter.name: given}).values[parameter.name] == value


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("eie", 64), ("scnn", 1024), ("eyeriss_v2_pe", 2), ("sparse_tensor_core", 1024), ("dual_side_tensor_core", 512),
        ("eyeriss_sparseloop", 168), ("block_sparse_edge", 256),
    ],
)  # fmt: skip
def test_engines_have_their_published_multipliers(name: str, macs: int) -> None:
    assert load_accelerator(name).peak_macs_per_cycle == macs


def test_108_multiprocessors_make_the_published_312_tflops() -> None:
    assert 108 * load_accelerator("sparse_tensor_core").peak_ops_per_s / 1e12 == pytest.approx(312, rel=1e-3)
