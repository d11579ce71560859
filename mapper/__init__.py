"""How networks are mapped: mapspaces, mapping searches, whole-network schedules and their cache."""

from .base import Certificate, Mapper, MappingResult
from .estimate import Estimate, Schedule, estimate
from .mapspace import Mapspace
from .registry import mapper_names, register_mapper
from .search import best_mapping, map_all

__all__ = [
    "Certificate",
    "Estimate",
    "Mapper",
    "MappingResult",
    "Mapspace",
    "Schedule",
    "best_mapping",
    "estimate",
    "map_all",
    "mapper_names",
    "register_mapper",
]
