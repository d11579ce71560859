"""The technology tables: every constant of ``configs/technologies/*.yaml`` with its unit, source and validity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..document import Document, load_document, shipped, validate
from ..errors import BadInput, SpecError, UnknownName
from .draws import noted
from .quantities import parse_quantity

__all__ = ["Constant", "TechnologyTable", "constant", "constants", "load_constants"]

Status = Literal["published", "derived", "inferred"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: str | float | None = None
    points: dict[str, str | float] | None = Field(None, min_length=2)
    source: str
    status: Status = "published"
    valid: str
    uncertainty: float = Field(gt=0, le=1)
    anchors: list[str | float] = []
    most: float | None = None

    @model_validator(mode="after")
    def _one_form(self) -> _Entry:
        if (self.value is None) == (self.points is None):
            raise ValueError("give either 'value' or 'points'")
        return self


class TechnologyTable(BaseModel):
    """One YAML file: named sources and the constants that cite them."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    sources: dict[str, str]
    constants: dict[str, _Entry]


@dataclass(frozen=True)
class Constant:
    """One constant: a single value, or points along a size, a width or a node, all in SI (mm² for areas).

    ``uncertainty`` is a relative standard deviation; ``status`` says whether the figure was published as it stands,
    derived from published ones, or inferred. ``along`` is the dimension of the points' keys. A ``factor`` multiplies
    every value (`draws.multiplied`); a table relative to its ``anchors`` is known there, and feels the factor in full
    from twice or half the nearest of them. A share is held at ``most``.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    texts: tuple[str, ...]
    dimension: str
    along: str
    source: str
    status: Status
    valid: str
    uncertainty: float
    anchors: tuple[float, ...] = ()
    most: float = math.inf
    factor: float = 1.0

    @property
    def value(self) -> float:
        """The single value, or the first point's."""
        return self._felt(*self.points[0])

    def _felt(self, key: float, value: float) -> float:
        """``value`` at ``key`` times the factor, as far as it is felt there."""
        if self.factor == 1.0:
            return value
        octaves = min((abs(math.log2(key / anchor)) for anchor in self.anchors), default=1.0)
        return min(value * float(self.factor ** min(octaves, 1.0)), max(self.most, value))

    @cached_property
    def _logs(self) -> tuple[tuple[float, float], ...]:
        return tuple((math.log(key), math.log(value)) for key, value in self.points)

    def at(self, key: float) -> float:
        """The value at ``key``: exact at the points, straight between and beyond them on logarithmic axes."""
        exact = self.points[0][1] if len(self.points) == 1 else dict(self.points).get(key)
        return self._felt(key, self._between(key) if exact is None else exact)

    def _between(self, key: float) -> float:
        x, logs = math.log(key), self._logs
        upper = next((i for i, (at, _) in enumerate(logs) if at > x), len(logs) - 1)
        (x0, y0), (x1, y1) = logs[max(upper, 1) - 1], logs[max(upper, 1)]
        return math.exp(y0 + (y1 - y0) * (x - x0) / (x1 - x0))

    @cached_property
    def power_law(self) -> tuple[float, float]:
        """``(a, b)`` of ``a * key ** b``, fitted to the points by least squares on logarithmic axes."""
        x_mean = sum(x for x, _ in self._logs) / len(self._logs)
        y_mean = sum(y for _, y in self._logs) / len(self._logs)
        slope = sum((x - x_mean) * (y - y_mean) for x, y in self._logs) / sum((x - x_mean) ** 2 for x, _ in self._logs)
        return math.exp(y_mean - slope * x_mean), slope

    def fitted(self, key: float) -> float:
        """The fitted power law at ``key``."""
        scale, exponent = self.power_law
        return self._felt(key, scale * float(key**exponent))

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest key of the points."""
        return self.points[0][0], self.points[-1][0]

    def cite(self) -> str:
        """Name, figures with units, status, source and validity on one line."""
        return f"{self.name} = {', '.join(self.texts)} ({self.status}: {self.source}; {self.valid})"


def load_constants(paths: Iterable[Path]) -> dict[str, Constant]:
    """All constants of the files; raises `BadInput` for a broken file, an unknown source or a name given twice."""
    found: dict[str, Constant] = {}
    for path in paths:
        document = load_document(path)
        table = validate(TechnologyTable, document)
        for name, entry in table.constants.items():
            if name in found:
                problem = document.problem(("constants", name), f"'{name}' is defined twice", "rename one of the two")
                raise SpecError([problem])
            found[name] = _constant(name, entry, table, document)
    return found


@lru_cache(maxsize=1)
def constants() -> Mapping[str, Constant]:
    """The shipped constants by name."""
    return load_constants(shipped("technologies").values())


def constant(name: str) -> Constant:
    """One shipped constant, times its factor while `draws.multiplied` holds; raises `UnknownName`."""
    if name not in constants():
        raise UnknownName("technology constant", name, tuple(constants()))
    factor = noted(name)
    return constants()[name] if factor == 1.0 else replace(constants()[name], factor=factor)


def _constant(name: str, entry: _Entry, table: TechnologyTable, document: Document) -> Constant:
    where = ("constants", name)
    if entry.source not in table.sources:
        known = ", ".join(table.sources)
        problem = document.problem((*where, "source"), f"no source '{entry.source}' in this file", f"known: {known}")
        raise SpecError([problem])
    texts = {"": entry.value} if entry.points is None else entry.points
    points, dimensions = [], set()
    for key, value in texts.items():
        try:
            at, quantity = parse_quantity(key or "1"), parse_quantity(str(value))
        except BadInput as error:
            raise SpecError([document.problem(where, str(error))]) from error
        if quantity.value <= 0 or at.value <= 0:
            raise SpecError([document.problem(where, f"'{value}' is not above zero", "give a positive figure")])
        points.append((at.value, quantity.value))
        dimensions.add((at.dimension, quantity.dimension))
    if len(dimensions) > 1:
        raise SpecError([document.problem(where, "points of different dimensions", "use one kind of unit")])
    along, dimension = dimensions.pop()
    return Constant(
        name=name,
        points=tuple(sorted(points)),
        texts=tuple(f"{value} at {key}" if key else str(value) for key, value in texts.items()),
        dimension=dimension,
        along=along,
        source=table.sources[entry.source],
        status=entry.status,
        valid=entry.valid,
        uncertainty=entry.uncertainty,
        anchors=tuple(parse_quantity(str(anchor)).value for anchor in entry.anchors),
        most=math.inf if entry.most is None else entry.most,
    )
