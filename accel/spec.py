"""Accelerators from YAML: load a shipped or an own spec, turn its parameters, write it back.

A spec is resolved in three steps: the keys are checked against `AcceleratorSpec`, the rules of `spec_check` add every
other problem, and `spec_resolve` evaluates the quantities and asks the estimators for what is not stated.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

import yaml

from ..document import Document, YamlPath, dotted, load_document, problems_of, shipped
from ..energy.quantities import parse_quantity
from ..errors import BadInput, Problem, SpecError, UnknownName, suggestion
from .accelerator import Accelerator, Parameter
from .expressions import Unit, describe_unit, parse_literal, tidy
from .spec_check import check_spec, read_parameters, same
from .spec_models import AcceleratorSpec
from .spec_resolve import resolve

__all__ = [
    "AcceleratorSpec", "accelerator_from_document", "accelerator_schema", "accelerator_to_yaml", "format_parameter",
    "list_accelerators", "load_accelerator", "parameter_value", "with_parameters",
]  # fmt: skip


def list_accelerators() -> tuple[str, ...]:
    """Names of the shipped accelerators."""
    return tuple(shipped("accelerators"))


def load_accelerator(name_or_path: str | os.PathLike[str]) -> Accelerator:
    """A shipped accelerator by name, or one from a YAML file (anything with a folder in it or ending in .yaml or .yml).

    Raises `UnknownName` for a name that is not shipped, `BadInput` for a missing file, and `SpecError` with every
    problem of a wrong spec, each as ``file:line:column: path.to.field: what is wrong; what to do``.
    """
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and Path(text).name == text and Path(text).suffix not in (".yaml", ".yml"):
        known = shipped("accelerators")
        if text not in known:
            raise UnknownName("accelerator", text, tuple(known))
        return accelerator_from_document(load_document(known[text]))
    return accelerator_from_document(load_document(Path(text)))


def accelerator_from_document(document: Document) -> Accelerator:
    """The accelerator a document describes; raises `SpecError` with all its problems."""
    spec, problems = problems_of(AcceleratorSpec, document)
    table = read_parameters(document.data.get("parameters"), document.problem)
    problems = [*problems, *check_spec(document.data, table, document.problem)]
    if problems or spec is None:
        raise SpecError(problems)
    return resolve(spec, tuple(table.parameters.values()), table.units, table.defaults, document.problem)


def accelerator_schema() -> dict[str, Any]:
    """JSON Schema of the accelerator YAML."""
    return AcceleratorSpec.model_json_schema()


# ---- parameters ----------------------------------------------------------------------------------------------------


def with_parameters(accelerator: Accelerator, values: Mapping[str, Any]) -> Accelerator:
    """The same accelerator with some parameters changed.

    A number is taken in the unit in which the spec writes the parameter's default (``bandwidth=20`` means 20 GB/s where
    the default is ``16 GB/s``), a text carries its own unit. Raises `BadInput` for an unknown parameter, a wrong unit,
    a value that is not among the choices or in the range, or a combination that makes a level impossible.
    """
    if accelerator.spec is None:
        raise BadInput(f"'{accelerator.name}' was not built from a spec; load it with load_accelerator")
    known = {parameter.name: parameter for parameter in accelerator.parameters}
    source = accelerator.name
    problems: list[Problem] = []
    chosen = dict(accelerator.values)
    for name, value in values.items():
        try:
            if name not in known:
                remedy = suggestion(name, known, "it has")
                raise BadInput(f"no such parameter; {remedy}")
            chosen[name] = parameter_value(known[name], value)
        except BadInput as error:
            what, _, remedy = str(error).partition("; ")
            problems.append(Problem(source, 0, 0, str(name), what, remedy))
    if problems:
        raise SpecError(problems)

    def place(path: YamlPath, what: str, remedy: str = "") -> Problem:
        return Problem(source, 0, 0, dotted(path), what, remedy)

    return resolve(accelerator.spec, accelerator.parameters, _units(accelerator), chosen, place)


def _units(accelerator: Accelerator) -> dict[str, Unit]:
    return {parameter.name: _unit(parameter.unit) for parameter in accelerator.parameters}


@lru_cache(maxsize=256)
def _unit(unit: str) -> Unit:
    return parse_literal(f"1 {unit}")[1]


def parameter_value(parameter: Parameter, value: Any) -> float:
    """The SI value of what a parameter is to be, as ``with_parameters`` takes it.

    Raises `BadInput` for a wrong unit and for a value that is not among the choices or in the range.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise BadInput(f"'{value}' is not a finite number; {_allowed(parameter)}")
        number, unit, _ = parse_literal(f"{float(value)!r} {parameter.unit}")
    elif isinstance(value, str):
        number, unit, _ = parse_literal(value)
    else:
        raise BadInput(f"'{value}' is neither a number nor a text; {_allowed(parameter)}")
    if unit != _unit(parameter.unit):
        raise BadInput(f"'{value}' is {describe_unit(unit)}; {_allowed(parameter)}")
    options = parameter.choices or (() if parameter.bounds else (parameter.default,))
    for option in options:
        if same(number, option):
            return option
    if parameter.bounds is None or not parameter.bounds[0] <= number <= parameter.bounds[1]:
        raise BadInput(f"'{value}' is not allowed; {_allowed(parameter)}")
    return number


def _allowed(parameter: Parameter) -> str:
    if parameter.bounds:
        low, high = (format_parameter(parameter, value) for value in parameter.bounds)
        return f"stay within {low} to {high}"
    if not parameter.choices:
        return f"it is fixed at {format_parameter(parameter, parameter.default)}"
    return f"use one of {', '.join(format_parameter(parameter, value) for value in parameter.choices)}"


def format_parameter(parameter: Parameter, value: float) -> str:
    """A value of the parameter in the unit the spec writes its default in: ``2 MB``."""
    if not parameter.unit:
        return f"{value:.12g}"
    scaled = value / parse_quantity(f"1 {parameter.unit}").value
    short = f"{scaled:.12g} {parameter.unit}"
    return short if parse_quantity(short).value == value else f"{scaled!r} {parameter.unit}"


def accelerator_to_yaml(accelerator: Accelerator) -> str:
    """The spec as YAML, the present parameter values as defaults; loading it gives the same levels again."""
    if accelerator.spec is None:
        raise BadInput(f"'{accelerator.name}' was not built from a spec; there is no YAML to write")
    data = accelerator.spec.model_dump(exclude_unset=True)
    for parameter in accelerator.parameters:
        value = accelerator.values[parameter.name]
        text = format_parameter(parameter, value)
        data["parameters"][parameter.name]["default"] = text if parameter.unit else tidy(value)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
