"""Mappers by name: the shipped ones and any plug-in under the entry-point group ``dovetail.mappers``."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points

from ..errors import BadInput, UnknownName
from .base import Mapper
from .local import LocalMapper
from .optimal.mapper import OptimalMapper

__all__ = ["DEFAULT_MAPPER", "mapper_class", "mapper_names", "register_mapper"]

DEFAULT_MAPPER = LocalMapper.name
_GROUP = "dovetail.mappers"
_registered: dict[str, type[Mapper]] = {LocalMapper.name: LocalMapper, OptimalMapper.name: OptimalMapper}


def register_mapper(mapper: type[Mapper]) -> type[Mapper]:
    """Add a mapper for this process; usable as a class decorator."""
    _registered[mapper.name] = mapper
    return mapper


def mapper_names() -> tuple[str, ...]:
    """Names of all mappers, sorted."""
    return tuple(sorted({*_registered, *(entry.name for entry in entry_points(group=_GROUP))}))


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
    found = _registered.get(name) or _plugin(name)
    if found is None:
        raise UnknownName("mapper", name, mapper_names())
    return found
