"""Yield models: closed forms against the distributions of defects they come from."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from dovetail.energy.carbon import (
    die_yield,
    murphy_yield,
    negative_binomial_yield,
    poisson_yield,
    yield_models,
)
from dovetail.errors import BadInput, UnknownName

CASES = [(50.0, 0.1), (400.0, 0.5), (826.0, 0.1), (100.0, 2.0)]


@pytest.mark.parametrize(("area_mm2", "density"), CASES)
def test_poisson_is_the_chance_of_no_defect(area_mm2: float, density: float) -> None:
    assert poisson_yield(area_mm2, density) == pytest.approx(stats.poisson.pmf(0, area_mm2 / 100 * density), rel=1e-12)


@pytest.mark.parametrize(("area_mm2", "density"), CASES)
def test_murphy_is_poisson_over_a_triangle_of_densities(area_mm2: float, density: float) -> None:
    def weighted(d: float) -> float:
        return (1 - abs(d - density) / density) / density * math.exp(-area_mm2 / 100 * d)

    mixed = integrate.quad(weighted, 0, density)[0] + integrate.quad(weighted, density, 2 * density)[0]
    assert murphy_yield(area_mm2, density) == pytest.approx(mixed, rel=1e-9)


@pytest.mark.parametrize(("area_mm2", "density"), CASES)
@pytest.mark.parametrize("clustering", [0.5, 3.0, 10.0])
def test_the_negative_binomial_is_the_chance_of_no_defect(area_mm2: float, density: float, clustering: float) -> None:
    defects = area_mm2 / 100 * density
    expected = stats.nbinom.pmf(0, clustering, clustering / (clustering + defects))
    assert negative_binomial_yield(area_mm2, density, clustering) == pytest.approx(expected, rel=1e-10)


def test_without_clustering_the_negative_binomial_is_poisson() -> None:
    assert negative_binomial_yield(300, 0.3, 1e9) == pytest.approx(poisson_yield(300, 0.3), rel=1e-8)
    assert negative_binomial_yield(300, 0.3, 1.0) == pytest.approx(1 / (1 + 0.9))


def test_without_defects_every_die_works_and_clustered_defects_spare_dies() -> None:
    for model in yield_models():
        assert die_yield(model, 100, 0.0) == 1.0
        falling = [die_yield(model, area, 0.2) for area in np.linspace(1, 800, 40)]
        assert all(a > b for a, b in pairwise(falling))
    assert poisson_yield(500, 0.2) < murphy_yield(500, 0.2) < negative_binomial_yield(500, 0.2, 2.0)


def test_a_share_is_taken_as_it_is() -> None:
    assert die_yield(0.875, 1e6) == 0.875
    assert die_yield(1, 100) == 1.0


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, math.nan, True])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="give a share above 0 and at most 1"):
        die_yield(share, 100)


def test_bad_models_areas_densities_and_clusterings_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'poisson'"):
        die_yield("poison", 100)
    with pytest.raises(BadInput, match="area must be above 0"):
        poisson_yield(-1, 0.1)
    with pytest.raises(BadInput, match="give 0 or more"):
        murphy_yield(10, -0.1)
    with pytest.raises(BadInput, match="clustering of 0"):
        negative_binomial_yield(10, 0.1, 0)
    with pytest.raises(BadInput, match="no die of 1e\\+06 mm2 works"):
        die_yield("poisson", 1e6, 1.0)
