"""The published carbon figures: ``configs/carbon/*.yaml``, each table with its source, validity and uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...document import Document, load_document, shipped, validate
from ...errors import BadInput, SpecError
from ..quantities import to_si

__all__ = ["CarbonTable", "GridFigures", "PlaceFigures", "carbon_tables", "grid_figures", "load_grids", "load_tables"]

# Tables by the dimension of their figures; a table of another name is capacity-related.
_DIMENSION = {
    "fab_energy": "energy_per_area",
    "fab_gases_95": "mass_per_area",
    "fab_gases_99": "mass_per_area",
    "fab_materials": "mass_per_area",
    "package": "mass",
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str
    valid: str
    uncertainty: float = Field(gt=0, le=1)
    figures: dict[str, str | float] = Field(min_length=1)
    same_as: dict[str, str] = Field(default_factory=dict)
    stands_in: dict[str, str] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    sources: dict[str, str]
    tables: dict[str, _Table]


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    also: list[str] = Field(default_factory=list)
    source: str
    years: dict[int, str | float] = Field(min_length=1)


class _Grids(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    sources: dict[str, str]
    sources_of_electricity: dict[str, str | float]
    places: dict[str, _Place]


@dataclass(frozen=True)
class CarbonTable:
    """Figures by name in SI (kg or J, per mm² or bit), where they come from and hold, their relative deviation.

    ``same_as`` are other names of an entry; ``stands_in`` are kinds without a published figure and the entry used.
    """

    name: str
    figures: dict[str, float]
    source: str
    valid: str
    uncertainty: float
    same_as: dict[str, str] = field(default_factory=dict)
    stands_in: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlaceFigures:
    """Carbon intensities (kg/J) of one place by year."""

    code: str
    name: str
    also: tuple[str, ...]
    source: str
    by_year: dict[int, float]


@dataclass(frozen=True)
class GridFigures:
    """Places by code, and carbon intensities (kg/J) of sources of electricity with where these come from."""

    places: dict[str, PlaceFigures]
    sources: dict[str, float]
    source: str


def load_tables(path: Path) -> dict[str, CarbonTable]:
    """The tables of one file; raises `BadInput` for a broken file, an unknown source, a unit that does not belong."""
    document = load_document(path)
    given = validate(_File, document)
    found = {}
    for name, table in given.tables.items():
        where = ("tables", name)
        dimension = _DIMENSION.get(name, "mass_per_bit")
        figures = {
            key: _figure(text, dimension, document, (*where, "figures", key)) for key, text in table.figures.items()
        }
        for kind in ("same_as", "stands_in"):
            for alias, entry in getattr(table, kind).items():
                if entry not in figures or alias in figures:
                    remedy = f"name one of {', '.join(figures)}"
                    raise SpecError(
                        [document.problem((*where, kind, alias), f"no entry '{entry}' to stand in", remedy)]
                    )
        source = _source(table.source, given.sources, document, where)
        found[name] = CarbonTable(name, figures, source, table.valid, table.uncertainty, table.same_as, table.stands_in)
    return found


def load_grids(path: Path) -> GridFigures:
    """The grids of one file; raises `BadInput` for a broken file, an unknown source, a unit that does not belong."""
    document = load_document(path)
    given = validate(_Grids, document)
    places = {}
    for code, place in given.places.items():
        where = ("places", code)
        years = {
            year: _figure(text, "carbon_intensity", document, (*where, "years", year))
            for year, text in place.years.items()
        }
        source = _source(place.source, given.sources, document, where)
        places[code] = PlaceFigures(code, place.name, tuple(place.also), source, years)
    sources = {
        name: _figure(text, "carbon_intensity", document, ("sources_of_electricity", name))
        for name, text in given.sources_of_electricity.items()
    }
    return GridFigures(places, sources, _source("act_source", given.sources, document, ("sources",)))


@lru_cache(maxsize=1)
def carbon_tables() -> dict[str, CarbonTable]:
    """The shipped tables of logic, memory and packages by name."""
    files = shipped("carbon")
    return load_tables(files["logic"]) | load_tables(files["memory"])


@lru_cache(maxsize=1)
def grid_figures() -> GridFigures:
    """The shipped grids."""
    return load_grids(shipped("carbon")["grids"])


def _figure(text: str | float, dimension: str, document: Document, where: tuple[str | int, ...]) -> float:
    try:
        return to_si(text, dimension)
    except BadInput as error:
        raise SpecError([document.problem(where, str(error))]) from error


def _source(name: str, known: dict[str, str], document: Document, where: tuple[str | int, ...]) -> str:
    if name not in known:
        remedy = f"known: {', '.join(known)}"
        raise SpecError([document.problem((*where, "source"), f"no source '{name}' in this file", remedy)])
    return known[name]
