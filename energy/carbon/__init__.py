"""Carbon: what making a chip has cost, and what a joule costs on a grid."""

from .embodied import (
    ABATEMENTS,
    FAB_NODES_NM,
    die_footprint,
    dram_footprint,
    dram_footprint_kinds,
    package_footprint,
    storage_footprint,
    storage_kinds,
)
from .footprint import Footprint
from .grids import Grid, data_centre_energy_j, grid, grid_names
from .hours import BestHours
from .series import read_series
from .yields import die_yield, murphy_yield, negative_binomial_yield, poisson_yield, yield_models

__all__ = [
    "ABATEMENTS",
    "FAB_NODES_NM",
    "BestHours",
    "Footprint",
    "Grid",
    "data_centre_energy_j",
    "die_footprint",
    "die_yield",
    "dram_footprint",
    "dram_footprint_kinds",
    "grid",
    "grid_names",
    "murphy_yield",
    "negative_binomial_yield",
    "package_footprint",
    "poisson_yield",
    "read_series",
    "storage_footprint",
    "storage_kinds",
    "yield_models",
]
