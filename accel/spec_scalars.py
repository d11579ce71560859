"""Values that stand in an accelerator's YAML: dimensions and quantities.

A number stays as YAML wrote it (a literal with unit, a parameter's name, arithmetic on both), so that a spec can be
resolved again for other parameter values and written back unchanged.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from .expressions import KINDS

__all__ = ["Bits", "Count", "Dimension", "OptionalScalar", "Scalar"]

Dimension = Literal["N", "G", "K", "C", "P", "Q", "R", "S"]


def _scalar(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        shown = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else "a list or mapping"
        raise ValueError(f"{shown} is not a quantity; write a number, a parameter or arithmetic")
    return value


_SCHEMA = {"type": ["string", "number"], "description": "number with unit, parameter, or arithmetic on both"}

Scalar = Annotated[str | int | float, BeforeValidator(_scalar), WithJsonSchema(_SCHEMA)]
OptionalScalar = Annotated[str | int | float | None, BeforeValidator(_scalar), WithJsonSchema(_SCHEMA)]
Bits = Annotated[Scalar, KINDS["bits"]]
Count = Annotated[Scalar, KINDS["count"]]
