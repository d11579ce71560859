"""What the suite `sparse` states itself: layers, densities and mappings of published runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ....document import load_document, shipped, validate
from ....models.op import Op, Role
from ....models.patterns import NofM

__all__ = ["SUITE", "ElementLayer", "EyerissLayer", "MatrixLayer", "ScnnNetwork", "Stated", "stated", "with_zeros"]

SUITE = "sparse"
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EyerissLayer(_Strict):
    """A convolution of p x p positions with r x r filters, its mapping, and the densities of its tensors."""

    k: Count
    c: Count
    p: Count
    r: Count
    stride: Count
    input: Share
    output: Share
    mapping: str


class MatrixLayer(_Strict):
    """A fully connected layer."""

    inputs: Count
    outputs: Count
    weight: Share
    input: Share


class ElementLayer(_Strict):
    """A 1x1 convolution; ``cycles`` of the baseline, and those of Sparseloop."""

    k: Count
    c: Count
    p: Count
    input: Share
    weight: Share
    cycles: Positive
    sparseloop: Positive


class _Eyeriss(_Strict):
    source: str
    batch: Count
    layers: dict[str, EyerissLayer]


class _Product(_Strict):
    source: str
    size: Count
    mapping: str
    densities: dict[float, Share]
    bitmask_cycles: Positive


class _Matrices(_Strict):
    source: str
    power_w: Positive
    power_layer: str
    area_mm2: Positive
    layers: dict[str, MatrixLayer]


class ScnnNetwork(_Strict):
    """A network's published speed-up, and the names of its layers' densities."""

    speedup: Positive
    options: dict[str, bool] = {}
    layers: dict[str, list[str]]


class _Scnn(_Strict):
    source: str
    networks: dict[str, ScnnNetwork]


class _Elements(_Strict):
    source: str
    layers: dict[str, ElementLayer]


class _Time(_Strict):
    input: Share
    weight: Share
    time: Positive


class _DualSide(_Strict):
    source: str
    size: Count
    mapping: str
    times: list[_Time]


class _Throughput(_Strict):
    accelerator: str
    n: Count
    m: Count
    throughput: Positive


class _Structured(_Strict):
    source: str
    size: Count
    mappings: dict[str, str]
    cases: list[_Throughput]


class Stated(_Strict):
    """All of it, a part for each source."""

    eyeriss: _Eyeriss
    spmspm: _Product
    eie: _Matrices
    scnn: _Scnn
    eyeriss_v2_pe: _Elements
    dual_side: _DualSide
    structured: _Structured


@lru_cache(maxsize=1)
def stated() -> Stated:
    """The file of the suite."""
    return validate(Stated, load_document(shipped("validation")[SUITE]))


def with_zeros(op: Op, zeros: Mapping[Role, float | NofM]) -> Op:
    """``op`` with zeros at random (a density) or in a pattern."""
    tensors = []
    for tensor in op.tensors:
        given = zeros.get(tensor.role, 1.0)
        changed = replace(tensor, pattern=given) if isinstance(given, NofM) else replace(tensor, density=given)
        tensors.append(changed)
    first, second, result = tensors
    return replace(op, tensors=(first, second, result))
