"""How networks are mapped: mapspaces, mapping searches, whole-network schedules and their cache."""

from .base import Certificate, Mapper, MappingResult
from .compression import Compressed, choose_levels, level_costs
from .estimate import Estimate, Schedule, estimate, estimate_many
from .mapspace import Mapspace
from .pareto import pareto_front
from .registry import mapper_names, register_mapper
from .residency import Plan, plan_residency
from .search import best_mapping, map_all, map_many

__all__ = [
    "Certificate",
    "Compressed",
    "Estimate",
    "Mapper",
    "MappingResult",
    "Mapspace",
    "Plan",
    "Schedule",
    "best_mapping",
    "choose_levels",
    "estimate",
    "estimate_many",
    "level_costs",
    "map_all",
    "map_many",
    "mapper_names",
    "pareto_front",
    "plan_residency",
    "register_mapper",
]
