"""YAML with positions: what is read, what is refused, and where a problem is said to be."""

from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dovetail.document import dotted, field_errors, load_document, parse_document, shipped, validate
from dovetail.errors import BadInput, SpecError


def _refuse(value: int) -> int:
    with field_errors():
        if value < 1:
            raise BadInput(f"{value} is too small; write 1 or more")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Memory(_Strict):
    type: Literal["memory"]
    size: str
    keeps: list[Literal["input", "weight"]] = []


class Array(_Strict):
    type: Literal["array"]
    shape: dict[str, int]


class Chip(_Strict):
    name: str
    count: Annotated[int, AfterValidator(_refuse)] = 1
    levels: list[Annotated[Memory | Array, Field(discriminator="type")]] = []


def problems(text: str, model: type[BaseModel] = Chip) -> list[str]:
    with pytest.raises(SpecError) as caught:
        validate(model, parse_document(text, "chip.yaml"))
    return str(caught.value).splitlines()


def test_a_key_knows_its_line_and_column():
    document = parse_document("name: a\nlevels:\n  - type: memory\n    size: 3 B\n", "chip.yaml")
    assert document.position(("levels", 0, "size")) == (4, 5)
    assert document.position(("levels", 0)) == (3, 5)
    assert document.position(("levels", 0, "no such key")) == (3, 5)


def test_dimension_letters_and_dates_stay_text():
    data = parse_document("dims: [N, y, Y, no, on, off, yes]\nday: 2024-01-01\nold: 1:30\nN: 1", "x").data
    assert data["dims"] == ["N", "y", "Y", "no", "on", "off", "yes"]
    assert (data["day"], data["old"], data["N"]) == ("2024-01-01", "1:30", 1)


def test_decimal_numbers_with_exponents_are_numbers():
    data = parse_document("a: 1e6\nb: 017\nc: .5\nd: '3'\ne: true\nf:\ng: 0x10", "x").data
    assert data == {"a": 1e6, "b": 17, "c": 0.5, "d": "3", "e": True, "f": None, "g": "0x10"}


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("a: [b\n", "x:2:1:", "not valid YAML"),
        ("a: 'b\n", "x:2:1:", "quotes"),
        ("a: 1\n\tb: 2\n", "x:2:1:", "indent with spaces"),
        ("a: b: c\n", "x:1:5:", "quote the text"),
        ("a: 1\n---\nb: 2\n", "x:2:1:", "keep one document"),
        ("", "x:1:1:", "empty"),
        ("# only a comment\n", "x:1:1:", "empty"),
        ("- a\n- b\n", "x:1:1:", "a list, not a mapping"),
        ("a: \x00\n", "x:1:4:", "not allowed in YAML"),
        ("a: *b\n", "x:1:4:", "undefined alias"),
        ("a: !secret b\n", "x:1:4:", "the tag '!secret'"),
        ("[a]: 1\n", "x:1:1:", "a key must be"),
        ("a: &a [*a]\n", "x:1:4:", "anchor"),
        ("[" * 5000, "x:1:1:", "nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text, place, part):
    with pytest.raises(SpecError) as caught:
        parse_document(text, "x")
    assert str(caught.value).startswith(place)
    assert part in str(caught.value)


def test_a_duplicate_key_names_both_lines():
    with pytest.raises(SpecError, match="x:3:1: name: 'name' stands twice in this mapping, on lines 1 and 3; keep"):
        parse_document("name: a\nother: 1\nname: b\n", "x")


def test_every_duplicate_key_is_reported():
    with pytest.raises(SpecError) as caught:
        parse_document("a: 1\na: 2\nb: {c: 1, c: 2}\n", "x")
    assert [problem.path for problem in caught.value.problems] == ["a", "b.c"]


def test_anchors_that_multiply_are_stopped():
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(SpecError, match="too large"):
        parse_document("\n".join(lines), "x")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.yaml: no such file"):
        load_document(tmp_path / "none.yaml")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="this is a folder"):
        load_document(tmp_path)


def test_bytes_that_are_no_utf8_are_placed(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: caf\u00e9\n".encode("latin-1"))
    with pytest.raises(SpecError, match=r"latin\.yaml:2:7: not UTF-8"):
        load_document(path)


def test_a_byte_order_mark_is_ignored(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: a\n")
    assert load_document(path).data == {"name": "a"}


def test_a_good_document_becomes_the_model():
    chip = validate(Chip, parse_document("name: a\nlevels: [{type: array, shape: {y: 2}}]", "x"))
    assert isinstance(chip.levels[0], Array)
    assert chip.levels[0].shape == {"y": 2}


def test_all_problems_come_at_once_in_the_order_of_the_text():
    text = (
        "nmae: a\ncount: 0\nlevels:\n  - type: memory\n    sise: 3 B\n    keeps: [inputs]\n  - type: arry\n"
        "  - {type: array, shape: 3, colour: red}\n  - text\n"
    )
    assert problems(text) == [
        "chip.yaml:1:1: name: is missing; add 'name:'",
        "chip.yaml:1:1: nmae: unknown key 'nmae'; did you mean 'name'?",
        "chip.yaml:2:1: count: 0 is too small; write 1 or more",
        "chip.yaml:4:5: levels[0].size: is missing; add 'size:'",
        "chip.yaml:5:5: levels[0].sise: unknown key 'sise'; did you mean 'size'?",
        "chip.yaml:6:13: levels[0].keeps[0]: 'inputs' is not allowed here; did you mean 'input'?",
        "chip.yaml:7:5: levels[1].type: 'arry' is not a known type; did you mean 'array'?",
        "chip.yaml:8:19: levels[2].shape: '3' is not a mapping; write 'key: value' lines",
        "chip.yaml:8:29: levels[2].colour: unknown key 'colour'; known: type, shape",
        "chip.yaml:9:5: levels[3]: 'text' is not a mapping; write 'key: value' lines",
    ]


def test_a_message_repeats_no_more_than_sixty_characters_of_the_text():
    (line,) = problems(f"name: a\nlevels: []\n{'k' * 500}: 1\n")
    assert "k" * 57 + "..." in line
    assert "k" * 58 not in line


def test_control_characters_of_a_text_do_not_reach_the_terminal():
    (line,) = problems('name: a\nlevels: []\n"\\e[31mred": 1\n')
    assert "\\x1b[31mred" in line
    assert line.isprintable()


def test_a_merge_key_is_refused_by_name():
    with pytest.raises(SpecError, match=r"2:11: levels\[0\]: merge keys \('<<'\) are not used here"):
        parse_document("name: a\nlevels: [{<<: {type: array}}]\n", "x")


def test_a_missing_discriminator_lists_the_types():
    (line,) = problems("name: a\nlevels:\n  - size: 3 B\n")
    assert line == "chip.yaml:3:5: levels[0]: 'type' is missing; add 'type:' with one of memory, array"


def test_paths_are_written_as_people_write_them():
    assert dotted(("levels", 2, "size")) == "levels[2].size"


def test_shipped_files_are_found_by_name():
    assert shipped("accelerators")["eyeriss"].name == "eyeriss.yaml"
    assert shipped("no such folder") == {}
