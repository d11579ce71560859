"""``compression`` in YAML: what it means, what it refuses, and that it survives a round trip."""

from __future__ import annotations

import re

import pytest

from dovetail.accel.formats import RUN_LENGTH, Format
from dovetail.accel.spec import accelerator_from_document, accelerator_schema, accelerator_to_yaml
from dovetail.document import parse_document
from dovetail.errors import SpecError

SPEC = """\
name: small
technology: 45 nm
clock: 1 GHz
parameters:
  list: {default: 128, choices: [64, 128]}
  run: {default: 4 bit}
levels:
  - name: dram
    type: memory
    component: dram
    size: unbounded
    keeps: [input, weight, output]
    compression:
      weight: COMPRESSION
  - {name: sram, type: memory, size: 8 KiB, keeps: [input, output], compression: {input: OTHER}}
  - {name: mac, type: compute, operand: 8 bit}
"""
USES_PARAMETERS = "{format: run_length, index: run, fiber: list}"


def spec(compression: str, other: str = "{format: run_length, index: run, fiber: list}") -> str:
    return SPEC.replace("COMPRESSION", compression).replace("OTHER", other)


def formats(text: str) -> list[dict[str, Format]]:
    return [dict(memory.compression) for memory in accelerator_from_document(parse_document(text, "t.yaml")).memories]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run_length", RUN_LENGTH),
        ("bitmask", Format("bitmask")),
        ("{format: bitmask, block: {K: 16, C: list // 8}}", Format("bitmask", block=(("K", 16), ("C", 16)))),
        (
            "{format: coordinates, index: 14 bit, fiber: 128, codebook: 4 bit}",
            Format("coordinates", index_bits=14, fiber=128, codebook_bits=4),
        ),
        ("{format: offsets, fiber: 2 * list}", Format("offsets", index_bits=8, offset_bits=9, fiber=256)),
        ("{format: n_of_m, n: 2, m: 4}", Format("n_of_m", n=2, m=4, along="C")),
        ("{format: n_of_m, n: 1, m: 4, along: K}", Format("n_of_m", n=1, m=4, along="K")),
        ("{format: codebook, codebook: run}", Format("codebook", codebook_bits=4)),
        (
            "{format: run_length, index: 4 bit, fiber: 64, offset: 16 bit}",
            Format("run_length", index_bits=4, fiber=64, offset_bits=16),
        ),
        ("{format: run_length, index: 5 bit, pack: 64 bit}", RUN_LENGTH),
    ],
)
def test_a_format_means_what_it_states(text: str, expected: Format) -> None:
    outer, inner = formats(spec(text))
    assert outer == {"weight": expected}
    assert inner == {"input": Format("run_length", index_bits=4, fiber=128)}


def test_none_is_no_format() -> None:
    assert formats(spec("none"))[0] == {}


def test_formats_follow_parameters_and_survive_a_round_trip() -> None:
    accelerator = accelerator_from_document(parse_document(spec("bitmask"), "t.yaml")).with_parameters(list=64)
    assert accelerator.memories[1].compression["input"].fiber == 64
    again = accelerator_from_document(parse_document(accelerator_to_yaml(accelerator), "again.yaml"))
    assert again.levels == accelerator.levels
    assert hash(again.levels) == hash(accelerator.levels)


def test_the_schema_knows_formats() -> None:
    assert "FormatSpec" in accelerator_schema()["$defs"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zip", "14:7: levels[0].compression.weight: 'zip' is not allowed here; known: none, bitmask, run_length"),
        ("bitmaks", "14:7: levels[0].compression.weight: 'bitmaks' is not allowed here; did you mean 'bitmask'?"),
        ("3", "14:7: levels[0].compression.weight: '3' is not allowed here; "),
        ("[bitmask]", "14:7: levels[0].compression.weight: a list is not allowed here; "),
        ("coordinates", "14:7: levels[0].compression.weight: 'coordinates' alone lacks 'fiber'; add 'fiber: 128', for"),
        ("n_of_m", "14:7: levels[0].compression.weight: 'n_of_m' alone lacks 'n'; add 'n: 2', for example"),
        ("{index: 4 bit}", "14:7: levels[0].compression.weight.format: is missing; add 'format:'"),
        ("{format: zip}", "14:16: levels[0].compression.weight.format: 'zip' is not allowed here; known: bitmask"),
        ("{format: bitmask, fibre: 3}", "14:33: levels[0].compression.weight.fibre: unknown key 'fibre'; did you mean"),
        (
            "{format: bitmask, fiber: 3}",
            "14:33: levels[0].compression.weight.fiber: 'bitmask' has no 'fiber'; remove it",
        ),
        ("{format: n_of_m, n: 5, m: 4}", "14:32: levels[0].compression.weight.n: 5 of 4 words cannot be kept; use at"),
        ("{format: n_of_m, n: 0, m: 4}", "14:32: levels[0].compression.weight.n: '0' is 0; a count must be more than"),
        (
            "{format: n_of_m, n: 2}",
            "14:7: levels[0].compression.weight.m: is missing, which 'n_of_m' needs; add 'm: 4'",
        ),
        (
            "{format: coordinates, index: 6 bit, fiber: list}",
            "14:37: levels[0].compression.weight.index: 6 bits cannot tell 128 words apart; use at least 7 bit",
        ),
        (
            "{format: offsets, offset: 6 bit, fiber: 64}",
            "14:33: levels[0].compression.weight.offset: 6 bits cannot say where 64 words end; use at least 7 bit",
        ),
        ("{format: run_length, index: 4}", "14:36: levels[0].compression.weight.index: '4' has no unit; write '4 bit'"),
        ("{format: run_length}", "14:7: levels[0].compression.weight.index: is missing, which 'run_length' needs; add"),
        (
            "{format: codebook, codebook: 8 bit}",
            "14:34: levels[0].compression.weight.codebook: 8 bits are no narrower than the word, 8; use at most 7 bit",
        ),
        (
            "{format: bitmask, block: {Z: 3}}",
            "14:41: levels[0].compression.weight.block.Z: 'Z' is not allowed here; known: N, G, K",
        ),
        ("{format: bitmask, block: {K: 0}}", "14:41: levels[0].compression.weight.block.K: '0' is 0; a count must be"),
        ("{format: offsets, fiber: lst}", "14:33: levels[0].compression.weight.fiber: 'lst' is no parameter; did you"),
    ],
)
def test_a_wrong_format_is_answered_with_its_place_and_a_remedy(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        formats(spec(text))
    lines = [str(problem) for problem in caught.value.problems]
    assert any(line.startswith(f"t.yaml:{message}") for line in lines), "\n".join(lines)
    assert all(re.match(r"t\.yaml:\d+:\d+: .+; .+", line) for line in lines), "\n".join(lines)


def test_a_codebook_is_of_weights() -> None:
    with pytest.raises(
        SpecError, match=r"compression.input.codebook: words of the input are not known beforehand; giv"
    ):
        formats(
            spec("bitmask", "{format: codebook, codebook: run, fiber: list}".replace(", fiber: list", "")).replace(
                "  list: {default: 128, choices: [64, 128]}\n", ""
            )
        )


def test_a_format_of_a_tensor_that_is_not_kept_is_refused() -> None:
    with pytest.raises(
        SpecError, match=r"levels\[1\].compression: 'weight' is not kept here; add it to 'keeps' or remo"
    ):
        formats(spec("bitmask").replace("{input: {", "{weight: {"))
