"""Mappers by name: the shipped ones and any plug-in under the entry-point group ``dovetail.mappers``."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points

from ..errors import BadInput, UnknownName
from .base import Mapper

__all__ = ["DEFAULT_MAPPER", "mapper_class", "mapper_names", "register_mapper"]

DEFAULT_MAPPER = "optimal"
_GROUP = "dovetail.mappers"
# Where each shipped mapper lives; it is imported when it is first asked for, so that importing the package is quick.
_SHIPPED = {
    "annealing": "baselines.annealing:AnnealingMapper",
    "genetic": "baselines.genetic:GeneticMapper",
    "gradient": "baselines.gradient:GradientMapper",
    "lns": "baselines.neighbourhood:NeighbourhoodMapper",
    "milp": "baselines.integer_program:IntegerProgramMapper",
    "optimal": "optimal.mapper:OptimalMapper",
    "random": "baselines.random_search:RandomMapper",
}
# Rules by which one chip's own software maps: known by name, but no mappers that serve any accelerator.
_RULES = {"nvdla": "nvdla_rule:NvdlaRule"}
_registered: dict[str, type[Mapper]] = {}


def register_mapper(mapper: type[Mapper]) -> type[Mapper]:
    """Add a mapper for this process; usable as a class decorator."""
    _registered[mapper.name] = mapper
    return mapper


def mapper_names() -> tuple[str, ...]:
    """Names of all mappers that serve any accelerator, sorted."""
    return tuple(sorted({*_SHIPPED, *_registered, *(entry.name for entry in entry_points(group=_GROUP))}))


def _shipped(name: str) -> type[Mapper] | None:
    place = _SHIPPED.get(name) or _RULES.get(name)
    if place is None:
        return None
    module, attribute = place.split(":")
    found: type[Mapper] = getattr(import_module(f".{module}", __package__), attribute)
    return found


@lru_cache(maxsize=64)
def _plugin(name: str) -> type[Mapper] | None:
    for entry in entry_points(group=_GROUP):
        if entry.name == name:
            try:
                loaded: type[Mapper] = entry.load()
            except (ImportError, AttributeError) as error:
                raise BadInput(f"mapper plug-in '{name}' cannot be loaded: {error}; mend or remove it") from error
            return loaded
    return None


def mapper_class(name: str) -> type[Mapper]:
    """The mapper of this name; `UnknownName` with the nearest one otherwise."""
    found = _registered.get(name) or _shipped(name) or _plugin(name)
    if found is None:
        raise UnknownName("mapper", name, (*mapper_names(), *_RULES))
    return found
