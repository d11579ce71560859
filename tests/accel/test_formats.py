"""Formats beside an encoder that writes drawn masks word by word, and what formats refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sparse_oracle import Encoder, draw

from dovetail.accel.accelerator import Memory
from dovetail.accel.formats import RUN_LENGTH, Format, conforms, format_bits, format_parts, marginal_bits, worst_bits
from dovetail.accel.sparsity import kept_bits, stored_bits
from dovetail.errors import BadInput
from dovetail.models.op import ROLES, Op, Role, conv2d, linear
from dovetail.models.patterns import Banded, Blocks, Measured, NofM, Pattern, Uniform

CONV = conv2d("conv", k=10, c=8, p=5, q=4, r=3, s=2, stride=(2, 1))
MATRIX = linear("matrix", n=12, k=48, c=32)
BLOCK = (("K", 4), ("C", 4))

FORMATS = [
    Format("bitmask"),
    Format("bitmask", block=BLOCK),
    Format("bitmask", codebook_bits=4),
    Format("coordinates", fiber=32),
    Format("coordinates", fiber=100, index_bits=9),
    Format("coordinates", fiber=16, block=(("K", 3), ("C", 8))),
    Format("offsets", fiber=16),
    Format("offsets", fiber=10, along="C", codebook_bits=3),
    Format("offsets", fiber=3, along="K", block=BLOCK, offset_bits=7),
    Format("run_length", index_bits=1, fiber=7),
    Format("run_length", index_bits=2, fiber=20, along="C"),
    Format("run_length", index_bits=2, fiber=20, along="K"),
    Format("run_length", index_bits=3, fiber=64, offset_bits=8, codebook_bits=4),
    Format("run_length", index_bits=2, fiber=9, along="K", offset_bits=4),
    Format("n_of_m", n=2, m=4),
    Format("n_of_m", n=2, m=4, along="K", codebook_bits=2),
    Format("n_of_m", n=3, m=7, along="C"),
    Format("codebook", codebook_bits=4),
]


def with_pattern(op: Op, pattern: Pattern, role: Role = "weight") -> Op:
    tensors = [replace(tensor, pattern=pattern) if tensor.role == role else tensor for tensor in op.tensors]
    return replace(op, tensors=tuple(tensors))


def named(value: object) -> str:
    if isinstance(value, Format):
        given = {key: said for key, said in vars(value).items() if said and key not in ("kind", "block")}
        return f"{value.kind} {given} {'blocks' if value.block else ''}"
    return value.name if isinstance(value, Op) else repr(value)


def measured(*shape: int, dims: str = "KCRS", seed: int = 3) -> Measured:
    return Measured.of(np.random.default_rng(seed).random(shape) < 0.3, tuple(dims))


STRUCTURED = [
    (MATRIX, NofM(2, 4)),
    (MATRIX, NofM(1, 4)),
    (MATRIX, NofM(3, 8, "K")),
    (MATRIX, Blocks(0.25, BLOCK)),
    (MATRIX, Blocks(0.3, (("K", 12),))),
    (CONV, NofM(1, 2)),
    (CONV, Blocks(0.5, (("K", 5), ("C", 4)))),
    (CONV, Blocks(0.5, (("C", 3),))),  # at the end of the channels, they are smaller
]
KNOWN = [
    (MATRIX, measured(48, 32, dims="KC")),
    (MATRIX, measured(1, 32, dims="KC")),
    (MATRIX, measured(32, dims="C")),
    (MATRIX, Banded("K", "C", 3.0)),
    (CONV, measured(10, 8, 3, 2)),
    (CONV, measured(3, 2, 8, 10, dims="RSCK")),
]
RANDOM = [(MATRIX, Uniform(0.35)), (MATRIX, Uniform(0.06)), (CONV, Uniform(0.9)), (CONV, Uniform(0.2))]


@pytest.mark.parametrize("fmt", FORMATS, ids=named)
@pytest.mark.parametrize(("op", "pattern"), KNOWN, ids=named)
def test_masks_that_are_known_are_encoded_to_the_bit(fmt: Format, op: Op, pattern: Pattern) -> None:
    op = with_pattern(op, pattern)
    written = Encoder(fmt, op, "weight", draw(op, "weight", np.random.default_rng(0)), 8)
    words, other = format_parts(fmt, op, "weight", 8)
    assert words * op.words("weight") == pytest.approx(written.bits, abs=1e-6)
    assert other * op.words("weight") == pytest.approx(written.metadata, abs=1e-6)


def exact(fmt: Format, pattern: Pattern) -> bool:
    """Whether every mask of a pattern takes the same bits: where it matters only how many words are not zero."""
    if isinstance(pattern, Blocks) and (fmt.block or pattern.block == (("C", 3),)):
        return fmt.block == pattern.block
    return fmt.kind != "run_length" and not (fmt.block and isinstance(pattern, Uniform | NofM))


@pytest.mark.parametrize("fmt", FORMATS, ids=named)
@pytest.mark.parametrize(("op", "pattern"), STRUCTURED + RANDOM, ids=named)
def test_mean_bits_of_drawn_masks_are_those_of_an_encoder(fmt: Format, op: Op, pattern: Pattern) -> None:
    if fmt.kind == "n_of_m" and isinstance(pattern, Uniform):
        return  # a mask may be n of m by chance, but stays plain
    op, rng = with_pattern(op, pattern), np.random.default_rng(1)
    draws = 3 if exact(fmt, pattern) else 60
    totals = [Encoder(fmt, op, "weight", draw(op, "weight", rng), 8).total for _ in range(draws)]
    found = format_bits(fmt, op, "weight", 8) * op.words("weight")
    if exact(fmt, pattern) and float(op.words("weight") * pattern.mean).is_integer():
        assert found == pytest.approx(totals[0], abs=1e-6)
        assert len(set(totals)) == 1
    else:
        error = np.std(totals) / math.sqrt(draws)
        assert abs(np.mean(totals) - found) <= 4.5 * error + 2e-4 * found  # what is rare may not have happened


@pytest.mark.parametrize("pattern", [Uniform(0.05), Blocks(0.2, BLOCK), NofM(3, 4), NofM(2, 4, "K"), Uniform(1.0)])
def test_a_tensor_that_may_not_be_n_of_m_stays_plain(pattern: Pattern) -> None:
    op, fmt = with_pattern(MATRIX, pattern), Format("n_of_m", n=2, m=4, codebook_bits=4)
    assert not conforms(fmt, op, "weight")
    assert format_parts(fmt, op, "weight", 8) == (8, 0)
    assert format_bits(fmt, op, "output", 24) == 24  # it has no C


@pytest.mark.parametrize(
    "pattern", [NofM(2, 4), NofM(1, 4), NofM(1, 2), NofM(1, 16), Banded("K", "C", 0.5)]
)
def test_what_is_n_of_m_or_stricter_is_stored_so(pattern: Pattern) -> None:
    op, fmt = with_pattern(MATRIX, pattern), Format("n_of_m", n=2, m=4)
    assert conforms(fmt, op, "weight")
    assert format_bits(fmt, op, "weight", 8) == 0.5 * (8 + 2)


@pytest.mark.parametrize("fmt", FORMATS, ids=named)
def test_a_dense_tensor_is_as_wide_as_its_words(fmt: Format) -> None:
    memory = Memory("dram", frozenset(ROLES), compression={"weight": fmt})
    if fmt.codebook_bits and fmt.kind in ("bitmask", "codebook", "offsets", "run_length"):
        assert stored_bits(memory, MATRIX, "weight") <= 8
    else:
        assert stored_bits(memory, MATRIX, "weight") == 8
    assert stored_bits(memory, MATRIX, "input") == 8


@pytest.mark.parametrize("fmt", FORMATS, ids=named)
@pytest.mark.parametrize(("op", "pattern"), [*KNOWN, *RANDOM, (MATRIX, NofM(2, 4))], ids=named)
def test_no_format_is_longer_than_that_of_words_without_zeros(fmt: Format, op: Op, pattern: Pattern) -> None:
    op = with_pattern(op, pattern)
    if fmt.kind == "n_of_m" and not conforms(fmt, op, "weight"):
        return
    table = 2**fmt.codebook_bits * 8 / op.words("weight") if fmt.codebook_bits else 0.0
    ends = 1.5  # lists that are not full and their pointers
    assert format_bits(fmt, op, "weight", 8) <= (worst_bits(fmt, 8) + table) * ends


def test_a_bitmask_adds_a_bit_to_each_word_and_a_coordinate_its_index_to_each_that_stays() -> None:
    op = with_pattern(MATRIX, Uniform(0.25))
    assert format_parts(Format("bitmask"), op, "weight", 8) == (2.0, 1.0)
    assert format_parts(Format("coordinates", fiber=128), op, "weight", 8) == (2.0, 7 / 4)
    assert format_parts(Format("offsets", fiber=128), op, "weight", 8) == (2.0, 7 / 4 + 8 / 128)
    assert marginal_bits(Format("coordinates", fiber=128), op, "weight", 8) == 15


def test_bitmask_beats_coordinates_above_one_word_in_the_width_of_an_index() -> None:
    coordinates, bitmask = Format("coordinates", fiber=2**10), Format("bitmask")
    for density, shorter in ((0.09, coordinates), (0.11, bitmask)):
        op = with_pattern(MATRIX, Uniform(density))
        assert min((coordinates, bitmask), key=lambda fmt: format_bits(fmt, op, "weight", 8)) is shorter


@pytest.mark.parametrize("density", [1.0, 0.6, 0.25, 0.05, 0.005])
@pytest.mark.parametrize("word_bits", [8, 16])
def test_the_code_of_eyeriss_is_as_long_as_an_encoder_writes_it(density: float, word_bits: int) -> None:
    op = linear("long", n=1, k=400, c=500)
    op = with_pattern(op, Uniform(density))
    written = Encoder(RUN_LENGTH, op, "weight", draw(op, "weight", np.random.default_rng(1)), word_bits)
    assert format_bits(RUN_LENGTH, op, "weight", word_bits) == pytest.approx(written.total / 200_000, rel=0.02)


def test_three_pairs_of_sixteen_bit_words_are_packed_in_64_bits() -> None:
    def bits(density: float, word_bits: int) -> float:
        return format_bits(RUN_LENGTH, with_pattern(MATRIX, Uniform(density)), "weight", word_bits)

    assert bits(1.0, 16) == 64 / 3
    assert bits(1e-12, 16) == pytest.approx(64 / 3 / 32)
    assert bits(1.0, 60) == 65  # too wide to be packed


def test_a_worst_case_memory_keeps_room_for_words_in_no_zeros() -> None:
    op = with_pattern(MATRIX, Uniform(0.25))
    memory = Memory("buffer", frozenset(ROLES), compression={"weight": Format("bitmask")}, worst_case=True)
    assert stored_bits(memory, op, "weight") == 3.0
    assert kept_bits(memory, op, "weight") == 9.0
    assert kept_bits(memory, MATRIX, "weight") == 8.0  # stored plain
    halves = replace(memory, compression={"weight": Format("n_of_m", n=2, m=4)})
    assert kept_bits(halves, with_pattern(MATRIX, NofM(2, 4)), "weight") == 5.0


def test_the_code_of_outputs_is_that_of_finished_words() -> None:
    op = with_pattern(MATRIX, Uniform(0.5), "output")
    memory = Memory("dram", frozenset(ROLES), compression={"output": Format("bitmask")}, finished_output_bits=16)
    assert stored_bits(memory, op, "output") == 9.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "n_of_m", "n": 5, "m": 4}, "n_of_m.n: 5 of 4 words cannot be kept; use at most 4"),
        ({"kind": "n_of_m", "n": 2}, "n_of_m.m: is missing, which 'n_of_m' needs; add 'm: 4', for example"),
        ({"kind": "coordinates"}, "coordinates.fiber: is missing, which 'coordinates' needs; add 'fiber: 128'"),
        ({"kind": "run_length"}, "run_length.index: is missing"),
        ({"kind": "codebook"}, "codebook.codebook: is missing"),
        ({"kind": "offsets", "fiber": 65, "index_bits": 6}, "offsets.index: 6 bits cannot tell 65 words apart; use at"),
        (
            {"kind": "offsets", "fiber": 64, "offset_bits": 6},
            "offsets.offset: 6 bits cannot say where 64 words end; ",
        ),
        (
            {"kind": "bitmask", "index_bits": 3},
            "bitmask.index: 'bitmask' has no 'index'; remove it; it has block",
        ),
        (
            {"kind": "run_length", "index_bits": 3, "offset_bits": 4},
            "run_length.offset: points at the end of lists",
        ),
        ({"kind": "run_length", "index_bits": 3, "fiber": 8, "pack_bits": 64}, "run_length.pack: packs entries"),
        ({"kind": "run_length", "index_bits": 40}, "run_length.index: 40 bits count more words than any memory holds"),
        ({"kind": "bitmask", "codebook_bits": -1}, "bitmask.codebook: '-1' is no count; use a whole number from 1 on"),
        ({"kind": "coordinates", "fiber": 1.5}, "coordinates.fiber: '1.5' is no count"),
        ({"kind": "bitmask", "block": (("K", 0),)}, "bitmask.block: a block of 0 along K holds no word; use 1 or more"),
        ({"kind": "zip"}, "format: 'zip' is not known; use one of bitmask, run_length"),
    ],
)
def test_an_impossible_format_is_refused_with_the_rule_that_it_breaks(values: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        Format(**values)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
