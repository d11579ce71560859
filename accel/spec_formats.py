"""A memory's ``compression`` in YAML, and the formats that it means.

``{input: bitmask}`` names a format that needs no more; ``{weight: {format: coordinates, index: 14 bit, fiber: 128}}``
states its numbers. ``run_length`` alone is the code of the Eyeriss chip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag

from ..document import YamlPath
from ..models.op import Role
from .expressions import KINDS
from .formats import RUN_LENGTH, Format, FormatKind, format_rules
from .spec_scalars import Count, Dimension, OptionalScalar

if TYPE_CHECKING:
    from .spec_check import Evaluator

__all__ = ["TENSOR_DIMS", "FormatChoice", "FormatSpec", "formats_of"]

TENSOR_DIMS: Mapping[Role, str] = {"input": "NGCPQRS", "weight": "GKCRS", "output": "NGKPQ"}  # that it may depend on
_Bits = Annotated[OptionalScalar, KINDS["bits"]]
_Count = Annotated[OptionalScalar, KINDS["count"]]
_Name = Literal["none", "bitmask", "run_length", "coordinates", "offsets", "n_of_m", "codebook"]


class FormatSpec(BaseModel):
    """How words of a tensor are stored; which of the numbers a format has and needs depends on ``format``.

    ``index`` is the width of a place or of a run's length, ``fiber`` the words (or blocks) of a list, ``offset`` the
    width of what says where a list ends, ``along`` the dimension that lists or groups lie along, ``codebook`` the width
    of a number in a table of words, ``pack`` the width of the words that entries are packed into, ``block`` the sides
    of the blocks that are stored or left out as a whole; ``always``, even where plain words would be shorter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: FormatKind
    index: _Bits = None
    fiber: _Count = None
    offset: _Bits = None
    n: _Count = None
    m: _Count = None
    pack: _Bits = None
    codebook: _Bits = None
    along: Dimension | None = None
    block: Annotated[dict[Dimension, Count], KINDS["count"]] = {}
    always: bool = False


def _form(value: object) -> str:
    return "mapping" if isinstance(value, dict | FormatSpec) else "text"


FormatChoice = Annotated[
    Annotated[_Name, Tag("text")] | Annotated[FormatSpec, Tag("mapping")],
    Discriminator(_form),
]


def formats_of(
    choices: Mapping[Role, FormatChoice], widths: Mapping[Role, float], evaluator: Evaluator, path: YamlPath
) -> dict[Role, Format]:
    """The formats that a memory's ``compression`` states; ``widths`` are those of plain words, in bits.

    What breaks a rule is a problem of the evaluator's, and left out.
    """
    found: dict[Role, Format] = {}
    for role, choice in choices.items():
        if choice == "none":
            continue
        if choice == "run_length":
            found[role] = RUN_LENGTH
            continue
        problems = len(evaluator.problems)
        stated = _stated(choice, evaluator, (*path, role)) if isinstance(choice, FormatSpec) else {}
        kind = choice.format if isinstance(choice, FormatSpec) else choice
        if len(evaluator.problems) > problems:
            continue
        rules = (*format_rules(kind, stated), *_codebook(role, stated, widths[role]), *_foreign(role, stated))
        for key, what, remedy in rules:
            at = (*path, role) if isinstance(choice, str) else (*path, role, key)
            said = f"'{choice}' alone lacks '{key}'" if isinstance(choice, str) else what
            evaluator.complain(at, f"{said}; {remedy}")
        if len(evaluator.problems) == problems:
            found[role] = replace(_format(kind, stated), always=isinstance(choice, FormatSpec) and choice.always)
    return found


def _stated(choice: FormatSpec, evaluator: Evaluator, path: YamlPath) -> dict[str, object]:
    """The keys that are stated, as `format_rules` wants them."""
    stated: dict[str, object] = {}
    for key, kind in (("index", "bits"), ("fiber", "count"), ("offset", "bits"), ("n", "count"), ("m", "count"),
                      ("pack", "bits"), ("codebook", "bits")):  # fmt: skip
        raw = getattr(choice, key)
        if raw is not None:
            stated[key] = int(evaluator.number((*path, key), raw, KINDS[kind]))
    if choice.along:
        stated["along"] = choice.along
    if choice.block:
        block = {dim: evaluator.number((*path, "block", dim), raw, KINDS["count"]) for dim, raw in choice.block.items()}
        stated["block"] = tuple((dim, int(size)) for dim, size in block.items())
    return stated


def _codebook(role: Role, stated: Mapping[str, object], width: float) -> Iterator[tuple[str, str, str]]:
    """A codebook is of words that are known beforehand, and narrower than they are."""
    bits = stated.get("codebook")
    if not isinstance(bits, int):
        return
    if role != "weight":
        yield "codebook", f"words of the {role} are not known beforehand", "give a codebook to weights alone"
    elif bits >= width:
        yield "codebook", f"{bits} bits are no narrower than the word, {width:g}", f"use at most {width - 1:g} bit"


def _foreign(role: Role, stated: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Lists, groups and blocks lie along dimensions that the tensor can have."""
    known = TENSOR_DIMS[role]
    along, block = stated.get("along"), stated.get("block")
    for key, dims in (("along", (along,)), ("block", [dim for dim, _ in block] if isinstance(block, tuple) else ())):
        for dim in dims:
            if isinstance(dim, str) and dim not in known:
                yield key, f"no {role} has a dimension '{dim}'", f"use some of {', '.join(known)}"


def _format(kind: FormatKind, stated: Mapping[str, object]) -> Format:
    names = {"index": "index_bits", "offset": "offset_bits", "pack": "pack_bits", "codebook": "codebook_bits"}
    return Format(kind, **{names.get(key, key): value for key, value in stated.items()})  # type: ignore[arg-type]
