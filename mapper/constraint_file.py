"""Constraints from YAML: a shipped dataflow by name, or a file of one's own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..accel.spec_models import Dimensions
from ..accel.spec_scalars import Dimension
from ..document import Document, load_document, shipped, validate
from ..errors import SpecError, UnknownName
from ..models.op import Role
from .constraints import Constraints, Imperfect, LevelConstraint

__all__ = ["constraints_from_document", "constraints_schema", "list_constraints", "load_constraints"]


def _given(value: object) -> object:
    if value is None:
        raise ValueError("nothing is written here; write [] to allow no dimension, or remove the key to allow all")
    return value


Factors = dict[Dimension, Annotated[int, Field(ge=1, strict=True)]]
Allowed = Annotated[Dimensions | None, BeforeValidator(_given)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AxisConstraintSpec(_Strict):
    """An axis of an array: ``factors`` demands a number of instances, ``dims`` limits the dimensions."""

    factors: Factors = {}
    dims: Allowed = None

    def constraint(self) -> LevelConstraint:
        allowed = None if self.dims is None else frozenset(self.dims)
        return LevelConstraint(factors=dict[str, int](self.factors.items()), dims=allowed)


class LevelConstraintSpec(AxisConstraintSpec):
    """A memory (``order`` or ``stationary``, ``factors``, ``dims``) or an array (``axes``)."""

    order: list[Dimension] = []
    stationary: Role | None = None
    axes: dict[str, AxisConstraintSpec] = {}

    def constraint(self) -> LevelConstraint:
        axes = {name: axis.constraint() for name, axis in self.axes.items()}
        return replace(super().constraint(), order=tuple(self.order), stationary=self.stationary, axes=axes)


class ConstraintsSpec(_Strict):
    """What is ruled out of a mapspace; ``levels`` are named as the accelerator names its memories and arrays."""

    description: str = ""
    source: str = ""
    imperfect: Imperfect = "arrays"
    levels: dict[str, LevelConstraintSpec] = {}


def list_constraints() -> tuple[str, ...]:
    """Names of the shipped constraints."""
    return tuple(shipped("constraints"))


def load_constraints(name_or_path: str | os.PathLike[str]) -> Constraints:
    """Shipped constraints by name, or those of a YAML file (anything with a folder in it or ending in .yaml or .yml).

    Raises `UnknownName` for a name that is not shipped, `BadInput` for a missing file, and `SpecError` with every
    problem as ``file:line:column: path.to.field: what is wrong; what to do``. Whether levels and axes exist is checked
    where the constraints meet an accelerator, in `Mapspace`; those complaints point into the file as well.
    """
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and Path(text).name == text and Path(text).suffix not in (".yaml", ".yml"):
        known = shipped("constraints")
        if text not in known:
            raise UnknownName("constraints", text, tuple(known))
        return constraints_from_document(load_document(known[text]))
    return constraints_from_document(load_document(Path(text)))


def constraints_from_document(document: Document) -> Constraints:
    """The constraints a document describes; raises `SpecError` with all its problems."""
    spec = validate(ConstraintsSpec, document)
    levels = {name: level.constraint() for name, level in spec.levels.items()}
    constraints = Constraints(levels, spec.imperfect, document)
    problems = [constraints.problem(*complaint) for complaint in constraints.complaints()]
    if problems:
        raise SpecError(problems)
    return constraints


def constraints_schema() -> dict[str, Any]:
    """JSON Schema of the constraints YAML."""
    return ConstraintsSpec.model_json_schema()
