"""Zeros: Sparseloop's results, and the sparse engines' own papers."""

from __future__ import annotations

from ..reference import Reference
from ..result import SuiteResult
from .sparse_engines import engine_results
from .sparse_scnn import scnn_results
from .sparse_sparseloop import sparseloop_results

__all__ = ["ABOUT", "TITLE", "run"]

TITLE = "Sparse engines"
ABOUT = """\
Sparseloop's artifact (Wu et al., MICRO 2022) states architectures, energies per access, mappings and densities, so that
its results can be compared as they are: AlexNet on Eyeriss with zero inputs left out (`eyeriss_sparseloop`), and a
product of 128 × 128 matrices at eight densities with two formats (`spmspm_bitmask`, `spmspm_coordinates`). EIE's nine
layers (Han et al., ISCA 2016) are compared by their times without and with load imbalance (`eie`). What the project
states itself (`configs/validation/sparse.yaml`): the mathematical throughput of n of m weights, cycles of an Eyeriss v2
processing element, how the time of a dual-side tensor core falls with the densities, and SCNN's speed-ups on published
densities of AlexNet and VGG-16. Nothing is fitted.
"""


def run(reference: Reference) -> list[SuiteResult]:
    """Sparseloop's quantities, EIE's times and SCNN's speed-ups where the tables are there; the rest always."""
    return [*sparseloop_results(reference), *engine_results(reference), *scnn_results(reference)]
