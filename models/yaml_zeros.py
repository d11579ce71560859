"""How the zeros of a tensor are written in YAML: a number, or a mapping that says where they are."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from ..document import field_errors
from ..errors import BadInput
from .op import Tensor
from .patterns import Banded, Blocks, Measured, NofM, Pattern, Uniform

__all__ = ["ZerosSpec", "describe_zeros"]

Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Width = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]
Sizes = Annotated[dict[str, Count], Field(min_length=1)]

# Keys that each form needs, and those it may have besides.
_FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "random": (("density",), ()),
    "n_of_m": (("n", "m"), ("along",)),
    "blocks": (("blocks", "density"), ("inside",)),
    "band": (("rows", "columns", "width"), ()),
    "mask": (("mask", "shape"), ()),
}


class ZerosSpec(BaseModel):
    """Zeros at random (a number, or ``density``), n of m words along a dimension, blocks, a band, or a mask."""

    model_config = ConfigDict(extra="forbid")

    density: Share = Field(default=1.0, description="share of words, or of blocks, that are not zero")
    n: Count = Field(default=1, description="non-zero words of each group of m")
    m: Count = Field(default=1, description="words of a group")
    along: Name = Field(default="C", description="dimension along which groups lie")
    blocks: Sizes = Field(default_factory=dict, description="words of a block by dimension, 1 along the others")
    inside: Share = Field(default=1.0, description="share of the words of a kept block that are not zero")
    rows: Name = Field(default="N", description="first dimension of a band")
    columns: Name = Field(default="C", description="second dimension of a band")
    width: Width = Field(default=0.0, description="columns kept on each side")
    mask: Name = Field(default="", description="a measured mask's bits, deflated, base64 (by network_to_yaml)")
    shape: Sizes = Field(default_factory=dict, description="extents of the mask's axes, in its order")

    @model_validator(mode="before")
    @classmethod
    def _number(cls, given: Any) -> Any:
        return given if isinstance(given, dict | ZerosSpec) else {"density": given}

    @model_validator(mode="after")
    def _one_form(self) -> ZerosSpec:
        with field_errors():
            self.pattern()
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        for name, field in schema.get("properties", {}).items():
            if name not in ("density", "along", "inside"):
                field.pop("default", None)  # only there so that the model can leave it out
        number = {"exclusiveMinimum": 0, "maximum": 1, "type": "number"}
        return {"anyOf": [number, schema], "title": cls.__name__}

    def pattern(self) -> Pattern:
        """The pattern described. Raises `BadInput` where the keys describe none."""
        given = self.model_fields_set
        for form, (needed, more) in _FORMS.items():
            if set(needed) <= given <= {*needed, *more}:
                return self._of_form(form)
        forms = [" + ".join((*needed, *(f"({key})" for key in more))) for needed, more in _FORMS.values()]
        what = f"the keys {', '.join(sorted(given))} describe no zeros" if given else "says nothing about zeros"
        raise BadInput(f"{what}; use one of: {'; '.join(forms)}")

    def _of_form(self, form: str) -> Pattern:
        if form == "n_of_m":
            return NofM(self.n, self.m, self.along)
        if form == "blocks":
            return Blocks(self.density, tuple(self.blocks.items()), self.inside)
        if form == "band":
            return Banded(self.rows, self.columns, self.width)
        if form == "mask":
            return Measured(_bits(self.mask, math.prod(self.shape.values())), tuple(self.shape.values()),
                            tuple(self.shape))  # fmt: skip
        return Uniform(self.density)


def _bits(text: str, words: int) -> bytes:
    """The packed bits of a mask; never more than ``words`` of them, whatever the text unfolds to."""
    size = -(-words // 8)
    remedy = "have network_to_yaml write it"
    try:
        packed = base64.b64decode(text, validate=True)
        bits = zlib.decompressobj().decompress(packed, min(size + 1, 2000 * len(packed)))  # deflate saves no more
    except (binascii.Error, zlib.error, ValueError) as error:
        raise BadInput(f"the mask is no deflated base64 text; {remedy}") from error
    if len(bits) != size:
        raise BadInput(f"the mask does not hold the {words} words of its shape; {remedy}")
    return bits


def describe_zeros(tensor: Tensor) -> float | dict[str, Any]:
    """What `ZerosSpec` reads back to the same zeros."""
    pattern = tensor.pattern
    if isinstance(pattern, NofM):
        return {"n": pattern.n, "m": pattern.m, "along": pattern.dim}
    if isinstance(pattern, Blocks):
        text: dict[str, Any] = {"blocks": dict(pattern.block), "density": pattern.density}
        return text | ({"inside": pattern.inside} if pattern.inside != 1.0 else {})
    if isinstance(pattern, Banded):
        return {"rows": pattern.rows, "columns": pattern.columns, "width": pattern.width}
    if isinstance(pattern, Measured):
        mask = base64.b64encode(zlib.compress(pattern.packed, 9)).decode("ascii")
        return {"mask": mask, "shape": dict(zip(pattern.dims, pattern.shape, strict=True))}
    if pattern is not None:
        remedy = "give its density, or a measured mask"
        raise BadInput(f"{tensor.role}: a pattern of kind {type(pattern).__name__} has no form in YAML; {remedy}")
    return tensor.density
